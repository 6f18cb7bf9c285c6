//! Damped Newton steps on the dual, for problems on which first-order iterations crawl.
//!
//! With `f` eliminated by its exact update, the dual is a concave function of `g` with gradient
//! `t - c`, `c` being the column sums of the plan and `t` those that `g` calls for, and Hessian
//! `-(diag(c + s_b t) - P^T diag(1/r) P / (1 + s_a)) / epsilon`, `r` being the row sums that `f`
//! calls for and `s = epsilon / rho` of either side. Where the marginals are held, `t = b`, `r = a`
//! and `s = 0` (Brauer, Clason, Lorenz and Wirth 2017, "A Sinkhorn-Newton method for entropic optimal
//! transport").

use crate::cholesky::solve_positive;
use crate::log_domain::{Iterate, Support};
use crate::watch::Watch;

/// Columns above which a dense factorisation costs more than it saves.
pub(crate) const LARGEST: usize = 512;

/// Ridges on the Hessian, as shares of its diagonal, each tried where the one before left it
/// numerically indefinite. The Hessian is singular along constants, and nearly so where the plan
/// falls into blocks that exchange almost no mass.
pub(crate) const RIDGES: [f64; 4] = [1e-12, 1e-10, 1e-8, 1e-6];

/// Share of the rise of the dual, or of the fall of the marginal error, that the first-order model
/// promises and a step has to deliver.
const SUFFICIENT: f64 = 0.05;

/// Changes of the dual below this share of it, or of the cost's spread, are rounding.
pub(crate) const ROUNDING: f64 = 1e-14;

/// Steps shorter than this share of both epsilon and the direction are left to first-order
/// iterations.
pub(crate) const SHORTEST: f64 = 0.01;

/// Steps until the marginal error is at most `threshold`, no step helps, or `budget` evaluations
/// are spent. Returns the last point and the evaluations used.
///
/// A step is accepted if the dual rises enough. The marginal error alone would not do: a block of
/// the plan with more mass in its rows than in its columns has to travel many epsilons before it
/// touches another, and all that way the error stands still. Where the rise drowns in rounding, at
/// the end, the error decides.
pub(crate) fn descend(
    support: &Support,
    epsilon: f64,
    threshold: f64,
    budget: usize,
    start: Iterate,
    watch: &mut Watch<'_>,
) -> (Iterate, usize) {
    let mut current = start;
    let mut used = 0;
    while !watch.is_stopped() && !support.is_solved(epsilon, &current, threshold) {
        let Some(direction) = Direction::at(support, epsilon, &current) else {
            break;
        };
        let rounding = ROUNDING * support.spread.max(current.dual.abs());
        let shortest = SHORTEST * (epsilon / direction.reach).min(1.0);
        let place = Place {
            dual: current.dual,
            error: current.error,
            slope: direction.slope,
        };
        let accepted = search(place, rounding, shortest, budget, &mut used, |length| {
            let steps = current.g.iter().zip(&direction.values);
            let g = steps.map(|(g, value)| g + length * value).collect();
            let trial = support.evaluate(epsilon, g);
            watch.see(epsilon, trial.error);
            (trial.dual, trial.error, trial)
        });
        let Some(trial) = accepted else { break };
        current = trial;
    }
    (current, used)
}

/// A point from which a step is tried: its dual, its marginal error, and the dual's slope along the
/// step.
pub(crate) struct Place {
    pub dual: f64,
    pub error: f64,
    pub slope: f64,
}

/// Halves a step until the dual rises enough, or stands still and the error falls enough; nothing if
/// none `shortest` or longer does, or `budget` evaluations are spent. `at` gives the dual, the
/// error and the point at a length.
pub(crate) fn search<P>(
    from: Place,
    rounding: f64,
    shortest: f64,
    budget: usize,
    used: &mut usize,
    mut at: impl FnMut(f64) -> (f64, f64, P),
) -> Option<P> {
    let mut length = 1.0;
    while *used < budget && length >= shortest {
        let (dual, error, point) = at(length);
        *used += 1;
        let rise = dual - from.dual;
        let rises = rise > rounding && rise >= SUFFICIENT * length * from.slope;
        let falls = error <= (1.0 - SUFFICIENT * length) * from.error;
        if rises || (falls && rise >= -rounding) {
            return Some(point);
        }
        length /= 2.0;
    }
    None
}

/// A Newton direction in `g`, shortened to what the costs can justify.
struct Direction {
    values: Vec<f64>,
    /// Derivative of the dual along it.
    slope: f64,
    /// Largest absolute value.
    reach: f64,
}

impl Direction {
    /// Solves the Hessian's system; nothing if that fails numerically.
    fn at(support: &Support, epsilon: f64, point: &Iterate) -> Option<Self> {
        let m = support.b.len();
        let plan = support.plan(epsilon, &point.f, &point.g);
        let mut columns = vec![0.0; m];
        let mut hessian = vec![0.0; m * m];
        let (rows, targets) = (&support.relaxed_rows, &support.relaxed_columns);
        let curvature = 1.0 + rows.stiffness(epsilon);
        let stiffness = targets.stiffness(epsilon);
        let sums = rows.targets(&support.a, &point.f);
        let targets = targets.targets(&support.b, &point.g);
        for (row, sum) in plan.chunks_exact(m).zip(sums) {
            for (j, mass) in row.iter().enumerate() {
                columns[j] += mass;
                let share = mass / (sum * curvature);
                if share > 0.0 {
                    for (entry, other) in hessian[j * m..].iter_mut().zip(&row[..=j]) {
                        *entry -= share * other;
                    }
                }
            }
        }
        let gradient: Vec<f64> = targets.iter().zip(&columns).map(|(t, c)| t - c).collect();
        let mut values = RIDGES.iter().find_map(|ridge| {
            let mut matrix = hessian.clone();
            for (j, (column, target)) in columns.iter().zip(&targets).enumerate() {
                matrix[j * m + j] += column + stiffness * target + ridge * column.max(*target);
            }
            let mut values: Vec<f64> = gradient.iter().map(|value| epsilon * value).collect();
            solve_positive(&mut matrix, &mut values).map(|()| values)
        })?;

        let reach = values
            .iter()
            .fold(0.0_f64, |reach, value| reach.max(value.abs()));
        // Potentials of a plan differ by no more than the costs do, and a little for epsilon.
        let scale = ((support.spread + epsilon) / reach).min(1.0);
        values.iter_mut().for_each(|value| *value *= scale);
        let slope = values
            .iter()
            .zip(&gradient)
            .map(|(value, gradient)| value * gradient)
            .sum();
        Some(Self {
            values,
            slope,
            reach: reach * scale,
        })
    }
}
