//! The derivative of `<P, C>` through the iterations done, last to first.
//!
//! A row update is `f_i = tau (-epsilon log sum_j b_j exp((g_j - C_ij) / epsilon))` up to a
//! constant, with `tau = rho / (rho + epsilon)`. Its derivative by `C_ij` is `tau` times the share
//! of `j` in the sum, and that by `g_j` is the same with the other sign; columns likewise.

use crate::feasible::column_sums;
use crate::log_domain::Support;
use crate::relaxation::Relaxation;
use crate::solution::Start;

/// Returns the derivative on the cells of the support, row by row.
pub(super) fn slope(support: &Support, epsilon: f64, iterations: usize, start: &Start) -> Vec<f64> {
    let (n, m) = (support.a.len(), support.b.len());
    let mut g = start.potentials(m);
    let mut f = support.row_update(epsilon, &g);
    let mut past = Vec::with_capacity(iterations);
    for _ in 1..iterations {
        let next = support.column_update(epsilon, &f);
        past.push((g, f));
        g = next;
        f = support.row_update(epsilon, &g);
    }

    let plan = support.plan(epsilon, &f, &g);
    // Rows that are held carry their mass whatever the costs, so a constant in these adds nothing.
    let constant = if support.relaxed_rows.is_held() {
        0.0
    } else {
        support.offset
    };
    let moved = |(mass, cost): (&f64, &f64)| match *mass > 0.0 {
        true => mass * (cost + constant) / epsilon,
        false => 0.0,
    };
    let moved: Vec<f64> = plan.iter().zip(&support.by_row).map(moved).collect();
    let mut slope: Vec<f64> = plan
        .iter()
        .zip(&moved)
        .map(|(p, moved)| p - moved)
        .collect();
    let mut of_f: Vec<f64> = moved.chunks_exact(m).map(|row| row.iter().sum()).collect();
    let mut of_g = column_sums(&moved, m);
    let mut by_column = vec![0.0; n * m];

    let rows = Update {
        side: support.relaxed_rows,
        epsilon,
        costs: &support.by_row,
        log_weights: &support.log_b,
    };
    let columns = Update {
        side: support.relaxed_columns,
        epsilon,
        costs: &support.by_column,
        log_weights: &support.log_a,
    };
    loop {
        rows.reverse(&g, &of_f, &mut slope, &mut of_g);
        let Some((earlier_g, earlier_f)) = past.pop() else {
            break;
        };
        of_f.fill(0.0);
        columns.reverse(&earlier_f, &of_g, &mut by_column, &mut of_f);
        of_g.fill(0.0);
        g = earlier_g;
    }
    for (i, row) in slope.chunks_exact_mut(m).enumerate() {
        let column = by_column.iter().skip(i).step_by(n);
        row.iter_mut()
            .zip(column)
            .for_each(|(cell, more)| *cell += more);
    }
    add_start(support, start, &of_g, &mut slope);
    slope
}

/// Level potentials have a share of the smallest cost in them, and move with it.
fn add_start(support: &Support, start: &Start, of_g: &[f64], slope: &mut [f64]) {
    let rho = [support.relaxed_rows.rho(), support.relaxed_columns.rho()];
    let share = Relaxation::sides(rho, 1.0)[1].offset();
    let smallest = support.by_row.iter().position(|cost| *cost == 0.0);
    if let (Start::Level, Some(cell)) = (start, smallest) {
        slope[cell] += share * of_g.iter().sum::<f64>();
    }
}

/// One side's update, the costs given line by line of that side.
struct Update<'a> {
    side: Relaxation,
    epsilon: f64,
    costs: &'a [f64],
    log_weights: &'a [f64],
}

impl Update<'_> {
    /// Adds to the derivatives by costs and opposite potentials what reaches them through the
    /// updated potentials, the derivative by which is `of_updated`.
    fn reverse(
        &self,
        opposite: &[f64],
        of_updated: &[f64],
        of_costs: &mut [f64],
        of_opposite: &mut [f64],
    ) {
        let damping = 1.0 / (1.0 + self.side.stiffness(self.epsilon));
        let length = opposite.len();
        let mut shares = vec![0.0; length];
        let lines = self
            .costs
            .chunks_exact(length)
            .zip(of_costs.chunks_exact_mut(length));
        for ((costs, of_costs), of_updated) in lines.zip(of_updated) {
            self.shares(costs, opposite, &mut shares);
            let above = damping * of_updated;
            for (j, share) in shares.iter().enumerate() {
                of_costs[j] += above * share;
                of_opposite[j] -= above * share;
            }
        }
    }

    /// What part of a line's sum each term is.
    fn shares(&self, costs: &[f64], opposite: &[f64], shares: &mut [f64]) {
        let terms = costs.iter().zip(opposite).zip(self.log_weights);
        for (share, ((cost, potential), log_weight)) in shares.iter_mut().zip(terms) {
            *share = (potential - cost) / self.epsilon + log_weight;
        }
        let largest = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut sum = 0.0;
        for share in shares.iter_mut() {
            *share = (*share - largest).exp();
            sum += *share;
        }
        shares.iter_mut().for_each(|share| *share /= sum);
    }
}
