//! In which order iterations are made, and when they end.

use super::iteration::{Iteration, Point};
use super::newton;
use crate::Real;
use crate::engine::{self, Direction, Engine};
use crate::real::Lanes;

/// Rises of the dual below this many roundings of epsilon times the mass are noise.
const NOISE: f64 = 4.0;

/// An iteration on its way.
pub(super) struct Descent<'i, 's, 'a, U> {
    pub iteration: &'i mut Iteration<'s, 'a, U>,
    /// Iterations made.
    pub used: usize,
    /// L1 marginal error of the last pass, if somebody asked for it.
    pub error: f64,
    /// Where a plain iteration takes the exponents.
    image: Vec<f64>,
}

/// Iterates; returns the number of iterations and the marginal error. In single precision, it ends
/// before the iterations do where rounding lets it get no further.
pub(super) fn descend<U: Real>(iteration: &mut Iteration<'_, '_, U>) -> (usize, f64) {
    let mut descent = Descent {
        iteration,
        used: 0,
        error: f64::INFINITY,
        image: Vec::new(),
    };
    descent.evaluate();
    if descent.iteration.rules.threshold.is_some() {
        descent.image = descent.iteration.image();
        engine::descend(&mut descent);
    }
    while descent.left() > 0 && descent.iteration.rules.threshold.is_none() {
        descent.iteration.step();
        descent.tidy();
        descent.evaluate();
    }
    (descent.used, descent.error)
}

impl<U: Real> Descent<'_, '_, '_, U> {
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
            if self.left() == 0 || self.is_done() {
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
    fn tidy(&mut self) {
        self.iteration.tidy(f64::from(U::SAFE_EXPONENT));
    }
}

/// Exponents of the columns with what a pass found for them, and the dual there.
pub(super) struct Place<U> {
    pub point: Point<U>,
    pub dual: f64,
    /// By how much the columns have less than they call for, in units of the mass.
    pub gradient: Vec<f64>,
}

impl<U: Real> Engine for Descent<'_, '_, '_, U> {
    type Point = Point<U>;
    type Place = Place<U>;

    /// Newton steps cost more here where first-order iterations get on.
    const RENEWS: bool = true;

    fn error(&self) -> f64 {
        if self.error.is_nan() {
            f64::INFINITY
        } else {
            self.error
        }
    }

    fn left(&self) -> usize {
        self.iteration.rules.iterations.saturating_sub(self.used)
    }

    fn is_done(&self) -> bool {
        let threshold = self.iteration.rules.threshold;
        threshold.is_some_and(|threshold| self.error <= threshold)
    }

    fn patience(&self) -> usize {
        100
    }

    fn step(&self) -> (&[f64], &[f64], f64) {
        (
            &self.iteration.exponents,
            &self.image,
            std::f64::consts::LOG2_E,
        )
    }

    fn go(&mut self, exponents: Vec<f64>) {
        self.iteration.set_exponents(exponents);
        self.tidy();
        self.evaluate();
        self.image = self.iteration.image();
    }

    fn point(&self) -> Point<U> {
        self.iteration.point(self.error)
    }

    fn return_to(&mut self, point: &Point<U>) {
        self.error = self.iteration.return_to(point);
        self.image = self.iteration.image();
    }

    fn place(&self) -> Place<U> {
        let targets = self.iteration.column_targets();
        let columns = targets.iter().zip(self.iteration.column_sums());
        Place {
            point: self.point(),
            dual: self.iteration.dual(),
            gradient: columns.map(|(target, sum)| target - sum).collect(),
        }
    }

    fn height(place: &Place<U>) -> (f64, f64) {
        (place.dual, place.point.error)
    }

    fn direction(&mut self, place: &Place<U>) -> Option<Direction> {
        self.newton(&place.gradient)
    }

    fn noise(&self, _: f64) -> f64 {
        NOISE * U::ROUNDING * self.iteration.rules.epsilon
    }

    fn along(&mut self, from: &Place<U>, length: f64, direction: &Direction) -> Place<U> {
        self.iteration.advance(length, &direction.values);
        let inside = self.iteration.pass(false);
        self.used += 1;
        self.error = self.iteration.error();
        let mut place = self.place();
        if !inside {
            place.dual = f64::NEG_INFINITY;
        }
        self.error = self.iteration.return_to(&from.point);
        place
    }

    fn slope(&self, place: &Place<U>, direction: &Direction) -> f64 {
        newton::slope(
            &direction.values,
            &place.gradient,
            self.iteration.rules.epsilon,
        )
    }

    fn settle(&mut self, place: &Place<U>) {
        self.error = self.iteration.return_to(&place.point);
        self.tidy();
        self.image = self.iteration.image();
    }

    fn is_stuck(&self, before: f64) -> bool {
        let stalled = self.error.is_nan() || self.error > before / 2.0;
        stalled && U::ROUNDING > f64::ROUNDING
    }
}
