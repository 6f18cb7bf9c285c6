//! The rows and columns that carry mass, and how much.

use crate::error::Side;
use crate::problem::{check_weights, checked_count, checked_mass};
use crate::{Error, Real};

/// The support of a problem: what carries no mass is not looked at.
#[derive(Debug, Clone)]
pub(super) struct Marginals {
    /// Positions in the problem of the rows and columns kept.
    pub rows: Vec<usize>,
    pub columns: Vec<usize>,
    /// Their weights, in units of `mass`.
    pub a: Vec<f64>,
    pub b: Vec<f64>,
    /// The mass of all rows.
    pub mass: f64,
}

impl Marginals {
    pub(super) fn new<T: Real>(
        (n, m): (usize, usize),
        a: &[T],
        b: &[T],
        balanced: bool,
    ) -> Result<Self, Error> {
        checked_count(Side::Rows, a, n)?;
        checked_count(Side::Columns, b, m)?;
        let mass = checked_mass(Side::Rows, a)?;
        let mut column_unit = checked_mass(Side::Columns, b)?;
        if balanced {
            // What the masses differ by is rounding, and no plan could have both.
            check_weights(a, b)?;
        } else {
            column_unit = mass;
        }
        let kept = |weights: &[T], unit: f64| -> (Vec<usize>, Vec<f64>) {
            let all = weights.iter().map(|weight| weight.to_f64()).enumerate();
            all.filter(|(_, weight)| *weight > 0.0)
                .map(|(index, weight)| (index, weight / unit))
                .unzip()
        };
        let ((rows, a), (columns, b)) = (kept(a, mass), kept(b, column_unit));
        Ok(Self {
            rows,
            columns,
            a,
            b,
            mass,
        })
    }

    /// Returns the same problem with rows and columns exchanged.
    pub(super) fn exchanged(&self) -> Self {
        Self {
            rows: self.columns.clone(),
            columns: self.rows.clone(),
            a: self.b.clone(),
            b: self.a.clone(),
            mass: self.mass,
        }
    }

    /// Returns the least weight, in units of the mass.
    pub(super) fn least(&self) -> f64 {
        let all = self.a.iter().chain(&self.b);
        all.fold(f64::INFINITY, |least, weight| least.min(*weight))
    }
}
