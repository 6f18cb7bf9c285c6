//! AdamW in two groups with one clipped gradient norm, warm-up and linear decay.

mod adamw;
#[cfg(feature = "flex")]
mod in_place;

use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use optical_encoder::Encoder;

use self::adamw::AdamW;
use crate::error::DistillError;
use crate::instruments::scalars;
use crate::settings::OptimiserSettings;

/// The learning rate, relative to its peak, at step `step` counted from zero: up to the peak over
/// `warm_up` steps, then down to zero behind the last of `steps`.
pub fn schedule(step: u64, warm_up: u64, steps: u64) -> f64 {
    if step < warm_up {
        (step + 1) as f64 / warm_up as f64
    } else {
        steps.saturating_sub(step) as f64 / steps.saturating_sub(warm_up).max(1) as f64
    }
}

/// AdamW for the layers, and one with a rate of its own for the word embedding.
pub struct Optimiser {
    settings: OptimiserSettings,
    layers: ModuleOptimizer,
    vocabulary: ModuleOptimizer,
}

impl Optimiser {
    /// An optimiser of `encoder` without momentum yet.
    pub fn new(settings: &OptimiserSettings, encoder: &Encoder) -> Self {
        let mut layers = ModuleOptimizer::from(AdamW::new(settings, 1.0));
        if settings.layer_decay != 1.0 {
            let depths = encoder.parameters_by_depth();
            let below = (0..depths.len()).rev();
            for (ids, below) in depths.into_iter().zip(below) {
                let share = settings.layer_decay.powi(below as i32);
                let group = ParamGroup::from_ids(ids);
                layers = layers.with_group(group, AdamW::new(settings, share), None);
            }
        }
        Self {
            settings: settings.clone(),
            layers,
            vocabulary: AdamW::new(settings, 1.0).into(),
        }
    }

    /// Moves `encoder` along the weighted sum of `gradients`, at `rate` relative to the peak;
    /// returns the norm of the whole gradient before clipping.
    ///
    /// # Errors
    /// If the device fails, or the norm is not finite: then nothing has moved.
    pub fn step(
        &mut self,
        encoder: Encoder,
        gradients: Vec<(f64, GradientsParams)>,
        rate: f64,
        step: u64,
    ) -> Result<(Encoder, f64), DistillError> {
        let mut merge = Merge::new(gradients, encoder.word_embedding_id());
        encoder.visit(&mut merge);
        let norm = merge.norm()?;
        if !norm.is_finite() {
            return Err(DistillError::NotFinite {
                what: "the gradient norm",
                value: norm,
                step,
            });
        }
        let scale = self.settings.clip_norm / norm;
        let [layers, vocabulary] = [merge.layers, merge.vocabulary].map(|gradients| {
            if 1.0 <= scale {
                return gradients;
            }
            let mut scaled = Scale {
                scale,
                from: gradients,
                to: GradientsParams::new(),
            };
            encoder.visit(&mut scaled);
            scaled.to
        });
        // One after the other: what two held could not be changed in place.
        let settings = &self.settings;
        let encoder = self
            .layers
            .step(settings.learning_rate * rate, encoder, layers);
        let vocabulary_rate = settings.vocabulary_learning_rate * rate;
        let encoder = self.vocabulary.step(vocabulary_rate, encoder, vocabulary);
        Ok((encoder, norm))
    }

    /// Momentum of the layers and of the vocabulary, to be written.
    pub(crate) fn parts(&self) -> [(&'static str, &ModuleOptimizer); 2] {
        [
            ("layers.bpk", &self.layers),
            ("vocabulary.bpk", &self.vocabulary),
        ]
    }

    /// The same optimiser with momentum read back from the files of [`Self::parts`].
    pub(crate) fn restore<E>(
        self,
        load: impl Fn(&str, ModuleOptimizer) -> Result<ModuleOptimizer, E>,
    ) -> Result<Self, E> {
        Ok(Self {
            layers: load("layers.bpk", self.layers)?,
            vocabulary: load("vocabulary.bpk", self.vocabulary)?,
            settings: self.settings,
        })
    }
}

/// Sums gradients parameter by parameter, apart for layers and vocabulary.
struct Merge {
    parts: Vec<(f64, GradientsParams)>,
    words: ParamId,
    layers: GradientsParams,
    vocabulary: GradientsParams,
    /// Squared norm of everything merged so far, in this process' memory and elsewhere.
    here: f64,
    elsewhere: Option<Tensor<1>>,
}

impl Merge {
    fn new(parts: Vec<(f64, GradientsParams)>, words: ParamId) -> Self {
        let (layers, vocabulary) = (GradientsParams::new(), GradientsParams::new());
        Self {
            parts,
            words,
            layers,
            vocabulary,
            here: 0.0,
            elsewhere: None,
        }
    }

    /// Norm of everything merged so far.
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
        let group = if param.id == self.words {
            &mut self.vocabulary
        } else {
            &mut self.layers
        };
        group.register(param.id, gradient);
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

    use optical_encoder::Model;
    use optical_encoder::testing::tiny_checkpoint;

    use super::*;

    /// The first step of AdamW moves every weight that has a gradient by about the rate.
    #[test]
    fn lower_layers_move_less_with_decay() {
        let folder = tempfile::tempdir().unwrap();
        tiny_checkpoint(folder.path(), "xlm-roberta", &["water", "fire"], 3).unwrap();
        let device = Device::flex().autodiff();
        let encoder = Model::load(folder.path(), &device).unwrap().encoder;
        let settings = OptimiserSettings {
            learning_rate: 1e-3,
            vocabulary_learning_rate: 2e-3,
            layer_decay: 0.5,
            warm_up: 0,
            weight_decay: 0.0,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-12,
            clip_norm: 1e9,
        };
        let depths = encoder.parameters_by_depth();
        let words = encoder.word_embedding_id();
        let before = values(&encoder);
        let ids = Tensor::from_data([[0, 4, 5, 2]], &device);
        let mask = Tensor::from_data([[true; 4]], &device);
        let loss = encoder.forward(ids, mask).square().sum();
        let gradients = GradientsParams::from_grads(loss.backward(), &encoder);
        let mut optimiser = Optimiser::new(&settings, &encoder);
        let (moved, _) = optimiser
            .step(encoder, vec![(1.0, gradients)], 1.0, 0)
            .unwrap();
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
    }

    fn values(encoder: &Encoder) -> HashMap<ParamId, Vec<f32>> {
        struct Collect(HashMap<ParamId, Vec<f32>>);
        impl ModuleVisitor for Collect {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let values = param.val().into_data().try_to_vec().unwrap();
                self.0.insert(param.id, values);
            }
        }
        let mut collect = Collect(HashMap::new());
        encoder.visit(&mut collect);
        collect.0
    }

    #[test]
    fn the_rate_rises_to_its_peak_and_falls_to_nothing() {
        let rates: Vec<_> = (0..6).map(|step| schedule(step, 2, 6)).collect();
        assert_eq!(rates, [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]);
        assert_eq!(schedule(0, 0, 1), 1.0);
    }
}
