//! What a training moves, and how far it has come: begun, or taken up from a checkpoint.

use optical_encoder::Model;
use serde::de::DeserializeOwned;

use crate::checkpoint::{CheckpointFolder, Progress};
use crate::error::DistillError;
use crate::learner::{Learner, Learns};
use crate::optimiser::Optimiser;
use crate::seat::Seat;
use crate::settings::OptimiserSettings;

/// A training between two steps.
pub(crate) struct State {
    /// The model that the learner's parameters belong to.
    pub(crate) model: Model,
    pub(crate) learner: Learner,
    pub(crate) optimiser: Optimiser,
    pub(crate) progress: Progress,
}

/// Which of a model's parameters move.
pub(crate) struct Moving<'a> {
    pub(crate) optimiser: &'a OptimiserSettings,
    /// The number of layers, from the bottom, that do not move.
    pub(crate) frozen_layers: usize,
    pub(crate) frozen_vocabulary: bool,
    /// What of the head does.
    pub(crate) head: Learns,
}

impl State {
    /// Returns the state of the newest checkpoint, which has to be of the same `settings`, or else
    /// that of a `fresh` model.
    ///
    /// # Errors
    /// If the checkpoint is damaged or of other settings, or there is no fresh model.
    pub(crate) fn resume_or<S: DeserializeOwned + PartialEq>(
        checkpoints: &CheckpointFolder,
        settings: &S,
        moving: &Moving<'_>,
        seat: &Seat,
        fresh: impl FnOnce() -> Result<Model, DistillError>,
    ) -> Result<Self, DistillError> {
        let (progress, model, momentum) = match checkpoints.resume(settings, &seat.plain)? {
            Some((progress, model, momentum)) => (progress, model, Some(momentum)),
            None => (Progress::default(), fresh()?, None),
        };
        let mut learner = Learner::new(model.clone(), moving.head, &seat.tracked);
        let mut optimiser = Optimiser::new(moving.optimiser, &learner);
        if let Some(momentum) = momentum {
            optimiser = momentum.restore(optimiser)?;
        }
        learner.encoder = learner
            .encoder
            .frozen(moving.frozen_layers, moving.frozen_vocabulary);
        Ok(Self {
            model,
            learner,
            optimiser,
            progress,
        })
    }
}
