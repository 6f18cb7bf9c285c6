//! Weight interpolation: a model part of the way to one that was tuned from it.
//!
//! Wortsman et al. 2022, "Robust fine-tuning of zero-shot models" (arXiv 2109.01903): the mean of
//! the weights before and after fine-tuning keeps most of what tuning brought and forgets less.

use optical_tokenize::Tokenizer;

use crate::{EncoderError, Head, Model};

impl Model {
    /// Returns the model with weights `(1 − share) · self + share · tuned`, in the vocabulary of
    /// `self`.
    ///
    /// `tuned` began as a copy of `self`, perhaps with fewer layers and a pruned vocabulary. The
    /// result has its layers; vocabulary entries that it lacks keep the rows of `self`. The head is the
    /// mean of both, or that of `tuned` where `self` has none of its shape.
    ///
    /// # Errors
    /// If `tuned` has a vocabulary entry or a tensor that `self` lacks, or the device fails.
    pub fn interpolate(self, tuned: &Self, share: f64) -> Result<Self, EncoderError> {
        let rows = shared_rows(&tuned.tokenizer, &self.tokenizer)?;
        let mut model = self.with_layers(tuned.encoder.layer_count());
        let words = model.config.family.layout().words;
        let mut tensors = model.encoder.tensors()?;
        for ((name, shape, values), (tuned_name, tuned_shape, tuned_values)) in
            tensors.iter_mut().zip(tuned.encoder.tensors()?)
        {
            let width = shape[1..].iter().product::<usize>();
            let rows: &mut dyn Iterator<Item = usize> = if name == words {
                &mut rows.iter().copied()
            } else {
                &mut (0..shape[0])
            };
            if *name != tuned_name || shape[1..] != tuned_shape[1..] {
                return Err(different(&format!(
                    "{tuned_name} {tuned_shape:?} in place of {name} {shape:?}"
                )));
            }
            for (row, tuned) in rows.zip(tuned_values.chunks_exact(width)) {
                move_towards(&mut values[row * width..], tuned, share);
            }
        }
        model.head = match (model.head, &tuned.head) {
            (Some(head), Some(tuned)) if head.is_like(tuned) => Some(head.towards(tuned, share)),
            (_, tuned) => tuned.clone(),
        };
        model.rebuilt(tensors)
    }
}

impl Head {
    fn is_like(&self, other: &Self) -> bool {
        (self.input, self.output) == (other.input, other.output)
    }

    fn towards(mut self, tuned: &Self, share: f64) -> Self {
        move_towards(&mut self.weight, &tuned.weight, share);
        move_towards(&mut self.bias, &tuned.bias, share);
        self
    }
}

/// Moves values a share of the way to others.
fn move_towards(values: &mut [f32], tuned: &[f32], share: f64) {
    for (value, tuned) in values.iter_mut().zip(tuned) {
        let mean = (1.0 - share) * f64::from(*value) + share * f64::from(*tuned);
        *value = mean as f32;
    }
}

/// Finds, for each entry of the vocabulary `of`, the row of the same entry in the vocabulary
/// `within`.
fn shared_rows(of: &Tokenizer, within: &Tokenizer) -> Result<Vec<usize>, EncoderError> {
    (0..of.vocabulary_size() as u32)
        .map(|id| {
            let piece = of.piece(id).unwrap_or_default();
            within
                .id(&piece)
                .map(|row| row as usize)
                .ok_or_else(|| different(&format!("a vocabulary entry {piece:?}")))
        })
        .collect()
}

fn different(what: &str) -> EncoderError {
    EncoderError::NotTunedFrom {
        what: what.to_owned(),
    }
}
