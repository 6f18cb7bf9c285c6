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
use crate::engine::Direction;

/// Share of its residual that a Newton system is solved to, at most; less near the solution.
const FORCING: f64 = 0.1;

/// Products for one direction at most.
const PRODUCTS: usize = 40;

/// Exponent of two by which the first step along a direction changes a factor at most.
const FIRST_REACH: f64 = 8.0;

/// Curvatures below this many roundings of what they are made of are none.
const FLAT: f64 = 4.0;

impl<U: Real> Descent<'_, '_, '_, U> {
    /// Solves the Hessian's system; nothing if the gradient is nothing.
    ///
    /// Where the plan falls into blocks that exchange almost no mass, the second-order model knows
    /// the direction but not the distance: a block has to travel many epsilons before it touches
    /// another. So steps along it start small, and grow until the derivative of the dual has halved.
    pub(super) fn newton(&mut self, gradient: &[f64]) -> Option<Direction> {
        let iteration = &*self.iteration;
        let rules = iteration.rules;
        let [rows, columns] = rules.relaxed;
        let curvature = 1.0 + rows.stiffness(rules.epsilon);
        let stiffness = columns.stiffness(rules.epsilon);
        let sums: Vec<f64> = iteration.column_sums().collect();
        let targets = iteration.column_targets();
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
        let mut residual = gradient.to_vec();
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
        within(solution, gradient, flat, self.reach(), rules.epsilon)
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

/// Returns the direction of potentials in units of epsilon, as one of exponents, shortened to what the
/// costs can justify, or lengthened to it where the dual is flat.
fn within(
    values: Vec<f64>,
    gradient: &[f64],
    flat: bool,
    reach: f64,
    epsilon: f64,
) -> Option<Direction> {
    let largest = values
        .iter()
        .fold(0.0_f64, |most, value| most.max(value.abs()));
    if largest == 0.0 || !largest.is_finite() {
        return None;
    }
    let scale = reach / (largest * std::f64::consts::LOG2_E);
    let scale = if flat { scale } else { scale.min(1.0) };
    let exponent = |value: f64| scale * value * std::f64::consts::LOG2_E;
    let values: Vec<f64> = values.into_iter().map(exponent).collect();
    let reach = exponent(largest);
    Some(Direction {
        slope: slope(&values, gradient, epsilon),
        values,
        first: (FIRST_REACH / reach).min(1.0),
        finest: FIRST_REACH.min(reach) / (4.0 * reach),
    })
}

/// Derivative of the dual, per unit of mass, along a direction of exponents, where the gradient in the
/// potentials is this.
pub(super) fn slope(direction: &[f64], gradient: &[f64], epsilon: f64) -> f64 {
    epsilon * std::f64::consts::LN_2 * inner(direction, gradient)
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
