//! Each derivative against finite differences, in double precision on burn's CPU backend.

use burn::prelude::*;
use burn::tensor::DType;

use super::gradient::Saved;
use super::*;

const NAMED: [Gradient; 4] = [
    Gradient::Envelope,
    Gradient::Detached,
    Gradient::Implicit,
    Gradient::Unrolled,
];

/// Problems of sizes 3 x 4 and 4 x 2 in a 4 x 4 batch, padded inside as well as at the end, with
/// costs in padding that must not be read.
struct Problems {
    cost: Vec<f64>,
    a: Vec<f64>,
    b: Vec<f64>,
}

impl Problems {
    fn new() -> Self {
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        #[rustfmt::skip]
        let cost = vec![
            0.1, 0.8, 0.6, 0.3,
            nan, inf, -inf, nan,
            0.7, 0.2, 0.9, 0.5,
            0.4, 0.3, 0.1, 1.2,

            0.3, nan, 1.4, inf,
            0.9, inf, 0.2, nan,
            0.5, nan, 1.1, nan,
            0.2, nan, 0.8, -inf,
        ];
        Self {
            cost,
            a: vec![0.5, 0.0, 0.3, 0.2, 0.2, 0.4, 0.3, 0.1],
            b: vec![0.3, 0.3, 0.25, 0.15, 0.6, 0.0, 0.4, 0.0],
        }
    }

    fn carries_mass(&self, cell: usize) -> bool {
        let (problem, i, j) = (cell / 16, cell / 4 % 4, cell % 4);
        self.a[problem * 4 + i] > 0.0 && self.b[problem * 4 + j] > 0.0
    }

    fn tensors(&self, device: &Device, dtype: DType) -> (Tensor<3>, Tensor<2>, Tensor<2>) {
        let vector = |values: &[f64]| {
            Tensor::from_data(TensorData::new(values.to_vec(), [2, 4]), (device, dtype))
        };
        let cost = TensorData::new(self.cost.clone(), [2, 4, 4]);
        (
            Tensor::from_data(cost, (device, dtype)),
            vector(&self.a),
            vector(&self.b),
        )
    }

