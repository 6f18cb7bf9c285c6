use proptest::prelude::*;

use super::*;
use crate::log_domain::Support;
use crate::testing::{Case, assert_close, cases, hard_cases};
use crate::{CostMatrix, Instructions, Problem, Status};

/// Problems one behind the other, as a batch takes them.
#[derive(Default)]
struct Ragged<T> {
    costs: Vec<T>,
    a: Vec<T>,
    b: Vec<T>,
    shapes: Vec<(usize, usize)>,
}

impl<T: Real> Ragged<T> {
    fn of(cases: &[Case]) -> Self {
        let mut all = Self {
            costs: Vec::new(),
            a: Vec::new(),
            b: Vec::new(),
            shapes: Vec::new(),
        };
        let narrow = |values: &[f64]| values.iter().map(|&v| T::from_f64(v)).collect::<Vec<T>>();
        for case in cases {
            all.costs.extend(narrow(&case.cost));
            all.a.extend(narrow(&case.a));
            all.b.extend(narrow(&case.b));
            all.shapes.push((case.n, case.m));
        }
        all
    }

    fn batch(&self) -> Batch<'_, T> {
        let batch = Batch::ragged(&self.costs, &self.shapes).unwrap();
        batch.with_weights(&self.a, &self.b).unwrap()
    }
}

fn solver(epsilon: f64) -> Sinkhorn {
    Sinkhorn::new(epsilon).unwrap()
}

fn plans<T: Real>(solver: &Sinkhorn, ragged: &Ragged<T>) -> Vec<Vec<f64>> {
    let batch = ragged.batch();
    let solution = solver.solve_batch(&batch).unwrap();
    let converged = |report: &Report| report.converged();
    assert!(
        solution.reports().iter().all(converged),
        "{:?}",
        solution.reports()
    );
    (0..batch.len()).map(|index| solution.plan(index)).collect()
}

/// A case whose rows and columns without mass have costs that nobody may read.
fn poisoned(mut case: Case) -> Case {
    for (cell, cost) in case.cost.iter_mut().enumerate() {
        if case.a[cell / case.m] == 0.0 || case.b[cell % case.m] == 0.0 {
            *cost = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][cell % 3];
        }
    }
    case
}

#[test]
fn shapes_and_weights_that_do_not_fit_are_named() {
    let costs = [0.0_f32; 12];
    assert_eq!(
        Batch::padded(&costs, 2, 0, 3).unwrap_err(),
        Error::EmptyCost { n: 0, m: 3 }
    );
    let error = Batch::padded(&costs, 3, 2, 3).unwrap_err();
    assert_eq!(error.to_string(), "the shapes need 18 cost values, not 12");
    let batch = Batch::padded(&costs, 2, 2, 3).unwrap();
    let error = batch.clone().with_weights(&[0.5; 3], &[0.1; 6]);
    assert_eq!(
        error.unwrap_err().to_string(),
        "a has 3 weights, the cost needs 4"
    );
    let half = [0.5; 4];
    let b = [0.5, 0.25, 0.25, 0.5, -0.25, 0.25];
    let batch = batch.with_weights(&half, &b).unwrap();
    let error = solver(0.1).solve_batch(&batch).unwrap_err();
    assert_eq!(
        error.to_string(),
        "problem 1: b[1] = -0.25 is negative or not finite"
    );
}

#[test]
fn an_empty_batch_has_no_solutions() {
    let batch = Batch::<f32>::padded(&[], 0, 3, 4).unwrap();
    assert!(batch.is_empty());
    let solution = solver(0.1).solve_batch(&batch).unwrap();
    assert!(solution.reports().is_empty() && solution.f().is_empty());
}

