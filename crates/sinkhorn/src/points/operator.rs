//! The similarities of rows and columns, computed a panel of rows at a time.
//!
//! A cost is `C_ij = alpha_i + beta_j - D_ij`. For points the similarity `D` is an inner product; for
//! other costs it is what a cost is below the row's least, so that an offset of all costs takes no
//! digits of it.

use std::ops::Range;

use super::clouds::{Clouds, Packed};
use super::marginals::Marginals;
use super::tiles::{PANEL, Shape, product};
use crate::scaling::aligned::Aligned;
use crate::simd::{Arch, Instructions};
use crate::{Cost, Error, Real};

/// The costs of a problem's support, in the type that it is computed in.
pub(super) struct Operator<'a, U> {
    pub marginals: Marginals,
    pub alpha: Vec<f64>,
    pub beta: Vec<f64>,
    /// The least and the largest similarity are not beyond these.
    pub extremes: [f64; 2],
    /// Columns with those of padding.
    pub width: usize,
    pub instructions: Instructions,
    source: Source<'a, U>,
}

enum Source<'a, U> {
    Points {
        x: Aligned<U>,
        y: Aligned<U>,
        dimension: usize,
    },
    Rows(Box<dyn Rows<U> + 'a>),
}

/// Memory of a thread.
#[derive(Default)]
pub(super) struct Scratch<U> {
    /// A panel: `PANEL` rows of a tile's columns, one tile behind the other.
    pub panel: Aligned<U>,
    rows: Vec<U>,
}

/// What is done with the similarities of a panel to the columns of a tile, while they are in the
/// nearest cache.
pub(super) trait Sink<U, const COLUMNS: usize> {
    /// Takes tile `index`, and may overwrite it.
    fn take<A: Arch>(&mut self, index: usize, tile: &mut [[U; COLUMNS]; PANEL]);
}

impl<'a, U: Real> Operator<'a, U> {
    pub(super) fn of_points<T: Real>(
        clouds: &Clouds<'_, T>,
        marginals: Marginals,
        instructions: Instructions,
    ) -> Result<Self, Error> {
        let shape = Shape::of::<U>(instructions);
        let packed: Packed<U> = clouds.pack(&marginals.rows, &marginals.columns, shape)?;
        Ok(Self {
            width: shape.padded(marginals.columns.len()),
            marginals,
            alpha: packed.alpha,
            beta: packed.beta,
            extremes: [-packed.reach, packed.reach],
            instructions,
            source: Source::Points {
                x: packed.x,
                y: packed.y,
                dimension: clouds.dimension(),
            },
        })
    }

    /// Looks at every cost once.
    pub(super) fn of_rows<T: Real, C: Cost<T> + ?Sized>(
        cost: &'a C,
        marginals: Marginals,
        instructions: Instructions,
    ) -> Result<Self, Error> {
        let mut asked = Asked {
            cost,
            least: Vec::new(),
        };
        let largest = asked.scan(&marginals)?;
        Ok(Self {
            width: Shape::of::<U>(instructions).padded(marginals.columns.len()),
            alpha: asked.least.iter().map(|least| least.to_f64()).collect(),
            beta: vec![0.0; marginals.columns.len()],
            marginals,
            extremes: [-largest, 0.0],
            instructions,
            source: Source::Rows(Box::new(asked)),
        })
    }

    /// Rows with those of padding.
    pub(super) fn height(&self) -> usize {
        self.alpha.len().next_multiple_of(PANEL)
    }

    /// Returns the largest cost less the smallest at most.
    pub(super) fn spread(&self) -> f64 {
        let extent = |values: &[f64]| {
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            values.iter().copied().fold(f64::NEG_INFINITY, f64::max) - least
        };
        let [least, largest] = self.extremes;
        extent(&self.alpha) + extent(&self.beta) + (largest - least)
    }

