//! A student of its own: which model it begins as, and what it learns from English text alone before it
//! learns languages.

use std::ops::ControlFlow;

use optical_corpus::error::CorpusError;
use optical_corpus::formats::english_text::EnglishText;
use optical_distill::DistillSettings;
use optical_distill::objectives::Objectives;
use optical_distill::projection::ProjectionSettings;
use optical_distill::settings::TrainingSettings;
use optical_encoder::EncoderConfig;
use serde::{Deserialize, Serialize};

use super::RunSettings;

/// The table `[student]`; without it, students begin as the teacher's copy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudentSettings {
    /// What it begins as, named as the run file's own `model`, which it is without the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Which of its layers.
    pub layers: Layers,
    /// Whether its weights are those of its checkpoint.
    pub weights: Weights,
    /// Its first stage.
    pub english: EnglishSettings,
}

/// Which of a model's layers a student has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Layers {
    /// `"all"`.
    All(All),
    /// As many, from the bottom.
    First(usize),
    /// These, counted from zero, from the bottom.
    These(Vec<usize>),
}

/// All of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum All {
    /// `"all"`.
    All,
}

/// Where a student's weights are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weights {
    /// Its checkpoint.
    Pretrained,
    /// Drawn at random, but for the tokenizer: the control that tells size from pre-training.
    Random,
}

/// The English stage: the projection in closed form, then distillation on English text alone. What it
/// ends with is the zero-shot student, and what the run's own stage begins with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnglishSettings {
    /// English text, beside the English sides of the bitext.
    pub texts: Vec<EnglishText>,
    /// Texts with more tokens on either side are left out.
    pub maximum_length: usize,
    /// Layers from the bottom that stay as they begin.
    pub frozen_layers: usize,
    /// Whether the word embedding stays as it begins.
    pub frozen_vocabulary: bool,
    /// How the projection is found.
    pub projection: ProjectionSettings,
    /// What the student is trained by.
    pub objectives: Objectives,
    /// The loop; its seed is the first student's, and no steps leave the projection alone.
    pub training: TrainingSettings,
}

const TABLE: &str = "student.english";

impl Layers {
    /// Returns the layers, counted from zero, of a model with `all` of them.
    pub fn of(&self, all: usize) -> Vec<usize> {
        match self {
            Self::All(_) => (0..all).collect(),
            Self::First(count) => (0..*count).collect(),
            Self::These(layers) => layers.clone(),
        }
    }

    /// Says why a model cannot do with them.
    pub fn fault(&self, model: &EncoderConfig) -> Option<String> {
        let reason = model.refuses_layers(&self.of(model.num_hidden_layers))?;
        Some(match self {
            Self::First(count) => format!(
                "student.layers = {count}, expected at least 1 and at most {}, the layers of the model",
                model.num_hidden_layers
            ),
            _ => format!(
                "student.layers = {:?}: {reason}",
                self.of(model.num_hidden_layers)
            ),
        })
    }
}

impl RunSettings {
    /// Returns the model that students begin as: the teacher, or one of their own.
    pub fn student_model(&self) -> &str {
        let own = self
            .student
            .as_ref()
            .and_then(|student| student.model.as_deref());
        own.unwrap_or(&self.model)
    }

    pub(super) fn faults_of_student(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let distill = &self.distill;
        match (&self.student, distill.layers) {
            (None, None) => faults.push(
                "distill.layers is missing, expected the number of layers of a student that begins as the \
                 teacher's copy"
                    .to_owned(),
            ),
            (Some(_), Some(layers)) => faults.push(format!(
                "distill.layers = {layers}: a student of its own has student.layers instead"
            )),
            _ => {}
        }
        for language in distill.retention.keys() {
            let read = self.teacher_languages.as_ref();
            if read.is_some_and(|read| !read.contains(language)) {
                faults.push(format!(
                    "distill.retention.{language}: the teacher does not read it (teacher_languages), so its \
                     states of it are nothing to hold"
                ));
            }
        }
        let Some(student) = &self.student else {
            let projection = distill.training.optimiser.projection_learning_rate;
            faults.extend(projection.map(|rate| {
                format!(
                    "distill.training.optimiser.projection_learning_rate = {rate}: only a student with a \
                     [student] table has a projection"
                )
            }));
            return faults;
        };
        let english = student.english.stage(distill, 0);
        faults.extend(student.english.faults(&english));
        faults
    }
}

impl EnglishSettings {
    /// Reads the texts of the files.
    ///
    /// # Errors
    /// If a file cannot be read, or has a line without a text.
    pub fn passages(&self) -> Result<Vec<String>, CorpusError> {
        let mut passages = Vec::new();
        for text in &self.texts {
            text.each(|passage| {
                passages.push(passage);
                ControlFlow::Continue(())
            })?;
        }
        Ok(passages)
    }

    /// Returns the settings of the stage for the student of a repetition, counted from zero.
    pub fn stage(&self, distill: &DistillSettings, repetition: usize) -> DistillSettings {
        let mut training = self.training.clone();
        training.seed += repetition as u64;
        DistillSettings {
            training,
            teacher_reads: distill.teacher_reads,
            maximum_length: self.maximum_length,
            layers: None,
            frozen_layers: self.frozen_layers,
            frozen_vocabulary: self.frozen_vocabulary,
            bitext: Default::default(),
            retention: [("eng".to_owned(), 1.0)].into(),
            code_switched: Default::default(),
            sampling: distill.sampling.clone(),
            objectives: self.objectives.clone(),
            head: distill.head.clone(),
            student_weight: 1.0,
        }
    }

    fn faults(&self, stage: &DistillSettings) -> Vec<String> {
        let mut faults: Vec<String> = self
            .projection
            .faults(&format!("{TABLE}.projection"))
            .into_iter()
            .map(|fault| fault.to_string())
            .collect();
        // Told by the names they have here.
        let of_stage = stage.faults().into_iter().map(|fault| {
            let fault = fault.to_string();
            match fault.strip_prefix("distill.") {
                Some(rest) => format!("{TABLE}.{rest}"),
                None => fault,
            }
        });
        faults.extend(of_stage);
        if self.objectives.passages.is_some() {
            faults.push(format!(
                "{TABLE}.objectives.passages: English text has no passages, expected other objectives"
            ));
        }
        if self.training.stopping.is_some() {
            faults.push(format!(
                "{TABLE}.training.stopping: the English stage makes all of its steps"
            ));
        }
        faults
    }
}
