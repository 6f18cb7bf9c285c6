//! What was found for points: potentials, a report, and products with the plan.

use super::certificate::Ended;
use super::marginals::Marginals;
use super::plan::Precision;
use crate::{Error, Real, Report};

/// The solution of a problem whose cost is computed when it is needed.
///
/// The plan `P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon)` is nowhere kept: each product with it
/// is a pass over its cells, which are the same to the last bit as those that the report is about.
pub struct PointSolution<'a, T, C: ?Sized> {
    pub(super) cost: &'a C,
    pub(super) plan: Precision<'a, T>,
    f: Vec<f64>,
    g: Vec<f64>,
    report: Report,
}

impl<'a, T: Real, C: ?Sized> PointSolution<'a, T, C> {
    pub(super) fn new(
        cost: &'a C,
        (n, m): (usize, usize),
        plan: Precision<'a, T>,
        ended: Ended,
    ) -> Self {
        let marginals = plan.marginals();
        Self {
            f: scatter(n, &marginals.rows, &ended.f, 1),
            g: scatter(m, &marginals.columns, &ended.g, 1),
            cost,
            plan,
            report: ended.report,
        }
    }

    getters! {
        /// Row potentials, in units of the cost; zero for rows without mass.
        ///
        /// If both marginals have to be met, a constant can move between `f` and `g`; it is chosen so
        /// that the `b`-weighted mean of `g` is zero.
        ref f: [f64];
        /// Column potentials, in units of the cost; zero for columns without mass.
        ref g: [f64];
        /// How the solve ended, with the costs of the plan.
        ref report: Report;
    }

    /// `P v` for a value of each column, in a pass over the plan. Values at columns without mass are
    /// not read.
    ///
    /// # Errors
    /// [`Error::VectorLength`] if there are not as many values as columns.
    pub fn apply(&self, v: &[T]) -> Result<Vec<T>, Error> {
        check_length("v", v.len(), self.g.len())?;
        let marginals = self.plan.marginals();
        let values = marginals.columns.iter().map(|&j| v[j].to_f64());
        let product = match &self.plan {
            Precision::Own(plan) => plan.apply(values),
            Precision::Double(plan) => plan.apply(values),
        };
        Ok(scatter(self.f.len(), &marginals.rows, &product, 1))
    }

    /// `P^T u` for a value of each row, in a pass over the plan. Values at rows without mass are not
    /// read.
    ///
    /// # Errors
    /// [`Error::VectorLength`] if there are not as many values as rows.
    pub fn apply_transpose(&self, u: &[T]) -> Result<Vec<T>, Error> {
        check_length("u", u.len(), self.f.len())?;
        let marginals = self.plan.marginals();
        let values = marginals.rows.iter().map(|&i| u[i].to_f64());
        let product = match &self.plan {
            Precision::Own(plan) => plan.apply_transpose(values),
            Precision::Double(plan) => plan.apply_transpose(values),
        };
        Ok(scatter(self.g.len(), &marginals.columns, &product, 1))
    }

    /// Where the mass of each row goes on average: `sum_j P_ij y_j / sum_j P_ij`, for a point of
    /// `dimension` coordinates for each column. `n` points, one behind the other; zero for rows
    /// without mass.
    ///
    /// # Errors
    /// [`Error::VectorLength`] if there are not `dimension` coordinates for each column.
    pub fn barycentric_projection(&self, y: &[T], dimension: usize) -> Result<Vec<T>, Error> {
        check_length("points", y.len(), self.g.len().saturating_mul(dimension))?;
        let marginals = self.plan.marginals();
        let point = |j: usize| y[j * dimension..][..dimension].iter();
        // Points far from the origin would leave their differences few digits in sums.
        let mut mean = vec![0.0; dimension];
        for &j in &marginals.columns {
            for (mean, value) in mean.iter_mut().zip(point(j)) {
                *mean += value.to_f64() / marginals.columns.len() as f64;
            }
        }
        let centred = |&j: &usize| {
            point(j)
                .zip(&mean)
                .map(|(value, mean)| value.to_f64() - mean)
        };
        let (mut points, sums) = self.plan.multiply(dimension, centred);
        if dimension > 0 {
            for (point, sum) in points.chunks_exact_mut(dimension).zip(sums) {
                for (value, mean) in point.iter_mut().zip(&mean) {
                    *value = *value / sum + mean;
                }
            }
        }
        Ok(scatter(self.f.len(), &marginals.rows, &points, dimension))
    }
}

impl<T: Real> Precision<'_, T> {
    pub(super) fn marginals(&self) -> &Marginals {
        match self {
            Self::Own(plan) => &plan.operator.marginals,
            Self::Double(plan) => &plan.operator.marginals,
        }
    }

    /// Returns the plan times a matrix, given the row of a column, and the plan's row sums.
    pub(super) fn multiply<'s, I: Iterator<Item = f64>>(
        &'s self,
        columns: usize,
        row: impl FnMut(&'s usize) -> I,
    ) -> (Vec<f64>, Vec<f64>) {
        let rows = self.marginals().columns.iter().map(row);
        match self {
            Self::Own(plan) => plan.multiply(columns, rows),
            Self::Double(plan) => plan.multiply(columns, rows),
        }
    }
}

/// Writes the values of a support to their places, `width` of them each; zero elsewhere.
pub(super) fn scatter<T: Real>(
    length: usize,
    places: &[usize],
    values: &[f64],
    width: usize,
) -> Vec<T> {
    let mut all = vec![T::ZERO; length * width];
    for (index, &place) in places.iter().enumerate() {
        let values = &values[index * width..][..width];
        for (out, value) in all[place * width..].iter_mut().zip(values) {
            *out = T::from_f64(*value);
        }
    }
    all
}

fn check_length(name: &'static str, found: usize, expected: usize) -> Result<(), Error> {
    if found == expected {
        Ok(())
    } else {
        Err(Error::VectorLength {
            name,
            expected,
            found,
        })
    }
}
