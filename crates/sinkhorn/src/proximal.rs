//! The proximal point method: unregularised transport from entropic steps alone.
//!
//! Step `k` moves from plan `P_k` to the minimiser of `<P, C> + beta_k KL(P | P_k)` (Xie, Wang, Wang
//! and Zha 2020, "A Fast Proximal Point Method for Computing Exact Wasserstein Distance"). From the
//! product of the marginals, `P_k` is the entropic plan at the epsilon with
//! `1 / epsilon = sum_l 1 / beta_l`, so a step is a warm-started entropic solve and no kernel is ever
//! multiplied up. Halving `beta_k` makes the method converge faster than at any fixed rate
//! (Rockafellar 1976, "Monotone Operators and the Proximal Point Algorithm").

use crate::exact::{in_range, out_of_range, scale};
use crate::feasible::{mend, round};
use crate::log_domain::Support;
use crate::sinkhorn::descend;
use crate::watch::Watch;
use crate::{Error, ExactSolution, Problem};

/// L1 marginal error, as a share of the mass, at which the first step is exact enough.
const FIRST_THRESHOLD: f64 = 1e-6;

/// The marginal error of later steps as a share of the gap, both relative.
const STEP_SHARE: f64 = 0.01;

/// Below this share of the spread, epsilon is less than what rounding does to the costs.
const LEAST_EPSILON: f64 = 1e-14;

/// How many times the plan's mean cost a cost may be without being far from it.
const FAR: f64 = 100.0;

/// Share of the mass that mending may leave in the wrong place.
const ROUNDING: f64 = 1e-9;

/// Settings of the proximal point method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProximalPoint {
    beta: f64,
    threshold: f64,
    max_iterations: usize,
}

impl ProximalPoint {
    /// First step `beta` in units of the cost; threshold 1e-9 and 10,000 iterations.
    ///
    /// # Errors
    /// [`Error::NotPositive`] if `beta` is not positive and finite.
    pub fn new(beta: f64) -> Result<Self, Error> {
        if beta > 0.0 && beta.is_finite() {
            return Ok(Self {
                beta,
                threshold: 1e-9,
                max_iterations: 10_000,
            });
        }
        Err(Error::NotPositive {
            setting: "beta",
            value: beta,
        })
    }

    /// Stops once the duality gap is at most this share of the costs' spread times the mass; of a
    /// hundred times the plan's mean cost above the least instead, where that is less, so that costs
    /// far beyond those in use do not make it meaningless.
    #[must_use]
    pub fn with_threshold(self, threshold: f64) -> Self {
        Self { threshold, ..self }
    }

    /// Stops after `max_iterations` inner iterations at the latest; zero counts as one.
    #[must_use]
    pub fn with_max_iterations(self, max_iterations: usize) -> Self {
        Self {
            max_iterations,
            ..self
        }
    }

    /// Solves `min <P, C>` over plans with row sums `a` and column sums `b`. The plan returned has
    /// these sums up to rounding, whether the method converged or not, unless it cannot have them
    /// without cells that must not or need not be used: then its marginal error tells.
    ///
    /// Costs are lowered to what the best plan, found by the network simplex, can bear where they are
    /// infinite, which forbids a cell, or many times larger.
    ///
    /// # Errors
    /// As [`ExactSolution::of`], and [`Error::OutOfRange`] if `beta` is too small for the costs.
    pub fn solve(&self, problem: &Problem) -> Result<ExactSolution, Error> {
        problem.check_balanced()?;
        let whole = Support::of(problem);
        if !whole.extent.is_finite() {
            return Err(out_of_range(whole.extent));
        }
        let Range { ceiling, scale } = Range::of(problem, &whole)?;
        let highest = ceiling.unwrap_or(f64::INFINITY);
        let unwanted: Vec<bool> = whole.by_row.iter().map(|cost| *cost > highest).collect();
        let support = whole.lowered(highest);
        let first = self.beta.min(highest);
        if !(support.spread / first).is_finite() {
            return Err(Error::OutOfRange {
                epsilon: self.beta,
                spread: support.spread,
            });
        }
        let mass: f64 = support.b.iter().sum();
        let budget = self.max_iterations.max(1);
        let (mut epsilon, mut beta, mut used) = (first, first, 0);
        let mut step_threshold = FIRST_THRESHOLD;
        let mut prices = vec![0.0; support.b.len()];
        // What the potentials leave of the costs: of epsilon's size wherever there is mass, so that
        // dividing by epsilon magnifies no rounding, however small it becomes.
        let mut reduced = support.clone();
        loop {
            let start = vec![0.0; prices.len()];
            let left = budget - used;
            let threshold = step_threshold * mass;
            let alone = &mut Watch::none();
            let (point, spent) = descend(&reduced, epsilon, threshold, left, start, alone);
            used += spent;
            let mut plan = reduced.plan(epsilon, &point.f, &point.g);
            if ceiling.is_some() {
                let cells = plan.iter_mut().zip(&unwanted);
                cells
                    .filter(|cell| *cell.1)
                    .for_each(|(mass, _)| *mass = 0.0);
                // What cannot be mended has a marginal error, and is not a solution.
                let kept = plan.clone();
                let wanted = |cell: usize| !unwanted[cell];
                if mend(&mut plan, &support.a, &support.b, wanted, ROUNDING * mass).is_none() {
                    plan = kept;
                }
            } else {
                round(&mut plan, &support.a, &support.b);
            }
            reduced.absorb(&point.f, &point.g);
            prices
                .iter_mut()
                .zip(&point.g)
                .for_each(|(sum, g)| *sum += g);

            // With the weights' share, no cell of the plan has more than its price allows. Equal
            // costs have equal prices already, and no epsilon is small against their spread.
            let share = if support.spread > 0.0 { epsilon } else { 0.0 };
            let g = prices.iter().zip(&support.b);
            let g = g.map(|(g, b)| g + share * b.ln()).collect();
            let proof = (self.threshold, scale);
            let solution = ExactSolution::on(problem, &support, &plan, g, used, proof);
            // Of less there is no reciprocal.
            let least = (LEAST_EPSILON * support.spread).max(f64::MIN_POSITIVE);
            if solution.converged() || used >= budget || epsilon <= least {
                return solution.in_range();
            }
            let gap = solution.duality_gap().abs() / (scale * mass);
            step_threshold = (STEP_SHARE * gap).min(FIRST_THRESHOLD);
            step_threshold = step_threshold.max(0.1 * self.threshold);
            beta /= 2.0;
            epsilon = 1.0 / (1.0 / epsilon + 1.0 / beta);
        }
    }
}

