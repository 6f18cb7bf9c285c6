//! AdamW in two groups with one clipped gradient norm, warm-up and linear decay.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::prelude::*;
use optical_encoder::Encoder;

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
        let adamw = || {
            AdamWConfig::new()
                .with_beta_1(settings.beta_1)
                .with_beta_2(settings.beta_2)
                .with_epsilon(settings.epsilon)
                .with_weight_decay(settings.weight_decay)
                .init()
        };
        Self {
            settings: settings.clone(),
            layers: adamw(),
            vocabulary: adamw(),
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
        let norm = match merge.squares.take() {
            Some(squares) => scalars(squares)?[0].sqrt(),
            None => 0.0,
        };
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
        let (optimiser_of_layers, optimiser_of_vocabulary) =
            (&mut self.layers, &mut self.vocabulary);
        let layers_rate = self.settings.learning_rate * rate;
        let vocabulary_rate = self.settings.vocabulary_learning_rate * rate;
        // The two halves of the parameters are of about equal size, and neither looks at the other.
        let (copy, whole) = (encoder.clone(), encoder);
        let (whole, words) = std::thread::scope(|scope| {
            let words =
                scope.spawn(|| optimiser_of_vocabulary.step(vocabulary_rate, copy, vocabulary));
            (
                optimiser_of_layers.step(layers_rate, whole, layers),
                words.join(),
            )
        });
        let words = words.map_err(|_| DistillError::Device("the optimiser panicked".into()))?;
        Ok((whole.with_words_of(words), norm))
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
    /// Squared norm of everything merged so far.
    squares: Option<Tensor<1>>,
}

impl Merge {
    fn new(parts: Vec<(f64, GradientsParams)>, words: ParamId) -> Self {
        let (layers, vocabulary) = (GradientsParams::new(), GradientsParams::new());
        Self {
            parts,
            words,
            layers,
            vocabulary,
            squares: None,
        }
    }
}

impl ModuleVisitor for Merge {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let weighted = self.parts.iter_mut().filter_map(|(weight, part)| {
            let gradient = part.remove::<D>(param.id)?;
            Some(if *weight == 1.0 {
                gradient
            } else {
                gradient.mul_scalar(*weight)
            })
        });
        let Some(gradient) = weighted.reduce(|sum, gradient| sum + gradient) else {
            return;
        };
        let squares = gradient.clone().square().sum();
        self.squares = Some(match self.squares.take() {
            Some(sum) => sum + squares,
            None => squares,
        });
        let group = if param.id == self.words {
            &mut self.vocabulary
        } else {
            &mut self.layers
        };
        group.register(param.id, gradient);
    }
}

struct Scale {
    scale: f64,
    from: GradientsParams,
    to: GradientsParams,
}

impl ModuleVisitor for Scale {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.from.remove::<D>(param.id) {
            self.to.register(param.id, gradient.mul_scalar(self.scale));
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
