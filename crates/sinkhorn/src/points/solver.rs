//! From a cost and two marginals to a solution.

use super::certificate::{Ended, certify};
use super::descent::descend;
use super::iteration::{Iteration, Rules};
use super::marginals::Marginals;
use super::operator::Operator;
use super::plan::{Plan, Precision};
use super::solution::PointSolution;
use crate::real::Lanes;
use crate::relaxation::Relaxation;
use crate::sinkhorn::WARM_START_THRESHOLD;
use crate::{Cost, Error, Real, Sinkhorn};

/// Marginal errors that single precision can reach, in units of its rounding times the mass.
const REACH: f64 = 8.0;

/// Largest error that rounding of inner products may make in a cell of the plan, relative to it.
const CELL_ERROR: f64 = 1.0 / 128.0;

/// Weights below this share of the mass are left to double precision.
const LEAST_WEIGHT: f64 = 1e-30;

/// Exponents beyond this are no longer told from those of columns without mass.
const LARGEST_EXPONENT: f64 = 1e28;

/// Where to resume from: column potentials on the support, if any, and the iterations made so far.
#[derive(Clone)]
struct Attempt {
    start: Option<Vec<f64>>,
    used: usize,
}

impl Sinkhorn {
    /// Moves the mass `a` of rows to the mass `b` of columns at a cost that is computed when it is
    /// needed, such as [`Cosine`](crate::Cosine) of points: memory grows with `n + m`, not with
    /// their product.
    ///
    /// Settings mean what they mean for [`solve_batch`](Self::solve_batch); a threshold is a distance
    /// of marginals in units of mass. A zero weight takes its row or column out, with whatever point
    /// stands there. With feature `rayon`, work is shared among the threads of the current pool, and
    /// the result is the same to the last bit with any number of them.
    ///
    /// Points in single precision are computed with in single precision, with sums in double, where
    /// that reaches the threshold and moves no cell of the plan by a hundredth; otherwise in double.
    /// The inner product of two points, less the means of their sides, is rounded to about 1e-7 of
    /// the product of their lengths, and a cell of the plan by that over epsilon.
    ///
    /// ```
    /// use optical_sinkhorn::{Cosine, Sinkhorn};
    ///
    /// let x: [f32; 6] = [1.0, 0.0, 0.0, 1.0, 0.7, 0.7];
    /// let y: [f32; 4] = [0.9, 0.1, 0.2, 0.8];
    /// let cost = Cosine::new(&x, &y, 2)?;
    /// let solver = Sinkhorn::new(0.1)?.with_threshold(1e-5);
    /// let solution = solver.solve_points(&cost, &[0.25, 0.25, 0.5], &[0.5, 0.5])?;
    ///
    /// assert!(solution.report().converged());
    /// let moved = solution.barycentric_projection(&y, 2)?; // where the mass of each x goes
    /// assert!(moved[0] > 0.8 && moved[3] > 0.7);
    /// # Ok::<(), optical_sinkhorn::Error>(())
    /// ```
    ///
    /// # Errors
    /// For weights as [`Problem::new`](crate::Problem::new); [`Error::Point`] if a coordinate of a
    /// point with mass is not finite, [`Error::ZeroPoint`] if such a point has no direction but needs
    /// one, [`Error::Cost`] if a cost between positive weights is not finite, [`Error::OutOfRange`] if
    /// the result is not. Running out of iterations is not an error.
    pub fn solve_points<'a, T, C>(
        &self,
        cost: &'a C,
        a: &[T],
        b: &[T],
    ) -> Result<PointSolution<'a, T, C>, Error>
    where
        T: Real,
        C: Cost<T> + ?Sized,
    {
        let marginals = self.marginals(cost, a, b)?;
        self.solve_support(cost, marginals, None)
    }

    /// Works as [`solve_points`](Self::solve_points), starting from column potentials `g` in units of the
    /// cost, which are not read where a column has no mass.
    ///
    /// # Errors
    /// As [`solve_points`](Self::solve_points); [`Error::PotentialCount`] if there are not as many
    /// potentials as columns, [`Error::Potential`] if one is not finite.
    pub fn solve_points_from<'a, T, C>(
        &self,
        cost: &'a C,
        a: &[T],
        b: &[T],
        g: &[f64],
    ) -> Result<PointSolution<'a, T, C>, Error>
    where
        T: Real,
        C: Cost<T> + ?Sized,
    {
        let marginals = self.marginals(cost, a, b)?;
        if g.len() != cost.m() {
            return Err(Error::PotentialCount {
                expected: cost.m(),
                found: g.len(),
            });
        }
        if let Some(&index) = marginals.columns.iter().find(|&&j| !g[j].is_finite()) {
            let value = g[index];
            return Err(Error::Potential { index, value });
        }
        let start = marginals.columns.iter().map(|&j| g[j]).collect();
        self.solve_support(cost, marginals, Some(start))
    }

    fn marginals<T, C>(&self, cost: &C, a: &[T], b: &[T]) -> Result<Marginals, Error>
    where
        T: Real,
        C: Cost<T> + ?Sized,
    {
        let (n, m) = (cost.n(), cost.m());
        if n == 0 || m == 0 {
            return Err(Error::EmptyCost { n, m });
        }
        Marginals::new((n, m), a, b, self.is_balanced())
    }

    fn solve_support<'a, T, C>(
        &self,
        cost: &'a C,
        marginals: Marginals,
        start: Option<Vec<f64>>,
    ) -> Result<PointSolution<'a, T, C>, Error>
    where
        T: Real,
        C: Cost<T> + ?Sized,
    {
        let shape = (cost.n(), cost.m());
        let mut attempt = Attempt { start, used: 0 };
        let reachable = REACH * T::ROUNDING * marginals.mass <= self.threshold();
        let suffices = (reachable || !self.accelerated()) && marginals.least() >= LEAST_WEIGHT;
        let single = T::ROUNDING > f64::ROUNDING;
        if suffices || !single {
            let operator: Operator<'a, T> = self.operator(cost, marginals.clone())?;
            let [least, largest] = operator.extremes;
            let rounding = T::ROUNDING * (largest - least) / self.epsilon();
            if !single || cost.clouds().is_none() || rounding <= CELL_ERROR {
                let found = self.run(operator, attempt.clone());
                let report = found.as_ref().ok().map(|(_, ended)| ended.report);
                let is_last = report.is_some_and(|report| {
                    let spent = report.iterations >= self.max_iterations();
                    report.converged() || spent || !self.accelerated()
                });
                if is_last || !single {
                    let (plan, ended) = found?;
                    let plan = Precision::Own(plan);
                    return Ok(PointSolution::new(cost, shape, plan, ended));
                }
                if let Ok((_, ended)) = found {
                    attempt = Attempt {
                        start: Some(ended.g),
                        used: ended.report.iterations,
                    };
                }
            }
        }
        let (plan, ended) = self.run(self.operator::<T, f64, C>(cost, marginals)?, attempt)?;
        let plan = Precision::Double(plan);
        Ok(PointSolution::new(cost, shape, plan, ended))
    }

    fn operator<'a, T, U, C>(
        &self,
        cost: &'a C,
        marginals: Marginals,
    ) -> Result<Operator<'a, U>, Error>
    where
        T: Real,
        U: Real,
        C: Cost<T> + ?Sized,
    {
        match cost.clouds() {
            Some(clouds) => Operator::of_points(&clouds, marginals, self.instructions()),
            None => Operator::of_rows(cost, marginals, self.instructions()),
        }
    }

    fn run<'a, U: Real>(
        &self,
        operator: Operator<'a, U>,
        Attempt { start, mut used }: Attempt,
    ) -> Result<(Plan<'a, U>, Ended), Error> {
        let spread = operator.spread();
        let epsilon = self.epsilon();
        let out_of_range = Error::OutOfRange { epsilon, spread };
        self.check_range(spread)?;
        if spread / epsilon > LARGEST_EXPONENT {
            return Err(out_of_range);
        }
        let rules = Rules {
            epsilon,
            threshold: self.accelerated().then_some(self.threshold()),
            iterations: self.max_iterations(),
            relaxed: Relaxation::sides(self.rho(), 0.0),
        };
        let g = match start {
            Some(g) => g,
            None => self.approach(&operator, rules, &mut used),
        };
        let rules = Rules {
            iterations: rules.iterations - used,
            ..rules
        };
        let mut iteration = Iteration::new(&operator, rules, &g);
        let (iterations, error) = descend(&mut iteration);
        let ended = certify(&iteration, (used + iterations, error), self.threshold());
        let finite = ended
            .f
            .iter()
            .chain(&ended.g)
            .all(|value| value.is_finite());
        if !finite || !error.is_finite() {
            return Err(out_of_range);
        }
        let factors = iteration.factors;
        Ok((Plan { operator, factors }, ended))
    }

    /// Column potentials to start from: zero for plain iterations and where potentials call for
    /// masses, else those that leave only the similarities to account for, at larger epsilons first
    /// if epsilon is small beside them.
    fn approach<U: Real>(
        &self,
        operator: &Operator<'_, U>,
        rules: Rules,
        used: &mut usize,
    ) -> Vec<f64> {
        let Some(threshold) = rules.threshold else {
            return vec![0.0; operator.beta.len()];
        };
        let mut g = if rules.is_balanced() {
            operator.beta.clone()
        } else {
            vec![0.0; operator.beta.len()]
        };
        let [least, largest] = operator.extremes;
        for epsilon in self.stages(largest - least) {
            let left = rules.iterations - *used;
            // At most half of what is left: the epsilon asked for must get its share.
            if left == 1 {
                break;
            }
            let coarse = WARM_START_THRESHOLD * operator.marginals.mass;
            let stage = Rules {
                epsilon,
                threshold: Some(threshold.max(coarse)),
                iterations: left / 2,
                ..rules
            };
            let mut iteration = Iteration::new(operator, stage, &g);
            *used += descend(&mut iteration).0;
            g = iteration.next_potentials();
        }
        g
    }
}
