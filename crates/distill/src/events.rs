//! What a run reports, and how it ends.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use optical_encoder::Model;
use serde::{Deserialize, Serialize};

use crate::instruments::Reading;
use crate::projection::ProjectionTurn;

/// The terms of a loss by the names they have below `objectives`, each with its weight in it.
pub type Terms = BTreeMap<String, f64>;

/// What a run reports while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// Texts are tokenized and the student is made or read back.
    Prepared {
        /// Pairs to train on.
        pairs: usize,
        /// Pairs left out because a side has no token or too many.
        left_out: usize,
        /// Those of them with a side of no token.
        #[serde(default)]
        without_tokens: usize,
        /// Rows of the student's word embedding.
        vocabulary: usize,
        /// Steps already made by an earlier sitting.
        resumed_at: u64,
    },
    /// A turn of the closed form that a student's projection begins with.
    Projection(ProjectionTurn),
    /// One optimiser step.
    Step {
        /// Steps made so far.
        step: u64,
        /// Weighted sum of the objectives' terms; with alignment alone, the mean of `⟨P, C⟩`.
        loss: f64,
        /// What the loss is the sum of, where there are several terms.
        #[serde(default, skip_serializing_if = "Terms::is_empty")]
        terms: Terms,
        /// Rate of the layers.
        learning_rate: f64,
        /// Norm of the whole gradient before clipping.
        gradient_norm: f64,
        /// Student tokens that a teacher token is spread over, where tokens are aligned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        effective_partners: Option<f64>,
        /// Wall time of the step.
        seconds: f64,
    },
    /// A reading of the collapse instruments.
    Instruments {
        /// Steps made so far.
        step: u64,
        /// The reading.
        #[serde(flatten)]
        reading: Reading,
        /// What the run's stopping goes by, where it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        judged: Option<f64>,
    },
    /// The instruments tell of a run that goes wrong; the run continues.
    Warning {
        /// Steps made so far.
        step: u64,
        /// What is seen, and what to change.
        message: String,
    },
    /// A checkpoint was written.
    Checkpoint {
        /// Steps made so far.
        step: u64,
    },
}

/// Who a run reports to.
pub trait Observer {
    /// Hears an event, and may stop the run after it.
    fn hear(&mut self, event: &Event) -> ControlFlow<()>;

    /// Returns how good a student is, more being better: asked at every reading of a run that stops
    /// by [`StoppingMetric::Development`](crate::settings::StoppingMetric::Development), of the
    /// student as it would end the run. No answer ends the run with an error.
    fn judge(&mut self, student: &Model) -> Option<f64> {
        let _ = student;
        None
    }
}

/// Closures hear, and have no opinion.
impl<F: FnMut(&Event) -> ControlFlow<()>> Observer for F {
    fn hear(&mut self, event: &Event) -> ControlFlow<()> {
        self(event)
    }
}

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// All steps are made: the student, interpolated with the teacher and with its whole vocabulary.
    Finished(Box<Model>),
    /// The observer asked to stop; a checkpoint was written at this step.
    Interrupted(u64),
}
