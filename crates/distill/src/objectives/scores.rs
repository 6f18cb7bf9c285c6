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
    /// What scores, in cosine per query token, are divided by.
    pub temperature: f64,
}

impl ScoreSettings {
    /// Returns the mean divergence of the batch's rows: `[1]`.
    pub fn loss(&self, target: &Side<'_>, input: &Side<'_>) -> Tensor<1> {
        let scores = [target, input].map(|side| mean_scores(side, target));
        divergence(scores, self.temperature)
    }
}

/// Returns `T² KL(softmax(teacher / T) ‖ softmax(student / T))` of two matrices of scores, in the
/// mean over their rows: `[1]`.
pub(super) fn divergence(scores: [Tensor<2>; 2], temperature: f64) -> Tensor<1> {
    let [teacher, student] = scores.map(|scores| log_softmax(scores.div_scalar(temperature), 1));
    let [rows, _] = teacher.dims();
    let divergence = (teacher.clone().exp() * (teacher - student)).sum();
    divergence * (temperature * temperature / rows as f64)
}