/// Plain iterations are a row update after as many column updates, less one.
#[test]
fn fixed_iterations_are_the_exact_iterations() {
    let cost: Vec<f64> = (0..70 * 30)
        .map(|i| f64::from(i * 37 % 101) / 100.0)
        .collect();
    let a: Vec<f64> = (0..70).map(|i| f64::from(1 + i % 5) / 210.0).collect();
    let b = vec![1.0 / 30.0; 30];
    for (n, m) in [(70, 30), (5, 30)] {
        let a: Vec<f64> = a[..n]
            .iter()
            .map(|w| w / a[..n].iter().sum::<f64>())
            .collect();
        let problem = CostMatrix::new(&cost[..n * m], n, m).unwrap();
        let problem = Problem::new(problem, &a, &b).unwrap();
        for (epsilon, iterations) in [(0.2, 1), (0.05, 7), (0.002, 4)] {
            let support = Support::of(&problem);
            let mut point = support.evaluate(epsilon, vec![0.0; m]);
            for _ in 1..iterations {
                point = support.evaluate(epsilon, point.image);
            }
            let expected = support.plan(epsilon, &point.f, &point.g);
            let batch = Batch::padded(&cost[..n * m], 1, n, m).unwrap();
            let batch = batch.with_weights(&a, &b).unwrap();
            let solver = solver(epsilon).with_fixed_iterations(iterations);
            let solution = solver.solve_batch(&batch).unwrap();
            assert_eq!(solution.reports()[0].iterations, iterations);
            assert_close(&solution.plan(0), &expected, 1e-12);
        }
    }
}

/// A side of 1 to 70 takes every path: one block to four, and more than are kept transposed.
#[test]
fn every_width_agrees_with_the_exact_solver() {
    for side in [1, 2, 15, 16, 17, 32, 33, 48, 50, 64, 65, 70] {
        let (n, m) = (side, 71 - side);
        let cost: Vec<f64> = (0..n * m).map(|i| (i * 61 % 89) as f64 / 88.0).collect();
        let problem = Problem::uniform(CostMatrix::new(&cost, n, m).unwrap()).unwrap();
        let expected = solver(0.05).with_threshold(1e-12).solve(&problem).unwrap();
        let batch = Batch::padded(&cost, 1, n, m).unwrap();
        let solution = solver(0.05)
            .with_threshold(1e-12)
            .solve_batch(&batch)
            .unwrap();
        assert_close(&solution.plan(0), &expected.plan(), 1e-11);
        assert_close(solution.f(), expected.f(), 1e-9);
        assert_close(solution.g(), expected.g(), 1e-9);
        let report = solution.reports()[0];
        let found = [
            report.transport_cost,
            report.regularised_cost,
            report.dual_cost,
        ];
        let costs = [
            expected.transport_cost(),
            expected.regularised_cost(),
            expected.dual_cost(),
        ];
        assert_close(&found, &costs, 1e-10);
    }
}

#[test]
fn iterations_that_run_out_are_reported() {
    let cost: Vec<f32> = (0..64).map(|i| (i * 29 % 31) as f32 / 30.0).collect();
    let batch = Batch::padded(&cost, 1, 8, 8).unwrap();
    for iterations in 1..6 {
        let solver = solver(1e-3).with_max_iterations(iterations);
        let report = solver.solve_batch(&batch).unwrap().reports()[0];
        assert_eq!(report.iterations, iterations);
        assert_eq!(report.status, Status::MaxIterations);
    }
}

