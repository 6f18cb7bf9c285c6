use burn::tensor::Tolerance;
use proptest::prelude::*;

use super::*;
use crate::testing::{Case, assert_close, cases};
use crate::{CostMatrix, Problem, reference};

fn tensors(case: &Case, device: &Device) -> (Tensor<3>, Tensor<2>, Tensor<2>) {
    let cost = TensorData::new(case.cost.clone(), [1, case.n, case.m]);
    let a = TensorData::new(case.a.clone(), [1, case.n]);
    let b = TensorData::new(case.b.clone(), [1, case.m]);
    (
        Tensor::from_data(cost, device),
        Tensor::from_data(a, device),
        Tensor::from_data(b, device),
    )
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().convert::<f64>().try_to_vec().unwrap()
}

/// Two problems of sizes 2 x 3 and 3 x 2, padded to 3 x 3 with costs that must not be read.
fn padded(device: &Device) -> (Tensor<3>, Tensor<2>, Tensor<2>) {
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    let cost = Tensor::from_floats(
        [
            [[0.1, 0.8, 0.6], [0.7, 0.2, 0.9], [nan, inf, -inf]],
            [[0.3, 1.4, nan], [0.9, 0.2, -inf], [0.5, 1.1, inf]],
        ],
        device,
    );
    let a = Tensor::from_floats([[0.5, 0.5, 0.0], [0.2, 0.5, 0.3]], device);
    let b = Tensor::from_floats([[0.3, 0.3, 0.4], [0.6, 0.4, 0.0]], device);
    (cost, a, b)
}

/// The same two problems without padding, in the core.
fn padded_reference(epsilon: f64) -> [Vec<f64>; 2] {
    [
        (
            &[0.1, 0.8, 0.6, 0.7, 0.2, 0.9],
            2,
            3,
            vec![0.5, 0.5],
            vec![0.3, 0.3, 0.4],
        ),
        (
            &[0.3, 1.4, 0.9, 0.2, 0.5, 1.1],
            3,
            2,
            vec![0.2, 0.5, 0.3],
            vec![0.6, 0.4],
        ),
    ]
    .map(|(cost, n, m, a, b)| {
        let problem = Problem::new(CostMatrix::new(cost, n, m).unwrap(), &a, &b).unwrap();
        Sinkhorn::new(epsilon)
            .unwrap()
            .solve(&problem)
            .unwrap()
            .plan()
    })
}

/// A way to solve, as [`solve`] is one.
type Solver = fn(Tensor<3>, Tensor<2>, Tensor<2>, &Sinkhorn) -> TensorSolution;

/// The core on slices, which [`solve`] takes here, and library ops.
const SOLVERS: [Solver; 2] = [solve, solve_by_library_ops];

fn plan_by(
    solver: Solver,
    cost: Tensor<3>,
    a: Tensor<2>,
    b: Tensor<2>,
    settings: &Sinkhorn,
) -> Tensor<3> {
    solver(cost.clone(), a.clone(), b.clone(), settings).plan(cost, a, b)
}

#[test]
fn padding_is_empty_and_changes_nothing() {
    let (cost, a, b) = padded(&Device::flex());
    for (solver, epsilon) in SOLVERS.into_iter().flat_map(|s| [(s, 0.05), (s, 0.3)]) {
        let settings = Sinkhorn::new(epsilon).unwrap().with_fixed_iterations(300);
        let plan = plan_by(solver, cost.clone(), a.clone(), b.clone(), &settings);
        let plan = values(plan);
        let [first, second] = padded_reference(epsilon);
        for (index, mass) in plan.iter().enumerate() {
            let (problem, i, j) = (index / 9, index / 3 % 3, index % 3);
            let expected = match (problem, i, j) {
                (0, 2, _) | (1, _, 2) => {
                    assert_eq!(*mass, 0.0, "cell {problem} {i} {j}");
                    continue;
                }
                (0, ..) => first[i * 3 + j],
                _ => second[i * 2 + j],
            };
            assert!(
                (mass - expected).abs() < 1e-5,
                "cell {problem} {i} {j}: {mass} {expected}"
            );
        }
    }
}

/// A problem with no mass at all, as in the last batch of an epoch, has an empty plan.
#[test]
fn an_empty_problem_has_an_empty_plan() {
    let device = Device::flex();
    let settings = Sinkhorn::new(0.1).unwrap().with_fixed_iterations(100);
    let zeros = || Tensor::<2>::zeros([1, 2], &device);
    for solver in SOLVERS {
        let cost = Tensor::full([1, 2, 2], f32::NAN, &device);
        let plan = plan_by(solver, cost, zeros(), zeros(), &settings);
        assert_eq!(values(plan), [0.0; 4]);
    }
}

