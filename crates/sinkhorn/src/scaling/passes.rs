//! The loops over a kernel matrix that an iteration is made of.
//!
//! All are inlined into a function that has an instruction set enabled; rows and vectors are padded
//! with zeros to a multiple of [`BLOCK`] numbers, and the compiler turns loops over blocks into
//! vector instructions.
#![expect(
    clippy::needless_range_loop,
    reason = "the same lane of several blocks"
)]

use crate::real::{Lanes, Real};
use crate::simd::{Arch, BLOCK, Block};

/// Side up to which a matrix is kept with its transpose, so that no sum runs across a register.
pub(super) const SMALL: usize = 64;

/// A row of the kernel, `exp2(f + g_j - scale (cost_j - lowest))`; what is behind the costs stays.
#[inline(always)]
pub(super) fn fill_row<T: Real, A: Arch>(
    row: &mut [T],
    cost: &[T],
    (lowest, scale): (f64, f64),
    f: f64,
    g: &[f64],
) {
    // In two loops: the compiler gives a loop the vectors of its widest numbers, and only the first
    // has double precision.
    const PART: usize = 64;
    let mut split = [[T::ZERO; PART]; 2];
    for ((row, cost), g) in (row.chunks_mut(PART).zip(cost.chunks(PART))).zip(g.chunks(PART)) {
        let count = row.len();
        let [rounded, rest] = &mut split;
        let (rounded, rest) = (&mut rounded[..count], &mut rest[..count]);
        let (cost, g) = (&cost[..count], &g[..count]);
        for l in 0..count {
            let exponent = Lanes::fma::<A>(lowest - cost[l].to_f64(), scale, f + g[l]);
            [rounded[l], rest[l]] = T::split_exponent(exponent);
        }
        for l in 0..count {
            row[l] = T::exp2_of_split::<A>([rounded[l], rest[l]]);
        }
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
    let blocks = matrix.as_chunks::<BLOCK>().0;
    let sums = sums.as_chunks_mut::<BLOCK>().0;
    let registers = T::Block::<A>::REGISTERS;
    // Parts of a row whose sums have room in the registers.
    match (width / BLOCK, registers) {
        (1, _) => chains::<T, A, 1, 0, 1>(blocks, weights, sums),
        (2, 8..) => {
            chains::<T, A, 2, 0, 1>(blocks, weights, sums);
            chains::<T, A, 2, 1, 1>(blocks, weights, sums);
        }
        (2, _) => chains::<T, A, 2, 0, 2>(blocks, weights, sums),
        (3, 8..) => {
            chains::<T, A, 3, 0, 1>(blocks, weights, sums);
            chains::<T, A, 3, 1, 1>(blocks, weights, sums);
            chains::<T, A, 3, 2, 1>(blocks, weights, sums);
        }
        (3, _) => chains::<T, A, 3, 0, 3>(blocks, weights, sums),
        (4, 8..) => {
            chains::<T, A, 4, 0, 1>(blocks, weights, sums);
            chains::<T, A, 4, 1, 1>(blocks, weights, sums);
            chains::<T, A, 4, 2, 1>(blocks, weights, sums);
            chains::<T, A, 4, 3, 1>(blocks, weights, sums);
        }
        (4, 4..) => {
            chains::<T, A, 4, 0, 2>(blocks, weights, sums);
            chains::<T, A, 4, 2, 2>(blocks, weights, sums);
        }
        (4, _) => chains::<T, A, 4, 0, 4>(blocks, weights, sums),
        _ => unreachable!("a small matrix has at most {SMALL} columns"),
    }
}

/// The sums of `C` blocks of columns, behind the first `O` of `S`.
///
/// Enough independent sums of each block hide the latency of an addition, and no more than there
/// are registers.
#[inline(always)]
fn chains<T: Real, A: Arch, const S: usize, const O: usize, const C: usize>(
    blocks: &[[T; BLOCK]],
    weights: &[T],
    sums: &mut [[T; BLOCK]],
) {
    let room = A::REGISTERS - 4;
    let rows = blocks.as_chunks::<S>().0;
    let sums: &mut [[T; BLOCK]; C] = (&mut sums[O..O + C]).try_into().expect("C blocks");
    match room / (C * T::Block::<A>::REGISTERS) {
        8.. => interleaved::<T, A, S, O, C, 8>(rows, weights, sums),
        4.. => interleaved::<T, A, S, O, C, 4>(rows, weights, sums),
        2.. => interleaved::<T, A, S, O, C, 2>(rows, weights, sums),
        _ => interleaved::<T, A, S, O, C, 1>(rows, weights, sums),
    }
}

/// `R` sums of each block, over every `R`-th row.
#[inline(always)]
fn interleaved<T: Real, A: Arch, const S: usize, const O: usize, const C: usize, const R: usize>(
    rows: &[[[T; BLOCK]; S]],
    weights: &[T],
    sums: &mut [[T; BLOCK]; C],
) {
    let zero = T::Block::<A>::splat(T::ZERO);
    let one = T::Block::<A>::splat(T::ONE);
    let mut sum = [[zero; C]; R];
    let (groups, last_rows) = rows.as_chunks::<R>();
    let (factors, last_factors) = weights.as_chunks::<R>();
    for (rows, factors) in groups.iter().zip(factors) {
        for r in 0..R {
            let factor = T::Block::<A>::splat(factors[r]);
            for c in 0..C {
                sum[r][c] = T::Block::<A>::load(&rows[r][O + c]).multiply_add(factor, sum[r][c]);
            }
        }
    }
    for (row, &factor) in last_rows.iter().zip(last_factors) {
        let factor = T::Block::<A>::splat(factor);
        for c in 0..C {
            sum[0][c] = T::Block::<A>::load(&row[O + c]).multiply_add(factor, sum[0][c]);
        }
    }
    for r in 1..R {
        for c in 0..C {
            sum[0][c] = sum[r][c].multiply_add(one, sum[0][c]);
        }
    }
    for c in 0..C {
        sum[0][c].store(&mut sums[c]);
    }
}

/// One full iteration in one pass over the matrix: `u = a / (K v)` and `columns = K^T u`, a row's
/// share of the columns added while the row is in the nearest cache.
#[inline(always)]
pub(super) fn fused_pass<T: Real, A: Arch>(
    matrix: &[T],
    width: usize,
    vectors: (&[T], &[T]),
    u: &mut [T],
    columns: &mut [T],
) {
    // Rows together, and rows of those whose sums are taken together.
    match (A::REGISTERS - 4) / T::Block::<A>::REGISTERS {
        8.. => fused_rows::<T, A, 8, 8>(matrix, width, vectors, u, columns),
        4.. => fused_rows::<T, A, 8, 4>(matrix, width, vectors, u, columns),
        2.. => fused_rows::<T, A, 4, 2>(matrix, width, vectors, u, columns),
        _ => fused_rows::<T, A, 4, 1>(matrix, width, vectors, u, columns),
    }
}

#[inline(always)]
fn fused_rows<T: Real, A: Arch, const ROWS: usize, const SUMS: usize>(
    matrix: &[T],
    width: usize,
    (a, v): (&[T], &[T]),
    u: &mut [T],
    columns: &mut [T],
) {
    columns.fill(T::ZERO);
    let (u_blocks, u_last) = u.as_chunks_mut::<ROWS>();
    let blocked = u_blocks.len() * ROWS;
    let (a_blocks, a_last) = a[..blocked + u_last.len()].as_chunks::<ROWS>();
    for ((rows, u), a) in (matrix.chunks_exact(ROWS * width))
        .zip(u_blocks)
        .zip(a_blocks)
    {
        for (part, sums) in u.as_chunks_mut::<SUMS>().0.iter_mut().enumerate() {
            *sums = dots::<T, A, SUMS>(&rows[part * SUMS * width..], width, v);
        }
        for r in 0..ROWS {
            u[r] = quotient(a[r], u[r]);
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

/// Returns the blocks of `R` rows.
#[inline(always)]
fn row_blocks<T: Real, const R: usize>(rows: &[T], width: usize) -> [&[[T; BLOCK]]; R] {
    let count = width / BLOCK;
    // The slice to a common length frees the loops from bounds checks.
    let mut blocks: [&[[T; BLOCK]]; R] = [&[]; R];
    for r in 0..R {
        blocks[r] = &rows[r * width..][..width].as_chunks::<BLOCK>().0[..count];
    }
    blocks
}

/// Dot products of `R` rows with `v`.
#[inline(always)]
fn dots<T: Real, A: Arch, const R: usize>(rows: &[T], width: usize, v: &[T]) -> [T; R] {
    let count = width / BLOCK;
    let rows = row_blocks::<T, R>(rows, width);
    let v = &v.as_chunks::<BLOCK>().0[..count];
    let mut sums = [T::Block::<A>::splat(T::ZERO); R];
    for index in 0..count {
        let v = T::Block::<A>::load(&v[index]);
        for r in 0..R {
            sums[r] = T::Block::<A>::load(&rows[r][index]).multiply_add(v, sums[r]);
        }
    }
    let mut totals = [T::ZERO; R];
    for r in 0..R {
        totals[r] = sums[r].total();
    }
    totals
}

/// Adds `factors_r rows_r` to the columns.
#[inline(always)]
fn add_rows<T: Real, A: Arch, const R: usize>(
    rows: &[T],
    width: usize,
    factors: &[T; R],
    columns: &mut [T],
) {
    let count = width / BLOCK;
    let rows = row_blocks::<T, R>(rows, width);
    let columns = &mut columns.as_chunks_mut::<BLOCK>().0[..count];
    let mut splats = [T::Block::<A>::splat(T::ZERO); R];
    for r in 0..R {
        splats[r] = T::Block::<A>::splat(factors[r]);
    }
    for index in 0..count {
        let mut sum = T::Block::<A>::load(&columns[index]);
        for r in 0..R {
            sum = T::Block::<A>::load(&rows[r][index]).multiply_add(splats[r], sum);
        }
        sum.store(&mut columns[index]);
    }
}

/// Dot product of two padded vectors.
#[inline(always)]
pub(super) fn dot<T: Real, A: Arch>(x: &[T], y: &[T]) -> T {
    let [sum] = dots::<T, A, 1>(x, x.len(), y);
    sum
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

/// Returns the factors of the last block of the costs of a row, zero where full blocks before it reach:
/// costs are not padded, so that block may overlap the one before.
#[inline(always)]
pub(super) fn tail<T: Real>(v: &[T], m: usize) -> [T; BLOCK] {
    let rest = m % BLOCK;
    let mut tail = [T::ZERO; BLOCK];
    tail[BLOCK - rest..].copy_from_slice(&v[m - rest..m]);
    tail
}

/// `sum_j row_j v_j (cost_j - lowest)`; the costs are not padded, so the `tail` of `v` is needed.
#[inline(always)]
pub(super) fn row_cost<T: Real, A: Arch>(
    row: &[T],
    v: &[T],
    tail: &[T; BLOCK],
    cost: &[T],
    lowest: T,
) -> T {
    let mut sum = T::Block::<A>::splat(T::ZERO);
    let (costs, last) = cost.as_chunks::<BLOCK>();
    let (rows, vs) = (row.as_chunks::<BLOCK>().0, v.as_chunks::<BLOCK>().0);
    for ((cost, row), v) in costs.iter().zip(rows).zip(vs) {
        sum = block_cost::<T, A>(row, v, cost, lowest, sum);
    }
    if let (false, Some(cost)) = (last.is_empty(), cost.last_chunk::<BLOCK>()) {
        let row = row[..costs.len() * BLOCK + last.len()].last_chunk::<BLOCK>();
        let row = row.expect("as many as costs");
        return block_cost::<T, A>(row, tail, cost, lowest, sum).total();
    }
    let mut rest = T::ZERO;
    for (l, &cost) in last.iter().enumerate() {
        rest = (row[l] * v[l]).fma::<A>(cost - lowest, rest);
    }
    sum.total() + rest
}

/// `sum + row v (cost - lowest)`, lane by lane.
#[inline(always)]
fn block_cost<T: Real, A: Arch>(
    row: &[T; BLOCK],
    v: &[T; BLOCK],
    cost: &[T; BLOCK],
    lowest: T,
    sum: T::Block<A>,
) -> T::Block<A> {
    let one = T::Block::<A>::splat(T::ONE);
    let mass = T::Block::<A>::load(row);
    let mass = mass.multiply_add(T::Block::<A>::load(v), T::Block::<A>::splat(T::ZERO));
    let above = T::Block::<A>::load(cost);
    let above = above.multiply_add(one, T::Block::<A>::splat(-lowest));
    mass.multiply_add(above, sum)
}

/// `sums = K v`, row by row.
#[inline(always)]
pub(super) fn row_sums<T: Real, A: Arch>(matrix: &[T], width: usize, v: &[T], sums: &mut [T]) {
    for (sum, row) in sums.iter_mut().zip(matrix.chunks_exact(width)) {
        *sum = dot::<T, A>(row, v);
    }
}

/// `columns = K^T u`.
#[inline(always)]
pub(super) fn column_sums<T: Real, A: Arch>(
    matrix: &[T],
    width: usize,
    u: &[T],
    columns: &mut [T],
) {
    columns.fill(T::ZERO);
    for (row, &u) in matrix.chunks_exact(width).zip(u) {
        add_rows::<T, A, 1>(row, width, &[u], columns);
    }
}
