//! GELU of a biased matrix. The forward pass leaves the slope behind, in the buffer of its input, so
//! that the backward pass is one product.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::vector::normal;
use super::{
    assert_lengths, contiguous, shaped_like, task_size, total, values, vector, width, writable,
};

pub(in crate::ops) fn gelu(x: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::biased_gelu(
        x.into_dispatch(),
        bias.into_dispatch(),
    ))
}

#[backend_extension(Flex, Autodiff)]
trait BiasedGelu: Backend {
    fn biased_gelu(x: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl BiasedGelu for Flex {
    fn biased_gelu(x: FlexTensor, bias: FlexTensor) -> FlexTensor {
        let (mut x, bias) = (writable(x), contiguous(bias));
        let bias = values(&bias);
        assert_lengths(&[bias], width(&x));
        let size = task_size(bias.len());
        let arch = Arch::new();
        x.storage_mut()
            .par_chunks_mut(size)
            .for_each(|x| arch.dispatch(Forward { x, bias }));
        x
    }
}

impl<C: CheckpointStrategy> BiasedGelu for Autodiff<Flex, C> {
    fn biased_gelu(x: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [x.node(), bias.node()];
        let (x, bias) = (x.into_primitive(), bias.into_primitive());
        match Derivative.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let (output, slope) = forward_with_slope(x, bias);
                prepared.finish(slope, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(Flex::biased_gelu(x, bias)),
        }
    }
}

/// Returns the output, and its slope in the buffer of `x` if nobody else holds that.
fn forward_with_slope(x: FlexTensor, bias: FlexTensor) -> (FlexTensor, FlexTensor) {
    let (mut x, bias) = (writable(x), contiguous(bias));
    let bias = values(&bias);
    assert_lengths(&[bias], width(&x));
    let mut output = vec![0.0; x.layout().num_elements()];
    let size = task_size(bias.len());
    let arch = Arch::new();
    (
        x.storage_mut().par_chunks_mut(size),
        output.par_chunks_mut(size),
    )
        .into_par_iter()
        .for_each(|(x, output)| arch.dispatch(ForwardWithSlope { x, bias, output }));
    (shaped_like(output, &x), x)
}

#[derive(Debug)]
struct Derivative;

impl Backward<Flex, 2> for Derivative {
    /// The slope at `x + bias`.
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut gradient = writable(grads.consume::<Flex>(&ops.node));
        let [x, bias] = ops.parents;
        let width = width(&gradient);
        let size = task_size(width);
        let slope = values(&ops.state);
        let arch = Arch::new();
        let parts = (
            gradient.storage_mut().par_chunks_mut(size),
            slope.par_chunks(size),
        )
            .into_par_iter()
            .map(|(gradient, slope)| {
                let mut columns = vec![0.0; width];
                arch.dispatch(Product {
                    gradient,
                    slope,
                    columns: &mut columns,
                });
                columns
            })
            .collect();
        if let Some(x) = x {
            grads.register::<Flex>(x.id, gradient);
        }
        if let Some(bias) = bias {
            grads.register::<Flex>(bias.id, vector(total(parts, width)));
        }
    }
}

struct Forward<'a> {
    /// Whole rows, replaced by the output.
    x: &'a mut [f32],
    bias: &'a [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (bias, bias_rest) = S::as_simd_f32s(self.bias);
        for x in self.x.chunks_exact_mut(self.bias.len()) {
            let (x, x_rest) = S::as_mut_simd_f32s(x);
            forward(simd, x, bias);
            forward(pulp::Scalar::new(), x_rest, bias_rest);
        }
    }
}

#[inline(always)]
fn forward<S: Simd>(simd: S, x: &mut [S::f32s], bias: &[S::f32s]) {
    for (x, &bias) in x.iter_mut().zip(bias) {
        let sum = simd.add_f32s(*x, bias);
        let (below, _) = normal(simd, sum);
        *x = simd.mul_f32s(sum, below);
    }
}

struct ForwardWithSlope<'a> {
    /// Whole rows, replaced by the slope.
    x: &'a mut [f32],
    bias: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for ForwardWithSlope<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.bias.len();
        let (bias, bias_rest) = S::as_simd_f32s(self.bias);
        let rows = self
            .x
            .chunks_exact_mut(width)
            .zip(self.output.chunks_exact_mut(width));
        for (x, output) in rows {
            let (x, x_rest) = S::as_mut_simd_f32s(x);
            let (output, output_rest) = S::as_mut_simd_f32s(output);
            forward_and_slope(simd, x, bias, output);
            forward_and_slope(pulp::Scalar::new(), x_rest, bias_rest, output_rest);
        }
    }
}

