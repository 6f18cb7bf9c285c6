//! What a training is about: its batches, its loss and what is read of it.

use optical_encoder::Model;

use crate::error::DistillError;
use crate::instruments::Reading;
use crate::learner::Learner;
use crate::objectives::Loss;
use crate::warnings::Advice;

/// What a training is about.
pub(crate) trait Task: Sync {
    /// What is said where readings are bad.
    const ADVICE: Advice;

    /// Part of a batch.
    type Part: Sync;

    /// Returns the batch of a step, counted from zero, in the number of parts given.
    ///
    /// # Errors
    /// If it cannot be read.
    fn batch(&self, step: u64, parts: usize) -> Result<Vec<Self::Part>, DistillError>;

    /// Pairs or queries in a part.
    fn size(part: &Self::Part) -> usize;

    /// Returns the loss of a part at the seat with the number `seat`, where `learner` is; gradients
    /// flow into `learner` only.
    fn loss(
        &self,
        learner: &Learner,
        part: &Self::Part,
        seat: usize,
        step: u64,
    ) -> Result<Loss, DistillError>;

    /// Reads the instruments.
    fn read(&self, model: &Model) -> Result<Reading, DistillError>;

    /// Returns a model as it ends the training.
    fn as_it_ends(&self, model: &Model) -> Result<Model, DistillError>;
}
