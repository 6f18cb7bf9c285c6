//! Parameters by the names that a checkpoint gives them.
//!
//! A parameter's id is a hash of its name, so that an optimiser's saved state finds it again, and so
//! that a module's tensors can be written under their names without a second list of them. Linear
//! weights are transposed on the way in and out, because the Hugging Face library keeps `[out, in]`
//! and burn keeps `[in, out]`.

use std::collections::HashMap;
use std::sync::Arc;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::prelude::*;

use crate::EncoderError;
use crate::weights::{NamedTensor, WeightsReader};

/// What parameters are called on disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(Arc<HashMap<ParamId, Name>>);

#[derive(Debug, Clone)]
struct Name {
    name: String,
    transposed: bool,
}

impl Names {
    /// Returns every tensor of `module` under its name, as it is on disk.
    ///
    /// # Errors
    /// If the device fails to give its values back.
    pub(crate) fn tensors(&self, module: &impl Module) -> Result<Vec<NamedTensor>, EncoderError> {
        let mut sink = Sink {
            names: self,
            tensors: Ok(Vec::new()),
        };
        module.visit(&mut sink);
        sink.tensors
    }
}

struct Sink<'a> {
    names: &'a Names,
    tensors: Result<Vec<NamedTensor>, EncoderError>,
}

impl ModuleVisitor for Sink<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let (Ok(tensors), Some(name)) = (&mut self.tensors, self.names.0.get(&param.id)) else {
            return;
        };
        let shape = param.dims();
        match values(param.val()) {
            Ok(values) if name.transposed => tensors.push((
                name.name.clone(),
                vec![shape[1], shape[0]],
                transpose(&values, shape[0], shape[1]),
            )),
            Ok(values) => tensors.push((name.name.clone(), shape.to_vec(), values)),
            Err(error) => self.tensors = Err(error),
        }
    }
}

/// Builds modules out of named tensors.
pub(crate) struct Source<'a> {
    weights: &'a mut WeightsReader,
    device: &'a Device,
    names: HashMap<ParamId, Name>,
}

impl<'a> Source<'a> {
    /// Modules of `weights` on `device`.
    pub(crate) fn new(weights: &'a mut WeightsReader, device: &'a Device) -> Self {
        Self {
            weights,
            device,
            names: HashMap::new(),
        }
    }

    /// Returns what was taken, by its names.
    ///
    /// # Errors
    /// If something was missing; zeros stood for it until here.
    pub(crate) fn into_names(self) -> Result<Names, EncoderError> {
        self.weights.check_missing()?;
        Ok(Names(Arc::new(self.names)))
    }

    /// Takes a vector.
    pub(crate) fn vector(
        &mut self,
        name: &str,
        size: usize,
    ) -> Result<Param<Tensor<1>>, EncoderError> {
        let values = self.weights.take_or_note(name, &[size])?;
        Ok(self.parameter(name, values, [size], false))
    }

    /// Takes an embedding.
    pub(crate) fn embedding(
        &mut self,
        name: &str,
        rows: usize,
        width: usize,
    ) -> Result<Embedding, EncoderError> {
        let values = self.weights.take_or_note(name, &[rows, width])?;
        // Parameters of burn's modules are created lazily: the random ones are never made.
        let mut embedding = EmbeddingConfig::new(rows, width).init(self.device);
        embedding.weight = self.parameter(name, values, [rows, width], false);
        Ok(embedding)
    }

    /// Takes `name.weight` and, if it is `biased`, `name.bias`.
    pub(crate) fn linear(
        &mut self,
        name: &str,
        input: usize,
        output: usize,
        biased: bool,
    ) -> Result<Linear, EncoderError> {
        let weight = format!("{name}.weight");
        let values = self.weights.take_or_note(&weight, &[output, input])?;
        let values = transpose(&values, output, input);
        let mut linear = LinearConfig::new(input, output)
            .with_bias(false)
            .init(self.device);
        linear.weight = self.parameter(&weight, values, [input, output], true);
        if biased {
            linear.bias = Some(self.vector(&format!("{name}.bias"), output)?);
        }
        Ok(linear)
    }

    fn parameter<const D: usize>(
        &mut self,
        name: &str,
        values: Vec<f32>,
        shape: [usize; D],
        transposed: bool,
    ) -> Param<Tensor<D>> {
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let id = ParamId::from(hash);
        let name = name.to_owned();
        self.names.insert(id, Name { name, transposed });
        let tensor = Tensor::from_data(TensorData::new(values, shape), self.device);
        let tensor = if self.device.is_autodiff() {
            tensor.require_grad()
        } else {
            tensor
        };
        Param::initialized(id, tensor)
    }
}

/// Returns values of a tensor in row-major order.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, EncoderError> {
    tensor
        .into_data()
        .try_to_vec::<f32>()
        .map_err(|error| EncoderError::Device(format!("{error:?}")))
}

/// Returns the transpose of a row-major `[rows, columns]` matrix.
fn transpose(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut transposed = vec![0.0; values.len()];
    for (row, line) in values.chunks_exact(columns).enumerate() {
        for (column, &value) in line.iter().enumerate() {
            transposed[column * rows + row] = value;
        }
    }
    transposed
}
