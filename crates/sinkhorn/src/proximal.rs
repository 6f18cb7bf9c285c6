//! The proximal point method: unregularised transport from entropic steps alone.
//!
//! Step `k` moves from plan `P_k` to the minimiser of `<P, C> + beta_k KL(P | P_k)` (Xie, Wang, Wang
//! and Zha 2020, "A Fast Proximal Point Method for Computing Exact Wasserstein Distance"). From the
//! product of the marginals, `P_k` is the entropic plan at the epsilon with
//! `1 / epsilon = sum_l 1 / beta_l`, so a step is a warm-started entropic solve and no kernel is ever
//! multiplied up. Halving `beta_k` makes the method converge faster than at any fixed rate
//! (Rockafellar 1976, "Monotone Operators and the Proximal Point Algorithm").

use crate::exact::check_spread;
use crate::feasible::round;
use crate::log_domain::Support;
use crate::sinkhorn::descend;
use crate::{Error, ExactSolution, Problem};

/// L1 marginal error, as a share of the mass, at which the first step is exact enough.
const FIRST_THRESHOLD: f64 = 1e-6;

/// The marginal error of later steps as a share of the gap, both relative.
const STEP_SHARE: f64 = 0.01;

/// Below this share of the spread, epsilon is less than what rounding does to the costs.
const LEAST_EPSILON: f64 = 1e-14;

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

    /// Stops once the duality gap is at most this share of the costs' spread times the mass.
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
    /// these sums up to rounding, whether the method converged or not.
    ///
    /// # Errors
    /// As [`ExactSolution::of`], and [`Error::OutOfRange`] if `beta` is too small for the costs.
    pub fn solve(&self, problem: &Problem) -> Result<ExactSolution, Error> {
        problem.check_balanced()?;
        let support = Support::of(problem);
        check_spread(support.spread)?;
        if !(support.spread / self.beta).is_finite() {
            return Err(Error::OutOfRange {
                epsilon: self.beta,
                spread: support.spread,
            });
        }
        let mass: f64 = support.b.iter().sum();
        let budget = self.max_iterations.max(1);
        let (mut epsilon, mut beta, mut used) = (self.beta, self.beta, 0);
        let mut step_threshold = FIRST_THRESHOLD;
        let mut prices = vec![0.0; support.b.len()];
        // What the potentials leave of the costs: of epsilon's size wherever there is mass, so that
        // dividing by epsilon magnifies no rounding, however small it becomes.
        let mut reduced = support.clone();
        loop {
            let start = vec![0.0; prices.len()];
            let left = budget - used;
            let (point, spent) = descend(&reduced, epsilon, step_threshold * mass, left, start);
            used += spent;
            let mut plan = reduced.plan(epsilon, &point.f, &point.g);
            round(&mut plan, &support.a, &support.b);
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
            let solution = ExactSolution::on(problem, &support, &plan, g, used, self.threshold);
            let least = LEAST_EPSILON * support.spread;
            if solution.converged() || used >= budget || epsilon <= least {
                return Ok(solution);
            }
            let gap = solution.duality_gap() / (support.spread * mass);
            step_threshold = (STEP_SHARE * gap).min(FIRST_THRESHOLD);
            step_threshold = step_threshold.max(0.1 * self.threshold);
            beta /= 2.0;
            epsilon = 1.0 / (1.0 / epsilon + 1.0 / beta);
        }
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
