//! A pass in the log domain, for potentials that are still far from right.
//!
//! Nothing is known of the size of a sum here, so rows are shifted by their largest exponent, and
//! columns by the largest so far, as streaming softmax does (Milakov and Gimelshein 2018, "Online
//! normalizer calculation for softmax"). It takes two exponentials a cell, and about twice as long
//! as a pass of [`sweep`](super::sweep).
#![expect(clippy::needless_range_loop, reason = "the same row of several arrays")]

use std::ops::Range;

use super::operator::{Operator, Scratch, Sink};
use super::stripes;
use super::tiles::{PANEL, Tiled, total, with_tiles};
use crate::Real;
use crate::simd::{Arch, Kernel};

/// Below every exponent of a problem, and yet a number in either type.
pub(super) const NEVER: f64 = -1e30;

/// A pass over the exponents `scale D_ij + bias_j`, where the bias holds the column's factor.
pub(super) struct LogSweep<'s, 'a, U> {
    pub operator: &'s Operator<'a, U>,
    pub scale: U,
    /// [`NEVER`] for columns of padding.
    pub bias: &'s [U],
    /// From the logarithm of a row's sum to that of its factor.
    pub update: &'s (dyn Fn(usize, f64) -> f64 + Sync),
}

/// What a pass found.
#[derive(Default)]
pub(super) struct LogSwept {
    /// Logarithms to base two of the factors of the rows.
    pub rows: Vec<f64>,
    /// Those of the column sums `sum_i exp2(rows_i + scale D_ij + bias_j)`.
    pub columns: Vec<f64>,
}

impl<U: Real> LogSweep<'_, '_, U> {
    pub(super) fn run(&self) -> LogSwept {
        let (n, m) = (self.operator.alpha.len(), self.operator.beta.len());
        let mut all = LogSwept::default();
        let mut columns = vec![(NEVER, 0.0); m];
        let work = |rows: Range<usize>, scratch: &mut Scratch<U>| {
            self.operator.instructions.run(Part {
                sweep: self,
                rows,
                scratch,
            })
        };
        stripes::each((n, m), work, |_, part: PartSums<U>| {
            all.rows.extend(part.rows);
            let sums = part.largest.iter().zip(&part.sums);
            for ((largest, sum), (more_largest, more)) in columns.iter_mut().zip(sums) {
                let (more_largest, more) = (more_largest.to_f64(), more.to_f64());
                let new = f64::max(*largest, more_largest);
                *sum = *sum * (*largest - new).exp2() + more * (more_largest - new).exp2();
                *largest = new;
            }
        });
        let logarithm = |(largest, sum): (f64, f64)| largest + sum.log2();
        all.columns = columns.into_iter().map(logarithm).collect();
        all
    }
}

/// Some rows of a pass.
struct Part<'p, 's, 'a, U> {
    sweep: &'p LogSweep<'s, 'a, U>,
    rows: Range<usize>,
    scratch: &'p mut Scratch<U>,
}

/// What some rows add to a pass: each column's largest exponent, and its sum relative to that.
struct PartSums<U> {
    rows: Vec<f64>,
    largest: Vec<U>,
    sums: Vec<U>,
}

impl<U: Real> Kernel for Part<'_, '_, '_, U> {
    type Output = PartSums<U>;

    #[inline(always)]
    fn run<A: Arch>(self) -> PartSums<U> {
        with_tiles::<U, A, _>(self)
    }
}

