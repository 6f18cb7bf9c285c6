//! Forward and backward through the parts of a batch, side by side.

use burn::module::Module;
use burn::optim::GradientsParams;
use optical_encoder::Model;
use rand::Rng;

use crate::error::DistillError;
use crate::events::Terms;
use crate::learner::Learner;
use crate::objectives::Loss;
use crate::optimiser::merged;
use crate::rounds::stream;
use crate::scalars::scalars;
use crate::seat::Seat;
use crate::settings::TrainingSettings;
use crate::task::Task;

/// Loss and gradient of a batch.
pub(crate) struct Gradient {
    pub(crate) loss: f64,
    /// What it is the sum of, where there are several terms.
    pub(crate) terms: Terms,
    pub(crate) partners: Option<f64>,
    /// The gradient of each part with its weight in the whole.
    pub(crate) parts: Vec<(f64, GradientsParams)>,
}

/// What one part of a batch gives.
struct Part {
    loss: f64,
    terms: Terms,
    partners: Option<f64>,
    gradients: GradientsParams,
}

/// What parts of a batch share.
pub(crate) struct Pass<'a, T> {
    pub(crate) task: &'a T,
    pub(crate) settings: &'a TrainingSettings,
    pub(crate) model: &'a Model,
    pub(crate) learner: &'a Learner,
    pub(crate) seats: &'a [Seat],
    /// Steps made so far.
    pub(crate) step: u64,
}

impl<T: Task> Pass<'_, T> {
    /// Goes through the parts of a batch, `settings.parts` of them side by side, on one device after
    /// the other.
    ///
    /// Most tensor operations of a processor run on one thread, so that parts of a batch keep more
    /// of it busy than one batch does. The parts are summed in their order, whoever ends first.
    pub(crate) fn gradient(&self) -> Result<Gradient, DistillError> {
        let batch = self.task.batch(self.step, self.batch_parts() as usize)?;
        let all: usize = batch.iter().map(T::size).sum();
        let places: Vec<_> = (0_u64..).zip(&batch).collect();
        let mut sum = Gradient {
            loss: 0.0,
            terms: Terms::new(),
            partners: None,
            parts: Vec::new(),
        };
        for round in places.chunks(self.settings.parts) {
            let results: Vec<_> = std::thread::scope(|scope| {
                let running: Vec<_> = round
                    .iter()
                    .map(|&(place, part)| scope.spawn(move || self.part(part, place)))
                    .collect();
                running
                    .into_iter()
                    .map(std::thread::ScopedJoinHandle::join)
                    .collect()
            });
            for (&(_, part), result) in round.iter().zip(results) {
                let panicked = |_| DistillError::Device("a part of the batch panicked".into());
                let result = result.map_err(panicked)??;
                let weight = T::size(part) as f64 / all as f64;
                sum.loss += weight * result.loss;
                for (name, term) in result.terms {
                    *sum.terms.entry(name).or_default() += weight * term;
                }
                if let Some(partners) = result.partners {
                    *sum.partners.get_or_insert(0.0) += weight * partners;
                }
                let weight = weight / self.settings.loss_scale();
                sum.parts.push((weight, result.gradients));
            }
            if self.settings.accumulation != 1 {
                // A round leaves one gradient, however many rounds there are.
                sum.parts = vec![(1.0, merged(self.learner, sum.parts))];
            }
        }
        Ok(sum)
    }

    /// Parts of a batch.
    fn batch_parts(&self) -> u64 {
        (self.settings.parts * self.settings.accumulation) as u64
    }

    fn part(&self, part: &T::Part, place: u64) -> Result<Part, DistillError> {
        // Leaves of its own keep the part's autodiff graph apart from the others': burn puts graphs
        // that share a leaf under one lock, and merging them while another part registers its
        // operations loses some of them.
        let seat = place as usize % self.seats.len();
        let mut learner = self.learner.clone().fork(&self.seats[seat].tracked);
        learner.encoder = learner.encoder.with_precision(self.settings.precision);
        if self.settings.dropout {
            let round = self.step * self.batch_parts() + place;
            let seed = stream(self.settings.seed, "dropout", round).next_u64();
            learner.encoder = learner.encoder.with_dropout(&self.model.config, seed);
        }
        let loss = self.task.loss(&learner, part, seat, self.step)?;
        let sum = loss.value();
        let value = scalars(sum.clone().inner())?[0];
        let terms = several(&loss)?;
        let partners = loss.partners.map(scalars).transpose()?;
        let gradients = sum.mul_scalar(self.settings.loss_scale()).backward();
        let mut gradients = GradientsParams::from_grads(gradients, &learner);
        if seat != 0 {
            gradients = gradients.to_device(&self.seats[0].plain, &learner);
        }
        Ok(Part {
            loss: value,
            terms,
            partners: partners.map(|partners| partners[0]),
            gradients,
        })
    }
}

/// Returns the values of a loss's terms, where there are several: one alone is the loss itself.
fn several(loss: &Loss) -> Result<Terms, DistillError> {
    if loss.terms.len() == 1 {
        return Ok(Terms::new());
    }
    let terms = loss.terms.iter();
    terms
        .map(|(name, term)| Ok(((*name).to_owned(), scalars(term.clone().inner())?[0])))
        .collect()
}
