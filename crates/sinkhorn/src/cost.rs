//! The cost of moving one unit of mass from each row to each column.

use std::sync::Arc;

use crate::Error;

/// A dense `n x m` cost matrix, stored row by row.
///
/// Values may be `NaN` or infinite: only [`Problem::new`](crate::Problem::new) knows which cells
/// carry mass, and refuses those that do. Clones share the values.
#[derive(Debug, Clone, PartialEq)]
pub struct CostMatrix {
    values: Arc<Vec<f64>>,
    n: usize,
    m: usize,
}

impl CostMatrix {
    /// Copies `n * m` values, row by row.
    ///
    /// # Errors
    /// [`Error::EmptyCost`] if `n` or `m` is zero, [`Error::CostLength`] if the number of values is
    /// not `n * m`.
    pub fn new(values: &[f64], n: usize, m: usize) -> Result<Self, Error> {
        Self::from_vec(values.to_vec(), n, m)
    }

    /// Takes `n * m` values, row by row, without copying them.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_vec(values: Vec<f64>, n: usize, m: usize) -> Result<Self, Error> {
        if n == 0 || m == 0 {
            return Err(Error::EmptyCost { n, m });
        }
        if n.checked_mul(m) != Some(values.len()) {
            return Err(Error::CostLength {
                n,
                m,
                found: values.len(),
            });
        }
        Ok(Self {
            values: Arc::new(values),
            n,
            m,
        })
    }

    /// Computes each cost from the places of its row and its column.
    ///
    /// # Errors
    /// [`Error::EmptyCost`] if `n` or `m` is zero.
    pub fn from_fn(
        n: usize,
        m: usize,
        mut cost: impl FnMut(usize, usize) -> f64,
    ) -> Result<Self, Error> {
        let mut values = Vec::with_capacity(n.saturating_mul(m).min(1 << 30));
        for i in 0..n {
            values.extend((0..m).map(|j| cost(i, j)));
        }
        Self::from_vec(values, n, m)
    }

    /// Computes `|x_i - y_j|^2` between points of `dimension` coordinates, one behind the other.
    ///
    /// # Errors
    /// [`Error::VectorLength`] if a list is not a multiple of `dimension` long, [`Error::EmptyCost`]
    /// if one has no point.
    pub fn squared_euclidean(x: &[f64], y: &[f64], dimension: usize) -> Result<Self, Error> {
        Self::between(x, y, dimension, |x, y| {
            let coordinates = x.iter().zip(y);
            coordinates.map(|(x, y)| (x - y) * (x - y)).sum()
        })
    }

    /// Computes `1 - cos(x_i, y_j)` between points of `dimension` coordinates, one behind the other.
    /// A point at the origin has no direction: its costs are `NaN`, as padding's may be.
    ///
    /// # Errors
    /// As [`squared_euclidean`](Self::squared_euclidean).
    pub fn cosine(x: &[f64], y: &[f64], dimension: usize) -> Result<Self, Error> {
        let unit = |points: &[f64]| -> Vec<f64> {
            let points = points.chunks(dimension.max(1));
            let directions = points.flat_map(|point| {
                // The largest coordinate first, so that no square leaves the range of numbers.
                let largest = point.iter().fold(0.0_f64, |all, one| all.max(one.abs()));
                let shares = point.iter().map(move |value| value / largest);
                let norm = shares
                    .clone()
                    .map(|share| share * share)
                    .sum::<f64>()
                    .sqrt();
                shares.map(move |share| share / norm)
            });
            directions.collect()
        };
        Self::between(&unit(x), &unit(y), dimension, |x, y| {
            1.0 - x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>()
        })
    }

    fn between(
        x: &[f64],
        y: &[f64],
        dimension: usize,
        cost: impl Fn(&[f64], &[f64]) -> f64,
    ) -> Result<Self, Error> {
        let count = |name, points: &[f64]| match points.len().checked_rem(dimension) {
            Some(0) => Ok(points.len() / dimension),
            Some(rest) => Err(Error::VectorLength {
                name,
                expected: points.len() - rest + dimension,
                found: points.len(),
            }),
            None => Err(Error::EmptyCost { n: 0, m: 0 }),
        };
        let (n, m) = (count("x", x)?, count("y", y)?);
        Self::from_fn(n, m, |i, j| {
            let (i, j) = (i * dimension, j * dimension);
            cost(&x[i..i + dimension], &y[j..j + dimension])
        })
    }

    getters! {
        /// Number of rows.
        n: usize;
        /// Number of columns.
        m: usize;
        /// All values, row by row.
        ref values: [f64];
    }

    /// Returns the rows, each of `m` values.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.m)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked by hand, with lengths that a square would take out of the range of numbers.
    #[test]
    fn costs_are_made_from_points() {
        let (x, y) = ([0.0, 2.0, 3e200, 0.0], [0.0, 1.0, -2e-200, 0.0, 1.0, 1.0]);
        let cosine = CostMatrix::cosine(&x, &y, 2).unwrap();
        let half = 1.0 - 0.5_f64.sqrt();
        let expected = [0.0, 1.0, half, 1.0, 2.0, half];
        for (found, expected) in cosine.values().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        }
        let (x, y) = ([0.0, 2.0], [0.0, 1.0, -2.0, 0.5]);
        let squares = CostMatrix::squared_euclidean(&x, &y, 2).unwrap();
        assert_eq!((squares.n(), squares.m()), (1, 2));
        assert_eq!(squares.values(), [1.0, 6.25]);
        let places = CostMatrix::from_fn(2, 3, |i, j| (10 * i + j) as f64).unwrap();
        assert_eq!(places.values(), [0.0, 1.0, 2.0, 10.0, 11.0, 12.0]);
        assert!(CostMatrix::cosine(&[0.0, 0.0], &y, 2).unwrap().values()[0].is_nan());
    }

    #[test]
    fn points_come_whole() {
        assert_eq!(
            CostMatrix::squared_euclidean(&[1.0; 4], &[1.0; 3], 2),
            Err(Error::VectorLength {
                name: "y",
                expected: 4,
                found: 3
            })
        );
        let none = Err(Error::EmptyCost { n: 0, m: 0 });
        assert_eq!(CostMatrix::cosine(&[1.0], &[1.0], 0), none);
        assert!(CostMatrix::cosine(&[], &[1.0], 1).is_err());
        assert!(CostMatrix::from_fn(0, 3, |_, _| 0.0).is_err());
    }
}
