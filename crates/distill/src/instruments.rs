//! What tells a good run from a collapsing one; a falling loss does not.
//!
//! When the plan is flat, the loss is least where all student tokens of a sentence become one
//! vector. Then the within-sentence cosine rises far above the teacher's while mate retrieval falls.

use std::collections::BTreeMap;

use burn::prelude::*;
use optical_encoder::{DeviceHead, Model};
use optical_tokenize::TokenBatch;
use serde::{Deserialize, Serialize};

use crate::error::DistillError;
use crate::late_interaction;
use crate::pairs::TrainingPair;
use crate::scalars::scalars;

/// One reading of the instruments on held-out bitext.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Mean cosine between different student tokens of one foreign sentence.
    pub within_sentence_cosine: f64,
    /// The same of the teacher's tokens of the English sentence: what the first should stay near.
    pub teacher_within_sentence_cosine: f64,
    /// How each language's held-out sentences find their translations.
    pub mates: BTreeMap<String, MateRetrieval>,
}

/// Held-out sentences of one language as queries for their own English translations.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MateRetrieval {
    /// Mean reciprocal rank of the translation among all held-out ones; ties count against it.
    pub reciprocal_rank: f64,
    /// Mean lead of the translation's score over the best other one's, in cosine per query token.
    /// It still moves where every translation is first, and goes to zero where tokens become one.
    pub margin: f64,
}

/// Held-out pairs with the teacher's vectors of their English side, computed once.
#[derive(Debug)]
pub struct Instruments {
    languages: BTreeMap<String, HeldOut>,
}

#[derive(Debug)]
struct HeldOut {
    input: TokenBatch,
    target: Encoded,
}

/// Vectors of texts with a mask of what is kept.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// `[texts, width, d]`
    vectors: Tensor<3>,
    /// `[texts, width]`, one where kept and zero elsewhere.
    kept: Tensor<2>,
}

impl Encoded {
    pub(crate) fn new(
        model: &Model,
        head: &DeviceHead,
        batch: &TokenBatch,
        device: &Device,
    ) -> Self {
        let kept: Vec<f32> = batch
            .kept
            .iter()
            .map(|&kept| f32::from(u8::from(kept)))
            .collect();
        let kept = TensorData::new(kept, [batch.rows, batch.width]);
        Self {
            vectors: head.forward(model.states(batch, device)),
            kept: Tensor::from_data(kept, device),
        }
    }

    /// Returns the mean cosine over all pairs of different kept tokens of one text.
    pub(crate) fn within_sentence_cosine(&self) -> Result<f64, DistillError> {
        let kept = self.kept.clone().unsqueeze_dim::<3>(2);
        let sum = (self.vectors.clone() * kept.clone()).sum_dim(1);
        // For unit vectors, the squared length of the sum is n + the sum over different pairs.
        let count = kept.sum_dim(1);
        let pairs = count.clone() * count.clone().sub_scalar(1.0);
        let cosines = sum.square().sum_dim(2) - count;
        let per_text = scalars(cosines)?.into_iter().zip(scalars(pairs)?);
        let means: Vec<f64> = per_text
            .filter(|(_, pairs)| 0.5 < *pairs)
            .map(|(sum, pairs)| sum / pairs)
            .collect();
        Ok(means.iter().sum::<f64>() / means.len().max(1) as f64)
    }

    /// Returns how each text finds the document of its own place.
    pub(crate) fn mates(&self, documents: &Self) -> Result<MateRetrieval, DistillError> {
        let scores = scalars(self.late_interaction(documents))?;
        let tokens = scalars(self.kept.clone().sum_dim(1))?;
        Ok(mate_retrieval(&scores, &tokens))
    }

    /// Returns the MaxSim of every text of `self`, as query, with every text of `documents`:
    /// `[texts, texts]`.
    fn late_interaction(&self, documents: &Self) -> Tensor<2> {
        late_interaction::scores(
            self.vectors.clone(),
            self.kept.clone(),
            documents.vectors.clone(),
            documents.kept.clone(),
        )
    }
}

