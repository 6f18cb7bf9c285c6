//! What the ops' tests share: values, layouts, and derivatives by differences in double precision.

use burn::tensor::{Device, Gradients, Tensor, TensorData};
use proptest::prelude::*;

/// How an op's input is laid out in memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Layout {
    /// In row-major order.
    Plain,
    /// With its last two dimensions swapped.
    Turned,
    /// After something else in the same buffer.
    After,
}

pub(super) fn layouts() -> impl Strategy<Value = Layout> {
    prop_oneof![
        Just(Layout::Plain),
        Just(Layout::Turned),
        Just(Layout::After)
    ]
}

/// A tensor with a gradient, and an op's view of it.
pub(super) struct Leaf<const D: usize> {
    leaf: Tensor<D>,
    layout: Layout,
}

impl<const D: usize> Leaf<D> {
    pub(super) fn new(values: &[f64], shape: [usize; D], layout: Layout) -> Self {
        let tensor = tensor(values, shape, &Device::flex().autodiff());
        let leaf = match layout {
            Layout::Plain => tensor,
            Layout::Turned => {
                let turned = tensor.swap_dims(D - 2, D - 1);
                Tensor::from_data(turned.clone().into_data(), &turned.device())
            }
            Layout::After => Tensor::cat(vec![tensor.zeros_like(), tensor], 0),
        };
        Self {
            leaf: leaf.detach().require_grad(),
            layout,
        }
    }

    pub(super) fn view(&self) -> Tensor<D> {
        self.seen(self.leaf.clone())
    }

    pub(super) fn gradient(&self, gradients: &Gradients) -> Vec<f32> {
        floats(self.seen(self.leaf.grad(gradients).unwrap()))
    }

    fn seen(&self, tensor: Tensor<D>) -> Tensor<D> {
        match self.layout {
            Layout::Plain => tensor,
            Layout::Turned => tensor.swap_dims(D - 2, D - 1),
            Layout::After => {
                let rows = tensor.dims()[0];
                tensor.slice_dim(0, rows / 2..rows)
            }
        }
    }
}

/// Differentiates the product of `output` with `direction`, on whose layout that of the output's
/// gradient depends.
pub(super) fn backward<const D: usize>(
    output: Tensor<D>,
    direction: &[f64],
    layout: Layout,
) -> Gradients {
    let direction = Leaf::new(direction, output.dims(), layout).view().detach();
    if layout == Layout::Turned && D > 1 {
        let output = output.swap_dims(D - 2, D - 1);
        return (output * direction.swap_dims(D - 2, D - 1))
            .sum()
            .backward();
    }
    (output * direction).sum().backward()
}

pub(super) fn tensor<const D: usize>(
    values: &[f64],
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

pub(super) fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// Numbers in `-span .. span` that single precision holds exactly.
pub(super) fn numbers(seed: u64, count: usize, span: f64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let unit = (state >> 40) as f64 / (1_u64 << 23) as f64 - 1.0;
        f64::from((span * unit) as f32)
    };
    (0..count).map(|_| next()).collect()
}

/// The derivative of `loss` by each number of its `input`-th argument.
pub(super) fn differences<const N: usize>(
    arguments: &[Vec<f64>; N],
    input: usize,
    loss: impl Fn(&[Vec<f64>; N]) -> f64,
) -> Vec<f64> {
    let step = 1e-5;
    let moved = |place: usize, by: f64| {
        let mut arguments = arguments.clone();
        arguments[input][place] += by;
        loss(&arguments)
    };
    (0..arguments[input].len())
        .map(|place| (moved(place, step) - moved(place, -step)) / (2.0 * step))
        .collect()
}

pub(super) fn product(left: &[f64], right: &[f64]) -> f64 {
    left.iter()
        .zip(right)
        .map(|(left, right)| left * right)
        .sum()
}

/// Checks that no value differs by more than `tolerance`, relative to values above one.
#[track_caller]
pub(super) fn assert_close(found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (place, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let distance = (f64::from(found) - expected).abs() / expected.abs().max(1.0);
        assert!(
            distance <= tolerance,
            "{found} instead of {expected} at {place}"
        );
    }
}

/// The same of two computations in single precision.
#[track_caller]
pub(super) fn assert_same(found: &[f32], expected: &[f32], tolerance: f64) {
    let expected: Vec<f64> = expected.iter().map(|&value| f64::from(value)).collect();
    assert_close(found, &expected, tolerance);
}