proptest! {
    #[test]
    fn batches_agree_with_single_solves(
        cases in prop::collection::vec(cases().prop_map(poisoned), 1..5),
        exponent in -3.0..0.0_f64,
    ) {
        let epsilon = 10.0_f64.powf(exponent);
        let expected: Vec<Vec<f64>> = cases
            .iter()
            .map(|case| {
                let problem = case.problem();
                let solution = solver(epsilon).with_threshold(1e-11).solve(&problem).unwrap();
                solution.plan()
            })
            .collect();
        let double = plans(&solver(epsilon), &Ragged::<f64>::of(&cases));
        let single = solver(epsilon).with_threshold(1e-5);
        let single = plans(&single, &Ragged::<f32>::of(&cases));
        for (index, expected) in expected.iter().enumerate() {
            assert_close(&double[index], expected, 1e-6);
            prop_assert!(single[index].iter().all(|mass| mass.is_finite()));
            if epsilon > 0.02 {
                assert_close(&single[index], expected, 1e-4);
            }
        }
    }

    #[test]
    fn a_solution_does_not_depend_on_its_neighbours(
        cases in prop::collection::vec(cases(), 2..5),
        epsilon in 0.01..1.0_f64,
    ) {
        let together = plans(&solver(epsilon), &Ragged::<f64>::of(&cases));
        for (case, plan) in cases.iter().zip(together) {
            let alone = plans(&solver(epsilon), &Ragged::<f64>::of(std::slice::from_ref(case)));
            prop_assert_eq!(&alone[0], &plan);
        }
    }

    #[test]
    fn all_instructions_agree(case in cases(), epsilon in 0.01..1.0_f64) {
        let ragged = Ragged::<f64>::of(&[case]);
        let by = |instructions| {
            let solver = solver(epsilon).with_threshold(1e-11).with_instructions(instructions);
            plans(&solver, &ragged).remove(0)
        };
        let baseline = by(Instructions::Baseline);
        assert_close(&by(Instructions::Avx2), &baseline, 1e-8);
        assert_close(&by(Instructions::Avx512), &baseline, 1e-8);
    }

    /// The least regularised cost lies between the dual and the dual with the gap.
    #[test]
    fn the_gap_bounds_what_is_left(case in cases(), epsilon in 0.02..1.0_f64, loose in 1..4_usize) {
        let problem = case.problem();
        let best = solver(epsilon).with_threshold(1e-12).solve(&problem).unwrap();
        let best = best.dual_cost();
        let ragged = Ragged::<f64>::of(&[case]);
        let solver = solver(epsilon).with_max_iterations(loose);
        let report = solver.solve_batch(&ragged.batch()).unwrap().reports()[0];
        let gap = report.duality_gap.unwrap();
        prop_assert!(report.dual_cost <= best + 1e-10);
        prop_assert!(best <= report.dual_cost + gap + 1e-10, "{best} {report:?}");
        prop_assert!(gap <= 30.0 * report.marginal_error + 1e-9, "{report:?}");
    }
}

/// Prices of missing the marginals: of both, of one, and nearly none at all.
fn prices() -> impl Strategy<Value = (f64, f64)> {
    let rho = || (-1.5..1.5_f64).prop_map(|exponent| 10.0_f64.powf(exponent));
    prop_oneof![
        (rho(), rho()),
        rho().prop_map(|rho| (rho, f64::INFINITY)),
        rho().prop_map(|rho| (f64::INFINITY, rho)),
        rho().prop_map(|rho| (100.0 * rho, 1e3)),
    ]
}

