//! Layer norm of a biased sum. The forward pass leaves the normalised rows behind, in the buffer of
//! its input, and the backward pass sums all three gradients of parameters while it is there.

mod rows;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use pulp::Arch;
use rayon::prelude::*;

use self::rows::{Forward, Reverse};
use super::{
    assert_lengths, contiguous, shaped_like, task_size, total, values, vector, width, writable,
};

pub(in crate::ops) fn layer_norm(
    inputs: [Tensor<2>; 2],
    vectors: [Tensor<1>; 3],
    epsilon: f64,
) -> Tensor<2> {
    let [x, residual] = inputs.map(Tensor::into_dispatch);
    let [bias, gamma, beta] = vectors.map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::residual_norm(
        x,
        bias,
        residual,
        gamma,
        beta,
        epsilon as f32,
    ))
}

pub(in crate::ops) fn norm(
    x: Tensor<2>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> Tensor<2> {
    let device = x.device();
    let [_, width] = x.dims();
    // One row of zeros stands for all: it is not a parameter, so nobody asks for its gradient.
    let (bias, residual) = (
        Tensor::zeros([width], &device),
        Tensor::zeros([1, width], &device),
    );
    layer_norm([x, residual], [bias, gamma, beta], epsilon)
}

#[backend_extension(Flex, Autodiff)]
trait ResidualNorm: Backend {
    fn residual_norm(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self>;
}

impl ResidualNorm for Flex {
    fn residual_norm(
        x: FlexTensor,
        bias: FlexTensor,
        residual: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f32,
    ) -> FlexTensor {
        let [bias, residual, gamma, beta] = [bias, residual, gamma, beta].map(contiguous);
        let (bias, gamma, beta) = (values(&bias), values(&gamma), values(&beta));
        let mut x = writable(x);
        assert_lengths(&[bias, gamma, beta], width(&x));
        let residual = Residual::new(&residual, &x);
        let size = task_size(bias.len());
        let arch = Arch::new();
        x.storage_mut()
            .par_chunks_mut(size)
            .enumerate()
            .for_each(|(task, x)| {
                arch.dispatch(Forward {
                    residual: residual.of(task * size, x.len()),
                    x,
                    bias,
                    gamma,
                    beta,
                    epsilon,
                    kept: None,
                });
            });
        x
    }
}

impl<C: CheckpointStrategy> ResidualNorm for Autodiff<Flex, C> {
    fn residual_norm(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f32,
    ) -> FloatTensor<Self> {
        let inputs = [x, bias, residual, gamma, beta];
        let nodes = inputs.each_ref().map(|input| input.node());
        let [x, bias, residual, gamma, beta] = inputs.map(|input| input.into_primitive());
        match Derivative.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let (output, kept) = forward_and_keep(x, bias, residual, gamma, beta, epsilon);
                prepared.finish(kept, output)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(Flex::residual_norm(x, bias, residual, gamma, beta, epsilon))
            }
        }
    }
}

/// What the backward pass needs.
#[derive(Debug, Clone)]
struct Kept {
    /// Rows of mean zero and variance one, in the buffer of `x` if nobody else holds that.
    normalised: FlexTensor,
    /// One over the standard deviation of each row.
    inverses: Vec<f32>,
    gamma: FlexTensor,
}

fn forward_and_keep(
    x: FlexTensor,
    bias: FlexTensor,
    residual: FlexTensor,
    gamma: FlexTensor,
    beta: FlexTensor,
    epsilon: f32,
) -> (FlexTensor, Kept) {
    let [bias, residual, gamma, beta] = [bias, residual, gamma, beta].map(contiguous);
    let (bias, gamma_values, beta) = (values(&bias), values(&gamma), values(&beta));
    let mut x = writable(x);
    let (width, count) = (width(&x), x.layout().num_elements());
    assert_lengths(&[bias, gamma_values, beta], width);
    let residual = Residual::new(&residual, &x);
    let mut output = vec![0.0; count];
    let mut inverses = vec![0.0; count / width.max(1)];
    let size = task_size(width);
    let arch = Arch::new();
    (
        x.storage_mut().par_chunks_mut(size),
        output.par_chunks_mut(size),
        inverses.par_chunks_mut(size / width.max(1)),
    )
        .into_par_iter()
        .enumerate()
        .for_each(|(task, (x, output, inverses))| {
            arch.dispatch(Forward {
                residual: residual.of(task * size, x.len()),
                x,
                bias,
                gamma: gamma_values,
                beta,
                epsilon,
                kept: Some((output, inverses)),
            });
        });
    let output = shaped_like(output, &x);
    (
        output,
        Kept {
            normalised: x,
            inverses,
            gamma,
        },
    )
}

