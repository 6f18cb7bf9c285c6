//! ModernBERT and mmBERT: rotary positions, gated feed-forward layers, and attention that in most
//! layers reaches no further than a window.
//!
//! Warner et al. 2024 (arXiv 2412.13663), Marone et al. 2025 (arXiv 2509.06888). Norms stand before
//! attention and feed-forward, but for the first attention, which reads the normed embeddings.

use burn::module::Module;
use burn::nn::Linear;
use burn::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Layout;
use crate::config::{check_epsilon, check_gelu, check_share, check_size, complete_with};
use crate::parts::{
    Batch, Dropout, HIDDEN_SCORE, Norm, Rotation, Source, added, attend, dropped, image,
    inverse_root, split_heads,
};
use crate::{EncoderConfig, EncoderError, ops};

/// What ModernBERT's configuration adds to [`EncoderConfig`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModernBertConfig {
    /// Activation of the feed-forward layer; only `"gelu"` (by the error function) is known.
    pub hidden_activation: String,
    /// Added to the variance in layer norms.
    pub norm_eps: f64,
    /// Whether layer norms have an offset.
    pub norm_bias: bool,
    /// Whether the maps of attention have a bias.
    pub attention_bias: bool,
    /// Whether the maps of the feed-forward layer have a bias.
    pub mlp_bias: bool,
    /// The first layer attends globally, and then one in every this many.
    pub global_attn_every_n_layers: usize,
    /// Width of the window of the other layers: half of it to either side.
    pub local_attention: usize,
    /// Base of the rotary angles in global layers.
    pub global_rope_theta: f64,
    /// Base of the rotary angles in local layers; the global one if there is none.
    pub local_rope_theta: Option<f64>,
    /// Share of embeddings that is dropped in training.
    pub embedding_dropout: f64,
    /// Share of attention weights, and of attention's updates, that is dropped in training.
    pub attention_dropout: f64,
    /// Share of the feed-forward layer's inner values that is dropped in training.
    pub mlp_dropout: f64,
    /// Kind of each layer, as newer files say; it has to agree with `global_attn_every_n_layers`.
    #[serde(default, skip_serializing)]
    pub layer_types: Vec<String>,
    /// Stretching of the rotary angles; none is known.
    #[serde(default, skip_serializing)]
    pub rope_scaling: Option<Value>,
}

impl ModernBertConfig {
    pub(super) fn check(&self, config: &EncoderConfig) -> Result<(), String> {
        check_gelu("hidden_activation", &self.hidden_activation)?;
        check_epsilon("norm_eps", self.norm_eps)?;
        check_size(
            "global_attn_every_n_layers",
            self.global_attn_every_n_layers,
        )?;
        check_size("local_attention", self.local_attention)?;
        check_share("embedding_dropout", self.embedding_dropout)?;
        check_share("attention_dropout", self.attention_dropout)?;
        check_share("mlp_dropout", self.mlp_dropout)?;
        for (key, theta) in [
            ("global_rope_theta", self.global_rope_theta),
            ("local_rope_theta", self.local_theta()),
        ] {
            if !(1.0 < theta && theta.is_finite()) {
                return Err(format!("{key} = {theta}, expected more than 1"));
            }
        }
        for (layer, kind) in self.layer_types.iter().enumerate() {
            if (kind == FULL) != self.is_global(layer) {
                return Err(format!(
                    "layer_types[{layer}] = {kind:?}, expected \"full_attention\" every {} layers",
                    self.global_attn_every_n_layers
                ));
            }
        }
        if let Some(scaling) = &self.rope_scaling {
            return Err(format!("rope_scaling = {scaling}, expected null"));
        }
        let width = config.hidden_size / config.num_attention_heads;
        if !width.is_multiple_of(2) {
            return Err(format!(
                "hidden_size / num_attention_heads = {width}, expected an even width to turn"
            ));
        }
        Ok(())
    }

    pub(super) fn dropout(&self) -> Dropout {
        Dropout {
            embeddings: self.embedding_dropout,
            attention_weights: self.attention_dropout,
            attention_output: self.attention_dropout,
            feed_forward: self.mlp_dropout,
        }
    }

    fn local_theta(&self) -> f64 {
        self.local_rope_theta.unwrap_or(self.global_rope_theta)
    }

