//! Problems of a measure with itself: one potential serves both sides.
//!
//! With a symmetric cost and the same weights, the row update `T(f)` of `f` is also the column
//! update. `f <- (f + T(f)) / 2` converges in a handful of iterations where `exp(-C / epsilon)` is a
//! positive kernel (Feydy, Séjourné, Vialard, Amari, Trouvé and Peyré 2019, "Interpolating between
//! optimal transport and MMD using Sinkhorn divergences", section 3.1): near the solution an error
//! is multiplied by the eigenvalues of `(1 - P / a) / 2`, all of them within 0 and 1/2 there. Costs
//! without that property are left to the general solver.

use crate::log_domain::Support;
use crate::sinkhorn::descend;
use crate::watch::Watch;
use crate::{Error, Problem, Sinkhorn, Solution};

/// Iterations at each larger epsilon passed through: errors halve at least, and need not vanish.
const STAGE_ITERATIONS: usize = 4;

/// Iterations after which the general solver takes over. Halving errors need fewer.
const PATIENCE: usize = 100;

/// Solves a problem with a symmetric cost whose row and column weights are the same, under the same
/// relaxation on both sides. The two potentials are equal up to the constant between them.
pub(crate) fn solve(settings: &Sinkhorn, problem: &Problem) -> Result<Solution, Error> {
    let support = settings.support(problem)?;
    let (epsilon, budget) = (settings.epsilon(), settings.max_iterations());
    let mut f = vec![0.0; support.a.len()];
    if !settings.accelerated() {
        for _ in 0..budget {
            f = Step::from(&support, epsilon, f).next();
        }
        return solution(settings, problem, &support, f, budget);
    }
    let mut used = 0;
    for stage in settings.stages(support.spread) {
        for _ in 0..STAGE_ITERATIONS.min((budget - used) / 2) {
            f = Step::from(&support, stage, f).next();
            used += 1;
        }
    }
    let (mut f, spent) = average(settings, &support, f, (budget - used).min(PATIENCE));
    used += spent;
    if used < budget && !is_solved(settings, &support, &f) {
        let threshold = settings.threshold();
        let alone = &mut Watch::none();
        let (point, spent) = descend(&support, epsilon, threshold, budget - used, f, alone);
        used += spent;
        let sides = point.f.iter().zip(&point.g);
        f = sides.map(|(f, g)| (f + g) / 2.0).collect();
        let (polished, spent) = average(settings, &support, f, budget - used);
        (f, used) = (polished, used + spent);
    }
    solution(settings, problem, &support, f, used.max(1))
}

/// Iterates until the marginal error is at most the threshold or `budget` iterations are spent.
fn average(
    settings: &Sinkhorn,
    support: &Support,
    mut f: Vec<f64>,
    budget: usize,
) -> (Vec<f64>, usize) {
    for used in 0..budget {
        let step = Step::from(support, settings.epsilon(), f);
        let small = step.error(support, settings.epsilon()) <= settings.threshold();
        if small && is_solved(settings, support, &step.f) {
            return (step.f, used);
        }
        f = step.next();
    }
    (f, budget)
}

fn is_solved(settings: &Sinkhorn, support: &Support, f: &[f64]) -> bool {
    support.error_of(settings.epsilon(), f, f) <= settings.threshold()
}

fn solution(
    settings: &Sinkhorn,
    problem: &Problem,
    support: &Support,
    mut f: Vec<f64>,
    iterations: usize,
) -> Result<Solution, Error> {
    let mut g = f.clone();
    if support.is_balanced() {
        let mean = support.centre(&mut g);
        f.iter_mut().for_each(|f| *f += mean);
    }
    settings.solution(problem, support, (&f, &g), iterations)
}

/// A potential and its update.
struct Step {
    f: Vec<f64>,
    image: Vec<f64>,
}

impl Step {
    fn from(support: &Support, epsilon: f64, f: Vec<f64>) -> Self {
        let image = support.row_update(epsilon, &f);
        Self { f, image }
    }

