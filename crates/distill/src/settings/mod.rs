//! What a distillation depends on; a run file states every value.

mod error;
mod training;

use std::collections::BTreeMap;

use optical_encoder::EncoderConfig;
use serde::{Deserialize, Serialize};

use crate::objectives::Objectives;
use crate::pairs::{retention_group, switched_group};

pub use self::error::SettingsError;
pub(crate) use self::error::{count, first, frozen, positive, refuse, within};
pub use self::training::{
    Decay, InstrumentSettings, OptimiserSettings, StoppingMetric, StoppingSettings,
    TrainingSettings,
};

/// One distillation, as written under `[distill]` in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistillSettings {
    /// The loop: steps, batches, rates, readings, checkpoints.
    pub training: TrainingSettings,
    /// How often the teacher reads a training sentence; without the key, in every step that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher_reads: Option<TeacherReads>,
    /// Pairs with a longer side, in tokens with markers, are left out.
    pub maximum_length: usize,
    /// Transformer layers of a student that begins as the teacher's copy, from the bottom; a student of
    /// its own has those it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// The number of them, from the bottom, that stay as the teacher has them, with the position
    /// embedding.
    pub frozen_layers: usize,
    /// Whether the word embedding stays as the teacher has it.
    pub frozen_vocabulary: bool,
    /// Languages learned from bitext, each with its share of the pairs, relative to all shares.
    pub bitext: BTreeMap<String, f64>,
    /// Languages kept where the teacher puts them (`eng` included), each with its share.
    pub retention: BTreeMap<String, f64>,
    /// Languages with English sentences some of whose words are theirs, each with its share; the run
    /// file says by which lexicon.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub code_switched: BTreeMap<String, f64>,
    /// How pairs come into batches.
    pub sampling: SamplingSettings,
    /// What the student is trained by.
    pub objectives: Objectives,
    /// The map after the encoder.
    pub head: HeadSettings,
    /// Weight of the trained student in the mean of its weights and the teacher's, which ends a run:
    /// 1 is the student as trained, less gives some of its gain for less forgetting (Wortsman et
    /// al. 2022, arXiv 2109.01903).
    pub student_weight: f64,
}

/// How often the teacher reads a training sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TeacherReads {
    /// In every step that has it.
    EveryStep,
    /// Once: its states are kept on the disk, 4 bytes times the teacher's width for each token of each
    /// distinct sentence.
    Once,
}

/// How pairs come into batches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingSettings {
    /// The power of a language's number of pairs that its share in `bitext` is multiplied with; their
    /// sum stays. 0 leaves shares as they are, 1 draws in proportion to the pairs there are, and 1/T
    /// is sampling at temperature T (Conneau et al. 2020 have 0.3).
    pub size_exponent: f64,
    /// How groups come together.
    pub batches: Batches,
}

