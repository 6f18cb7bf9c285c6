use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;
use crate::testing::{Case, assert_close, cases, hard_cases};
use crate::{CostMatrix, Side, Status, reference};

fn solve(problem: &Problem, epsilon: f64) -> Solution {
    Sinkhorn::new(epsilon)
        .unwrap()
        .with_threshold(1e-12)
        .solve(problem)
        .unwrap()
}

/// Costs and weights whose solutions are tabled below.
fn tabled() -> Problem {
    let cost = CostMatrix::new(&[0.1, 0.8, 0.6, 0.7, 0.2, 0.9], 2, 3).unwrap();
    Problem::uniform(cost).unwrap()
}

/// Scaling rows and columns keeps the cross-ratio `k` of a 2 x 2 plan: a quadratic in `p`.
#[test]
fn two_by_two_matches_the_closed_form() {
    let (a, b, epsilon) = (0.3, 0.6, 0.3_f64);
    let cost = CostMatrix::new(&[0.1, 0.9, 0.6, 0.2], 2, 2).unwrap();
    let problem = Problem::new(cost, &[a, 1.0 - a], &[b, 1.0 - b]).unwrap();
    let solution = Sinkhorn::new(epsilon)
        .unwrap()
        .with_threshold(1e-13)
        .solve(&problem)
        .unwrap();
    let k = (1.2 / epsilon).exp();
    let half = (1.0 - a - b + k * (a + b)) / 2.0;
    let p = (half - (half * half - (k - 1.0) * k * a * b).sqrt()) / (k - 1.0);
    assert_close(&solution.plan(), &[p, a - p, b - p, 1.0 - a - b + p], 1e-9);
    assert!(solution.converged());
}

/// Plans made by an independent log-domain program in double precision, printed to six digits.
/// It weighs by the counting measure; the plan does not depend on that.
#[test]
fn plans_match_tabled_values() {
    let problem = tabled();
    for (epsilon, cost, plan) in [
        (
            1.0,
            0.487047,
            [0.207029, 0.110174, 0.182797, 0.126304, 0.223160, 0.150536],
        ),
        (
            0.1,
            0.354105,
            [0.319796, 0.000048, 0.180156, 0.013537, 0.333285, 0.153178],
        ),
    ] {
        let solution = solve(&problem, epsilon);
        assert_close(&solution.plan(), &plan, 6e-7);
        assert_close(&[solution.transport_cost()], &[cost], 6e-7);
    }
}

/// The linear program's vertex: column 1 from row 0, column 2 from row 1, the third split.
#[test]
fn small_epsilon_reaches_the_linear_program() {
    let problem = tabled();
    let third = 1.0 / 3.0;
    for epsilon in [1e-2, 1e-3, 1e-4, 1e-5] {
        // Rounding of potentials, divided by epsilon, leaves about 1e-11.
        let solution = Sinkhorn::new(epsilon).unwrap().solve(&problem).unwrap();
        let vertex = [third, 0.0, 0.5 - third, 0.0, third, third - (0.5 - third)];
        assert!(
            solution.converged(),
            "epsilon {epsilon}: {}",
            solution.marginal_error()
        );
        assert_close(&solution.plan(), &vertex, 1e-6);
        assert_close(&[solution.transport_cost()], &[0.35], 1e-6);
    }
}

/// A cost `r_i + c_j` prefers no pairing: the plan is the product, and the divergence zero.
#[test]
fn a_separable_cost_gives_the_product() {
    let cost = CostMatrix::new(&[1.1, 1.3, 2.1, 2.3, 5.1, 5.3], 3, 2).unwrap();
    let (a, b) = ([0.2, 0.3, 0.5], [0.9, 0.1]);
    let problem = Problem::new(cost, &a, &b).unwrap();
    let solution = solve(&problem, 0.01);
    let product: Vec<f64> = a.iter().flat_map(|a| b.map(|b| a * b)).collect();
    assert_close(&solution.plan(), &product, 1e-12);
    let expected = 0.2 * 1.0 + 0.3 * 2.0 + 0.5 * 5.0 + 0.9 * 0.1 + 0.1 * 0.3;
    assert_close(&[solution.regularised_cost()], &[expected], 1e-12);
    assert_close(&[solution.dual_cost()], &[expected], 1e-12);
}

