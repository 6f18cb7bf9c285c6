//! The loops over a kernel matrix that an iteration is made of.
//!
//! All are inlined into a function that has an instruction set enabled; rows and vectors are padded
//! with zeros to a multiple of [`BLOCK`] numbers, and the compiler turns loops over blocks into
//! vector instructions.
#![expect(
    clippy::needless_range_loop,
    reason = "the same lane of several blocks"
)]

use crate::real::Real;
use crate::simd::Arch;

/// Numbers handled together: one or two of the widest registers.
pub(super) const BLOCK: usize = 16;

/// Side up to which a matrix is kept with its transpose, so that no sum runs across a register.
pub(super) const SMALL: usize = 64;

/// A row of the kernel, `exp2(f + g_j - scale (cost_j - lowest))`; what is behind the costs stays.
#[inline(always)]
pub(super) fn fill_row<T: Real, A: Arch>(
    row: &mut [T],
    cost: &[T],
    (lowest, scale): (T, T),
    f: T,
    g: &[T],
) {
    for ((kernel, &cost), &g) in row.iter_mut().zip(cost).zip(g) {
        *kernel = (lowest - cost).fma::<A>(scale, f + g).exp2::<A>();
    }
}

/// `sums = sum_k weights_k matrix_k` over the rows of a matrix of at most [`SMALL`] columns.
#[inline(always)]
pub(super) fn weighted_sum<T: Real, A: Arch>(
    matrix: &[T],
    width: usize,
    weights: &[T],
    sums: &mut [T],
) {
    // Enough independent chains to hide the latency of an addition, and no more than registers.
    match (width / BLOCK, A::WIDE) {
        (1, true) => chains::<T, A, 1, 8>(matrix, weights, sums),
        (2, true) => chains::<T, A, 2, 4>(matrix, weights, sums),
        (3, true) => chains::<T, A, 3, 2>(matrix, weights, sums),
        (4, true) => chains::<T, A, 4, 2>(matrix, weights, sums),
        (1, false) => chains::<T, A, 1, 4>(matrix, weights, sums),
        (2, false) => chains::<T, A, 2, 2>(matrix, weights, sums),
        (3, false) => chains::<T, A, 3, 1>(matrix, weights, sums),
        (4, false) => chains::<T, A, 4, 1>(matrix, weights, sums),
        _ => unreachable!("a small matrix has at most {SMALL} columns"),
    }
}

#[inline(always)]
fn chains<T: Real, A: Arch, const C: usize, const R: usize>(
    matrix: &[T],
    weights: &[T],
    sums: &mut [T],
) {
    let mut sum = [[[T::ZERO; BLOCK]; C]; R];
    let rows = matrix.as_chunks::<BLOCK>().0.as_chunks::<C>().0;
    let (blocks, last_rows) = rows.as_chunks::<R>();
    let (factors, last_factors) = weights.as_chunks::<R>();
    for (rows, factors) in blocks.iter().zip(factors) {
        for r in 0..R {
            for c in 0..C {
                sum[r][c] = scaled_sum::<T, A>(&rows[r][c], factors[r], &sum[r][c]);
            }
        }
    }
    for (row, &factor) in last_rows.iter().zip(last_factors) {
        for c in 0..C {
            sum[0][c] = scaled_sum::<T, A>(&row[c], factor, &sum[0][c]);
        }
    }
    for r in 1..R {
        for c in 0..C {
            sum[0][c] = scaled_sum::<T, A>(&sum[r][c], T::ONE, &sum[0][c]);
        }
    }
    let sums = sums.as_chunks_mut::<BLOCK>().0;
    sums[..C].copy_from_slice(&sum[0]);
}

/// `block * factor + sum`, lane by lane.
#[inline(always)]
fn scaled_sum<T: Real, A: Arch>(block: &[T; BLOCK], factor: T, sum: &[T; BLOCK]) -> [T; BLOCK] {
    let mut result = [T::ZERO; BLOCK];
    for l in 0..BLOCK {
        result[l] = block[l].fma::<A>(factor, sum[l]);
    }
    result
}

