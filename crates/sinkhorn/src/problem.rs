//! A transport problem: a cost and two marginals.

use crate::error::Side;
use crate::real::Real;
use crate::{CostMatrix, Error};

/// Relative difference in mass that still counts as equal: rounding of printed weights, not more.
const MASS_TOLERANCE: f64 = 1e-9;

/// A cost with the mass each row sends and each column receives.
///
/// A zero weight takes its row or column out of the problem, with whatever cost stands there. The
/// total mass need not be one.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    cost: CostMatrix,
    a: Vec<f64>,
    b: Vec<f64>,
}

impl Problem {
    /// Joins a cost with row weights `a` (length `n`) and column weights `b` (length `m`).
    ///
    /// # Errors
    /// If a length differs from the cost's, a weight is negative or not finite, a side has no mass,
    /// the masses differ by more than a relative 1e-9, or a cost between positive weights is not
    /// finite.
    pub fn new(cost: CostMatrix, a: &[f64], b: &[f64]) -> Result<Self, Error> {
        let problem = Self::unbalanced(cost, a, b)?;
        problem.check_balanced()?;
        Ok(problem)
    }

    /// As [`new`](Self::new), for marginals of any two masses: problems of partial transport, and of
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
            a: a.to_vec(),
            b: b.to_vec(),
        })
    }

    /// Refuses marginals of different mass, which no plan can have.
    pub(crate) fn check_balanced(&self) -> Result<(), Error> {
        check_weights(&self.a, &self.b)
    }

    /// Gives every row the weight `1 / n` and every column `1 / m`.
    ///
    /// # Errors
    /// [`Error::Cost`] if a cost is not finite.
    pub fn uniform(cost: CostMatrix) -> Result<Self, Error> {
        let (n, m) = (cost.n(), cost.m());
        Self::new(cost, &vec![1.0 / n as f64; n], &vec![1.0 / m as f64; m])
    }

    /// The cost.
    #[must_use]
    pub fn cost(&self) -> &CostMatrix {
        &self.cost
    }

    /// The row weights.
    #[must_use]
    pub fn a(&self) -> &[f64] {
        &self.a
    }

    /// The column weights.
    #[must_use]
    pub fn b(&self) -> &[f64] {
        &self.b
    }
}

/// Checks the weights of both sides, and that no side has more mass than the other.
pub(crate) fn check_weights<T: Real>(a: &[T], b: &[T]) -> Result<(), Error> {
    let (mass_a, mass_b) = checked_masses(a, b)?;
    let tolerance = MASS_TOLERANCE.max(4.0 * T::ROUNDING * a.len().max(b.len()) as f64);
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

/// Checks the costs between positive weights, given row by row.
pub(crate) fn check_costs<T: Real>(cost: &[T], a: &[T], b: &[T]) -> Result<(), Error> {
    for (i, (row, &weight)) in cost.chunks_exact(b.len()).zip(a).enumerate() {
        let bad = |(&cost, &b): (&T, &T)| b > T::ZERO && !cost.to_f64().is_finite();
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
