//! AdamW in groups with one clipped gradient norm, warm-up and decay.

mod adamw;
#[cfg(feature = "flex")]
mod in_place;

use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::prelude::*;

use self::adamw::AdamW;
use crate::error::DistillError;
use crate::learner::Learner;
use crate::scalars::scalars;
use crate::settings::{Decay, OptimiserSettings};

/// Returns the learning rate, relative to its peak, at step `step` counted from zero: up to the
/// peak over `warm_up` steps, then as `decay` says, which reaches zero after the last of `steps`.
pub fn schedule(step: u64, warm_up: u64, steps: u64, decay: Decay) -> f64 {
    if step < warm_up {
        return (step + 1) as f64 / warm_up as f64;
    }
    let left = steps.saturating_sub(step) as f64 / steps.saturating_sub(warm_up).max(1) as f64;
    match decay {
        Decay::Linear => left,
        Decay::Cosine => (1.0 - (std::f64::consts::PI * left).cos()) / 2.0,
        Decay::Constant => 1.0,
    }
}

/// AdamW whose rate depends on what it moves: a share of the peak for each layer, and one for the
/// word embedding.
pub struct Optimiser {
    settings: OptimiserSettings,
    groups: ModuleOptimizer,
}

impl Optimiser {
    /// Creates an optimiser of a learner, without momentum yet.
    pub fn new(settings: &OptimiserSettings, learner: &Learner) -> Self {
        let encoder = &learner.encoder;
        let mut shares = Vec::new();
        if settings.layer_decay != 1.0 {
            let depths = encoder.parameters_by_depth();
            let below = (0..depths.len() as i32).rev();
            let share = |below| settings.layer_decay.powi(below);
            shares.extend(depths.into_iter().zip(below.map(share)));
        }
        let share = settings.vocabulary_learning_rate / settings.learning_rate;
        shares.push((vec![encoder.word_embedding_id()], share));
        if let (Some(rate), Some(projection)) =
            (settings.projection_learning_rate, &learner.projection)
        {
            shares.push((projection.ids(), rate / settings.learning_rate));
        }
        let rest = ModuleOptimizer::from(AdamW::new(settings, 1.0));
        let groups = shares.into_iter().fold(rest, |groups, (ids, share)| {
            let group = ParamGroup::from_ids(ids);
            groups.with_group(group, AdamW::new(settings, share), None)
        });
        Self {
            settings: settings.clone(),
            groups,
        }
    }

    /// Returns the weighted sum of `gradients` of `module`, clipped, and the norm it had before.
    ///
    /// # Errors
    /// If the device fails, or the norm is not finite.
    pub fn clipped<M: Module>(
        &self,
        module: &M,
        gradients: Vec<(f64, GradientsParams)>,
        step: u64,
    ) -> Result<(GradientsParams, f64), DistillError> {
        let mut merge = Merge::new(gradients);
        module.visit(&mut merge);
        let norm = merge.norm()?;
        if !norm.is_finite() {
            return Err(DistillError::NotFinite {
                what: "the gradient norm",
                value: norm,
                step,
            });
        }
        let scale = self.settings.clip_norm / norm;
        let mut gradients = merge.sum;
        if scale < 1.0 {
            let mut scaled = Scale {
                scale,
                from: gradients,
                to: GradientsParams::new(),
            };
            module.visit(&mut scaled);
            gradients = scaled.to;
        }
        Ok((gradients, norm))
    }

    /// Moves `module` along a clipped gradient, at `rate` relative to the peak.
    pub fn step<M: Module>(&mut self, module: M, gradient: GradientsParams, rate: f64) -> M {
        let rate = self.settings.learning_rate * rate;
        self.groups.step(rate, module, gradient)
    }

    /// Writes the momentum.
    pub(crate) fn save(&self, path: &Path) -> Result<(), String> {
        self.groups.save(path).map_err(|error| error.to_string())
    }

    /// Returns the same optimiser with momentum that was written.
    pub(crate) fn load(self, path: &Path) -> Result<Self, String> {
        let groups = self.groups.load(path);
        Ok(Self {
            groups: groups.map_err(|error| error.to_string())?,
            settings: self.settings,
        })
    }
}

/// Returns the weighted sum of `gradients`.
pub(crate) fn merged<M: Module>(
    module: &M,
    gradients: Vec<(f64, GradientsParams)>,
) -> GradientsParams {
    let mut merge = Merge::new(gradients);
    module.visit(&mut merge);
    merge.sum
}

/// Sums gradients parameter by parameter.
struct Merge {
    parts: Vec<(f64, GradientsParams)>,
    sum: GradientsParams,
    /// Squared norm of everything merged so far, in this process' memory and elsewhere.
    here: f64,
    elsewhere: Option<Tensor<1>>,
}

impl Merge {
    fn new(parts: Vec<(f64, GradientsParams)>) -> Self {
        Self {
            parts,
            sum: GradientsParams::new(),
            here: 0.0,
            elsewhere: None,
        }
    }

    /// Returns the norm of everything merged so far.
    fn norm(&mut self) -> Result<f64, DistillError> {
        let elsewhere = match self.elsewhere.take() {
            Some(squares) => scalars(squares)?[0],
            None => 0.0,
        };
        Ok((self.here + elsewhere).sqrt())
    }