proptest! {
    #[test]
    fn relaxed_batches_agree_with_single_solves(
        cases in prop::collection::vec(cases().prop_map(poisoned), 1..4),
        (rows, columns) in prices(),
        exponent in -2.5..0.0_f64,
        heavier in 0.2..3.0_f64,
    ) {
        let solver = solver(10.0_f64.powf(exponent)).with_rho(rows, columns).unwrap();
        let heavy = |mut case: Case| {
            case.a.iter_mut().for_each(|weight| *weight *= heavier);
            case
        };
        let cases: Vec<Case> = cases.into_iter().map(heavy).collect();
        let ragged = Ragged::<f64>::of(&cases);
        let batch = ragged.batch();
        let solution = solver.with_threshold(1e-10).solve_batch(&batch).unwrap();
        let single = Ragged::<f32>::of(&cases);
        let coarse = solver.with_threshold(1e-4).solve_batch(&single.batch()).unwrap();
        let places = batch.places();
        for (index, case) in cases.iter().enumerate() {
            let cost = CostMatrix::new(&case.cost, case.n, case.m).unwrap();
            let problem = Problem::unbalanced(cost, &case.a, &case.b).unwrap();
            let expected = solver.with_threshold(1e-11).solve(&problem).unwrap();
            assert_close(&solution.plan(index), &expected.plan(), 1e-7);
            let report = solution.reports()[index];
            prop_assert!(report.converged(), "{report:?}");
            let found = [report.transport_cost, report.regularised_cost, report.dual_cost];
            let costs = [
                expected.transport_cost(),
                expected.regularised_cost(),
                expected.dual_cost(),
            ];
            assert_close(&found, &costs, 1e-6 * (1.0 + costs[1].abs()));
            let gap = report.duality_gap.unwrap();
            prop_assert!(gap.abs() < 1e-6 * (1.0 + costs[1].abs()), "{report:?}");
            // Of every relaxed solution the potentials are determined, not only their sums.
            for (&j, &g) in places[index].columns.clone().collect::<Vec<_>>().iter().zip(expected.g()) {
                if ragged.b[j] > 0.0 && rows.is_finite() && columns.is_finite() {
                    prop_assert!((solution.g()[j] - g).abs() < 1e-5, "{} {g}", solution.g()[j]);
                }
            }
            prop_assert!(coarse.reports()[index].converged(), "{:?}", coarse.reports()[index]);
            assert_close(&coarse.plan(index), &expected.plan(), 0.02);
        }
    }

    /// Fixed iterations are those of the single solver, without translation.
    #[test]
    fn relaxed_fixed_iterations_are_the_exact_iterations(
        case in cases(), (rows, columns) in prices(), count in 1..6_usize,
    ) {
        let solver = solver(0.05).with_rho(rows, columns).unwrap().with_fixed_iterations(count);
        let ragged = Ragged::<f64>::of(std::slice::from_ref(&case));
        let solution = solver.solve_batch(&ragged.batch()).unwrap();
        let problem = case.problem();
        let expected = solver.solve(&problem).unwrap();
        assert_close(&solution.plan(0), &expected.plan(), 1e-9);
        let report = solution.reports()[0];
        prop_assert!((report.marginal_error - expected.marginal_error()).abs() < 1e-9);
    }

    /// The optimum lies between the dual and the dual with the gap, converged or not.
    #[test]
    fn the_gap_bounds_what_is_left_of_a_relaxed_problem(
        case in cases(), (rows, columns) in prices(), loose in 1..4_usize,
    ) {
        let problem = case.problem();
        let solver = solver(0.1).with_rho(rows, columns).unwrap();
        let best = solver.with_threshold(1e-12).solve(&problem).unwrap().dual_cost();
        let ragged = Ragged::<f64>::of(&[case]);
        let report = solver.with_max_iterations(loose).solve_batch(&ragged.batch()).unwrap();
        let report = report.reports()[0];
        let gap = report.duality_gap.unwrap();
        prop_assert!(report.dual_cost <= best + 1e-9, "{best} {report:?}");
        prop_assert!(best <= report.dual_cost + gap + 1e-9, "{best} {report:?}");
    }

    /// From the potentials of its solution a problem takes an iteration or two, in a batch as alone.
    #[test]
    fn a_batch_goes_on_from_potentials(
        cases in prop::collection::vec(cases().prop_map(poisoned), 1..4), epsilon in 0.02..1.0_f64,
    ) {
        let ragged = Ragged::<f64>::of(&cases);
        let batch = ragged.batch();
        let cold = solver(epsilon).with_threshold(1e-11).solve_batch(&batch).unwrap();
        let mut g = cold.g().to_vec();
        for (g, b) in g.iter_mut().zip(&ragged.b) {
            if *b == 0.0 {
                *g = f64::NAN;
            }
        }
        let warm = solver(epsilon).with_threshold(1e-9).solve_batch_from(&batch, &g).unwrap();
        for (index, report) in warm.reports().iter().enumerate() {
            prop_assert!(report.iterations <= 2, "{report:?}");
            assert_close(&warm.plan(index), &cold.plan(index), 1e-8);
        }
    }
}

