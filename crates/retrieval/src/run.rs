//! Runs: what a system retrieved.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;
use std::path::Path;

use optical_files::trec::{TrecFault, retrieved};
use optical_files::whole;

use crate::ranking::{Hit, ranking_order};
use crate::trec::{TrecError, writable};

/// The documents a system retrieved for each topic, with their scores.
///
/// The order of a ranking follows from its scores, never from the ranks or lines of a file: highest
/// score first, equal scores by document id, descending as bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    tag: String,
    topics: BTreeMap<String, Vec<(String, f64)>>,
}

/// The precision in which scores are compared.
///
/// It decides what a tie is, and with it the order of documents whose scores differ little.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ScorePrecision {
    /// Single precision, as `trec_eval` 9 and `pytrec_eval`.
    #[default]
    F32,
    /// Double precision, as `trec_eval` 10.
    F64,
}

/// Why a ranking cannot be part of a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The run already has a ranking for the topic.
    #[error("topic {0:?} already has a ranking")]
    DuplicateTopic(String),
    /// A document was retrieved twice.
    #[error("document {document:?} is twice in the ranking of topic {topic:?}")]
    DuplicateDocument {
        /// The topic.
        topic: String,
        /// The document.
        document: String,
    },
    /// A score is NaN.
    #[error("the score of document {document:?} for topic {topic:?} is not a number")]
    Score {
        /// The topic.
        topic: String,
        /// The document.
        document: String,
    },
}

impl Run {
    /// Returns a run without topics; the tag names the system and must not contain a blank.
    #[must_use]
    pub fn new(tag: impl Into<String>) -> Self {
        Self {
            tag: tag.into(),
            topics: BTreeMap::new(),
        }
    }

    /// Adds the ranking of a topic; an empty one counts as no ranking, as it would in a file.
    ///
    /// # Errors
    /// If the topic has a ranking, a document occurs twice, or a score is NaN.
    pub fn insert(
        &mut self,
        topic: &str,
        hits: impl IntoIterator<Item = Hit>,
    ) -> Result<(), RunError> {
        if self.topics.contains_key(topic) {
            return Err(RunError::DuplicateTopic(topic.to_owned()));
        }
        let ranking: Vec<_> = hits
            .into_iter()
            .map(|hit| (hit.id, f64::from(hit.score)))
            .collect();
        let mut seen = HashSet::new();
        for (document, score) in &ranking {
            let (topic, document) = (topic.to_owned(), document.clone());
            if score.is_nan() {
                return Err(RunError::Score { topic, document });
            }
            if !seen.insert(document.clone()) {
                return Err(RunError::DuplicateDocument { topic, document });
            }
        }
        if !ranking.is_empty() {
            self.topics.insert(topic.to_owned(), ranking);
        }
        Ok(())
    }

    /// Reads a TREC run: topic, `Q0` (ignored), document, rank (ignored), score, tag.
    ///
    /// The rule is [`optical_files::trec`]'s: words after the tag, blank lines and lines that begin
    /// with `#` are passed over.
    ///
    /// # Errors
    /// If the file cannot be read, or a line has fewer columns, a score that is not a number, or a
    /// document that an earlier line retrieved for the topic.
    pub fn read(path: &Path) -> Result<Self, TrecError> {
        let mut run = Self::default();
        let mut lines: HashMap<String, HashMap<String, usize>> = HashMap::new();
        retrieved(path, |entry| {
            let (topic, document) = (entry.topic.to_owned(), entry.document.to_owned());
            let first = lines.entry(topic.clone()).or_default();
            if let Some(first) = first.insert(document.clone(), entry.line) {
                let fault = TrecFault::Duplicate {
                    topic,
                    document,
                    first,
                };
                return Err(TrecError::line(path, entry.line, fault));
            }
            let ranking = run.topics.entry(topic).or_default();
            ranking.push((document, entry.score));
            if run.tag != entry.tag {
                entry.tag.clone_into(&mut run.tag);
            }
            Ok(())
        })?;
        Ok(run)
    }

