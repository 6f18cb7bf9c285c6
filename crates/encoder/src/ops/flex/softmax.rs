//! Softmax of attention scores, scaled and biased on the way, with its derivative from the output:
//! `scale * y (dy - Σ dy y)`.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::vector::exp;
use super::{assert_lengths, contiguous, task_size, values, width, writable};

pub(in crate::ops) fn softmax(scores: Tensor<4>, bias: Tensor<4>, scale: f32) -> Tensor<4> {
    let (scores, bias) = (scores.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(Dispatch::biased_softmax(scores, bias, scale))
}

#[backend_extension(Flex, Autodiff)]
trait BiasedSoftmax: Backend {
    fn biased_softmax(
        scores: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: f32,
    ) -> FloatTensor<Self>;
}

impl BiasedSoftmax for Flex {
    fn biased_softmax(scores: FlexTensor, bias: FlexTensor, scale: f32) -> FlexTensor {
        let (mut scores, bias) = (writable(scores), contiguous(bias));
        let (bias_shape, bias) = (bias.layout().shape(), values(&bias));
        let keys = width(&scores);
        let rows = BiasRows::new(scores.layout().shape(), bias_shape);
        assert_lengths(&[bias], rows.texts * rows.queries * keys);
        let size = task_size(keys);
        let arch = Arch::new();
        scores
            .storage_mut()
            .par_chunks_mut(size)
            .enumerate()
            .for_each(|(task, scores)| {
                let first_row = task * size / keys;
                arch.dispatch(Forward {
                    scores,
                    keys,
                    bias,
                    first_row,
                    rows,
                    scale,
                });
            });
        scores
    }
}

impl<C: CheckpointStrategy> BiasedSoftmax for Autodiff<Flex, C> {
    fn biased_softmax(
        scores: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: f32,
    ) -> FloatTensor<Self> {
        let nodes = [scores.node()];
        let bias = bias.into_primitive();
        let output = Flex::biased_softmax(scores.into_primitive(), bias, scale);
        match Derivative.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((output.clone(), scale), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[derive(Debug)]
struct Derivative;

impl Backward<Flex, 1> for Derivative {
    /// The output, and the scale.
    type State = (FlexTensor, f32);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (output, scale) = ops.state;
        unary::<Flex, _>(ops.parents, ops.node, grads, |gradient| {
            let mut gradient = writable(gradient);
            let keys = width(&gradient);
            let size = task_size(keys);
            let arch = Arch::new();
            (
                gradient.storage_mut().par_chunks_mut(size),
                values(&output).par_chunks(size),
            )
                .into_par_iter()
                .for_each(|(gradient, output)| {
                    arch.dispatch(Reverse {
                        gradient,
                        output,
                        keys,
                        scale,
                    });
                });
            gradient
        });
    }
}

/// Which row of the bias belongs to a row of scores.
#[derive(Debug, Clone, Copy)]
struct BiasRows {
    texts: usize,
    /// Rows of scores of one text, those of all heads.
    of_text: usize,
    /// Rows of bias of one text: one of all queries, or as many.
    queries: usize,
}

impl BiasRows {
    #[track_caller]
    fn new(scores: &[usize], bias: &[usize]) -> Self {
        assert_eq!(
            bias,
            [scores[0], 1, bias[2], scores[3]],
            "the bias does not fit scores {scores:?}"
        );
        assert!(
            bias[2] == 1 || bias[2] == scores[2],
            "the bias does not fit scores {scores:?}"
        );
        Self {
            texts: scores[0],
            of_text: scores[1] * scores[2],
            queries: bias[2],
        }
    }

    fn of(self, row: usize) -> usize {
        row / self.of_text * self.queries + row % self.queries
    }
}

struct Forward<'a> {
    /// Whole rows of scores, replaced by the output.
    scores: &'a mut [f32],
    keys: usize,
    bias: &'a [f32],
    first_row: usize,
    rows: BiasRows,
    scale: f32,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (row, scores) in self.scores.chunks_exact_mut(self.keys).enumerate() {
            let row = self.rows.of(self.first_row + row);
            let bias = &self.bias[row * self.keys..][..self.keys];
            weights(simd, scores, bias, self.scale);
        }
    }
}

/// Replaces a row of scores by its softmax.
#[inline(always)]
pub(super) fn weights<S: Simd>(simd: S, scores: &mut [f32], bias: &[f32], scale: f32) {
    let scalar = pulp::Scalar::new();
    let (bias, bias_rest) = S::as_simd_f32s(bias);
    let (scores, rest) = S::as_mut_simd_f32s(scores);
    let greatest = shift(simd, scores, bias, scale);
    let greatest = greatest.max(shift(scalar, rest, bias_rest, scale));
    let sum = exponentials(simd, scores, greatest) + exponentials(scalar, rest, greatest);
    divide(simd, scores, sum);
    divide(scalar, rest, sum);
}

/// Scales and biases the scores, and returns the greatest.
#[inline(always)]
fn shift<S: Simd>(simd: S, scores: &mut [S::f32s], bias: &[S::f32s], scale: f32) -> f32 {
    let scale = simd.splat_f32s(scale);
    let mut greatest = simd.splat_f32s(f32::NEG_INFINITY);
    for (score, &bias) in scores.iter_mut().zip(bias) {
        *score = simd.mul_add_e_f32s(*score, scale, bias);
        greatest = simd.max_f32s(greatest, *score);
    }
    simd.reduce_max_f32s(greatest)
}

/// Takes exponentials of the distances to the greatest, and returns their sum.
#[inline(always)]
fn exponentials<S: Simd>(simd: S, scores: &mut [S::f32s], greatest: f32) -> f32 {
    let greatest = simd.splat_f32s(greatest);
    let mut sum = simd.splat_f32s(0.0);
    for score in scores {
        *score = exp(simd, simd.sub_f32s(*score, greatest));
        sum = simd.add_f32s(sum, *score);
    }
    simd.reduce_sum_f32s(sum)
}

#[inline(always)]
fn divide<S: Simd>(simd: S, values: &mut [S::f32s], by: f32) {
    let factor = simd.splat_f32s(1.0 / by);
    for value in values {
        *value = simd.mul_f32s(*value, factor);
    }
}

struct Reverse<'a> {
    /// Whole rows of the output's gradient, replaced by that of the scores.
    gradient: &'a mut [f32],
    output: &'a [f32],
    keys: usize,
    scale: f32,
}

