//! A layer that norms after each sum, as the transformer did first.

use burn::module::Module;
use burn::nn::Linear;
use burn::prelude::*;

use super::{
    Attention, Batch, EmbeddingNames, FeedForward, Norm, PositionedEmbeddings, Sizes, Source,
};
use crate::EncoderError;

/// Attention and feed-forward, each added to what it was given, and then normed.
#[derive(Module, Debug)]
pub(crate) struct PostNormLayer {
    attention: Attention,
    attention_output: Linear,
    attention_norm: Norm,
    feed_forward: FeedForward,
    output_norm: Norm,
}

/// What a family calls the parts of its layers.
pub(crate) struct PostNormNames {
    /// In front of a layer's number.
    pub(crate) layers: &'static str,
    /// The maps to queries, keys and values.
    pub(crate) attention: [&'static str; 3],
    /// The map after attention.
    pub(crate) attention_output: &'static str,
    /// The norm after attention.
    pub(crate) attention_norm: &'static str,
    /// The maps out and back.
    pub(crate) feed_forward: [&'static str; 2],
    /// The norm at the end.
    pub(crate) output_norm: &'static str,
}

impl PostNormLayer {
    /// Takes all layers.
    pub(crate) fn load_all(
        source: &mut Source<'_>,
        names: &PostNormNames,
        sizes: &Sizes,
        epsilon: f64,
    ) -> Result<Vec<Self>, EncoderError> {
        (0..sizes.layers)
            .map(|index| Self::load(source, names, index, sizes, epsilon))
            .collect()
    }

    fn load(
        source: &mut Source<'_>,
        names: &PostNormNames,
        index: usize,
        sizes: &Sizes,
        epsilon: f64,
    ) -> Result<Self, EncoderError> {
        let hidden = sizes.hidden;
        let full = |name: &str| format!("{}.{index}.{name}", names.layers);
        let attention = names.attention.map(full);
        let feed_forward = names.feed_forward.map(full);
        Ok(Self {
            attention: Attention::load(
                source,
                attention.each_ref().map(String::as_str),
                hidden,
                sizes.heads,
            )?,
            attention_output: source.linear(&full(names.attention_output), hidden, hidden, true)?,
            attention_norm: Norm::load(source, &full(names.attention_norm), hidden, true, epsilon)?,
            feed_forward: FeedForward::load(
                source,
                feed_forward.each_ref().map(String::as_str),
                hidden,
                sizes.intermediate,
            )?,
            output_norm: Norm::load(source, &full(names.output_norm), hidden, true, epsilon)?,
        })
    }

    /// Returns the states after the layer, `[texts * tokens, hidden]` as before it.
    pub(crate) fn forward(&self, states: Tensor<2>, batch: &Batch) -> Tensor<2> {
        let attended = self.attention.forward(states.clone(), batch);
        self.after_attention(attended, states, batch)
    }

    /// Returns the maps to queries, keys and values.
    pub(crate) fn attention(&self) -> &Attention {
        &self.attention
    }

    /// Returns the states after the layer, given what attention gathered from the `states` before
    /// it.
    pub(crate) fn after_attention(
        &self,
        attended: Tensor<2>,
        states: Tensor<2>,
        batch: &Batch,
    ) -> Tensor<2> {
        let (linear, share) = (&self.attention_output, batch.dropout.attention_output);
        let states = self
            .attention_norm
            .after(linear, attended, states, share, batch);
        let inner = self.feed_forward.inner(states.clone(), batch);
        let (linear, share) = (self.feed_forward.output(), batch.dropout.feed_forward);
        self.output_norm.after(linear, inner, states, share, batch)
    }
}

/// Embeddings, and layers that norm after each sum.
#[derive(Module, Debug)]
pub(crate) struct PostNormEncoder {
    embeddings: PositionedEmbeddings,
    pub(crate) layers: Vec<PostNormLayer>,
}

impl PostNormEncoder {
    /// Takes the embeddings and all layers, whose norms add `epsilon` to the variance.
    pub(crate) fn load(
        source: &mut Source<'_>,
        embeddings: &EmbeddingNames,
        layers: &PostNormNames,
        sizes: &Sizes,
        epsilon: f64,
    ) -> Result<Self, EncoderError> {
        Ok(Self {
            embeddings: PositionedEmbeddings::load(source, embeddings, sizes)?,
            layers: PostNormLayer::load_all(source, layers, sizes, epsilon)?,
        })
    }

    /// States of the last layer, `[texts * tokens, hidden]`, of `words` `[texts, tokens, hidden]`.
    pub(crate) fn forward(&self, words: Tensor<3>, batch: &Batch) -> Tensor<2> {
        let states = self.embeddings.forward(words, batch);
        let layers = self.layers.iter();
        layers.fold(states, |states, layer| layer.forward(states, batch))
    }
}