/// `x * y + sum`, lane by lane.
#[inline(always)]
fn product_sum<T: Real, A: Arch>(x: &[T; BLOCK], y: &[T; BLOCK], sum: &[T; BLOCK]) -> [T; BLOCK] {
    let mut result = [T::ZERO; BLOCK];
    for l in 0..BLOCK {
        result[l] = x[l].fma::<A>(y[l], sum[l]);
    }
    result
}

/// One full iteration in one pass over the matrix: `u = a / (K v)` and `columns = K^T u`, a row's
/// share of the columns added while the row is in the nearest cache.
#[inline(always)]
pub(super) fn fused_pass<T: Real, A: Arch>(
    matrix: &[T],
    width: usize,
    (a, v): (&[T], &[T]),
    u: &mut [T],
    columns: &mut [T],
) {
    const ROWS: usize = 4;
    columns.fill(T::ZERO);
    let (u_blocks, u_last) = u.as_chunks_mut::<ROWS>();
    let blocked = u_blocks.len() * ROWS;
    let (a_blocks, a_last) = a[..blocked + u_last.len()].as_chunks::<ROWS>();
    for ((rows, u), a) in (matrix.chunks_exact(ROWS * width))
        .zip(u_blocks)
        .zip(a_blocks)
    {
        let sums = dots::<T, A, ROWS>(rows, width, v);
        for r in 0..ROWS {
            u[r] = quotient(a[r], sums[r]);
        }
        add_rows::<T, A, ROWS>(rows, width, u, columns);
    }
    let rest = &matrix[blocked * width..];
    for ((row, u), &a) in rest.chunks_exact(width).zip(u_last).zip(a_last) {
        let [sum] = dots::<T, A, 1>(row, width, v);
        *u = quotient(a, sum);
        add_rows::<T, A, 1>(row, width, &[*u], columns);
    }
}

/// Dot products of `R` rows with `v`.
#[inline(always)]
fn dots<T: Real, A: Arch, const R: usize>(rows: &[T], width: usize, v: &[T]) -> [T; R] {
    let mut sums = [[T::ZERO; BLOCK]; R];
    let v = v.as_chunks::<BLOCK>().0;
    let blocks: [&[[T; BLOCK]]; R] =
        std::array::from_fn(|r| rows[r * width..][..width].as_chunks::<BLOCK>().0);
    for (index, v) in v[..width / BLOCK].iter().enumerate() {
        for r in 0..R {
            sums[r] = product_sum::<T, A>(&blocks[r][index], v, &sums[r]);
        }
    }
    let mut totals = [T::ZERO; R];
    for r in 0..R {
        totals[r] = total(&sums[r]);
    }
    totals
}

/// Adds `factors_r rows_r` to the columns.
///
/// A flat loop: one over blocks is turned into gathers and scatters where rows are long.
#[inline(always)]
fn add_rows<T: Real, A: Arch, const R: usize>(
    rows: &[T],
    width: usize,
    factors: &[T; R],
    columns: &mut [T],
) {
    let rows: [&[T]; R] = std::array::from_fn(|r| &rows[r * width..][..width]);
    let columns = &mut columns[..width];
    for j in 0..width {
        let mut sum = columns[j];
        for r in 0..R {
            sum = rows[r][j].fma::<A>(factors[r], sum);
        }
        columns[j] = sum;
    }
}

/// Sum over a block, halving it.
#[inline(always)]
fn total<T: Real>(block: &[T; BLOCK]) -> T {
    let mut block = *block;
    let mut half = BLOCK / 2;
    while half > 0 {
        for l in 0..half {
            let other = block[l + half];
            block[l] += other;
        }
        half /= 2;
    }
    block[0]
}

/// Dot product of two padded vectors.
#[inline(always)]
pub(super) fn dot<T: Real, A: Arch>(x: &[T], y: &[T]) -> T {
    let mut sums = [T::ZERO; BLOCK];
    for (x, y) in x
        .as_chunks::<BLOCK>()
        .0
        .iter()
        .zip(y.as_chunks::<BLOCK>().0)
    {
        sums = product_sum::<T, A>(x, y, &sums);
    }
    total(&sums)
}

