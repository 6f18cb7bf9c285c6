//! A balanced transport problem: a cost and two marginals of equal mass.

use crate::error::Side;
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
        let mass_a = checked_mass(Side::Rows, a, cost.n())?;
        let mass_b = checked_mass(Side::Columns, b, cost.m())?;
        if (mass_a - mass_b).abs() > MASS_TOLERANCE * mass_a.max(mass_b) {
            return Err(Error::MassMismatch {
                a: mass_a,
                b: mass_b,
            });
        }
        for (i, (row, &weight)) in cost.rows().zip(a).enumerate() {
            let bad = |(j, value): (usize, &f64)| weight > 0.0 && b[j] > 0.0 && !value.is_finite();
            if let Some(j) = row.iter().enumerate().position(bad) {
                return Err(Error::Cost {
                    i,
                    j,
                    value: row[j],
                });
            }
        }
        Ok(Self {
            cost,
            a: a.to_vec(),
            b: b.to_vec(),
        })
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

fn checked_mass(side: Side, weights: &[f64], expected: usize) -> Result<f64, Error> {
    if weights.len() != expected {
        return Err(Error::WeightCount {
            side,
            expected,
            found: weights.len(),
        });
    }
    let bad = |weight: &f64| !weight.is_finite() || *weight < 0.0;
    if let Some(index) = weights.iter().position(bad) {
        return Err(Error::Weight {
            side,
            index,
            value: weights[index],
        });
    }
    let value = weights.iter().sum::<f64>();
    if value > 0.0 && value.is_finite() {
        Ok(value)
    } else {
        Err(Error::Mass { side, value })
    }
}