#[inline(always)]
fn forward_and_slope<S: Simd>(
    simd: S,
    x: &mut [S::f32s],
    bias: &[S::f32s],
    output: &mut [S::f32s],
) {
    // The height of the normal density at zero, 1 / sqrt(2 π).
    let height = simd.splat_f32s(0.398_942_3);
    for ((x, &bias), output) in x.iter_mut().zip(bias).zip(output) {
        let sum = simd.add_f32s(*x, bias);
        let (below, bell) = normal(simd, sum);
        *output = simd.mul_f32s(sum, below);
        *x = simd.mul_add_e_f32s(simd.mul_f32s(sum, height), bell, below);
    }
}

struct Product<'a> {
    /// Whole rows of the output's gradient, replaced by the input's.
    gradient: &'a mut [f32],
    slope: &'a [f32],
    /// To which the rows are added.
    columns: &'a mut [f32],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.columns.len();
        let (columns, columns_rest) = S::as_mut_simd_f32s(self.columns);
        let rows = self
            .gradient
            .chunks_exact_mut(width)
            .zip(self.slope.chunks_exact(width));
        for (gradient, slope) in rows {
            let (gradient, gradient_rest) = S::as_mut_simd_f32s(gradient);
            let (slope, slope_rest) = S::as_simd_f32s(slope);
            slope_product(simd, gradient, slope, columns);
            slope_product(pulp::Scalar::new(), gradient_rest, slope_rest, columns_rest);
        }
    }
}

#[inline(always)]
fn slope_product<S: Simd>(
    simd: S,
    gradient: &mut [S::f32s],
    slope: &[S::f32s],
    columns: &mut [S::f32s],
) {
    for ((gradient, &slope), column) in gradient.iter_mut().zip(slope).zip(columns) {
        *gradient = simd.mul_f32s(*gradient, slope);
        *column = simd.add_f32s(*column, *gradient);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use burn::tensor::Device;
    use proptest::prelude::*;

    use super::super::testing::*;
    use super::super::vector::tests::distribution;
    use super::*;
    use crate::ops::library;

    fn reference([x, bias]: &[Vec<f64>; 2]) -> Vec<f64> {
        let rows = x.chunks(bias.len());
        let sums = rows.flat_map(|row| row.iter().zip(bias).map(|(x, bias)| x + bias));
        sums.map(|sum| sum * distribution(sum)).collect()
    }

    fn inputs(seed: u64, rows: usize, width: usize) -> [Vec<f64>; 2] {
        [
            numbers(seed, rows * width, 5.0),
            numbers(seed + 1, width, 1.0),
        ]
    }

    /// Output and gradients of an op.
    fn run(
        op: fn(Tensor<2>, Tensor<1>) -> Tensor<2>,
        [x, bias]: &[Vec<f64>; 2],
        direction: &[f64],
        layout: Layout,
    ) -> [Vec<f32>; 3] {
        let width = bias.len();
        let x = Leaf::new(x, [x.len() / width, width], layout);
        let bias = Leaf::new(bias, [width], Layout::Plain);
        let output = op(x.view(), bias.view());
        let gradients = backward(output.clone(), direction, layout);
        [
            floats(output),
            x.gradient(&gradients),
            bias.gradient(&gradients),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn matches_series_differences_and_library(
            rows in 1..5_usize, width in 1..36_usize, seed in 0..u64::MAX / 2, layout in layouts(),
        ) {
            let inputs = inputs(seed, rows, width);
            let direction = numbers(seed + 2, rows * width, 1.0);
            let found = run(gelu, &inputs, &direction, layout);
            assert_close(&found[0], &reference(&inputs), 4e-7);
            let loss = |inputs: &[Vec<f64>; 2]| product(&reference(inputs), &direction);
            assert_close(&found[1], &differences(&inputs, 0, loss), 2e-6);
            assert_close(&found[2], &differences(&inputs, 1, loss), 2e-6);
            for (found, expected) in found.iter().zip(run(library::gelu, &inputs, &direction, layout)) {
                assert_same(found, &expected, 2e-6);
            }
        }

        #[test]
        fn an_input_in_use_stays_as_it_is(
            rows in 1..5_usize, width in 1..36_usize, seed in 0..u64::MAX / 2,
        ) {
            let [x, bias] = &inputs(seed, rows, width);
            let device = Device::flex();
            let (x, bias) = (tensor(x, [rows, width], &device), tensor(bias, [width], &device));
            let before = floats(x.clone());
            let shared = floats(gelu(x.clone(), bias.clone()));
            assert_eq!(floats(x.clone()), before);
            assert_eq!(floats(gelu(x, bias)), shared);
        }
    }

    #[test]
    fn tasks_join() {
        let inputs = inputs(7, 61, 700);
        let direction = numbers(8, 61 * 700, 1.0);
        let found = run(gelu, &inputs, &direction, Layout::Plain);
        for (found, expected) in
            found
                .iter()
                .zip(run(library::gelu, &inputs, &direction, Layout::Plain))
        {
            assert_same(found, &expected, 3e-6);
        }
    }
}
