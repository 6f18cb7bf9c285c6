//! Costs in rows of whole vectors.

use super::scan::{Extent, LANES};

/// A cost matrix less one of its costs, its rows padded with infinities to a multiple of [`LANES`].
///
/// Without the shift a cost of 1e6 would leave ten digits for differences.
#[derive(Debug, Default)]
pub(crate) struct PaddedCosts {
    /// As long as it ever had to be.
    values: Vec<f64>,
    n: usize,
    width: usize,
    offset: f64,
    spread: f64,
}

impl PaddedCosts {
    /// Takes `n` rows of `m` costs, each written by `write`.
    ///
    /// # Errors
    /// Their spread if differences of costs, summed along a path over all rows and columns, may leave
    /// the range of numbers; it is infinite if a cost is not finite.
    #[inline(always)]
    pub(crate) fn fill(
        &mut self,
        n: usize,
        m: usize,
        write: impl Fn(usize, &mut [f64]),
    ) -> Result<(), f64> {
        (self.n, self.width) = (n, m.next_multiple_of(LANES));
        if self.values.len() < n * self.width {
            self.values = vec![0.0; n * self.width];
        }
        let mut extent = Extent::new();
        let rows = self.values.chunks_exact_mut(self.width).take(n);
        for (i, row) in rows.enumerate() {
            write(i, &mut row[..m]);
            if i == 0 {
                self.offset = row[0];
            }
            // Until the range is taken, the padding has to be one of the costs.
            row[m..].fill(self.offset);
            row.iter_mut().for_each(|cost| *cost -= self.offset);
            extent.add(row);
            row[m..].fill(f64::INFINITY);
        }
        self.spread = extent.spread().unwrap_or(f64::INFINITY);
        let longest = self.spread * (n + m) as f64;
        longest.is_finite().then_some(()).ok_or(self.spread)
    }

    #[inline(always)]
    pub(crate) fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.width..][..self.width]
    }

    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.width).take(self.n)
    }

    /// Columns with their padding.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The cost that was taken off.
    pub(crate) fn offset(&self) -> f64 {
        self.offset
    }

    /// The largest less the smallest cost.
    pub(crate) fn spread(&self) -> f64 {
        self.spread
    }
}
