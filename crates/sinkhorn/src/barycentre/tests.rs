//! Barycentres in closed form, against the iterations as they are defined, and by what they minimise.

use proptest::prelude::*;

use super::*;
use crate::testing::{assert_close, cases, hard_cases};
use crate::{Problem, Sinkhorn};

/// Measures of mass one on points of their own, with shares.
#[derive(Debug, Clone)]
struct Family {
    costs: Vec<CostMatrix>,
    measures: Vec<Vec<f64>>,
    lambda: Vec<f64>,
}

impl Family {
    fn problem(&self) -> BarycentreProblem {
        let measures: Vec<&[f64]> = self.measures.iter().map(|a| &a[..]).collect();
        BarycentreProblem::new(self.costs.clone(), &measures, &self.lambda).unwrap()
    }

    /// What the barycentre minimises, up to a constant, each term solved for itself.
    fn objective(&self, solver: &Sinkhorn, weights: &[f64]) -> f64 {
        let entropy: f64 = weights
            .iter()
            .filter(|b| **b > 0.0)
            .map(|b| b * b.ln())
            .sum();
        let terms = self.costs.iter().zip(&self.measures).zip(&self.lambda);
        let terms = terms.map(|((cost, a), share)| {
            let problem = Problem::new(cost.clone(), a, weights).unwrap();
            let cost = solver.solve(&problem).unwrap().dual_cost();
            share * (cost + solver.epsilon() * entropy)
        });
        terms.sum()
    }
}

/// Three measures of up to nine points on a barycentre of up to nine.
fn families() -> impl Strategy<Value = Family> {
    let measures = prop::collection::vec(cases(), 3);
    let shares = prop::collection::vec(0.1..1.0_f64, 3);
    (measures, shares, 1..10_usize).prop_map(|(cases, lambda, m)| {
        let sum: f64 = lambda.iter().sum();
        let cost = |case: &crate::testing::Case| {
            let cell = |cell: usize| (7.3 * case.cost[cell % case.cost.len()] + cell as f64).sin();
            let cells: Vec<f64> = (0..case.n * m).map(|c| 0.5 + 0.5 * cell(c)).collect();
            CostMatrix::new(&cells, case.n, m).unwrap()
        };
        Family {
            costs: cases.iter().map(cost).collect(),
            measures: cases.into_iter().map(|case| case.a).collect(),
            lambda: lambda.iter().map(|share| share / sum).collect(),
        }
    })
}

/// Iterative Bregman projections as they are defined, on kernels.
fn reference(family: &Family, epsilon: f64, iterations: usize) -> Vec<f64> {
    let m = family.costs[0].m();
    let mut v = vec![vec![1.0; m]; family.costs.len()];
    let mut weights = vec![1.0; m];
    for _ in 0..iterations {
        weights.fill(1.0);
        let mut sums = Vec::new();
        for (k, (cost, a)) in family.costs.iter().zip(&family.measures).enumerate() {
            let mut columns = vec![0.0; m];
            for (costs, a) in cost.rows().zip(a) {
                let kernel: Vec<f64> = costs.iter().map(|cost| (-cost / epsilon).exp()).collect();
                let row: f64 = kernel.iter().zip(&v[k]).map(|(kernel, v)| kernel * v).sum();
                for (column, kernel) in columns.iter_mut().zip(kernel) {
                    *column += kernel * a / row;
                }
            }
            for (weight, column) in weights.iter_mut().zip(&columns) {
                *weight *= column.powf(family.lambda[k]);
            }
            sums.push(columns);
        }
        for (v, columns) in v.iter_mut().zip(&sums) {
            for ((v, column), weight) in v.iter_mut().zip(columns).zip(&weights) {
                *v = weight / column;
            }
        }
    }
    weights
}

fn solver(epsilon: f64) -> Sinkhorn {
    Sinkhorn::new(epsilon).unwrap().with_threshold(1e-12)
}

/// Evenly spaced points on the unit interval, and the squares of their distances.
fn line(points: usize) -> (Vec<f64>, CostMatrix) {
    let points: Vec<f64> = (0..points)
        .map(|i| i as f64 / (points - 1) as f64)
        .collect();
    let cells: Vec<f64> = points
        .iter()
        .flat_map(|x| points.iter().map(move |y| (x - y).powi(2)))
        .collect();
    let cost = CostMatrix::new(&cells, points.len(), points.len()).unwrap();
    (points, cost)
}

