//! The dual of a barycentre, for Newton steps where first-order iterations crawl.
//!
//! With the column potentials eliminated by their exact update, the dual is
//! `sum_k lambda_k <f_k, a_k> - epsilon sum_j b_j`, a concave function of the row potentials of all
//! measures without constraints. Here `b_j = prod_k S_kj^lambda_k` and
//! `S_kj = sum_i a_ki exp((f_ki - C_kij) / epsilon)`, of which row `i` has the share `p_kij`. Its
//! gradient is `lambda_k (a_ki - r_ki)`, `r` being the row sums of the plans `b_j p_kij`, and its
//! Hessian, in units of `-1 / epsilon`,
//!
//! ```text
//! diag(lambda_k r_ki) + sum_j b_j (w_j w_j^T - blocks(lambda_k p_kj p_kj^T)),   w_j = (lambda_k p_kij)
//! ```
//!
//! Points where the barycentre has no mass take no part in it.

use super::iteration::Iteration;
use crate::engine::Direction;

/// The dual at row potentials of all measures, one measure behind the other.
pub(super) struct Dual {
    pub f: Vec<f64>,
    /// The column potentials that are best for `f`, likewise.
    pub columns: Vec<f64>,
    weights: Vec<f64>,
    /// `p_kij`: for each measure the rows' shares, row by row.
    shares: Vec<Vec<f64>>,
    sums: Vec<f64>,
    pub value: f64,
    /// L1 distances of the plans' row sums from the measures, averaged by the shares.
    pub error: f64,
}

impl Dual {
    pub(super) fn at(iteration: &Iteration, epsilon: f64, f: Vec<f64>) -> Self {
        let m = iteration.m;
        let mut log_weights = vec![0.0; m];
        let (mut columns, mut shares) = (Vec::new(), Vec::new());
        let (mut value, mut first) = (0.0, 0);
        for coupling in &iteration.couplings {
            let f = &f[first..first + coupling.a.len()];
            first += f.len();
            let g = iteration.column_update(coupling, epsilon, f);
            for (weight, g) in log_weights.iter_mut().zip(&g) {
                *weight -= coupling.share * g / epsilon;
            }
            let terms = coupling.a.iter().zip(f);
            value += coupling.share * terms.clone().map(|(a, f)| a * f).sum::<f64>();
            let rows = iteration.rows(coupling).zip(terms);
            let cells = rows.flat_map(|(costs, (a, f))| {
                let cells = costs.iter().zip(&g);
                cells.map(move |(cost, g)| a * ((f - cost + g) / epsilon).exp())
            });
            shares.push(cells.collect::<Vec<f64>>());
            columns.extend(g);
        }
        for columns in columns.chunks_exact_mut(m) {
            for (g, weight) in columns.iter_mut().zip(&log_weights) {
                *g += epsilon * weight;
            }
        }
        let weights: Vec<f64> = log_weights.iter().map(|weight| weight.exp()).collect();
        value -= epsilon * weights.iter().sum::<f64>();
        let (mut sums, mut error) = (Vec::with_capacity(f.len()), 0.0);
        for (coupling, shares) in iteration.couplings.iter().zip(&shares) {
            for (shares, a) in shares.chunks_exact(m).zip(&coupling.a) {
                let sum: f64 = shares.iter().zip(&weights).map(|(p, b)| p * b).sum();
                error += coupling.share * (sum - a).abs();
                sums.push(sum);
            }
        }
        Self {
            f,
            columns,
            weights,
            shares,
            sums,
            value,
            error,
        }
    }

    /// Solves the Hessian's system; nothing if that fails numerically.
    pub(super) fn direction(&self, iteration: &Iteration, epsilon: f64) -> Option<Direction> {
        let (n, m) = (self.f.len(), iteration.m);
        let mut hessian = vec![0.0; n * n];
        let mut column: Vec<f64> = Vec::with_capacity(n);
        for (j, weight) in self.weights.iter().enumerate() {
            column.clear();
            for shares in &self.shares {
                column.extend(shares.iter().skip(j).step_by(m));
            }
            let mut first = 0;
            for coupling in &iteration.couplings {
                let own = first..first + coupling.a.len();
                for row in own.clone() {
                    let scale = weight * coupling.share * column[row];
                    if scale == 0.0 {
                        continue;
                    }
                    let entries = &mut hessian[row * n..row * n + row + 1];
                    let mut earlier = 0;
                    for other in &iteration.couplings {
                        let places = earlier..(earlier + other.a.len()).min(row + 1);
                        earlier += other.a.len();
                        let factor = if places.start == own.start {
                            scale * (other.share - 1.0)
                        } else {
                            scale * other.share
                        };
                        let cells = entries[places.clone()].iter_mut();
                        for (entry, share) in cells.zip(&column[places]) {
                            *entry += factor * share;
                        }
                        if earlier > row {
                            break;
                        }
                    }
                }
                first = own.end;
            }
        }
        let shares = iteration.couplings.iter();
        let shares = shares.flat_map(|coupling| coupling.a.iter().map(|a| (*a, coupling.share)));
        let sides = shares.zip(&self.sums);
        let (masses, gradient): (Vec<f64>, Vec<f64>) = sides
            .map(|((a, share), sum)| (share * sum, share * (a - sum)))
            .unzip();
        let diagonal = |i: usize, ridge: f64| (1.0 + ridge) * masses[i];
        Direction::solve(&hessian, diagonal, &gradient, epsilon, iteration.spread)
    }
}
