//! Newton steps on the dual, for problems on which first-order iterations crawl.
//!
//! As in [`newton`](crate::newton), `f` is eliminated by its exact update, and the Hessian in `g` is
//! `-(diag(c + s_b t) - P^T diag(1/r) P / (1 + s_a)) / epsilon`. It is never kept: the method of
//! conjugate gradients needs its products with vectors, each of which is one pass over the plan, as
//! an iteration is (truncated Newton: Dembo and Steihaug 1983, "Truncated-Newton algorithms for
//! large-scale unconstrained optimization").

use super::descent::Descent;
use super::sweep::{Sweep, Then};
use crate::Real;

/// Share of its residual that a Newton system is solved to, at most; less near the solution.
const FORCING: f64 = 0.1;

/// Products for one direction at most.
const PRODUCTS: usize = 40;

/// Share of the rise of the dual, or of the fall of the marginal error, that the first-order model
/// promises and a step has to deliver.
const SUFFICIENT: f64 = 0.05;

/// Rises of the dual below this many roundings of epsilon times the mass are noise.
const NOISE: f64 = 4.0;

/// Exponent of two by which the first step along a direction changes a factor at most.
const FIRST_REACH: f64 = 8.0;

/// Growth of a step that was not far enough.
const GROWTH: f64 = 4.0;

/// Curvatures below this many roundings of what they are made of are none.
const FLAT: f64 = 4.0;

/// Share of the first derivative of the dual at which a step is far enough.
const FLATTER: f64 = 0.5;

impl<U: Real> Descent<'_, '_, '_, U> {
    /// Steps until the iterations end or no step helps.
    pub(super) fn newton(&mut self) {
        while !self.is_over() {
            let Some(direction) = self.direction() else {
                return;
            };
            if self.is_over() || !self.search(&direction) {
                return;
            }
        }
    }

    /// Goes along a direction about as far as the dual rises; whether it went.
    ///
    /// Where the plan falls into blocks that exchange almost no mass, the second-order model knows
    /// the direction but not the distance: a block has to travel many epsilons before it touches
    /// another. So steps start small, and grow until the derivative of the dual has halved.
    fn search(&mut self, direction: &Direction) -> bool {
        let rules = self.iteration.rules;
        let noise = NOISE * U::ROUNDING * rules.epsilon;
        let start = self.iteration.point(self.error);
        let dual = self.iteration.dual();
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let mut length = (FIRST_REACH / direction.reach).min(1.0);
        let mut best = None;
        while self.used < rules.iterations {
            self.iteration.return_to(&start);
            self.iteration.advance(length, &direction.values);
            let inside = self.iteration.pass(false);
            self.used += 1;
            let error = self.iteration.error();
            let rise = self.iteration.dual() - dual;
            let rises = rise > noise && rise >= SUFFICIENT * length * direction.slope;
            let falls = error <= (1.0 - SUFFICIENT * length) * start.error;
            if inside && (rises || (falls && rise >= -noise)) {
                low = length;
                best = Some(self.iteration.point(error));
                let slope = direction.slope_at(&self.gradient(), rules.epsilon);
                if slope <= FLATTER * direction.slope {
                    break;
                }
            } else {
                high = length;
            }
            if (high.min(1.0) - low) * direction.reach <= FIRST_REACH.min(direction.reach) / 4.0 {
                break;
            }
            length = if high.is_finite() {
                f64::midpoint(low, high)
            } else {
                (GROWTH * length).min(1.0)
            };
        }
        match best {
            Some(best) => {
                self.error = self.iteration.return_to(&best);
                self.tidy();
                true
            }
            None => {
                self.error = self.iteration.return_to(&start);
                false
            }
        }
    }

    /// By how much the columns have less than they call for, in units of the mass.
    fn gradient(&self) -> Vec<f64> {
        let targets = self.iteration.column_targets();
        let columns = targets.iter().zip(self.iteration.column_sums());
        columns.map(|(target, sum)| target - sum).collect()
    }

    /// Solves the Hessian's system; nothing if the gradient is nothing.
    fn direction(&mut self) -> Option<Direction> {
        let iteration = &*self.iteration;
        let rules = iteration.rules;
        let [rows, columns] = rules.relaxed;
        let curvature = 1.0 + rows.stiffness(rules.epsilon);
        let stiffness = columns.stiffness(rules.epsilon);
        let sums: Vec<f64> = iteration.column_sums().collect();
        let targets = iteration.column_targets();
        let gradient = self.gradient();
        let diagonal: Vec<f64> = sums
            .iter()
            .zip(&targets)
            .map(|(c, t)| c + stiffness * t)
            .collect();
        // From `sum_j K_ij v_j z_j` to the factor of the row in `P^T diag(1/r) P z`.
        let shares = (iteration.factors.u.iter()).zip(iteration.row_sums());
        let shares: Vec<f64> = shares
            .map(|(u, sum)| {
                let share = u.to_f64() * u.to_f64() / (sum * curvature);
                if share.is_finite() { share } else { 0.0 }
            })
            .collect();
        let error = self.error / iteration.operator.marginals.mass;
        let forcing = FORCING.min(error.sqrt());
        let budget = PRODUCTS.min(rules.iterations - self.used);

        let mut solution = vec![0.0; gradient.len()];
        let mut residual = gradient.clone();
        let mut preconditioned = quotient(&residual, &diagonal);
        let mut search = preconditioned.clone();
        let mut square = inner(&residual, &preconditioned);
        let goal = forcing * forcing * square;
        let mut products = 0;
        let mut flat = false;
        while products < budget && square > goal && square > 0.0 {
            let product = self.hessian_product(&search, &diagonal, &shares);
            products += 1;
            let curvature = inner(&search, &product);
            let whole: f64 = search.iter().zip(&diagonal).map(|(s, d)| s * s * d).sum();
            // Flat as far as rounding can tell: there is no end to go to but what costs justify.
            if curvature.is_nan() || curvature <= FLAT * U::ROUNDING * whole {
                solution = search;
                flat = true;
                break;
            }
            let step = square / curvature;
            add(&mut solution, step, &search);
            add(&mut residual, -step, &product);
            preconditioned = quotient(&residual, &diagonal);
            let next = inner(&residual, &preconditioned);
            for (search, value) in search.iter_mut().zip(&preconditioned) {
                *search = value + next / square * *search;
            }
            square = next;
        }
        self.used += products;
        Direction::within(solution, &gradient, flat, self.reach(), rules.epsilon)
    }

    /// Returns the negative Hessian, times epsilon, times a vector.
    fn hessian_product(&self, vector: &[f64], diagonal: &[f64], shares: &[f64]) -> Vec<f64> {
        let factors = &self.iteration.factors;
        let weights = factors.v.iter().zip(vector);
        let mut weights: Vec<U> = weights
            .map(|(v, value)| U::from_f64(v.to_f64() * value))
            .collect();
        weights.resize(self.iteration.operator.width, U::ZERO);
        let swept = Sweep {
            operator: self.iteration.operator,
            scale: factors.scale,
            f: &factors.f,
            g: &factors.g,
            weights: &weights,
            moments: None,
            then: Then::Weigh(shares),
        }
        .run();
        let columns = swept.columns.iter().zip(&factors.v);
        let own = diagonal.iter().zip(vector);
        columns
            .zip(own)
            .map(|((sum, v), (diagonal, value))| diagonal * value - sum * v.to_f64())
            .collect()
    }

    /// How far a potential can have to go, in exponents of two: as far as costs differ.
    fn reach(&self) -> f64 {
        let [least, largest] = self.iteration.operator.extremes;
        self.iteration.scale * (largest - least) + 1.0
    }
}

