//! The ops out of library ops, on any backend.

use burn::tensor::{Tensor, activation, module};

pub(super) fn gelu(x: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    let x = x + bias.unsqueeze();
    let twice_below = x.clone().mul_scalar(std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0;
    x * twice_below * 0.5
}

pub(super) fn softmax(scores: Tensor<4>, bias: Tensor<4>, scale: f32) -> Tensor<4> {
    activation::softmax(scores.mul_scalar(scale) + bias, 3)
}

pub(super) fn attention(
    inputs: [Tensor<2>; 3],
    bias: Tensor<4>,
    heads: usize,
    scale: f32,
) -> Tensor<2> {
    let [texts, _, _, tokens] = bias.dims();
    let [rows, hidden] = inputs[0].dims();
    let [query, key, value] = inputs.map(|x| {
        x.reshape([texts, tokens, heads, hidden / heads])
            .swap_dims(1, 2)
    });
    let weights = softmax(query.matmul(key.swap_dims(2, 3)), bias, scale);
    weights
        .matmul(value)
        .swap_dims(1, 2)
        .reshape([rows, hidden])
}

pub(super) fn layer_norm(
    [x, residual]: [Tensor<2>; 2],
    [bias, gamma, beta]: [Tensor<1>; 3],
    epsilon: f64,
) -> Tensor<2> {
    module::layer_norm(x + bias.unsqueeze() + residual, gamma, Some(beta), epsilon)
}

pub(super) fn norm(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>, epsilon: f64) -> Tensor<2> {
    module::layer_norm(x, gamma, Some(beta), epsilon)
}
