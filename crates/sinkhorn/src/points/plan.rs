//! Products with a plan that is never kept.

use super::iteration::Factors;
use super::log_sweep::NEVER;
use super::matrix::Matrix;
use super::operator::Operator;
use super::sweep::{Sweep, Swept, Then};
use crate::Real;

/// A plan on the support of a problem: `P_ij = mass u_i K_ij v_j`.
pub(super) struct Plan<'a, U> {
    pub operator: Operator<'a, U>,
    pub factors: Factors<U>,
}

/// A plan in the type of the points, or in double precision where that did not suffice.
pub(super) enum Precision<'a, T> {
    Own(Plan<'a, T>),
    Double(Plan<'a, f64>),
}

impl<'a, U: Real> Plan<'a, U> {
    /// Returns the plan of potentials on the support, with `scale = log2(e) / epsilon`.
    pub(super) fn of_potentials(
        operator: Operator<'a, U>,
        scale: f64,
        f: &[f64],
        g: &[f64],
    ) -> Self {
        let exponents = |potentials: &[f64], constants: &[f64], shift: f64| -> Vec<f64> {
            let sides = potentials.iter().zip(constants);
            sides
                .map(|(potential, constant)| scale * (potential - constant) + shift)
                .collect()
        };
        let columns = exponents(g, &operator.beta, 0.0);
        let shift = columns.iter().sum::<f64>() / columns.len() as f64;
        let rows = exponents(f, &operator.alpha, shift + operator.marginals.mass.log2());
        let columns: Vec<f64> = columns.iter().map(|exponent| exponent - shift).collect();
        // The kernel takes what it can hold, the factors what rounding leaves.
        let split = |exponents: &[f64], weights: &[f64]| -> (Vec<U>, Vec<U>) {
            let sides = exponents.iter().zip(weights);
            sides
                .map(|(exponent, weight)| {
                    let kernel = U::from_f64(*exponent);
                    let rest = (exponent - kernel.to_f64()).exp2();
                    (kernel, U::from_f64(weight * rest))
                })
                .unzip()
        };
        let (mut f, u) = split(&rows, &operator.marginals.a);
        let (mut g, mut v) = split(&columns, &operator.marginals.b);
        f.resize(operator.height(), U::ZERO);
        g.resize(operator.width, U::from_f64(NEVER));
        v.resize(operator.width, U::ZERO);
        let scale = U::from_f64(scale);
        Self {
            operator,
            factors: Factors { scale, f, g, u, v },
        }
    }

    /// `P v` on the support, given `v` there.
    pub(super) fn apply(&self, values: impl Iterator<Item = f64>) -> Vec<f64> {
        let factors = self.factors.v.iter().zip(values);
        let weights = factors.map(|(v, value)| U::from_f64(v.to_f64() * value));
        let swept = self.sweep(&self.padded(weights), Then::Stop);
        self.scaled(&swept.rows, &self.factors.u)
    }

    /// `P^T u` on the support, given `u` there.
    pub(super) fn apply_transpose(&self, values: impl Iterator<Item = f64>) -> Vec<f64> {
        let factors = self.factors.u.iter().zip(values);
        let weights: Vec<U> = factors
            .map(|(u, value)| U::from_f64(u.to_f64() * value))
            .collect();
        let swept = self.sweep(&self.factors.v, Then::Columns(&weights));
        self.scaled(&swept.columns, &self.factors.v)
    }

    /// Returns the product with a matrix, given its rows on the support, row by row, and the plan's row sums.
    pub(super) fn multiply<I: Iterator<Item = f64>>(
        &self,
        columns: usize,
        rows: impl Iterator<Item = I>,
    ) -> (Vec<f64>, Vec<f64>) {
        let operator = &self.operator;
        let mut matrix = Matrix::zeros(operator.width, columns, operator.instructions);
        for (index, (values, v)) in rows.zip(&self.factors.v).enumerate() {
            matrix.put(index, values.map(|value| v.to_f64() * value));
        }
        let swept = self.sweep(&self.factors.v, Then::Multiply(&matrix));
        let mut products = swept.products;
        for (row, u) in products.chunks_exact_mut(columns).zip(&self.factors.u) {
            let factor = u.to_f64() * operator.marginals.mass;
            row.iter_mut().for_each(|value| *value *= factor);
        }
        (products, self.scaled(&swept.rows, &self.factors.u))
    }

    fn sweep(&self, weights: &[U], then: Then<'_, U>) -> Swept<U> {
        Sweep {
            operator: &self.operator,
            scale: self.factors.scale,
            f: &self.factors.f,
            g: &self.factors.g,
            weights,
            moments: None,
            then,
        }
        .run()
    }

    fn padded(&self, values: impl Iterator<Item = U>) -> Vec<U> {
        let mut values: Vec<U> = values.collect();
        values.resize(self.operator.width, U::ZERO);
        values
    }

    fn scaled(&self, sums: &[f64], factors: &[U]) -> Vec<f64> {
        let mass = self.operator.marginals.mass;
        let sides = sums.iter().zip(factors);
        sides
            .map(|(sum, factor)| sum * factor.to_f64() * mass)
            .collect()
    }
}