    fn next(self) -> Vec<f64> {
        let sides = self.f.iter().zip(&self.image);
        sides.map(|(f, image)| (f + image) / 2.0).collect()
    }

    /// L1 distance of the sums of the plan of `f` from those that `f` calls for, on both sides.
    fn error(&self, support: &Support, epsilon: f64) -> f64 {
        let side = support.relaxed_rows;
        let rate = (1.0 + side.stiffness(epsilon)) / epsilon;
        let targets = side.targets(&support.a, &self.f);
        let rows = targets.iter().zip(self.f.iter().zip(&self.image));
        let one_side: f64 = rows
            .map(|(target, (f, image))| target * ((f - image) * rate).exp_m1().abs())
            .sum();
        2.0 * one_side
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{assert_close, cases};
    use crate::{CostMatrix, Problem};

    /// A symmetric cost and weights, some of them zero: distances of points on a line to a power, or
    /// anything.
    fn symmetric(case: &crate::testing::Case, of_points: bool) -> Problem {
        let n = case.n;
        let cell = |i: usize, j: usize| {
            if of_points {
                (case.cost[i * case.m] - case.cost[j * case.m]).powi(2)
            } else {
                case.cost[i.max(j) * case.m + i.min(j) % case.m]
            }
        };
        let cost: Vec<f64> = (0..n * n).map(|c| cell(c / n, c % n)).collect();
        Problem::new(CostMatrix::new(&cost, n, n).unwrap(), &case.a, &case.a).unwrap()
    }

    proptest! {
        /// The general solver finds the same plan, whether the cost is that of points or not.
        #[test]
        fn plans_are_those_of_the_general_solver(
            case in cases(),
            of_points: bool,
            is_relaxed: bool,
            exponent in -3.0..0.0_f64,
        ) {
            let problem = symmetric(&case, of_points);
            let mut solver = Sinkhorn::new(10.0_f64.powf(exponent)).unwrap();
            if is_relaxed {
                solver = solver.with_rho(0.6, 0.6).unwrap();
            }
            let found = solve(&solver, &problem).unwrap();
            prop_assert!(found.converged(), "{:e}", found.marginal_error());
            let expected = solver.solve(&problem).unwrap();
            assert_close(&[found.dual_cost()], &[expected.dual_cost()], 1e-8);
            assert_close(&found.plan(), &expected.plan(), 1e-6);
            let apart: Vec<f64> = found.f().iter().zip(found.g()).map(|(f, g)| f - g).collect();
            assert_close(&apart, &vec![apart[0]; case.n], 1e-8);
        }
    }

    /// The promise of halving errors, at an epsilon where the general iterations need thousands.
    #[test]
    fn points_take_few_iterations() {
        let n = 60;
        let at = |i: usize| (3.7 * i as f64).sin();
        let cost: Vec<f64> = (0..n * n)
            .map(|c| (at(c / n) - at(c % n)).powi(2))
            .collect();
        let problem = Problem::uniform(CostMatrix::new(&cost, n, n).unwrap()).unwrap();
        for epsilon in [1.0, 1e-2, 1e-4] {
            let solver = Sinkhorn::new(epsilon).unwrap();
            let found = solve(&solver, &problem).unwrap();
            assert!(found.converged());
            assert!(
                found.iterations() <= 70,
                "{epsilon}: {}",
                found.iterations()
            );
        }
    }

    #[test]
    fn fixed_and_exhausted_iterations_are_told() {
        let cost = CostMatrix::new(&[0.0, 0.5, 0.9, 0.5, 0.0, 0.3, 0.9, 0.3, 0.0], 3, 3).unwrap();
        let problem = Problem::uniform(cost).unwrap();
        let solver = Sinkhorn::new(0.01).unwrap();
        let fixed = solve(&solver.with_fixed_iterations(3), &problem).unwrap();
        assert_eq!(fixed.iterations(), 3);
        for budget in 1..8 {
            let short = solve(
                &solver.with_max_iterations(budget).with_threshold(0.0),
                &problem,
            );
            assert_eq!(short.unwrap().iterations(), budget);
        }
    }
}
