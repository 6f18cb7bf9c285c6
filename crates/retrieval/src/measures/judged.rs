//! A ranking with the grades of its documents: all that a measure looks at.

use super::Options;
use crate::qrels::Qrels;
use crate::run::Run;

/// A topic's ranking, seen through its judgements.
pub(super) struct JudgedRanking {
    /// Grades in order of rank; `None` for documents that nobody judged.
    grades: Vec<Option<i32>>,
    level: i32,
    /// Whether the run has the topic.
    pub(super) retrieved: bool,
    /// Relevant documents of the topic.
    pub(super) relevant: usize,
    /// Judged documents of the topic that are not relevant.
    pub(super) nonrelevant: usize,
    /// All positive grades of the topic, best first.
    pub(super) ideal: Vec<i32>,
}

impl JudgedRanking {
    pub(super) fn new(qrels: &Qrels, run: &Run, topic: &str, options: &Options) -> Self {
        // A negative grade marks a document of the pool that has not been judged.
        let judged = |grade: &i32| *grade >= 0;
        let ranking = run.ranking(topic, options.score_precision);
        let grades = ranking
            .iter()
            .take(options.max_docs.unwrap_or(usize::MAX))
            .map(|(document, _)| qrels.grade(topic, document).filter(judged))
            .filter(|grade| grade.is_some() || !options.judged_only)
            .collect();
        let level = options.relevance_level;
        let all: Vec<i32> = qrels
            .judgements(topic)
            .map(|(_, grade)| grade)
            .filter(judged)
            .collect();
        let relevant = all.iter().filter(|&&grade| grade >= level).count();
        let nonrelevant = all.len() - relevant;
        let mut ideal: Vec<i32> = all.into_iter().filter(|&grade| grade > 0).collect();
        ideal.sort_unstable_by(|a, b| b.cmp(a));
        let retrieved = run.contains(topic);
        Self {
            grades,
            level,
            retrieved,
            relevant,
            nonrelevant,
            ideal,
        }
    }

    /// Grades in order of rank.
    pub(super) fn grades(&self) -> &[Option<i32>] {
        &self.grades
    }

    /// Whether the document at each rank is relevant.
    pub(super) fn relevance(&self) -> impl DoubleEndedIterator<Item = bool> + ExactSizeIterator {
        self.grades
            .iter()
            .map(|grade| grade.is_some_and(|grade| grade >= self.level))
    }

    /// Returns the number of relevant documents up to a rank.
    pub(super) fn relevant_in(&self, cutoff: usize) -> usize {
        self.relevance()
            .take(cutoff)
            .filter(|&relevant| relevant)
            .count()
    }

    /// Returns the number of relevant documents in the whole ranking.
    pub(super) fn relevant_retrieved(&self) -> usize {
        self.relevant_in(usize::MAX)
    }
}
