//! The entropic solver: log-domain Sinkhorn, warm-started and accelerated where that pays.

use std::ops::ControlFlow;

use crate::log_domain::{Iterate, Support};
use crate::real::Lanes;
use crate::scaling::Relaxed;
use crate::solution::Start;
use crate::watch::Watch;
use crate::{Error, Instructions, Problem, Progress, Solution, fixed_point, newton, solver};

/// Epsilons below this share of the cost's spread are approached from above: plain iterations
/// move a potential by about epsilon at a time.
const WARM_START_BELOW: f64 = 0.02;

/// Ratio of successive epsilons of the warm start.
const WARM_START_RATIO: f64 = 0.25;

/// L1 marginal error, as a share of the mass, that a warm-start stage has to reach.
pub(crate) const WARM_START_THRESHOLD: f64 = 1e-3;

/// First-order iterations between attempts at Newton steps.
const FIRST_ORDER_ITERATIONS: usize = 60;

/// Settings of an entropic solver with regularisation `epsilon` against `a b^T`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sinkhorn {
    epsilon: f64,
    threshold: f64,
    max_iterations: usize,
    accelerated: bool,
    instructions: Instructions,
    rho: [f64; 2],
    /// The first epsilon as a share of the costs' spread, and the ratio of successive ones, if set.
    schedule: Option<[f64; 2]>,
}

impl Sinkhorn {
    /// Regularisation `epsilon` in units of the cost; threshold 1e-9 and 10,000 iterations.
    ///
    /// # Errors
    /// [`Error::NotPositive`] if `epsilon` is not positive and finite.
    pub fn new(epsilon: f64) -> Result<Self, Error> {
        if epsilon > 0.0 && epsilon.is_finite() {
            Ok(Self {
                epsilon,
                threshold: 1e-9,
                max_iterations: 10_000,
                accelerated: true,
                instructions: Instructions::detected(),
                rho: [f64::INFINITY; 2],
                schedule: None,
            })
        } else {
            Err(Error::NotPositive {
                setting: "epsilon",
                value: epsilon,
            })
        }
    }

    /// Stops once the L1 marginal error, in units of mass, is at most `threshold`.
    #[must_use]
    pub fn with_threshold(self, threshold: f64) -> Self {
        Self { threshold, ..self }
    }

    /// Stops after `max_iterations` iterations at the latest; zero counts as one.
    #[must_use]
    pub fn with_max_iterations(self, max_iterations: usize) -> Self {
        Self {
            max_iterations,
            ..self
        }
    }

    /// Makes exactly `iterations` plain Sinkhorn iterations on each problem of a batch, so that a
    /// result depends smoothly on the costs and takes the same time whatever they are; zero counts
    /// as one.
    #[must_use]
    pub fn with_fixed_iterations(self, iterations: usize) -> Self {
        Self {
            max_iterations: iterations.max(1),
            accelerated: false,
            ..self
        }
    }

    /// Lets the plan's row sums miss `a` at a cost of `rows * KL(P 1 | a)`, and its column sums miss
    /// `b` at `columns * KL(P^T 1 | b)`, in units of the cost; infinity, the default, makes a side
    /// meet its weights. With both relaxed the problem is called unbalanced, with one
    /// semi-unbalanced (Chizat, Peyré, Schmitzer and Vialard 2018, "Scaling algorithms for
    /// unbalanced optimal transport problems").
    ///
    /// # Errors
    /// [`Error::NotPositive`] if a value is not positive.
    pub fn with_rho(self, rows: f64, columns: f64) -> Result<Self, Error> {
        for (setting, value) in [("rho of the rows", rows), ("rho of the columns", columns)] {
            if value.is_nan() || value <= 0.0 {
                return Err(Error::NotPositive { setting, value });
            }
        }
        let rho = [rows, columns];
        Ok(Self { rho, ..self })
    }

