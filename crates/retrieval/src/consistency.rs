//! Whether the same question in two languages finds the same documents in the same order.
//!
//! [`rank_consistency`] is RankC of Qi, Fernández and Bisazza 2023 (arXiv 2310.10378), with documents in
//! place of candidate answers: the overlap of the first `j` of both rankings, for every `j`, with weights
//! that fall by a factor of e from place to place. The first place has 63 % of the weight, so
//! [`overlap`] belongs beside it.

use std::collections::HashSet;

/// Places that are compared where rankings are longer: what comes after them has less than `exp(-100)` of
/// the weight.
pub const CONSISTENCY_DEPTH: usize = 100;

/// Returns RankC of two rankings, best first: one where they are the same, zero where they share nothing.
///
/// With `N` the length of the longer one, at most [`CONSISTENCY_DEPTH`], it is the sum over `j` from 1 to
/// `N` of `w_j · |Top_j ∩ Top'_j| / j`, `w` being the softmax of `N − j + 1`. `None` where both are empty.
#[must_use]
pub fn rank_consistency(one: &[&str], other: &[&str]) -> Option<f64> {
    let depth = one.len().max(other.len()).min(CONSISTENCY_DEPTH);
    let (mut sum, mut weights) = (0.0, 0.0);
    let (mut seen, mut shared): (HashSet<&str>, usize) = (HashSet::new(), 0);
    for place in 0..depth {
        // Both rankings have a document once: the second time it is seen, the other one has it.
        for ranking in [one, other] {
            let document = ranking.get(place);
            shared += usize::from(document.is_some_and(|document| !seen.insert(document)));
        }
        // The largest exponent is taken off all of them, which changes no share and keeps them finite.
        let weight = (-(place as f64)).exp();
        sum += weight * shared as f64 / (place + 1) as f64;
        weights += weight;
    }
    (0 < depth).then(|| sum / weights)
}

/// Returns the share of the first `count` documents that two rankings have in common; of fewer, where
/// the longer one has fewer. `None` where there are none.
#[must_use]
pub fn overlap(one: &[&str], other: &[&str], count: usize) -> Option<f64> {
    let count = one.len().max(other.len()).min(count);
    let first: HashSet<&&str> = one.iter().take(count).collect();
    let shared = other.iter().take(count).filter(|it| first.contains(it));
    (0 < count).then(|| shared.count() as f64 / count as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn letters(text: &str) -> Vec<&str> {
        text.split("").filter(|it| !it.is_empty()).collect()
    }

    /// For N = 3 the weights are .665241, .244728 and .090031, and the first place is missed.
    #[test]
    fn worked_values() {
        for (one, other, expected) in [
            ("abc", "bac", 0.334_759),
            ("0123", "0213", 0.881_559),
            ("0123", "3210", 0.090_155),
            ("0123", "0123", 1.0),
            ("abc", "xyz", 0.0),
        ] {
            let found = rank_consistency(&letters(one), &letters(other)).unwrap();
            assert!((found - expected).abs() < 5e-7, "{one} {other}: {found}");
        }
        assert_eq!(rank_consistency(&[], &[]), None);
        assert_eq!(rank_consistency(&["a"], &[]), Some(0.0));
        // Where the first place has 1 / (1 + e^-1) and the second the rest, half of which is shared.
        let expected = 1.0 / (1.0 + (-1.0_f64).exp()) * 0.5 + 0.5;
        let found = rank_consistency(&["a"], &["a", "b"]).unwrap();
        assert!((found - expected).abs() < 1e-12, "{found}");
    }

    #[test]
    fn long_rankings_stay_finite_and_end_at_the_depth() {
        let ids: Vec<String> = (0..2000).map(|id| id.to_string()).collect();
        let one: Vec<&str> = ids.iter().map(String::as_str).collect();
        assert!((rank_consistency(&one, &one).unwrap() - 1.0).abs() < 1e-12);
        let mut other = one.clone();
        other[CONSISTENCY_DEPTH..].reverse();
        assert!((rank_consistency(&one, &other).unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_overlap_is_of_the_first() {
        let (one, other) = (letters("abcde"), letters("bxayc"));
        assert_eq!(overlap(&one, &other, 3), Some(2.0 / 3.0));
        assert_eq!(overlap(&one, &other, 10), Some(3.0 / 5.0));
        assert_eq!(overlap(&one, &["a"], 2), Some(0.5));
        assert_eq!(overlap(&[], &[], 10), None);
    }

    /// The definition, word for word: weights as shares of exponents, sets made anew at every place.
    fn slow(one: &[&str], other: &[&str]) -> f64 {
        let depth = one.len().max(other.len());
        let exponents: Vec<f64> = (1..=depth)
            .map(|j| ((depth - j + 1) as f64).exp())
            .collect();
        let all: f64 = exponents.iter().sum();
        let mut found = 0.0;
        for j in 1..=depth {
            let top = one.iter().take(j);
            let shared = top
                .filter(|id| other.iter().take(j).any(|it| it == *id))
                .count();
            found += exponents[j - 1] / all * shared as f64 / j as f64;
        }
        found
    }

    proptest! {
        #[test]
        fn it_is_the_definition(
            ids in Just((0..30).collect::<Vec<u32>>()).prop_shuffle(),
            others in Just((0..30).collect::<Vec<u32>>()).prop_shuffle(),
            lengths in (1..30_usize, 0..30_usize),
        ) {
            let named = |ids: &[u32]| ids.iter().map(u32::to_string).collect::<Vec<_>>();
            let (ids, others) = (named(&ids[..lengths.0]), named(&others[..lengths.1]));
            let one: Vec<&str> = ids.iter().map(String::as_str).collect();
            let other: Vec<&str> = others.iter().map(String::as_str).collect();
            let found = rank_consistency(&one, &other).unwrap();
            prop_assert!((found - slow(&one, &other)).abs() < 1e-12);
            prop_assert_eq!(rank_consistency(&other, &one), Some(found));
        }
    }
}
