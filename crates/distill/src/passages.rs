//! Passages that sentences are scored with: their vectors are given and do not move.

use burn::prelude::*;

/// Where passages are read, by their numbers in [`TrainingText::passages`](crate::TrainingText).
pub trait Passages: Sync {
    /// Returns unit vectors of a passage's tokens after the head, one after the other.
    fn vectors(&self, passage: u32) -> Vec<f32>;
}

/// The passages of a batch's sentences, the same number for each.
#[derive(Debug, Clone)]
pub struct PassageBatch {
    /// Unit vectors: `[texts, passages * tokens, d]`.
    vectors: Tensor<3>,
    /// [`HIDDEN`] for padding, zero elsewhere: `[texts, 1, passages * tokens]`.
    hidden: Tensor<3>,
    passages: usize,
}

/// Below any cosine: what padding scores.
const HIDDEN: f32 = -4.0;

impl PassageBatch {
    /// Reads the passages of each text, all texts as many, padded to the longest; vectors have
    /// `dims` numbers.
    pub(crate) fn read(
        numbers: &[Vec<u32>],
        source: &dyn Passages,
        dims: usize,
        device: &Device,
    ) -> Self {
        let texts = numbers.len();
        let passages = numbers.first().map_or(0, Vec::len);
        let found: Vec<Vec<f32>> = numbers
            .iter()
            .flatten()
            .map(|&number| source.vectors(number))
            .collect();
        let longest = found.iter().map(Vec::len).max().unwrap_or_default() / dims;
        let mut vectors = Vec::with_capacity(found.len() * longest * dims);
        let mut hidden = Vec::with_capacity(found.len() * longest);
        for own in found {
            let tokens = own.len() / dims;
            vectors.extend(own);
            vectors.resize(vectors.len() + (longest - tokens) * dims, 0.0);
            hidden.resize(hidden.len() + tokens, 0.0);
            hidden.resize(hidden.len() + longest - tokens, HIDDEN);
        }
        let shape = [texts, passages * longest, dims];
        Self {
            vectors: Tensor::from_data(TensorData::new(vectors, shape), device),
            hidden: Tensor::from_data(TensorData::new(hidden, [texts, 1, shape[1]]), device),
            passages,
        }
    }

    /// Returns late-interaction scores of each sentence with its passages, in cosine per token that
    /// takes part.
    ///
    /// # Shapes
    /// - `vectors`: unit vectors `[texts, width, d]`, with `mask` `[texts, width]` one where a token
    ///   takes part, zero elsewhere
    /// - output: `[texts, passages]`
    pub(crate) fn scores(&self, vectors: Tensor<3>, mask: Tensor<2>) -> Tensor<2> {
        let [texts, width, _] = vectors.dims();
        let tokens = self.hidden.dims()[2] / self.passages;
        let cosines = vectors.matmul(self.vectors.clone().swap_dims(1, 2)) + self.hidden.clone();
        let best = cosines
            .reshape([texts, width, self.passages, tokens])
            .max_dim(3)
            .reshape([texts, width, self.passages]);
        let count = mask.clone().sum_dim(1);
        let sum = (best * mask.reshape([texts, width, 1])).sum_dim(1);
        sum.reshape([texts, self.passages]) / count
    }
}
