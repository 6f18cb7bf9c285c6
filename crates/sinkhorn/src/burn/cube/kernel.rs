//! The kernel: scaling iterations on an absorbed kernel matrix, all of a problem in one cube.
//!
//! Unit `k` owns row `k` and column `k`. The matrix `Q_ij = a_i b_j exp(f_i + g_j - C_ij / epsilon)`
//! stands in shared memory, or in a scratch tensor where it does not fit; its factors `u` and `v`
//! are absorbed into the potentials every few iterations, which keeps them near one, as in
//! `library`. Padding is never read: a zero weight makes its cells of `Q` and its factors zero.

#![allow(
    clippy::needless_range_loop,
    reason = "a kernel has ranges, and no iterators over slices"
)]

use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// Iterations between two absorptions, and between two looks at the marginal error.
const ITERATIONS_PER_KERNEL: usize = 8;

/// Stands in for the cost of padding where minima are taken.
const PADDED_COST: f32 = 1e30;

/// Smallest divisor of a scaling update.
const TINY: f32 = 1e-30;

/// Shared memory of a cube with this number of units, matrix included.
pub(super) fn shared_bytes(units: usize) -> usize {
    (units * (units + 1) + 5 * units) * size_of::<f32>()
}

/// Sizes and stopping rule, the same for all problems.
#[derive(CubeType, CubeLaunch, Clone)]
pub(super) struct Settings {
    problems: usize,
    n: usize,
    m: usize,
    epsilon: f32,
    iterations: usize,
    threshold: f32,
}

/// Writes the potentials of every problem to `f` and `g`, and to `ends` its marginal error and
/// the iterations it needed.
#[cube(launch)]
pub(super) fn whole_solve(
    cost: &[f32],
    a: &[f32],
    b: &[f32],
    f: &mut [f32],
    g: &mut [f32],
    ends: &mut [f32],
    scratch: &mut [f32],
    rules: &Settings,
    #[comptime] units: usize,
    #[comptime] in_shared: bool,
    #[comptime] stops: bool,
) {
    let problem = CUBE_POS;
    if problem >= rules.problems {
        terminate!();
    }
    if comptime!(in_shared) {
        // One more than the units keeps the units of a row update on different banks.
        let stride = comptime!(units + 1);
        let mut matrix = Shared::<[f32]>::new_slice(comptime!(units * (units + 1)));
        solve_one(
            cost,
            a,
            b,
            f,
            g,
            ends,
            &mut matrix,
            rules,
            problem,
            0usize,
            stride,
            units,
            stops,
        );
    } else {
        let first = problem * rules.n * rules.m;
        solve_one(
            cost, a, b, f, g, ends, scratch, rules, problem, first, rules.m, units, stops,
        );
    }
}

