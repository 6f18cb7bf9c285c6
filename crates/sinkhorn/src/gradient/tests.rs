//! Each derivative against finite differences of the value that it is named for.

use proptest::prelude::*;

use super::*;
use crate::testing::{Case, assert_close, cases, hard_cases};
use crate::{CostMatrix, Sinkhorn};

const HELD: f64 = f64::INFINITY;

/// How marginals are relaxed: not, on one side, on the other, on both.
const RELAXATIONS: [[f64; 2]; 4] = [[HELD, HELD], [0.7, HELD], [HELD, 0.4], [1.3, 0.5]];

/// A problem with zero weights and costs there that must not be read, and its transpose; the mass
/// is 2 on either side, and 2.6 on the columns if they differ.
struct Setting {
    cost: Vec<f64>,
    a: Vec<f64>,
    b: Vec<f64>,
}

impl Setting {
    fn wide(equal_mass: bool) -> Self {
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        #[rustfmt::skip]
        let cost = vec![
            0.1, 0.8, nan, 0.6, 0.3, 0.55,
            nan, inf, nan, -inf, nan, 0.0,
            0.7, 0.2, inf, 0.9, 0.5, 0.25,
            0.4, 0.3, nan, 0.15, 1.2, 0.75,
        ];
        let more = if equal_mass { 0.0 } else { 0.6 };
        Self {
            cost,
            a: vec![1.0, 0.0, 0.6, 0.4],
            b: vec![0.3, 0.5 + more, 0.0, 0.4, 0.2, 0.6],
        }
    }

    fn tall(equal_mass: bool) -> Self {
        let wide = Self::wide(equal_mass);
        let cost = (0..24).map(|cell| wide.cost[cell % 4 * 6 + cell / 4]);
        Self {
            cost: cost.collect(),
            a: wide.b,
            b: wide.a,
        }
    }

    fn problem(&self) -> Problem {
        self.with(&self.cost)
    }

    fn with(&self, cost: &[f64]) -> Problem {
        let cost = CostMatrix::new(cost, self.a.len(), self.b.len()).unwrap();
        Problem::unbalanced(cost, &self.a, &self.b).unwrap()
    }
}

/// The settings that a relaxation can be tried on.
fn settings(rho: [f64; 2]) -> Vec<Setting> {
    let mut settings = vec![Setting::wide(true), Setting::tall(true)];
    if rho != [HELD, HELD] {
        settings.extend([Setting::wide(false), Setting::tall(false)]);
    }
    settings
}

fn exact(epsilon: f64, [rows, columns]: [f64; 2]) -> Sinkhorn {
    Sinkhorn::new(epsilon)
        .unwrap()
        .with_threshold(1e-13)
        .with_rho(rows, columns)
        .unwrap()
}

/// The derivative of a function at zero, by a central difference of fourth order.
fn difference(step: f64, value: impl Fn(f64) -> f64) -> f64 {
    let pair = |step: f64| value(step) - value(-step);
    (8.0 * pair(step) - pair(2.0 * step)) / (12.0 * step)
}

/// Compares with differences of `value` of the solved problem, wherever there is mass; elsewhere
/// nothing but zero will do.
#[track_caller]
fn assert_slope(
    slope: &[f64],
    problem: &Problem,
    step: f64,
    tolerance: f64,
    value: impl Fn(&Problem) -> f64,
) {
    let m = problem.b().len();
    for (cell, found) in slope.iter().enumerate() {
        if problem.a()[cell / m] == 0.0 || problem.b()[cell % m] == 0.0 {
            assert_eq!(*found, 0.0, "cell {cell}");
            continue;
        }
        let expected = difference(step, |by| {
            let mut cost = problem.cost().values().to_vec();
            cost[cell] += by;
            let cost = CostMatrix::new(&cost, problem.a().len(), m).unwrap();
            value(&Problem::unbalanced(cost, problem.a(), problem.b()).unwrap())
        });
        assert!(
            (found - expected).abs() <= tolerance,
            "cell {cell}: {found}, expected {expected}"
        );
    }
}

#[test]
fn the_envelope_is_the_derivative_of_the_regularised_cost() {
    for rho in RELAXATIONS {
        for setting in settings(rho) {
            for epsilon in [0.05, 0.4] {
                let solver = exact(epsilon, rho);
                let problem = setting.problem();
                let solution = solver.solve(&problem).unwrap();
                let slope = solution.gradient(Gradient::Envelope).unwrap();
                assert_slope(&slope, &problem, 1e-3 * epsilon, 1e-8, |problem| {
                    solver.solve(problem).unwrap().regularised_cost()
                });
            }
        }
    }
}

