//! Attention in several heads (Vaswani et al. 2017).

use std::cell::RefCell;

use burn::module::Module;
use burn::nn::Linear;
use burn::prelude::*;

use super::dropout::dropped;
use super::{Batch, Source, image};
use crate::{EncoderError, ops};

/// Queries, keys and values out of the states.
#[derive(Module, Debug)]
pub(crate) struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    heads: usize,
}

impl Attention {
    /// Takes the maps `query`, `key` and `value`, each `hidden` to `hidden`.
    pub(crate) fn load(
        source: &mut Source<'_>,
        [query, key, value]: [&str; 3],
        hidden: usize,
        heads: usize,
    ) -> Result<Self, EncoderError> {
        Ok(Self {
            query: source.linear(query, hidden, hidden, true)?,
            key: source.linear(key, hidden, hidden, true)?,
            value: source.linear(value, hidden, hidden, true)?,
            heads,
        })
    }

    /// Returns what each token gathers from the others, heads side by side:
    /// `[texts * tokens, hidden]`.
    pub(crate) fn forward(&self, states: Tensor<2>, batch: &Batch) -> Tensor<2> {
        let [query, key, value] = self
            .maps()
            .map(|linear| image(linear, states.clone(), batch));
        let scale = inverse_root(query.dims()[1] / self.heads);
        if batch.dropout.attention_weights == 0.0 && batch.watched.is_none() {
            return ops::attention([query, key, value], batch.bias.clone(), self.heads, scale);
        }
        let shape = [batch.texts, batch.tokens];
        let [query, key, value] = [query, key, value].map(|x| split_heads(x, shape, self.heads));
        let scores = query.matmul(key.swap_dims(2, 3));
        attend(scores, value, batch.bias.clone(), scale, batch)
    }

    fn maps(&self) -> [&Linear; 3] {
        [&self.query, &self.key, &self.value]
    }

    /// Returns queries, keys and values, each `[texts, heads, tokens, hidden / heads]`.
    pub(crate) fn project(&self, states: Tensor<2>, batch: &Batch) -> [Tensor<4>; 3] {
        let shape = [batch.texts, batch.tokens];
        self.maps()
            .map(|linear| split_heads(image(linear, states.clone(), batch), shape, self.heads))
    }

    /// Returns the map to queries.
    pub(crate) fn query(&self) -> &Linear {
        &self.query
    }

    /// Returns the map to keys.
    pub(crate) fn key(&self) -> &Linear {
        &self.key
    }
}

/// Returns values weighed by the softmax of `scale * scores + bias`, heads side by side.
///
/// # Shapes
/// - `scores`: `[texts, heads, tokens, tokens]`
/// - `value`: `[texts, heads, tokens, width]`
/// - `bias`: `[texts, 1, tokens or 1, tokens]`
/// - output: `[texts * tokens, heads * width]`
pub(crate) fn attend(
    scores: Tensor<4>,
    value: Tensor<4>,
    bias: Tensor<4>,
    scale: f32,
    batch: &Batch,
) -> Tensor<2> {
    let weights = ops::softmax(scores, bias, scale);
    if let Some(watched) = &batch.watched {
        watched.see(weights.clone().detach());
    }
    let weights = dropped(weights, batch.dropout.attention_weights, &batch.masks);
    join_heads(weights.matmul(value), batch)
}

/// Returns `[texts * tokens, heads * width]` as `[texts, heads, tokens, width]`.
pub(crate) fn split_heads(x: Tensor<2>, [texts, tokens]: [usize; 2], heads: usize) -> Tensor<4> {
    let [_, hidden] = x.dims();
    x.reshape([texts, tokens, heads, hidden / heads])
        .swap_dims(1, 2)
}

/// Returns `[texts, heads, tokens, width]` as `[texts * tokens, heads * width]`.
fn join_heads(x: Tensor<4>, batch: &Batch) -> Tensor<2> {
    let [_, heads, _, width] = x.dims();
    x.swap_dims(1, 2)
        .reshape([batch.texts * batch.tokens, heads * width])
}

/// Returns one over the root of a head's width, which keeps the scores' variance near one.
pub(crate) fn inverse_root(width: usize) -> f32 {
    (width as f32).powf(-0.5)
}

/// How much attention each token of a batch gets: that of the layer seen last.
#[derive(Debug)]
pub(crate) struct Watched {
    /// `[texts, 1, tokens, 1]`: a token's share of what all tokens of its text ask.
    asking: Tensor<4>,
    received: RefCell<Option<Tensor<2>>>,
}

impl Watched {
    /// Creates that of a batch with `mask` `[texts, tokens]` true where there is a token.
    pub(crate) fn new(mask: Tensor<2, Bool>) -> Self {
        let asking = mask.float();
        let asking = asking.clone() / asking.sum_dim(1);
        let [texts, tokens] = asking.dims();
        Self {
            asking: asking.reshape([texts, 1, tokens, 1]),
            received: RefCell::new(None),
        }
    }

    /// Takes the weights of a layer, `[texts, heads, queries, keys]`.
    fn see(&self, weights: Tensor<4>) {
        let [texts, _, _, keys] = weights.dims();
        let received = (weights * self.asking.clone()).sum_dim(2).mean_dim(1);
        let received = received.reshape([texts, keys]);
        self.received.replace(Some(received));
    }

    /// Returns the mean over heads and over the tokens that attend: `[texts, tokens]`, each row one
    /// in all.
    pub(crate) fn received(&self) -> Tensor<2> {
        let [texts, _, tokens, _] = self.asking.dims();
        let received = self.received.borrow().clone();
        // Without a layer, no token is told from another.
        received.unwrap_or_else(|| self.asking.clone().reshape([texts, tokens]))
    }
}
