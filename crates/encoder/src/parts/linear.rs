//! Linear maps, in the precision of the pass; the bias may be left to the operation after them.

use burn::module::Param;
use burn::nn::Linear;
use burn::prelude::*;
use burn::tensor::FloatDType;
use serde::{Deserialize, Serialize};

use super::Batch;
use super::dropout::dropped;

/// In which numbers products with weights are computed; everything else is in single precision.
///
/// Weights, their gradients and the sums of states stay in single precision, as in the mixed
/// precision of Micikevicius et al. 2018 (arXiv 1710.03740).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32 bits.
    #[default]
    Single,
    /// 16 bits with the range of 32 and 8 bits of precision.
    Bfloat16,
    /// 16 bits with 11 bits of precision, from 6e-8 to 65504: gradients must be scaled into that.
    Half,
}

impl Precision {
    /// Says whether a device multiplies such numbers.
    #[must_use]
    pub fn is_supported(self, device: &Device) -> bool {
        self.narrow()
            .is_none_or(|narrow| device.supports_dtype(narrow))
    }

    /// Returns the type on a device; `None` for single precision.
    pub(crate) fn narrow(self) -> Option<FloatDType> {
        match self {
            Self::Single => None,
            Self::Bfloat16 => Some(FloatDType::BF16),
            Self::Half => Some(FloatDType::F16),
        }
    }
}

/// Returns the image of `x` `[rows, input]` without the bias: `[rows, output]`.
pub(crate) fn product(linear: &Linear, x: Tensor<2>, batch: &Batch) -> Tensor<2> {
    let weight = linear.weight.val();
    match batch.precision.narrow() {
        None => x.matmul(weight),
        Some(narrow) => x
            .cast(narrow)
            .matmul(weight.cast(narrow))
            .cast(FloatDType::F32),
    }
}

/// Returns the image of `x` `[rows, input]`: `[rows, output]`.
pub(crate) fn image(linear: &Linear, x: Tensor<2>, batch: &Batch) -> Tensor<2> {
    if batch.precision == Precision::Single {
        return linear.forward(x);
    }
    let product = product(linear, x, batch);
    match &linear.bias {
        Some(bias) => product + bias.val().unsqueeze(),
        None => product,
    }
}

/// Returns `states` plus the image of `inner` under `linear`, of which a share is dropped.
pub(crate) fn added(
    linear: &Linear,
    inner: Tensor<2>,
    states: Tensor<2>,
    share: f64,
    batch: &Batch,
) -> Tensor<2> {
    states + dropped(image(linear, inner, batch), share, &batch.masks)
}

/// Returns the bias `[output]`; zeros where the map has none.
pub(crate) fn bias_of(linear: &Linear) -> Tensor<1> {
    let weight = linear.weight.val();
    let zeros = || Tensor::zeros([weight.dims()[1]], &weight.device());
    linear.bias.as_ref().map_or_else(zeros, Param::val)
}
