//! Potentials, costs and reports.

use proptest::prelude::*;

use super::*;
use crate::testing::assert_close;
use crate::{Instructions, PointSolution, Report, Sinkhorn, Status};

/// Potentials differ by a constant where rows or columns have no mass, so they are compared there.
fn on_support(potentials: &[f64], weights: &[f64]) -> Vec<f64> {
    let all = potentials.iter().zip(weights);
    all.filter(|(_, weight)| **weight > 0.0)
        .map(|(potential, _)| *potential)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn potentials_and_costs_are_those_of_the_dense_solver(
        case in cases(),
        epsilon in prop::sample::select(vec![1.0, 0.1, 0.01]),
    ) {
        for kind in KINDS {
            let mass: f64 = case.a.iter().sum();
            let solver = Sinkhorn::new(epsilon).unwrap().with_threshold(1e-11 * mass);
            let cost = case.cost(kind);
            let found = solver.solve_points(&*cost, &case.a, &case.b).unwrap();
            let problem = case.dense(kind);
            let expected = solver.solve(&problem).unwrap();
            prop_assert!(found.report().converged() && expected.converged());
            for (found, expected, weights) in [
                (found.f(), expected.f(), &case.a),
                (found.g(), expected.g(), &case.b),
            ] {
                let found = on_support(found, weights);
                assert_close(&found, &on_support(expected, weights), 1e-6);
            }
            let report = found.report();
            let tolerance = 1e-8 * mass;
            let costs = [report.transport_cost, report.regularised_cost, report.dual_cost];
            let expected = [
                expected.transport_cost(),
                expected.regularised_cost(),
                expected.dual_cost(),
            ];
            assert_close(&costs, &expected, tolerance);
            prop_assert!(report.duality_gap.unwrap().abs() < tolerance);
        }
    }

    /// Small epsilons begin in the log domain, and may end there.
    #[test]
    fn plain_iterations_are_those_of_the_dense_solver(
        case in cases(),
        epsilon in prop::sample::select(vec![1.0, 0.05, 0.002]),
        iterations in 1..6_usize,
    ) {
        for kind in KINDS {
            let solver = Sinkhorn::new(epsilon).unwrap().with_fixed_iterations(iterations);
            let cost = case.cost(kind);
            let found = solver.solve_points(&*cost, &case.a, &case.b).unwrap();
            prop_assert_eq!(found.report().iterations, iterations);
            prop_assert_eq!(found.report().duality_gap, None);
            let problem = case.dense(kind);
            let expected = solver.solve(&problem).unwrap().plan();
            let mass: f64 = case.a.iter().sum();
            assert_close(&plan(&found, &case), &expected, 1e-9 * mass);
            let costs = expected.iter().zip(problem.cost().values());
            let transported: f64 = costs.filter(|(p, _)| **p > 0.0).map(|(p, c)| p * c).sum();
            assert_close(&[found.report().transport_cost], &[transported], 1e-9 * mass);
        }
    }

    #[test]
    fn marginals_may_be_missed_at_a_price(
        case in cases(),
        heavier in 0.5..2.0_f64,
        rho in prop::sample::select(vec![
            [0.5, 2.0], [f64::INFINITY, 0.5], [0.3, f64::INFINITY], [50.0, 50.0],
        ]),
    ) {
        let b: Vec<f64> = case.b.iter().map(|weight| weight * heavier).collect();
        let case = Case { b, ..case };
        for kind in KINDS {
            let mass: f64 = case.a.iter().sum();
            let solver = Sinkhorn::new(0.1).unwrap().with_threshold(1e-11 * mass);
            let solver = solver.with_rho(rho[0], rho[1]).unwrap();
            let cost = case.cost(kind);
            let found = solver.solve_points(&*cost, &case.a, &case.b).unwrap();
            let problem = case.dense(kind);
            let expected = solver.solve(&problem).unwrap();
            prop_assert!(found.report().converged() && expected.converged());
            let tolerance = 1e-8 * mass;
            assert_close(&plan(&found, &case), &expected.plan(), tolerance);
            let report = found.report();
            let costs = [report.transport_cost, report.regularised_cost, report.dual_cost];
            let expected = [
                expected.transport_cost(),
                expected.regularised_cost(),
                expected.dual_cost(),
            ];
            assert_close(&costs, &expected, tolerance);
            prop_assert!(report.duality_gap.unwrap().abs() < tolerance);
        }
    }

    #[test]
    fn the_optimum_lies_within_the_gap(case in cases(), iterations in 1..6_usize) {
        for (kind, rho) in KINDS.into_iter().zip([[f64::INFINITY; 2], [0.5, 1.0], [1.0, f64::INFINITY]]) {
            let mass: f64 = case.a.iter().sum();
            let solver = Sinkhorn::new(0.05).unwrap().with_rho(rho[0], rho[1]).unwrap();
            let hurried = solver.with_threshold(1e-12 * mass).with_max_iterations(iterations);
            let cost = case.cost(kind);
            let found = *hurried.solve_points(&*cost, &case.a, &case.b).unwrap().report();
            let problem = case.dense(kind);
            let optimum = solver.with_threshold(1e-9 * mass).solve(&problem).unwrap();
            let optimum = optimum.dual_cost();
            let rounding = 1e-9 * mass;
            prop_assert!(found.dual_cost <= optimum + rounding);
            prop_assert!(optimum <= found.dual_cost + found.duality_gap.unwrap() + rounding);
        }
    }

    #[test]
    fn single_precision_solves_what_its_numbers_state(
        case in cases(),
        epsilon in prop::sample::select(vec![1.0, 0.1, 0.02]),
    ) {
        let single = case.single();
        let wide = single.wide();
        for kind in KINDS {
            let mass: f64 = wide.a.iter().sum();
            let solver = Sinkhorn::new(epsilon).unwrap().with_threshold(1e-6 * mass);
            let solver = solver.with_max_iterations(3000);
            let cost = single.cost(kind);
            let found = solver.solve_points(&*cost, &single.a, &single.b).unwrap();
            let cost = wide.cost(kind);
            let expected = solver.solve_points_from(&*cost, &wide.a, &wide.b, found.g()).unwrap();
            let (found, expected) = (found.report(), expected.report());
            prop_assert!(found.converged());
            // Rounded inner products, and marginals that are not met to the last.
            let tolerance = 4e-6 * mass * (1.0 + epsilon);
            for (found, expected) in [
                (found.transport_cost, expected.transport_cost),
                (found.regularised_cost, expected.regularised_cost),
                (found.dual_cost, expected.dual_cost),
            ] {
                prop_assert!((found - expected).abs() < tolerance, "{found}, {expected}");
            }
        }
    }
}

