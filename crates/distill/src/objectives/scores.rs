//! Scoring a batch's sentences as the teacher scores them: the divergence of Translate-Distill (Yang
//! et al. 2024, arXiv 2401.04810), with the batch's English sentences as passages and the teacher's
//! own late interaction as their score.

use burn::prelude::*;
use burn::tensor::activation::log_softmax;
use serde::{Deserialize, Serialize};

use super::contrast::mean_scores;
use super::side::Side;

/// `T² KL(softmax(teacher / T) ‖ softmax(student / T))` over the sentences of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreSettings {
    /// Factor of this term.
    pub weight: f64,
    /// What scores, in cosine a query token, are divided by.
    pub temperature: f64,
}

impl ScoreSettings {
    /// Mean divergence of the batch's rows: `[1]`.
    pub fn loss(&self, target: &Side<'_>, input: &Side<'_>) -> Tensor<1> {
        let [teacher, student] = [target, input]
            .map(|side| log_softmax(mean_scores(side, target).div_scalar(self.temperature), 1));
        let [texts, _] = teacher.dims();
        let divergence = (teacher.clone().exp() * (teacher - student)).sum();
        divergence * (self.temperature * self.temperature / texts as f64)
    }
}
