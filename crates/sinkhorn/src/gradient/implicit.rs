//! The derivative of `<P, C>` at the optimum, the plan moving as the cost does.
//!
//! The plan's sums are those that its potentials call for, `P 1 = t(f)` and `P^T 1 = t(g)`, and stay
//! so as the cost changes. With `K = -log(P / a b^T)`, the cost less its potentials in units of
//! epsilon, the derivative is `P (1 + x_i + y_j - K_ij)` for the solution of
//!
//! ```text
//! [ diag(r + s t)      P       ] [x]   [ (P K) 1   - t f / rho ]
//! [     P^T       diag(c + s t)] [y] = [ (P K)^T 1 - t g / rho ]
//! ```
//!
//! where `r` and `c` are the sums of the plan and `s = epsilon / rho` on either side, zero where a
//! marginal is held. `K` stands for `C / epsilon`, to which potentials add only a shift of `x` and
//! `y`, because it stays small wherever there is mass.

use crate::Error;
use crate::cholesky::solve_positive;
use crate::feasible::{column_sums, row_sums};
use crate::log_domain::Support;
use crate::relaxation::Relaxation;

/// Ridges on the matrix, as shares of its diagonal, each tried where the one before left it
/// numerically indefinite. Blocks of a plan that hardly touch leave directions near zero, in which
/// the derivative hardly changes; a ridge keeps them from growing out of rounding.
const RIDGES: [f64; 4] = [1e-13, 1e-11, 1e-9, 1e-7];

/// Returns the derivative on the cells of the support, row by row.
pub(super) fn slope(
    support: &Support,
    epsilon: f64,
    f: &[f64],
    g: &[f64],
) -> Result<Vec<f64>, Error> {
    let m = g.len();
    let plan = support.plan(epsilon, f, g);
    let reduced: Vec<f64> = support
        .by_row
        .chunks_exact(m)
        .zip(f)
        .flat_map(|(costs, f)| costs.iter().zip(g).map(move |(cost, g)| cost - f - g))
        .map(|cost| cost / epsilon)
        .collect();
    // The reduced cost of a forbidden cell is infinite.
    let product = plan.iter().zip(&reduced);
    let product: Vec<f64> = product
        .map(|(p, k)| if *p > 0.0 { p * k } else { 0.0 })
        .collect();
    let rows = Side::new(
        (support.relaxed_rows, epsilon),
        (&support.a, f),
        row_sums(&plan, m),
        row_sums(&product, m),
    );
    let columns = Side::new(
        (support.relaxed_columns, epsilon),
        (&support.b, g),
        column_sums(&plan, m),
        column_sums(&product, m),
    );
    let has_gauge = support.is_balanced();
    let (x, y) = if m <= f.len() {
        solve(&plan, rows, columns, has_gauge)?
    } else {
        let transposed: Vec<f64> = (0..m)
            .flat_map(|j| plan.iter().skip(j).step_by(m).copied())
            .collect();
        let (y, x) = solve(&transposed, columns, rows, has_gauge)?;
        (x, y)
    };
    let rows = plan.chunks_exact(m).zip(reduced.chunks_exact(m)).zip(x);
    Ok(rows
        .flat_map(|((plan, reduced), x)| {
            let cells = plan.iter().zip(reduced).zip(&y);
            cells.map(move |((mass, reduced), y)| match *mass > 0.0 {
                true => mass * (1.0 + x + y - reduced),
                false => 0.0,
            })
        })
        .collect())
}

/// One side's share of the system.
struct Side {
    diagonal: Vec<f64>,
    right: Vec<f64>,
}

impl Side {
    fn new(
        (side, epsilon): (Relaxation, f64),
        (weights, potentials): (&[f64], &[f64]),
        sums: Vec<f64>,
        mut right: Vec<f64>,
    ) -> Self {
        let mut diagonal = sums;
        let targets = side.targets(weights, potentials);
        for (index, target) in targets.iter().enumerate() {
            diagonal[index] += side.stiffness(epsilon) * target;
            right[index] += target * side.log_share(potentials[index]);
            // Where the last mass has been given up there is nothing to solve for.
            if diagonal[index] == 0.0 {
                diagonal[index] = 1.0;
            }
        }
        Self { diagonal, right }
    }
}

/// Eliminates the side that `plan` has as rows and solves for that of its columns.
fn solve(
    plan: &[f64],
    rows: Side,
    columns: Side,
    has_gauge: bool,
) -> Result<(Vec<f64>, Vec<f64>), Error> {
    let m = columns.diagonal.len();
    let mut matrix = vec![0.0; m * m];
    let mut right = columns.right;
    let sides = rows.diagonal.iter().zip(&rows.right);
    for (row, (diagonal, target)) in plan.chunks_exact(m).zip(sides) {
        for (j, mass) in row.iter().enumerate() {
            let share = mass / diagonal;
            if share > 0.0 {
                right[j] -= share * target;
                for (entry, other) in matrix[j * m..].iter_mut().zip(&row[..=j]) {
                    *entry -= share * other;
                }
            }
        }
    }
    if has_gauge {
        // Constants are what the matrix maps to zero; this rank-one term alone sees them, so it
        // fixes the gauge and leaves every other solution as it was.
        let mass: f64 = columns.diagonal.iter().sum();
        for (j, left) in columns.diagonal.iter().enumerate() {
            for (entry, other) in matrix[j * m..].iter_mut().zip(&columns.diagonal[..=j]) {
                *entry += left * other / mass;
            }
        }
    }
    let solved = RIDGES.iter().find_map(|ridge| {
        let (mut matrix, mut values) = (matrix.clone(), right.clone());
        for (j, diagonal) in columns.diagonal.iter().enumerate() {
            matrix[j * m + j] += (1.0 + ridge) * diagonal;
        }
        solve_positive(&mut matrix, &mut values).map(|()| values)
    });
    let y = solved.ok_or(Error::Singular { unknowns: m })?;
    let sides = rows.diagonal.iter().zip(&rows.right);
    let x = plan.chunks_exact(m).zip(sides);
    let x = x
        .map(|(row, (diagonal, right))| {
            let moved: f64 = row.iter().zip(&y).map(|(mass, y)| mass * y).sum();
            (right - moved) / diagonal
        })
        .collect();
    Ok((x, y))
}