/// Solves one problem, whose matrix starts at `first` and has rows `stride` apart.
#[cube]
fn solve_one(
    cost: &[f32],
    a: &[f32],
    b: &[f32],
    f_out: &mut [f32],
    g_out: &mut [f32],
    ends: &mut [f32],
    matrix: &mut [f32],
    rules: &Settings,
    problem: usize,
    first: usize,
    stride: usize,
    #[comptime] units: usize,
    #[comptime] stops: bool,
) {
    let mut f = Shared::<[f32]>::new_slice(units);
    let mut g = Shared::<[f32]>::new_slice(units);
    let mut u = Shared::<[f32]>::new_slice(units);
    let mut v = Shared::<[f32]>::new_slice(units);
    let mut errors = Shared::<[f32]>::new_slice(units);

    let unit = UNIT_POS as usize;
    let n = rules.n;
    let m = rules.m;
    let cells = problem * n * m;
    let rows = problem * n;
    let columns = problem * m;
    let scale = 1.0f32 / rules.epsilon;
    let mut a_unit = f32::new(0.0);
    let mut b_unit = f32::new(0.0);
    if unit < n {
        a_unit = a[rows + unit];
    }
    if unit < m {
        b_unit = b[columns + unit];
    }

    // Row minima, then column minima of what is left of them: the largest exponent of every row and
    // column is then zero.
    if unit < m {
        for i in 0..n {
            let mut scaled = f32::new(PADDED_COST);
            if b_unit > 0.0f32 && a[rows + i] > 0.0f32 {
                scaled = cost[cells + i * m + unit] * scale;
            }
            matrix[first + i * stride + unit] = scaled;
        }
    }
    sync_cube();
    let mut smallest = f32::new(PADDED_COST);
    if unit < n {
        for j in 0..m {
            smallest = min(smallest, matrix[first + unit * stride + j]);
        }
    }
    f[unit] = select(a_unit > 0.0f32, smallest, 0.0f32);
    u[unit] = select(a_unit > 0.0f32, 1.0f32, 0.0f32);
    v[unit] = select(b_unit > 0.0f32, 1.0f32, 0.0f32);
    sync_cube();
    let mut left = f32::new(PADDED_COST);
    if unit < m {
        for i in 0..n {
            left = min(left, matrix[first + i * stride + unit] - f[i]);
        }
    }
    g[unit] = select(b_unit > 0.0f32, left, 0.0f32);
    sync_cube();
    fill(
        cost, a, matrix, &f, &g, b_unit, rules, problem, first, stride,
    );
    sync_cube();

    let mut needed = rules.iterations;
    for iteration in 0..rules.iterations {
        if iteration % comptime!(ITERATIONS_PER_KERNEL) == 1 {
            if comptime!(stops) {
                let error =
                    marginal_error(&*matrix, &u, &v, &mut errors, b_unit, n, m, first, stride);
                if error <= rules.threshold {
                    needed = iteration;
                    break;
                }
            }
            absorb(&mut f, &mut u, a_unit);
            absorb(&mut g, &mut v, b_unit);
            sync_cube();
            fill(
                cost, a, matrix, &f, &g, b_unit, rules, problem, first, stride,
            );
            sync_cube();
        }
        if unit < m {
            let sum = column_sum(&*matrix, &u, n, first, stride);
            v[unit] = select(b_unit > 0.0f32, b_unit / max(sum, TINY), 0.0f32);
        }
        sync_cube();
        if unit < n {
            let mut sum = f32::new(0.0);
            for j in 0..m {
                sum += matrix[first + unit * stride + j] * v[j];
            }
            u[unit] = select(a_unit > 0.0f32, a_unit / max(sum, TINY), 0.0f32);
        }
        sync_cube();
    }

    let error = marginal_error(&*matrix, &u, &v, &mut errors, b_unit, n, m, first, stride);
    absorb(&mut f, &mut u, a_unit);
    absorb(&mut g, &mut v, b_unit);
    if unit < n {
        f_out[rows + unit] = f[unit] * rules.epsilon;
    }
    if unit < m {
        g_out[columns + unit] = g[unit] * rules.epsilon;
    }
    if unit == 0 {
        ends[2 * problem] = error;
        ends[2 * problem + 1] = f32::cast_from(needed);
    }
}

/// Moves this unit's factor into its potential.
#[cube]
fn absorb(potentials: &mut [f32], factors: &mut [f32], weight: f32) {
    let unit = UNIT_POS as usize;
    if weight > 0.0f32 {
        potentials[unit] += max(factors[unit], TINY).ln();
        factors[unit] = 1.0f32;
    }
}

/// Writes this unit's column of the matrix.
#[cube]
fn fill(
    cost: &[f32],
    a: &[f32],
    matrix: &mut [f32],
    f: &[f32],
    g: &[f32],
    b_unit: f32,
    rules: &Settings,
    problem: usize,
    first: usize,
    stride: usize,
) {
    let unit = UNIT_POS as usize;
    let n = rules.n;
    let m = rules.m;
    let scale = 1.0f32 / rules.epsilon;
    if unit < m {
        for i in 0..n {
            let mut mass = f32::new(0.0);
            let weight = a[problem * n + i] * b_unit;
            if weight > 0.0f32 {
                // Subtracting before adding keeps the digits that the large terms share.
                let scaled = cost[(problem * n + i) * m + unit] * scale;
                mass = weight * (f[i] - scaled + g[unit]).exp();
            }
            matrix[first + i * stride + unit] = mass;
        }
    }
}

/// Sum of this unit's column, weighed by the row factors.
#[cube]
fn column_sum(matrix: &[f32], u: &[f32], n: usize, first: usize, stride: usize) -> f32 {
    let unit = UNIT_POS as usize;
    let mut sum = f32::new(0.0);
    for i in 0..n {
        sum += matrix[first + i * stride + unit] * u[i];
    }
    sum
}

/// L1 distance of the column sums from their weights, the same number in every unit.
#[cube]
fn marginal_error(
    matrix: &[f32],
    u: &[f32],
    v: &[f32],
    errors: &mut [f32],
    b_unit: f32,
    n: usize,
    m: usize,
    first: usize,
    stride: usize,
) -> f32 {
    let unit = UNIT_POS as usize;
    if unit < m {
        errors[unit] = (column_sum(matrix, u, n, first, stride) * v[unit] - b_unit).abs();
    }
    sync_cube();
    let mut error = f32::new(0.0);
    for j in 0..m {
        error += errors[j];
    }
    // Nobody may write the next errors before all have read these.
    sync_cube();
    error
}