/// The envelope theorem's gradient: `plan / batch`, exactly zero in padding.
#[test]
fn gradient_of_the_loss_is_the_plan() {
    let device = Device::flex().autodiff();
    let (cost, a, b) = padded(&device);
    let cost = cost.require_grad();
    let settings = Sinkhorn::new(0.1).unwrap().with_fixed_iterations(50);
    let plan = plan(cost.clone(), a, b, &settings);
    let loss = transport_loss(cost.clone(), plan.clone());
    let gradient = cost.grad(&loss.backward()).unwrap();
    gradient.into_data().assert_approx_eq::<f32>(
        &(plan.clone().without_autodiff() / 2.0).into_data(),
        Tolerance::absolute(1e-7),
    );

    let plan = values(plan);
    let costs = [
        0.1, 0.8, 0.6, 0.7, 0.2, 0.9, 0.0, 0.0, 0.0, 0.3, 1.4, 0.0, 0.9, 0.2, 0.0, 0.5, 1.1, 0.0,
    ];
    let expected: f64 = plan
        .iter()
        .zip(costs)
        .map(|(mass, cost)| mass * cost / 2.0)
        .sum();
    assert!((values(loss)[0] - expected).abs() < 1e-6);
}

/// The same gradient against finite differences of the regularised cost, by the core.
#[test]
fn plan_is_the_derivative_of_the_regularised_cost() {
    let (costs, a, b) = ([0.1, 0.8, 0.6, 0.7, 0.2, 0.9], [0.4, 0.6], [0.5, 0.2, 0.3]);
    let epsilon = 0.2;
    let regularised = |cell: usize, change: f64| {
        let mut costs = costs;
        costs[cell] += change;
        let problem = Problem::new(CostMatrix::new(&costs, 2, 3).unwrap(), &a, &b).unwrap();
        let solver = Sinkhorn::new(epsilon).unwrap().with_threshold(1e-13);
        solver.solve(&problem).unwrap().regularised_cost()
    };
    let case = Case {
        n: 2,
        m: 3,
        cost: costs.to_vec(),
        a: a.to_vec(),
        b: b.to_vec(),
    };
    let (cost, a, b) = tensors(&case, &Device::flex());
    let plan = values(plan(
        cost,
        a,
        b,
        &Sinkhorn::new(epsilon).unwrap().with_fixed_iterations(200),
    ));
    for (cell, mass) in plan.iter().enumerate() {
        let slope = (regularised(cell, 1e-5) - regularised(cell, -1e-5)) / 2e-5;
        assert!((mass - slope).abs() < 1e-5, "cell {cell}: {mass} {slope}");
    }
}

#[test]
fn the_loss_does_not_differentiate_the_plan() {
    let device = Device::flex().autodiff();
    let plan = Tensor::<3>::from_floats([[[0.3, 0.2], [0.1, 0.4]]], &device).require_grad();
    let cost = Tensor::<3>::from_floats([[[0.5, 1.0], [0.7, 0.1]]], &device).require_grad();
    let gradients = transport_loss(cost.clone(), plan.clone()).backward();
    assert!(cost.grad(&gradients).is_some());
    assert!(plan.grad(&gradients).is_none());
}

/// Every row prefers column 0, and from where the iterations start its price has to move by 0.3
/// before rows 1 and 2 give way: 150 epsilons, an exponent that single precision cannot hold in one
/// factor. What is left in wrong cells shrinks like the reciprocal of the iterations.
#[test]
fn potentials_may_travel_beyond_the_range_of_single_precision() {
    let device = Device::flex();
    let thirds = || Tensor::<2>::full([1, 3], 1.0 / 3.0, &device);
    let cost = Tensor::<3>::from_floats(
        [[[0.0, 1.0, 1.0], [0.0, 0.5, 1.0], [0.0, 0.2, 0.6]]],
        &device,
    );
    let settings = Sinkhorn::new(0.002).unwrap().with_fixed_iterations(2000);
    let third = 1.0 / 3.0;
    let expected = [third, 0.0, 0.0, 0.0, third, 0.0, 0.0, 0.0, third];
    for solver in SOLVERS {
        let plan = plan_by(solver, cost.clone(), thirds(), thirds(), &settings);
        assert_close(&values(plan), &expected, 5e-4);
    }
}

/// A row spread evenly over two columns has two partners, one on a single column has one, and a
/// row without weight does not count.
#[test]
fn effective_partners_counts_columns() {
    let device = Device::flex();
    let plan = Tensor::from_floats(
        [[[0.25, 0.0, 0.25], [0.0, 0.5, 0.0], [0.0, 0.0, 0.0]]],
        &device,
    );
    let a = Tensor::from_floats([[0.5, 0.5, 0.0]], &device);
    let partners = values(effective_partners(plan, a))[0];
    assert!((partners - 1.5).abs() < 1e-6, "{partners}");
}

