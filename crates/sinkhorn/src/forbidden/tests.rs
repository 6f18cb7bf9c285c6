use super::*;
use crate::testing::assert_close;
use crate::{Batch, CostMatrix, Gradient, Sinkhorn, Solution, Status};

const INF: f64 = f64::INFINITY;

fn problem(cost: &[f64], a: &[f64], b: &[f64]) -> Problem {
    let cost = CostMatrix::new(cost, a.len(), b.len()).unwrap();
    Problem::unbalanced(cost, a, b).unwrap()
}

fn solver() -> Sinkhorn {
    Sinkhorn::new(0.1).unwrap().with_threshold(1e-10)
}

fn check(problem: &Problem, expected: &[f64]) -> Solution {
    let solution = solver().solve(problem).unwrap();
    assert_eq!(solution.status(), Status::Converged, "{solution:?}");
    let plan = solution.plan();
    assert_close(&plan, expected, 1e-9);
    for (mass, expected) in plan.iter().zip(expected) {
        assert!(*expected > 0.0 || *mass == 0.0, "{plan:?}");
    }
    assert!(solution.duality_gap().abs() < 1e-8, "{solution:?}");
    let objectives = [solution.regularised_cost(), solution.dual_cost()];
    assert!(objectives.iter().all(|cost| cost.is_finite()));
    assert!(
        (objectives[0] - objectives[1]).abs() < 1e-8,
        "{objectives:?}"
    );
    solution
}

#[test]
fn blocks_are_numbered_against_the_edges() {
    // 0 -> 1 -> 2 -> 1, 3 alone, 2 -> 4.
    let edges = [(0, 1), (1, 2), (2, 1), (2, 4)];
    let found = blocks(5, |node, from| {
        let ends = edges.iter().filter(|edge| edge.0 == node && edge.1 >= from);
        ends.map(|edge| edge.1).min()
    });
    assert_eq!(found[1], found[2]);
    assert!(found[0] > found[1] && found[1] > found[4]);
    let mut different = found.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), 4);
}

/// The other way of solving: a cost at which nothing moves.
#[test]
fn a_forbidden_cell_is_one_that_costs_too_much() {
    let with = |forbidden: f64| {
        let cost = [0.1, 0.8, forbidden, 0.7, 0.2, 0.9, forbidden, 0.3, 0.4];
        problem(&cost, &[0.3, 0.4, 0.3], &[0.2, 0.5, 0.3])
    };
    let filled = with(100.0);
    let solution = solver().solve(&filled).unwrap();
    let forbidden = with(INF);
    let found = check(&forbidden, &solution.plan());
    let cost = found.transport_cost();
    assert!((cost - solution.transport_cost()).abs() < 1e-9);
    for gradient in [Gradient::Envelope, Gradient::Implicit] {
        let slope = found.gradient(gradient).unwrap();
        assert_close(&slope, &solution.gradient(gradient).unwrap(), 1e-7);
    }
    let fixed = solver().with_fixed_iterations(30);
    let slopes = [&forbidden, &filled].map(|problem| {
        let solution = fixed.solve(problem).unwrap();
        solution.gradient(Gradient::Unrolled).unwrap()
    });
    assert_close(&slopes[0], &slopes[1], 1e-7);
}

/// Row 1 has only column 1, whose mass it uses up, so row 0 cannot send there although it might.
#[test]
fn cells_that_no_plan_can_use_are_empty() {
    let problem = problem(&[0.3, 0.0, INF, 0.2], &[0.5, 0.5], &[0.5, 0.5]);
    let solution = check(&problem, &[0.5, 0.0, 0.0, 0.5]);
    assert!((solution.transport_cost() - 0.25).abs() < 1e-9);
    // From there, the same.
    let again = solver().solve_from(&problem, solution.g()).unwrap();
    assert_eq!(again.plan()[1], 0.0);
    let moved = solution.barycentric_projection(&[1.0, 2.0], 1);
    assert_close(&moved.unwrap(), &[1.0, 2.0], 1e-9);
}

