//! The order of a ranking, and its best `k` entries.
//!
//! Documents are ordered by score, highest first, and equal scores by document id, *descending* as
//! bytes: trec_eval's rule, so that a ranking is in the order in which it will be evaluated.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A retrieved document.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The document's id.
    pub id: String,
    /// The document's score for the query; higher is better.
    pub score: f32,
}

/// Orders two scored documents as a ranking does: the better one is `Less`.
///
/// The scores must not be NaN, which every caller has checked on the way in.
pub(crate) fn ranking_order<T: PartialOrd>(left: (T, &str), right: (T, &str)) -> Ordering {
    let by_score = right.0.partial_cmp(&left.0).unwrap_or(Ordering::Equal);
    by_score.then_with(|| right.1.as_bytes().cmp(left.1.as_bytes()))
}

/// Keeps the `k` best documents of those offered.
pub(crate) struct Best<'a> {
    k: usize,
    // A maximum heap in ranking order: the worst document kept is on top.
    heap: BinaryHeap<Candidate<'a>>,
}

#[derive(Clone, Copy)]
struct Candidate<'a> {
    score: f32,
    id: &'a str,
}

impl<'a> Best<'a> {
    pub(crate) fn new(k: usize) -> Self {
        Self {
            k,
            heap: BinaryHeap::new(),
        }
    }

    pub(crate) fn offer(&mut self, id: &'a str, score: f32) {
        let candidate = Candidate { score, id };
        if self.heap.len() < self.k {
            self.heap.push(candidate);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && candidate < *worst
        {
            *worst = candidate;
        }
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        for candidate in other.heap {
            self.offer(candidate.id, candidate.score);
        }
    }

    pub(crate) fn into_hits(self) -> Vec<Hit> {
        let hit = |candidate: Candidate<'_>| Hit {
            id: candidate.id.to_owned(),
            score: candidate.score,
        };
        self.heap.into_sorted_vec().into_iter().map(hit).collect()
    }
}

impl Ord for Candidate<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        ranking_order((self.score, self.id), (other.score, other.id))
    }
}

impl PartialOrd for Candidate<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_are_in_descending_order_of_bytes_at_the_cut() {
        let mut best = Best::new(3);
        for (id, score) in [
            ("d1", 1.0),
            ("d10", 1.0),
            ("é", 1.0),
            ("d2", 1.0),
            ("low", 0.5),
        ] {
            best.offer(id, score);
        }
        let ids: Vec<_> = best.into_hits().into_iter().map(|hit| hit.id).collect();
        assert_eq!(ids, ["é", "d2", "d10"]);
    }

    #[test]
    fn nothing_is_kept_when_nothing_is_asked_for() {
        let mut best = Best::new(0);
        best.offer("d1", 1.0);
        assert!(best.into_hits().is_empty());
    }
}