/// One row or one column leaves no choice.
#[test]
fn degenerate_shapes_are_solved_at_once() {
    for (n, m) in [(1, 1), (1, 4), (4, 1)] {
        let cost = CostMatrix::new(&[3.0, -1.0, 0.5, 8.0][..n * m], n, m).unwrap();
        let problem = Problem::uniform(cost).unwrap();
        let solution = solve(&problem, 1e-3);
        assert!(solution.converged());
        assert_close(&solution.plan(), &vec![1.0 / (n * m) as f64; n * m], 1e-12);
    }
}

#[test]
fn a_large_common_cost_does_not_cost_digits() {
    let shift = 1e6;
    let costs = [0.125, 0.75, 0.5, 0.625, 0.25, 0.875];
    let near = Problem::uniform(CostMatrix::new(&costs, 2, 3).unwrap()).unwrap();
    let far = costs.map(|cost| cost + shift);
    let far = Problem::uniform(CostMatrix::new(&far, 2, 3).unwrap()).unwrap();
    for epsilon in [1.0, 1e-2, 1e-4] {
        let (near_solution, far_solution) = (solve(&near, epsilon), solve(&far, epsilon));
        assert!(far_solution.converged());
        assert_close(&far_solution.plan(), &near_solution.plan(), 1e-12);
        let difference = far_solution.transport_cost() - near_solution.transport_cost();
        // A marginal error of 1e-12 weighs 1e-6 at this cost.
        assert_close(&[difference], &[shift], 2e-6);
    }
}

/// What stands under a zero weight is not read, and every potential can be printed.
#[test]
fn costs_without_mass_are_not_read() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let costs = [0.1, nan, 0.8, 0.6, -inf, inf, nan, nan, 0.7, 0.5, 0.2, 0.9];
    let problem = Problem::new(
        CostMatrix::new(&costs, 3, 4).unwrap(),
        &[0.5, 0.0, 0.5],
        &[0.25, 0.0, 0.5, 0.25],
    )
    .unwrap();
    let kept = CostMatrix::new(&[0.1, 0.8, 0.6, 0.7, 0.2, 0.9], 2, 3).unwrap();
    let kept = Problem::new(kept, &[0.5, 0.5], &[0.25, 0.5, 0.25]).unwrap();
    let (solution, expected) = (solve(&problem, 0.1), solve(&kept, 0.1));
    let p = expected.plan();
    let plan = [
        p[0], 0.0, p[1], p[2], 0.0, 0.0, 0.0, 0.0, p[3], 0.0, p[4], p[5],
    ];
    assert_eq!(solution.plan(), plan);
    assert_eq!(solution.f()[1], 0.0);
    assert!(
        solution
            .f()
            .iter()
            .chain(solution.g())
            .all(|potential| potential.is_finite())
    );
    assert_close(
        &[solution.transport_cost(), solution.regularised_cost()],
        &[expected.transport_cost(), expected.regularised_cost()],
        1e-15,
    );
}

/// A row without mass whose cost is far below the others' has a potential that calls for more than a
/// number can hold.
#[test]
fn rows_without_mass_have_no_part_in_the_dual() {
    let solver = Sinkhorn::new(0.1).unwrap().with_rho(0.5, 0.5).unwrap();
    let costs = CostMatrix::new(&[-1e4, 0.4], 2, 1).unwrap();
    let problem = Problem::unbalanced(costs, &[0.0, 0.75], &[1.5]).unwrap();
    let solution = solver.solve(&problem).unwrap();
    let cost = solution.regularised_cost();
    assert_close(&[solution.dual_cost()], &[cost], 1e-8);
    assert_close(&[solution.duality_gap()], &[0.0], 1e-8);
}

