//! English relevance data: queries with documents that answer them and documents that do not, or
//! with scores of a stronger ranker, for training a late-interaction teacher.

pub(crate) mod records;

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

pub use self::records::{Candidate, Example, Relevance, Text, Texts};
use crate::bitext::records::DataRoots;
use crate::error::CorpusError;
use crate::formats::relevance::judged::Judged;
use crate::formats::relevance::n_way::NWay;
use crate::formats::relevance::pairs::Pairs;
use crate::formats::relevance::triples::{IdTriples, TextTriples};
use crate::formats::relevance::tuples::Tuples;

/// One `[[relevance]]` table of a run file.
///
/// Files packed with gzip or zstd are unpacked as they are read. `queries` and `documents` are tables
/// of texts by id, see [`crate::formats::tables`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "kebab-case")]
pub enum RelevanceSource {
    /// A query's id, a relevant and another document's id, with tabs between them.
    IdTriples(IdTriples),
    /// A query, a relevant and another document, as texts with tabs between them.
    TextTriples(TextTriples),
    /// A JSON list or object per line, of ids, with scores or without.
    NWay(NWay),
    /// A JSON object of texts per line: the query, the relevant document, others.
    Tuples(Tuples),
    /// A JSON object per line: a query, and the id of a relevant document.
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
    /// Fails as [`RelevanceSource::read`] does.
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
        let (_folder, roots) = crate::testing::folder(&[("a.tsv", "q\tx\ty\nq\tz\tx\nbroken\n")]);
        let source: RelevanceSource = toml::from_str("format = 'text-triples'\nfile = 'a.tsv'")?;
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