impl<U: Real> Tiled for Part<'_, '_, '_, U> {
    type Output = PartSums<U>;

    #[inline(always)]
    fn run<A: Arch, const ROWS: usize, const COLUMNS: usize>(self) -> PartSums<U> {
        let (sweep, scratch) = (self.sweep, self.scratch);
        let width = sweep.operator.width;
        scratch.panel.reset(PANEL * width, U::ZERO);
        let mut found = PartSums {
            rows: Vec::with_capacity(self.rows.len()),
            largest: vec![U::from_f64(NEVER); width],
            sums: vec![U::ZERO; width],
        };
        for first in self.rows.clone().step_by(PANEL) {
            let live = (self.rows.end - first).min(PANEL);
            let mut exponents = Exponents::<U, COLUMNS> {
                scale: sweep.scale,
                bias: sweep.bias.as_chunks().0,
                largest: [[U::from_f64(NEVER); COLUMNS]; PANEL],
            };
            let operator = sweep.operator;
            operator.visit::<A, _, ROWS, COLUMNS>(first, scratch, &mut exponents);
            let panel = scratch.panel.get().as_chunks::<COLUMNS>().0;
            let panel = panel.as_chunks::<PANEL>().0;
            let mut factors = [U::from_f64(NEVER); PANEL];
            for r in 0..live {
                let largest = maximum(&exponents.largest[r]);
                let sum = row_sum::<U, A, COLUMNS>(panel, r, largest);
                let factor = (sweep.update)(first + r, largest.to_f64() + sum.log2());
                found.rows.push(factor);
                factors[r] = U::from_f64(factor);
            }
            let largest = found.largest.as_chunks_mut::<COLUMNS>().0;
            let sums = found.sums.as_chunks_mut::<COLUMNS>().0;
            for (tile, (largest, sums)) in panel.iter().zip(largest.iter_mut().zip(sums)) {
                add_tile::<U, A, COLUMNS>(tile, &factors, largest, sums);
            }
        }
        found
    }
}

/// Turns similarities into exponents, and finds the largest of each row.
struct Exponents<'s, U, const COLUMNS: usize> {
    scale: U,
    bias: &'s [[U; COLUMNS]],
    largest: [[U; COLUMNS]; PANEL],
}

impl<U: Real, const COLUMNS: usize> Sink<U, COLUMNS> for Exponents<'_, U, COLUMNS> {
    #[inline(always)]
    fn take<A: Arch>(&mut self, index: usize, tile: &mut [[U; COLUMNS]; PANEL]) {
        let bias = &self.bias[index];
        for r in 0..PANEL {
            let (mut cells, mut largest) = (tile[r], self.largest[r]);
            for l in 0..COLUMNS {
                cells[l] = cells[l].fma::<A>(self.scale, bias[l]);
                largest[l] = larger(cells[l], largest[l]);
            }
            (tile[r], self.largest[r]) = (cells, largest);
        }
    }
}

/// `sum_j exp2(t_rj - largest)`.
#[inline(always)]
fn row_sum<U: Real, A: Arch, const COLUMNS: usize>(
    panel: &[[[U; COLUMNS]; PANEL]],
    r: usize,
    largest: U,
) -> f64 {
    let mut sum = 0.0;
    for tiles in panel.chunks(super::sweep::FLUSH) {
        let mut sums = [U::ZERO; COLUMNS];
        for tile in tiles {
            for l in 0..COLUMNS {
                sums[l] += (tile[r][l] - largest).exp2::<A>();
            }
        }
        sum += total(&sums);
    }
    sum
}

/// Adds the rows of a tile to the sums of its columns.
#[inline(always)]
fn add_tile<U: Real, A: Arch, const COLUMNS: usize>(
    tile: &[[U; COLUMNS]; PANEL],
    factors: &[U; PANEL],
    largest: &mut [U; COLUMNS],
    sums: &mut [U; COLUMNS],
) {
    let mut new = *largest;
    for r in 0..PANEL {
        for l in 0..COLUMNS {
            new[l] = larger(tile[r][l] + factors[r], new[l]);
        }
    }
    let mut total = *sums;
    for l in 0..COLUMNS {
        total[l] = total[l] * (largest[l] - new[l]).exp2::<A>();
    }
    for r in 0..PANEL {
        for l in 0..COLUMNS {
            total[l] += (tile[r][l] + factors[r] - new[l]).exp2::<A>();
        }
    }
    (*largest, *sums) = (new, total);
}

/// Returns the maximum as vector instructions have it.
#[inline(always)]
fn larger<U: Real>(x: U, y: U) -> U {
    if x > y { x } else { y }
}

#[inline(always)]
fn maximum<U: Real, const COLUMNS: usize>(lanes: &[U; COLUMNS]) -> U {
    let mut largest = lanes[0];
    for &lane in lanes {
        largest = larger(lane, largest);
    }
    largest
}
