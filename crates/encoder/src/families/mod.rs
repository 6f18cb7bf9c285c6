//! The families of encoders: for each, what is special about it.
//!
//! A family is chosen by the `model_type` of a `config.json`. Its file holds the part of the
//! configuration that it alone has, the names of its tensors, and its layers. All of them start from
//! a word embedding, which belongs to [`Encoder`](crate::Encoder), and all but one word of what they
//! share is in [`parts`](crate::parts).

mod bert;
mod deberta_v2;
mod distilbert;
mod modernbert;
mod xlm_roberta_xl;

use burn::module::{Module, ParamId, list_param_ids};
use burn::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::bert::BertConfig;
pub use self::deberta_v2::DebertaV2Config;
pub use self::distilbert::DistilBertConfig;
pub use self::modernbert::ModernBertConfig;
use crate::parts::{Batch, Dropout, PostNormEncoder, Source};
use crate::{EncoderConfig, EncoderError};

/// Families this crate runs, with what the configuration of each adds to [`EncoderConfig`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model_type")]
#[non_exhaustive]
pub enum Family {
    /// BERT, mBERT, LaBSE, Multilingual-MiniLM: positions count from zero.
    #[serde(rename = "bert")]
    Bert(BertConfig),
    /// DistilBERT: BERT without token types, under names of its own.
    #[serde(rename = "distilbert")]
    DistilBert(DistilBertConfig),
    /// XLM-R: positions count from the padding id plus one.
    #[serde(rename = "xlm-roberta")]
    XlmRoberta(BertConfig),
    /// XLM-R XL and XXL: norms stand in front.
    #[serde(rename = "xlm-roberta-xl")]
    XlmRobertaXl(BertConfig),
    /// DeBERTa v2 and v3, mDeBERTa: attention knows distances.
    #[serde(rename = "deberta-v2")]
    DebertaV2(DebertaV2Config),
    /// ModernBERT, mmBERT: rotary positions, windows of attention, gated feed-forward layers.
    #[serde(rename = "modernbert")]
    ModernBert(ModernBertConfig),
}

/// What a checkpoint of a family looks like.
pub(crate) struct Layout {
    /// The class of the Hugging Face library that reads the bare encoder.
    pub(crate) class: &'static str,
    /// The word embedding; what stands before it in a checkpoint stands before the whole encoder.
    pub(crate) words: &'static str,
    /// Beginnings of the names of this family's heads for other tasks, which are left alone.
    pub(crate) heads: &'static [&'static str],
}

impl Family {
    /// Fills in what a `config.json` may leave out, under the common names.
    pub(crate) fn complete(config: &mut Map<String, Value>) {
        match config.get("model_type").and_then(Value::as_str) {
            Some("bert") => bert::complete(config, 0),
            Some("distilbert") => distilbert::complete(config),
            Some("xlm-roberta" | "xlm-roberta-xl") => bert::complete(config, 1),
            Some("deberta-v2") => deberta_v2::complete(config),
            Some("modernbert") => modernbert::complete(config),
            _ => {}
        }
    }

    /// Puts a family's own words in place of the common ones.
    pub(crate) fn rename(&self, config: &mut Map<String, Value>) {
        if let Self::DistilBert(_) = self {
            distilbert::rename(config);
        }
    }

