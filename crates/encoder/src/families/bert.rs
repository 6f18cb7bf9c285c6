//! BERT and XLM-R: learned positions, and a norm after each sum.
//!
//! Devlin et al. 2019 (BERT), Conneau et al. 2020 (XLM-R). mBERT, LaBSE and Multilingual-MiniLM are
//! BERTs; the last has XLM-R's tokenizer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Layout;
use crate::config::{check_layers, check_size, complete_with};
use crate::parts::{Dropout, EmbeddingNames, PostNormEncoder, PostNormNames, Source};
use crate::{EncoderConfig, EncoderError};

/// What the configurations of BERT and its descendants add to [`EncoderConfig`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BertConfig {
    /// Rows of the token type embedding.
    pub type_vocab_size: usize,
    /// Added to the variance in layer norms.
    pub layer_norm_eps: f64,
    /// Activation of the feed-forward layer; only `"gelu"` (by the error function) is known.
    pub hidden_act: String,
    /// Share of embeddings and updates that is dropped in training.
    pub hidden_dropout_prob: f64,
    /// Share of attention weights that is dropped in training.
    pub attention_probs_dropout_prob: f64,
    /// Kind of positions; only `"absolute"` is known.
    pub position_embedding_type: String,
}

impl Default for BertConfig {
    /// Returns the defaults of the Hugging Face library.
    fn default() -> Self {
        Self {
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            hidden_act: "gelu".into(),
            hidden_dropout_prob: 0.1,
            attention_probs_dropout_prob: 0.1,
            position_embedding_type: "absolute".into(),
        }
    }
}

impl BertConfig {
    pub(super) fn check(&self) -> Result<(), String> {
        check_size("type_vocab_size", self.type_vocab_size)?;
        let dropped = [self.hidden_dropout_prob, self.attention_probs_dropout_prob];
        check_layers(&self.hidden_act, self.layer_norm_eps, dropped)?;
        if self.position_embedding_type != "absolute" {
            return Err(format!(
                "position_embedding_type = {:?}, expected \"absolute\"",
                self.position_embedding_type
            ));
        }
        Ok(())
    }

    pub(super) fn dropout(&self) -> Dropout {
        Dropout::new(self.hidden_dropout_prob, self.attention_probs_dropout_prob)
    }
}

/// Fills in what a `config.json` may leave out, with the padding id of the family.
pub(super) fn complete(config: &mut Map<String, Value>, padding: usize) {
    complete_with(
        config,
        json!({"pad_token_id": padding, "max_position_embeddings": 512}),
    );
    let own = serde_json::to_value(BertConfig::default());
    complete_with(config, own.unwrap_or_default());
}

pub(super) const BERT: Layout = Layout {
    class: "BertModel",
    words: "embeddings.word_embeddings.weight",
    heads: &["pooler.", "cls."],
};

pub(super) const XLM_ROBERTA: Layout = Layout {
    class: "XLMRobertaModel",
    words: "embeddings.word_embeddings.weight",
    heads: &["pooler.", "lm_head."],
};

const LAYERS: PostNormNames = PostNormNames {
    layers: "encoder.layer",
    attention: [
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
    ],
    attention_output: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    feed_forward: ["intermediate.dense", "output.dense"],
    output_norm: "output.LayerNorm",
};

pub(super) fn load(
    config: &EncoderConfig,
    family: &BertConfig,
    source: &mut Source<'_>,
) -> Result<PostNormEncoder, EncoderError> {
    let epsilon = family.layer_norm_eps;
    let types = "embeddings.token_type_embeddings.weight";
    let embeddings = EmbeddingNames {
        positions: Some("embeddings.position_embeddings.weight"),
        types: Some((types, family.type_vocab_size)),
        norm: Some(("embeddings.LayerNorm", epsilon)),
    };
    PostNormEncoder::load(source, &embeddings, &LAYERS, &config.sizes(), epsilon)
}
