//! The loop of any training: steps, batches, rates, readings and checkpoints.

use optical_encoder::Precision;
use serde::{Deserialize, Serialize};

use super::{SettingsError, count, positive, refuse};

/// How a training runs, whatever it trains: `training` below `[distill]` or `[teach]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSettings {
    /// Seed of the order of the pairs.
    pub seed: u64,
    /// Optimiser steps; none leaves a student of its own as it begins.
    pub steps: u64,
    /// Pairs or queries a step.
    pub batch_size: usize,
    /// Parts a batch is cut into; they go forward and backward side by side, each padded to a width
    /// of its own, and their gradients are summed. More than one is faster on a processor.
    pub parts: usize,
    /// Rounds that the pairs of a step are gone through in, one after the other: with more, less
    /// memory is taken at once. Terms that look at other sentences see those of their part alone.
    pub accumulation: usize,
    /// Whether the student drops in training what its checkpoint says (`hidden_dropout_prob` and the
    /// like).
    pub dropout: bool,
    /// In which numbers the student's products with weights are computed.
    pub precision: Precision,
    /// Whether what is cheap to compute again is not kept for the backward pass.
    pub gradient_checkpointing: bool,
    /// Steps between two checkpoints.
    pub checkpoint_every: u64,
    /// The optimiser and its schedule.
    pub optimiser: OptimiserSettings,
    /// What is measured on the way.
    pub instruments: InstrumentSettings,
    /// Whether the run ends with its best reading rather than its last; absent, it makes all steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping: Option<StoppingSettings>,
}

impl TrainingSettings {
    /// Returns what the loss is multiplied with before gradients are taken, and these are divided
    /// by: numbers of half precision reach less far down.
    pub(crate) fn loss_scale(&self) -> f64 {
        match self.precision {
            Precision::Single | Precision::Bfloat16 => 1.0,
            Precision::Half => 1024.0,
        }
    }

    /// Returns every value that is outside its domain; keys are named as below `table`.
    pub fn faults(&self, table: &str) -> Vec<SettingsError> {
        let key = |name: &str| format!("{table}.training.{name}");
        let optimiser = &self.optimiser;
        let mut faults = Vec::new();
        for (name, value) in [
            ("learning_rate", optimiser.learning_rate),
            (
                "vocabulary_learning_rate",
                optimiser.vocabulary_learning_rate,
            ),
            (
                "projection_learning_rate",
                optimiser.projection_learning_rate.unwrap_or(1.0),
            ),
            ("layer_decay", optimiser.layer_decay),
            ("epsilon", optimiser.epsilon.into()),
            ("clip_norm", optimiser.clip_norm),
        ] {
            faults.extend(positive(&key(&format!("optimiser.{name}")), value).err());
        }
        if 1.0 < optimiser.layer_decay && optimiser.layer_decay.is_finite() {
            let key = key("optimiser.layer_decay");
            faults.push(refuse(key, optimiser.layer_decay, "at most 1"));
        }
        for (name, value) in [
            ("beta_1", optimiser.beta_1),
            ("beta_2", optimiser.beta_2),
            ("weight_decay", optimiser.weight_decay),
        ] {
            if !(0.0..=1.0).contains(&value) {
                faults.push(refuse(key(&format!("optimiser.{name}")), value, "0 to 1"));
            }
        }
        for (name, value) in [
            ("steps", self.steps),
            ("batch_size", self.batch_size as u64),
            ("parts", self.parts as u64),
            ("accumulation", self.accumulation as u64),
            ("checkpoint_every", self.checkpoint_every),
            ("instruments.every", self.instruments.every),
            (
                "stopping.patience",
                self.stopping.as_ref().map_or(1, |it| it.patience),
            ),
        ] {
            faults.extend(count(&key(name), value).err());
        }
        if 0 < self.batch_size && self.batch_size < self.parts.saturating_mul(self.accumulation) {
            let expected = "at most batch_size over accumulation";
            faults.push(refuse(key("parts"), self.parts, expected));
        }
        faults
    }
}

/// How the rate falls after the warm-up, to zero after the last step or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// By the same amount each step.
    Linear,
    /// Along half a wave of the cosine (Loshchilov and Hutter 2017).
    Cosine,
    /// Not at all.
    Constant,
}

/// AdamW (Loshchilov and Hutter 2019) with warm-up and decay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimiserSettings {
    /// Peak learning rate of the transformer layers.
    pub learning_rate: f64,
    /// Peak learning rate of the word embedding, where a new language's vocabulary is learned.
    pub vocabulary_learning_rate: f64,
    /// Peak learning rate of what is trained after the encoder: the projection of a student of its own,
    /// or a teacher's head. Without the key, it is that of the layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projection_learning_rate: Option<f64>,
    /// What a layer's rate is of that of the layer above it (Howard and Ruder 2018, arXiv
    /// 1801.06146); 1 moves all alike. The vocabulary has its own rate.
    pub layer_decay: f64,
    /// Steps of linear warm-up.
    pub warm_up: u64,
    /// How the rate continues from there.
    pub decay: Decay,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// Decay of the mean of the gradient.
    pub beta_1: f32,
    /// Decay of the mean of the squared gradient.
    pub beta_2: f32,
    /// Added to the root of the mean squared gradient.
    pub epsilon: f32,
    /// Largest norm of the whole gradient; a longer one is scaled down to it.
    pub clip_norm: f64,
}

/// Early stopping: the student of the best reading ends the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoppingSettings {
    /// What a reading is judged by; more is better.
    pub metric: StoppingMetric,
    /// Readings without a new best after which the run stops.
    pub patience: u64,
}

/// What a reading is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoppingMetric {
    /// How far held-out sentences prefer their translations: the mean over languages of
    /// [`MateRetrieval::margin`](crate::instruments::MateRetrieval::margin).
    Mates,
    /// What the observer says of the student ([`Observer::judge`](crate::Observer::judge)): MAP on
    /// development queries.
    Development,
}

/// What tells a good run from a collapsing one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstrumentSettings {
    /// Steps between two readings.
    pub every: u64,
    /// Held-out pairs a language for mate retrieval.
    pub held_out: usize,
}
