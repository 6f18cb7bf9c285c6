//! English relevance data: queries with documents that answer them and documents that do not, or
//! with scores of a stronger ranker, for training a late-interaction teacher.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bitext::DataRoots;
use crate::error::{CorpusError, LineProblem};
use crate::formats::relevance::judged::Judged;
use crate::formats::relevance::n_way::NWay;
use crate::formats::relevance::pairs::Pairs;
use crate::formats::relevance::triples::{IdTriples, TextTriples};
use crate::formats::relevance::tuples::Tuples;

/// A query or a document; clones share id and text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Text {
    /// Its id. Files that hold texts alone get numbers, in the order of first occurrence.
    pub id: Arc<str>,
    /// What it says, with white space collapsed; of a document, its title first.
    pub text: Arc<str>,
}

/// A document that a query is compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The document.
    pub document: Text,
    /// What a stronger ranker says of it; any finite number.
    pub score: Option<f32>,
}

impl Candidate {
    pub(crate) fn unscored(document: Text) -> Self {
        let score = None;
        Self { document, score }
    }
}

/// A query with the documents to be told apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The query.
    pub query: Text,
    /// At least one document. Either all have a score, or none has and the first is relevant, the
    /// others are not.
    pub candidates: Vec<Candidate>,
}

impl Example {
    /// The relevant document: the first of those with the highest score; without scores, the first.
    pub fn positive(&self) -> Option<&Candidate> {
        let better = |best, next| match (best, next) {
            (Some(best), Some(next)) => best < next,
            _ => false,
        };
        let candidates = self.candidates.iter();
        candidates.reduce(|best, next| match better(best.score, next.score) {
            true => next,
            false => best,
        })
    }
}

/// Texts by their ids, in the order of their file.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    entries: Vec<Text>,
    positions: HashMap<Arc<str>, usize>,
    /// Negatives that were passed over, since nothing stood in their place.
    pub empty_negatives: usize,
}

impl Texts {
    /// The text with an id.
    pub fn get(&self, id: &str) -> Option<&Text> {
        self.positions
            .get(id)
            .map(|&position| &self.entries[position])
    }

    /// All texts, in the order of their file.
    pub fn iter(&self) -> std::slice::Iter<'_, Text> {
        self.entries.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a text; one that is there already, word by word, is the same one.
    pub(crate) fn insert(&mut self, id: &str, text: &str) -> Result<&Text, LineProblem> {
        if let Some(&position) = self.positions.get(id) {
            let known = &self.entries[position];
            return if &*known.text == text {
                Ok(known)
            } else {
                Err(LineProblem::DuplicateId(id.to_owned()))
            };
        }
        let id: Arc<str> = id.into();
        self.positions.insert(id.clone(), self.entries.len());
        let text = text.into();
        self.entries.push(Text { id, text });
        Ok(&self.entries[self.entries.len() - 1])
    }

    /// The text with an id, or why a line that names it is refused.
    pub(crate) fn named(&self, kind: &'static str, id: &str) -> Result<Text, LineProblem> {
        self.get(id).cloned().ok_or_else(|| LineProblem::UnknownId {
            kind,
            id: id.to_owned(),
        })
    }
}

/// Gives texts without ids a number each, the same text the same one.
#[derive(Debug, Default)]
pub(crate) struct Numbered {
    by_text: HashMap<Arc<str>, Text>,
    pub(crate) texts: Texts,
}

impl Numbered {
    pub(crate) fn text(&mut self, text: &str) -> Result<Text, LineProblem> {
        if let Some(known) = self.by_text.get(text) {
            return Ok(known.clone());
        }
        let number = (self.texts.len() + 1).to_string();
        let new = self.texts.insert(&number, text)?.clone();
        self.by_text.insert(new.text.clone(), new.clone());
        Ok(new)
    }
}

/// Examples and the collection that their documents are from.
#[derive(Debug, Clone)]
pub struct Relevance {
    /// The examples, in the order of their file.
    pub examples: Vec<Example>,
    /// All documents, those without an example among them.
    pub documents: Texts,
}

