//! Hard negatives: documents that a ranking puts high although they are not relevant.
//!
//! A teacher learns most from documents that look relevant and are not. The top of a ranking has
//! them, but also relevant ones that nobody judged, so three things keep clear of those: the first
//! ranks can be skipped; documents whose score comes too near the judged document's are dropped
//! (Moreira et al., NV-Retriever, arXiv 2407.15831: "TopK-PercPos"); and of what is left, the
//! negatives are drawn at random instead of from the top.

use sha2::{Digest, Sha256};

use crate::ranking::Hit;

/// How negatives are drawn from rankings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NegativeSettings {
    /// Ranks to pass over at the top, not counting relevant documents.
    pub skip: usize,
    /// How many negatives to draw for a query, at most.
    pub count: usize,
    /// The highest score that a negative may have, as a share of the relevant document's; see
    /// [`NegativeSettings::limit`]. Without it, scores do not matter.
    pub max_score_share: Option<f32>,
    /// The seed of the draw.
    pub seed: u64,
}

/// The negatives of a query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Negatives {
    /// The negatives, in the order of the ranking.
    pub hits: Vec<Hit>,
    /// How many documents after the skipped ranks scored too high.
    pub too_high: usize,
}

impl NegativeSettings {
    /// Returns the score that a negative must not exceed, where the relevant document has `positive`.
    ///
    /// It is below `positive` by `1 - share` of its size, so for negative scores too:
    /// `positive − (1 − share) · |positive|`.
    pub fn limit(&self, positive: f32) -> f32 {
        self.max_score_share.map_or(f32::INFINITY, |share| {
            positive - (1.0 - share) * positive.abs()
        })
    }

    /// Draws negatives for a query from its ranking, best first.
    ///
    /// `positive` is the score of the relevant document, by the same ranker. What `is_relevant` says
    /// of a document's id keeps it out. The draw depends on the seed, the query's id and each
    /// document's id alone, not on other queries or on the order of calls.
    pub fn draw(
        &self,
        query: &str,
        ranking: &[Hit],
        positive: f32,
        is_relevant: impl Fn(&str) -> bool,
    ) -> Negatives {
        let limit = self.limit(positive);
        let after = ranking
            .iter()
            .filter(|hit| !is_relevant(&hit.id))
            .skip(self.skip);
        let (fitting, high): (Vec<_>, Vec<_>) = after.partition(|hit| hit.score <= limit);
        let mut lots: Vec<_> = (fitting.iter().enumerate())
            .map(|(rank, hit)| (self.lot(query, &hit.id), rank))
            .collect();
        lots.sort_unstable();
        let mut ranks: Vec<_> = lots.into_iter().map(|(_, rank)| rank).collect();
        ranks.truncate(self.count);
        ranks.sort_unstable();
        Negatives {
            hits: ranks
                .into_iter()
                .map(|rank| fitting[rank].clone())
                .collect(),
            too_high: high.len(),
        }
    }

