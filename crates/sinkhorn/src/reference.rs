//! Sinkhorn's iterations as they are defined, to hold every faster method against.

use crate::Problem;

/// Returns the plan after `iterations` plain log-domain iterations, each a row and a column update.
pub(crate) fn plan(problem: &Problem, epsilon: f64, iterations: usize) -> Vec<f64> {
    let (n, m) = (problem.cost().n(), problem.cost().m());
    let (a, b) = (problem.a(), problem.b());
    let cost = |i: usize, j: usize| problem.cost().values()[i * m + j];
    let (mut f, mut g) = (vec![0.0; n], vec![0.0; m]);
    for _ in 0..iterations {
        for i in (0..n).filter(|&i| a[i] > 0.0) {
            let kept = (0..m).filter(|&j| b[j] > 0.0);
            f[i] = -epsilon * log_sum_exp(kept.map(|j| b[j].ln() + (g[j] - cost(i, j)) / epsilon));
        }
        for j in (0..m).filter(|&j| b[j] > 0.0) {
            let kept = (0..n).filter(|&i| a[i] > 0.0);
            g[j] = -epsilon * log_sum_exp(kept.map(|i| a[i].ln() + (f[i] - cost(i, j)) / epsilon));
        }
    }
    let mass = |i: usize, j: usize| match a[i] * b[j] {
        0.0 => 0.0,
        weight => weight * ((f[i] + g[j] - cost(i, j)) / epsilon).exp(),
    };
    (0..n * m).map(|cell| mass(cell / m, cell % m)).collect()
}

fn log_sum_exp(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = terms.clone().fold(f64::NEG_INFINITY, f64::max);
    largest + terms.map(|term| (term - largest).exp()).sum::<f64>().ln()
}