/// Which costs count, and for how much.
struct Range {
    /// What costs are lowered to, above the least.
    ceiling: Option<f64>,
    /// The cost that the duality gap has to be small against.
    scale: f64,
}

impl Range {
    fn of(problem: &Problem, support: &Support) -> Result<Self, Error> {
        let least = |costs: &[f64], weights: &[f64]| -> f64 {
            let lines = costs.chunks_exact(costs.len() / weights.len());
            let least = lines.map(|line| line.iter().copied().fold(f64::INFINITY, f64::min));
            let shares = least.zip(weights).map(|(cost, weight)| cost * weight);
            shares.sum::<f64>() / weights.iter().sum::<f64>()
        };
        // No plan costs less on average.
        let rows = least(&support.by_row, &support.a);
        let columns = least(&support.by_column, &support.b);
        let mass: f64 = support.a.iter().sum();
        let forbids = support.by_row.iter().any(|cost| cost.is_infinite());
        if !forbids && support.extent <= FAR * rows.max(columns) {
            in_range(rows.max(columns) * mass)?;
            return Ok(Self {
                ceiling: None,
                scale: support.spread,
            });
        }
        let seen = scale(problem)?;
        in_range(seen.mean * mass)?;
        if seen.mean > 0.0 {
            // Twice as much as it may be leaves a plan nothing to gain beyond.
            let ceiling = 2.0 * seen.spread;
            return Ok(Self {
                ceiling: Some(ceiling),
                scale: ceiling.min(FAR * seen.mean),
            });
        }
        // The least cost everywhere is a best plan: no cell beyond it is wanted.
        let positive = support.by_row.iter().copied().filter(|cost| *cost > 0.0);
        let smallest = positive.fold(f64::INFINITY, f64::min);
        let between = Some(smallest / 2.0).filter(|cost| cost.is_finite());
        Ok(Self {
            ceiling: Some(between.unwrap_or(1.0)),
            scale: between.unwrap_or(0.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{assert_close, cases, hard_cases};
    use crate::{CostMatrix, Status};

    fn check(problem: &Problem, beta: f64) {
        let exact = ExactSolution::of(problem).unwrap();
        let found = ProximalPoint::new(beta).unwrap().solve(problem).unwrap();
        assert!(
            found.converged(),
            "{} {}",
            found.duality_gap(),
            found.iterations()
        );
        assert!(found.marginal_error() < 1e-13);
        assert_close(&[found.transport_cost()], &[exact.transport_cost()], 1e-8);
        assert!(found.dual_cost() <= exact.transport_cost() + 1e-12);
    }

    proptest! {
        #[test]
        fn the_cost_is_the_exact_one(case in cases(), beta in 0.01..10.0_f64) {
            check(&case.problem(), beta);
        }

        #[test]
        fn so_it_is_of_larger_problems(case in hard_cases()) {
            check(&case.problem(), 0.1);
        }
    }

    /// Integer costs: many plans are optimal, and epsilon never separates them.
    #[test]
    fn ties_do_not_matter() {
        let cost: Vec<f64> = (0..64_u32).map(|cell| f64::from(cell * 7 % 3)).collect();
        check(
            &Problem::uniform(CostMatrix::new(&cost, 8, 8).unwrap()).unwrap(),
            1.0,
        );
        let flat = CostMatrix::new(&[2.0; 6], 2, 3).unwrap();
        check(&Problem::uniform(flat.clone()).unwrap(), 1.0);
        let weights = [0.7, 0.2, 0.1];
        check(&Problem::new(flat, &[0.6, 0.4], &weights).unwrap(), 1.0);
    }

    #[test]
    fn running_out_of_iterations_is_told() {
        let cost: Vec<f64> = (0..100_u32)
            .map(|cell| f64::from(cell * cell % 97))
            .collect();
        let problem = Problem::uniform(CostMatrix::new(&cost, 10, 10).unwrap()).unwrap();
        let solver = ProximalPoint::new(50.0).unwrap().with_max_iterations(2);
        let found = solver.solve(&problem).unwrap();
        assert_eq!(found.status(), Status::MaxIterations);
        assert!(found.duality_gap() > 1.0 && found.marginal_error() < 1e-13);
    }
}