/// The plan, by its products with unit vectors.
fn plan<C: ?Sized>(found: &PointSolution<'_, f64, C>, case: &Case) -> Vec<f64> {
    let (n, m) = (case.a.len(), case.b.len());
    let mut plan = vec![0.0; n * m];
    for j in 0..m {
        let mut unit = vec![0.0; m];
        unit[j] = 1.0;
        for (i, value) in found.apply(&unit).unwrap().into_iter().enumerate() {
            plan[i * m + j] = value;
        }
    }
    plan
}

/// Points of several panels, tiles and parts of a pass, at random.
fn large(d: usize) -> Case {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 24)
    };
    let mut values =
        |count: usize, shift: f64| -> Vec<f64> { (0..count).map(|_| next() + shift).collect() };
    let (n, m) = (1300, 700);
    let (a, b) = (values(n, 0.1), values(m, 0.1));
    let masses = [&a, &b].map(|weights| weights.iter().sum::<f64>());
    Case {
        d,
        x: values(n * d, -0.5),
        y: values(m * d, -0.4),
        a: a.iter().map(|weight| weight / masses[0]).collect(),
        b: b.iter().map(|weight| weight / masses[1]).collect(),
    }
}

/// What two reports say, but for rounding.
#[track_caller]
fn assert_alike(found: &Report, expected: &Report, tolerance: f64) {
    assert_eq!(found.status, expected.status);
    let numbers = |report: &Report| {
        [
            report.transport_cost,
            report.regularised_cost,
            report.dual_cost,
        ]
    };
    assert_close(&numbers(found), &numbers(expected), tolerance);
}

#[test]
fn instruction_sets_agree() {
    let case = large(20).single();
    let cost = case.cost(Kind::SquaredEuclidean);
    let solver = Sinkhorn::new(0.3).unwrap().with_threshold(1e-6);
    let solve = |instructions| {
        let solver = solver.with_instructions(instructions);
        *solver
            .solve_points(&*cost, &case.a, &case.b)
            .unwrap()
            .report()
    };
    let expected = solve(Instructions::Baseline);
    assert_eq!(expected.status, Status::Converged);
    for instructions in [Instructions::Avx2, Instructions::Avx512] {
        assert_alike(&solve(instructions), &expected, 2e-6);
    }
}

#[cfg(feature = "rayon")]
#[test]
fn threads_change_no_bit() {
    let case = large(5).single();
    let cost = case.cost(Kind::Cosine);
    let solver = Sinkhorn::new(0.002)
        .unwrap()
        .with_threshold(1e-6)
        .with_max_iterations(20);
    let solve = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let found = solver.solve_points(&*cost, &case.a, &case.b).unwrap();
            let product = found.apply_transpose(&case.a).unwrap();
            (
                found.f().to_vec(),
                found.g().to_vec(),
                *found.report(),
                product,
            )
        })
    };
    let expected = solve(1);
    assert!(expected.2.iterations > 1);
    assert_eq!(solve(3), expected);
}

