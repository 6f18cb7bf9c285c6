//! Products with the plans of a batch that are made row by row and never stored.

use super::BatchSolution;
use crate::Error;
use crate::apply::Factors;
use crate::real::Real;

impl<T: Real> BatchSolution<'_, T> {
    /// Returns the product `P v` of the plan of problem `index`, as [`Solution::apply`].
    ///
    /// [`Solution::apply`]: crate::Solution::apply
    ///
    /// # Errors
    /// [`Error::VectorLength`] if there are not as many values as columns.
    ///
    /// # Panics
    /// If there is no such problem.
    pub fn apply(&self, index: usize, v: &[f64]) -> Result<Vec<f64>, Error> {
        self.with_factors(index, |factors| factors.apply(v))
    }

    /// Returns the product `P^T u` of the plan of problem `index`, as [`Solution::apply_transpose`].
    ///
    /// [`Solution::apply_transpose`]: crate::Solution::apply_transpose
    ///
    /// # Errors
    /// [`Error::VectorLength`] if there are not as many values as rows.
    ///
    /// # Panics
    /// As [`apply`](Self::apply).
    pub fn apply_transpose(&self, index: usize, u: &[f64]) -> Result<Vec<f64>, Error> {
        self.with_factors(index, |factors| factors.apply_transpose(u))
    }

    /// Where the plan of problem `index` sends each row on average, as
    /// [`Solution::barycentric_projection`].
    ///
    /// [`Solution::barycentric_projection`]: crate::Solution::barycentric_projection
    ///
    /// # Errors
    /// [`Error::VectorLength`] if there are not `dimensions` numbers for each column.
    ///
    /// # Panics
    /// As [`apply`](Self::apply).
    pub fn barycentric_projection(
        &self,
        index: usize,
        points: &[f64],
        dimensions: usize,
    ) -> Result<Vec<f64>, Error> {
        self.with_factors(index, |factors| factors.projection(points, dimensions))
    }

    fn with_factors<R>(&self, index: usize, run: impl FnOnce(Factors<'_, T>) -> R) -> R {
        let (batch, place) = (&self.batch, &self.places[index]);
        let (a, b) = batch.weights_of(place);
        run(Factors {
            costs: &batch.costs[place.costs.clone()],
            offset: self.offsets[index],
            epsilon: self.epsilon,
            a: &a,
            b: &b,
            f: &self.centred_f[place.rows.clone()],
            g: &self.g[place.columns.clone()],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feasible::{column_sums, row_sums};
    use crate::testing::assert_close;
    use crate::{Batch, Sinkhorn};

    /// The same as from the stored plan, in single precision and with padding that must not be read.
    #[test]
    fn products_are_those_of_the_plan() {
        let nan = f32::NAN;
        let costs = [
            0.1, 0.8, nan, 0.6, 0.3, nan, 0.3, 0.9, 0.4, 0.5, 0.2, 0.7, 0.6, 0.1, 0.8,
        ];
        let (a, b) = ([0.5, 0.5, 0.2, 0.5, 0.3], [0.25, 0.75, 0.0, 0.3, 0.3, 0.4]);
        let batch = Batch::ragged(&costs, &[(2, 3), (3, 3)]).unwrap();
        let batch = batch.with_weights(&a, &b).unwrap();
        let solver = Sinkhorn::new(0.1).unwrap().with_threshold(1e-6);
        let solution = solver.solve_batch(&batch).unwrap();
        let v = [1.5, -0.5, 2.0];
        for (index, n) in [(0, 2), (1, 3)] {
            let plan = solution.plan(index);
            let weighted = |weights: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
                let cells = plan.iter().enumerate();
                cells
                    .map(|(cell, mass)| mass * weights(cell / 3, cell % 3))
                    .collect()
            };
            let product = solution.apply(index, &v).unwrap();
            let expected = row_sums(&weighted(&|_, j| v[j]), 3);
            assert_close(&product, &expected, 1e-15);
            let points: Vec<f64> = v.iter().flat_map(|v| [*v, v * v]).collect();
            let means = solution.barycentric_projection(index, &points, 2);
            let mass = row_sums(&plan, 3);
            let first: Vec<f64> = means.unwrap().iter().step_by(2).copied().collect();
            let expected: Vec<f64> = expected.iter().zip(mass).map(|(p, r)| p / r).collect();
            assert_close(&first, &expected, 1e-12);

            let product = solution.apply_transpose(index, &v[..n]).unwrap();
            let expected = column_sums(&weighted(&|i, _| v[i]), 3);
            assert_close(&product, &expected, 1e-15);
        }
        let short = solution.apply(0, &[1.0]);
        assert!(matches!(
            short,
            Err(Error::VectorLength { expected: 3, .. })
        ));
    }
}