#[test]
fn potentials_that_do_not_fit_are_named() {
    let costs = [0.1_f32, 0.2, 0.3, 0.4];
    let batch = Batch::padded(&costs, 2, 1, 2).unwrap();
    let error = solver(0.1).solve_batch_from(&batch, &[0.0; 3]).unwrap_err();
    assert_eq!(error.to_string(), "g has 3 potentials, the cost needs 4");
    let start = [0.0, 0.0, 0.0, f64::NAN];
    let error = solver(0.1).solve_batch_from(&batch, &start).unwrap_err();
    assert_eq!(error.to_string(), "problem 1: g[1] = NaN is not finite");
}

/// A constant on all costs moves the potentials, and nothing else.
#[test]
fn large_offsets_cost_no_digits() {
    let cost: Vec<f64> = (0..30).map(|i| f64::from(i * 61 % 89) / 88.0).collect();
    let far: Vec<f64> = cost.iter().map(|cost| cost + 1e6).collect();
    // The costs that are left once the offset has taken its digits.
    let near: Vec<f64> = far.iter().map(|cost| cost - 1e6).collect();
    let solver = solver(1e-3).with_threshold(1e-10);
    let solve = |costs: &[f64]| {
        let batch = Batch::padded(costs, 1, 5, 6).unwrap();
        let solution = solver.solve_batch(&batch).unwrap();
        (
            solution.plan(0),
            solution.reports()[0],
            solution.f().to_vec(),
        )
    };
    let ((plan, report, f), (far_plan, far_report, far_f)) = (solve(&near), solve(&far));
    assert!(far_report.converged(), "{far_report:?}");
    assert_close(&far_plan, &plan, 1e-10);
    assert!((far_report.transport_cost - 1e6 - report.transport_cost).abs() < 1e-8);
    assert!((far_report.dual_cost - 1e6 - report.dual_cost).abs() < 1e-8);
    assert!(
        (far_report.duality_gap.unwrap()).abs() < 1e-10,
        "{far_report:?}"
    );
    assert!((far_f[2] - 1e6 - f[2]).abs() < 1e-8);
}

/// In single precision, what the potentials say is within the threshold too, not only what the
/// factors said.
#[test]
fn single_precision_keeps_the_threshold() {
    let cost: Vec<f32> = (0..28 * 30).map(|i| (i * 61 % 89) as f32 / 20.0).collect();
    for epsilon in [1.0, 0.1, 0.02] {
        let batch = Batch::padded(&cost, 1, 28, 30).unwrap();
        let solution = solver(epsilon)
            .with_threshold(4e-6)
            .solve_batch(&batch)
            .unwrap();
        assert!(solution.reports()[0].converged());
        let plan = solution.plan(0);
        let weights = ([1.0 / 28.0; 28], [1.0 / 30.0; 30]);
        let error = crate::log_domain::marginal_error(&plan, &weights.0, &weights.1);
        // The solver's own check rounds, too, otherwise on each instruction set.
        assert!(error <= 1.01 * 4e-6, "epsilon {epsilon}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Noisy permutations, on which plain iterations need tens of thousands.
    #[test]
    fn stragglers_converge(case in hard_cases(), exponent in -4.0..-1.5_f64) {
        let epsilon = 10.0_f64.powf(exponent);
        let ragged = Ragged::<f32>::of(&[case]);
        let batch = ragged.batch();
        let solution = solver(epsilon).with_threshold(1e-6).solve_batch(&batch).unwrap();
        let report = solution.reports()[0];
        prop_assert!(report.converged(), "{report:?}");
        prop_assert!(report.duality_gap.unwrap().abs() < 1e-5, "{report:?}");
        let plan = solution.plan(0);
        let rows: f64 = plan.chunks(batch.shapes[0].1).zip(&ragged.a)
            .map(|(row, a)| (row.iter().sum::<f64>() - f64::from(*a)).abs()).sum();
        prop_assert!(rows < 1e-5, "{rows}");
    }
}
