//! DeBERTa v2 and v3, mDeBERTa: attention by content and, apart from it, by relative position.
//!
//! He et al. 2021 (arXiv 2006.03654) and 2023 (arXiv 2111.09543). Behind attention the layers are
//! BERT's. A distance enters twice: as the key of a query's content (`c2p`), and as the query of a
//! key's content (`p2c`). Far distances share one of a few logarithmic buckets.

use burn::module::Module;
use burn::nn::{Embedding, Linear};
use burn::prelude::*;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use super::Layout;
use crate::config::{check_layers, check_size, complete_with};
use crate::parts::{
    Batch, Dropout, EmbeddingNames, HIDDEN_SCORE, Norm, PositionedEmbeddings, PostNormLayer,
    PostNormNames, Source, attend, by_key, dropped, image, inverse_root, split_heads,
};
use crate::{EncoderConfig, EncoderError};

/// What DeBERTa's configuration adds to [`EncoderConfig`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DebertaV2Config {
    /// Rows of the token type embedding; with zero there is none.
    pub type_vocab_size: usize,
    /// Added to the variance in layer norms.
    pub layer_norm_eps: f64,
    /// Activation of the feed-forward layer; only `"gelu"` (by the error function) is known.
    pub hidden_act: String,
    /// Share of embeddings and updates that is dropped in training.
    pub hidden_dropout_prob: f64,
    /// Share of attention weights that is dropped in training.
    pub attention_probs_dropout_prob: f64,
    /// Whether attention knows distances; it has to.
    pub relative_attention: bool,
    /// Greatest distance that is told from those beyond; below one, `max_position_embeddings`.
    pub max_relative_positions: i64,
    /// Buckets of distances in either direction; below one, every distance has its own.
    pub position_buckets: i64,
    /// `"layer_norm"` if the embedding of distances is normed.
    pub norm_rel_ebd: String,
    /// Whether distances go through the maps of the content.
    pub share_att_key: bool,
    /// `"c2p"`, `"p2c"` or both.
    #[serde(deserialize_with = "list")]
    pub pos_att_type: Vec<String>,
    /// Whether positions are added to the word embedding too.
    pub position_biased_input: bool,
    /// Width of a convolution beside the first layer; only zero, no convolution, is known.
    pub conv_kernel_size: usize,
}

/// Reads a list, or its items between bars.
fn list<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        List(Vec<String>),
    }
    Ok(match Either::deserialize(source)? {
        Either::Text(text) => {
            let items = text.split('|').map(|item| item.trim().to_lowercase());
            items.filter(|item| !item.is_empty()).collect()
        }
        Either::List(list) => list,
    })
}

impl DebertaV2Config {
    pub(super) fn check(&self, config: &EncoderConfig) -> Result<(), String> {
        let dropped = [self.hidden_dropout_prob, self.attention_probs_dropout_prob];
        check_layers(&self.hidden_act, self.layer_norm_eps, dropped)?;
        if self.type_vocab_size != 0 {
            check_size("type_vocab_size", self.type_vocab_size)?;
        }
        if !self.relative_attention {
            return Err("relative_attention = false, expected true".into());
        }
        if self.conv_kernel_size != 0 {
            return Err(format!(
                "conv_kernel_size = {}, expected 0: convolutions are not known",
                self.conv_kernel_size
            ));
        }
        let known = |kind: &String| ["c2p", "p2c"].contains(&kind.as_str());
        if let Some(kind) = self.pos_att_type.iter().find(|kind| !known(kind)) {
            return Err(format!(
                "pos_att_type holds {kind:?}, expected \"c2p\" or \"p2c\""
            ));
        }
        check_size("max_relative_positions", self.greatest(config))?;
        check_size("position_buckets", self.span(config))?;
        // The formula of buckets divides by the logarithm of their ratio.
        if 0 < self.position_buckets
            && (self.span(config) < 4 || self.greatest(config) <= self.span(config))
        {
            return Err(format!(
                "position_buckets = {}, expected 4 to less than max_relative_positions = {}",
                self.position_buckets,
                self.greatest(config)
            ));
        }
        Ok(())
    }

    pub(super) fn dropout(&self) -> Dropout {
        Dropout::new(self.hidden_dropout_prob, self.attention_probs_dropout_prob)
    }

    fn greatest(&self, config: &EncoderConfig) -> usize {
        positive(self.max_relative_positions).unwrap_or(config.max_position_embeddings)
    }

