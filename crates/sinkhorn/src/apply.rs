//! Products with a plan that is made row by row and never stored.

use crate::real::Real;
use crate::{Error, Solution};

impl Solution {
    /// Returns the product `P v`: what the columns' values `v` (length `m`) amount to at each row (length
    /// `n`). A value at a column without mass is not read, and a row without mass gets zero.
    ///
    /// # Errors
    /// [`Error::VectorLength`] if there are not as many values as columns.
    pub fn apply(&self, v: &[f64]) -> Result<Vec<f64>, Error> {
        self.factors().apply(v)
    }

    /// Returns the product `P^T u` of the rows' values `u` (length `n`), one number for each column; see
    /// [`apply`](Self::apply).
    ///
    /// # Errors
    /// As [`apply`](Self::apply), for rows.
    pub fn apply_transpose(&self, u: &[f64]) -> Result<Vec<f64>, Error> {
        self.factors().apply_transpose(u)
    }

    /// Where the plan sends each row on average: `sum_j P_ij y_j / sum_j P_ij` for the columns'
    /// points `y`, of `dimensions` numbers each, one point behind the other. The result is the same
    /// for the rows.
    ///
    /// A row without mass is sent where the update of its potential would send it, which is where it
    /// would go with very little mass: so rows can be mapped that were no part of the problem
    /// (Pooladian and Niles-Weed 2021, "Entropic estimation of optimal transport maps"). If a cost
    /// there is not a number, or all are infinite, its point is zero. Points of columns without mass are not read.
    ///
    /// # Errors
    /// As [`apply`](Self::apply), for `m * dimensions` numbers.
    pub fn barycentric_projection(
        &self,
        points: &[f64],
        dimensions: usize,
    ) -> Result<Vec<f64>, Error> {
        self.factors().projection(points, dimensions)
    }

    fn factors(&self) -> Factors<'_, f64> {
        let problem = &self.problem;
        Factors {
            costs: problem.cost().values(),
            offset: self.offset,
            epsilon: self.epsilon,
            a: problem.a(),
            b: problem.b(),
            f: &self.centred_f,
            g: &self.centred_g,
        }
    }
}

/// What the plan `a_i b_j exp((f_i + g_j - (C_ij - offset)) / epsilon)` is made of.
pub(crate) struct Factors<'a, T> {
    pub costs: &'a [T],
    pub offset: f64,
    pub epsilon: f64,
    pub a: &'a [T],
    pub b: &'a [T],
    pub f: &'a [f64],
    pub g: &'a [f64],
}