    /// Returns a document's place in the draw: a hash, so that other documents do not move it.
    fn lot(&self, query: &str, document: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        hash.update((query.len() as u64).to_le_bytes());
        hash.update(query);
        hash.update(document);
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: NegativeSettings = NegativeSettings {
        skip: 0,
        count: usize::MAX,
        max_score_share: None,
        seed: 1,
    };

    fn hit(id: &str, score: f32) -> Hit {
        let id = id.to_owned();
        Hit { id, score }
    }

    fn ids(negatives: &Negatives) -> Vec<&str> {
        negatives.hits.iter().map(|hit| &*hit.id).collect()
    }

    #[test]
    fn relevant_first_and_high_documents_stay_out() {
        let scores = [9.7, 9.6, 9.5, 9.4, 9.3, 1.0];
        let ranking: Vec<_> = ["p", "a", "b", "c", "d", "e"]
            .iter()
            .zip(scores)
            .map(|(id, score)| hit(id, score))
            .collect();
        let is_relevant = |id: &str| id == "p";
        let draw = |settings: NegativeSettings| settings.draw("q", &ranking, 9.7, is_relevant);
        assert_eq!(ids(&draw(ALL)), ["a", "b", "c", "d", "e"]);
        // The relevant document takes no rank: a is skipped, not p.
        assert_eq!(
            ids(&draw(NegativeSettings { skip: 1, ..ALL })),
            ["b", "c", "d", "e"]
        );
        // 0.97 of 9.7 is 9.409.
        let share = NegativeSettings {
            max_score_share: Some(0.97),
            ..ALL
        };
        let near = draw(share);
        assert_eq!((ids(&near), near.too_high), (vec!["c", "d", "e"], 2));
        // A relevant document far down the ranking leaves nothing that is surely worse.
        let low = share.draw("q", &ranking[1..], 1.0, is_relevant);
        assert_eq!((low.hits.len(), low.too_high), (0, 5));
    }

    #[test]
    fn the_limit_lies_below_the_positive_on_either_side_of_zero() {
        let settings = NegativeSettings {
            max_score_share: Some(0.75),
            ..ALL
        };
        assert_eq!(settings.limit(8.0), 6.0);
        assert_eq!(settings.limit(-8.0), -10.0);
        assert_eq!(ALL.limit(-8.0), f32::INFINITY);
    }

    #[test]
    fn every_document_is_drawn_as_often_as_others() {
        let ranking: Vec<_> = (0..10).map(|at| hit(&at.to_string(), 1.0)).collect();
        let settings = NegativeSettings { count: 3, ..ALL };
        let mut drawn = [0_u32; 10];
        for query in 0..2_000 {
            for hit in settings
                .draw(&query.to_string(), &ranking, 2.0, |_| false)
                .hits
            {
                drawn[hit.id.parse::<usize>().unwrap_or_default()] += 1;
            }
        }
        // Binomial with mean 600 and a standard deviation of 20.5: five of them.
        assert!(
            drawn.iter().all(|&count| count.abs_diff(600) < 103),
            "{drawn:?}"
        );
    }

    fn rankings() -> impl Strategy<Value = (Vec<Hit>, Vec<bool>, f32)> {
        let entries = proptest::collection::vec((-3.0_f32..3.0, any::<bool>()), 0..40);
        (entries, -3.0_f32..3.0).prop_map(|(mut entries, positive)| {
            entries.sort_by(|left, right| right.0.total_cmp(&left.0));
            let hits =
                (entries.iter().enumerate()).map(|(at, entry)| hit(&at.to_string(), entry.0));
            let relevant = entries.iter().map(|entry| entry.1).collect();
            (hits.collect(), relevant, positive)
        })
    }

    proptest! {
        #[test]
        fn what_is_drawn_obeys_the_settings(
            (ranking, relevant, positive) in rankings(),
            skip in 0_usize..6,
            count in 0_usize..12,
            share in proptest::option::of(0.5_f32..1.0),
            seed: u64,
        ) {
            let settings = NegativeSettings { skip, count, max_score_share: share, seed };
            let rank = |hit: &Hit| hit.id.parse::<usize>().unwrap_or(usize::MAX);
            let is_relevant = |id: &str| relevant[id.parse::<usize>().unwrap_or_default()];
            let drawn = settings.draw("q", &ranking, positive, is_relevant);
            let others: Vec<usize> = (0..ranking.len()).filter(|&at| !relevant[at]).collect();
            let allowed: Vec<usize> = others.iter().copied().skip(skip)
                .filter(|&at| ranking[at].score <= settings.limit(positive)).collect();
            // As many as asked for or as there are, each of the ranking, in its order.
            prop_assert_eq!(drawn.hits.len(), count.min(allowed.len()));
            prop_assert!(drawn.hits.iter().all(|hit| allowed.contains(&rank(hit)) && *hit == ranking[rank(hit)]));
            prop_assert!(drawn.hits.windows(2).all(|two| rank(&two[0]) < rank(&two[1])));
            prop_assert_eq!(drawn.too_high + allowed.len(), others.len().saturating_sub(skip));
            prop_assert_eq!(&drawn, &settings.draw("q", &ranking, positive, is_relevant));
            // Asking for one more adds to the draw and takes nothing away.
            let more = NegativeSettings { count: count + 1, ..settings };
            let more = more.draw("q", &ranking, positive, is_relevant);
            prop_assert!(drawn.hits.iter().all(|hit| more.hits.contains(hit)));
        }
    }
}