#[test]
fn the_implicit_derivative_is_that_of_the_transport_cost() {
    for rho in RELAXATIONS {
        for setting in settings(rho) {
            for epsilon in [0.02, 0.05, 0.4] {
                let solver = exact(epsilon, rho);
                let problem = setting.problem();
                let solution = solver.solve(&problem).unwrap();
                let slope = solution.gradient(Gradient::Implicit).unwrap();
                assert_slope(&slope, &problem, 4e-3 * epsilon, 2e-7, |problem| {
                    solver.solve(problem).unwrap().transport_cost()
                });
            }
        }
    }
}

/// A plan held fixed makes the cost linear, so one difference of any size is its derivative. The
/// moving plan has another.
#[test]
fn the_detached_derivative_holds_the_plan_fixed() {
    let problem = Setting::wide(true).problem();
    let solution = exact(0.2, [HELD, HELD]).solve(&problem).unwrap();
    let [detached, implicit] = [Gradient::Detached, Gradient::Implicit]
        .map(|gradient| solution.gradient(gradient).unwrap());
    let plan = solution.plan();
    assert_slope(&detached, &problem, 1.0, 1e-14, |changed| {
        let cells = plan.iter().zip(changed.cost().values());
        cells
            .filter(|(mass, _)| **mass > 0.0)
            .map(|(mass, cost)| mass * cost)
            .sum()
    });
    let apart = detached.iter().zip(&implicit);
    assert!(
        apart
            .map(|(one, other)| (one - other).abs())
            .fold(0.0, f64::max)
            > 0.05
    );
}

