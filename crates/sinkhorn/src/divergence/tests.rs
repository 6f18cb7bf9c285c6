//! What a divergence has to be, and its derivatives against finite differences.

use proptest::prelude::*;

use super::*;
use crate::ExactSolution;
use crate::testing::{Case, assert_close, cases};

const HELD: f64 = f64::INFINITY;

/// Points in a plane with weights, some of them zero.
#[derive(Debug, Clone)]
struct Cloud {
    points: Vec<[f64; 2]>,
    weights: Vec<f64>,
}

impl Cloud {
    fn costs_to(&self, other: &Self) -> CostMatrix {
        let square = |x: &[f64; 2], y: &[f64; 2]| (x[0] - y[0]).powi(2) + (x[1] - y[1]).powi(2);
        let cells = self
            .points
            .iter()
            .flat_map(|x| other.points.iter().map(move |y| square(x, y)));
        let cells: Vec<f64> = cells.collect();
        CostMatrix::new(&cells, self.points.len(), other.points.len()).unwrap()
    }

    fn against(&self, other: &Self) -> DivergenceProblem {
        let cost = self.costs_to(other);
        let between = Problem::unbalanced(cost, &self.weights, &other.weights).unwrap();
        DivergenceProblem::new(between, self.costs_to(self), other.costs_to(other)).unwrap()
    }

    fn with_mass(&self, mass: f64) -> Self {
        let weights = self.weights.iter().map(|weight| weight * mass);
        Self {
            points: self.points.clone(),
            weights: weights.collect(),
        }
    }
}

/// Two clouds in the unit square, of mass one each.
fn clouds() -> impl Strategy<Value = (Cloud, Cloud)> {
    cases().prop_flat_map(|case| {
        let points = |length: usize| prop::collection::vec([0.0..1.0_f64, 0.0..1.0_f64], length);
        let Case { n, m, a, b, .. } = case;
        (points(n), points(m)).prop_map(move |(x, y)| {
            let cloud = |points, weights: &[f64]| Cloud {
                points,
                weights: weights.to_vec(),
            };
            (cloud(x, &a), cloud(y, &b))
        })
    })
}

fn tabled() -> (Cloud, Cloud) {
    let x = Cloud {
        points: vec![[0.1, 0.2], [0.8, 0.4], [0.3, 0.9], [0.6, 0.6]],
        weights: vec![0.2, 0.5, 0.0, 0.3],
    };
    let y = Cloud {
        points: vec![[0.7, 0.1], [0.2, 0.5], [0.9, 0.8]],
        weights: vec![0.45, 0.35, 0.2],
    };
    (x, y)
}

fn solver(epsilon: f64, rho: f64) -> Sinkhorn {
    let solver = Sinkhorn::new(epsilon).unwrap().with_threshold(1e-13);
    solver.with_rho(rho, rho).unwrap()
}

proptest! {
    #[test]
    fn it_is_positive_and_zero_for_equal_measures(
        (x, y) in clouds(),
        is_relaxed: bool,
        mass in 0.5..2.0_f64,
        exponent in -2.5..1.0_f64,
    ) {
        let rho = if is_relaxed { 0.7 } else { HELD };
        let solver = solver(10.0_f64.powf(exponent), rho).with_threshold(1e-10);
        let y = if is_relaxed { y.with_mass(mass) } else { y };
        let divergence = solver.divergence(&x.against(&y)).unwrap();
        prop_assert!(divergence.converged(), "{:e}", divergence.marginal_error());
        prop_assert!(divergence.value() > -1e-12, "{}", divergence.value());
        let back = solver.divergence(&y.against(&x)).unwrap();
        assert_close(&[back.value()], &[divergence.value()], 1e-9);
        let none = solver.divergence(&x.against(&x)).unwrap();
        assert_close(&[none.value()], &[0.0], 1e-9);
    }

    /// Its parts are the costs of the general solver, and its value their combination.
    #[test]
    fn its_parts_are_regularised_costs(
        (x, y) in clouds(),
        is_relaxed: bool,
        epsilon in 0.01..1.0_f64,
    ) {
        let solver = solver(epsilon, if is_relaxed { 0.7 } else { HELD }).with_threshold(1e-11);
        let y = if is_relaxed { y.with_mass(1.7) } else { y };
        let problem = x.against(&y);
        let divergence = solver.divergence(&problem).unwrap();
        let cost = |problem: &Problem| solver.solve(problem).unwrap().regularised_cost();
        let parts = [problem.between(), problem.rows(), problem.columns()].map(cost);
        assert_close(&divergence.parts(), &parts, 1e-8);
        let excess = if is_relaxed { 0.5 * epsilon * 0.7 * 0.7 } else { 0.0 };
        let value = parts[0] - parts[1] / 2.0 - parts[2] / 2.0 + excess;
        assert_close(&[divergence.value()], &[value], 1e-8);
        if !is_relaxed {
            let along = |weights: &[f64], potentials: &[f64]| -> f64 {
                weights.iter().zip(potentials).map(|(w, f)| w * f).sum()
            };
            let dual = along(&x.weights, divergence.f()) + along(&y.weights, divergence.g());
            assert_close(&[dual], &[value], 1e-8);
        }
    }

    #[test]
    fn small_epsilon_leaves_the_transport_cost((x, y) in clouds()) {
        let problem = x.against(&y);
        let exact = ExactSolution::of(problem.between()).unwrap().transport_cost();
        let near = solver(1e-4, HELD).with_threshold(1e-9).divergence(&problem).unwrap();
        // Entropy adds no more than epsilon times its own range.
        assert_close(&[near.value()], &[exact], 1e-3);
    }

    /// Plans become products, and what is left is the energy of the signed measure `a - b`.
    #[test]
    fn large_epsilon_leaves_a_kernel_distance((x, y) in clouds()) {
        let problem = x.against(&y);
        let energy = |problem: &Problem| -> f64 {
            let rows = problem.cost().rows().zip(problem.a());
            rows.map(|(costs, a)| {
                let cells = costs.iter().zip(problem.b());
                a * cells.map(|(cost, b)| cost * b).sum::<f64>()
            })
            .sum()
        };
        let [between, rows, columns] =
            [problem.between(), problem.rows(), problem.columns()].map(energy);
        let far = solver(1e4, HELD).with_threshold(1e-9).divergence(&problem).unwrap();
        assert_close(&[far.value()], &[between - rows / 2.0 - columns / 2.0], 1e-3);
    }
}

