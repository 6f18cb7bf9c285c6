//! The blocks that a panel of rows is computed in, and the matrix product that fills them.
//!
//! A tile is as many rows and columns of the product as the vector registers of an instruction set
//! hold sums for; loads are then few beside the multiplications (Goto and van de Geijn 2008, "Anatomy
//! of high-performance matrix multiplication").

use std::marker::PhantomData;

use crate::real::Real;
use crate::simd::{Arch, Instructions, Kernel};

/// Rows of a panel: a multiple of the rows of every tile. Points of the columns pass through the
/// caches once for each panel, so their number must not be small; nor large, since a panel has to
/// stay in a cache.
pub(super) const PANEL: usize = 24;

/// Rows and columns of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub rows: usize,
    pub columns: usize,
}

/// Columns are padded to a multiple of this, whatever the tile: other code works on blocks of it.
const PADDING: usize = 16;

impl Shape {
    pub(super) fn of<U: Real>(instructions: Instructions) -> Self {
        instructions.run(Measure(PhantomData::<U>))
    }

    /// Columns of the tiles that `m` columns need.
    pub(super) fn padded(self, m: usize) -> usize {
        m.next_multiple_of(self.columns.max(PADDING))
    }
}

struct Measure<U>(PhantomData<U>);

impl<U: Real> Kernel for Measure<U> {
    type Output = Shape;

    fn run<A: Arch>(self) -> Shape {
        with_tiles::<U, A, _>(self)
    }
}

impl<U: Real> Tiled for Measure<U> {
    type Output = Shape;

    fn run<A: Arch, const ROWS: usize, const COLUMNS: usize>(self) -> Shape {
        Shape {
            rows: ROWS,
            columns: COLUMNS,
        }
    }
}

/// Work on tiles, compiled for the shape that suits an instruction set; `run` has to be inlined, with
/// all it calls.
pub(super) trait Tiled {
    /// The result.
    type Output;

    /// Does the work.
    fn run<A: Arch, const ROWS: usize, const COLUMNS: usize>(self) -> Self::Output;
}

/// Numbers in a vector register.
struct Lanes<U, A>(PhantomData<(U, A)>);

impl<U, A: Arch> Lanes<U, A> {
    const COUNT: usize = A::BYTES / size_of::<U>();
}

/// Does work on tiles of two registers' columns, and of rows for which the sums leave four registers
/// to the factors.
#[inline(always)]
pub(super) fn with_tiles<U: Real, A: Arch, W: Tiled>(work: W) -> W::Output {
    if A::REGISTERS > 16 {
        match Lanes::<U, A>::COUNT {
            16 => work.run::<A, 12, 32>(),
            8 => work.run::<A, 12, 16>(),
            4 => work.run::<A, 12, 8>(),
            _ => work.run::<A, 12, 4>(),
        }
    } else {
        match Lanes::<U, A>::COUNT {
            8 => work.run::<A, 6, 16>(),
            4 => work.run::<A, 6, 8>(),
            _ => work.run::<A, 6, 4>(),
        }
    }
}

/// Inner products of a block of row points with a block of column points, both coordinate by
/// coordinate.
#[inline(always)]
pub(super) fn product<U: Real, A: Arch, const ROWS: usize, const COLUMNS: usize>(
    x: &[U],
    y: &[U],
) -> [[U; COLUMNS]; ROWS] {
    let mut sums = [[U::ZERO; COLUMNS]; ROWS];
    let (x, y) = (x.as_chunks::<ROWS>().0, y.as_chunks::<COLUMNS>().0);
    for (x, y) in x.iter().zip(y) {
        for r in 0..ROWS {
            for l in 0..COLUMNS {
                sums[r][l] = y[l].fma::<A>(x[r], sums[r][l]);
            }
        }
    }
    sums
}

/// Sum over the lanes of a row.
#[inline(always)]
pub(super) fn total<U: Real, const COLUMNS: usize>(lanes: &[U; COLUMNS]) -> f64 {
    let mut lanes = *lanes;
    let mut half = COLUMNS / 2;
    while half > 0 {
        for l in 0..half {
            let other = lanes[l + half];
            lanes[l] += other;
        }
        half /= 2;
    }
    lanes[0].to_f64()
}