#[test]
fn iterations_that_run_out_are_reported() {
    let problem = tabled();
    for iterations in 1..10 {
        let solver = Sinkhorn::new(1e-4).unwrap().with_max_iterations(iterations);
        assert_eq!(solver.solve(&problem).unwrap().iterations(), iterations);
    }
    let solver = Sinkhorn::new(1e-3).unwrap().with_max_iterations(7);
    let solution = solver.solve(&problem).unwrap();
    assert_eq!(solution.status(), Status::MaxIterations);
    assert_eq!(solution.iterations(), 7);
    let plan = solution.plan();
    let rows = plan.chunks(3).zip(problem.a());
    let rows: f64 = rows
        .map(|(row, a)| (row.iter().sum::<f64>() - a).abs())
        .sum();
    let column = |j: usize| plan.iter().skip(j).step_by(3).sum::<f64>();
    let columns: f64 = problem
        .b()
        .iter()
        .enumerate()
        .map(|(j, b)| (column(j) - b).abs())
        .sum();
    assert_close(&[solution.marginal_error()], &[rows + columns], 1e-15);
    assert!(solution.marginal_error() > 1e-9);
}

#[test]
fn bad_input_is_named() {
    let cost = |values: &[f64], n, m| CostMatrix::new(values, n, m);
    let two = |value: f64| cost(&[0.0, 1.0, value, 0.0], 2, 2).unwrap();
    let half = [0.5, 0.5];
    assert_eq!(cost(&[], 0, 3), Err(Error::EmptyCost { n: 0, m: 3 }));
    assert_eq!(
        cost(&[1.0], 1, 2),
        Err(Error::CostLength {
            n: 1,
            m: 2,
            found: 1
        })
    );
    for (a, b, error) in [
        (
            vec![1.0],
            vec![0.5, 0.5],
            Error::WeightCount {
                side: Side::Rows,
                expected: 2,
                found: 1,
            },
        ),
        (
            vec![0.5, 0.5],
            vec![1.5, -0.5],
            Error::Weight {
                side: Side::Columns,
                index: 1,
                value: -0.5,
            },
        ),
        (
            vec![0.0, 0.0],
            vec![0.0, 0.0],
            Error::Mass {
                side: Side::Rows,
                value: 0.0,
            },
        ),
        (
            vec![0.5, 0.5],
            vec![0.5, 0.25],
            Error::MassMismatch { a: 1.0, b: 0.75 },
        ),
    ] {
        assert_eq!(Problem::new(two(1.0), &a, &b), Err(error));
    }
    let infinite = Problem::new(two(f64::NEG_INFINITY), &half, &half);
    assert_eq!(
        infinite,
        Err(Error::Cost {
            i: 1,
            j: 0,
            value: f64::NEG_INFINITY
        })
    );
    // Positive infinity forbids a cell.
    assert!(Problem::new(two(f64::INFINITY), &half, &half).is_ok());
    for epsilon in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Sinkhorn::new(epsilon).is_err(), "{epsilon}");
    }
    let error = Problem::new(two(f64::NAN), &half, &half).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cost[1][0] = NaN is not finite between positive weights"
    );
}

/// Finite costs whose difference no number can hold, nor whose quotient by epsilon.
#[test]
fn overflow_is_an_error() {
    for (largest, epsilon) in [(f64::MAX, 1.0), (1.0, 1e-320), (1.0, f64::MAX)] {
        let cost = CostMatrix::new(&[-largest, largest, largest / 2.0, -largest], 2, 2).unwrap();
        let problem = Problem::new(cost, &[0.4, 0.6], &[0.5, 0.5]).unwrap();
        let error = Sinkhorn::new(epsilon).unwrap().solve(&problem).unwrap_err();
        assert!(matches!(error, Error::OutOfRange { .. }), "{error}");
    }
}

