//! Scoring passages as the teacher scores them: Translate-Distill (Yang et al. 2024, arXiv
//! 2401.04810) the other way round, with queries in other languages and passages in English. The
//! teacher reads the English sentence, the student its translation, and both score the same passages.

use burn::prelude::*;
use serde::{Deserialize, Serialize};

use super::scores::divergence;
use super::side::{Side, Tokens};
use crate::passages::PassageBatch;

/// `T² KL(softmax(teacher / T) ‖ softmax(student / T))` over the passages of each sentence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassageSettings {
    /// Factor of this term.
    pub weight: f64,
    /// What scores, in cosine per query token, are divided by.
    pub temperature: f64,
}

impl PassageSettings {
    /// Returns the mean divergence of the batch's sentences: `[1]`.
    pub fn loss(&self, target: &Side<'_>, input: &Side<'_>, passages: &PassageBatch) -> Tensor<1> {
        let scores =
            [target, input].map(|side| passages.scores(side.unit(), side.mask(Tokens::Kept)));
        divergence(scores, self.temperature)
    }
}
