//! Relevance judgements.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::Write;
use std::path::Path;

use optical_files::whole;

use crate::trec::{TrecError, writable};

/// Judged documents of each topic, with their grades.
///
/// A negative grade says that the document was in the pool but has not been judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Qrels {
    topics: BTreeMap<String, BTreeMap<String, i32>>,
}

/// A document was judged twice for one topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("document {document:?} is judged twice for topic {topic:?}")]
pub struct DuplicateJudgement {
    /// The topic.
    pub topic: String,
    /// The document.
    pub document: String,
}

impl Qrels {
    /// Collects judgements of (topic, document, grade).
    ///
    /// # Errors
    /// If a topic judges a document twice.
    pub fn from_judgements(
        judgements: impl IntoIterator<Item = (String, String, i32)>,
    ) -> Result<Self, DuplicateJudgement> {
        let mut qrels = Self::default();
        for (topic, document, grade) in judgements {
            match qrels
                .topics
                .entry(topic.clone())
                .or_default()
                .entry(document)
            {
                Entry::Vacant(entry) => entry.insert(grade),
                Entry::Occupied(entry) => {
                    let document = entry.key().clone();
                    return Err(DuplicateJudgement { topic, document });
                }
            };
        }
        Ok(qrels)
    }

    /// Reads TREC qrels: topic, iteration (ignored), document, grade.
    ///
    /// The rule is [`optical_files::trec`]'s, as for all files of judgements.
    ///
    /// # Errors
    /// If the file cannot be read, or a line has other columns, a grade that is not an integer, or a
    /// document that an earlier line judged for the topic.
    pub fn read(path: &Path) -> Result<Self, TrecError> {
        let mut qrels = Self::default();
        for judged in optical_files::trec::judgements(path)? {
            let topic = qrels.topics.entry(judged.topic).or_default();
            topic.insert(judged.document, judged.grade);
        }
        Ok(qrels)
    }

    /// Writes TREC qrels, topics and documents in the order of their bytes, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written, an id is empty or has a blank, or a topic begins with `#`.
    pub fn write(&self, path: &Path) -> Result<(), TrecError> {
        let written = whole::write_with(path, |writer| {
            for (topic, judged) in &self.topics {
                for (document, grade) in judged {
                    writable(topic, true)?;
                    writable(document, false)?;
                    writeln!(writer, "{topic} 0 {document} {grade}")?;
                }
            }
            Ok(())
        });
        written.map_err(|source| TrecError::Write {
            path: path.to_owned(),
            source,
        })
    }

    /// Returns the topics, in the order of their bytes.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.keys().map(String::as_str)
    }

    /// Returns the documents judged for a topic, with their grades; none if the topic is unknown.
    pub fn judgements(&self, topic: &str) -> impl Iterator<Item = (&str, i32)> {
        let judged = self.topics.get(topic).into_iter().flatten();
        judged.map(|(document, grade)| (document.as_str(), *grade))
    }

    /// Returns the grade of a document, if the topic has one for it.
    #[must_use]
    pub fn grade(&self, topic: &str, document: &str) -> Option<i32> {
        self.topics.get(topic)?.get(document).copied()
    }

    /// Whether the topic has a judgement.
    #[must_use]
    pub fn contains(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn read(text: impl AsRef<[u8]>) -> Result<Qrels, String> {
        crate::trec::read_as("qrels", text.as_ref(), Qrels::read)
    }

    #[test]
    fn a_mark_is_no_part_of_a_topic_and_negative_grades_stay() {
        let qrels = read("\u{feff}q1 0 d1 3\nq1 0 d2 -1\nq2 0 d1 0").unwrap();
        assert_eq!(qrels.grade("q1", "d1"), Some(3));
        assert_eq!(qrels.grade("q1", "d2"), Some(-1));
        assert_eq!(qrels.grade("q2", "d2"), None);
        assert_eq!(qrels.topics().collect::<Vec<_>>(), ["q1", "q2"]);
        let message = read("q1 0 d1 1\nq1 0 d1 1\n").unwrap_err();
        let expected = "qrels:2: topic \"q1\" already has document \"d1\", in line 1";
        assert_eq!(message, expected);
    }

    #[test]
    fn what_was_written_is_read_back() {
        let judgement = |topic: &str, document: &str, grade| (topic.into(), document.into(), grade);
        let judgements = [
            judgement("q2", "d1", 2),
            judgement("q1", "d1", 0),
            judgement("q2", "ä", -1),
        ];
        let qrels = Qrels::from_judgements(judgements.clone()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qrels");
        qrels.write(&path).unwrap();
        assert_eq!(Qrels::read(&path).unwrap(), qrels);
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "q1 0 d1 0\nq2 0 d1 2\nq2 0 ä -1\n"
        );
        let blank = Qrels::from_judgements([judgement("q1", "d 1", 1)]).unwrap();
        assert!(blank.write(&path).is_err());
        let twice = Qrels::from_judgements([judgements[0].clone(), judgements[0].clone()]);
        assert_eq!(twice.unwrap_err().document, "d1");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))] // Each of them waits for the disk.

        #[test]
        fn any_judgements_are_read_as_they_were_written(
            judged in prop::collection::btree_map(("[!\"$-~é\u{a0}][!-~é]{0,4}", "[!-~é\u{2003}]{1,4}"), any::<i32>(), 1..9)
        ) {
            let judged = judged.into_iter().map(|((topic, document), grade)| (topic, document, grade));
            let qrels = Qrels::from_judgements(judged).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("qrels");
            qrels.write(&path).unwrap();
            prop_assert_eq!(Qrels::read(&path).unwrap(), qrels);
        }
    }
}