    /// Adds the squares of a gradient to the norm's.
    fn add_squares<const D: usize>(&mut self, gradient: Tensor<D>) -> Tensor<D> {
        #[cfg(feature = "flex")]
        if in_place::can_be(&gradient) {
            let (squares, gradient) = in_place::squares(gradient);
            self.here += squares;
            return gradient;
        }
        let squares = gradient.clone().square().sum();
        self.elsewhere = Some(match self.elsewhere.take() {
            Some(sum) => sum + squares,
            None => squares,
        });
        gradient
    }
}

impl ModuleVisitor for Merge {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let weighted = self.parts.iter_mut().filter_map(|(weight, part)| {
            let gradient = part.remove::<D>(param.id)?;
            Some(if *weight == 1.0 {
                gradient
            } else {
                scaled(gradient, *weight)
            })
        });
        let Some(gradient) = weighted.reduce(|sum, gradient| sum + gradient) else {
            return;
        };
        let gradient = self.add_squares(gradient);
        self.sum.register(param.id, gradient);
    }
}

fn scaled<const D: usize>(gradient: Tensor<D>, factor: f64) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if in_place::can_be(&gradient) {
        return in_place::scaled(gradient, factor as f32);
    }
    gradient.mul_scalar(factor)
}

struct Scale {
    scale: f64,
    from: GradientsParams,
    to: GradientsParams,
}

impl ModuleVisitor for Scale {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.from.remove::<D>(param.id) {
            self.to.register(param.id, scaled(gradient, self.scale));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashMap;

    use burn::module::ParamId;

    use optical_encoder::testing::tiny_checkpoint;
    use optical_encoder::{Head, Model};

    use super::*;
    use crate::learner::Learns;

    /// The first step of AdamW moves every weight that has a gradient by about the rate.
    #[test]
    fn lower_layers_move_less_with_decay() {
        let folder = tempfile::tempdir().unwrap();
        tiny_checkpoint(folder.path(), "xlm-roberta", &["water", "fire"], 3).unwrap();
        let device = Device::flex().autodiff();
        let mut model = Model::load(folder.path(), &device.clone().without_autodiff()).unwrap();
        model.head = Some(Head::identity(model.config.hidden_size));
        let learner = Learner::new(model, Learns::MapAndOffset, &device);
        let settings = OptimiserSettings {
            learning_rate: 1e-3,
            vocabulary_learning_rate: 2e-3,
            projection_learning_rate: Some(3e-3),
            layer_decay: 0.5,
            warm_up: 0,
            decay: Decay::Linear,
            weight_decay: 0.0,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-12,
            clip_norm: 1e9,
        };
        let depths = learner.encoder.parameters_by_depth();
        let words = learner.encoder.word_embedding_id();
        let projection = learner.projection.as_ref().unwrap();
        let ids_after = projection.ids();
        let before = values(&learner);
        let ids = Tensor::from_data([[0, 4, 5, 2]], &device);
        let mask = Tensor::from_data([[true; 4]], &device);
        let states = learner.encoder.forward(ids, mask);
        let loss = projection.forward(states).square().sum();
        let gradients = GradientsParams::from_grads(loss.backward(), &learner);
        let mut optimiser = Optimiser::new(&settings, &learner);
        let clipped = optimiser.clipped(&learner, vec![(1.0, gradients)], 0);
        let moved = optimiser.step(learner, clipped.unwrap().0, 1.0);
        let moved = values(&moved);
        let farthest = |id: &ParamId| {
            let pairs = before[id].iter().zip(&moved[id]);
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        let top = depths.len() - 1;
        for (depth, ids) in depths.iter().enumerate() {
            let farthest = ids.iter().map(farthest).fold(0.0, f32::max);
            let expected = 1e-3 * 0.5_f32.powi((top - depth) as i32);
            assert!(
                (farthest / expected - 1.0).abs() < 0.01,
                "{depth}: {farthest}"
            );
        }
        assert!((farthest(&words) / 2e-3 - 1.0).abs() < 0.01);
        assert_eq!(ids_after.len(), 2);
        for id in ids_after {
            assert!((farthest(&id) / 3e-3 - 1.0).abs() < 0.01);
        }
    }

    fn values(learner: &Learner) -> HashMap<ParamId, Vec<f32>> {
        struct Collect(HashMap<ParamId, Vec<f32>>);
        impl ModuleVisitor for Collect {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let values = param.val().into_data().try_to_vec().unwrap();
                self.0.insert(param.id, values);
            }
        }
        let mut collect = Collect(HashMap::new());
        learner.visit(&mut collect);
        collect.0
    }

    #[test]
    fn the_rate_rises_to_its_peak_and_falls_to_nothing() {
        let rates = |decay| {
            (0..6)
                .map(|step| schedule(step, 2, 6, decay))
                .collect::<Vec<_>>()
        };
        assert_eq!(rates(Decay::Linear), [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]);
        assert_eq!(rates(Decay::Constant), [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]);
        let cosine = rates(Decay::Cosine);
        assert!((cosine[4] - 0.5).abs() < 1e-12 && cosine[3] > 0.75 && cosine[5] < 0.25);
        assert_eq!(schedule(0, 0, 1, Decay::Linear), 1.0);
    }
}