/// Exact however few the iterations, from either kind of start, and where the costs have a common
/// part that a relaxed problem notices.
#[test]
fn the_unrolled_derivative_is_that_of_the_iterations_done() {
    for rho in RELAXATIONS {
        for setting in settings(rho) {
            for (epsilon, iterations) in [(0.05, 1), (0.05, 12), (0.3, 2), (1.0, 3)] {
                let solver = exact(epsilon, rho).with_fixed_iterations(iterations);
                let moved: Vec<f64> = setting.cost.iter().map(|cost| cost + 0.3).collect();
                let problem = setting.with(&moved);
                let start: Vec<f64> = (0..problem.b().len())
                    .map(|j| 0.1 * (j as f64).sin() - 0.05)
                    .collect();
                let solves: [&dyn Fn(&Problem) -> Solution; 2] =
                    [&|problem| solver.solve(problem).unwrap(), &|problem| {
                        solver.solve_from(problem, &start).unwrap()
                    }];
                for solve in solves {
                    let slope = solve(&problem).gradient(Gradient::Unrolled);
                    assert_slope(&slope.unwrap(), &problem, 2e-3 * epsilon, 1e-9, |problem| {
                        solve(problem).transport_cost()
                    });
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_differentiated_is_refused() {
    let problem = Setting::wide(true).problem();
    let solution = exact(0.2, [HELD, HELD]).solve(&problem).unwrap();
    assert_eq!(
        solution.gradient(Gradient::Unrolled),
        Err(Error::NotUnrolled)
    );
}

/// Along changes of the weights that keep masses equal where both have to be met, in any direction
/// where not.
#[test]
fn weights_have_the_potentials_as_derivatives() {
    for rho in RELAXATIONS {
        for setting in settings(rho) {
            let solver = exact(0.1, rho);
            let problem = setting.problem();
            let solution = solver.solve(&problem).unwrap();
            let (of_a, of_b) = solution.weight_gradients();
            let weighted = |weights: &[f64]| -> Vec<usize> {
                (0..weights.len()).filter(|&i| weights[i] > 0.0).collect()
            };
            let value = |a: &[f64], b: &[f64]| {
                let problem = Problem::unbalanced(problem.cost().clone(), a, b).unwrap();
                solver.solve(&problem).unwrap().regularised_cost()
            };
            for i in weighted(problem.a()) {
                for j in weighted(problem.b()) {
                    let expected = difference(1e-4, |by| {
                        let (mut a, mut b) = (problem.a().to_vec(), problem.b().to_vec());
                        a[i] += by;
                        b[j] += by;
                        value(&a, &b)
                    });
                    assert_close(&[of_a[i] + of_b[j]], &[expected], 1e-8);
                }
                if rho != [HELD, HELD] {
                    let expected = difference(1e-4, |by| {
                        let mut a = problem.a().to_vec();
                        a[i] += by;
                        value(&a, problem.b())
                    });
                    assert_close(&[of_a[i]], &[expected], 1e-8);
                }
            }
        }
    }
}

/// The derivative from the right, where a row is about to take part.
#[test]
fn a_weight_of_zero_has_a_derivative_too() {
    let cost = CostMatrix::new(&[0.1, 0.8, 0.6, 0.7, 0.2, 0.9], 3, 2).unwrap();
    for rho in [[HELD, HELD], [0.7, 0.9]] {
        let solver = exact(0.1, rho);
        let at = |by: f64| {
            let (a, b) = ([0.4, by, 0.6], [0.5, 0.5 + by]);
            let problem = Problem::unbalanced(cost.clone(), &a, &b).unwrap();
            let solution = solver.solve(&problem).unwrap();
            (solution.regularised_cost(), solution.weight_gradients())
        };
        let (value, (of_a, of_b)) = at(0.0);
        let step = 1e-5;
        let slope = (4.0 * at(step).0 - at(2.0 * step).0 - 3.0 * value) / (2.0 * step);
        assert_close(&[of_a[1] + of_b[1]], &[slope], 1e-6);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The derivative through enough iterations is that of the optimum.
    #[test]
    fn unrolling_long_enough_is_implicit(
        case in cases(),
        relaxation in 0..4_usize,
        epsilon in 0.2..1.0_f64,
    ) {
        let problem = case.problem();
        let solver = exact(epsilon, RELAXATIONS[relaxation]).with_fixed_iterations(600);
        let solution = solver.solve(&problem).unwrap();
        prop_assert!(solution.converged());
        let implicit = solution.gradient(Gradient::Implicit).unwrap();
        let unrolled = solution.gradient(Gradient::Unrolled).unwrap();
        assert_close(&implicit, &unrolled, 1e-10);
    }

    /// Mass scales every derivative, and adding a constant to all costs adds the plan's mass.
    #[test]
    fn derivatives_scale_with_the_mass(case in cases(), mass in 0.1..20.0_f64) {
        let scaled = |weights: &[f64]| -> Vec<f64> { weights.iter().map(|w| w * mass).collect() };
        let large = Case { a: scaled(&case.a), b: scaled(&case.b), ..case.clone() };
        let solver = exact(0.1, [HELD, HELD]).with_threshold(1e-12 * mass);
        let [one, other] = [&case, &large].map(|case| {
            let problem = case.problem();
            let solution = solver.solve(&problem).unwrap();
            solution.gradient(Gradient::Implicit).unwrap()
        });
        assert_close(&other, &scaled(&one), 1e-8 * mass);
        assert_close(&[other.iter().sum()], &[mass], 1e-9 * mass);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Plans of these fall into blocks that exchange less mass than rounding, and the system of the
    /// implicit derivative is as good as singular.
    #[test]
    fn blocks_of_a_plan_do_no_harm(
        case in hard_cases(),
        relaxation in 0..4_usize,
        cell in 0..1000_usize,
    ) {
        let (problem, epsilon) = (case.problem(), 1e-3);
        let rho = RELAXATIONS[relaxation];
        let solver = exact(epsilon, rho);
        let solution = solver.solve(&problem).unwrap();
        let slope = solution.gradient(Gradient::Implicit).unwrap();
        // A constant on all costs is added to the cost of a plan whose mass is held.
        if rho.contains(&HELD) {
            assert_close(&[slope.iter().sum()], &[1.0], 1e-9);
        }
        // A cell with mass is where there is something to see.
        let plan = solution.plan();
        let filled: Vec<usize> = (0..plan.len()).filter(|&cell| plan[cell] > 1e-4).collect();
        let cell = filled[cell % filled.len()];
        let expected = difference(0.02 * epsilon, |by| {
            let mut cost = case.cost.clone();
            cost[cell] += by;
            let changed = Case { cost, ..case.clone() }.problem();
            solver.solve(&changed).unwrap().transport_cost()
        });
        prop_assert!((slope[cell] - expected).abs() < 1e-6, "{} {expected}", slope[cell]);
    }
}
