//! The kernel on a software Vulkan device against the core in double precision.

use burn::prelude::*;
use burn::tensor::{DType, DeviceKind};

use crate::burn::{Gradient, TensorSolution, library, transport_cost};
use crate::{Batch, Sinkhorn};

/// Problems of one shape, padded inside and at the end, with costs in padding that must not be
/// read.
struct Problems {
    batch: usize,
    n: usize,
    m: usize,
    cost: Vec<f32>,
    a: Vec<f64>,
    b: Vec<f64>,
}

impl Problems {
    fn new(batch: usize, n: usize, m: usize) -> Self {
        let weights = |length: usize, seed: usize| -> Vec<f64> {
            let weight = |problem: usize, index: usize| {
                let padded = index % 7 == 3 || (index > 4 && index + 2 * problem >= length);
                let weight = 0.2 + noise(seed + problem * length + index);
                if padded { 0.0 } else { weight }
            };
            let all = (0..batch).flat_map(|problem| {
                let mass: f64 = (0..length).map(|index| weight(problem, index)).sum();
                (0..length).map(move |index| weight(problem, index) / mass)
            });
            all.collect()
        };
        let (a, b) = (weights(n, 11), weights(m, 1300));
        let cell = |cell: usize| {
            let (problem, i, j) = (cell / (n * m), cell / m % n, cell % m);
            if a[problem * n + i] > 0.0 && b[problem * m + j] > 0.0 {
                (1.5 * noise(cell)) as f32
            } else {
                [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][cell % 3]
            }
        };
        let cost = (0..batch * n * m).map(cell).collect();
        Self {
            batch,
            n,
            m,
            cost,
            a,
            b,
        }
    }

    fn tensors(&self, device: &Device, dtype: DType) -> (Tensor<3>, Tensor<2>, Tensor<2>) {
        let (batch, n, m) = (self.batch, self.n, self.m);
        let options = (device, dtype);
        (
            Tensor::from_data(TensorData::new(self.cost.clone(), [batch, n, m]), options),
            Tensor::from_data(TensorData::new(self.a.clone(), [batch, n]), options),
            Tensor::from_data(TensorData::new(self.b.clone(), [batch, m]), options),
        )
    }

    /// Plans by the kernel, with what it says of them.
    fn solved(&self, settings: &Sinkhorn) -> (Vec<f64>, TensorSolution) {
        let (cost, a, b) = self.tensors(&device(), DType::F32);
        assert!(super::fits(&cost));
        let solution = super::solve(cost.clone(), a.clone(), b.clone(), settings);
        (values(solution.plan(cost, a, b)), solution)
    }

    /// Plans by the core in double precision.
    fn expected(&self, solver: &Sinkhorn) -> Vec<f64> {
        let cost: Vec<f64> = self.cost.iter().map(|cost| f64::from(*cost)).collect();
        let batch = Batch::padded(&cost, self.batch, self.n, self.m).unwrap();
        let batch = batch.with_weights(&self.a, &self.b).unwrap();
        let solution = solver.solve_batch(&batch).unwrap();
        (0..self.batch)
            .flat_map(|index| solution.plan(index))
            .collect()
    }

    /// Plans by library ops in double precision.
    fn by_library(&self, settings: &Sinkhorn) -> Vec<f64> {
        let (cost, a, b) = self.tensors(&Device::flex(), DType::F64);
        let solution = library::solve(cost.clone(), a.clone(), b.clone(), settings);
        values(solution.plan(cost, a, b))
    }
}

/// Numbers in 0..1 without pattern: fractional parts of multiples of irrational numbers.
fn noise(index: usize) -> f64 {
    (index as f64 * 0.618_033_988_7 + (index * index % 10_007) as f64 * 0.414_213_562) % 1.0
}

fn device() -> Device {
    Device::wgpu(DeviceKind::Cpu)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().convert::<f64>().try_to_vec().unwrap()
}

fn fixed(epsilon: f64, iterations: usize) -> Sinkhorn {
    Sinkhorn::new(epsilon)
        .unwrap()
        .with_fixed_iterations(iterations)
}

