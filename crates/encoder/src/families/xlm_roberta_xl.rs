//! XLM-R XL and XXL: norms before attention and feed-forward, and one after the last layer.
//!
//! Goyal et al. 2021 (arXiv 2105.00572). Its configuration is [`BertConfig`].

use burn::module::Module;
use burn::nn::Linear;
use burn::prelude::*;

use super::{BertConfig, Layout};
use crate::parts::{
    Attention, Batch, Dropout, EmbeddingNames, FeedForward, Norm, PositionedEmbeddings, Source,
    added,
};
use crate::{EncoderConfig, EncoderError};

pub(super) const LAYOUT: Layout = Layout {
    class: "XLMRobertaXLModel",
    words: "embeddings.word_embeddings.weight",
    heads: &["pooler.", "lm_head."],
};

/// Returns what is dropped in training: nothing of what the feed-forward layers add.
pub(super) fn dropout(config: &BertConfig) -> Dropout {
    Dropout {
        feed_forward: 0.0,
        ..config.dropout()
    }
}

/// Embeddings, layers and the last norm.
#[derive(Module, Debug)]
pub(crate) struct XlmRobertaXl {
    embeddings: PositionedEmbeddings,
    pub(super) layers: Vec<Layer>,
    norm: Norm,
}

/// Attention and feed-forward, each of the normed states and added to the states themselves.
#[derive(Module, Debug)]
pub(super) struct Layer {
    attention_norm: Norm,
    attention: Attention,
    attention_output: Linear,
    norm: Norm,
    feed_forward: FeedForward,
}

impl XlmRobertaXl {
    pub(super) fn load(
        config: &EncoderConfig,
        family: &BertConfig,
        source: &mut Source<'_>,
    ) -> Result<Self, EncoderError> {
        let types = "embeddings.token_type_embeddings.weight";
        let names = EmbeddingNames {
            positions: Some("embeddings.position_embeddings.weight"),
            types: Some((types, family.type_vocab_size)),
            norm: None,
        };
        let epsilon = family.layer_norm_eps;
        Ok(Self {
            embeddings: PositionedEmbeddings::load(source, &names, &config.sizes())?,
            layers: (0..config.num_hidden_layers)
                .map(|index| Layer::load(config, epsilon, index, source))
                .collect::<Result<_, _>>()?,
            norm: Norm::load(
                source,
                "encoder.LayerNorm",
                config.hidden_size,
                true,
                epsilon,
            )?,
        })
    }

    pub(super) fn forward(&self, words: Tensor<3>, batch: &Batch) -> Tensor<2> {
        let states = self.embeddings.forward(words, batch);
        let layers = self.layers.iter();
        let states = layers.fold(states, |states, layer| layer.forward(states, batch));
        self.norm.forward(states)
    }
}

impl Layer {
    fn load(
        config: &EncoderConfig,
        epsilon: f64,
        index: usize,
        source: &mut Source<'_>,
    ) -> Result<Self, EncoderError> {
        let (hidden, heads) = (config.hidden_size, config.num_attention_heads);
        let full = |name: &str| format!("encoder.layer.{index}.{name}");
        let [query, key, value] =
            ["query", "key", "value"].map(|name| full(&format!("attention.self.{name}")));
        let norm = full("attention.self_attn_layer_norm");
        let wide = config.intermediate_size;
        let feed_forward = [full("intermediate.dense"), full("output.dense")];
        let [intermediate, output] = &feed_forward;
        let linear = full("attention.output.dense");
        Ok(Self {
            attention_norm: Norm::load(source, &norm, hidden, true, epsilon)?,
            attention: Attention::load(source, [&query, &key, &value], hidden, heads)?,
            attention_output: source.linear(&linear, hidden, hidden, true)?,
            norm: Norm::load(source, &full("LayerNorm"), hidden, true, epsilon)?,
            feed_forward: FeedForward::load(source, [intermediate, output], hidden, wide)?,
        })
    }

    fn forward(&self, states: Tensor<2>, batch: &Batch) -> Tensor<2> {
        let normed = self.attention_norm.forward(states.clone());
        let attended = self.attention.forward(normed, batch);
        let share = batch.dropout.attention_output;
        let states = added(&self.attention_output, attended, states, share, batch);
        let inner = self
            .feed_forward
            .inner(self.norm.forward(states.clone()), batch);
        let share = batch.dropout.feed_forward;
        added(self.feed_forward.output(), inner, states, share, batch)
    }
}