proptest! {
    #[test]
    fn plans_have_their_marginals_and_no_duality_gap(case in cases(), exponent in -3.0..0.0_f64) {
        let problem = case.problem();
        let solution = Sinkhorn::new(10.0_f64.powf(exponent)).unwrap().solve(&problem).unwrap();
        prop_assert!(solution.converged());
        let plan = solution.plan();
        for (row, mass) in plan.chunks(case.m).zip(problem.a()) {
            prop_assert!((row.iter().sum::<f64>() - mass).abs() <= 1e-9);
        }
        for (j, mass) in problem.b().iter().enumerate() {
            let column: f64 = plan.iter().skip(j).step_by(case.m).sum();
            prop_assert!((column - mass).abs() <= 1e-9);
        }
        let gap = solution.regularised_cost() - solution.dual_cost();
        prop_assert!(gap.abs() <= 1e-8, "{gap}");
    }

    #[test]
    fn plan_agrees_with_the_reference(case in cases(), epsilon in 0.1..1.0_f64) {
        let problem = case.problem();
        let expected = reference::plan(&problem, epsilon, 2000);
        assert_close(&solve(&problem, epsilon).plan(), &expected, 1e-9);
    }

    #[test]
    fn transposing_the_problem_transposes_the_plan(case in cases(), epsilon in 0.01..1.0_f64) {
        let Case { n, m, .. } = case;
        let flipped = Case {
            n: m,
            m: n,
            cost: (0..n * m).map(|cell| case.cost[cell % n * m + cell / n]).collect(),
            a: case.b.clone(),
            b: case.a.clone(),
        };
        let (problem, flipped) = (case.problem(), flipped.problem());
        let plan = solve(&problem, epsilon).plan();
        let other = solve(&flipped, epsilon).plan();
        let back: Vec<f64> = (0..n * m).map(|cell| other[cell % m * n + cell / m]).collect();
        assert_close(&plan, &back, 1e-8);
    }

    #[test]
    fn costs_of_rows_and_columns_do_not_change_the_plan(case in cases(), epsilon in 0.01..1.0_f64) {
        let problem = case.problem();
        let mut moved = case.clone();
        for (cell, cost) in moved.cost.iter_mut().enumerate() {
            *cost += 3.0 * (cell / case.m) as f64 - 0.7 * (cell % case.m) as f64;
        }
        let moved = moved.problem();
        let (plan, other) = (solve(&problem, epsilon), solve(&moved, epsilon));
        assert_close(&plan.plan(), &other.plan(), 1e-8);
    }

    #[test]
    fn mass_scales_the_plan(case in cases(), mass in 0.1..20.0_f64) {
        let problem = case.problem();
        let mut scaled = case.clone();
        scaled.a.iter_mut().chain(&mut scaled.b).for_each(|weight| *weight *= mass);
        let scaled = scaled.problem();
        let (solution, other) = (solve(&problem, 0.1), solve(&scaled, 0.1));
        let expected: Vec<f64> = solution.plan().iter().map(|p| p * mass).collect();
        assert_close(&other.plan(), &expected, 1e-9 * mass);
        let gap = other.regularised_cost() - other.dual_cost();
        prop_assert!(gap.abs() <= 1e-8 * mass * mass.max(1.0), "{gap}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Noisy permutations with uneven weights, on which plain iterations need tens of thousands.
    #[test]
    fn hard_problems_converge_at_small_epsilon(case in hard_cases(), exponent in -4.0..-2.0_f64) {
        let problem = case.problem();
        let solution = Sinkhorn::new(10.0_f64.powf(exponent)).unwrap().solve(&problem).unwrap();
        prop_assert!(solution.converged(), "{:e}", solution.marginal_error());
        prop_assert!(solution.iterations() < 2000, "{}", solution.iterations());
        let gap = solution.regularised_cost() - solution.dual_cost();
        prop_assert!(gap.abs() <= 1e-8, "{gap}");
    }
}

/// The observer sees every iteration, larger epsilons first, and can end the solve.
#[test]
fn observers_see_every_iteration() {
    let problem = Problem::uniform(CostMatrix::from_fn(5, 7, |i, j| (i * j % 4) as f64).unwrap());
    let problem = problem.unwrap();
    let solver = Sinkhorn::new(0.01).unwrap();
    let mut seen = Vec::new();
    let observed = solver.solve_observed(&problem, |progress| {
        seen.push(progress);
        ControlFlow::Continue(())
    });
    let (observed, alone) = (observed.unwrap(), solver.solve(&problem).unwrap());
    assert!(observed.converged());
    assert_close(&observed.plan(), &alone.plan(), 1e-8);
    assert_eq!(seen.len(), observed.iterations());
    assert!(seen.iter().map(|at| at.iteration).eq(1..=seen.len()));
    assert!(seen.is_sorted_by(|one, next| one.epsilon >= next.epsilon));
    assert!(seen[0].epsilon > 0.01 && seen[seen.len() - 1].epsilon == 0.01);

    for solver in [solver, solver.with_fixed_iterations(9)] {
        let stopped = solver.solve_observed(&problem, |progress| match progress.iteration {
            3 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
        let stopped = stopped.unwrap();
        assert_eq!(stopped.status(), Status::MaxIterations);
        assert!(stopped.iterations() <= 4);
    }
}

#[test]
fn schedules_begin_and_shrink_as_told() {
    let problem = Problem::uniform(CostMatrix::from_fn(5, 7, |i, j| (i * j % 4) as f64).unwrap());
    let problem = problem.unwrap();
    let solver = Sinkhorn::new(0.1).unwrap();
    let mut epsilons = Vec::new();
    let scheduled = solver.with_schedule(0.8 / 3.0, 0.5).unwrap();
    let solution = scheduled.solve_observed(&problem, |progress| {
        epsilons.push(progress.epsilon);
        ControlFlow::Continue(())
    });
    epsilons.dedup();
    assert_close(&epsilons, &[0.8, 0.4, 0.2, 0.1], 1e-15);
    let plan = solver.solve(&problem).unwrap().plan();
    assert_close(&solution.unwrap().plan(), &plan, 1e-8);
    assert_close(&scheduled.solve(&problem).unwrap().plan(), &plan, 1e-8);
    for (first, ratio) in [(0.0, 0.5), (f64::NAN, 0.5), (1.0, 1.0), (1.0, f64::NAN)] {
        assert!(solver.with_schedule(first, ratio).is_err());
    }
}

/// A report has the numbers that the methods have.
#[test]
fn reports_agree_with_the_methods() {
    let cost = [0.1, 0.8, 0.6, f64::INFINITY, 0.2, 0.9];
    let cost = CostMatrix::new(&cost, 2, 3).unwrap();
    let problem = Problem::new(cost, &[0.5, 0.5], &[0.25, 0.5, 0.25]).unwrap();
    for rho in [f64::INFINITY, 2.0] {
        let solver = Sinkhorn::new(0.1).unwrap().with_rho(rho, rho).unwrap();
        let solution = solver.solve(&problem).unwrap();
        let report = solution.report();
        assert_eq!(report.transport_cost, solution.transport_cost());
        assert_eq!(report.regularised_cost, solution.regularised_cost());
        assert_eq!(report.dual_cost, solution.dual_cost());
        assert_eq!(report.duality_gap, Some(solution.duality_gap()));
        assert_eq!(
            (report.status, report.iterations),
            (solution.status(), solution.iterations())
        );
        assert!(report.converged() && report.duality_gap < Some(1e-8));
    }
}
