//! Verses as queries, English verses as documents, cross-references as judgements.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Bible;
use super::books::Verse;
use super::error::BibleError;
use crate::bitext::records::DataRoots;
use crate::collection::records::{Collection, Document, Judgement, Query};
use crate::draw::lot;
use crate::error::CorpusError;

/// A test collection cut from the Bible, as named in a run file.
///
/// A verse qualifies as a query if enough of the verses it refers to are documents and every
/// edition named here has it, so that all languages ask the same. Queries and documents are drawn
/// by seed: a larger cut contains every smaller one of the same editions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BibleCut {
    /// The manifest of the data set.
    pub manifest: PathBuf,
    /// The edition that asks for each language, by the ISO 639-3 code.
    pub query_editions: BTreeMap<String, String>,
    /// The edition of the English version of the queries.
    pub english_edition: String,
    /// The English edition that is searched.
    pub document_edition: String,
    /// The least number of relevant documents of a query.
    pub minimum_references: usize,
    /// The number of queries in each language; zero for all that qualify.
    pub queries: usize,
    /// The number of documents, the relevant ones among them; zero for all.
    pub documents: usize,
    /// The seed of both draws.
    pub seed: u64,
}

impl BibleCut {
    pub(crate) fn read(&self, roots: &DataRoots) -> Result<Collection, CorpusError> {
        if self.query_editions.is_empty() {
            return Err(CorpusError::EmptyList("query_editions"));
        }
        let bible = Bible::open(&self.manifest, roots)?;
        let documents = present(bible.verses(&self.document_edition, "eng")?);
        let english = present(bible.verses(&self.english_edition, "eng")?);
        let mut editions = BTreeMap::new();
        for (language, edition) in &self.query_editions {
            editions.insert(language, present(bible.verses(edition, language)?));
        }

        let mut references = bible.references()?;
        for targets in references.values_mut() {
            targets.retain(|target| documents.contains_key(target));
        }
        references.retain(|verse, targets| {
            self.minimum_references.max(1) <= targets.len()
                && english.contains_key(verse)
                && editions.values().all(|edition| edition.contains_key(verse))
        });
        let asking = self.draw_queries(references.keys().copied().collect())?;
        references.retain(|verse, _| asking.contains(verse));
        let relevant: BTreeSet<Verse> = references.values().flatten().copied().collect();
        let found = self.draw_documents(&relevant, documents.keys().copied().collect())?;

        let queries = |edition: &BTreeMap<Verse, String>, language: &str| {
            let query = |verse: &Verse| Query {
                id: verse.to_string(),
                text: edition[verse].clone(),
                language: language.to_owned(),
                own_document: Some(verse.to_string()),
                origin: None,
            };
            asking.iter().map(query).collect::<Vec<_>>()
        };
        let judgement = |(query, document): (&Verse, &Verse)| Judgement {
            query: query.to_string(),
            document: document.to_string(),
            grade: 1,
        };
        let document = |verse: &Verse| Document {
            id: verse.to_string(),
            title: None,
            text: documents[verse].clone(),
            origin: None,
        };
        Ok(Collection {
            documents: found.iter().map(document).collect(),
            queries: editions
                .iter()
                .map(|(language, edition)| ((*language).clone(), queries(edition, language)))
                .collect(),
            english: editions
                .keys()
                .map(|language| ((*language).clone(), queries(&english, "eng")))
                .collect(),
            judgements: references
                .iter()
                .flat_map(|(query, targets)| targets.iter().map(move |target| (query, target)))
                .map(judgement)
                .collect(),
            unknown: Vec::new(),
        })
    }

    fn draw_queries(&self, mut qualified: Vec<Verse>) -> Result<BTreeSet<Verse>, BibleError> {
        let found = qualified.len();
        if found < self.queries.max(1) {
            return Err(BibleError::TooFewQueries {
                asked: self.queries,
                found,
            });
        }
        if self.queries != 0 {
            qualified.sort_by_cached_key(|verse| lot(self.seed, "queries", &[&verse.to_string()]));
            qualified.truncate(self.queries);
        }
        Ok(qualified.into_iter().collect())
    }

    fn draw_documents(
        &self,
        relevant: &BTreeSet<Verse>,
        mut all: Vec<Verse>,
    ) -> Result<BTreeSet<Verse>, BibleError> {
        if self.documents == 0 {
            return Ok(all.into_iter().collect());
        }
        let Some(others) = self.documents.checked_sub(relevant.len()) else {
            return Err(BibleError::TooFewDocuments {
                asked: self.documents,
                relevant: relevant.len(),
            });
        };
        all.retain(|verse| !relevant.contains(verse));
        all.sort_by_cached_key(|verse| lot(self.seed, "documents", &[&verse.to_string()]));
        all.truncate(others);
        Ok(all.into_iter().chain(relevant.iter().copied()).collect())
    }
}

fn present(verses: BTreeMap<Verse, Option<String>>) -> BTreeMap<Verse, String> {
    verses
        .into_iter()
        .filter_map(|(verse, text)| Some((verse, text?)))
        .collect()
}
