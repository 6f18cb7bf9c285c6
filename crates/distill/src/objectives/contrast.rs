//! Telling a translation from the other sentences of a batch: cross-entropy over late-interaction
//! scores, as in contrastive training on bitext.

use burn::prelude::*;
use burn::tensor::activation::log_softmax;
use serde::{Deserialize, Serialize};

use super::side::{Side, Tokens};
use crate::late_interaction;

/// Cross-entropy of finding one's translation in the batch (van den Oord et al. 2018).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContrastSettings {
    /// Factor of this term.
    pub weight: f64,
    /// What scores, in cosine per query token, are divided by.
    pub temperature: f64,
}

impl ContrastSettings {
    /// Returns the mean cross-entropy of the batch: `[1]`.
    pub fn loss(&self, target: &Side<'_>, input: &Side<'_>) -> Tensor<1> {
        let scores = mean_scores(input, target).div_scalar(self.temperature);
        let log_shares = log_softmax(scores + twins(target), 1);
        let [texts, _] = log_shares.dims();
        let own = Tensor::<2>::eye(texts, &target.states.device().without_autodiff());
        (log_shares * own).sum().neg() / texts as f64
    }
}

/// Returns late-interaction scores of all `queries` with all `documents`, in cosine per query
/// token: `[texts, texts]`.
pub(super) fn mean_scores(queries: &Side<'_>, documents: &Side<'_>) -> Tensor<2> {
    let kept = queries.mask(Tokens::Kept);
    let count = kept.clone().sum_dim(1);
    let scores = late_interaction::scores(
        queries.unit(),
        kept,
        documents.unit(),
        documents.mask(Tokens::Kept),
    );
    scores / count
}

/// Hides the other occurrences of a sentence that is in the batch several times: they are not wrong
/// answers. `[texts, texts]`
fn twins(side: &Side<'_>) -> Tensor<2> {
    let batch = side.tokens;
    let text = |row: usize| &batch.ids[row * batch.width..][..batch.width];
    let places = (0..batch.rows * batch.rows).map(|place| (place / batch.rows, place % batch.rows));
    let hidden = places.map(|(row, column)| {
        if row != column && text(row) == text(column) {
            -1e9
        } else {
            0.0_f32
        }
    });
    let hidden = TensorData::new(hidden.collect(), [batch.rows, batch.rows]);
    Tensor::from_data(hidden, &side.states.device().without_autodiff())
}