impl Instruments {
    /// Encodes the English side of `pairs` with the teacher.
    pub fn new(
        teacher: &Model,
        head: &DeviceHead,
        pairs: &[TrainingPair],
        padding: [u32; 2],
        device: &Device,
    ) -> Self {
        let mut by_language: BTreeMap<String, (Vec<_>, Vec<_>)> = BTreeMap::new();
        for pair in pairs {
            let (targets, inputs) = by_language.entry(pair.group.clone()).or_default();
            targets.push(pair.target.clone());
            inputs.push(pair.input.clone());
        }
        let languages = by_language
            .into_iter()
            .map(|(language, (targets, inputs))| {
                let target = TokenBatch::pad(&targets, padding[0]);
                let target = Encoded::new(teacher, head, &target, device);
                (
                    language,
                    HeldOut {
                        input: TokenBatch::pad(&inputs, padding[1]),
                        target,
                    },
                )
            })
            .collect();
        Self { languages }
    }

    /// Reads the instruments; `student` is on the plain device.
    ///
    /// # Errors
    /// If the device fails.
    pub fn read(
        &self,
        student: &Model,
        head: &DeviceHead,
        device: &Device,
    ) -> Result<Reading, DistillError> {
        let mut reading = Reading {
            within_sentence_cosine: 0.0,
            teacher_within_sentence_cosine: 0.0,
            mates: BTreeMap::new(),
        };
        for (language, held_out) in &self.languages {
            let input = Encoded::new(student, head, &held_out.input, device);
            let share = 1.0 / self.languages.len() as f64;
            reading.within_sentence_cosine += share * input.within_sentence_cosine()?;
            reading.teacher_within_sentence_cosine +=
                share * held_out.target.within_sentence_cosine()?;
            let mates = input.mates(&held_out.target)?;
            reading.mates.insert(language.clone(), mates);
        }
        Ok(reading)
    }
}

/// Returns the rank and lead of the diagonal of a row-major `[texts, texts]` matrix whose rows'
/// texts have `tokens` kept tokens.
fn mate_retrieval(scores: &[f64], tokens: &[f64]) -> MateRetrieval {
    let texts = tokens.len().max(1);
    let mut mates = MateRetrieval {
        reciprocal_rank: 0.0,
        margin: 0.0,
    };
    for (row, (scores, tokens)) in scores.chunks_exact(texts).zip(tokens).enumerate() {
        let mate = scores[row];
        let at_least = scores.iter().filter(|&&score| mate <= score).count();
        let others = scores[..row].iter().chain(&scores[row + 1..]);
        let best_other = others.copied().fold(f64::NEG_INFINITY, f64::max);
        mates.reciprocal_rank += 1.0 / at_least.max(1) as f64;
        if best_other.is_finite() {
            mates.margin += (mate - best_other) / tokens.max(1.0);
        }
    }
    mates.reciprocal_rank /= texts as f64;
    mates.margin /= texts as f64;
    mates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(vectors: [[[f32; 2]; 2]; 2], kept: [[f32; 2]; 2]) -> Encoded {
        let device = Device::flex();
        Encoded {
            vectors: Tensor::from_floats(vectors, &device),
            kept: Tensor::from_floats(kept, &device),
        }
    }

    #[test]
    fn padding_enters_neither_cosine_nor_score() {
        let x = [1.0, 0.0];
        let y = [0.0, 1.0];
        let texts = encoded([[x, [0.6, 0.8]], [y, x]], [[1.0, 1.0], [1.0, 0.0]]);
        assert!((texts.within_sentence_cosine().unwrap() - 0.6).abs() < 1e-6);
        let scores = scalars(texts.late_interaction(&texts)).unwrap();
        let expected = [2.0, 0.8, 0.8, 1.0];
        assert!(
            scores
                .iter()
                .zip(expected)
                .all(|(s, e)| (s - e).abs() < 1e-6),
            "{scores:?}"
        );
    }

    #[test]
    fn a_collapsed_encoder_is_ranked_last_and_leads_by_nothing() {
        let mates = mate_retrieval(&[1.0; 9], &[2.0; 3]);
        assert_eq!((mates.reciprocal_rank, mates.margin), (1.0 / 3.0, 0.0));
    }

    #[test]
    fn the_lead_of_a_translation_is_counted_by_the_token() {
        let mates = mate_retrieval(&[2.0, 1.0, 1.0, 2.0], &[4.0, 2.0]);
        assert_eq!((mates.reciprocal_rank, mates.margin), (1.0, 0.375));
        let mates = mate_retrieval(&[2.0, 1.0, 3.0, 2.0], &[1.0, 1.0]);
        assert_eq!((mates.reciprocal_rank, mates.margin), (0.75, 0.0));
        let alone = mate_retrieval(&[2.0], &[1.0]);
        assert_eq!((alone.reciprocal_rank, alone.margin), (1.0, 0.0));
    }
}
