//! Whether many queries find the same document: a hub (Radovanović, Nanopoulos and Ivanović 2010, JMLR 11).
//!
//! A model that tells queries of a kind apart from all else, and not from one another, puts them beside the
//! same few documents. Its loss and mate retrieval may be good all the same.

use std::collections::BTreeMap;

/// Returns the share of rankings, best first, that have the most frequent document among the first `count`.
/// `None` where there are no rankings.
#[must_use]
pub fn hub_share(rankings: &[Vec<&str>], count: usize) -> Option<f64> {
    let mut frequencies: BTreeMap<&str, usize> = BTreeMap::new();
    for document in rankings.iter().flat_map(|it| it.iter().take(count)) {
        *frequencies.entry(document).or_default() += 1;
    }
    let most = frequencies.values().max().copied().unwrap_or_default();
    (!rankings.is_empty()).then(|| most as f64 / rankings.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::hub_share;

    #[test]
    fn the_most_frequent_document_among_the_first_counts() {
        let rankings = [
            vec!["a", "hub", "x"],
            vec!["hub", "b", "x"],
            vec!["c", "d", "x"],
            vec![],
        ];
        assert_eq!(hub_share(&rankings, 2), Some(0.5));
        // Beyond the first two is another one.
        assert_eq!(hub_share(&rankings, 3), Some(0.75));
        assert_eq!(hub_share(&rankings[3..], 2), Some(0.0));
        assert_eq!(hub_share(&[], 2), None);
    }
}