    /// Returns rows of the embedding of distances in either direction.
    fn span(&self, config: &EncoderConfig) -> usize {
        positive(self.position_buckets).unwrap_or(self.greatest(config))
    }

    fn has(&self, kind: &str) -> bool {
        self.pos_att_type.iter().any(|known| known == kind)
    }
}

fn positive(value: i64) -> Option<usize> {
    usize::try_from(value).ok().filter(|&value| value != 0)
}

/// Fills in what a `config.json` may leave out.
pub(super) fn complete(config: &mut Map<String, Value>) {
    let defaults = json!({"pad_token_id": 0, "max_position_embeddings": 512, "type_vocab_size": 0,
        "layer_norm_eps": 1e-7, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1, "relative_attention": false,
        "max_relative_positions": -1, "position_buckets": -1, "norm_rel_ebd": "none",
        "share_att_key": false, "pos_att_type": [], "position_biased_input": true,
        "conv_kernel_size": 0});
    complete_with(config, defaults);
}

pub(super) const LAYOUT: Layout = Layout {
    class: "DebertaV2Model",
    words: "embeddings.word_embeddings.weight",
    heads: &[
        "pooler.",
        "cls.",
        "lm_predictions.",
        "mask_predictions.",
        "legacy_lm_head.",
        "lm_head.",
        // Files of some models hold positions that their configuration says are not used.
        "embeddings.position_embeddings.",
    ],
};

const LAYERS: PostNormNames = PostNormNames {
    layers: "encoder.layer",
    attention: [
        "attention.self.query_proj",
        "attention.self.key_proj",
        "attention.self.value_proj",
    ],
    attention_output: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    feed_forward: ["intermediate.dense", "output.dense"],
    output_norm: "output.LayerNorm",
};

/// Embeddings, distances and layers.
#[derive(Module, Debug)]
pub(crate) struct DebertaV2 {
    embeddings: PositionedEmbeddings,
    distances: Embedding,
    distance_norm: Option<Norm>,
    pub(super) layers: Vec<Layer>,
    heads: usize,
    /// Rows of `distances` in either direction.
    span: usize,
    /// Greatest distance told apart, where they are in buckets.
    bucketed: Option<usize>,
    content_to_position: bool,
    position_to_content: bool,
}

#[derive(Module, Debug)]
pub(super) struct Layer {
    layer: PostNormLayer,
    /// Maps of distances to keys and queries, where they have their own.
    position_key: Option<Linear>,
    position_query: Option<Linear>,
}

