//! Layer norm with its parameters.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::prelude::*;

use super::dropout::dropped;
use super::{Batch, Source, bias_of, product};
use crate::{EncoderError, ops};

/// Layer norm (Ba et al. 2016); some families have no offset.
#[derive(Module, Debug)]
pub(crate) struct Norm {
    gamma: Param<Tensor<1>>,
    beta: Option<Param<Tensor<1>>>,
    epsilon: f64,
}

impl Norm {
    /// Takes `name.weight` and, if it has an `offset`, `name.bias`, both `[size]`.
    pub(crate) fn load(
        source: &mut Source<'_>,
        name: &str,
        size: usize,
        offset: bool,
        epsilon: f64,
    ) -> Result<Self, EncoderError> {
        let beta = offset
            .then(|| source.vector(&format!("{name}.bias"), size))
            .transpose()?;
        Ok(Self {
            gamma: source.vector(&format!("{name}.weight"), size)?,
            beta,
            epsilon,
        })
    }

    /// Returns the norm of each row of `x` `[rows, size]`.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        ops::norm(x, self.gamma.val(), self.offset(), self.epsilon)
    }

    /// Returns the norm of `states` plus the image of `inner` under `linear`, of which a share is
    /// dropped.
    pub(crate) fn after(
        &self,
        linear: &Linear,
        inner: Tensor<2>,
        states: Tensor<2>,
        share: f64,
        batch: &Batch,
    ) -> Tensor<2> {
        let mut update = product(linear, inner, batch);
        let mut bias = bias_of(linear);
        if share != 0.0 {
            // What is dropped includes the bias.
            update = dropped(update + bias.clone().unsqueeze(), share, &batch.masks);
            bias = bias.zeros_like();
        }
        let vectors = [bias, self.gamma.val(), self.offset()];
        ops::layer_norm([update, states], vectors, self.epsilon)
    }

    fn offset(&self) -> Tensor<1> {
        self.beta
            .as_ref()
            .map_or_else(|| self.gamma.val().zeros_like(), Param::val)
    }
}