    /// Approaches a small epsilon through larger ones: first `first` times the costs' spread, then
    /// `ratio` times the one before, as long as they are above the one asked for. A single problem
    /// then begins with them; without, at 0.02 and 0.25, only where iterations at the epsilon asked
    /// for do not converge soon. Batches and fixed numbers of iterations do without.
    ///
    /// # Errors
    /// [`Error::NotPositive`] if `first` is not positive and finite, [`Error::NotShare`] if `ratio` is
    /// not between zero and one.
    pub fn with_schedule(self, first: f64, ratio: f64) -> Result<Self, Error> {
        if !(first > 0.0 && first.is_finite()) {
            let setting = "the first epsilon's share of the spread";
            return Err(Error::NotPositive {
                setting,
                value: first,
            });
        }
        if !(ratio > 0.0 && ratio < 1.0) {
            let setting = "the ratio of successive epsilons";
            return Err(Error::NotShare {
                setting,
                value: ratio,
            });
        }
        let schedule = Some([first, ratio]);
        Ok(Self { schedule, ..self })
    }

    /// Uses at most these vector instructions on a batch, for results that are the same to the last
    /// bit on machines that have others beyond them.
    #[must_use]
    pub fn with_instructions(self, instructions: Instructions) -> Self {
        Self {
            instructions,
            ..self
        }
    }

    /// Returns the regularisation.
    #[must_use]
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    pub(crate) fn threshold(&self) -> f64 {
        self.threshold
    }

    pub(crate) fn max_iterations(&self) -> usize {
        self.max_iterations.max(1)
    }

    pub(crate) fn accelerated(&self) -> bool {
        self.accelerated
    }

    /// Costs of missing the marginals, infinite where they have to be met.
    pub(crate) fn rho(&self) -> [f64; 2] {
        self.rho
    }

    /// Returns the larger epsilons to pass through, largest first; none where epsilon is not small.
    pub(crate) fn stages(&self, spread: f64) -> impl Iterator<Item = f64> + use<> {
        let default = [WARM_START_BELOW, WARM_START_RATIO];
        let ([first, ratio], epsilon) = (self.schedule.unwrap_or(default), self.epsilon);
        std::iter::successors(Some(first * spread), move |stage| Some(stage * ratio))
            .take_while(move |stage| *stage > epsilon)
    }

    /// What it costs to miss the marginals; none where both have to be met.
    pub(crate) fn relaxed(&self) -> Option<Relaxed> {
        (!self.is_balanced()).then_some(Relaxed { rho: self.rho })
    }

    /// Whether both marginals have to be met.
    pub(crate) fn is_balanced(&self) -> bool {
        self.rho.iter().all(|rho| rho.is_infinite())
    }

    pub(crate) fn instructions(&self) -> Instructions {
        self.instructions
    }

    /// Refuses costs that epsilon divides beyond the range of numbers.
    pub(crate) fn check_range(&self, spread: f64) -> Result<(), Error> {
        // A logarithm of a weight is within a thousand of zero.
        if (spread / self.epsilon).is_finite() && (1e3 * self.epsilon).is_finite() {
            return Ok(());
        }
        Err(Error::OutOfRange {
            epsilon: self.epsilon,
            spread,
        })
    }

    /// Solves a problem, with the last iteration in the log domain.
    ///
    /// Where iterations in scaling form, as of a batch, do not converge soon, small epsilons are
    /// approached through larger ones. At each, Sinkhorn iterations with Anderson acceleration
    /// alternate, if they do not suffice, with damped Newton steps on the dual. The result depends
    /// on nothing but the inputs.
    ///
    /// # Errors
    /// [`Error::MassMismatch`] if both marginals have to be met and differ in mass;
    /// [`Error::Blocked`] if infinite costs, which forbid cells, leave no plan;
    /// [`Error::OutOfRange`] or [`Error::TooMuchMass`] if the result is not finite. A solve that ran
    /// out of iterations is not an error: its [`status`](Solution::status) says so.
    pub fn solve(&self, problem: &Problem) -> Result<Solution, Error> {
        self.solve_on(problem, &self.support(problem)?, &mut Watch::none())
    }

