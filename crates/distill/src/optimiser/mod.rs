//! AdamW in two groups with one clipped gradient norm, warm-up and linear decay.

mod adamw;
#[cfg(feature = "flex")]
mod in_place;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
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
    /// An optimiser without momentum yet.
    pub fn new(settings: &OptimiserSettings) -> Self {
        Self {
            settings: settings.clone(),
            layers: AdamW::new(settings).into(),
            vocabulary: AdamW::new(settings).into(),
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
    use super::*;

    #[test]
    fn the_rate_rises_to_its_peak_and_falls_to_nothing() {
        let rates: Vec<_> = (0..6).map(|step| schedule(step, 2, 6)).collect();
        assert_eq!(rates, [0.5, 1.0, 1.0, 0.75, 0.5, 0.25]);
        assert_eq!(schedule(0, 0, 1), 1.0);
    }
}