/// A single point on either side leaves one plan: the squared distance, without any bias.
#[test]
fn two_points_are_their_cost_apart() {
    let at = |point| Cloud {
        points: vec![point],
        weights: vec![1.0],
    };
    let problem = at([0.1, 0.2]).against(&at([0.4, 0.6]));
    for epsilon in [1e-3, 1.0] {
        let divergence = solver(epsilon, HELD).divergence(&problem).unwrap();
        assert_close(&[divergence.value()], &[0.25], 1e-12);
        assert_close(divergence.parts().as_slice(), &[0.25, 0.0, 0.0], 1e-12);
    }
}

/// Values of the same clouds by OTT-JAX 0.6.0 (`sinkhorn_divergence` in double precision), and by a
/// log-domain program in NumPy for the relaxed ones.
#[test]
fn values_match_other_programs() {
    let (x, y) = tabled();
    for (epsilon, balanced, relaxed) in [
        (0.5, 0.018858219856975, 0.056493672231144),
        (0.1, 0.085681830891240, 0.114300628651977),
        (0.02, 0.111419280768381, 0.143975332593232),
    ] {
        let value = |solver: Sinkhorn, y: &Cloud| solver.divergence(&x.against(y)).unwrap().value();
        assert_close(&[value(solver(epsilon, HELD), &y)], &[balanced], 1e-10);
        let y = y.with_mass(1.4);
        assert_close(&[value(solver(epsilon, 0.6), &y)], &[relaxed], 1e-10);
    }
}

/// The plain regularised cost prefers a measure drawn together; the divergence does not.
#[test]
fn shrinking_does_not_pay() {
    let (x, _) = tabled();
    let mean = [0.62, 0.42];
    let shrunk = |by: f64| Cloud {
        points: x
            .points
            .iter()
            .map(|p| [0, 1].map(|axis| mean[axis] + (1.0 - by) * (p[axis] - mean[axis])))
            .collect(),
        weights: x.weights.clone(),
    };
    let problems = [0.0, 0.3].map(|by| x.against(&shrunk(by)));
    let [whole, part] = problems.map(|problem| solver(0.5, HELD).divergence(&problem).unwrap());
    assert!(part.parts()[0] < whole.parts()[0] - 1e-3);
    assert!(part.value() > whole.value() + 1e-3);
}

/// The derivative of a function at zero, by a central difference of fourth order.
fn difference(step: f64, value: impl Fn(f64) -> f64) -> f64 {
    let pair = |step: f64| value(step) - value(-step);
    (8.0 * pair(step) - pair(2.0 * step)) / (12.0 * step)
}