    /// Works as [`solve`](Self::solve), telling `observe` after every iteration how far it is. The observer
    /// may end the solve: then the [`status`](Solution::status) is that of iterations that ran out.
    ///
    /// All iterations are in the log domain, which takes longer; within the threshold the result is
    /// the same.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use optical_sinkhorn::{CostMatrix, Problem, Sinkhorn};
    ///
    /// let problem = Problem::uniform(CostMatrix::from_fn(3, 4, |i, j| i.abs_diff(j) as f64)?)?;
    /// let mut errors = Vec::new();
    /// let solution = Sinkhorn::new(0.1)?.solve_observed(&problem, |progress| {
    ///     errors.push(progress.marginal_error);
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(errors.len(), solution.iterations());
    /// assert!(errors.last() <= Some(&1e-9));
    /// # Ok::<(), optical_sinkhorn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`solve`](Self::solve).
    pub fn solve_observed(
        &self,
        problem: &Problem,
        mut observe: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Solution, Error> {
        let support = self.support(problem)?;
        self.solve_on(problem, &support, &mut Watch::by(&mut observe))
    }

    /// Works as [`solve`](Self::solve), on the cells that can have mass.
    pub(crate) fn solve_on(
        &self,
        problem: &Problem,
        support: &Support,
        watch: &mut Watch<'_>,
    ) -> Result<Solution, Error> {
        if !self.accelerated {
            return self.iterate(problem, support, Start::Level, watch);
        }
        if !watch.is_watched()
            && self.schedule.is_none()
            && let Some((g, used)) = solver::scaled(self, support)
        {
            return self.finish(problem, support, used, g, watch);
        }
        let mass: f64 = support.b.iter().sum();
        let mut g = vec![0.0; support.b.len()];
        let mut left = self.max_iterations.max(1);
        for epsilon in self.stages(support.spread) {
            // At most half of what is left: the epsilon asked for must get its share.
            if left == 1 || watch.is_stopped() {
                break;
            }
            let threshold = (WARM_START_THRESHOLD * mass).max(self.threshold);
            let (stage, used) = descend(support, epsilon, threshold, left / 2, g, watch);
            left -= used;
            g = stage.image;
        }
        let used = self.max_iterations.max(1) - left;
        self.finish(problem, support, used, g, watch)
    }

    /// Works as [`solve`](Self::solve), starting from column potentials `g` at the epsilon asked for: those
    /// of a problem with similar costs save most of the iterations. Values at columns without mass
    /// are not read.
    ///
    /// # Errors
    /// As [`solve`](Self::solve); [`Error::PotentialCount`] if there are not as many potentials as
    /// columns, [`Error::Potential`] if one is not finite.
    pub fn solve_from(&self, problem: &Problem, g: &[f64]) -> Result<Solution, Error> {
        let support = self.support(problem)?;
        let expected = problem.b().len();
        if g.len() != expected {
            let found = g.len();
            return Err(Error::PotentialCount { expected, found });
        }
        if let Some(&index) = support.columns.iter().find(|&&j| !g[j].is_finite()) {
            let value = g[index];
            return Err(Error::Potential { index, value });
        }
        self.solve_on_from(problem, &support, g)
    }

    /// Works as [`solve_from`](Self::solve_from), on the cells that can have mass.
    pub(crate) fn solve_on_from(
        &self,
        problem: &Problem,
        support: &Support,
        g: &[f64],
    ) -> Result<Solution, Error> {
        let offset = support.relaxed_columns.offset();
        let start = support.columns.iter().map(|&j| g[j] - offset).collect();
        if self.accelerated {
            self.finish(problem, support, 0, start, &mut Watch::none())
        } else {
            self.iterate(problem, support, Start::Given(start), &mut Watch::none())
        }
    }

    /// Returns the cells that can have mass, if these settings can deal with them.
    pub(crate) fn support(&self, problem: &Problem) -> Result<Support, Error> {
        if self.is_balanced() {
            problem.check_balanced()?;
        }
        self.support_within(problem, f64::ROUNDING)
    }

    /// Works as [`support`](Self::support), of weights that are right to a relative `rounding` and were
    /// found to be of equal mass where they have to.
    pub(crate) fn support_within(
        &self,
        problem: &Problem,
        rounding: f64,
    ) -> Result<Support, Error> {
        let support = Support::of(problem).relaxed(self.rho);
        let support = support.without_forbidden(problem, rounding)?;
        self.check_range(support.extent)?;
        Ok(support)
    }

    /// Iterates at the epsilon asked for until the threshold or the end of the iterations.
    fn finish(
        &self,
        problem: &Problem,
        support: &Support,
        used: usize,
        g: Vec<f64>,
        watch: &mut Watch<'_>,
    ) -> Result<Solution, Error> {
        let left = self.max_iterations.max(1) - used;
        let (last, more) = descend(support, self.epsilon, self.threshold, left, g, watch);
        self.solution(problem, support, (&last.f, &last.g), used + more)
    }

    /// Makes plain iterations: a row update each, and column updates between them.
    fn iterate(
        &self,
        problem: &Problem,
        support: &Support,
        start: Start,
        watch: &mut Watch<'_>,
    ) -> Result<Solution, Error> {
        let mut g = start.potentials(support.b.len());
        let mut f = support.row_update(self.epsilon, &g);
        let mut used = 1;
        loop {
            if watch.is_watched() {
                watch.see(self.epsilon, support.error_of(self.epsilon, &f, &g));
            }
            if used == self.max_iterations || watch.is_stopped() {
                break;
            }
            g = support.column_update(self.epsilon, &f);
            f = support.row_update(self.epsilon, &g);
            used += 1;
        }
        if support.is_balanced() {
            let mean = support.centre(&mut g);
            f.iter_mut().for_each(|f| *f += mean);
        }
        let solution = self.solution(problem, support, (&f, &g), used)?;
        Ok(solution.started_at(start))
    }

    pub(crate) fn solution(
        &self,
        problem: &Problem,
        support: &Support,
        potentials: (&[f64], &[f64]),
        iterations: usize,
    ) -> Result<Solution, Error> {
        let (epsilon, threshold) = (self.epsilon, self.threshold);
        let (mut f, mut g) = (potentials.0.to_vec(), potentials.1.to_vec());
        support.apart(epsilon, problem, &mut f, &mut g);
        let solution = Solution::new(problem, support, epsilon, (&f, &g), iterations, threshold);
        let mut potentials = solution.f().iter().chain(solution.g());
        let finite = potentials.all(|potential| potential.is_finite());
        if finite && solution.marginal_error().is_finite() {
            return Ok(solution);
        }
        Err(self.beyond_range(support.extent, support.offset))
    }

    /// What to say of a result that is not finite, for costs of this spread from `least` on.
    pub(crate) fn beyond_range(&self, spread: f64, least: f64) -> Error {
        let (epsilon, rho) = (self.epsilon, self.rho);
        let draws = !self.is_balanced() && least < 0.0;
        if draws && spread / epsilon < -least / (epsilon + rho[0].min(rho[1])) {
            return Error::TooMuchMass {
                epsilon,
                least,
                rho,
            };
        }
        Error::OutOfRange { epsilon, spread }
    }
}

/// Alternates first-order and Newton phases at one epsilon. Returns the last point and the full
/// iterations used, at most `budget` but at least one.
pub(crate) fn descend(
    support: &Support,
    epsilon: f64,
    threshold: f64,
    budget: usize,
    g: Vec<f64>,
    watch: &mut Watch<'_>,
) -> (Iterate, usize) {
    let mut point = support.evaluate(epsilon, g);
    watch.see(epsilon, point.error);
    let mut used = 1;
    while used < budget && !watch.is_stopped() && !support.is_solved(epsilon, &point, threshold) {
        let first_order = (budget - used).min(FIRST_ORDER_ITERATIONS);
        let (next, spent) =
            fixed_point::descend(support, epsilon, threshold, first_order, point, watch);
        (point, used) = (next, used + spent);
        if support.b.len() <= newton::LARGEST {
            let left = budget - used;
            let (next, spent) = newton::descend(support, epsilon, threshold, left, point, watch);
            (point, used) = (next, used + spent);
        }
    }
    (point, used)
}

#[cfg(test)]
mod tests;
