//! Positions and token types added to the word embedding.

use burn::module::Module;
use burn::nn::Embedding;
use burn::prelude::*;

use super::dropout::dropped;
use super::{Batch, Norm, Sizes, Source};
use crate::EncoderError;

/// Learned positions, the type of a single text, and a norm, where a family has them.
#[derive(Module, Debug)]
pub(crate) struct PositionedEmbeddings {
    positions: Option<Embedding>,
    types: Option<Embedding>,
    norm: Option<Norm>,
    first_position: usize,
}

/// What a family calls them, and which it has.
pub(crate) struct EmbeddingNames {
    /// The position embedding.
    pub(crate) positions: Option<&'static str>,
    /// The token type embedding, and its rows.
    pub(crate) types: Option<(&'static str, usize)>,
    /// The norm, and what it adds to the variance.
    pub(crate) norm: Option<(&'static str, f64)>,
}

impl PositionedEmbeddings {
    /// Takes the embeddings that `names` lists.
    pub(crate) fn load(
        source: &mut Source<'_>,
        names: &EmbeddingNames,
        sizes: &Sizes,
    ) -> Result<Self, EncoderError> {
        let (hidden, rows) = (sizes.hidden, sizes.positions);
        let mut embedding = |name, rows| source.embedding(name, rows, hidden);
        Ok(Self {
            positions: names
                .positions
                .map(|name| embedding(name, rows))
                .transpose()?,
            types: names
                .types
                .map(|(name, rows)| embedding(name, rows))
                .transpose()?,
            norm: names
                .norm
                .map(|(name, epsilon)| Norm::load(source, name, hidden, true, epsilon))
                .transpose()?,
            first_position: sizes.first_position,
        })
    }

    /// Returns the states before the first layer.
    ///
    /// # Shapes
    /// - `words`: `[texts, tokens, hidden]`
    /// - output: `[texts * tokens, hidden]`
    pub(crate) fn forward(&self, words: Tensor<3>, batch: &Batch) -> Tensor<2> {
        let [texts, tokens, hidden] = words.dims();
        let rows = |embedding: &Embedding, from: usize, count: usize| {
            embedding
                .weight
                .val()
                .slice([from..from + count, 0..hidden])
        };
        let positions = self
            .positions
            .as_ref()
            .map(|positions| rows(positions, self.first_position, tokens));
        let types = self.types.as_ref().map(|types| rows(types, 0, 1));
        let constant = match (positions, types) {
            (Some(positions), Some(types)) => Some(positions + types),
            (positions, types) => positions.or(types),
        };
        let states = match constant {
            Some(constant) => words + constant.unsqueeze(),
            None => words,
        };
        let mut states = states.reshape([texts * tokens, hidden]);
        if let Some(norm) = &self.norm {
            states = norm.forward(states);
        }
        dropped(states, batch.dropout.embeddings, &batch.masks)
    }
}
