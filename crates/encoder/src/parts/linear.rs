//! Linear maps whose bias is left to the operation behind them.

use burn::module::Param;
use burn::nn::Linear;
use burn::prelude::*;

use super::dropout::dropped;

/// The image of `x` `[rows, input]` without the bias: `[rows, output]`.
pub(crate) fn product(linear: &Linear, x: Tensor<2>) -> Tensor<2> {
    x.matmul(linear.weight.val())
}

/// `states` plus the image of `inner` under `linear`, of which a share is dropped.
pub(crate) fn added(linear: &Linear, inner: Tensor<2>, states: Tensor<2>, share: f64) -> Tensor<2> {
    let update = product(linear, inner);
    let update = match &linear.bias {
        Some(bias) => update + bias.val().unsqueeze(),
        None => update,
    };
    states + dropped(update, share)
}

/// The bias `[output]`; zeros where the map has none.
pub(crate) fn bias_of(linear: &Linear) -> Tensor<1> {
    let weight = linear.weight.val();
    let zeros = || Tensor::zeros([weight.dims()[1]], &weight.device());
    linear.bias.as_ref().map_or_else(zeros, Param::val)
}
