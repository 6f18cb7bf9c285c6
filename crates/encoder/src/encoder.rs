//! The post-norm transformer of BERT and XLM-R: token ids to token vectors.
//!
//! Devlin et al. 2019 (BERT), Conneau et al. 2020 (XLM-R). Tensors are named on disk as the
//! Hugging Face library names them, and linear weights are transposed on the way in and out,
//! because that library keeps `[out, in]` and burn keeps `[in, out]`.

use burn::module::{Module, Param, ParamId};
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::prelude::*;
use optical_tokenize::TokenBatch;

use crate::weights::{NamedTensor, WeightsReader};
use crate::{EncoderConfig, EncoderError, ops};

/// Word, position and type embeddings, then layers of attention and feed-forward.
#[derive(Module, Debug)]
pub struct Encoder {
    words: Embedding,
    positions: Embedding,
    types: Embedding,
    norm: LayerNorm,
    layers: Vec<Layer>,
    heads: usize,
    first_position: usize,
}

#[derive(Module, Debug)]
struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: LayerNorm,
    /// Of both norms, which keep theirs to themselves.
    epsilon: f64,
}

/// Added to the attention scores of padding; finite, so that a row of padding gives no NaN.
const PADDING_SCORE: f32 = -1e9;

impl Encoder {
    /// Takes the encoder's tensors out of `weights` and puts them on `device`.
    ///
    /// # Errors
    /// If a tensor is missing or misshapen; what the encoder does not use stays in `weights`.
    pub fn load(
        config: &EncoderConfig,
        weights: &mut WeightsReader,
        device: &Device,
    ) -> Result<Self, EncoderError> {
        let hidden = config.hidden_size;
        let mut source = Source {
            weights,
            device,
            epsilon: config.layer_norm_eps,
        };
        let layers = (0..config.num_hidden_layers)
            .map(|index| Layer::load(config, index, &mut source))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            words: source.embedding(WORDS, config.vocab_size, hidden)?,
            positions: source.embedding(POSITIONS, config.max_position_embeddings, hidden)?,
            types: source.embedding(TYPES, config.type_vocab_size, hidden)?,
            norm: source.layer_norm("embeddings.LayerNorm", hidden)?,
            layers,
            heads: config.num_attention_heads,
            first_position: config.first_position(),
        })
    }

    /// Token vectors of the last layer, before any head.
    ///
    /// # Shapes
    /// - `ids`: `[batch, tokens]`
    /// - `mask`: `[batch, tokens]`, true where there is a token
    /// - output: `[batch, tokens, hidden]`; rows of padding hold no meaning
    pub fn forward(&self, ids: Tensor<2, Int>, mask: Tensor<2, Bool>) -> Tensor<3> {
        let [batch, tokens] = ids.dims();
        let hidden = self.hidden_size();
        let words = self.words.forward(ids);
        let rows = self.first_position..self.first_position + tokens;
        let positions = self.positions.weight.val().slice([rows, 0..hidden]);
        let types = self.types.weight.val().slice([0..1, 0..hidden]);
        let embedded = words + (positions + types).unsqueeze();
        let mut states = self
            .norm
            .forward(embedded.reshape([batch * tokens, hidden]));
        let padding = mask.bool_not().unsqueeze_dims::<4>(&[1, 1]);
        let bias = padding.float().mul_scalar(PADDING_SCORE);
        for layer in &self.layers {
            states = layer.forward(states, &bias, self.heads, [batch, tokens]);
        }
        states.reshape([batch, tokens, hidden])
    }

    /// Token vectors of a padded batch, as by [`Self::forward`]: `[rows, width, hidden]`.
    pub fn states(&self, batch: &TokenBatch, device: &Device) -> Tensor<3> {
        let shape = [batch.rows, batch.width];
        let ids: Vec<i64> = batch.ids.iter().map(|&id| i64::from(id)).collect();
        let ids = Tensor::from_data(TensorData::new(ids, shape), device);
        let mask = Tensor::from_data(TensorData::new(batch.mask.clone(), shape), device);
        self.forward(ids, mask)
    }

    /// Width of a token vector.
    pub fn hidden_size(&self) -> usize {
        self.words.weight.dims()[1]
    }

    /// Number of layers.
    pub fn layer_count(&self) -> usize {
        self.layers.len()
    }

    /// The same encoder with only the embedding rows `rows`, in that order.
    #[must_use]
    pub fn with_vocabulary(mut self, rows: &[u32]) -> Self {
        let (id, weight, mapper) = self.words.weight.consume();
        let device = weight.device();
        let rows: Vec<i64> = rows.iter().map(|&row| i64::from(row)).collect();
        let count = rows.len();
        let indices = Tensor::<1, Int>::from_data(TensorData::new(rows, [count]), &device);
        let tracked = weight.is_require_grad();
        let mut gathered = weight.detach().select(0, indices).detach();
        if tracked {
            gathered = gathered.require_grad();
        }
        self.words.weight = Param::from_mapped_value(id, gathered, mapper);
        self
    }

    /// The same encoder with its first `count` layers only.
    #[must_use]
    pub fn with_layers(mut self, count: usize) -> Self {
        self.layers.truncate(count);
        self
    }

    /// Where the encoder lies.
    pub fn device(&self) -> Device {
        self.words.weight.device()
    }

    /// Id of the word embedding, which training gives a learning rate of its own.
    pub fn word_embedding_id(&self) -> ParamId {
        self.words.weight.id
    }

    /// The same encoder with the word embedding of `other`.
    #[must_use]
    pub fn with_words_of(mut self, other: Self) -> Self {
        self.words = other.words;
        self
    }

    /// Every tensor under its Hugging Face name.
    ///
    /// # Errors
    /// If the device fails to give its values back.
    pub fn tensors(&self) -> Result<Vec<NamedTensor>, EncoderError> {
        let mut sink = Sink::default();
        sink.matrix(WORDS, self.words.weight.val())?;
        sink.matrix(POSITIONS, self.positions.weight.val())?;
        sink.matrix(TYPES, self.types.weight.val())?;
        sink.layer_norm("embeddings.LayerNorm", &self.norm)?;
        for (index, layer) in self.layers.iter().enumerate() {
            for (name, linear) in layer.linears() {
                sink.linear(&layer_name(index, name), linear)?;
            }
            for (name, norm) in layer.norms() {
                sink.layer_norm(&layer_name(index, name), norm)?;
            }
        }
        Ok(sink.tensors)
    }
}

