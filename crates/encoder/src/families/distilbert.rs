//! DistilBERT: BERT's layers, half as many, without token types.
//!
//! Sanh et al. 2019 (arXiv 1910.01108). Its files have names of their own for everything.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Layout;
use crate::config::{check_gelu, check_share, complete_with};
use crate::parts::{Dropout, EmbeddingNames, PostNormEncoder, PostNormNames, Source};
use crate::{EncoderConfig, EncoderError};

/// What DistilBERT's configuration adds to [`EncoderConfig`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DistilBertConfig {
    /// Activation of the feed-forward layer; only `"gelu"` (by the error function) is known.
    pub activation: String,
    /// Share of embeddings and of the feed-forward layers' updates that is dropped in training.
    pub dropout: f64,
    /// Share of attention weights that is dropped in training.
    pub attention_dropout: f64,
}

impl DistilBertConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        check_gelu("activation", &self.activation)?;
        check_share("dropout", self.dropout)?;
        check_share("attention_dropout", self.attention_dropout)
    }

    pub(super) fn dropout(&self) -> Dropout {
        Dropout {
            embeddings: self.dropout,
            attention_weights: self.attention_dropout,
            attention_output: 0.0,
            feed_forward: self.dropout,
        }
    }
}

/// This family's words for what all configurations have, and those of the others.
const RENAMED: [(&str, &str); 4] = [
    ("dim", "hidden_size"),
    ("n_layers", "num_hidden_layers"),
    ("n_heads", "num_attention_heads"),
    ("hidden_dim", "intermediate_size"),
];

/// Puts this family's words in place of the common ones.
pub(super) fn rename(config: &mut Map<String, Value>) {
    for (own, common) in RENAMED {
        if let Some(value) = config.remove(common) {
            config.insert(own.into(), value);
        }
    }
}

/// Fills in what a `config.json` may leave out, and puts the common words in place of this
/// family's.
pub(super) fn complete(config: &mut Map<String, Value>) {
    for (own, common) in RENAMED {
        if let Some(value) = config.remove(own) {
            config.insert(common.into(), value);
        }
    }
    let defaults = json!({"pad_token_id": 0, "max_position_embeddings": 512,
        "activation": "gelu", "dropout": 0.1, "attention_dropout": 0.1});
    complete_with(config, defaults);
}

pub(super) const LAYOUT: Layout = Layout {
    class: "DistilBertModel",
    words: "embeddings.word_embeddings.weight",
    heads: &["vocab_transform.", "vocab_layer_norm.", "vocab_projector."],
};

/// Added to the variance in layer norms; the configuration has no key for it.
const EPSILON: f64 = 1e-12;

const EMBEDDINGS: EmbeddingNames = EmbeddingNames {
    positions: Some("embeddings.position_embeddings.weight"),
    types: None,
    norm: Some(("embeddings.LayerNorm", EPSILON)),
};

const LAYERS: PostNormNames = PostNormNames {
    layers: "transformer.layer",
    attention: ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
    attention_output: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    feed_forward: ["ffn.lin1", "ffn.lin2"],
    output_norm: "output_layer_norm",
};

pub(super) fn load(
    config: &EncoderConfig,
    source: &mut Source<'_>,
) -> Result<PostNormEncoder, EncoderError> {
    PostNormEncoder::load(source, &EMBEDDINGS, &LAYERS, &config.sizes(), EPSILON)
}
