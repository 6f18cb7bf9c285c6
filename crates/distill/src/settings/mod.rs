//! What a distillation depends on; a run file states every value.

mod error;
mod training;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::objectives::Objectives;
use crate::pairs::retention_group;

pub use self::error::SettingsError;
pub(crate) use self::error::{count, positive, refuse};
pub use self::training::{
    Decay, InstrumentSettings, Numbers, OptimiserSettings, StoppingMetric, StoppingSettings,
    TrainingSettings,
};

/// One distillation, as written under `[distill]` in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistillSettings {
    /// The loop: steps, batches, rates, readings, checkpoints.
    pub training: TrainingSettings,
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
    /// What the student is trained by.
    pub objectives: Objectives,
    /// The map behind the encoder.
    pub head: HeadSettings,
    /// Weight of the trained student in the mean of its weights and the teacher's, which ends a run:
    /// 1 is the student as trained, less gives some of its gain for less forgetting (Wortsman et
    /// al. 2022, arXiv 2109.01903).
    pub student_weight: f64,
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
        let key = |name: &str| format!("distill.{name}");
        self.training.check("distill")?;
        self.objectives.check()?;
        count(&key("maximum_length"), self.maximum_length as u64)?;
        count(&key("layers"), self.layers as u64)?;
        positive(&key("student_weight"), self.student_weight)?;
        if self.layers < self.frozen_layers
            || self.layers == self.frozen_layers && self.frozen_vocabulary
        {
            return Err(refuse(
                key("frozen_layers"),
                self.frozen_layers,
                "at most layers, and less with frozen_vocabulary",
            ));
        }
        for (language, share) in self.bitext.iter().chain(&self.retention) {
            positive(&key(&format!("bitext and retention: {language}")), *share)?;
        }
        if self.bitext.is_empty() {
            return Err(refuse(key("bitext"), "{}", "a language"));
        }
        for (name, value) in [
            ("student_weight", self.student_weight),
            ("head.exponent", self.head.exponent),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return Err(refuse(key(name), value, "0 to 1"));
            }
        }
        Ok(())
    }
}