impl DebertaV2 {
    pub(super) fn load(
        config: &EncoderConfig,
        family: &DebertaV2Config,
        source: &mut Source<'_>,
    ) -> Result<Self, EncoderError> {
        let (hidden, epsilon) = (config.hidden_size, family.layer_norm_eps);
        let types = "embeddings.token_type_embeddings.weight";
        let positions = "embeddings.position_embeddings.weight";
        let names = EmbeddingNames {
            positions: family.position_biased_input.then_some(positions),
            types: (family.type_vocab_size != 0).then_some((types, family.type_vocab_size)),
            norm: Some(("embeddings.LayerNorm", epsilon)),
        };
        let span = family.span(config);
        let normed = family.norm_rel_ebd.to_lowercase().contains("layer_norm");
        let norm = normed.then_some("encoder.LayerNorm");
        let layers = PostNormLayer::load_all(source, &LAYERS, &config.sizes(), epsilon)?;
        let position = |source: &mut Source<'_>, index: usize, kind: &str, name: &str| {
            let own = !family.share_att_key && family.has(kind);
            let name = format!("encoder.layer.{index}.attention.self.{name}");
            own.then(|| source.linear(&name, hidden, hidden, true))
                .transpose()
        };
        Ok(Self {
            embeddings: PositionedEmbeddings::load(source, &names, &config.sizes())?,
            distances: source.embedding("encoder.rel_embeddings.weight", 2 * span, hidden)?,
            distance_norm: norm
                .map(|name| Norm::load(source, name, hidden, true, epsilon))
                .transpose()?,
            layers: layers
                .into_iter()
                .enumerate()
                .map(|(index, layer)| {
                    Ok(Layer {
                        layer,
                        position_key: position(source, index, "c2p", "pos_key_proj")?,
                        position_query: position(source, index, "p2c", "pos_query_proj")?,
                    })
                })
                .collect::<Result<_, EncoderError>>()?,
            heads: config.num_attention_heads,
            span,
            bucketed: (0 < family.position_buckets).then(|| family.greatest(config)),
            content_to_position: family.has("c2p"),
            position_to_content: family.has("p2c"),
        })
    }

    pub(super) fn forward(&self, words: Tensor<3>, batch: &Batch) -> Tensor<2> {
        let states = self.embeddings.forward(words, batch);
        let [rows, hidden] = states.dims();
        // Tokens that others do not attend to start from nothing, and attend to all alike.
        let hidden_tokens = batch.bias.clone().div_scalar(HIDDEN_SCORE);
        let seen = (hidden_tokens - 1.0).neg().reshape([rows, 1]);
        let states = states * seen.expand([rows, hidden]);
        let batch = &Batch {
            bias: (batch.bias.clone() + batch.bias.clone().swap_dims(2, 3)).clamp_min(HIDDEN_SCORE),
            ..batch.clone()
        };
        let mut distances = self.distances.weight.val();
        if let Some(norm) = &self.distance_norm {
            distances = norm.forward(distances);
        }
        let rows = self.rows(batch.tokens, &distances.device());
        self.layers.iter().fold(states, |states, layer| {
            let distances = dropped(distances.clone(), batch.dropout.embeddings, &batch.masks);
            let attended = self.attend(layer, states.clone(), distances, &rows, batch);
            layer.layer.after_attention(attended, states, batch)
        })
    }

    /// Attends in one layer; `rows` are those of [`Self::rows`].
    fn attend(
        &self,
        layer: &Layer,
        states: Tensor<2>,
        distances: Tensor<2>,
        [ascending, descending]: &[Tensor<1, Int>; 2],
        batch: &Batch,
    ) -> Tensor<2> {
        let content = layer.layer.attention();
        let [query, key, value] = content.project(states, batch);
        let width = query.dims()[3];
        // The distances as the tokens of one text; short texts see few of those there are.
        let count = 2 * batch.tokens;
        let project = |linear: &Linear, rows: &Tensor<1, Int>| {
            let projected = if count < 2 * self.span {
                image(linear, distances.clone().select(0, rows.clone()), batch)
            } else {
                image(linear, distances.clone(), batch).select(0, rows.clone())
            };
            split_heads(projected, [1, count], self.heads).swap_dims(2, 3)
        };
        let mut scores = query.clone().matmul(key.clone().swap_dims(2, 3));
        let mut kinds = 1;
        if self.content_to_position {
            let linear = layer.position_key.as_ref().unwrap_or(content.key());
            scores = scores + by_key(query.matmul(project(linear, descending)));
            kinds += 1;
        }
        if self.position_to_content {
            let linear = layer.position_query.as_ref().unwrap_or(content.query());
            let of_key = by_key(key.matmul(project(linear, ascending)));
            scores = scores + of_key.swap_dims(2, 3);
            kinds += 1;
        }
        let scale = inverse_root(width * kinds);
        attend(scores, value, batch.bias.clone(), scale, batch)
    }

    /// Returns rows of the embedding of distances `1 - n` to `n`, and of `n - 1` to `-n`.
    fn rows(&self, n: usize, device: &Device) -> [Tensor<1, Int>; 2] {
        let n = n as i64;
        let row = |distance: i64| {
            let distance = match self.bucketed {
                Some(greatest) => bucket(distance, self.span, greatest),
                None => distance,
            };
            (distance + self.span as i64).clamp(0, 2 * self.span as i64 - 1)
        };
        let ascending: Vec<i64> = (1 - n..=n).map(row).collect();
        let descending: Vec<i64> = (-n..n).rev().map(row).collect();
        [ascending, descending].map(|rows| {
            let shape = [rows.len()];
            Tensor::from_data(TensorData::new(rows, shape), device)
        })
    }
}

/// Returns the bucket of a distance: its own up to half of `buckets`, and logarithmic ones up to
/// `greatest`.
///
/// In single precision, as the original computes it, so that no distance crosses a bucket's edge.
fn bucket(distance: i64, buckets: usize, greatest: usize) -> i64 {
    let middle = buckets as i64 / 2;
    if distance.abs() <= middle {
        return distance;
    }
    let ratio = |value: i64| (value as f32 / middle as f32).ln();
    let steps = ratio(distance.abs()) / ratio(greatest as i64 - 1) * (middle - 1) as f32;
    (steps.ceil() as i64 + middle) * distance.signum()
}