#[test]
fn derivatives_match_finite_differences() {
    let (x, y) = tabled();
    for rho in [HELD, 0.6] {
        let y = if rho == HELD {
            y.clone()
        } else {
            y.with_mass(1.4)
        };
        let (solver, problem) = (solver(0.1, rho), x.against(&y));
        let divergence = solver.divergence(&problem).unwrap();
        let gradients = divergence.cost_gradients();
        let costs = [problem.between(), problem.rows(), problem.columns()].map(Problem::cost);
        let value = |which: usize, cells: &[usize], by: f64| {
            let mut costs = costs.map(CostMatrix::clone);
            let mut values = costs[which].values().to_vec();
            cells.iter().for_each(|&cell| values[cell] += by);
            costs[which] = CostMatrix::new(&values, costs[which].n(), costs[which].m()).unwrap();
            let [between, rows, columns] = costs;
            let between = Problem::unbalanced(between, &x.weights, &y.weights).unwrap();
            let problem = DivergenceProblem::new(between, rows, columns).unwrap();
            solver.divergence(&problem).unwrap().value()
        };
        for (which, gradient) in gradients.iter().enumerate() {
            let m = costs[which].m();
            for (cell, found) in gradient.iter().enumerate() {
                // A cost within a measure moves with its mirror image.
                let cells = [cell, cell % m * m + cell / m];
                let cells = if which == 0 || cells[0] == cells[1] {
                    &cells[..1]
                } else {
                    &cells[..]
                };
                let expected = difference(1e-3, |by| value(which, cells, by));
                assert_close(&[found * cells.len() as f64], &[expected], 1e-8);
            }
        }

        let (of_a, of_b) = divergence.weight_gradients();
        for (i, of_a) in of_a.iter().enumerate().filter(|(i, _)| *i != 2) {
            for (j, of_b) in of_b.iter().enumerate() {
                // Where marginals have to be met, mass is added on both sides.
                let share = if rho == HELD { 1.0 } else { 0.3 };
                let expected = difference(1e-4, |by| {
                    let (mut x, mut y) = (x.clone(), y.clone());
                    x.weights[i] += by;
                    y.weights[j] += share * by;
                    solver.divergence(&x.against(&y)).unwrap().value()
                });
                assert_close(&[of_a + share * of_b], &[expected], 1e-8);
            }
        }
    }
}

/// Moving one point is moving its costs: the chain rule through squared distances.
#[test]
fn points_move_by_the_chain_rule() {
    let (x, y) = tabled();
    let solver = solver(0.1, HELD);
    let problem = x.against(&y);
    let divergence = solver.divergence(&problem).unwrap();
    let [between, within, _] = divergence.cost_gradients();
    for i in 0..4 {
        for axis in 0..2 {
            let to = |other: &Cloud, j: usize| 2.0 * (x.points[i][axis] - other.points[j][axis]);
            let outside: f64 = (0..3).map(|j| between[i * 3 + j] * to(&y, j)).sum();
            let inside: f64 = (0..4).map(|j| within[i * 4 + j] * to(&x, j)).sum();
            let expected = difference(1e-3, |by| {
                let mut moved = x.clone();
                moved.points[i][axis] += by;
                solver.divergence(&moved.against(&y)).unwrap().value()
            });
            // A point stands in its row and in its column of the costs within.
            assert_close(&[outside + 2.0 * inside], &[expected], 1e-9);
        }
    }
}

#[test]
fn a_fixed_number_of_iterations_is_kept() {
    let (x, y) = tabled();
    let solver = Sinkhorn::new(0.05).unwrap().with_fixed_iterations(7);
    let divergence = solver.divergence(&x.against(&y)).unwrap();
    assert_eq!(divergence.iterations(), 21);
    assert_eq!(divergence.rows().iterations(), 7);
    assert_eq!(divergence.status(), Status::MaxIterations);
}

#[test]
fn bad_input_is_named() {
    let (x, y) = tabled();
    let problem = x.against(&y);
    let between = || problem.between().clone();
    let (rows, columns) = (problem.rows().cost(), problem.columns().cost());
    assert_eq!(
        DivergenceProblem::new(between(), columns.clone(), columns.clone()),
        Err(Error::SelfCostShape {
            side: Side::Rows,
            expected: 4,
            found: (3, 3)
        })
    );
    let changed = |cell: usize, value: f64| {
        let mut values = columns.values().to_vec();
        values[cell] = value;
        let columns = CostMatrix::new(&values, 3, 3).unwrap();
        DivergenceProblem::new(between(), rows.clone(), columns)
    };
    let error = changed(5, 0.25).unwrap_err();
    assert!(
        matches!(error, Error::Asymmetric { i: 2, j: 1, .. }),
        "{error}"
    );
    let error = changed(4, f64::NAN).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the cost of b with itself: cost[1][1] = NaN is not finite between positive weights"
    );
    // Rounding is no asymmetry, and is taken out.
    let value = columns.values()[5];
    let near = changed(5, value + 1e-7).unwrap();
    let values = near.columns().cost().values();
    assert!(values[5] == values[7] && values[5] > value);

    let unequal = Sinkhorn::new(0.1).unwrap().with_rho(1.0, HELD).unwrap();
    assert_eq!(
        unequal.divergence(&problem),
        Err(Error::UnequalRho {
            rows: 1.0,
            columns: HELD
        })
    );
}
