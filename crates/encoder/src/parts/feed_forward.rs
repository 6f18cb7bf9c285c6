//! The two linear maps with a GELU between them.

use burn::module::Module;
use burn::nn::Linear;
use burn::prelude::*;

use super::{Batch, Source, bias_of, product};
use crate::{EncoderError, ops};

/// Out to `intermediate_size` dimensions, GELU, and back.
#[derive(Module, Debug)]
pub(crate) struct FeedForward {
    intermediate: Linear,
    output: Linear,
}

impl FeedForward {
    /// Takes the maps `intermediate` (`hidden` to `wide`) and `output` (back).
    pub(crate) fn load(
        source: &mut Source<'_>,
        [intermediate, output]: [&str; 2],
        hidden: usize,
        wide: usize,
    ) -> Result<Self, EncoderError> {
        Ok(Self {
            intermediate: source.linear(intermediate, hidden, wide, true)?,
            output: source.linear(output, wide, hidden, true)?,
        })
    }

    /// Returns what the map back is applied to: `[rows, intermediate_size]`.
    pub(crate) fn inner(&self, states: Tensor<2>, batch: &Batch) -> Tensor<2> {
        ops::gelu(
            product(&self.intermediate, states, batch),
            bias_of(&self.intermediate),
        )
    }

    /// Returns the map back.
    pub(crate) fn output(&self) -> &Linear {
        &self.output
    }
}
