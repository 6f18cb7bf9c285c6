//! What a distillation depends on; a run file states every value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::pairs::retention_group;

/// One distillation, as written under `[distill]` in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistillSettings {
    /// Seed of the order of the pairs.
    pub seed: u64,
    /// Optimiser steps.
    pub steps: u64,
    /// Sentence pairs a step.
    pub batch_size: usize,
    /// Parts a batch is cut into; they go forward and backward side by side, each padded to a width
    /// of its own, and their gradients are summed. More than one is faster on a processor.
    pub parts: usize,
    /// Pairs with a longer side, in tokens with markers, are left out.
    pub maximum_length: usize,
    /// Transformer layers of the student, from the bottom.
    pub layers: usize,
    /// So many of them, from the bottom, and the position embedding stay as the teacher has them.
    pub frozen_layers: usize,
    /// Whether the word embedding stays as the teacher has it.
    pub frozen_vocabulary: bool,
    /// Languages learned from bitext, each with its share of the pairs, relative to all shares.
    pub bitext: BTreeMap<String, f64>,
    /// Languages kept where the teacher puts them (`eng` included), each with its share.
    pub retention: BTreeMap<String, f64>,
    /// The objective and its plan.
    pub transport: TransportSettings,
    /// The optimiser and its schedule.
    pub optimiser: OptimiserSettings,
    /// The map behind the encoder.
    pub head: HeadSettings,
    /// What is measured on the way.
    pub instruments: InstrumentSettings,
    /// Steps between two checkpoints.
    pub checkpoint_every: u64,
    /// Weight of the trained student in the mean of its weights and the teacher's, which ends a run:
    /// 1 is the student as trained, less gives some of its gain for less forgetting (Wortsman et
    /// al. 2022, arXiv 2109.01903).
    pub student_weight: f64,
}

/// The optimal-transport objective `⟨P, C⟩`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransportSettings {
    /// Entropic regularisation of the plan, in units of cosine distance behind the head.
    pub epsilon: f64,
    /// Sinkhorn iterations, the same for every batch.
    pub iterations: usize,
}

/// AdamW (Loshchilov and Hutter 2019) with warm-up and linear decay to zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimiserSettings {
    /// Peak learning rate of the transformer layers.
    pub learning_rate: f64,
    /// Peak learning rate of the word embedding, where a new language's vocabulary is learned.
    pub vocabulary_learning_rate: f64,
    /// What a layer's rate is of that of the layer above it (Howard and Ruder 2018, arXiv
    /// 1801.06146); 1 moves all alike. The vocabulary has its own rate.
    pub layer_decay: f64,
    /// Steps of linear warm-up.
    pub warm_up: u64,
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

/// How the head is estimated from the teacher's own tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadSettings {
    /// Exponent of the partial whitening: 0 centres only, 1 whitens fully.
    pub exponent: f64,
    /// English bitext sentences to estimate from.
    pub sentences: usize,
    /// Documents to estimate from.
    pub documents: usize,
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

impl DistillSettings {
    /// The share of each group of pairs.
    pub fn shares(&self) -> BTreeMap<String, f64> {
        let retained = self
            .retention
            .iter()
            .map(|(l, &share)| (retention_group(l), share));
        self.bitext
            .iter()
            .map(|(l, &share)| (l.clone(), share))
            .chain(retained)
            .collect()
    }

    /// Checks every value against its domain.
    ///
    /// # Errors
    /// Names the first key whose value lies outside it.
    pub fn check(&self) -> Result<(), SettingsError> {
        let transport = &self.transport;
        let optimiser = &self.optimiser;
        let positive = [
            ("transport.epsilon", transport.epsilon),
            ("optimiser.learning_rate", optimiser.learning_rate),
            (
                "optimiser.vocabulary_learning_rate",
                optimiser.vocabulary_learning_rate,
            ),
            ("optimiser.layer_decay", optimiser.layer_decay),
            ("optimiser.epsilon", optimiser.epsilon.into()),
            ("optimiser.clip_norm", optimiser.clip_norm),
            ("student_weight", self.student_weight),
        ];
        for (key, value) in positive {
            if !(0.0 < value && value.is_finite()) {
                return Err(SettingsError {
                    key,
                    value: value.to_string(),
                    expected: "more than 0",
                });
            }
        }
        if 1.0 < optimiser.layer_decay {
            return Err(SettingsError {
                key: "optimiser.layer_decay",
                value: optimiser.layer_decay.to_string(),
                expected: "at most 1",
            });
        }
        if self.layers < self.frozen_layers
            || self.layers == self.frozen_layers && self.frozen_vocabulary
        {
            return Err(SettingsError {
                key: "frozen_layers",
                value: self.frozen_layers.to_string(),
                expected: "at most layers, and less with frozen_vocabulary",
            });
        }
        for share in self.bitext.values().chain(self.retention.values()) {
            if !(0.0 < *share && share.is_finite()) {
                let key = "bitext and retention";
                return Err(SettingsError {
                    key,
                    value: share.to_string(),
                    expected: "shares of more than 0",
                });
            }
        }
        if self.bitext.is_empty() {
            return Err(SettingsError {
                key: "bitext",
                value: "{}".into(),
                expected: "a language",
            });
        }
        let counts = [
            ("steps", self.steps),
            ("batch_size", self.batch_size as u64),
            ("parts", self.parts as u64),
            ("maximum_length", self.maximum_length as u64),
            ("layers", self.layers as u64),
            ("transport.iterations", transport.iterations as u64),
            ("instruments.every", self.instruments.every),
            ("checkpoint_every", self.checkpoint_every),
        ];
        for (key, value) in counts {
            if value == 0 {
                return Err(SettingsError {
                    key,
                    value: "0".into(),
                    expected: "at least 1",
                });
            }
        }
        if self.batch_size < self.parts {
            let value = self.parts.to_string();
            return Err(SettingsError {
                key: "parts",
                value,
                expected: "at most batch_size",
            });
        }
        let fractions = [
            ("student_weight", self.student_weight),
            ("head.exponent", self.head.exponent),
            ("optimiser.beta_1", optimiser.beta_1.into()),
            ("optimiser.beta_2", optimiser.beta_2.into()),
            ("optimiser.weight_decay", optimiser.weight_decay.into()),
        ];
        for (key, value) in fractions {
            if !(0.0..=1.0).contains(&value) {
                return Err(SettingsError {
                    key,
                    value: value.to_string(),
                    expected: "0 to 1",
                });
            }
        }
        Ok(())
    }
}

/// A value lies outside its domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("distill.{key} = {value}, expected {expected}")]
pub struct SettingsError {
    /// The key, below `distill`.
    pub key: &'static str,
    /// What the run file says.
    pub value: String,
    /// What it may say.
    pub expected: &'static str,
}