    /// Shows the similarities of the rows from `first` on to a sink, tile by tile; rows of padding
    /// have none but zeros. The panel keeps what the sink leaves there.
    #[inline(always)]
    pub(super) fn visit<A: Arch, S, const ROWS: usize, const COLUMNS: usize>(
        &self,
        first: usize,
        scratch: &mut Scratch<U>,
        sink: &mut S,
    ) where
        S: Sink<U, COLUMNS>,
    {
        let tiles = scratch.panel.get_mut().as_chunks_mut::<COLUMNS>().0;
        let tiles = tiles.as_chunks_mut::<PANEL>().0.iter_mut().enumerate();
        match &self.source {
            Source::Points { x, y, dimension } => {
                let x = &x.get()[first * dimension..][..PANEL * dimension];
                let y = y.get().chunks_exact(dimension * COLUMNS);
                for ((index, tile), y) in tiles.zip(y) {
                    let blocks = tile.as_chunks_mut::<ROWS>().0;
                    for (block, x) in blocks.iter_mut().zip(x.chunks_exact(dimension * ROWS)) {
                        *block = product::<U, A, ROWS, COLUMNS>(x, y);
                    }
                    sink.take::<A>(index, tile);
                }
            }
            Source::Rows(rows) => {
                let m = self.beta.len();
                let last = (first + PANEL).min(self.alpha.len());
                scratch.rows.clear();
                scratch.rows.resize(PANEL * m, U::ZERO);
                rows.write(&self.marginals, first..last, &mut scratch.rows);
                for (index, tile) in tiles {
                    let columns = (index * COLUMNS).min(m)..((index + 1) * COLUMNS).min(m);
                    for (lanes, row) in tile.iter_mut().zip(scratch.rows.chunks_exact(m)) {
                        let row = &row[columns.clone()];
                        lanes[..row.len()].copy_from_slice(row);
                        lanes[row.len()..].fill(U::ZERO);
                    }
                    sink.take::<A>(index, tile);
                }
            }
        }
    }
}

/// Where the similarities of other costs than those of points come from.
trait Rows<U>: Send + Sync {
    /// Writes those of some rows of the support to its columns, row by row.
    fn write(&self, support: &Marginals, rows: Range<usize>, out: &mut [U]);
}

/// A cost that is asked for its rows.
struct Asked<'a, T, C: ?Sized> {
    cost: &'a C,
    /// Least cost of each row of the support.
    least: Vec<T>,
}

impl<T: Real, C: Cost<T> + ?Sized> Asked<'_, T, C> {
    /// Finds the least cost of each row, and returns how far a cost is above it at most.
    fn scan(&mut self, support: &Marginals) -> Result<f64, Error> {
        let mut costs = Vec::new();
        let mut largest = 0.0_f64;
        for first in (0..support.rows.len()).step_by(PANEL) {
            let last = (first + PANEL).min(support.rows.len());
            self.ask(support, first..last, &mut costs);
            for (row, costs) in (first..last).zip(costs.chunks_exact(self.cost.m())) {
                let (mut low, mut high) = (T::INFINITY, -T::INFINITY);
                for &j in &support.columns {
                    let value = costs[j];
                    if !value.to_f64().is_finite() {
                        let i = support.rows[row];
                        let value = value.to_f64();
                        return Err(Error::Cost { i, j, value });
                    }
                    low = if value < low { value } else { low };
                    high = if value > high { value } else { high };
                }
                self.least.push(low);
                largest = largest.max(high.to_f64() - low.to_f64());
            }
        }
        Ok(largest)
    }

    /// Costs of some rows of the support to all columns; rows that follow each other are asked for
    /// together.
    fn ask(&self, support: &Marginals, rows: Range<usize>, costs: &mut Vec<T>) {
        let m = self.cost.m();
        costs.clear();
        costs.resize(rows.len() * m, T::ZERO);
        let mut rest = costs.as_mut_slice();
        for run in support.rows[rows].chunk_by(|left, right| left + 1 == *right) {
            let (panel, others) = rest.split_at_mut(run.len() * m);
            self.cost.panel(run[0]..run[0] + run.len(), panel);
            rest = others;
        }
    }
}

impl<T: Real, U: Real, C: Cost<T> + ?Sized> Rows<U> for Asked<'_, T, C> {
    fn write(&self, support: &Marginals, rows: Range<usize>, out: &mut [U]) {
        let mut costs = Vec::new();
        self.ask(support, rows.clone(), &mut costs);
        let costs = costs.chunks_exact(self.cost.m());
        let out = out.chunks_exact_mut(support.columns.len());
        for ((out, costs), least) in out.zip(costs).zip(&self.least[rows]) {
            for (out, &j) in out.iter_mut().zip(&support.columns) {
                *out = U::from_f64((*least - costs[j]).to_f64());
            }
        }
    }
}