    /// `value_0 + 3 value_1` with one cost changed.
    fn value(&self, settings: &Sinkhorn, gradient: Gradient, cell: usize, by: f64) -> f64 {
        let mut changed = self.cost.clone();
        changed[cell] += by;
        let problems = Self {
            cost: changed,
            a: self.a.clone(),
            b: self.b.clone(),
        };
        let (cost, a, b) = problems.tensors(&Device::flex(), DType::F64);
        let value = values(transport_cost(cost, a, b, settings, gradient));
        value[0] + 3.0 * value[1]
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().convert::<f64>().try_to_vec().unwrap()
}

/// The derivative of `value_0 + 3 value_1` by the cost.
fn slope(
    device: &Device,
    dtype: DType,
    value: impl Fn(Tensor<3>, Tensor<2>, Tensor<2>) -> Tensor<1>,
) -> Vec<f64> {
    let (cost, a, b) = Problems::new().tensors(device, dtype);
    let cost = cost.require_grad();
    let shares = Tensor::<1>::from_data([1.0, 3.0], (device, dtype));
    let loss = (value(cost.clone(), a, b) * shares).sum();
    values(cost.grad(&loss.backward()).unwrap())
}

fn converged(epsilon: f64) -> Sinkhorn {
    Sinkhorn::new(epsilon)
        .unwrap()
        .with_threshold(1e-13)
        .with_max_iterations(10_000)
}

fn fixed(epsilon: f64, iterations: usize) -> Sinkhorn {
    Sinkhorn::new(epsilon)
        .unwrap()
        .with_fixed_iterations(iterations)
}

/// Compares with central differences wherever there is mass; elsewhere nothing but zero will do.
#[track_caller]
fn assert_derivative(slope: &[f64], settings: &Sinkhorn, gradient: Gradient, tolerance: f64) {
    let problems = Problems::new();
    for (cell, found) in slope.iter().enumerate() {
        if !problems.carries_mass(cell) {
            assert_eq!(*found, 0.0, "cell {cell}");
            continue;
        }
        let step = 1e-5;
        let at = |by| problems.value(settings, gradient, cell, by);
        let expected = (at(step) - at(-step)) / (2.0 * step);
        assert!(
            (found - expected).abs() < tolerance,
            "{gradient:?} at {cell}: {found}, expected {expected}"
        );
    }
}

#[test]
fn converged_derivatives_match_finite_differences() {
    let device = Device::flex().autodiff();
    for epsilon in [0.05, 0.2, 1.0] {
        let settings = converged(epsilon);
        for gradient in [Gradient::Envelope, Gradient::Implicit] {
            let slope = slope(&device, DType::F64, |cost, a, b| {
                transport_cost(cost, a, b, &settings, gradient)
            });
            assert_derivative(&slope, &settings, gradient, 1e-7);
        }
    }
}

/// Exact however few the iterations: it is their derivative, not that of the optimum.
#[test]
fn unrolled_derivatives_match_finite_differences_after_few_iterations() {
    let device = Device::flex().autodiff();
    for (epsilon, iterations) in [(0.05, 1), (0.05, 12), (0.2, 3), (1.0, 2)] {
        let settings = fixed(epsilon, iterations);
        let slope = slope(&device, DType::F64, |cost, a, b| {
            transport_cost(cost, a, b, &settings, Gradient::Unrolled)
        });
        assert_derivative(&slope, &settings, Gradient::Unrolled, 1e-7);
    }
}

/// A plan held fixed makes the cost linear, so one difference of any size is its derivative.
#[test]
fn the_detached_derivative_holds_the_plan_fixed() {
    let device = Device::flex().autodiff();
    let settings = converged(0.2);
    let detached = slope(&device, DType::F64, |cost, a, b| {
        transport_cost(cost, a, b, &settings, Gradient::Detached)
    });
    let problems = Problems::new();
    let (cost, a, b) = problems.tensors(&Device::flex(), DType::F64);
    let plan = values(plan(cost, a, b, &settings));
    let along = |costs: &[f64]| -> f64 {
        let products = costs.iter().zip(&plan).enumerate();
        products
            .filter(|(cell, _)| problems.carries_mass(*cell))
            .map(|(cell, (cost, mass))| cost * mass * if cell < 16 { 1.0 } else { 3.0 })
            .sum()
    };
    for (cell, found) in detached.iter().enumerate() {
        let mut changed = problems.cost.clone();
        changed[cell] += 1.0;
        let expected = along(&changed) - along(&problems.cost);
        assert!((found - expected).abs() < 1e-14, "cell {cell}");
    }
    let moving = slope(&device, DType::F64, |cost, a, b| {
        transport_cost(cost, a, b, &settings, Gradient::Implicit)
    });
    let apart = detached
        .iter()
        .zip(&moving)
        .map(|(fixed, moving)| (fixed - moving).abs());
    assert!(apart.fold(0.0, f64::max) > 0.05);
}

/// The derivative through all iterations tends to that of the optimum.
#[test]
fn unrolling_long_enough_is_implicit() {
    let device = Device::flex().autodiff();
    let settings = fixed(0.3, 400);
    let [unrolled, implicit] = [Gradient::Unrolled, Gradient::Implicit].map(|gradient| {
        slope(&device, DType::F64, |cost, a, b| {
            transport_cost(cost, a, b, &settings, gradient)
        })
    });
    crate::testing::assert_close(&unrolled, &implicit, 1e-12);
}

#[test]
fn single_precision_gradients_are_as_good_as_it_allows() {
    let device = Device::flex().autodiff();
    for epsilon in [0.02, 0.2] {
        let settings = fixed(epsilon, 500);
        for gradient in NAMED {
            let [double, single] = [DType::F64, DType::F32].map(|dtype| {
                slope(&device, dtype, |cost, a, b| {
                    transport_cost(cost, a, b, &settings, gradient)
                })
            });
            crate::testing::assert_close(&single, &double, 1e-5 * (1.0 + 0.1 / epsilon));
        }
    }
}

/// The node that recomputes, that with gradient checkpointing, and what replaces both on backends
/// without one.
#[test]
fn every_place_in_a_graph_has_the_same_derivative() {
    let settings = fixed(0.2, 100);
    let device = Device::flex().autodiff();
    let balanced = Device::flex().autodiff().gradient_checkpointing();
    for gradient in [Gradient::Envelope, Gradient::Detached, Gradient::Implicit] {
        let expected = slope(&device, DType::F64, |cost, a, b| {
            transport_cost(cost, a, b, &settings, gradient)
        });
        let checkpointed = slope(&balanced, DType::F64, |cost, a, b| {
            transport_cost(cost, a, b, &settings, gradient)
        });
        crate::testing::assert_close(&checkpointed, &expected, 0.0);
        let replaced = slope(&device, DType::F64, |cost, a, b| {
            let solution = solve(cost.clone(), a.clone(), b.clone(), &settings);
            let saved = Saved {
                cost: cost.clone().without_autodiff(),
                a: a.without_autodiff(),
                b: b.without_autodiff(),
                f: solution.f,
                g: solution.g,
                epsilon: 0.2,
                gradient,
            };
            node::surrogate_for_tests(cost, saved)
        });
        crate::testing::assert_close(&replaced, &expected, 1e-15);
    }
}

/// At convergence the envelope's value is the core's regularised cost, and the others' is `<P, C>`.
#[test]
fn values_are_the_named_costs_of_the_core() {
    let problem = crate::Problem::new(
        crate::CostMatrix::new(&[0.1, 0.8, 0.6, 0.7, 0.2, 0.9], 2, 3).unwrap(),
        &[0.8, 1.2],
        &[1.0, 0.4, 0.6],
    )
    .unwrap();
    let solver = Sinkhorn::new(0.2).unwrap().with_threshold(1e-13);
    let solution = solver.solve(&problem).unwrap();
    let device = Device::flex();
    let options = (&device, DType::F64);
    for gradient in NAMED {
        let found = values(transport_cost(
            Tensor::from_data([[[0.1, 0.8, 0.6], [0.7, 0.2, 0.9]]], options),
            Tensor::from_data([[0.8, 1.2]], options),
            Tensor::from_data([[1.0, 0.4, 0.6]], options),
            &fixed(0.2, 500),
            gradient,
        ));
        let expected = match gradient {
            Gradient::Envelope => solution.regularised_cost(),
            _ => solution.transport_cost(),
        };
        crate::testing::assert_close(&found, &[expected], 1e-12);
    }
}