    pub(crate) fn layout(&self) -> &'static Layout {
        match self {
            Self::Bert(_) => &bert::BERT,
            Self::DistilBert(_) => &distilbert::LAYOUT,
            Self::XlmRoberta(_) => &bert::XLM_ROBERTA,
            Self::XlmRobertaXl(_) => &xlm_roberta_xl::LAYOUT,
            Self::DebertaV2(_) => &deberta_v2::LAYOUT,
            Self::ModernBert(_) => &modernbert::LAYOUT,
        }
    }

    /// Says why this encoder cannot be run.
    pub(crate) fn check(&self, common: &EncoderConfig) -> Result<(), String> {
        match self {
            Self::Bert(config) | Self::XlmRoberta(config) | Self::XlmRobertaXl(config) => {
                config.check()
            }
            Self::DistilBert(config) => config.check(),
            Self::DebertaV2(config) => config.check(common),
            Self::ModernBert(config) => config.check(common),
        }
    }

    /// Returns what is dropped in training.
    pub(crate) fn dropout(&self) -> Dropout {
        match self {
            Self::Bert(config) | Self::XlmRoberta(config) => config.dropout(),
            Self::DistilBert(config) => config.dropout(),
            Self::XlmRobertaXl(config) => xlm_roberta_xl::dropout(config),
            Self::DebertaV2(config) => config.dropout(),
            Self::ModernBert(config) => config.dropout(),
        }
    }

    /// Says whether any of its layers may come after any other: of ModernBERT, what a layer attends
    /// to follows from its place.
    pub(crate) fn has_like_layers(&self) -> bool {
        !matches!(self, Self::ModernBert(_))
    }

    /// Returns the beginning of the names of a layer's tensors, after which its number comes.
    pub(crate) fn layer_names(&self) -> &'static str {
        match self {
            Self::Bert(_) | Self::XlmRoberta(_) | Self::XlmRobertaXl(_) | Self::DebertaV2(_) => {
                "encoder.layer."
            }
            Self::DistilBert(_) => "transformer.layer.",
            Self::ModernBert(_) => "layers.",
        }
    }

    /// Returns the position id of a text's first token.
    pub(crate) fn first_position(&self, padding: usize) -> usize {
        match self {
            Self::XlmRoberta(_) | Self::XlmRobertaXl(_) => padding + 1,
            _ => 0,
        }
    }
}

/// What is after the word embedding.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one to a model, and it is not moved about"
)]
pub(crate) enum Body {
    PostNorm(PostNormEncoder),
    XlmRobertaXl(xlm_roberta_xl::XlmRobertaXl),
    DebertaV2(deberta_v2::DebertaV2),
    ModernBert(modernbert::ModernBert),
}

impl Body {
    /// Takes a family's tensors.
    pub(crate) fn load(
        config: &EncoderConfig,
        source: &mut Source<'_>,
    ) -> Result<Self, EncoderError> {
        Ok(match &config.family {
            Family::Bert(family) | Family::XlmRoberta(family) => {
                Self::PostNorm(bert::load(config, family, source)?)
            }
            Family::DistilBert(_) => Self::PostNorm(distilbert::load(config, source)?),
            Family::XlmRobertaXl(family) => {
                Self::XlmRobertaXl(xlm_roberta_xl::XlmRobertaXl::load(config, family, source)?)
            }
            Family::DebertaV2(family) => {
                Self::DebertaV2(deberta_v2::DebertaV2::load(config, family, source)?)
            }
            Family::ModernBert(family) => {
                Self::ModernBert(modernbert::ModernBert::load(config, family, source)?)
            }
        })
    }

    /// States of the last layer, `[texts * tokens, hidden]`, of `words` `[texts, tokens, hidden]`.
    pub(crate) fn forward(&self, words: Tensor<3>, batch: &Batch) -> Tensor<2> {
        match self {
            Self::PostNorm(body) => body.forward(words, batch),
            Self::XlmRobertaXl(body) => body.forward(words, batch),
            Self::DebertaV2(body) => body.forward(words, batch),
            Self::ModernBert(body) => body.forward(words, batch),
        }
    }

    pub(crate) fn layer_count(&self) -> usize {
        match self {
            Self::PostNorm(body) => body.layers.len(),
            Self::XlmRobertaXl(body) => body.layers.len(),
            Self::DebertaV2(body) => body.layers.len(),
            Self::ModernBert(body) => body.layers.len(),
        }
    }

    /// Returns the parameters of each layer, from the bottom.
    pub(crate) fn layer_parameters(&self) -> Vec<Vec<ParamId>> {
        fn of<M: Module>(layers: &[M]) -> Vec<Vec<ParamId>> {
            layers.iter().map(list_param_ids).collect()
        }
        match self {
            Self::PostNorm(body) => of(&body.layers),
            Self::XlmRobertaXl(body) => of(&body.layers),
            Self::DebertaV2(body) => of(&body.layers),
            Self::ModernBert(body) => of(&body.layers),
        }
    }

    /// Drops all layers but the first `count`.
    pub(crate) fn truncate(&mut self, count: usize) {
        match self {
            Self::PostNorm(body) => body.layers.truncate(count),
            Self::XlmRobertaXl(body) => body.layers.truncate(count),
            Self::DebertaV2(body) => body.layers.truncate(count),
            Self::ModernBert(body) => body.layers.truncate(count),
        }
    }
}