#[test]
fn a_problem_without_a_plan_is_named() {
    let refused = solver().solve(&problem(
        &[INF, 0.1, 0.2, INF, INF, 0.3, 0.1, 0.2, 0.3],
        &[0.4, 0.3, 0.3],
        &[0.4, 0.3, 0.3],
    ));
    let message = refused.unwrap_err().to_string();
    assert!(
        message.starts_with("column 0 takes 0.4, but at finite costs only with row 2"),
        "{message}"
    );
}

/// Where a marginal may be missed, what cannot move stays, at its price.
#[test]
fn rows_that_go_nowhere_keep_their_mass() {
    let (a, b) = ([0.4, 0.6], [0.5, 0.5]);
    let costs = [INF, INF, 0.1, 0.4];
    let stranded = problem(&costs, &a, &b);
    let (alone, rho) = (problem(&costs[2..], &a[1..], &b), 0.7);
    let relaxed = solver().with_rho(rho, 0.3).unwrap();
    let [found, expected] = [&stranded, &alone].map(|problem| relaxed.solve(problem).unwrap());
    assert_close(&found.plan()[..2], &[0.0, 0.0], 0.0);
    assert_close(&found.plan()[2..], &expected.plan(), 1e-9);
    // The price of the row's mass, and its part of the divergence from the product of the weights.
    let more = rho * a[0] + 0.1 * a[0];
    for (cost, expected) in [
        (found.regularised_cost(), expected.regularised_cost()),
        (found.dual_cost(), expected.dual_cost()),
    ] {
        assert!((cost - expected - more).abs() < 1e-8, "{cost} {expected}");
    }
    assert!(found.duality_gap().abs() < 1e-7);
    let held = solver().with_rho(INF, 0.3).unwrap().solve(&stranded);
    let message = held.unwrap_err().to_string();
    assert_eq!(
        message,
        "row 0 sends 0.4, but has no finite cost to any column"
    );
}

#[test]
fn batches_do_as_single_problems_do() {
    let inf = f32::INFINITY;
    let costs = [0.25_f32, 0.5, inf, 0.125, 0.5, 0.25, 0.75, 0.5];
    let batch = Batch::padded(&costs, 2, 2, 2).unwrap();
    let solver = Sinkhorn::new(0.1).unwrap().with_threshold(1e-6);
    let found = solver.solve_batch(&batch).unwrap();
    assert_close(&found.plan(0), &[0.5, 0.0, 0.0, 0.5], 1e-6);
    assert!(found.reports().iter().all(|report| report.converged()));
    assert!(
        found.reports()[0]
            .duality_gap
            .is_some_and(|gap| gap.abs() < 1e-5)
    );
    assert!((found.reports()[0].transport_cost - 0.1875).abs() < 1e-6);
    let again = solver.solve_batch_from(&batch, found.g()).unwrap();
    assert_close(&again.plan(0), &[0.5, 0.0, 0.0, 0.5], 1e-6);
    let blocked = [inf, inf, 0.5, 0.5];
    let refused = solver.solve_batch(&Batch::padded(&blocked, 1, 2, 2).unwrap());
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("problem 0: row 0 sends 0.5"), "{message}");
}

/// A gap with a filler anywhere is that of the costs in use.
#[test]
fn fillers_do_not_hide_the_gap() {
    for filler in [1e6, 1e12, 1e300] {
        let cost = [0.1, filler, 0.6, 0.7, 0.2, filler, filler, 0.3, 0.4];
        let problem = problem(&cost, &[0.3, 0.4, 0.3], &[0.2, 0.5, 0.3]);
        let solution = Sinkhorn::new(0.1).unwrap().solve(&problem).unwrap();
        assert!(solution.converged());
        assert!(solution.duality_gap().abs() < 1e-8, "{filler}");
        let batch = Batch::padded(&cost, 1, 3, 3).unwrap();
        let batch = batch.with_weights(problem.a(), problem.b()).unwrap();
        let report = Sinkhorn::new(0.1)
            .unwrap()
            .solve_batch(&batch)
            .unwrap()
            .reports()[0];
        assert!(
            report.converged() && report.duality_gap.unwrap().abs() < 1e-8,
            "{report:?}"
        );
    }
}
