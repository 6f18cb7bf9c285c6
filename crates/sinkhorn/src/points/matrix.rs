//! Matrices that a plan is multiplied with, a panel at a time.

use super::sweep::FLUSH;
use super::tiles::{PANEL, Shape};
use crate::Real;
use crate::scaling::aligned::Aligned;
use crate::simd::{Arch, Instructions};

/// A matrix with a row for each column of the kernel.
pub(super) struct Matrix<U> {
    /// Blocks of `lanes` columns, row by row; padded with zeros.
    values: Aligned<U>,
    lanes: usize,
    /// Rows with those of padding.
    height: usize,
    columns: usize,
}

impl<U: Real> Matrix<U> {
    pub(super) fn zeros(height: usize, columns: usize, instructions: Instructions) -> Self {
        let lanes = Shape::of::<U>(instructions).columns;
        let mut values = Aligned::default();
        values.reset(height * columns.next_multiple_of(lanes), U::ZERO);
        Self {
            values,
            lanes,
            height,
            columns,
        }
    }

    /// Writes a row.
    pub(super) fn put(&mut self, row: usize, values: impl Iterator<Item = f64>) {
        let all = self.values.get_mut();
        for (column, value) in values.enumerate() {
            let (block, lane) = (column / self.lanes, column % self.lanes);
            all[(block * self.height + row) * self.lanes + lane] = U::from_f64(value);
        }
    }

    /// Appends the products of the first `live` rows of a panel, row by row.
    #[inline(always)]
    pub(super) fn multiply<A: Arch, const ROWS: usize, const COLUMNS: usize>(
        &self,
        panel: &[[[U; COLUMNS]; PANEL]],
        live: usize,
        products: &mut Vec<f64>,
    ) {
        let start = products.len();
        products.resize(start + live * self.columns, 0.0);
        let products = &mut products[start..];
        let values = self.values.get().as_chunks::<COLUMNS>().0;
        for (block, rows) in values.chunks_exact(self.height).enumerate() {
            let first = block * COLUMNS;
            // As many tiles at a time as sums of that many terms are safe in this type.
            let rows = rows.as_chunks::<COLUMNS>().0.chunks(FLUSH);
            for (tiles, rows) in panel.chunks(FLUSH).zip(rows) {
                for top in (0..live).step_by(ROWS) {
                    let sums = block_product::<U, A, ROWS, COLUMNS>(tiles, top, rows);
                    for (sums, products) in
                        (sums.iter()).zip(products.chunks_exact_mut(self.columns).skip(top))
                    {
                        for (product, sum) in products[first..].iter_mut().zip(sums) {
                            *product += sum.to_f64();
                        }
                    }
                }
            }
        }
    }
}

/// Some rows of a panel, from `top` on, times some columns of a matrix.
#[inline(always)]
fn block_product<U: Real, A: Arch, const ROWS: usize, const COLUMNS: usize>(
    tiles: &[[[U; COLUMNS]; PANEL]],
    top: usize,
    rows: &[[[U; COLUMNS]; COLUMNS]],
) -> [[U; COLUMNS]; ROWS] {
    let mut sums = [[U::ZERO; COLUMNS]; ROWS];
    for (tile, rows) in tiles.iter().zip(rows) {
        let tile = &tile.as_chunks::<ROWS>().0[top / ROWS];
        for j in 0..COLUMNS {
            for r in 0..ROWS {
                for l in 0..COLUMNS {
                    sums[r][l] = rows[j][l].fma::<A>(tile[r][j], sums[r][l]);
                }
            }
        }
    }
    sums
}
