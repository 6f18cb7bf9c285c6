//! Layer norm of whole rows, forward and in reverse, on vector registers.

use pulp::{Simd, WithSimd};

pub(super) struct Forward<'a> {
    /// Whole rows, replaced by the output or, where that has a place of its own, by the normalised.
    pub(super) x: &'a mut [f32],
    pub(super) bias: &'a [f32],
    /// As many rows, or one that is added to all.
    pub(super) residual: &'a [f32],
    pub(super) gamma: &'a [f32],
    pub(super) beta: &'a [f32],
    pub(super) epsilon: f32,
    /// Where the output and the inverse deviations go in training.
    pub(super) kept: Option<(&'a mut [f32], &'a mut [f32])>,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.bias.len();
        let (gamma, gamma_rest) = S::as_simd_f32s(self.gamma);
        let (beta, beta_rest) = S::as_simd_f32s(self.beta);
        let scalar = pulp::Scalar::new();
        let mut kept = self.kept;
        let rows = self
            .x
            .chunks_exact_mut(width)
            .zip(self.residual.chunks_exact(width).cycle());
        for (index, (row, residual)) in rows.enumerate() {
            let inverse = normalise(simd, row, self.bias, residual, self.epsilon);
            let target = match &mut kept {
                None => row,
                Some((output, inverses)) => {
                    inverses[index] = inverse;
                    let target = &mut output[index * width..][..width];
                    target.copy_from_slice(row);
                    target
                }
            };
            let (target, rest) = S::as_mut_simd_f32s(target);
            stretch(simd, target, gamma, beta);
            stretch(scalar, rest, gamma_rest, beta_rest);
        }
    }
}

/// Adds the other two to a row, moves it to mean zero and variance one, and returns the factor.
#[inline(always)]
fn normalise<S: Simd>(
    simd: S,
    row: &mut [f32],
    bias: &[f32],
    residual: &[f32],
    epsilon: f32,
) -> f32 {
    let scalar = pulp::Scalar::new();
    let count = row.len() as f32;
    let (row, rest) = S::as_mut_simd_f32s(row);
    let (bias, bias_rest) = S::as_simd_f32s(bias);
    let (residual, residual_rest) = S::as_simd_f32s(residual);
    let sum = add(simd, row, bias, residual) + add(scalar, rest, bias_rest, residual_rest);
    let mean = sum / count;
    let variance = (centre(simd, row, mean) + centre(scalar, rest, mean)) / count;
    let inverse = 1.0 / (variance + epsilon).sqrt();
    multiply(simd, row, inverse);
    multiply(scalar, rest, inverse);
    inverse
}

/// Adds the other two to `row`, and returns the sum over the row.
#[inline(always)]
fn add<S: Simd>(simd: S, row: &mut [S::f32s], bias: &[S::f32s], residual: &[S::f32s]) -> f32 {
    let mut sum = simd.splat_f32s(0.0);
    for ((value, &bias), &residual) in row.iter_mut().zip(bias).zip(residual) {
        *value = simd.add_f32s(simd.add_f32s(*value, bias), residual);
        sum = simd.add_f32s(sum, *value);
    }
    simd.reduce_sum_f32s(sum)
}

/// Takes `mean` away, and returns the sum of squares.
#[inline(always)]
fn centre<S: Simd>(simd: S, row: &mut [S::f32s], mean: f32) -> f32 {
    let mean = simd.splat_f32s(mean);
    let mut squares = simd.splat_f32s(0.0);
    for value in row {
        *value = simd.sub_f32s(*value, mean);
        squares = simd.mul_add_e_f32s(*value, *value, squares);
    }
    simd.reduce_sum_f32s(squares)
}

#[inline(always)]
fn multiply<S: Simd>(simd: S, row: &mut [S::f32s], factor: f32) {
    let factor = simd.splat_f32s(factor);
    for value in row {
        *value = simd.mul_f32s(*value, factor);
    }
}

