//! The cost of moving one unit of mass from each row to each column.

use crate::Error;

/// A dense `n x m` cost matrix, stored row by row.
///
/// Values may be `NaN` or infinite: only [`Problem::new`](crate::Problem::new) knows which cells
/// carry mass, and refuses those that do.
#[derive(Debug, Clone, PartialEq)]
pub struct CostMatrix {
    values: Vec<f64>,
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
            values: values.to_vec(),
            n,
            m,
        })
    }

    /// Number of rows.
    #[must_use]
    pub fn n(&self) -> usize {
        self.n
    }

    /// Number of columns.
    #[must_use]
    pub fn m(&self) -> usize {
        self.m
    }

    /// All values, row by row.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The rows, each of `m` values.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.m)
    }
}