/// Every size of cube, matrices in shared memory and out of it.
const SHAPES: [(usize, usize, usize); 7] = [
    (1, 1, 1),
    (3, 5, 2),
    (4, 32, 32),
    (3, 33, 20),
    (2, 64, 64),
    (2, 20, 100),
    (2, 128, 128),
];

#[track_caller]
fn assert_plans(found: &[f64], expected: &[f64], problems: &Problems, tolerance: f64) {
    // A mass is at most the smaller of two weights.
    let weight = 1.0 / problems.n.max(problems.m) as f64;
    for (cell, (found, expected)) in found.iter().zip(expected).enumerate() {
        if *expected == 0.0 {
            assert!(found.abs() < 1e-30, "cell {cell}: {found}, not zero");
        }
        assert!(
            (found - expected).abs() <= tolerance * weight,
            "cell {cell}: {found}, expected {expected}"
        );
    }
}

#[test]
fn converged_plans_are_those_of_the_core() {
    for (batch, n, m) in SHAPES {
        let problems = Problems::new(batch, n, m);
        // Mesa's software device gives up a shader's loops after 65,535 rounds of all of them
        // together, of which an iteration takes `n + m`.
        for (epsilon, iterations) in [(0.3, 200), (1.0, 50)] {
            let (found, _) = problems.solved(&fixed(epsilon, iterations));
            let solver = Sinkhorn::new(epsilon).unwrap().with_threshold(1e-12);
            let expected = problems.expected(&solver);
            assert_plans(&found, &expected, &problems, 1e-4 * (1.0 + 0.05 / epsilon));
        }
    }
}

/// From the same start the same iterations, however few and at whatever epsilon.
#[test]
fn fixed_iterations_are_those_of_library_ops() {
    for (batch, n, m) in SHAPES {
        let problems = Problems::new(batch, n, m);
        for (epsilon, iterations) in [(0.002, 60), (0.01, 9), (0.05, 50), (0.1, 1), (1.0, 2)] {
            let settings = fixed(epsilon, iterations);
            let (found, solution) = problems.solved(&settings);
            let expected = problems.by_library(&settings);
            assert_plans(&found, &expected, &problems, 1e-4 * (1.0 + 0.05 / epsilon));
            let needed = values(solution.iterations.float());
            assert!(needed.iter().all(|needed| *needed == iterations as f64));
        }
    }
}

#[test]
fn padding_is_exactly_empty() {
    let problems = Problems::new(3, 33, 20);
    let (plan, solution) = problems.solved(&fixed(0.1, 20));
    for (cell, mass) in plan.iter().enumerate() {
        let (problem, i, j) = (cell / 660, cell / 20 % 33, cell % 20);
        let kept = problems.a[problem * 33 + i] > 0.0 && problems.b[problem * 20 + j] > 0.0;
        assert_eq!(*mass > 0.0, kept, "cell {cell}: {mass}");
    }
    let (f, g) = (values(solution.f), values(solution.g));
    for (potential, weight) in f.iter().zip(&problems.a).chain(g.iter().zip(&problems.b)) {
        assert!(potential.is_finite());
        assert!(*weight > 0.0 || *potential == 0.0);
    }
}

#[test]
fn a_threshold_ends_each_problem_for_itself() {
    let threshold = 1e-5;
    for (batch, n, m) in SHAPES {
        let problems = Problems::new(batch, n, m);
        let settings = Sinkhorn::new(0.1)
            .unwrap()
            .with_threshold(threshold)
            .with_max_iterations(3000);
        let (found, solution) = problems.solved(&settings);
        let errors = values(solution.marginal_error);
        assert!(errors.iter().all(|error| *error <= threshold), "{errors:?}");
        let needed = values(solution.iterations.float());
        assert!(needed.iter().all(|needed| *needed < 3000.0), "{needed:?}");
        let solver = Sinkhorn::new(0.1).unwrap().with_threshold(1e-12);
        assert_plans(&found, &problems.expected(&solver), &problems, 5e-3);

        // What it says is what its plan has.
        let columns = |problem: usize, j: usize| -> f64 {
            let rows = found[problem * n * m..][..n * m].iter();
            rows.skip(j).step_by(m).sum()
        };
        for (problem, said) in errors.iter().enumerate() {
            let error = (0..m).map(|j| columns(problem, j) - problems.b[problem * m + j]);
            let error: f64 = error.map(f64::abs).sum();
            assert!((error - said).abs() < 2e-6, "{error:e}, said {said:e}");
        }
    }
}