fn gaussian(points: &[f64], mean: f64, deviation: f64) -> Vec<f64> {
    let density = |x: &f64| (-((x - mean) / deviation).powi(2) / 2.0).exp();
    let sum: f64 = points.iter().map(density).sum();
    points.iter().map(|x| density(x) / sum).collect()
}

fn moments(points: &[f64], weights: &[f64]) -> (f64, f64) {
    let mean = |of: &dyn Fn(f64) -> f64| -> f64 {
        points.iter().zip(weights).map(|(x, w)| w * of(*x)).sum()
    };
    let centre = mean(&|x| x);
    (centre, mean(&|x| (x - centre).powi(2)))
}

proptest! {
    #[test]
    fn weights_are_those_of_the_iterations_as_defined(
        family in families(),
        epsilon in 0.1..1.0_f64,
    ) {
        let found = solver(epsilon).barycentre(&family.problem()).unwrap();
        prop_assert!(found.converged(), "{:e}", found.marginal_error());
        assert_close(found.weights(), &reference(&family, epsilon, 1000), 1e-9);
        let few = solver(epsilon).with_fixed_iterations(3);
        let few = few.barycentre(&family.problem()).unwrap();
        let expected = reference(&family, epsilon, 3);
        let mass: f64 = expected.iter().sum();
        let expected: Vec<f64> = expected.iter().map(|weight| weight / mass).collect();
        assert_close(few.weights(), &expected, 1e-12);
        prop_assert_eq!(few.iterations(), 3);
    }

    /// With a single measure every row spreads as it likes: a Gibbs distribution over the columns.
    #[test]
    fn one_measure_has_a_closed_form(case in cases(), exponent in -4.0..0.0_f64) {
        let epsilon = 10.0_f64.powf(exponent);
        let cost = CostMatrix::new(&case.cost, case.n, case.m).unwrap();
        let mut expected = vec![0.0; case.m];
        for (costs, a) in cost.rows().zip(&case.a) {
            let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
            let terms: Vec<f64> =
                costs.iter().map(|cost| ((least - cost) / epsilon).exp()).collect();
            let sum: f64 = terms.iter().sum();
            for (expected, term) in expected.iter_mut().zip(terms) {
                *expected += a * term / sum;
            }
        }
        let one = BarycentreProblem::new(vec![cost.clone()], &[&case.a], &[2.0]).unwrap();
        let found = solver(epsilon).barycentre(&one).unwrap();
        assert_close(found.weights(), &expected, 1e-11);
        // Equal measures have it too, whatever their shares.
        let shared = BarycentreProblem::shared(cost, &[&case.a, &case.a], &[0.3, 0.7]).unwrap();
        let found = solver(epsilon).barycentre(&shared).unwrap();
        prop_assert!(found.converged());
        assert_close(found.weights(), &expected, 1e-11);
    }

    #[test]
    fn plans_tie_the_barycentre_to_the_measures(family in families(), exponent in -3.0..0.0_f64) {
        let solver = Sinkhorn::new(10.0_f64.powf(exponent)).unwrap();
        let problem = family.problem();
        let found = solver.barycentre(&problem).unwrap();
        prop_assert!(found.converged(), "{:e} {}", found.marginal_error(), found.iterations());
        let m = found.weights().len();
        assert_close(&[found.weights().iter().sum()], &[1.0], 1e-13);
        let mut error = 0.0;
        for (k, a) in family.measures.iter().enumerate() {
            let plan = found.plan(k).unwrap();
            assert_close(&crate::feasible::row_sums(&plan, m), a, 1e-12);
            let sums = crate::feasible::column_sums(&plan, m);
            let apart = sums.iter().zip(found.weights()).map(|(sum, b)| (sum - b).abs());
            error += family.lambda[k] * apart.sum::<f64>();
        }
        assert_close(&[error], &[found.marginal_error()], 1e-12);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// No other histogram has a lower objective, each of its terms being solved as any problem.
    #[test]
    fn nothing_is_closer_to_the_measures(family in families(), epsilon in 0.03..1.0_f64) {
        let solver = solver(epsilon);
        let found = solver.barycentre(&family.problem()).unwrap();
        let weights = found.weights();
        let least = family.objective(&solver, weights);
        for j in 0..weights.len() {
            let moved = |by: f64| -> f64 {
                let mut moved: Vec<f64> = weights.iter().map(|b| b * (1.0 - by)).collect();
                moved[j] += by;
                family.objective(&solver, &moved)
            };
            prop_assert!(moved(0.1) > least - 1e-10);
            // Nor near by, on either side. The objective is convex, but may bend within the least of
            // the plans' masses, so that differences say nothing of its slope.
            for step in [1e-2, 1e-4, -1e-4, -1e-2].map(|share| share * weights[j]) {
                let near = moved(step);
                prop_assert!(near > least - 2e-12, "{near} at {step}, {least} here");
            }
        }
    }

    /// The same for the divergences that a debiased barycentre minimises.
    #[test]
    fn nothing_has_lower_divergences(family in families(), exponent in -1.0..0.5_f64) {
        let m = family.costs[0].m();
        let at = |j: usize| (j as f64 * 1.3).sin();
        let cells: Vec<f64> = (0..m * m).map(|c| (at(c / m) - at(c % m)).abs()).collect();
        let within = CostMatrix::new(&cells, m, m).unwrap();
        let cost = |case: &CostMatrix| {
            let n = case.n();
            let from = |i: usize| (i as f64 * 0.7 + case.values()[0]).cos();
            let cells: Vec<f64> = (0..n * m).map(|c| (from(c / m) - at(c % m)).abs()).collect();
            CostMatrix::new(&cells, n, m).unwrap()
        };
        let family = Family { costs: family.costs.iter().map(cost).collect(), ..family };
        let solver = solver(10.0_f64.powf(exponent));
        let problem = family.problem().debiased(within.clone()).unwrap();
        let found = solver.with_threshold(1e-8).barycentre(&problem).unwrap();
        prop_assume!(found.converged());
        // What depends on the barycentre alone is all that counts.
        let objective = |weights: &[f64]| -> f64 {
            let own = Problem::new(within.clone(), weights, weights).unwrap();
            let own = solver.solve(&own).unwrap().regularised_cost();
            let terms = family.costs.iter().zip(&family.measures).zip(&family.lambda);
            let terms = terms.map(|((cost, a), share)| {
                let problem = Problem::new(cost.clone(), a, weights).unwrap();
                share * solver.solve(&problem).unwrap().regularised_cost()
            });
            terms.sum::<f64>() - own / 2.0
        };
        let least = objective(found.weights());
        for j in 0..m {
            for by in [0.01, 0.1] {
                let mut moved: Vec<f64> = found.weights().iter().map(|b| b * (1.0 - by)).collect();
                moved[j] += by;
                prop_assert!(objective(&moved) > least - 1e-7);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Costs with one clearly cheapest partner each, on which plain iterations crawl.
    #[test]
    fn hard_problems_converge(cases in prop::collection::vec(hard_cases(), 3)) {
        let m = cases.iter().map(|case| case.m).min().unwrap();
        let family = Family {
            costs: cases
                .iter()
                .map(|case| {
                    let cells = case.cost.chunks(case.m).flat_map(|row| &row[..m]).copied();
                    CostMatrix::new(&cells.collect::<Vec<_>>(), case.n, m).unwrap()
                })
                .collect(),
            measures: cases.iter().map(|case| case.a.clone()).collect(),
            lambda: vec![0.2, 0.3, 0.5],
        };
        let found = Sinkhorn::new(1e-3).unwrap().barycentre(&family.problem()).unwrap();
        prop_assert!(found.converged(), "{:e}", found.marginal_error());
    }
}

/// Means interpolate at every epsilon. Equal variances stay, with `epsilon / 2` added by entropy and
/// none if debiased (Janati, Cuturi and Gramfort 2020, theorems 2 and 3).
#[test]
fn gaussians_on_a_line_move_between_their_means() {
    let (points, cost) = line(121);
    let deviation = 0.04;
    let (left, right) = (
        gaussian(&points, 0.35, deviation),
        gaussian(&points, 0.65, deviation),
    );
    for epsilon in [1e-2, 1e-3] {
        for share in [0.25, 0.5, 0.9] {
            let lambda = [1.0 - share, share];
            let problem = BarycentreProblem::shared(cost.clone(), &[&left, &right], &lambda);
            let problem = problem.unwrap();
            let blurred = Sinkhorn::new(epsilon)
                .unwrap()
                .barycentre(&problem)
                .unwrap();
            assert!(blurred.converged());
            let (mean, variance) = moments(&points, blurred.weights());
            let expected = 0.35 + 0.3 * share;
            assert_close(&[mean], &[expected], 1e-5);
            assert_close(&[variance], &[deviation.powi(2) + epsilon / 2.0], 2e-5);

            let problem = problem.debiased(cost.clone()).unwrap();
            let sharp = Sinkhorn::new(epsilon).unwrap().with_threshold(1e-5);
            let sharp = sharp.barycentre(&problem).unwrap();
            assert!(sharp.converged(), "{:e}", sharp.marginal_error());
            let (mean, variance) = moments(&points, sharp.weights());
            assert_close(&[mean], &[expected], 1e-5);
            assert_close(&[variance], &[deviation.powi(2)], 2e-5);
        }
    }
}

/// Weights by POT 0.9.7 (`barycenter` and `barycenter_debiased`, method `sinkhorn_log`).
#[test]
fn weights_match_another_program() {
    let (_, cost) = line(8);
    let measures: [&[f64]; 3] = [
        &[0.4, 0.3, 0.2, 0.1, 0.0, 0.0, 0.0, 0.0],
        &[0.0, 0.0, 0.05, 0.1, 0.15, 0.3, 0.3, 0.1],
        &[0.1, 0.2, 0.3, 0.05, 0.05, 0.1, 0.1, 0.1],
    ];
    let problem = BarycentreProblem::shared(cost.clone(), &measures, &[0.2, 0.5, 0.3]).unwrap();
    let found = solver(0.02).barycentre(&problem).unwrap();
    #[rustfmt::skip]
    let expected = [
        0.0176485495, 0.0827067069, 0.1695533235, 0.2386176015,
        0.1874823892, 0.1601477406, 0.1101461259, 0.0336975628,
    ];
    assert_close(found.weights(), &expected, 1e-9);
    let sharp = Sinkhorn::new(0.02).unwrap().with_threshold(1e-8);
    let sharp = sharp.barycentre(&problem.debiased(cost).unwrap()).unwrap();
    assert!(sharp.converged(), "{:e}", sharp.marginal_error());
    #[rustfmt::skip]
    let expected = [
        0.0, 0.0813788067, 0.1551013740, 0.3105502635,
        0.1459074223, 0.1739273058, 0.1279049657, 0.0052298620,
    ];
    assert_close(sharp.weights(), &expected, 1e-5);
}

/// A debiased barycentre of one measure on its own points is the measure, where entropy alone blurs.
#[test]
fn one_measure_is_its_own_debiased_barycentre() {
    let (points, cost) = line(11);
    let a = gaussian(&points, 0.4, 0.2);
    let problem = BarycentreProblem::shared(cost.clone(), &[&a], &[1.0]).unwrap();
    let solver = Sinkhorn::new(0.02).unwrap().with_threshold(1e-9);
    let blurred = solver.barycentre(&problem).unwrap();
    let apart = blurred.weights().iter().zip(&a).map(|(b, a)| (b - a).abs());
    assert!(apart.sum::<f64>() > 0.1);
    let sharp = solver.barycentre(&problem.debiased(cost).unwrap()).unwrap();
    assert!(sharp.converged(), "{:e}", sharp.marginal_error());
    assert_close(sharp.weights(), &a, 1e-6);
}

/// A measure without a share and rows without mass are not read, and mass scales the result.
#[test]
fn what_does_not_count_is_not_read() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let costs = [0.1, 0.8, 0.6, 0.7, 0.2, 0.9, 0.3, 0.4, 0.5, 0.45, 0.3, 0.15];
    let cost = |cells: &[f64], n: usize| CostMatrix::new(cells, n, 3).unwrap();
    let (first, second) = (cost(&costs[..6], 2), cost(&costs[6..], 2));
    let (a, c) = ([0.4, 0.6], [0.7, 0.3]);
    let lambda = [0.3, 0.7];
    let small = BarycentreProblem::new(vec![first, second.clone()], &[&a, &c], &lambda).unwrap();
    let small = solver(0.05).barycentre(&small).unwrap();

    let with_nan = [0.1, 0.8, 0.6, nan, inf, nan, 0.7, 0.2, 0.9];
    let ignored = cost(&[nan, 0.0, inf, 0.0, -inf, 0.0], 2);
    let problem = BarycentreProblem::new(
        vec![cost(&with_nan, 3), ignored, second],
        &[&[1.2, 0.0, 1.8], &[nan, -5.0], &[2.1, 0.9]],
        &[0.9, 0.0, 2.1],
    )
    .unwrap();
    let large = solver(0.05).barycentre(&problem).unwrap();
    let scaled: Vec<f64> = small.weights().iter().map(|weight| 3.0 * weight).collect();
    assert_close(large.weights(), &scaled, 1e-10);
    assert_eq!(large.plan(1), None);
    assert_eq!(large.potentials(1), None);
    let plan = large.plan(0).unwrap();
    assert_eq!(plan[3..6], [0.0; 3]);
    let (f, _) = large.potentials(0).unwrap();
    assert_eq!(f[1], 0.0);
}

#[test]
fn a_large_common_cost_does_not_cost_digits() {
    let costs = [0.125, 0.75, 0.5, 0.625, 0.25, 0.875];
    let (a, c) = ([0.4, 0.6], [0.75, 0.25]);
    let [near, far] = [0.0, 1e6].map(|shift| {
        let cost = CostMatrix::new(&costs.map(|cost| cost + shift), 2, 3).unwrap();
        let problem = BarycentreProblem::shared(cost, &[&a, &c], &[0.5, 0.5]).unwrap();
        let found = solver(1e-3).barycentre(&problem).unwrap();
        assert!(found.converged());
        found.weights().to_vec()
    });
    assert_close(&far, &near, 1e-12);
}

#[test]
fn iterations_that_run_out_are_reported() {
    let (points, cost) = line(30);
    let measures = [gaussian(&points, 0.2, 0.05), gaussian(&points, 0.8, 0.1)];
    let measures = [&measures[0][..], &measures[1]];
    let problem = BarycentreProblem::shared(cost, &measures, &[0.5, 0.5]).unwrap();
    for budget in 1..12 {
        let solver = Sinkhorn::new(1e-4).unwrap().with_max_iterations(budget);
        let found = solver.barycentre(&problem).unwrap();
        assert_eq!(found.iterations(), budget);
        assert_eq!(found.status(), Status::MaxIterations);
        assert!(found.marginal_error() > 1e-9);
    }
}

#[test]
fn bad_input_is_named() {
    let cost = || CostMatrix::new(&[0.1, 0.8, 0.6, 0.7, 0.2, 0.9], 2, 3).unwrap();
    let half = [0.5, 0.5];
    let shared = |measures: &[&[f64]], lambda: &[f64]| {
        BarycentreProblem::shared(cost(), measures, lambda).unwrap_err()
    };
    assert_eq!(
        shared(&[&half, &half], &[1.0]),
        Error::VectorLength {
            name: "lambda",
            expected: 2,
            found: 1
        }
    );
    assert_eq!(
        shared(&[&half, &half], &[1.0, -0.5]),
        Error::Share {
            index: 1,
            value: -0.5
        }
    );
    for nothing in [shared(&[&half], &[0.0]), shared(&[], &[])] {
        assert_eq!(
            nothing.to_string(),
            "sum of lambda = 0 is not positive and finite"
        );
    }
    assert_eq!(
        shared(&[&half, &[0.5, 0.6]], &[0.5, 0.5]),
        Error::MeasureMass {
            measure: 1,
            expected: 1.0,
            found: 1.1
        }
    );
    assert_eq!(
        shared(&[&half, &[0.5, -0.5]], &[0.5, 0.5]).to_string(),
        "measure 1: a[1] = -0.5 is negative or not finite"
    );
    assert_eq!(
        shared(&[&half, &[1.0]], &[0.5, 0.0]).to_string(),
        "measure 1: a has 1 weights, the cost needs 2"
    );
    let narrow = CostMatrix::new(&[0.1, 0.2], 1, 2).unwrap();
    let error = BarycentreProblem::new(vec![cost(), narrow], &[&half, &[1.0]], &half);
    assert_eq!(
        error.unwrap_err().to_string(),
        "measure 1: a row of the cost has 2 values, 3 are needed"
    );
    let infinite = CostMatrix::new(&[0.1, f64::INFINITY], 1, 2).unwrap();
    let error = BarycentreProblem::shared(infinite, &[&[1.0]], &[1.0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "measure 0: cost[0][1] = inf is not finite between positive weights"
    );

    let problem = BarycentreProblem::shared(cost(), &[&half], &[1.0]).unwrap();
    assert!(matches!(
        problem.clone().debiased(cost()),
        Err(Error::SelfCostShape { expected: 3, .. })
    ));
    let relaxed = Sinkhorn::new(0.1).unwrap().with_rho(1.0, 1.0).unwrap();
    let error = relaxed.barycentre(&problem).unwrap_err();
    assert!(matches!(error, Error::Relaxed { .. }), "{error}");
    let tiny = Sinkhorn::new(1e-320).unwrap().barycentre(&problem);
    assert!(matches!(tiny, Err(Error::OutOfRange { .. })));
}