/// A direction in the exponents of the columns.
struct Direction {
    values: Vec<f64>,
    /// Derivative of the dual along it, per unit of mass.
    slope: f64,
    /// Largest absolute value.
    reach: f64,
}

impl Direction {
    /// Returns the direction of potentials in units of epsilon, shortened to what the costs can justify, or
    /// lengthened to it where the dual is flat.
    fn within(
        values: Vec<f64>,
        gradient: &[f64],
        flat: bool,
        reach: f64,
        epsilon: f64,
    ) -> Option<Self> {
        let largest = values
            .iter()
            .fold(0.0_f64, |most, value| most.max(value.abs()));
        if largest == 0.0 || !largest.is_finite() {
            return None;
        }
        let scale = reach / (largest * std::f64::consts::LOG2_E);
        let scale = if flat { scale } else { scale.min(1.0) };
        let exponent = |value: f64| scale * value * std::f64::consts::LOG2_E;
        let mut direction = Self {
            values: values.into_iter().map(exponent).collect(),
            slope: 0.0,
            reach: exponent(largest),
        };
        direction.slope = direction.slope_at(gradient, epsilon);
        Some(direction)
    }

    /// Derivative of the dual along it where the gradient in the potentials is this.
    fn slope_at(&self, gradient: &[f64], epsilon: f64) -> f64 {
        epsilon * std::f64::consts::LN_2 * inner(&self.values, gradient)
    }
}

fn quotient(values: &[f64], by: &[f64]) -> Vec<f64> {
    let sides = values.iter().zip(by);
    sides
        .map(|(value, by)| if *by > 0.0 { value / by } else { 0.0 })
        .collect()
}

fn add(to: &mut [f64], factor: f64, values: &[f64]) {
    for (to, value) in to.iter_mut().zip(values) {
        *to += factor * value;
    }
}

fn inner(left: &[f64], right: &[f64]) -> f64 {
    left.iter()
        .zip(right)
        .map(|(left, right)| left * right)
        .sum()
}