    fn is_global(&self, layer: usize) -> bool {
        layer.is_multiple_of(self.global_attn_every_n_layers)
    }
}

const FULL: &str = "full_attention";

/// Fills in what a `config.json` may leave out, and reads what newer ones say in other words.
pub(super) fn complete(config: &mut Map<String, Value>) {
    if let Some(types) = config.get("layer_types").and_then(Value::as_array) {
        let mut after_first = types.iter().skip(1);
        let every = after_first.position(|kind| kind == FULL);
        let every = every.map_or(types.len(), |place| place + 1);
        config.insert("global_attn_every_n_layers".into(), every.into());
    }
    for (kind, key) in [
        (FULL, "global_rope_theta"),
        ("sliding_attention", "local_rope_theta"),
    ] {
        let parameters = config.get("rope_parameters").map(|all| &all[kind]);
        let Some(parameters) = parameters
            .filter(|parameters| parameters.is_object())
            .cloned()
        else {
            continue;
        };
        config.insert(key.into(), parameters["rope_theta"].clone());
        if !["default", ""].contains(&parameters["rope_type"].as_str().unwrap_or_default()) {
            config.insert("rope_scaling".into(), parameters);
        }
    }
    // Null means the global base, so it does not stand for what was left out.
    config
        .entry("local_rope_theta")
        .or_insert_with(|| 10_000.0.into());
    let defaults = json!({"pad_token_id": 50_283, "max_position_embeddings": 8192,
        "hidden_activation": "gelu", "norm_eps": 1e-5, "norm_bias": false,
        "attention_bias": false, "mlp_bias": false, "global_attn_every_n_layers": 3,
        "local_attention": 128, "global_rope_theta": 160_000.0,
        "embedding_dropout": 0.0, "attention_dropout": 0.0, "mlp_dropout": 0.0});
    complete_with(config, defaults);
}

pub(super) const LAYOUT: Layout = Layout {
    class: "ModernBertModel",
    words: "embeddings.tok_embeddings.weight",
    heads: &["head.", "decoder."],
};

/// The norm of the embeddings, the layers and the last norm.
#[derive(Module, Debug)]
pub(crate) struct ModernBert {
    norm: Norm,
    pub(super) layers: Vec<Layer>,
    final_norm: Norm,
    /// Tokens to either side that local layers reach.
    reach: usize,
    global_theta: f64,
    local_theta: f64,
}

#[derive(Module, Debug)]
pub(super) struct Layer {
    attention_norm: Option<Norm>,
    /// Queries, keys and values in one map.
    queries_keys_values: Linear,
    attention_output: Linear,
    norm: Norm,
    /// What is activated, and what it is gated by, in one map.
    gated: Linear,
    output: Linear,
    heads: usize,
    global: bool,
}

/// What the layers of one kind add to and turn before the scores.
struct View {
    bias: Tensor<4>,
    rotation: Rotation,
}

impl ModernBert {
    pub(super) fn load(
        config: &EncoderConfig,
        family: &ModernBertConfig,
        source: &mut Source<'_>,
    ) -> Result<Self, EncoderError> {
        let norm = |source: &mut Source<'_>, name: &str| {
            let (offset, epsilon) = (family.norm_bias, family.norm_eps);
            Norm::load(source, name, config.hidden_size, offset, epsilon)
        };
        Ok(Self {
            norm: norm(source, "embeddings.norm")?,
            layers: (0..config.num_hidden_layers)
                .map(|index| Layer::load(config, family, index, source, norm))
                .collect::<Result<_, _>>()?,
            final_norm: norm(source, "final_norm")?,
            reach: family.local_attention / 2,
            global_theta: family.global_rope_theta,
            local_theta: family.local_theta(),
        })
    }

    pub(super) fn forward(&self, words: Tensor<3>, batch: &Batch) -> Tensor<2> {
        let [texts, tokens, hidden] = words.dims();
        let states = self.norm.forward(words.reshape([texts * tokens, hidden]));
        let states = dropped(states, batch.dropout.embeddings, &batch.masks);
        let device = states.device();
        let view = |theta: f64, bias: Tensor<4>| {
            let width = hidden / self.layers.first().map_or(1, |layer| layer.heads);
            View {
                bias,
                rotation: Rotation::new(tokens, width, theta, &device),
            }
        };
        let global = view(self.global_theta, batch.bias.clone());
        let local = view(self.local_theta, self.windowed(batch));
        let states = self.layers.iter().fold(states, |states, layer| {
            let view = if layer.global { &global } else { &local };
            layer.forward(states, view, batch)
        });
        self.final_norm.forward(states)
    }

    /// Returns the bias of a batch, with keys out of reach hidden too:
    /// `[texts, 1, tokens or 1, tokens]`.
    fn windowed(&self, batch: &Batch) -> Tensor<4> {
        let tokens = batch.tokens;
        if tokens <= self.reach + 1 {
            return batch.bias.clone();
        }
        let score = |place: usize| {
            let distance = (place / tokens).abs_diff(place % tokens);
            if self.reach < distance {
                HIDDEN_SCORE
            } else {
                0.0
            }
        };
        let window: Vec<f32> = (0..tokens * tokens).map(score).collect();
        let window = TensorData::new(window, [1, 1, tokens, tokens]);
        let window = Tensor::from_data(window, &batch.bias.device());
        // A key that is hidden twice is not hidden more: rows of nothing else stay even.
        (batch.bias.clone() + window).clamp_min(HIDDEN_SCORE)
    }
}

