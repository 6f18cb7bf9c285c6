//! Losses on late-interaction scores of queries with documents.

use burn::prelude::*;
use burn::tensor::activation::log_softmax;

use super::TeachSettings;
use super::order::RankingBatch;
use crate::objectives::Loss;

/// Hides a score from a softmax.
const HIDDEN: f32 = -1e9;

/// Scores of a part's queries with all its documents.
pub(super) struct Scored<'a> {
    /// `[queries, queries * candidates]`, divided by the temperature.
    pub(super) scores: Tensor<2>,
    /// Documents of a query.
    pub(super) candidates: usize,
    pub(super) batch: &'a RankingBatch,
}

impl Scored<'_> {
    /// Returns the terms, each with its weight in it.
    pub(super) fn loss(&self, settings: &TeachSettings) -> Loss {
        let weights = &settings.objectives;
        let mut terms = Vec::new();
        if 0.0 < weights.relevance {
            let scores = if settings.in_batch {
                self.scores.clone() + self.constant(self.hidden())
            } else {
                self.own()
            };
            let column = |row: usize| {
                if settings.in_batch {
                    row * self.candidates
                } else {
                    0
                }
            };
            let relevance = relevance(scores, column).mul_scalar(weights.relevance);
            terms.push(("relevance", relevance));
        }
        if 0.0 < weights.scores {
            terms.push(("scores", self.divergence().mul_scalar(weights.scores)));
        }
        Loss {
            terms,
            partners: None,
        }
    }

    /// Scores of each query with its own candidates: `[queries, candidates]`.
    fn own(&self) -> Tensor<2> {
        let queries = self.batch.queries.rows;
        let columns = (0..queries * self.candidates)
            .map(|place| (place / self.candidates * queries * self.candidates + place) as i64);
        let columns = TensorData::new(columns.collect::<Vec<_>>(), [queries * self.candidates]);
        let columns = Tensor::<1, Int>::from_data(columns, &self.scores.device());
        let flat: Tensor<1> = self.scores.clone().flatten(0, 1);
        flat.select(0, columns).reshape([queries, self.candidates])
    }

    /// Returns `KL(softmax(given) ‖ softmax(scores))` over each query's candidates, in the mean.
    fn divergence(&self) -> Tensor<1> {
        let queries = self.batch.queries.rows;
        let given = TensorData::new(self.batch.scores.clone(), [queries, self.candidates]);
        let given = log_softmax(Tensor::<2>::from_data(given, &self.scores.device()), 1);
        let found = log_softmax(self.own(), 1);
        (given.clone().exp() * (given - found)).sum() / queries as f64
    }

    /// Hides what is not a wrong answer: other occurrences of a query's relevant document.
    fn hidden(&self) -> Vec<f32> {
        let documents = &self.batch.documents;
        let text = |row: usize| &documents.ids[row * documents.width..][..documents.width];
        let queries = 0..self.batch.queries.rows;
        queries
            .flat_map(|query| {
                let own = query * self.candidates;
                (0..documents.rows).map(move |row| {
                    if row != own && text(row) == text(own) {
                        HIDDEN
                    } else {
                        0.0
                    }
                })
            })
            .collect()
    }

    fn constant(&self, values: Vec<f32>) -> Tensor<2> {
        Tensor::from_data(
            TensorData::new(values, self.scores.dims()),
            &self.scores.device(),
        )
    }
}

/// Returns the mean cross-entropy of each row's `column`: `[1]`.
fn relevance(scores: Tensor<2>, column: impl Fn(usize) -> usize) -> Tensor<1> {
    let [rows, width] = scores.dims();
    let device = scores.device();
    let mut right = vec![0.0_f32; rows * width];
    for row in 0..rows {
        right[row * width + column(row)] = 1.0;
    }
    let right = Tensor::<2>::from_data(TensorData::new(right, [rows, width]), &device);
    (log_softmax(scores, 1) * right).sum().neg() / rows as f64
}

#[cfg(test)]
mod tests {
    use optical_tokenize::{TokenBatch, TokenSequence};

    use super::super::RankingObjectives;
    use super::super::tests::settings;
    use super::*;
    use crate::scalars::scalars;

    fn batch(documents: [u32; 4], scores: Vec<f32>) -> RankingBatch {
        let text = |id: u32| TokenSequence::plain(vec![id]);
        RankingBatch {
            queries: TokenBatch::pad(&[text(1), text(2)], 0),
            documents: TokenBatch::pad(&documents.map(text), 0),
            scores,
        }
    }

    const SCORES: [[f32; 4]; 2] = [[2.0, 1.0, 0.0, 1.5], [0.5, 0.0, 1.0, 3.0]];

    fn loss(batch: &RankingBatch, settings: &TeachSettings) -> f64 {
        let scored = Scored {
            scores: Tensor::from_floats(SCORES, &Device::flex()),
            candidates: 2,
            batch,
        };
        scalars(scored.loss(settings).value()).unwrap()[0]
    }

    fn entropy(right: f64, others: &[f64]) -> f64 {
        let sum: f64 = others.iter().map(|other| (other - right).exp()).sum();
        (1.0 + sum).ln()
    }

    #[test]
    fn losses_are_those_of_the_formulas() {
        let mut settings = settings();
        settings.in_batch = false;
        let distinct = batch([5, 6, 7, 8], vec![3.0, 1.0, 0.0, 0.0]);
        let expected = (entropy(2.0, &[1.0]) + entropy(1.0, &[3.0])) / 2.0;
        assert!((loss(&distinct, &settings) - expected).abs() < 1e-6);

        settings.in_batch = true;
        let expected = (entropy(2.0, &[1.0, 0.0, 1.5]) + entropy(1.0, &[0.5, 0.0, 3.0])) / 2.0;
        assert!((loss(&distinct, &settings) - expected).abs() < 1e-6);
        // The relevant document of the first query is among the second's too.
        let shared = batch([5, 6, 7, 5], Vec::new());
        let expected = (entropy(2.0, &[1.0, 0.0]) + entropy(1.0, &[0.5, 0.0, 3.0])) / 2.0;
        assert!((loss(&shared, &settings) - expected).abs() < 1e-6);

        settings.objectives = RankingObjectives {
            relevance: 0.0,
            scores: 1.0,
        };
        let divergence = |given: [f64; 2], found: [f64; 2]| -> f64 {
            let share = |both: [f64; 2]| 1.0 / (1.0 + (both[1] - both[0]).exp());
            let (p, q) = (share(given), share(found));
            p * (p / q).ln() + (1.0 - p) * ((1.0 - p) / (1.0 - q)).ln()
        };
        let expected = divergence([3.0, 1.0], [2.0, 1.0]) + divergence([0.0, 0.0], [1.0, 3.0]);
        assert!((loss(&distinct, &settings) - expected / 2.0).abs() < 1e-6);
    }
}