#[inline(always)]
fn stretch<S: Simd>(simd: S, row: &mut [S::f32s], gamma: &[S::f32s], beta: &[S::f32s]) {
    for ((value, &gamma), &beta) in row.iter_mut().zip(gamma).zip(beta) {
        *value = simd.mul_add_e_f32s(*value, gamma, beta);
    }
}

pub(super) struct Reverse<'a> {
    /// Whole rows of the output's gradient, replaced by that of the sum that was normalised.
    pub(super) gradient: &'a mut [f32],
    pub(super) normalised: &'a [f32],
    pub(super) inverses: &'a [f32],
    pub(super) gamma: &'a [f32],
    /// To which the gradients of bias, gamma and beta are added.
    pub(super) sums: &'a mut [Vec<f32>; 3],
}

impl WithSimd for Reverse<'_> {
    type Output = ();

    /// Computes, with `g = gamma * dy`:
    /// `dx = inverse * (g - mean(g) - normalised * mean(g * normalised))`.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.gamma.len();
        let count = width as f32;
        let scalar = pulp::Scalar::new();
        let (gammas, gammas_rest) = S::as_simd_f32s(self.gamma);
        let [bias, gamma, beta] = self.sums;
        let (bias, bias_rest) = S::as_mut_simd_f32s(bias);
        let (gamma, gamma_rest) = S::as_mut_simd_f32s(gamma);
        let (beta, beta_rest) = S::as_mut_simd_f32s(beta);
        let rows = self
            .gradient
            .chunks_exact_mut(width)
            .zip(self.normalised.chunks_exact(width));
        for ((row, normal), &inverse) in rows.zip(self.inverses) {
            let (row, rest) = S::as_mut_simd_f32s(row);
            let (normal, normal_rest) = S::as_simd_f32s(normal);
            let head = weigh(simd, row, normal, gammas, gamma, beta);
            let tail = weigh(
                scalar,
                rest,
                normal_rest,
                gammas_rest,
                gamma_rest,
                beta_rest,
            );
            let means = [(head[0] + tail[0]) / count, (head[1] + tail[1]) / count];
            reverse(simd, row, normal, means, inverse, bias);
            reverse(scalar, rest, normal_rest, means, inverse, bias_rest);
        }
    }
}

/// Adds to the gradients of gamma and beta, turns a row of `dy` into `g`, and returns the sums of
/// `g` and of `g * normalised`.
#[inline(always)]
fn weigh<S: Simd>(
    simd: S,
    row: &mut [S::f32s],
    normal: &[S::f32s],
    gammas: &[S::f32s],
    gamma: &mut [S::f32s],
    beta: &mut [S::f32s],
) -> [f32; 2] {
    let mut sums = [simd.splat_f32s(0.0); 2];
    let parameters = gammas.iter().zip(gamma).zip(beta);
    for ((value, &normal), ((&factor, gamma), beta)) in row.iter_mut().zip(normal).zip(parameters) {
        *gamma = simd.mul_add_e_f32s(*value, normal, *gamma);
        *beta = simd.add_f32s(*beta, *value);
        *value = simd.mul_f32s(*value, factor);
        sums[0] = simd.add_f32s(sums[0], *value);
        sums[1] = simd.mul_add_e_f32s(*value, normal, sums[1]);
    }
    sums.map(|sum| simd.reduce_sum_f32s(sum))
}

#[inline(always)]
fn reverse<S: Simd>(
    simd: S,
    row: &mut [S::f32s],
    normal: &[S::f32s],
    means: [f32; 2],
    inverse: f32,
    bias: &mut [S::f32s],
) {
    let means = means.map(|mean| simd.splat_f32s(mean));
    let inverse = simd.splat_f32s(inverse);
    for ((value, &normal), bias) in row.iter_mut().zip(normal).zip(bias) {
        let distance = simd.sub_f32s(*value, means[0]);
        let distance = simd.negate_mul_add_e_f32s(normal, means[1], distance);
        *value = simd.mul_f32s(distance, inverse);
        *bias = simd.add_f32s(*bias, *value);
    }
}