pub(crate) const WORDS: &str = "embeddings.word_embeddings.weight";
const POSITIONS: &str = "embeddings.position_embeddings.weight";
const TYPES: &str = "embeddings.token_type_embeddings.weight";

fn layer_name(index: usize, name: &str) -> String {
    format!("encoder.layer.{index}.{name}")
}

impl Layer {
    fn load(
        config: &EncoderConfig,
        index: usize,
        source: &mut Source<'_>,
    ) -> Result<Self, EncoderError> {
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let name = |name: &str| layer_name(index, name);
        Ok(Self {
            query: source.linear(&name("attention.self.query"), hidden, hidden)?,
            key: source.linear(&name("attention.self.key"), hidden, hidden)?,
            value: source.linear(&name("attention.self.value"), hidden, hidden)?,
            attention_output: source.linear(&name("attention.output.dense"), hidden, hidden)?,
            attention_norm: source.layer_norm(&name("attention.output.LayerNorm"), hidden)?,
            intermediate: source.linear(&name("intermediate.dense"), hidden, wide)?,
            output: source.linear(&name("output.dense"), wide, hidden)?,
            output_norm: source.layer_norm(&name("output.LayerNorm"), hidden)?,
            epsilon: config.layer_norm_eps,
        })
    }

    fn linears(&self) -> [(&'static str, &Linear); 6] {
        [
            ("attention.self.query", &self.query),
            ("attention.self.key", &self.key),
            ("attention.self.value", &self.value),
            ("attention.output.dense", &self.attention_output),
            ("intermediate.dense", &self.intermediate),
            ("output.dense", &self.output),
        ]
    }

    fn norms(&self) -> [(&'static str, &LayerNorm); 2] {
        [
            ("attention.output.LayerNorm", &self.attention_norm),
            ("output.LayerNorm", &self.output_norm),
        ]
    }

    /// `states` is `[batch * tokens, hidden]`: one matrix product a layer, not one a text.
    fn forward(
        &self,
        states: Tensor<2>,
        bias: &Tensor<4>,
        heads: usize,
        [batch, tokens]: [usize; 2],
    ) -> Tensor<2> {
        let [_, hidden] = states.dims();
        let width = hidden / heads;
        let split = |x: Tensor<2>| x.reshape([batch, tokens, heads, width]).swap_dims(1, 2);
        let query = split(self.query.forward(states.clone()));
        let key = split(self.key.forward(states.clone()));
        let value = split(self.value.forward(states.clone()));
        let scores = query.matmul(key.swap_dims(2, 3));
        let weights = ops::softmax(scores, bias.clone(), (width as f32).powf(-0.5));
        let attended = weights.matmul(value);
        let attended = attended.swap_dims(1, 2).reshape([batch * tokens, hidden]);
        let (linear, norm) = (&self.attention_output, &self.attention_norm);
        let states = self.add_and_norm(linear, norm, attended, states);
        let wide = states.clone().matmul(self.intermediate.weight.val());
        let wide = ops::gelu(wide, bias_of(&self.intermediate));
        self.add_and_norm(&self.output, &self.output_norm, wide, states)
    }

    /// The norm of `states` plus the image of `inner` under `linear`.
    fn add_and_norm(
        &self,
        linear: &Linear,
        norm: &LayerNorm,
        inner: Tensor<2>,
        states: Tensor<2>,
    ) -> Tensor<2> {
        let update = inner.matmul(linear.weight.val());
        let gamma = norm.gamma.val();
        let beta = norm
            .beta
            .as_ref()
            .map_or_else(|| gamma.zeros_like(), Param::val);
        ops::layer_norm(update, bias_of(linear), states, gamma, beta, self.epsilon)
    }
}

fn bias_of(linear: &Linear) -> Tensor<1> {
    let weight = linear.weight.val();
    let zeros = || Tensor::zeros([weight.dims()[1]], &weight.device());
    linear.bias.as_ref().map_or_else(zeros, Param::val)
}

/// Builds modules out of named tensors.
struct Source<'a> {
    weights: &'a mut WeightsReader,
    device: &'a Device,
    epsilon: f64,
}

impl Source<'_> {
    /// Parameter ids follow from names, so that an optimiser's saved state finds them again.
    fn parameter<const D: usize>(&self, name: &str, values: Tensor<D>) -> Param<Tensor<D>> {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let values = if self.device.is_autodiff() {
            values.require_grad()
        } else {
            values
        };
        Param::initialized(ParamId::from(hash), values)
    }

