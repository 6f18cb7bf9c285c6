//! Costs in rows of whole vectors.

use super::scan::{Extent, LANES};

/// How many times over a sum along a path of costs has to fit into the range of numbers.
const ROOM: f64 = 8.0;

/// A cost matrix less one of its costs, its rows padded with infinities to a multiple of [`LANES`].
///
/// Without the shift a cost of 1e6 would leave ten digits for differences. Under a
/// [`Ceiling`](super::ceiling::Ceiling) the least cost is taken off, and costs beyond stand at it,
/// those of forbidden cells among them.
#[derive(Debug, Default)]
pub(crate) struct PaddedCosts {
    /// As long as it ever had to be.
    values: Vec<f64>,
    n: usize,
    width: usize,
    offset: f64,
    least: f64,
    spread: f64,
    ceiling: f64,
    beyond: f64,
    forbids: bool,
}

impl PaddedCosts {
    /// Takes `n` rows of `m` costs, each written by `write`; nothing if one is neither finite nor
    /// infinity, which forbids a cell.
    #[inline(always)]
    pub(crate) fn fill(
        &mut self,
        n: usize,
        m: usize,
        ceiling: f64,
        write: impl Fn(usize, &mut [f64]),
    ) -> Option<()> {
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
            extent.add(row);
            row.iter_mut().for_each(|cost| *cost -= self.offset);
            row[m..].fill(f64::INFINITY);
        }
        let limit = f64::MAX / (ROOM * (n + m) as f64);
        if let Some((least, largest)) = extent.range()
            && ceiling == f64::INFINITY
            && largest - least <= limit
        {
            (self.least, self.spread) = (least, largest - least);
            (self.ceiling, self.beyond, self.forbids) = (ceiling, ceiling, false);
            return Some(());
        }
        self.lower(m, (ceiling, limit), write)
    }

    /// Works as [`fill`](Self::fill), with a ceiling at most at a limit.
    fn lower(
        &mut self,
        m: usize,
        (ceiling, limit): (f64, f64),
        write: impl Fn(usize, &mut [f64]),
    ) -> Option<()> {
        let values = &mut self.values[..self.n * self.width];
        let (mut least, mut largest) = (f64::INFINITY, f64::NEG_INFINITY);
        self.forbids = false;
        for (i, row) in values.chunks_exact_mut(self.width).enumerate() {
            write(i, &mut row[..m]);
            for &cost in &row[..m] {
                match cost {
                    f64::INFINITY => self.forbids = true,
                    cost if cost.is_finite() => {
                        (least, largest) = (least.min(cost), largest.max(cost));
                    }
                    _ => return None,
                }
            }
        }
        if least == f64::INFINITY {
            // Where everything is forbidden, any offset serves.
            (least, largest) = (0.0, 0.0);
        }
        (self.offset, self.least) = (least, least);
        let largest = largest - least;
        self.ceiling = match () {
            () if ceiling.is_finite() || !self.forbids => ceiling,
            () if largest > 0.0 => ROOM * largest,
            () => 1.0,
        };
        self.ceiling = self.ceiling.min(limit);
        let reaches = self.forbids || largest > self.ceiling;
        self.spread = if reaches { self.ceiling } else { largest };
        self.beyond = f64::INFINITY;
        for row in values.chunks_exact_mut(self.width) {
            for cost in &mut row[..m] {
                *cost -= least;
                if *cost > self.ceiling {
                    self.beyond = self.beyond.min(*cost);
                    *cost = self.ceiling;
                }
            }
            row[m..].fill(f64::INFINITY);
        }
        Some(())
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

    /// Returns the cost that was taken off.
    pub(crate) fn offset(&self) -> f64 {
        self.offset
    }

    /// Returns the least cost, as it was given.
    pub(crate) fn least(&self) -> f64 {
        self.least
    }

    /// Whether some cells are forbidden.
    pub(crate) fn forbids(&self) -> bool {
        self.forbids
    }

    /// Returns the largest cost there is now, less the least.
    pub(crate) fn spread(&self) -> f64 {
        self.spread
    }

    /// What no cost exceeds the least by.
    pub(crate) fn ceiling(&self) -> f64 {
        self.ceiling
    }

    /// Returns the least cost that stands at the ceiling instead; infinite where only forbidden cells do.
    pub(crate) fn beyond(&self) -> f64 {
        self.beyond
    }
}