/// More problems than a launch has cubes along one axis.
#[test]
fn a_batch_may_be_larger_than_an_axis() {
    let batch = 66_000;
    let cost = Tensor::<3>::zeros([batch, 1, 2], &device());
    let a = Tensor::<2>::ones([batch, 1], &device());
    let b = Tensor::<2>::from_floats([[0.25, 0.75]], &device()).expand([batch, 2]);
    let solution = super::solve(cost.clone(), a.clone(), b.clone(), &fixed(0.1, 2));
    let plan = values(solution.plan(cost, a, b));
    for masses in plan.chunks_exact(2) {
        crate::testing::assert_close(masses, &[0.25, 0.75], 1e-6);
    }
}

#[test]
fn an_empty_problem_and_one_without_a_plan_keep_to_themselves() {
    let mut problems = Problems::new(3, 5, 4);
    let (whole, _) = problems.solved(&fixed(0.1, 20));
    problems.a[..5].fill(0.0);
    problems.b[..4].fill(0.0);
    problems.cost[20] = f32::NAN;
    let (found, _) = problems.solved(&fixed(0.1, 20));
    assert!(found[..20].iter().all(|mass| *mass == 0.0));
    assert!(found[20].is_nan());
    crate::testing::assert_close(&found[40..], &whole[40..], 0.0);
}

/// The node recomputes on the device what it does in double precision on burn's CPU backend.
#[test]
fn gradients_are_those_of_double_precision() {
    let problems = Problems::new(3, 9, 12);
    let settings = fixed(0.1, 300);
    for gradient in [
        Gradient::Envelope,
        Gradient::Detached,
        Gradient::Implicit,
        Gradient::Unrolled,
    ] {
        let [found, expected] = [
            (device().autodiff(), DType::F32),
            (Device::flex().autodiff(), DType::F64),
        ]
        .map(|(device, dtype)| {
            let (cost, a, b) = problems.tensors(&device, dtype);
            let cost = cost.require_grad();
            let value = transport_cost(cost.clone(), a, b, &settings, gradient);
            let slope = cost.grad(&value.clone().sum().backward()).unwrap();
            (values(value), values(slope))
        });
        crate::testing::assert_close(&found.0, &expected.0, 1e-5);
        crate::testing::assert_close(&found.1, &expected.1, 1e-5);
        for (found, expected) in found.1.iter().zip(&expected.1) {
            assert_eq!(*found == 0.0, *expected == 0.0);
        }
    }
}

/// What is too large for a cube runs as library ops, to the same end.
#[test]
fn library_ops_take_what_does_not_fit() {
    let problems = Problems::new(1, 130, 6);
    let (cost, a, b) = problems.tensors(&device(), DType::F32);
    assert!(!super::fits(&cost));
    let solution = crate::burn::solve(cost.clone(), a.clone(), b.clone(), &fixed(0.1, 50));
    let plan = values(solution.plan(cost, a, b));
    let solver = Sinkhorn::new(0.1).unwrap().with_fixed_iterations(50);
    assert_plans(&plan, &problems.expected(&solver), &problems, 1e-3);
}

/// Not a test of speed, but that both ways of one device agree.
#[test]
fn the_kernel_and_library_ops_agree() {
    let problems = Problems::new(4, 32, 24);
    let settings = fixed(0.05, 40);
    let (found, _) = problems.solved(&settings);
    let (cost, a, b) = problems.tensors(&device(), DType::F32);
    let solution = library::solve(cost.clone(), a.clone(), b.clone(), &settings);
    let expected = values(solution.plan(cost, a, b));
    crate::testing::assert_close(&found, &expected, 1e-6);
}
