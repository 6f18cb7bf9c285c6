//! In which order iterations are made, and when they end.

use super::iteration::{Iteration, Point};
use crate::Real;
use crate::real::Lanes;
use crate::scaling::anderson::Anderson;
use crate::simd::Baseline;

/// First-order iterations in which the marginal error has to halve; if it does not, Newton steps are
/// tried. These cost more where first-order iterations get on.
const PATIENCE: usize = 100;

/// Growth of the marginal error over its best so far that shows that acceleration misleads. Plain
/// iterations never increase the error.
const MISLED: f64 = 2.0;

/// An iteration on its way.
pub(super) struct Descent<'i, 's, 'a, U> {
    pub iteration: &'i mut Iteration<'s, 'a, U>,
    /// Iterations made.
    pub used: usize,
    /// L1 marginal error of the last pass, if somebody asked for it.
    pub error: f64,
}

/// Iterates; returns the number of iterations and the marginal error. In single precision, it ends
/// before the iterations do where rounding lets it get no further.
pub(super) fn descend<U: Real>(iteration: &mut Iteration<'_, '_, U>) -> (usize, f64) {
    let descent = Descent {
        iteration,
        used: 0,
        error: f64::INFINITY,
    };
    descent.run()
}

impl<U: Real> Descent<'_, '_, '_, U> {
    fn run(mut self) -> (usize, f64) {
        self.evaluate();
        if self.iteration.rules.threshold.is_none() {
            while !self.is_over() {
                self.iteration.step();
                self.tidy();
                self.evaluate();
            }
            return (self.used, self.error);
        }
        while !self.is_over() {
            let before = self.error;
            self.first_order();
            if !self.is_over() {
                self.newton();
            }
            let stalled = self.error.is_nan() || self.error > before / 2.0;
            if stalled && U::ROUNDING > f64::ROUNDING {
                break;
            }
        }
        (self.used, self.error)
    }

    /// Whether the threshold is reached, or nothing is left to continue with.
    pub(super) fn is_over(&self) -> bool {
        let rules = &self.iteration.rules;
        let reached = rules
            .threshold
            .is_some_and(|threshold| self.error <= threshold);
        reached || self.used >= rules.iterations
    }

    fn is_last(&self) -> bool {
        self.used + 1 >= self.iteration.rules.iterations
    }

    /// A pass, in the log domain first where that is needed.
    fn evaluate(&mut self) {
        let tame = self.used > 0 || self.iteration.is_tame();
        if tame && self.iteration.pass(self.is_last()) {
            return self.account();
        }
        // How many passes in the log domain to make before a fast one is tried.
        let mut careful = 1;
        loop {
            for _ in 0..careful {
                if self.settle() {
                    return;
                }
            }
            if self.iteration.pass(self.is_last()) {
                return self.account();
            }
            careful = (2 * careful).min(256);
        }
    }

    /// Passes in the log domain until the next cannot go far; whether the iterations end there, or
    /// at what is not a number.
    fn settle(&mut self) -> bool {
        loop {
            let step = self.iteration.log_pass();
            self.used += 1;
            self.error = step.error;
            if self.error.is_nan() {
                return true;
            }
            if self.is_over() {
                self.iteration.pass(true);
                self.error = self.iteration.error();
                return true;
            }
            // Plain iterations move less and less: so far only can the next one go.
            if self.iteration.accept(step) <= f64::from(U::SAFE_EXPONENT) / 2.0 {
                return false;
            }
        }
    }

    fn account(&mut self) {
        self.used += 1;
        let rules = &self.iteration.rules;
        if rules.threshold.is_some() || self.used >= rules.iterations {
            self.error = self.iteration.error();
        }
    }

    /// Absorbs factors that have gone far.
    pub(super) fn tidy(&mut self) -> bool {
        self.iteration.tidy(f64::from(U::SAFE_EXPONENT))
    }

    /// Accelerated iterations, with plain ones as the safeguard. Ends at the best point seen.
    fn first_order(&mut self) {
        let mut acceleration = Acceleration::new(self.iteration);
        let mut best: Point<U> = self.iteration.point(self.error);
        let (mut goal, mut since) = (self.error / 2.0, self.used);
        while !self.is_over() && self.used < since + PATIENCE {
            if self.error.is_nan() || self.error > MISLED * best.error {
                self.error = self.iteration.return_to(&best);
                self.iteration.step();
                acceleration.forget(self.iteration);
            } else {
                acceleration.step(self.iteration, self.error);
            }
            let moved = self.tidy();
            let used = self.used;
            self.evaluate();
            if moved || self.used > used + 1 {
                acceleration.forget(self.iteration);
            }
            if self.error < best.error {
                best = self.iteration.point(self.error);
            }
            if best.error <= goal {
                (goal, since) = (best.error / 2.0, self.used);
            }
        }
        if self.error.is_nan() || best.error < self.error {
            self.error = self.iteration.return_to(&best);
        }
    }
}

/// Anderson's method on the exponents of the columns.
///
/// In double precision whatever the type of the points: a logarithm in single precision would be
/// coarser than what the iterations can reach.
struct Acceleration {
    anderson: Anderson<f64>,
    /// One for each column, zero for those of padding.
    masses: Vec<f64>,
    /// Exponents that the factors of the method are relative to, so that they stay near one.
    reference: Vec<f64>,
}

impl Acceleration {
    fn new<U: Real>(iteration: &Iteration<'_, '_, U>) -> Self {
        let width = iteration.operator.width;
        let mut anderson = Anderson::default();
        anderson.start(width);
        let mut masses = vec![1.0; iteration.exponents.len()];
        masses.resize(width, 0.0);
        Self {
            anderson,
            masses,
            reference: iteration.exponents.clone(),
        }
    }

    fn forget<U: Real>(&mut self, iteration: &Iteration<'_, '_, U>) {
        self.anderson.forget();
        self.reference.clone_from(&iteration.exponents);
    }

    fn step<U: Real>(&mut self, iteration: &mut Iteration<'_, '_, U>, error: f64) {
        let before = self.factors(&iteration.exponents);
        let mut after = self.factors(&iteration.image());
        self.anderson
            .extrapolate::<Baseline>(error, &self.masses, &before, &mut after);
        let columns = self.reference.iter().zip(&after);
        let exponents = columns.map(|(reference, factor)| reference + factor.log2());
        iteration.set_exponents(exponents.collect());
    }

    fn factors(&self, exponents: &[f64]) -> Vec<f64> {
        let columns = exponents.iter().zip(&self.reference);
        let mut factors: Vec<f64> = columns
            .map(|(exponent, reference)| (exponent - reference).exp2())
            .collect();
        factors.resize(self.masses.len(), 0.0);
        factors
    }
}