/// How languages and retention come together in batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Batches {
    /// Pairs of like length together, so that little is padded; shares hold over sixteen batches.
    ByLength,
    /// Each group has its share of every batch.
    Balanced,
    /// A batch is of one group; shares hold over batches. Retention beside bitext makes it the hybrid
    /// batching of Elmahdy et al. 2024 (arXiv 2408.10536).
    OneGroup,
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
    /// Returns the share of each group of pairs, given how many pairs each has.
    pub fn shares(&self, sizes: &BTreeMap<&str, usize>) -> BTreeMap<String, f64> {
        let exponent = self.sampling.size_exponent;
        let weighed = |(language, share): (&String, &f64)| {
            let size = sizes.get(language.as_str()).copied().unwrap_or_default();
            (language.clone(), share * (size as f64).powf(exponent))
        };
        let mut shares: BTreeMap<String, f64> = self.bitext.iter().map(weighed).collect();
        let factor = self.bitext.values().sum::<f64>() / shares.values().sum::<f64>();
        shares.values_mut().for_each(|share| *share *= factor);
        let retained = self.retention.iter();
        shares.extend(retained.map(|(language, &share)| (retention_group(language), share)));
        let switched = self.code_switched.iter();
        shares.extend(switched.map(|(language, &share)| (switched_group(language), share)));
        shares
    }

    /// Returns the number of languages that something new is learned from: English text alone is that to
    /// a student of its own.
    fn to_learn_from(&self) -> usize {
        let kept = self.layers.map_or(self.retention.len(), |_| 0);
        self.bitext.len() + kept
    }

    /// Returns every value that is outside its domain.
    #[must_use]
    pub fn faults(&self) -> Vec<SettingsError> {
        let key = |name: &str| format!("distill.{name}");
        let mut faults = self.training.faults("distill");
        // A student of its own may stay what its first stage has made of it.
        if self.layers.is_none() && self.training.steps == 0 {
            faults.retain(|fault| fault.key != key("training.steps"));
        }
        faults.extend(self.objectives.faults("distill.objectives"));
        if self.teacher_reads == Some(TeacherReads::Once) && self.objectives.needs_attention() {
            let expected = "\"every-step\" with attention marginals, since attention is not kept";
            faults.push(refuse(key("teacher_reads"), "\"once\"", expected));
        }
        let (layers, frozen_layers) = (self.layers.unwrap_or(usize::MAX), self.frozen_layers);
        let frozen_key = key("frozen_layers");
        faults.extend(
            [
                count(&key("maximum_length"), self.maximum_length as u64),
                count(&key("layers"), layers as u64),
                positive(&key("student_weight"), self.student_weight),
                frozen(frozen_key, layers, frozen_layers, self.frozen_vocabulary),
                count(&key("bitext"), self.to_learn_from() as u64)
                    .map_err(|_| refuse(key("bitext"), "{}", "a language")),
            ]
            .into_iter()
            .filter_map(Result::err),
        );
        for (name, shares) in [
            ("bitext", &self.bitext),
            ("retention", &self.retention),
            ("code_switched", &self.code_switched),
        ] {
            let named = |language: &str| key(&format!("{name}.{language}"));
            let shares = shares.iter();
            faults.extend(
                shares.filter_map(|(language, share)| positive(&named(language), *share).err()),
            );
        }
        for (name, value) in [
            ("student_weight", self.student_weight),
            ("head.exponent", self.head.exponent),
            ("sampling.size_exponent", self.sampling.size_exponent),
        ] {
            let known = faults.iter().any(|fault| fault.key == key(name));
            if !known && !(0.0..=1.0).contains(&value) {
                faults.push(refuse(key(name), value, "0 to 1"));
            }
        }
        faults
    }

    /// Checks every value against its domain.
    ///
    /// # Errors
    /// Names the first key whose value is outside it.
    pub fn check(&self) -> Result<(), SettingsError> {
        first(self.faults())
    }

    /// Checks that a teacher, or a student of its own, has as many layers and positions as are asked for.
    ///
    /// # Errors
    /// Names the first key that asks for more.
    pub fn check_model(&self, model: &EncoderConfig) -> Result<(), SettingsError> {
        let (layers, length) = (model.num_hidden_layers, model.maximum_length());
        if let Some(asked) = self.layers {
            within("distill.layers", asked, layers, "layers")?;
        }
        let key = "distill.maximum_length";
        within(key, self.maximum_length, length, "positions")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampling_by_size_leaves_the_sum_of_bitext() {
        let settings = |size_exponent| DistillSettings {
            bitext: BTreeMap::from([("hau".into(), 1.0), ("twi".into(), 1.0)]),
            retention: BTreeMap::from([("eng".into(), 0.5)]),
            sampling: SamplingSettings {
                size_exponent,
                batches: Batches::ByLength,
            },
            ..example()
        };
        let sizes = BTreeMap::from([("hau", 900), ("twi", 100), ("eng retained", 7)]);
        let shares = |exponent| {
            settings(exponent)
                .shares(&sizes)
                .into_values()
                .collect::<Vec<_>>()
        };
        assert_eq!(shares(0.0), [0.5, 1.0, 1.0]);
        let close = |found: Vec<f64>, expected: [f64; 3]| {
            found
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-12)
        };
        assert!(close(shares(1.0), [0.5, 1.8, 0.2]));
        assert!(close(shares(0.5), [0.5, 1.5, 0.5]));
    }

    fn example() -> DistillSettings {
        DistillSettings {
            training: crate::teaching::tests::settings().training,
            teacher_reads: None,
            maximum_length: 8,
            layers: Some(2),
            frozen_layers: 0,
            frozen_vocabulary: false,
            bitext: BTreeMap::new(),
            retention: BTreeMap::new(),
            code_switched: BTreeMap::new(),
            sampling: SamplingSettings {
                size_exponent: 0.0,
                batches: Batches::ByLength,
            },
            objectives: Objectives::default(),
            head: HeadSettings {
                exponent: 0.0,
                sentences: 1,
                documents: 1,
            },
            student_weight: 1.0,
        }
    }
}