    fn vector(&mut self, name: &str, size: usize) -> Result<Param<Tensor<1>>, EncoderError> {
        let values = self.weights.take(name, &[size])?;
        let tensor = Tensor::from_data(TensorData::new(values, [size]), self.device);
        Ok(self.parameter(name, tensor))
    }

    fn embedding(
        &mut self,
        name: &str,
        rows: usize,
        width: usize,
    ) -> Result<Embedding, EncoderError> {
        let values = self.weights.take(name, &[rows, width])?;
        let tensor = Tensor::from_data(TensorData::new(values, [rows, width]), self.device);
        // Parameters of burn's modules are created lazily: the random ones are never made.
        let mut embedding = EmbeddingConfig::new(rows, width).init(self.device);
        embedding.weight = self.parameter(name, tensor);
        Ok(embedding)
    }

    fn linear(&mut self, name: &str, input: usize, output: usize) -> Result<Linear, EncoderError> {
        let weight = format!("{name}.weight");
        let values = transpose(
            &self.weights.take(&weight, &[output, input])?,
            output,
            input,
        );
        let tensor = Tensor::from_data(TensorData::new(values, [input, output]), self.device);
        let mut linear = LinearConfig::new(input, output).init(self.device);
        linear.weight = self.parameter(&weight, tensor);
        linear.bias = Some(self.vector(&format!("{name}.bias"), output)?);
        Ok(linear)
    }

    fn layer_norm(&mut self, name: &str, size: usize) -> Result<LayerNorm, EncoderError> {
        let mut norm = LayerNormConfig::new(size)
            .with_epsilon(self.epsilon)
            .init(self.device);
        norm.gamma = self.vector(&format!("{name}.weight"), size)?;
        norm.beta = Some(self.vector(&format!("{name}.bias"), size)?);
        Ok(norm)
    }
}

/// Reads modules back as named tensors.
#[derive(Default)]
struct Sink {
    tensors: Vec<NamedTensor>,
}

impl Sink {
    fn matrix(&mut self, name: &str, tensor: Tensor<2>) -> Result<(), EncoderError> {
        let shape = tensor.dims().to_vec();
        self.tensors.push((name.to_owned(), shape, values(tensor)?));
        Ok(())
    }

    fn vector(&mut self, name: String, tensor: Tensor<1>) -> Result<(), EncoderError> {
        self.tensors
            .push((name, tensor.dims().to_vec(), values(tensor)?));
        Ok(())
    }

    fn linear(&mut self, name: &str, linear: &Linear) -> Result<(), EncoderError> {
        let [input, output] = linear.weight.dims();
        let weight = transpose(&values(linear.weight.val())?, input, output);
        self.tensors
            .push((format!("{name}.weight"), vec![output, input], weight));
        match &linear.bias {
            Some(bias) => self.vector(format!("{name}.bias"), bias.val()),
            None => Ok(()),
        }
    }

    fn layer_norm(&mut self, name: &str, norm: &LayerNorm) -> Result<(), EncoderError> {
        self.vector(format!("{name}.weight"), norm.gamma.val())?;
        match &norm.beta {
            Some(beta) => self.vector(format!("{name}.bias"), beta.val()),
            None => Ok(()),
        }
    }
}

/// Values of a tensor in row-major order.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, EncoderError> {
    tensor
        .into_data()
        .try_to_vec::<f32>()
        .map_err(|error| EncoderError::Device(format!("{error:?}")))
}

/// The transpose of a row-major `[rows, columns]` matrix.
fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut transposed = vec![0.0; values.len()];
    for (row, line) in values.chunks_exact(columns).enumerate() {
        for (column, &value) in line.iter().enumerate() {
            transposed[column * rows + row] = value;
        }
    }
    transposed
}