/// What is added to the rows: as many, or one that stands for all.
struct Residual<'a> {
    values: &'a [f32],
    shared: bool,
}

impl<'a> Residual<'a> {
    #[track_caller]
    fn new(residual: &'a FlexTensor, x: &FlexTensor) -> Self {
        let (values, count) = (values(residual), x.layout().num_elements());
        let shared = values.len() == width(x);
        assert_lengths(&[values], if shared { values.len() } else { count });
        Self { values, shared }
    }

    /// Returns what is added to `count` values from `start` on.
    fn of(&self, start: usize, count: usize) -> &'a [f32] {
        if self.shared {
            self.values
        } else {
            &self.values[start..][..count]
        }
    }
}

#[derive(Debug)]
struct Derivative;

impl Backward<Flex, 5> for Derivative {
    type State = Kept;

    fn backward(self, ops: Ops<Kept, 5>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut gradient = writable(grads.consume::<Flex>(&ops.node));
        let Kept {
            normalised,
            inverses,
            gamma,
        } = ops.state;
        let gamma = values(&gamma);
        let width = gamma.len();
        let size = task_size(width);
        let arch = Arch::new();
        let parts: Vec<_> = (
            gradient.storage_mut().par_chunks_mut(size),
            values(&normalised).par_chunks(size),
            inverses.par_chunks(size / width.max(1)),
        )
            .into_par_iter()
            .map(|(gradient, normalised, inverses)| {
                let mut sums = [(); 3].map(|()| vec![0.0; width]);
                arch.dispatch(Reverse {
                    gradient,
                    normalised,
                    inverses,
                    gamma,
                    sums: &mut sums,
                });
                sums
            })
            .collect();
        let mut sums = [(); 3].map(|()| Vec::with_capacity(parts.len()));
        for part in parts {
            for (sums, part) in sums.iter_mut().zip(part) {
                sums.push(part);
            }
        }
        let [bias, gamma, beta] = sums.map(|parts| vector(total(parts, width)));
        let gradients = [gradient.clone(), bias, gradient, gamma, beta];
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some(parent) = parent {
                grads.register::<Flex>(parent.id, gradient);
            }
        }
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

    const EPSILON: f64 = 1e-3;

    fn reference([x, bias, residual, gamma, beta]: &[Vec<f64>; 5]) -> Vec<f64> {
        let width = bias.len();
        let row = |(x, residual): (&[f64], &[f64])| {
            let sums: Vec<f64> = (0..width)
                .map(|place| x[place] + bias[place] + residual[place])
                .collect();
            let mean = sums.iter().sum::<f64>() / width as f64;
            let squares: f64 = sums.iter().map(|sum| (sum - mean).powi(2)).sum();
            let deviation = (squares / width as f64 + EPSILON).sqrt();
            let place =
                |place: usize| (sums[place] - mean) / deviation * gamma[place] + beta[place];
            (0..width).map(place).collect::<Vec<_>>()
        };
        x.chunks(width)
            .zip(residual.chunks(width))
            .flat_map(row)
            .collect()
    }

    fn inputs(seed: u64, rows: usize, width: usize) -> [Vec<f64>; 5] {
        [
            numbers(seed, rows * width, 3.0),
            numbers(seed + 1, width, 1.0),
            numbers(seed + 2, rows * width, 2.0),
            numbers(seed + 3, width, 1.5),
            numbers(seed + 4, width, 1.0),
        ]
    }

    type Op = fn([Tensor<2>; 2], [Tensor<1>; 3], f64) -> Tensor<2>;

