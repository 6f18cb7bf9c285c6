//! Sentence vectors by squared distance (Reimers and Gurevych 2020, arXiv 2004.09813): the usual way
//! to make a sentence encoder speak another language, and what token alignment is compared with.

use burn::prelude::*;
use serde::{Deserialize, Serialize};

use super::side::{Side, Tokens};

/// The mean squared distance between sentence vectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentenceSettings {
    /// Factor of this term.
    pub weight: f64,
    /// What stands for a sentence.
    pub pool: Pool,
}

/// One vector for a sentence, from the encoder's own states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// The mean of all tokens, special ones included.
    Mean,
    /// The first token.
    Cls,
}

impl SentenceSettings {
    /// Returns the mean over texts and dimensions of the squared difference: `[1]`.
    pub fn loss(&self, target: &Side<'_>, input: &Side<'_>) -> Tensor<1> {
        let [target, input] = [target, input].map(|side| self.pool.vectors(side));
        (input - target).square().mean()
    }
}

impl Pool {
    /// Returns a vector for each text: `[texts, hidden]`.
    fn vectors(self, side: &Side<'_>) -> Tensor<2> {
        let [texts, width, hidden] = side.states.dims();
        match self {
            Self::Cls => side
                .states
                .clone()
                .slice([0..texts, 0..1, 0..hidden])
                .reshape([texts, hidden]),
            Self::Mean => {
                let mask = side.mask(Tokens::Special);
                let share = (mask.clone() / mask.sum_dim(1)).reshape([texts, width, 1]);
                (side.states.clone() * share)
                    .sum_dim(1)
                    .reshape([texts, hidden])
            }
        }
    }
}
