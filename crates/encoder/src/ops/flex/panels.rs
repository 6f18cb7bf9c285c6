//! Products of small matrices on vector registers: attention has one of a few dozen rows for every
//! head of every text, where a library's call costs more than the product.
//!
//! A tile of the product is kept in registers while it is summed up (Goto & van de Geijn 2008). The
//! right factor is first copied into a panel as wide as a tile, which all tiles below each other
//! read; the left one is read from where it is, turned or not, but for the rows of the last tile.

use pulp::Simd;

/// Rows of the product that are computed at once.
const ROWS: usize = 4;

/// Vector registers of a row that are computed at once.
const VECTORS: usize = 2;

/// Columns of a tile of the widest registers.
const WIDEST: usize = VECTORS * 16;

/// Numbers in memory as a matrix: entry `(i, j)` at `i * down + j * right`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    down: usize,
    right: usize,
}

impl<'a> Matrix<'a> {
    /// Creates `rows` of `columns` numbers, each `stride` after the one before.
    #[track_caller]
    pub(super) fn new(values: &'a [f32], [rows, columns]: [usize; 2], stride: usize) -> Self {
        assert!(
            rows == 0 || columns == 0 || (rows - 1) * stride + columns <= values.len(),
            "{} values hold no {rows} x {columns} matrix with rows {stride} apart",
            values.len()
        );
        Self {
            values,
            rows,
            columns,
            down: stride,
            right: 1,
        }
    }

    /// Returns the same with rows and columns swapped.
    pub(super) fn turned(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            down: self.right,
            right: self.down,
            ..self
        }
    }

    /// Writes `count` rows from `first` on to a panel of `width`, column by column, with zeros for
    /// rows that are not there.
    fn pack(self, [first, count]: [usize; 2], width: usize, panel: &mut Vec<f32>) {
        panel.clear();
        panel.resize(width * self.columns, 0.0);
        let from = &self.values[first * self.down..];
        if self.down == 1 {
            for (column, entries) in panel.chunks_exact_mut(width).enumerate() {
                entries[..count].copy_from_slice(&from[column * self.right..][..count]);
            }
        } else {
            self.interleave(from, count, width, panel);
        }
    }

    /// Writes `count` rows, whose entries are side by side, column by column.
    fn interleave(self, from: &[f32], count: usize, width: usize, panel: &mut [f32]) {
        let row = |row: usize| &from[row * self.down..][..self.columns];
        let mut first = 0;
        // Four at a time: a vector is written where one by one were single numbers.
        while first + 4 <= count {
            let [a, b, c, d] = [0, 1, 2, 3].map(|next| row(first + next));
            let rows = a.iter().zip(b).zip(c).zip(d);
            for (entries, (((a, b), c), d)) in panel.chunks_exact_mut(width).zip(rows) {
                entries[first..first + 4].copy_from_slice(&[*a, *b, *c, *d]);
            }
            first += 4;
        }
        for last in first..count {
            let entries = panel[last..].iter_mut().step_by(width);
            for (entry, value) in entries.zip(row(last)) {
                *entry = *value;
            }
        }
    }
}

/// Room for a panel of either factor, kept from one product to the next.
#[derive(Debug, Default)]
pub(super) struct Panels {
    left: Vec<f32>,
    right: Vec<f32>,
}

impl Panels {
    /// Writes `left * right` to `product`, whose rows start `stride` apart.
    #[inline(always)]
    pub(super) fn multiply<S: Simd>(
        &mut self,
        simd: S,
        left: Matrix<'_>,
        right: Matrix<'_>,
        product: &mut [f32],
        stride: usize,
    ) {
        assert_eq!(left.columns, right.rows, "the factors do not fit");
        let (inner, columns) = (right.rows, right.columns);
        if inner == 0 {
            let rows = product.chunks_mut(stride.max(1)).take(left.rows);
            return rows.for_each(|row| row[..columns].fill(0.0));
        }
        let width = VECTORS * S::F32_LANES;
        for from in (0..columns).step_by(width) {
            let count = width.min(columns - from);
            let tiles = Tiles {
                simd,
                left,
                product: &mut product[from..],
                count,
                stride,
            };
            // Rows far apart would share few lines of the cache: all tiles read a copy.
            if count == width && right.right == 1 {
                self.right.resize(width * inner, 0.0);
                for (row, copy) in self.right.chunks_exact_mut(width).enumerate() {
                    let row = &right.values[row * right.down + from..][..width];
                    S::as_mut_simd_f32s(copy)
                        .0
                        .copy_from_slice(&vectors::<S>(row));
                }
            } else {
                right.turned().pack([from, count], width, &mut self.right);
            }
            let rows = self.right.chunks_exact(width);
            tiles.fill(rows.map(vectors::<S>), &mut self.left);
        }
    }
}

/// The tiles of a product that are below each other.
struct Tiles<'a, S> {
    simd: S,
    left: Matrix<'a>,
    /// From the tiles' first column on.
    product: &'a mut [f32],
    /// Columns there are.
    count: usize,
    stride: usize,
}

