//! The encoder's elementwise and row-wise ops, fused with what stands next to them.
//!
//! Each has a kernel with its own derivative for burn's CPU backend, in `flex`, and a twin made
//! of library ops, in `library`, which serves every other backend and is what tests compare with.

#[cfg(feature = "flex")]
mod flex;
mod library;

use burn::tensor::Tensor;

/// Computes the GELU by the error function of `x + bias`, whose derivative is exact on every
/// device.
///
/// Hendrycks & Gimpel 2016: `x Φ(x)`, with `Φ` the normal distribution function. Burn's own op has
/// the derivative of the approximation by the hyperbolic tangent on most backends.
///
/// # Shapes
/// - `x` and output: `[rows, width]`
/// - `bias`: `[width]`
pub(crate) fn gelu(x: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if flex::has(&x) {
        return flex::gelu(x, bias);
    }
    library::gelu(x, bias)
}

/// Computes the softmax of `scale * scores + bias` over the last dimension; `bias` is a constant.
///
/// # Shapes
/// - `scores` and output: `[batch, heads, queries, keys]`
/// - `bias`: `[batch, 1, queries, keys]`, or `[batch, 1, 1, keys]` for one of all queries
pub(crate) fn softmax(scores: Tensor<4>, bias: Tensor<4>, scale: f32) -> Tensor<4> {
    #[cfg(feature = "flex")]
    if flex::has(&scores) {
        return flex::softmax(scores, bias, scale);
    }
    library::softmax(scores, bias, scale)
}

/// Returns what each token gathers from those of its text, in several heads side by side (Vaswani
/// et al. 2017): values weighed by the softmax of `scale * query key^T + bias`, a constant.
///
/// # Shapes
/// - `inputs`, which are queries, keys and values, and output: `[texts * tokens, heads * width]`
/// - `bias`: `[texts, 1, tokens, tokens]`, or `[texts, 1, 1, tokens]` for one of all queries
pub(crate) fn attention(
    inputs: [Tensor<2>; 3],
    bias: Tensor<4>,
    heads: usize,
    scale: f32,
) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if flex::has(&inputs[0]) {
        return flex::attention(inputs, bias, heads, scale);
    }
    library::attention(inputs, bias, heads, scale)
}

/// Computes the layer norm of `x + bias + residual` (Ba et al. 2016), times `gamma`, plus `beta`.
///
/// # Shapes
/// - `x`, `residual` and output: `[rows, width]`
/// - `vectors`, which are `bias`, `gamma` and `beta`: `[width]`
pub(crate) fn layer_norm(
    [x, residual]: [Tensor<2>; 2],
    vectors: [Tensor<1>; 3],
    epsilon: f64,
) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if flex::has(&x) {
        return flex::layer_norm([x, residual], vectors, epsilon);
    }
    library::layer_norm([x, residual], vectors, epsilon)
}

/// Computes the layer norm of `x`, times `gamma`, plus `beta`: [`layer_norm`] of nothing but `x`.
///
/// # Shapes
/// - `x` and output: `[rows, width]`
/// - `gamma` and `beta`: `[width]`
pub(crate) fn norm(x: Tensor<2>, gamma: Tensor<1>, beta: Tensor<1>, epsilon: f64) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if flex::has(&x) {
        return flex::norm(x, gamma, beta, epsilon);
    }
    library::norm(x, gamma, beta, epsilon)
}