#[test]
fn points_without_mass_are_not_looked_at() {
    let case = large(3).single();
    let solver = Sinkhorn::new(0.05).unwrap().with_threshold(1e-6);
    for kind in KINDS {
        let cost = case.cost(kind);
        let expected = solver.solve_points(&*cost, &case.a, &case.b).unwrap();
        // Points that are no numbers, huge or zero, between the others.
        let (mut x, mut y) = (case.x.clone(), case.y.clone());
        let (mut a, mut b) = (case.a.clone(), case.b.clone());
        for (points, weights) in [(&mut x, &mut a), (&mut y, &mut b)] {
            for (place, value) in [(2, f32::NAN), (30, 3e38), (31, 0.0), (600, f32::INFINITY)] {
                weights.insert(place, 0.0);
                points.splice(place * 3..place * 3, [value; 3]);
            }
        }
        let cost = kind.cost(&x, &y, 3).unwrap();
        let found = solver.solve_points(&*cost, &a, &b).unwrap();
        assert_eq!(found.report(), expected.report());
        assert_eq!(found.g()[31], 0.0);
        assert_eq!(found.g()[33], expected.g()[30]);
        let mut values = b.clone();
        values[2] = f32::NAN;
        let product = found.apply(&values).unwrap();
        assert_eq!(product[2], 0.0);
        assert_eq!(product[3..30], expected.apply(&case.b).unwrap()[2..29]);
    }
}

#[test]
fn a_cost_that_is_asked_for_its_rows_is_that_of_the_points() {
    let case = large(4);
    let solver = Sinkhorn::new(0.05).unwrap().with_threshold(1e-9);
    for kind in KINDS {
        let cost = case.cost(kind);
        let mut a = case.a.clone();
        a[100..130].fill(0.0);
        a[7] = 0.0;
        let mass: f64 = a.iter().sum();
        let b: Vec<f64> = case.b.iter().map(|weight| weight * mass).collect();
        let expected = solver.solve_points(&*cost, &a, &b).unwrap();
        let asked = matrix(&*cost);
        let found = solver.solve_points(&asked, &a, &b).unwrap();
        assert_alike(found.report(), expected.report(), 1e-8);
        assert_close(found.f(), expected.f(), 1e-7);
    }
}

/// In single precision, a cost of 1e6 would have one digit after the point.
#[test]
fn an_offset_of_the_points_costs_no_digits() {
    let case = large(3);
    let moved = |points: &[f64], by: f64| -> Vec<f64> {
        // Rounded first to what single precision can hold, so that nothing is lost on the way.
        let coarse = points.iter().map(|value| (value * 64.0).round() / 64.0);
        coarse.map(|value| value + by).collect()
    };
    let solver = Sinkhorn::new(0.1).unwrap().with_threshold(1e-6);
    let solve = |by: [f64; 2]| {
        let case = Case {
            x: moved(&case.x, by[0]),
            y: moved(&case.y, by[1]),
            ..case.clone()
        };
        let single = case.single();
        let cost = single.cost(Kind::SquaredEuclidean);
        let found = solver.solve_points(&*cost, &single.a, &single.b).unwrap();
        (found.g().to_vec(), *found.report())
    };
    let (g, report) = solve([0.0, 0.0]);
    let (same_g, same) = solve([4096.0, 4096.0]);
    assert_alike(&same, &report, 1e-6);
    assert_close(&same_g, &g, 1e-4);
    let (_, apart) = solve([0.0, 4096.0]);
    assert_eq!(apart.status, Status::Converged);
    assert!((apart.iterations as f64) < 1.5 * report.iterations as f64);
}

/// Rounding in single precision would move cells of the plan by more than themselves.
#[test]
fn points_too_far_apart_for_single_precision_are_solved_in_double() {
    let (x, y) = ([0.0_f32, 2000.0, 4000.0], [0.25_f32, 2000.5, 3999.0]);
    let weights = [0.25_f32, 0.5, 0.25];
    let cost = SquaredEuclidean::new(&x, &y, 1).unwrap();
    let solver = Sinkhorn::new(0.1).unwrap().with_threshold(1e-6);
    let found = solver.solve_points(&cost, &weights, &weights).unwrap();
    let expected = 0.25 * 0.0625 + 0.5 * 0.25 + 0.25;
    assert_close(&[found.report().transport_cost], &[expected], 1e-9);
}

#[test]
fn a_start_near_the_end_saves_iterations() {
    let case = large(8);
    let cost = case.cost(Kind::Dot);
    let solver = Sinkhorn::new(0.03).unwrap().with_threshold(1e-10);
    let first = solver.solve_points(&*cost, &case.a, &case.b).unwrap();
    assert!(first.report().iterations > 10);
    let again = solver
        .solve_points_from(&*cost, &case.a, &case.b, first.g())
        .unwrap();
    assert!(again.report().iterations <= 3);
    assert_alike(again.report(), first.report(), 1e-9);
}