    /// The output and the five gradients.
    fn run(
        op: Op,
        [x, bias, residual, gamma, beta]: &[Vec<f64>; 5],
        direction: &[f64],
        layouts: [Layout; 2],
    ) -> [Vec<f32>; 6] {
        let width = bias.len();
        let shape = [x.len() / width, width];
        let [x, residual] = [(x, layouts[0]), (residual, layouts[1])]
            .map(|(values, layout)| Leaf::new(values, shape, layout));
        let [bias, gamma, beta] =
            [bias, gamma, beta].map(|values| Leaf::new(values, [width], Layout::Plain));
        let vectors = [bias.view(), gamma.view(), beta.view()];
        let output = op([x.view(), residual.view()], vectors, EPSILON);
        let gradients = backward(output.clone(), direction, layouts[0]);
        [
            floats(output),
            x.gradient(&gradients),
            bias.gradient(&gradients),
            residual.gradient(&gradients),
            gamma.gradient(&gradients),
            beta.gradient(&gradients),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn matches_double_precision_differences_and_library(
            rows in 1..5_usize, width in 1..36_usize, seed in 0..u64::MAX / 2,
            layouts in [layouts(), layouts()],
        ) {
            let inputs = inputs(seed, rows, width);
            let direction = numbers(seed + 5, rows * width, 1.0);
            let found = run(layer_norm, &inputs, &direction, layouts);
            assert_close(&found[0], &reference(&inputs), 1e-5);
            let loss = |inputs: &[Vec<f64>; 5]| product(&reference(inputs), &direction);
            for (input, found) in found[1..].iter().enumerate() {
                assert_close(found, &differences(&inputs, input, loss), 1e-4);
            }
            let expected = run(library::layer_norm, &inputs, &direction, layouts);
            for (found, expected) in found.iter().zip(expected) {
                assert_same(found, &expected, 1e-4);
            }
        }

        #[test]
        fn an_input_in_use_stays_as_it_is(
            rows in 1..5_usize, width in 1..36_usize, seed in 0..u64::MAX / 2,
        ) {
            let [x, bias, residual, gamma, beta] = &inputs(seed, rows, width);
            let device = Device::flex();
            let [x, residual] = [x, residual].map(|values| tensor(values, [rows, width], &device));
            let [bias, gamma, beta] = [bias, gamma, beta].map(|values| tensor(values, [width], &device));
            let norm = |x, residual| {
                floats(layer_norm([x, residual], [bias.clone(), gamma.clone(), beta.clone()], EPSILON))
            };
            let before = [floats(x.clone()), floats(residual.clone())];
            let shared = norm(x.clone(), residual.clone());
            assert_eq!([floats(x.clone()), floats(residual.clone())], before);
            assert_eq!(norm(x, residual), shared);
        }
    }

    #[test]
    fn tasks_join() {
        let inputs = inputs(7, 61, 700);
        let direction = numbers(8, 61 * 700, 1.0);
        let layouts = [Layout::Plain; 2];
        let found = run(layer_norm, &inputs, &direction, layouts);
        let expected = run(library::layer_norm, &inputs, &direction, layouts);
        for (found, expected) in found.iter().zip(expected) {
            assert_same(found, &expected, 1e-5);
        }
    }

    /// Without a sum it is the norm of a sum with nothing, and leaves its input to others.
    #[test]
    fn the_norm_alone_is_that_of_library_ops() {
        for (rows, width) in [(1, 5), (3, 32), (61, 700)] {
            let [x, _, _, gamma, beta] = inputs(9, rows, width);
            let direction = numbers(10, rows * width, 1.0);
            let run = |op: fn(Tensor<2>, Tensor<1>, Tensor<1>, f64) -> Tensor<2>| {
                let x = Leaf::new(&x, [rows, width], Layout::Plain);
                let [gamma, beta] =
                    [&gamma, &beta].map(|values| Leaf::new(values, [width], Layout::Plain));
                let stream = x.view();
                let output = op(stream.clone(), gamma.view(), beta.view(), EPSILON) + stream;
                let gradients = backward(output.clone(), &direction, Layout::Plain);
                let leaves = [&x].map(|x| x.gradient(&gradients));
                let vectors = [&gamma, &beta].map(|vector| vector.gradient(&gradients));
                [vec![floats(output)], leaves.to_vec(), vectors.to_vec()].concat()
            };
            for (found, expected) in run(norm).iter().zip(run(library::norm)) {
                assert_same(found, &expected, 1e-5);
            }
        }
    }
}