impl Layer {
    fn load(
        config: &EncoderConfig,
        family: &ModernBertConfig,
        index: usize,
        source: &mut Source<'_>,
        norm: impl Fn(&mut Source<'_>, &str) -> Result<Norm, EncoderError>,
    ) -> Result<Self, EncoderError> {
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let full = |name: &str| format!("layers.{index}.{name}");
        let (attention, mlp) = (family.attention_bias, family.mlp_bias);
        Ok(Self {
            attention_norm: (index != 0)
                .then(|| norm(source, &full("attn_norm")))
                .transpose()?,
            queries_keys_values: source.linear(
                &full("attn.Wqkv"),
                hidden,
                3 * hidden,
                attention,
            )?,
            attention_output: source.linear(&full("attn.Wo"), hidden, hidden, attention)?,
            norm: norm(source, &full("mlp_norm"))?,
            gated: source.linear(&full("mlp.Wi"), hidden, 2 * wide, mlp)?,
            output: source.linear(&full("mlp.Wo"), wide, hidden, mlp)?,
            heads: config.num_attention_heads,
            global: family.is_global(index),
        })
    }

    fn forward(&self, states: Tensor<2>, view: &View, batch: &Batch) -> Tensor<2> {
        let normed = match &self.attention_norm {
            Some(norm) => norm.forward(states.clone()),
            None => states.clone(),
        };
        let attended = self.attend(normed, view, batch);
        let share = batch.dropout.attention_output;
        let states = added(&self.attention_output, attended, states, share, batch);
        let inner = self.inner(self.norm.forward(states.clone()), batch);
        let inner = dropped(inner, batch.dropout.feed_forward, &batch.masks);
        added(&self.output, inner, states, 0.0, batch)
    }

    fn attend(&self, states: Tensor<2>, view: &View, batch: &Batch) -> Tensor<2> {
        let [_, hidden] = states.dims();
        let all = image(&self.queries_keys_values, states, batch);
        let [query, key, value] = [0, 1, 2].map(|part| {
            let part = all.clone().slice_dim(1, part * hidden..(part + 1) * hidden);
            split_heads(part, [batch.texts, batch.tokens], self.heads)
        });
        let scale = inverse_root(query.dims()[3]);
        let key = view.rotation.turn(key).swap_dims(2, 3);
        let scores = view.rotation.turn(query).matmul(key);
        attend(scores, value, view.bias.clone(), scale, batch)
    }

    /// Returns `GELU(a) * b` of the two halves `a` and `b` of the map's image (Shazeer 2020,
    /// GEGLU).
    fn inner(&self, states: Tensor<2>, batch: &Batch) -> Tensor<2> {
        let both = image(&self.gated, states, batch);
        let [_, width] = both.dims();
        let [input, gate] = [0, 1].map(|half| {
            both.clone()
                .slice_dim(1, half * width / 2..(half + 1) * width / 2)
        });
        let zeros = Tensor::zeros([width / 2], &both.device());
        ops::gelu(input, zeros) * gate
    }
}
