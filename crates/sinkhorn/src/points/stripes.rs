//! Parts of a pass, which threads may do at the same time.
//!
//! How rows are divided depends on the problem alone, and parts are put together in the order of the
//! rows: results are the same to the last bit with any number of threads.

use std::ops::Range;

#[cfg(feature = "rayon")]
use rayon::prelude::*;

use super::tiles::PANEL;

/// Parts at most: each has its own sums of the columns.
const MOST: usize = 32;

/// Cells of a part at least: enough to outweigh handing it to another thread.
const LEAST_CELLS: usize = 1 << 18;

/// Rows of a part, a multiple of a panel's.
fn rows_of_part(n: usize, m: usize) -> usize {
    let enough = LEAST_CELLS.div_ceil(m.max(1));
    n.div_ceil(MOST).max(enough).next_multiple_of(PANEL)
}

/// Does `work` on parts of `n` rows of `m` columns, and hands what comes of it to `merge` in the
/// order of the rows. Work is lent memory that is kept from one part to the next.
#[cfg(not(feature = "rayon"))]
pub(super) fn each<S: Default, R>(
    (n, m): (usize, usize),
    work: impl Fn(Range<usize>, &mut S) -> R,
    mut merge: impl FnMut(Range<usize>, R),
) {
    let mut memory = S::default();
    for rows in parts(n, m) {
        let result = work(rows.clone(), &mut memory);
        merge(rows, result);
    }
}

/// Does `work` on parts of `n` rows of `m` columns, and hands what comes of it to `merge` in the
/// order of the rows. Work is lent memory that is kept from one part to the next.
#[cfg(feature = "rayon")]
pub(super) fn each<S: Default, R: Send>(
    (n, m): (usize, usize),
    work: impl Fn(Range<usize>, &mut S) -> R + Sync,
    mut merge: impl FnMut(Range<usize>, R),
) {
    let parts: Vec<Range<usize>> = parts(n, m).collect();
    let results: Vec<R> = parts
        .par_iter()
        .map_init(S::default, |memory, rows| work(rows.clone(), memory))
        .collect();
    for (rows, result) in parts.into_iter().zip(results) {
        merge(rows, result);
    }
}

fn parts(n: usize, m: usize) -> impl Iterator<Item = Range<usize>> {
    let rows = rows_of_part(n, m);
    (0..n)
        .step_by(rows)
        .map(move |first| first..(first + rows).min(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_rows_in_order() {
        for (n, m) in [(1, 1), (24, 1), (1000, 700), (100_000, 3), (8192, 8192)] {
            let mut next = 0;
            let mut count = 0;
            let rows = |rows: Range<usize>, _: &mut ()| rows;
            each((n, m), rows, |rows, found| {
                assert_eq!((rows.start, &rows), (next, &found));
                assert!(rows.start.is_multiple_of(PANEL));
                (next, count) = (rows.end, count + 1);
            });
            assert_eq!(next, n);
            assert!(count <= MOST);
        }
    }
}
