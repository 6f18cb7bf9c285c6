//! Models to begin a training from: some of a model's layers, or its shape with random weights.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::weights::{NamedTensor, WeightsReader};
use crate::{Encoder, EncoderConfig, EncoderError, Model};

/// The deviation of random weights, as in BERT and its descendants (`initializer_range`).
const DEVIATION: f32 = 0.02;

impl EncoderConfig {
    /// Says why an encoder cannot do with these of its layers, counted from zero; `None` where it can.
    pub fn refuses_layers(&self, layers: &[usize]) -> Option<String> {
        let all = self.num_hidden_layers;
        if layers.is_empty() {
            return Some("expected a layer".into());
        }
        if layers.last().is_some_and(|last| all <= *last) {
            return Some(format!("expected layers from 0 to {}", all - 1));
        }
        if !layers.is_sorted_by(|a, b| a < b) {
            return Some("expected each layer once, from the bottom".into());
        }
        let first = layers.iter().copied().eq(0..layers.len());
        if !first && !self.family.has_like_layers() {
            return Some(
                "expected the first layers: what a layer attends to follows from its place".into(),
            );
        }
        None
    }
}

impl Model {
    /// Returns the model with only these of its layers, counted from zero, from the bottom.
    ///
    /// # Errors
    /// If [`EncoderConfig::refuses_layers`] has a reason, or the device fails.
    pub fn choose_layers(mut self, layers: &[usize]) -> Result<Self, EncoderError> {
        if let Some(reason) = self.config.refuses_layers(layers) {
            return Err(EncoderError::Layers {
                layers: layers.to_vec(),
                reason,
            });
        }
        if layers.iter().copied().eq(0..layers.len()) {
            return Ok(self.with_layers(layers.len()));
        }
        let beginning = self.config.family.layer_names();
        let chosen = self
            .encoder
            .tensors()?
            .into_iter()
            .filter_map(|(name, shape, values)| {
                let Some(rest) = name.strip_prefix(beginning) else {
                    return Some((name, shape, values));
                };
                let (number, rest) = rest.split_once('.')?;
                let place = layers.binary_search(&number.parse().ok()?).ok()?;
                Some((format!("{beginning}{place}.{rest}"), shape, values))
            });
        let chosen = chosen.collect();
        self.config.num_hidden_layers = layers.len();
        self.rebuilt(chosen)
    }

    /// Returns the model with random weights in all of its encoder: normally distributed maps and
    /// embeddings, norms that change nothing, no offsets. The tokenizer and the head stay.
    ///
    /// # Errors
    /// If the device fails.
    pub fn with_random_weights(self, seed: u64) -> Result<Self, EncoderError> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut tensors = self.encoder.tensors()?;
        for (name, shape, values) in &mut tensors {
            // Only norms and offsets have one dimension.
            match (shape.len(), name.ends_with("bias")) {
                (1, true) => values.fill(0.0),
                (1, false) => values.fill(1.0),
                _ => values.fill_with(|| DEVIATION * random.sample::<f32, _>(StandardNormal)),
            }
        }
        self.rebuilt(tensors)
    }

    /// Returns the model with these tensors, which its configuration asks for.
    pub(crate) fn rebuilt(mut self, tensors: Vec<NamedTensor>) -> Result<Self, EncoderError> {
        let device = self.encoder.device();
        let mut weights = WeightsReader::of(tensors);
        self.encoder = Encoder::load(&self.config, &mut weights, &device)?;
        Ok(self)
    }
}
