//! Damped Newton steps on the dual of a barycentre, where first-order iterations crawl.
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

use super::iteration::{Iteration, Point};
use crate::cholesky::solve_positive;
use crate::newton::{Place, RIDGES, ROUNDING, SHORTEST, search};

/// Rows of all measures together above which a dense factorisation costs more than it saves.
pub(super) const LARGEST: usize = crate::newton::LARGEST;

/// Steps until the error is at most `threshold`, no step helps, or `budget` evaluations are spent.
/// Returns the last point and the evaluations used.
pub(super) fn descend(
    iteration: &Iteration,
    epsilon: f64,
    threshold: f64,
    budget: usize,
    start: Point,
) -> (Point, usize) {
    let mut used = 0;
    let mut point = start;
    let mut current = Dual::at(iteration, epsilon, iteration.rows_of(epsilon, &point));
    while point.error > threshold && used < budget {
        let Some(direction) = current.direction(iteration, epsilon) else {
            break;
        };
        let size = iteration.spread * iteration.mass;
        let rounding = ROUNDING * size.max(current.value.abs());
        let shortest = SHORTEST * (epsilon / direction.reach).min(1.0);
        let place = Place {
            dual: current.value,
            error: current.error,
            slope: direction.slope,
        };
        let accepted = search(place, rounding, shortest, budget, &mut used, |length| {
            let steps = current.f.iter().zip(&direction.values);
            let f = steps.map(|(f, value)| f + length * value).collect();
            let trial = Dual::at(iteration, epsilon, f);
            (trial.value, trial.error, trial)
        });
        let Some(trial) = accepted else { break };
        current = trial;
        point = iteration.evaluate(epsilon, current.columns.clone());
    }
    (point, used)
}

/// The dual at row potentials of all measures, one measure behind the other.
struct Dual {
    f: Vec<f64>,
    /// The column potentials that are best for `f`, likewise.
    columns: Vec<f64>,
    weights: Vec<f64>,
    /// `p_kij`: for each measure the rows' shares, row by row.
    shares: Vec<Vec<f64>>,
    sums: Vec<f64>,
    value: f64,
    /// L1 distances of the plans' row sums from the measures, averaged by the shares.
    error: f64,
}

impl Dual {
    fn at(iteration: &Iteration, epsilon: f64, f: Vec<f64>) -> Self {
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
    fn direction(&self, iteration: &Iteration, epsilon: f64) -> Option<Direction> {
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
        let sides: Vec<(f64, f64)> = shares
            .zip(&self.sums)
            .map(|((a, share), sum)| (share * sum, share * (a - sum)))
            .collect();
        let mut values = RIDGES.iter().find_map(|ridge| {
            let mut matrix = hessian.clone();
            for (i, (diagonal, _)) in sides.iter().enumerate() {
                matrix[i * n + i] += (1.0 + ridge) * diagonal;
            }
            let mut values: Vec<f64> = sides.iter().map(|(_, slope)| epsilon * slope).collect();
            solve_positive(&mut matrix, &mut values).map(|()| values)
        })?;
        let largest = |reach: f64, value: &f64| reach.max(value.abs());
        let reach = values.iter().fold(0.0, largest);
        // Potentials of a plan differ by no more than the costs do, and a little for epsilon.
        let scale = ((iteration.spread + epsilon) / reach).min(1.0);
        values.iter_mut().for_each(|value| *value *= scale);
        let slope = values
            .iter()
            .zip(&sides)
            .map(|(value, (_, slope))| value * slope);
        Some(Direction {
            slope: slope.sum(),
            reach: reach * scale,
            values,
        })
    }
}

/// A Newton direction in `f`, shortened to what the costs can justify.
struct Direction {
    values: Vec<f64>,
    /// Derivative of the dual along it.
    slope: f64,
    /// Largest absolute value.
    reach: f64,
}