impl<T: Real> Factors<'_, T> {
    /// Works as [`Solution::apply`].
    pub(crate) fn apply(&self, v: &[f64]) -> Result<Vec<f64>, Error> {
        check("v", self.b.len(), v)?;
        let mut product = vec![0.0; self.a.len()];
        self.each_cell(|i, j, mass| product[i] += mass * v[j]);
        Ok(product)
    }

    /// Works as [`Solution::apply_transpose`].
    pub(crate) fn apply_transpose(&self, u: &[f64]) -> Result<Vec<f64>, Error> {
        check("u", self.a.len(), u)?;
        let mut product = vec![0.0; self.b.len()];
        self.each_cell(|i, j, mass| product[j] += mass * u[i]);
        Ok(product)
    }

    /// Works as [`Solution::barycentric_projection`].
    pub(crate) fn projection(&self, points: &[f64], dimensions: usize) -> Result<Vec<f64>, Error> {
        let m = self.b.len();
        check("points", m.saturating_mul(dimensions), points)?;
        let mut projection = vec![0.0; self.a.len() * dimensions];
        if dimensions == 0 {
            return Ok(projection);
        }
        // The row's own potential and weight are common to all its cells, so they fall out.
        let biases: Vec<Option<f64>> = self
            .b
            .iter()
            .zip(self.g)
            .map(|(b, g)| (*b > T::ZERO).then(|| g / self.epsilon + b.to_f64().ln()))
            .collect();
        let rows = self.costs.chunks_exact(m);
        for (costs, mean) in rows.zip(projection.chunks_exact_mut(dimensions)) {
            let exponents = || {
                let cells = biases.iter().zip(costs).enumerate();
                cells.filter_map(|(j, (bias, cost))| {
                    bias.map(|bias| (j, bias - (cost.to_f64() - self.offset) / self.epsilon))
                })
            };
            // An infinite cost forbids a cell, which then has no share.
            let wrong = |exponent: f64| exponent.is_nan() || exponent == f64::INFINITY;
            let largest = exponents().map(|(_, exponent)| exponent);
            let largest = largest.fold(f64::NEG_INFINITY, f64::max);
            if !largest.is_finite() || exponents().any(|(_, exponent)| wrong(exponent)) {
                continue;
            }
            let mut sum = 0.0;
            for (j, exponent) in exponents() {
                let share = (exponent - largest).exp();
                sum += share;
                let point = &points[j * dimensions..(j + 1) * dimensions];
                for (mean, coordinate) in mean.iter_mut().zip(point) {
                    *mean += share * coordinate;
                }
            }
            mean.iter_mut().for_each(|coordinate| *coordinate /= sum);
        }
        Ok(projection)
    }

    /// Visits the cells between positive weights, row by row.
    fn each_cell(&self, mut visit: impl FnMut(usize, usize, f64)) {
        let rows = self
            .costs
            .chunks_exact(self.b.len())
            .zip(self.a)
            .zip(self.f);
        for (i, ((costs, a), f)) in rows.enumerate().filter(|(_, ((_, a), _))| **a > T::ZERO) {
            let cells = costs.iter().zip(self.b).zip(self.g);
            for (j, ((cost, b), g)) in cells.enumerate() {
                // A cost without mass may be anything, so it must not be touched.
                if *b > T::ZERO {
                    let exponent = (f - (cost.to_f64() - self.offset) + g) / self.epsilon;
                    visit(i, j, a.to_f64() * b.to_f64() * exponent.exp());
                }
            }
        }
    }
}

