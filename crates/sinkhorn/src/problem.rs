//! A transport problem: a cost and two marginals.

use std::sync::Arc;

use crate::error::Side;
use crate::real::Real;
use crate::{CostMatrix, Error};

/// Relative difference in mass that still counts as equal: rounding of printed weights, not more.
const MASS_TOLERANCE: f64 = 1e-9;

/// A cost with the mass each row sends and each column receives.
///
/// A zero weight takes its row or column out of the problem, with whatever cost stands there. A cost
/// of infinity forbids a cell: plans have no mass there. The total mass need not be one.
/// Clones share costs and weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    cost: CostMatrix,
    a: Arc<[f64]>,
    b: Arc<[f64]>,
}

impl Problem {
    /// Joins a cost with row weights `a` (length `n`) and column weights `b` (length `m`).
    ///
    /// # Errors
    /// If a length differs from the cost's, a weight is negative or not finite, a side has no mass,
    /// the masses differ by more than a relative 1e-9, or a cost between positive weights is `NaN` or
    /// negative infinity.
    pub fn new(cost: CostMatrix, a: &[f64], b: &[f64]) -> Result<Self, Error> {
        let problem = Self::unbalanced(cost, a, b)?;
        problem.check_balanced()?;
        Ok(problem)
    }

    /// Works as [`new`](Self::new), for marginals of any two masses: problems of partial transport, and of
    /// marginals that may be missed at a price.
    ///
    /// # Errors
    /// As [`new`](Self::new), but for the masses.
    pub fn unbalanced(cost: CostMatrix, a: &[f64], b: &[f64]) -> Result<Self, Error> {
        checked_count(Side::Rows, a, cost.n())?;
        checked_count(Side::Columns, b, cost.m())?;
        checked_mass(Side::Rows, a)?;
        checked_mass(Side::Columns, b)?;
        check_costs(cost.values(), a, b)?;
        Ok(Self {
            cost,
            a: a.into(),
            b: b.into(),
        })
    }

    /// Refuses forbidden cells, for methods that have no use for them.
    pub(crate) fn check_finite(&self) -> Result<(), Error> {
        check_finite_costs(self.cost.values(), &self.a, &self.b)
    }

    /// Refuses marginals of different mass, which no plan can have.
    pub(crate) fn check_balanced(&self) -> Result<(), Error> {
        check_weights(&self.a, &self.b)
    }

    /// Gives every row the weight `1 / n` and every column `1 / m`.
    ///
    /// # Errors
    /// [`Error::Cost`] if a cost is `NaN` or negative infinity.
    pub fn uniform(cost: CostMatrix) -> Result<Self, Error> {
        let (n, m) = (cost.n(), cost.m());
        Self::new(cost, &vec![1.0 / n as f64; n], &vec![1.0 / m as f64; m])
    }

    getters! {
        /// Returns the cost.
        ref cost: CostMatrix;
        /// Returns the row weights.
        ref a: [f64];
        /// Returns the column weights.
        ref b: [f64];
    }
}

/// Share of the mass by which the sums of `n` and `m` weights may differ, each of them rounded to a
/// relative `rounding`.
pub(crate) fn mass_tolerance(rounding: f64, n: usize, m: usize) -> f64 {
    MASS_TOLERANCE.max(4.0 * rounding * n.max(m) as f64)
}

/// Checks the weights of both sides, and that no side has more mass than the other.
pub(crate) fn check_weights<T: Real>(a: &[T], b: &[T]) -> Result<(), Error> {
    let (mass_a, mass_b) = checked_masses(a, b)?;
    let tolerance = mass_tolerance(T::ROUNDING, a.len(), b.len());
    if (mass_a - mass_b).abs() > tolerance * mass_a.max(mass_b) {
        return Err(Error::MassMismatch {
            a: mass_a,
            b: mass_b,
        });
    }
    Ok(())
}

/// Checks the weights of both sides for themselves; returns their masses.
pub(crate) fn checked_masses<T: Real>(a: &[T], b: &[T]) -> Result<(f64, f64), Error> {
    Ok((
        checked_mass(Side::Rows, a)?,
        checked_mass(Side::Columns, b)?,
    ))
}

/// Checks the costs between positive weights, given row by row: finite, or infinity for a forbidden
/// cell.
pub(crate) fn check_costs<T: Real>(cost: &[T], a: &[T], b: &[T]) -> Result<(), Error> {
    check_each(cost, a, b, |cost| cost.is_finite() || cost == f64::INFINITY)
}

/// Works as [`check_costs`], where no cell can be forbidden.
pub(crate) fn check_finite_costs<T: Real>(cost: &[T], a: &[T], b: &[T]) -> Result<(), Error> {
    check_each(cost, a, b, f64::is_finite)
}

fn check_each<T: Real>(
    cost: &[T],
    a: &[T],
    b: &[T],
    is_fine: impl Fn(f64) -> bool,
) -> Result<(), Error> {
    let bad = |(&cost, &b): (&T, &T)| b > T::ZERO && !is_fine(cost.to_f64());
    for (i, (row, &weight)) in cost.chunks_exact(b.len()).zip(a).enumerate() {
        if weight > T::ZERO
            && let Some(j) = row.iter().zip(b).position(bad)
        {
            return Err(Error::Cost {
                i,
                j,
                value: row[j].to_f64(),
            });
        }
    }
    Ok(())
}

pub(crate) fn checked_count<T>(side: Side, weights: &[T], expected: usize) -> Result<(), Error> {
    if weights.len() == expected {
        return Ok(());
    }
    Err(Error::WeightCount {
        side,
        expected,
        found: weights.len(),
    })
}

pub(crate) fn checked_mass<T: Real>(side: Side, weights: &[T]) -> Result<f64, Error> {
    let bad = |weight: &T| !weight.to_f64().is_finite() || *weight < T::ZERO;
    if let Some(index) = weights.iter().position(bad) {
        return Err(Error::Weight {
            side,
            index,
            value: weights[index].to_f64(),
        });
    }
    let value = weights.iter().map(|weight| weight.to_f64()).sum::<f64>();
    if value > 0.0 && value.is_finite() {
        Ok(value)
    } else {
        Err(Error::Mass { side, value })
    }
}
