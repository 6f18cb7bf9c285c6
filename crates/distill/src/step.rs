//! Forward and backward through the parts of a batch, side by side.

use burn::module::Module;
use burn::optim::GradientsParams;
use optical_encoder::Model;

use crate::error::DistillError;
use crate::instruments::scalars;
use crate::learner::Learner;
use crate::objectives::Loss;
use crate::settings::TrainingSettings;
use crate::training::{Seat, Task};

/// Loss and gradient of a batch.
pub(crate) struct Gradient {
    pub(crate) loss: f64,
    pub(crate) partners: Option<f64>,
    /// The gradient of each part with its weight in the whole.
    pub(crate) parts: Vec<(f64, GradientsParams)>,
}

/// What one part of a batch gives.
struct Part {
    loss: f64,
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
        let count = self.settings.parts * self.settings.accumulation;
        let batch = self.task.batch(self.step, count)?;
        let places: Vec<_> = (0_u64..).zip(&batch).collect();
        let mut results = Vec::with_capacity(batch.len());
        for round in places.chunks(self.settings.parts) {
            results.extend(std::thread::scope(|scope| {
                let running: Vec<_> = round
                    .iter()
                    .map(|&(place, part)| scope.spawn(move || self.part(part, place)))
                    .collect();
                running
                    .into_iter()
                    .map(std::thread::ScopedJoinHandle::join)
                    .collect::<Vec<_>>()
            }));
        }
        let all: usize = batch.iter().map(T::size).sum();
        let mut sum = Gradient {
            loss: 0.0,
            partners: None,
            parts: Vec::new(),
        };
        for (part, result) in batch.iter().zip(results) {
            let panicked = |_| DistillError::Device("a part of the batch panicked".into());
            let result = result.map_err(panicked)??;
            let weight = T::size(part) as f64 / all as f64;
            sum.loss += weight * result.loss;
            if let Some(partners) = result.partners {
                *sum.partners.get_or_insert(0.0) += weight * partners;
            }
            let weight = weight / self.settings.precision.loss_scale();
            sum.parts.push((weight, result.gradients));
        }
        Ok(sum)
    }

    fn part(&self, part: &T::Part, place: u64) -> Result<Part, DistillError> {
        // Leaves of its own keep the part's autodiff graph apart from the others': burn puts graphs
        // that share a leaf under one lock, and merging them while another part registers its
        // operations loses some of them.
        let seat = place as usize % self.seats.len();
        let mut learner = self.learner.clone().fork(&self.seats[seat].tracked);
        let precision = self.settings.precision.precision();
        learner.encoder = learner.encoder.with_precision(precision);
        if self.settings.dropout {
            let seed = mixed(mixed(self.settings.seed, self.step), place);
            learner.encoder = learner.encoder.with_dropout(&self.model.config, seed);
        }
        let Loss { value, partners } = self.task.loss(&learner, part, seat, self.step)?;
        let loss = scalars(value.clone().inner())?[0];
        let partners = partners.map(scalars).transpose()?;
        let gradients = value
            .mul_scalar(self.settings.precision.loss_scale())
            .backward();
        let mut gradients = GradientsParams::from_grads(gradients, &learner);
        if seat != 0 {
            gradients = gradients.to_device(&self.seats[0].plain, &learner);
        }
        Ok(Part {
            loss,
            partners: partners.map(|partners| partners[0]),
            gradients,
        })
    }
}

/// A seed out of a seed and a number (the finaliser of SplitMix64, Steele et al. 2014).
fn mixed(seed: u64, number: u64) -> u64 {
    let mut bits = (seed ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