fn check(name: &'static str, expected: usize, values: &[f64]) -> Result<(), Error> {
    let found = values.len();
    if expected == found {
        return Ok(());
    }
    Err(Error::VectorLength {
        name,
        expected,
        found,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Problem;
    use crate::testing::{assert_close, cases};
    use crate::{CostMatrix, Sinkhorn};

    fn values(length: usize, seed: f64) -> Vec<f64> {
        (0..length)
            .map(|index| (seed + 1.7 * index as f64).sin())
            .collect()
    }

    proptest! {
        /// What a stored plan gives.
        #[test]
        fn products_are_those_of_the_plan(case in cases(), epsilon in 0.01..1.0_f64) {
            let problem = case.problem();
            let solution = Sinkhorn::new(epsilon).unwrap().solve(&problem).unwrap();
            let plan = solution.plan();
            let (n, m) = (case.n, case.m);
            let (u, v) = (values(n, 0.3), values(m, 1.1));
            let rows: Vec<f64> = (0..n)
                .map(|i| (0..m).map(|j| plan[i * m + j] * v[j]).sum())
                .collect();
            assert_close(&solution.apply(&v).unwrap(), &rows, 1e-14);
            let columns: Vec<f64> = (0..m)
                .map(|j| (0..n).map(|i| plan[i * m + j] * u[i]).sum())
                .collect();
            assert_close(&solution.apply_transpose(&u).unwrap(), &columns, 1e-14);

            let points = values(2 * m, 0.7);
            let projection = solution.barycentric_projection(&points, 2).unwrap();
            for i in (0..n).filter(|&i| case.a[i] > 0.0) {
                let mass: f64 = plan[i * m..(i + 1) * m].iter().sum();
                let mean = |axis: usize| {
                    (0..m).map(|j| plan[i * m + j] * points[2 * j + axis]).sum::<f64>() / mass
                };
                assert_close(&projection[2 * i..2 * i + 2], &[mean(0), mean(1)], 1e-12);
            }
        }
    }

    /// Neither costs nor values without mass are read; a row without mass goes where a trace of mass
    /// would.
    #[test]
    fn what_has_no_mass_is_not_read() {
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        let costs = [
            0.1, nan, 0.8, 0.6, 0.3, inf, 0.4, 0.2, 0.7, nan, nan, 0.9, 0.5, nan, 0.2, 0.9,
        ];
        let b = [0.25, 0.0, 0.5, 0.25];
        let with = |a: &[f64]| {
            let cost = CostMatrix::new(&costs, 4, 4).unwrap();
            Problem::new(cost, a, &b).unwrap()
        };
        let problem = with(&[0.5, 0.0, 0.0, 0.5]);
        let solver = Sinkhorn::new(0.1).unwrap();
        let solution = solver.solve(&problem).unwrap();
        let product = solution.apply(&[1.0, nan, 1.0, 1.0]).unwrap();
        assert_close(&product, &[0.5, 0.0, 0.0, 0.5], 1e-9);
        let product = solution.apply_transpose(&[1.0, nan, inf, 1.0]).unwrap();
        assert_close(&product, &b, 1e-9);

        let points = [1.0, -2.0, nan, nan, 3.0, 0.5, -1.0, 4.0];
        let project = |problem: &Problem| {
            let solution = solver.solve(problem).unwrap();
            solution.barycentric_projection(&points, 2).unwrap()
        };
        let projection = project(&problem);
        let trace = project(&with(&[0.5 - 1e-9, 1e-9, 0.0, 0.5]));
        assert_close(&projection, &trace, 1e-6);
        assert!(projection[2].abs() > 0.1);
        assert_eq!(projection[4..6], [0.0, 0.0]);
    }

    /// Relaxed marginals may leave a row less mass than the smallest number; it still has a mean.
    #[test]
    fn a_row_that_gave_up_its_mass_is_still_projected() {
        let cost = CostMatrix::new(&[0.0, 0.1, 900.0, 900.05], 2, 2).unwrap();
        let problem = Problem::unbalanced(cost, &[0.5, 0.5], &[0.4, 0.6]).unwrap();
        let solver = Sinkhorn::new(0.1).unwrap().with_rho(0.5, 0.5).unwrap();
        let solution = solver.solve(&problem).unwrap();
        assert_eq!(solution.plan()[2], 0.0);
        let means = solution.barycentric_projection(&[0.0, 1.0], 1).unwrap();
        let odds = 0.6 / 0.4 * ((solution.g()[1] - solution.g()[0] - 0.05) / 0.1).exp();
        assert_close(&means[1..], &[odds / (1.0 + odds)], 1e-12);
    }

    #[test]
    fn lengths_are_checked() {
        let cost = CostMatrix::new(&[0.1, 0.8, 0.6, 0.7, 0.2, 0.9], 2, 3).unwrap();
        let problem = Problem::uniform(cost).unwrap();
        let solution = Sinkhorn::new(0.1).unwrap().solve(&problem).unwrap();
        let error = |name, expected, found| Error::VectorLength {
            name,
            expected,
            found,
        };
        let one = [1.0];
        assert_eq!(solution.apply(&one), Err(error("v", 3, 1)));
        assert_eq!(solution.apply_transpose(&one), Err(error("u", 2, 1)));
        assert_eq!(
            solution.barycentric_projection(&one, 2),
            Err(error("points", 6, 1))
        );
        assert_eq!(
            error("points", 6, 1).to_string(),
            "points has 1 values, 6 are needed"
        );
        assert_eq!(solution.barycentric_projection(&[], 0).unwrap(), [0.0; 0]);
    }
}