/// A scaling factor; zero without mass, also over a sum of zero.
#[inline(always)]
fn quotient<T: Real>(mass: T, sum: T) -> T {
    if mass > T::ZERO { mass / sum } else { T::ZERO }
}

/// `factors = masses / sums`.
#[inline(always)]
pub(super) fn divide<T: Real>(masses: &[T], sums: &[T], factors: &mut [T]) {
    for ((factor, &mass), &sum) in factors.iter_mut().zip(masses).zip(sums) {
        *factor = quotient(mass, sum);
    }
}

/// Keys of the least and the largest factor with mass, and of one.
#[inline(always)]
pub(super) fn extent<T: Real>(masses: &[T], factors: &[T]) -> (T::Key, T::Key) {
    let one = T::ONE.key();
    let (mut least, mut largest) = (one, one);
    for (&mass, &factor) in masses.iter().zip(factors) {
        let key = if mass > T::ZERO { factor.key() } else { one };
        least = least.min(key);
        largest = largest.max(key);
    }
    (least, largest)
}

/// `sum_j |factors_j sums_j - masses_j|`: by how much the columns of the plan miss their mass.
#[inline(always)]
pub(super) fn misplaced<T: Real, A: Arch>(masses: &[T], sums: &[T], factors: &[T]) -> T {
    let mut error = [T::ZERO; BLOCK];
    let sums = sums.as_chunks::<BLOCK>().0.iter();
    let factors = factors.as_chunks::<BLOCK>().0;
    for ((mass, sum), factor) in masses.as_chunks::<BLOCK>().0.iter().zip(sums).zip(factors) {
        for l in 0..BLOCK {
            let miss = sum[l].fma::<A>(factor[l], -mass[l]);
            error[l] += if miss < T::ZERO { -miss } else { miss };
        }
    }
    total(&error)
}

/// Keys of the smallest and the largest of some costs.
#[inline(always)]
pub(super) fn extremes<T: Real>(costs: &[T]) -> (T::Key, T::Key) {
    let (mut least, mut largest) = (T::INFINITY.key(), (-T::INFINITY).key());
    for &cost in costs {
        least = least.min(cost.key());
        largest = largest.max(cost.key());
    }
    (least, largest)
}

/// `sum_j weights_j (cost_j - lowest)`; the costs are not padded.
#[inline(always)]
pub(super) fn unpadded_dot<T: Real, A: Arch>(weights: &[T], cost: &[T], lowest: T) -> T {
    let mut sums = [T::ZERO; BLOCK];
    let (costs, last) = cost.as_chunks::<BLOCK>();
    let (blocks, last_weights) = weights[..cost.len()].as_chunks::<BLOCK>();
    for (cost, weights) in costs.iter().zip(blocks) {
        for l in 0..BLOCK {
            sums[l] = weights[l].fma::<A>(cost[l] - lowest, sums[l]);
        }
    }
    for (l, (&cost, &weight)) in last.iter().zip(last_weights).enumerate() {
        sums[l] = weight.fma::<A>(cost - lowest, sums[l]);
    }
    total(&sums)
}

/// `sum_j row_j v_j (cost_j - lowest)`; the costs are not padded.
#[inline(always)]
pub(super) fn row_cost<T: Real, A: Arch>(row: &[T], v: &[T], cost: &[T], lowest: T) -> T {
    let mut sums = [T::ZERO; BLOCK];
    let (costs, last) = cost.as_chunks::<BLOCK>();
    let (rows, last_row) = row[..cost.len()].as_chunks::<BLOCK>();
    let (vs, last_v) = v[..cost.len()].as_chunks::<BLOCK>();
    for ((cost, row), v) in costs.iter().zip(rows).zip(vs) {
        for l in 0..BLOCK {
            sums[l] = (row[l] * v[l]).fma::<A>(cost[l] - lowest, sums[l]);
        }
    }
    for (l, ((&cost, &row), &v)) in last.iter().zip(last_row).zip(last_v).enumerate() {
        sums[l] = (row * v).fma::<A>(cost - lowest, sums[l]);
    }
    total(&sums)
}