/// At costs up to 1000 epsilons single precision gets as close to the marginals, in as many
/// iterations, as the reference in double precision.
#[test]
fn iterations_are_stable_at_every_epsilon() {
    let (n, m) = (32, 40);
    // Costs in 0..2 without pattern: fractional parts of multiples of irrational numbers.
    let noise =
        |cell: usize| (cell as f64 * 0.618_033_988_7 + (cell * cell) as f64 * 0.414_213_562) % 1.0;
    let case = Case {
        n,
        m,
        cost: (0..n * m).map(|cell| 2.0 * noise(cell)).collect(),
        a: vec![1.0 / n as f64; n],
        b: vec![1.0 / m as f64; m],
    };
    let l1_error = |plan: &[f64]| -> f64 {
        let rows = plan
            .chunks(m)
            .map(|row| row.iter().sum::<f64>() - 1.0 / n as f64);
        let column = |j: usize| plan.iter().skip(j).step_by(m).sum::<f64>() - 1.0 / m as f64;
        rows.chain((0..m).map(column)).map(f64::abs).sum()
    };
    for epsilon in [0.002, 0.01, 0.1, 1.0] {
        let settings = Sinkhorn::new(epsilon).unwrap().with_fixed_iterations(100);
        let expected = l1_error(&reference::plan(&case.problem(), epsilon, 100));
        for solver in SOLVERS {
            let (cost, a, b) = tensors(&case, &Device::flex());
            let found = l1_error(&values(plan_by(solver, cost, a, b, &settings)));
            assert!(
                found <= 1.1 * expected + 1e-5,
                "epsilon {epsilon}: {found:e}, expected {expected:e}"
            );
        }
    }
}

/// With a threshold each problem reports when it got there, and gets there.
#[test]
fn a_threshold_ends_a_solve() {
    let (cost, a, b) = padded(&Device::flex());
    let settings = Sinkhorn::new(0.1)
        .unwrap()
        .with_threshold(1e-5)
        .with_max_iterations(5000);
    for solver in SOLVERS {
        let solution = solver(cost.clone(), a.clone(), b.clone(), &settings);
        let errors = values(solution.marginal_error.clone());
        assert!(errors.iter().all(|error| *error <= 1e-5), "{errors:?}");
        let needed = values(solution.iterations.clone().float());
        assert!(
            needed.iter().all(|needed| (1.0..200.0).contains(needed)),
            "{needed:?}"
        );
        let plan = solution.plan(cost.clone(), a.clone(), b.clone());
        let columns = values((plan.sum_dim(1).reshape([2, 3]) - b.clone()).abs());
        assert!(columns.iter().all(|error| *error <= 2e-5), "{columns:?}");
    }
}

/// A problem without a plan spoils itself and not its neighbours.
#[test]
fn a_refused_problem_is_not_a_number() {
    let (cost, a, b) = padded(&Device::flex());
    let settings = Sinkhorn::new(0.1).unwrap().with_fixed_iterations(100);
    let whole = values(plan(cost.clone(), a.clone(), b.clone(), &settings));
    let cost = cost.slice_fill([0..1, 0..1, 0..1], f32::NAN);
    for solver in SOLVERS {
        let plan = plan_by(solver, cost.clone(), a.clone(), b.clone(), &settings);
        let plan = values(plan);
        assert!(plan[0].is_nan());
        assert_close(&plan[9..], &whole[9..], 1e-5);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Single precision limits agreement: a cost of 2 rounds by 1e-7, which epsilon divides.
    #[test]
    fn agrees_with_the_core(case in cases(), epsilon in 0.05..1.0_f64) {
        let problem = case.problem();
        let expected = Sinkhorn::new(epsilon).unwrap().solve(&problem).unwrap().plan();
        let settings = Sinkhorn::new(epsilon).unwrap().with_fixed_iterations(2000);
        for solver in SOLVERS {
            let (cost, a, b) = tensors(&case, &Device::flex());
            let plan = values(plan_by(solver, cost, a, b, &settings));
            for (mass, expected) in plan.iter().zip(&expected) {
                let difference = (mass - expected).abs();
                prop_assert!(difference < 2e-5 * (1.0 + 0.1 / epsilon), "{mass} {expected}");
            }
        }
    }

    /// Few iterations at any epsilon: no overflow, exact rows, and columns no worse than nothing.
    #[test]
    fn rows_are_exact_at_every_epsilon(
        case in cases(),
        exponent in -2.7..0.0_f64,
        iterations in 1..40_usize,
    ) {
        let epsilon = 10.0_f64.powf(exponent);
        let settings = Sinkhorn::new(epsilon).unwrap().with_fixed_iterations(iterations);
        for solver in SOLVERS {
            let (cost, a, b) = tensors(&case, &Device::flex());
            let plan = values(plan_by(solver, cost * 2.0, a, b, &settings));
            for (row, weight) in plan.chunks(case.m).zip(&case.a) {
                prop_assert!(row.iter().all(|mass| mass.is_finite() && *mass >= 0.0));
                prop_assert!((row.iter().sum::<f64>() - weight).abs() <= 1e-6 * weight + 1e-9);
            }
        }
    }
}
