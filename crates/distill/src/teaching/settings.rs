//! What the training of a teacher depends on; a run file states every value.

use optical_encoder::Model;
use optical_tokenize::Role;
use serde::{Deserialize, Serialize};

use crate::settings::{
    SettingsError, TrainingSettings, count, first, frozen, positive, refuse, within,
};

/// One training, as written under `[teach]` in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeachSettings {
    /// The loop: steps, batches, rates, readings, checkpoints. A batch is of queries.
    pub training: TrainingSettings,
    /// Transformer layers, from the bottom.
    pub layers: usize,
    /// The number of them, from the bottom, that stay as they are, with the position embedding.
    pub frozen_layers: usize,
    /// Whether the word embedding stays as it is.
    pub frozen_vocabulary: bool,
    /// Tokens a query may have; the rest is cut.
    pub query_length: usize,
    /// Tokens a document may have; the rest is cut.
    pub document_length: usize,
    /// Documents of a query in a step: the relevant one, and others drawn anew each time. A query
    /// with fewer is filled up with documents of other queries.
    pub candidates: usize,
    /// Whether the documents of a part's other queries are wrong answers too.
    pub in_batch: bool,
    /// Dimensions of the projection, which begins with the head's first ones and is trained; with
    /// none, the head stays as it is.
    pub dimensions: usize,
    /// What late-interaction scores, summed over a query's tokens, are divided by.
    pub temperature: f64,
    /// What the teacher is trained by.
    pub objectives: RankingObjectives,
}

/// Weights of the terms of the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankingObjectives {
    /// Of the cross-entropy of finding the relevant document.
    pub relevance: f64,
    /// Of the divergence from the scores that the data bring, by softmax over a query's candidates
    /// (Santhanam et al. 2022). Queries without enough of them are left out where this has weight.
    pub scores: f64,
}

impl TeachSettings {
    /// Returns every value that is outside its domain.
    #[must_use]
    pub fn faults(&self) -> Vec<SettingsError> {
        let key = |name: &str| format!("teach.{name}");
        let mut faults = self.training.faults("teach");
        for (name, value) in [
            ("layers", self.layers),
            ("query_length", self.query_length),
            ("document_length", self.document_length),
            ("candidates", self.candidates),
        ] {
            faults.extend(count(&key(name), value as u64).err());
        }
        faults.extend(positive(&key("temperature"), self.temperature).err());
        let RankingObjectives { relevance, scores } = self.objectives;
        for (name, weight) in [("relevance", relevance), ("scores", scores)] {
            if !(0.0..f64::INFINITY).contains(&weight) {
                let key = key(&format!("objectives.{name}"));
                faults.push(refuse(key, weight, "at least 0"));
            }
        }
        if relevance + scores == 0.0 {
            let expected = "a weight of more than 0";
            faults.push(refuse(key("objectives"), "0 and 0", expected));
        }
        if self.candidates == 1 && !self.in_batch {
            faults.push(refuse(key("candidates"), 1, "more, or in_batch = true"));
        }
        let (layers, frozen_layers) = (self.layers, self.frozen_layers);
        let frozen_key = key("frozen_layers");
        let frozen = frozen(frozen_key, layers, frozen_layers, self.frozen_vocabulary);
        faults.extend(frozen.err());
        faults
    }

    /// Checks every value against its domain.
    ///
    /// # Errors
    /// Names the first key whose value is outside it.
    pub fn check(&self) -> Result<(), SettingsError> {
        first(self.faults())
    }

    /// Checks that `model`, with its head, has as many layers, positions and dimensions as are asked for;
    /// a model without a head gets one as wide as its states.
    ///
    /// # Errors
    /// Names the first key that asks for more.
    pub fn check_model(&self, model: &Model) -> Result<(), SettingsError> {
        let (layers, length) = (
            model.config.num_hidden_layers,
            model.config.maximum_length(),
        );
        within("teach.layers", self.layers, layers, "layers")?;
        within("teach.query_length", self.query_length, length, "positions")?;
        within(
            "teach.document_length",
            self.document_length,
            length,
            "positions",
        )?;
        within(
            "teach.dimensions",
            self.dimensions,
            model.dimensions(),
            "dimensions",
        )
    }

    /// Returns tokens a text may have.
    pub fn length(&self, role: Role) -> usize {
        match role {
            Role::Query => self.query_length,
            Role::Document => self.document_length,
        }
    }
}