/// Takes an example; may end the reading.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(Example) -> ControlFlow<()>;

/// One `[[relevance]]` table of a run file.
///
/// Files packed with gzip or zstd are unpacked as they are read. `queries` and `documents` are tables
/// of texts by id, see [`crate::formats::relevance::tables`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "kebab-case")]
pub enum RelevanceSource {
    /// A query's id, a relevant and another document's id, with tabs between them.
    IdTriples(IdTriples),
    /// A query, a relevant and another document, as texts with tabs between them.
    TextTriples(TextTriples),
    /// A JSON list or object a line, of ids, with scores or without.
    NWay(NWay),
    /// A JSON object of texts a line: the query, the relevant document, others.
    Tuples(Tuples),
    /// A JSON object a line: a query, and the id of a relevant document.
    Pairs(Pairs),
    /// TREC judgements, and a TREC run that negatives are taken from.
    Judged(Judged),
}

impl RelevanceSource {
    /// Calls `receive` with every example, in the order of the file, until it breaks; returns the
    /// documents.
    ///
    /// Examples are read as they are asked for, so memory holds the texts, each once, and no more.
    ///
    /// # Errors
    /// If a file is missing or does not have its layout, or an id is in no table; the error names
    /// the file and the line.
    pub fn read(
        &self,
        roots: &DataRoots,
        mut receive: impl FnMut(Example) -> ControlFlow<()>,
    ) -> Result<Texts, CorpusError> {
        match self {
            Self::IdTriples(source) => source.read(roots, &mut receive),
            Self::TextTriples(source) => source.read(roots, &mut receive),
            Self::NWay(source) => source.read(roots, &mut receive),
            Self::Tuples(source) => source.read(roots, &mut receive),
            Self::Pairs(source) => source.read(roots, &mut receive),
            Self::Judged(source) => source.read(roots, &mut receive),
        }
    }

    /// Reads all examples into memory.
    ///
    /// # Errors
    /// As [`RelevanceSource::read`].
    pub fn load(&self, roots: &DataRoots) -> Result<Relevance, CorpusError> {
        let mut examples = Vec::new();
        let documents = self.read(roots, |example| {
            examples.push(example);
            ControlFlow::Continue(())
        })?;
        Ok(Relevance {
            examples,
            documents,
        })
    }

    /// Whether the ids of queries and documents are the files' own, not numbers given while reading.
    pub fn has_ids(&self) -> bool {
        match self {
            Self::TextTriples(_) | Self::Tuples(_) => false,
            Self::IdTriples(_) | Self::NWay(_) | Self::Pairs(_) | Self::Judged(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_document_is_relevant_and_without_scores_the_first() {
        let text = |id: &str| Text {
            id: id.into(),
            text: "x".into(),
        };
        let positive = |scores: &[Option<f32>]| {
            let candidates = scores.iter().enumerate().map(|(at, &score)| Candidate {
                document: text(&at.to_string()),
                score,
            });
            let example = Example {
                query: text("q"),
                candidates: candidates.collect(),
            };
            example.positive().map(|best| best.document.id.to_string())
        };
        assert_eq!(positive(&[None, None]).as_deref(), Some("0"));
        let scores = [Some(-2.0), Some(0.5), Some(-1.0), Some(0.5)];
        assert_eq!(positive(&scores).as_deref(), Some("1"));
        assert_eq!(positive(&[]), None);
    }

    #[test]
    fn reading_ends_where_it_is_told_to() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("a.tsv"), "q\tx\ty\nq\tz\tx\nbroken\n")?;
        let source: RelevanceSource = toml::from_str("format = 'text-triples'\nfile = 'a.tsv'")?;
        let roots = DataRoots {
            base: folder.path().into(),
            cache: folder.path().into(),
        };
        let mut left = 2;
        let documents = source.read(&roots, |_| {
            left -= 1;
            match left {
                0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        })?;
        assert_eq!(documents.len(), 3);
        assert!(source.load(&roots).is_err());
        Ok(())
    }
}