impl<S: Simd> Tiles<'_, S> {
    /// Computes them, given the right factor's entries row by row.
    #[inline(always)]
    fn fill(self, right: impl Iterator<Item = [S::f32s; VECTORS]> + Clone, panel: &mut Vec<f32>) {
        let Self {
            simd,
            left,
            product,
            count,
            stride,
        } = self;
        for first in (0..left.rows).step_by(ROWS) {
            let rows = ROWS.min(left.rows - first);
            let right = right.clone();
            let sums = if rows < ROWS {
                left.pack([first, rows], ROWS, panel);
                sums(simd, panel.as_chunks().0.iter().copied(), right)
            } else if left.right == 1 {
                let row = |row: usize| {
                    let start = (first + row) * left.down;
                    left.values[start..][..left.columns].iter()
                };
                let rows = row(0).zip(row(1)).zip(row(2)).zip(row(3));
                sums(simd, rows.map(|(((a, b), c), d)| [*a, *b, *c, *d]), right)
            } else {
                let columns = left
                    .values
                    .get(first..)
                    .unwrap_or_default()
                    .chunks(left.right);
                let columns = columns.filter_map(|column| column.first_chunk().copied());
                sums(simd, columns.take(left.columns), right)
            };
            for (row, sums) in (first..first + rows).zip(sums) {
                store::<S>(&sums, &mut product[row * stride..][..count]);
            }
        }
    }
}

/// Returns a row of a tile of the right factor.
#[inline(always)]
fn vectors<S: Simd>(row: &[f32]) -> [S::f32s; VECTORS] {
    let row = S::as_simd_f32s(row).0;
    std::array::from_fn(|vector| row[vector])
}

/// Returns the sum of the products of the left factor's columns with the right factor's rows.
#[inline(always)]
fn sums<S: Simd>(
    simd: S,
    left: impl Iterator<Item = [f32; ROWS]>,
    right: impl Iterator<Item = [S::f32s; VECTORS]>,
) -> [[S::f32s; VECTORS]; ROWS] {
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    for (left, right) in left.zip(right) {
        for (sums, left) in sums.iter_mut().zip(left) {
            let left = simd.splat_f32s(left);
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = simd.mul_add_e_f32s(left, right, *sum);
            }
        }
    }
    sums
}

#[inline(always)]
fn store<S: Simd>(sums: &[S::f32s; VECTORS], to: &mut [f32]) {
    if to.len() == VECTORS * S::F32_LANES {
        for (to, sum) in S::as_mut_simd_f32s(to).0.iter_mut().zip(sums) {
            *to = *sum;
        }
    } else {
        let mut whole = [0.0; WIDEST];
        for (to, sum) in S::as_mut_simd_f32s(&mut whole).0.iter_mut().zip(sums) {
            *to = *sum;
        }
        to.copy_from_slice(&whole[..to.len()]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulp::{Arch, WithSimd};

    use super::super::testing::numbers;
    use super::*;

    struct Multiply<'a>(Matrix<'a>, Matrix<'a>, &'a mut [f32], usize);

    impl WithSimd for Multiply<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let mut panels = Panels::default();
            // What is left of another product does no harm.
            panels.left.resize(7, f32::NAN);
            panels.multiply(simd, self.0, self.1, self.2, self.3);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn products_are_sums_of_products_however_the_factors_lie(
            rows in 1..40_usize, inner in prop_oneof![0..3_usize, 3..40_usize], columns in 1..70_usize,
            turned: [bool; 2], beyond in 0..3_usize, seed in 0..u64::MAX / 2,
        ) {
            let factor = |shape: [usize; 2], seed| {
                let stride = shape[1] + beyond;
                let values = numbers(seed, shape[0] * stride, 2.0);
                (values.into_iter().map(|value| value as f32).collect::<Vec<_>>(), stride)
            };
            let layout = |[rows, columns]: [usize; 2], turned| {
                if turned { [columns, rows] } else { [rows, columns] }
            };
            let shapes = [layout([rows, inner], turned[0]), layout([inner, columns], turned[1])];
            let factors = [factor(shapes[0], seed), factor(shapes[1], seed + 1)];
            let matrix = |side: usize| {
                let (values, stride) = &factors[side];
                let matrix = Matrix::new(values, shapes[side], *stride);
                if turned[side] { matrix.turned() } else { matrix }
            };
            let entry = |matrix: &Matrix<'_>, i, j| {
                f64::from(matrix.values[i * matrix.down + j * matrix.right])
            };
            let stride = columns + beyond;
            for scalar in [false, true] {
                let mut product = vec![-7.0; rows * stride];
                let work = Multiply(matrix(0), matrix(1), &mut product, stride);
                if scalar { work.with_simd(pulp::Scalar::new()) } else { Arch::new().dispatch(work) }
                for i in 0..rows {
                    for j in 0..stride {
                        let found = f64::from(product[i * stride + j]);
                        if j < columns {
                            let (left, right) = (matrix(0), matrix(1));
                            let expected: f64 = (0..inner)
                                .map(|k| entry(&left, i, k) * entry(&right, k, j))
                                .sum();
                            prop_assert!((found - expected).abs() < 1e-4, "{found} {expected}");
                        } else {
                            prop_assert_eq!(found, -7.0, "written beside the product");
                        }
                    }
                }
            }
        }
    }
}