impl WithSimd for Reverse<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let outputs = self.output.chunks_exact(self.keys);
        for (gradient, output) in self.gradient.chunks_exact_mut(self.keys).zip(outputs) {
            slopes(simd, gradient, output, self.scale);
        }
    }
}

/// Replaces the gradient of a row's softmax by that of its scores.
#[inline(always)]
pub(super) fn slopes<S: Simd>(simd: S, gradient: &mut [f32], output: &[f32], scale: f32) {
    let scalar = pulp::Scalar::new();
    let (gradient, rest) = S::as_mut_simd_f32s(gradient);
    let (output, output_rest) = S::as_simd_f32s(output);
    let mean = dot(simd, gradient, output) + dot(scalar, rest, output_rest);
    reverse(simd, gradient, output, mean, scale);
    reverse(scalar, rest, output_rest, mean, scale);
}

#[inline(always)]
fn dot<S: Simd>(simd: S, left: &[S::f32s], right: &[S::f32s]) -> f32 {
    let mut sum = simd.splat_f32s(0.0);
    for (&left, &right) in left.iter().zip(right) {
        sum = simd.mul_add_e_f32s(left, right, sum);
    }
    simd.reduce_sum_f32s(sum)
}

#[inline(always)]
fn reverse<S: Simd>(simd: S, gradient: &mut [S::f32s], output: &[S::f32s], mean: f32, scale: f32) {
    let (mean, scale) = (simd.splat_f32s(mean), simd.splat_f32s(scale));
    for (gradient, &output) in gradient.iter_mut().zip(output) {
        let distance = simd.sub_f32s(*gradient, mean);
        *gradient = simd.mul_f32s(simd.mul_f32s(output, scale), distance);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use burn::tensor::Device;
    use proptest::prelude::*;

    use super::super::testing::*;
    use super::*;
    use crate::ops::library;

    const SCALE: f32 = 0.25;

    fn reference(
        scores: &[f64],
        bias: &[f64],
        [texts, heads, queries, keys]: [usize; 4],
    ) -> Vec<f64> {
        let rows_of_text = bias.len() / texts / keys;
        let row = |(place, row): (usize, &[f64])| {
            let (text, query) = (place / (heads * queries), place % queries);
            let row_of_text = if rows_of_text == 1 { 0 } else { query };
            let bias = &bias[(text * rows_of_text + row_of_text) * keys..][..keys];
            let powers: Vec<f64> = row
                .iter()
                .zip(bias)
                .map(|(score, bias)| (f64::from(SCALE) * score + bias).exp())
                .collect();
            let sum: f64 = powers.iter().sum();
            powers
                .into_iter()
                .map(|power| power / sum)
                .collect::<Vec<_>>()
        };
        scores.chunks(keys).enumerate().flat_map(row).collect()
    }

    /// Scores, and a bias that hides every fifth key but never the first, of each query or of all.
    fn inputs(seed: u64, shape: [usize; 4], each: bool) -> [Vec<f64>; 2] {
        let keys = shape[3];
        let rows = shape[0] * if each { shape[2] } else { 1 };
        let bias = (0..rows * keys).map(|place| {
            let hidden = place % keys != 0 && (place + seed as usize % 5).is_multiple_of(5);
            if hidden { -1e9 } else { 0.0 }
        });
        [numbers(seed, shape.iter().product(), 30.0), bias.collect()]
    }

    fn run(
        op: fn(Tensor<4>, Tensor<4>, f32) -> Tensor<4>,
        [scores, bias]: &[Vec<f64>; 2],
        shape: [usize; 4],
        direction: &[f64],
        layout: Layout,
    ) -> [Vec<f32>; 2] {
        let scores = Leaf::new(scores, shape, layout);
        let device = scores.view().device();
        let rows = bias.len() / (shape[0] * shape[3]);
        let bias = tensor(bias, [shape[0], 1, rows, shape[3]], &device);
        let output = op(scores.view(), bias, SCALE);
        let gradients = backward(output.clone(), direction, layout);
        [floats(output), scores.gradient(&gradients)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn matches_double_precision_differences_and_library(
            texts in 1..4_usize, heads in 1..3_usize, queries in 1..4_usize, keys in 1..36_usize,
            each: bool, seed in 0..u64::MAX / 2, layout in layouts(),
        ) {
            let shape = [texts, heads, queries, keys];
            let inputs = inputs(seed, shape, each);
            let direction = numbers(seed + 2, inputs[0].len(), 1.0);
            let found = run(softmax, &inputs, shape, &direction, layout);
            assert_close(&found[0], &reference(&inputs[0], &inputs[1], shape), 1e-6);
            let loss = |[scores]: &[Vec<f64>; 1]| product(&reference(scores, &inputs[1], shape), &direction);
            assert_close(&found[1], &differences(&[inputs[0].clone()], 0, loss), 2e-6);
            for (found, expected) in
                found.iter().zip(run(library::softmax, &inputs, shape, &direction, layout))
            {
                assert_same(found, &expected, 1e-6);
            }
        }

        #[test]
        fn an_input_in_use_stays_as_it_is(keys in 1..36_usize, seed in 0..u64::MAX / 2) {
            let shape = [2, 2, 3, keys];
            let [scores, bias] = &inputs(seed, shape, false);
            let device = Device::flex();
            let bias = tensor(bias, [2, 1, 1, keys], &device);
            let scores = tensor(scores, shape, &device);
            let before = floats(scores.clone());
            let shared = floats(softmax(scores.clone(), bias.clone(), SCALE));
            assert_eq!(floats(scores.clone()), before);
            assert_eq!(floats(softmax(scores, bias, SCALE)), shared);
        }
    }

    #[test]
    fn tasks_join() {
        let shape = [3, 4, 37, 83];
        for each in [false, true] {
            let inputs = inputs(7, shape, each);
            let direction = numbers(8, inputs[0].len(), 1.0);
            let found = run(softmax, &inputs, shape, &direction, Layout::Plain);
            let expected = run(library::softmax, &inputs, shape, &direction, Layout::Plain);
            for (found, expected) in found.iter().zip(expected) {
                assert_same(found, &expected, 1e-6);
            }
        }
    }

    /// A text of nothing but padding: finite, as with library ops.
    #[test]
    fn rows_of_padding_are_finite_and_hidden_keys_weigh_nothing() {
        let scores = numbers(3, 40, 30.0);
        let bias = [vec![-1e9; 20], vec![0.0; 19], vec![-1e9]].concat();
        let [found, gradient] = run(
            softmax,
            &[scores, bias],
            [2, 1, 1, 20],
            &numbers(4, 40, 1.0),
            Layout::Plain,
        );
        assert!(found.iter().chain(&gradient).all(|value| value.is_finite()));
        assert!((found[..20].iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(found[39], 0.0);
    }
}
