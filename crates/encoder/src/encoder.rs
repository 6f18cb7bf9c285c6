//! The encoder: token ids to token vectors, whatever its family.

use std::collections::HashSet;
use std::rc::Rc;

use burn::module::{Module, ModuleMapper, Param, ParamId, list_param_ids};
use burn::nn::Embedding;
use burn::prelude::*;
use optical_tokenize::TokenBatch;

use crate::families::Body;
use crate::parts::{Batch, Mode, Names, Precision, Source, Watched};
use crate::weights::{NamedTensor, WeightsReader};
use crate::{EncoderConfig, EncoderError};

/// A word embedding, and a family's layers after it.
#[derive(Module, Debug)]
pub struct Encoder {
    words: Embedding,
    body: Body,
    #[module(skip)]
    names: Names,
    #[module(skip)]
    mode: Mode,
}

impl Encoder {
    /// Takes the encoder's tensors out of `weights`, whatever stands before their names, and puts them
    /// on `device`.
    ///
    /// # Errors
    /// If tensors are missing, all of which are named, or one is misshapen; what the encoder does not use stays in `weights`.
    pub fn load(
        config: &EncoderConfig,
        weights: &mut WeightsReader,
        device: &Device,
    ) -> Result<Self, EncoderError> {
        let words = config.family.layout().words;
        weights.strip_prefix_of(words)?;
        let mut source = Source::new(weights, device);
        let body = Body::load(config, &mut source)?;
        let words = source.embedding(words, config.vocab_size, config.hidden_size)?;
        let names = source.into_names()?;
        Ok(Self {
            words,
            body,
            names,
            mode: Mode::default(),
        })
    }

    /// Returns token vectors of the last layer, before any head.
    ///
    /// # Shapes
    /// - `ids`: `[batch, tokens]`
    /// - `mask`: `[batch, tokens]`, true where there is a token
    /// - output: `[batch, tokens, hidden]`; rows of padding hold no meaning
    pub fn forward(&self, ids: Tensor<2, Int>, mask: Tensor<2, Bool>) -> Tensor<3> {
        self.through(ids, &Batch::new(mask, self.mode))
    }

    /// Returns token vectors of a padded batch, as by [`Self::forward`]: `[rows, width, hidden]`.
    pub fn states(&self, batch: &TokenBatch, device: &Device) -> Tensor<3> {
        let (ids, mask) = on_device(batch, device);
        self.forward(ids, mask)
    }

    /// Returns token vectors as by [`Self::states`], and the attention each token gets in the last
    /// layer: the mean over heads and over the tokens that attend. Attention is constant, and takes
    /// the slower way that keeps its weights.
    ///
    /// # Shapes
    /// - vectors: `[rows, width, hidden]`
    /// - attention: `[rows, width]`, each row one in all and zero for padding
    pub fn states_and_attention(
        &self,
        batch: &TokenBatch,
        device: &Device,
    ) -> (Tensor<3>, Tensor<2>) {
        let (ids, mask) = on_device(batch, device);
        let watched = Rc::new(Watched::new(mask.clone()));
        let batch = Batch {
            watched: Some(watched.clone()),
            ..Batch::new(mask, self.mode)
        };
        (self.through(ids, &batch), watched.received())
    }

    fn through(&self, ids: Tensor<2, Int>, batch: &Batch) -> Tensor<3> {
        let states = self.body.forward(self.words.forward(ids), batch);
        states.reshape([batch.texts, batch.tokens, self.hidden_size()])
    }

    /// Returns the width of a token vector.
    pub fn hidden_size(&self) -> usize {
        self.words.weight.dims()[1]
    }

    /// Returns the number of layers.
    pub fn layer_count(&self) -> usize {
        self.body.layer_count()
    }

    /// Returns the same encoder with only the embedding rows `rows`, in that order.
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

    /// Returns the same encoder with its first `count` layers only.
    #[must_use]
    pub fn with_layers(mut self, count: usize) -> Self {
        self.body.truncate(count);
        self
    }

    /// Returns the same encoder that drops, on an autodiff device, the shares of values that
    /// `config` says its authors dropped in training. Without this call nothing is dropped.
    ///
    /// What is dropped follows from `seed`, the same in every pass: each step needs one of its own.
    #[must_use]
    pub fn with_dropout(mut self, config: &EncoderConfig, seed: u64) -> Self {
        self.mode.dropout = config.dropout();
        self.mode.seed = seed;
        self
    }

    /// Returns the same encoder with products with weights in other numbers.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.mode.precision = precision;
        self
    }

    /// Returns the device that the encoder is on.
    pub fn device(&self) -> Device {
        self.words.weight.device()
    }

    /// Returns the id of the word embedding, which training gives a learning rate of its own.
    pub fn word_embedding_id(&self) -> ParamId {
        self.words.weight.id
    }

    /// Returns the parameters after the word embedding by depth: those in front of all layers
    /// (positions and the like) and of families that share some among layers, then each layer's,
    /// from the bottom.
    pub fn parameters_by_depth(&self) -> Vec<Vec<ParamId>> {
        let layers = self.body.layer_parameters();
        let deeper: HashSet<ParamId> = layers.iter().flatten().copied().collect();
        let mut first = list_param_ids(&self.body);
        first.retain(|id| !deeper.contains(id));
        std::iter::once(first).chain(layers).collect()
    }

    /// Returns the same encoder without gradients in its first `layers` layers and what is in front
    /// of them, nor, if `words`, in the word embedding. Where nothing below a layer has gradients,
    /// none of the work below is recorded or gone back through.
    #[must_use]
    pub fn frozen(self, layers: usize, words: bool) -> Self {
        let depths = if layers == 0 { 0 } else { layers + 1 };
        let by_depth = self.parameters_by_depth();
        let mut ids: HashSet<ParamId> = by_depth.into_iter().take(depths).flatten().collect();
        if words {
            ids.insert(self.words.weight.id);
        }
        self.map(&mut Freeze { ids })
    }

    /// Returns every tensor under its Hugging Face name.
    ///
    /// # Errors
    /// If the device fails to give its values back.
    pub fn tensors(&self) -> Result<Vec<NamedTensor>, EncoderError> {
        self.names.tensors(self)
    }
}

/// Takes the gradient from some parameters.
struct Freeze {
    ids: HashSet<ParamId>,
}

impl ModuleMapper for Freeze {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.ids.contains(&param.id) {
            param.set_require_grad(false)
        } else {
            param
        }
    }
}

/// Ids and mask of a batch, each `[rows, width]`.
fn on_device(batch: &TokenBatch, device: &Device) -> (Tensor<2, Int>, Tensor<2, Bool>) {
    let shape = [batch.rows, batch.width];
    let ids: Vec<i64> = batch.ids.iter().map(|&id| i64::from(id)).collect();
    let ids = Tensor::from_data(TensorData::new(ids, shape), device);
    let mask = Tensor::from_data(TensorData::new(batch.mask.clone(), shape), device);
    (ids, mask)
}
