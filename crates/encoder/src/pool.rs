//! One vector per text, for models that were trained to be used so.

use burn::prelude::*;
use optical_tokenize::TokenBatch;

use crate::parts::values;
use crate::{EncodeSettings, EncoderError, Model, Pooling};

impl Model {
    /// Says whether the folder lets texts be pooled so; one that says nothing of pooling does.
    ///
    /// # Errors
    /// If it pools in another way, or does more with the vector of a text.
    pub fn check_pooling(&self, pooling: Pooling) -> Result<(), EncoderError> {
        let folder = self.pooling.as_ref();
        folder.map_or(Ok(()), |folder| folder.check(pooling))
    }

    /// Encodes `texts` to one unit vector each, without the head, which is made for tokens.
    ///
    /// Texts come back in an order of their own, with their position in the call and a vector of
    /// the model's hidden size; a text of no token at all, not even a special one, does not.
    ///
    /// # Errors
    /// If the folder pools otherwise, a text is refused by the tokenizer, the device fails, or `receive`
    /// returns an error.
    pub fn encode_pooled<E: From<EncoderError>>(
        &self,
        texts: &[&str],
        pooling: Pooling,
        settings: EncodeSettings,
        device: &Device,
        mut receive: impl FnMut(usize, &[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.check_pooling(pooling)?;
        self.encode_states(texts, settings, device, |indices, batch, states| {
            let [_, width, hidden] = states.dims();
            let states = values(states)?;
            for (row, (&index, states)) in indices
                .iter()
                .zip(states.chunks_exact(width * hidden))
                .enumerate()
            {
                receive(index, &pooled(batch, row, states, hidden, pooling))?;
            }
            Ok(())
        })
    }
}

/// Returns the unit vector of one row of a batch, from its states `[width, hidden]`.
fn pooled(
    batch: &TokenBatch,
    row: usize,
    states: &[f32],
    hidden: usize,
    pooling: Pooling,
) -> Vec<f32> {
    let width = states.len() / hidden;
    let mask = &batch.mask[row * width..][..width];
    let tokens = states.chunks_exact(hidden).zip(mask);
    let tokens = tokens.filter(|(_, attended)| **attended).map(|(s, _)| s);
    let count = match pooling {
        Pooling::Mean => usize::MAX,
        Pooling::First => 1,
    };
    // In double precision: the mean of five hundred tokens would lose digits.
    let mut sum = vec![0.0_f64; hidden];
    for state in tokens.take(count) {
        for (sum, value) in sum.iter_mut().zip(state) {
            *sum += f64::from(*value);
        }
    }
    let length = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    sum.iter().map(|x| (x * scale) as f32).collect()
}