    /// Writes a TREC run, whole or not at all.
    ///
    /// Ranks count from 1. Scores are written in single precision, with as many digits as it takes to
    /// read back the same number, and lines are in the order in which they will be evaluated.
    ///
    /// # Errors
    /// If the file cannot be written, the tag or an id is empty or has a blank, or a topic begins with `#`.
    pub fn write(&self, path: &Path) -> Result<(), TrecError> {
        let written = whole::write_with(path, |writer| {
            writable(&self.tag, false)?;
            for (topic, ranking) in &self.topics {
                writable(topic, true)?;
                for (document, _) in ranking {
                    writable(document, false)?;
                }
            }
            for topic in self.topics.keys() {
                let ranking = self.ranking(topic, ScorePrecision::F32);
                for (rank, (document, score)) in (1..).zip(ranking) {
                    let score = score as f32;
                    writeln!(writer, "{topic} Q0 {document} {rank} {score} {}", self.tag)?;
                }
            }
            Ok(())
        });
        written.map_err(|source| TrecError::Write {
            path: path.to_owned(),
            source,
        })
    }

    /// Returns the name of the system; of a file, that of its last line.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// Returns the topics with at least one document, in the order of their bytes.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(String::as_str)
    }

    /// Whether something was retrieved for the topic.
    #[must_use]
    pub fn contains(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    /// Whether there is no topic.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// Returns documents and scores of a topic, best first; nothing if the topic is unknown.
    #[must_use]
    pub fn ranking(&self, topic: &str, precision: ScorePrecision) -> Vec<(&str, f64)> {
        let scored = self.topics.get(topic).into_iter().flatten();
        let mut ranking: Vec<_> = scored.map(|(id, score)| (id.as_str(), *score)).collect();
        match precision {
            ScorePrecision::F32 => ranking.sort_unstable_by(|left, right| {
                ranking_order((left.1 as f32, left.0), (right.1 as f32, right.0))
            }),
            ScorePrecision::F64 => ranking.sort_unstable_by(|left, right| {
                ranking_order((left.1, left.0), (right.1, right.0))
            }),
        }
        ranking
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn hit(id: &str, score: f32) -> Hit {
        Hit {
            id: id.into(),
            score,
        }
    }

    fn read(text: impl AsRef<[u8]>) -> Result<Run, String> {
        crate::trec::read_as("run", text.as_ref(), Run::read)
    }

    fn order(run: &Run, topic: &str, precision: ScorePrecision) -> Vec<String> {
        run.ranking(topic, precision)
            .into_iter()
            .map(|(id, _)| id.to_owned())
            .collect()
    }

    #[test]
    fn the_order_follows_from_scores_and_ids_alone() {
        let run = read("q1 Q0 d9 1 1.5 t\nq1\tQ0\td10\t2\t2e0\tt\r\nq1 Q0 d8 3 1.5 t\n").unwrap();
        assert_eq!(order(&run, "q1", ScorePrecision::F32), ["d10", "d9", "d8"]);
        assert_eq!(run.tag(), "t");
    }

    /// 1 + 2^-30 is another number than 1 in double precision only.
    #[test]
    fn precision_decides_what_a_tie_is() {
        let run = read("q1 Q0 a 1 1.000000000931322574615478515625 t\nq1 Q0 b 2 1 t\n").unwrap();
        assert_eq!(order(&run, "q1", ScorePrecision::F32), ["b", "a"]);
        assert_eq!(order(&run, "q1", ScorePrecision::F64), ["a", "b"]);
    }

    #[test]
    fn zero_has_no_sign_and_infinities_are_scores() {
        let run = read("q Q0 a 1 0 t\nq Q0 b 1 -0.0 t\nq Q0 c 1 -inf t\nq Q0 d 1 inf t\n").unwrap();
        assert_eq!(order(&run, "q", ScorePrecision::F32), ["d", "b", "a", "c"]);
    }

    #[test]
    fn words_after_the_tag_are_ignored_and_a_missing_tag_is_refused() {
        let run = read("q1 Q0 d1 1 2.5 my run\nq1 Q0 d2 2 1.5 my run\n").unwrap();
        assert_eq!(run.tag(), "my");
        assert_eq!(order(&run, "q1", ScorePrecision::F32), ["d1", "d2"]);
        let columns = "columns where 6 are expected: topic Q0 document rank score tag";
        assert_eq!(
            read("q1 Q0 d1 1 2.0\n").unwrap_err(),
            format!("run:1: has 5 {columns}")
        );
        assert_eq!(
            read("q1 Q0 d1 1 2 t\nq1 Q0 d2 2 1 t\nq1 Q0 d1 3 0 t\n").unwrap_err(),
            "run:3: topic \"q1\" already has document \"d1\", in line 1"
        );
    }

    #[test]
    fn a_written_run_is_in_evaluation_order_and_reads_back() {
        let mut run = Run::new("optical");
        run.insert("q2", [hit("d1", 0.1), hit("d3", 1.0 / 3.0), hit("d2", 0.1)])
            .unwrap();
        run.insert("q1", []).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        run.write(&path).unwrap();
        let text =
            "q2 Q0 d3 1 0.33333334 optical\nq2 Q0 d2 2 0.1 optical\nq2 Q0 d1 3 0.1 optical\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        let again = Run::read(&path).unwrap();
        for precision in [ScorePrecision::F32, ScorePrecision::F64] {
            assert_eq!(order(&again, "q2", precision), ["d3", "d2", "d1"]);
        }
        assert_eq!(
            again.ranking("q2", ScorePrecision::F32)[0].1 as f32,
            1.0 / 3.0
        );
        assert!(Run::new("two words").write(&path).is_err());
    }

    #[test]
    fn rankings_that_are_none_are_refused() {
        let mut run = Run::new("t");
        run.insert("q1", [hit("d1", 1.0)]).unwrap();
        let refused = run.insert("q1", [hit("d1", 1.0)]).unwrap_err();
        assert_eq!(refused, RunError::DuplicateTopic("q1".into()));
        let refused = run
            .insert("q2", [hit("d1", 1.0), hit("d1", 2.0)])
            .unwrap_err();
        assert!(matches!(refused, RunError::DuplicateDocument { .. }));
        let refused = run.insert("q2", [hit("d1", f32::NAN)]).unwrap_err();
        assert!(matches!(refused, RunError::Score { .. }));
        assert!(!run.contains("q2"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))] // Each of them waits for the disk.

        #[test]
        fn any_run_is_read_as_it_was_written(
            tag in "[!-~é]{1,4}",
            topics in prop::collection::btree_map(
                "[!\"$-~é][!-~é]{0,4}",
                prop::collection::btree_map("[!-~é]{1,4}", prop::num::f32::ANY, 1..6), 1..4,
            )
        ) {
            let mut run = Run::new(tag.as_str());
            for (topic, ranking) in &topics {
                let hits = ranking.iter().filter(|(_, score)| !score.is_nan());
                run.insert(topic, hits.map(|(id, score)| hit(id, *score))).unwrap();
            }
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("run");
            run.write(&path).unwrap();
            if !run.is_empty() {
                let again = Run::read(&path).unwrap();
                prop_assert_eq!((again.tag(), again.topics.len()), (&*tag, run.topics.len()));
                let scored = |run: &Run, topic: &str, precision| -> Vec<(String, f32)> {
                    let ranking = run.ranking(topic, precision).into_iter();
                    ranking.map(|(id, score)| (id.to_owned(), score as f32)).collect()
                };
                for topic in run.topics() {
                    for precision in [ScorePrecision::F32, ScorePrecision::F64] {
                        prop_assert_eq!(scored(&again, topic, precision), scored(&run, topic, precision));
                    }
                }
            }
        }
    }
}
