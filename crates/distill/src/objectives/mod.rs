//! What a student is trained by: terms on the same batch of pairs, added up by their weights.
//!
//! [`alignment`] pairs tokens with tokens, [`sentence`] whole sentences with sentences, and
//! [`contrast`] and [`scores`] look at how a batch's sentences find each other, [`passages`] at how they
//! find passages.

pub mod alignment;
pub mod contrast;
pub mod passages;
pub mod plan;
pub mod scores;
pub mod sentence;
mod side;
#[cfg(test)]
mod tests;

use burn::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::alignment::AlignmentSettings;
pub use self::contrast::ContrastSettings;
pub use self::passages::PassageSettings;
pub use self::scores::ScoreSettings;
pub use self::sentence::SentenceSettings;
pub use self::side::{Marginals, PieceCounts, PieceWeights, Side, Space, Tokens};
use crate::error::DistillError;
use crate::passages::PassageBatch;
use crate::settings::{SettingsError, positive, refuse};

/// The terms of a run, below `[distill.objectives]`; at least one of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objectives {
    /// Tokens go where their partners are; OPTICAL, with a plan of least transport cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignment: Option<AlignmentSettings>,
    /// Sentence vectors go where the teacher's are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence: Option<SentenceSettings>,
    /// Translations are told from a batch's other sentences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contrast: Option<ContrastSettings>,
    /// A batch's sentences are scored as the teacher scores them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scores: Option<ScoreSettings>,
    /// Passages are scored as the teacher scores them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passages: Option<PassageSettings>,
}

/// What the terms may ask for beside a batch.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// Steps made so far.
    pub step: u64,
    /// Weights of the teacher's and of the student's pieces, if [`Objectives::needs_weights`].
    pub weights: Option<&'a [PieceWeights; 2]>,
    /// The passages of the batch's sentences, if the objectives have [`Objectives::passages`].
    pub passages: Option<&'a PassageBatch>,
}

/// A loss, with what its alignment tells about itself.
#[derive(Debug)]
pub struct Loss {
    /// Its terms by name, each with its weight in it and differentiable in what is trained: `[1]`.
    pub terms: Vec<(&'static str, Tensor<1>)>,
    /// Student tokens that a teacher token is spread over, where there is an alignment: `[1]`.
    pub partners: Option<Tensor<1>>,
}

impl Loss {
    /// Returns the sum of the terms: `[1]`.
    ///
    /// # Panics
    /// If there is none, which settings are checked for.
    pub fn value(&self) -> Tensor<1> {
        let terms = self.terms.iter().map(|(_, term)| term.clone());
        terms
            .reduce(|sum, term| sum + term)
            .expect("settings are checked to have an objective")
    }
}

impl Objectives {
    /// Returns the loss of a batch; `target` is the teacher's and constant, `input` the student's.
    ///
    /// # Errors
    /// If a solver refuses a problem, which happens with costs that are not numbers.
    pub fn loss(
        &self,
        target: &Side<'_>,
        input: &Side<'_>,
        moment: Moment<'_>,
    ) -> Result<Loss, DistillError> {
        let mut terms = Vec::new();
        let mut partners = None;
        if let Some(settings) = &self.alignment {
            let aligned = settings.align(target, input, moment)?;
            terms.push(("alignment", settings.weight, aligned.loss));
            partners = Some(aligned.partners);
        }
        if let Some(settings) = &self.sentence {
            terms.push(("sentence", settings.weight, settings.loss(target, input)));
        }
        if let Some(settings) = &self.contrast {
            terms.push(("contrast", settings.weight, settings.loss(target, input)));
        }
        if let Some(settings) = &self.scores {
            terms.push(("scores", settings.weight, settings.loss(target, input)));
        }
        if let (Some(settings), Some(passages)) = (&self.passages, moment.passages) {
            let loss = settings.loss(target, input, passages);
            terms.push(("passages", settings.weight, loss));
        }
        let terms = terms.into_iter();
        Ok(Loss {
            terms: terms
                .map(|(name, weight, loss)| (name, loss.mul_scalar(weight)))
                .collect(),
            partners,
        })
    }

    /// Says whether a term weighs tokens by how rare their pieces are.
    pub fn needs_weights(&self) -> bool {
        self.marginals() == Some(Marginals::Idf)
    }

    /// Says whether a term weighs tokens by the attention they get.
    pub fn needs_attention(&self) -> bool {
        self.marginals() == Some(Marginals::Attention)
    }

    fn marginals(&self) -> Option<Marginals> {
        self.alignment.as_ref().map(|alignment| alignment.marginals)
    }

    /// Returns every value that is outside its domain; keys are named as in the table `table`.
    pub fn faults(&self, table: &str) -> Vec<SettingsError> {
        if *self == Self::default() {
            let expected = "alignment, sentence, contrast, scores or passages";
            return vec![refuse(table.into(), "{}", expected)];
        }
        let alignment = self.alignment.as_ref();
        let alignment = alignment.map(|alignment| alignment.faults(&format!("{table}.alignment")));
        let mut faults = alignment.unwrap_or_default();
        let weights = [
            ("alignment", self.alignment.as_ref().map(|it| it.weight)),
            ("sentence", self.sentence.as_ref().map(|it| it.weight)),
            ("contrast", self.contrast.as_ref().map(|it| it.weight)),
            ("scores", self.scores.as_ref().map(|it| it.weight)),
            ("passages", self.passages.as_ref().map(|it| it.weight)),
        ];
        let temperatures = [
            ("contrast", self.contrast.as_ref().map(|it| it.temperature)),
            ("scores", self.scores.as_ref().map(|it| it.temperature)),
            ("passages", self.passages.as_ref().map(|it| it.temperature)),
        ];
        let named = |what: &'static str| {
            move |(term, value): (&str, Option<f64>)| {
                positive(&format!("{table}.{term}.{what}"), value?).err()
            }
        };
        faults.extend(weights.into_iter().filter_map(named("weight")));
        faults.extend(temperatures.into_iter().filter_map(named("temperature")));
        faults
    }
}
