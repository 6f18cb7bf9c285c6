//! What a solver found: potentials, plan, named costs, and how far to trust them.

use crate::Problem;
use crate::log_domain::{Iterate, Support, soft_minimum};

/// How a solve ended. A result that has not converged is data, not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// The marginal error is at most the threshold.
    Converged,
    /// The iterations ran out first.
    MaxIterations,
}

/// Dual potentials of a problem, with `P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon)`.
///
/// Methods that take a problem expect the one that was solved.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    epsilon: f64,
    /// The smallest cost between positive weights, which `f` includes and `centred_f` does not.
    offset: f64,
    centred_f: Vec<f64>,
    f: Vec<f64>,
    g: Vec<f64>,
    iterations: usize,
    marginal_error: f64,
    status: Status,
}

impl Solution {
    /// Spreads potentials on a support over the whole problem and measures their plan.
    pub(crate) fn new(
        problem: &Problem,
        support: &Support,
        epsilon: f64,
        point: &Iterate,
        iterations: usize,
        threshold: f64,
    ) -> Self {
        let marginal_error = support.marginal_error(&support.plan(epsilon, &point.f, &point.g));
        let (m, values) = (problem.cost().m(), problem.cost().values());
        let cost = |i: usize, j: usize| values[i * m + j] - support.offset;
        let centred_f = extended(epsilon, problem.a().len(), &support.rows, &point.f, |i| {
            let columns = support.columns.iter().zip(&point.g).zip(&support.b);
            columns
                .map(|((&j, g), b)| (cost(i, j), g + epsilon * b.ln()))
                .unzip()
        });
        let g = extended(
            epsilon,
            problem.b().len(),
            &support.columns,
            &point.g,
            |j| {
                let rows = support.rows.iter().zip(&point.f).zip(&support.a);
                rows.map(|((&i, f), a)| (cost(i, j), f + epsilon * a.ln()))
                    .unzip()
            },
        );
        let status = if marginal_error <= threshold {
            Status::Converged
        } else {
            Status::MaxIterations
        };
        let or_zero = |potential: Option<f64>| potential.unwrap_or(0.0);
        let f = centred_f
            .iter()
            .map(|f| or_zero(f.map(|f| f + support.offset)))
            .collect();
        let centred_f = centred_f.into_iter().map(or_zero).collect();
        let g = g.into_iter().map(or_zero).collect();
        Self {
            epsilon,
            offset: support.offset,
            centred_f,
            f,
            g,
            iterations,
            marginal_error,
            status,
        }
    }

    /// Row potentials, in units of the cost.
    ///
    /// A constant can move between `f` and `g`; it is chosen so that the `b`-weighted mean of `g` is
    /// zero. A row without mass gets the value that the row update would give it, or zero if its
    /// costs are not finite, so every potential is finite.
    #[must_use]
    pub fn f(&self) -> &[f64] {
        &self.f
    }

    /// Column potentials, in units of the cost; see [`f`](Self::f).
    #[must_use]
    pub fn g(&self) -> &[f64] {
        &self.g
    }

    /// Full iterations done, those of the warm start at larger epsilons included.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// L1 distance of the plan's row sums from `a` plus that of its column sums from `b`.
    #[must_use]
    pub fn marginal_error(&self) -> f64 {
        self.marginal_error
    }

    /// How the solve ended.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Whether the marginal error is at most the threshold.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.status == Status::Converged
    }

    /// The transport plan: `n * m` masses, row by row.
    #[must_use]
    pub fn plan(&self, problem: &Problem) -> Vec<f64> {
        self.cells(problem).map(|cell| cell.mass).collect()
    }

    /// Expected cost `<P, C>` of the plan.
    #[must_use]
    pub fn transport_cost(&self, problem: &Problem) -> f64 {
        let above: f64 = self.cells(problem).map(|cell| cell.mass * cell.cost).sum();
        above + self.offset * self.cells(problem).map(|cell| cell.mass).sum::<f64>()
    }

    /// The primal objective `<P, C> + epsilon KL(P | a b^T)`, where
    /// `KL(P | Q) = sum P log(P / Q) - sum P + sum Q`, so that it is also right for a mass other
    /// than one.
    #[must_use]
    pub fn regularised_cost(&self, problem: &Problem) -> f64 {
        let divergence: f64 = self
            .cells(problem)
            .map(|cell| cell.mass * cell.exponent - cell.mass + cell.reference)
            .sum();
        self.transport_cost(problem) + self.epsilon * divergence
    }

    /// The dual objective `<f, a> + <g, b> - epsilon sum_ij (P_ij - a_i b_j)`: a lower bound of the
    /// least regularised cost, and equal to it at convergence.
    #[must_use]
    pub fn dual_cost(&self, problem: &Problem) -> f64 {
        let inner = |potentials: &[f64], weights: &[f64]| -> f64 {
            potentials
                .iter()
                .zip(weights)
                .map(|(potential, weight)| potential * weight)
                .sum()
        };
        let excess: f64 = self
            .cells(problem)
            .map(|cell| cell.mass - cell.reference)
            .sum();
        inner(&self.f, problem.a()) + inner(&self.g, problem.b()) - self.epsilon * excess
    }

    fn cells(&self, problem: &Problem) -> impl Iterator<Item = Cell> {
        let rows = problem.cost().rows().zip(&self.centred_f).zip(problem.a());
        rows.flat_map(move |((costs, &f), &a)| {
            costs
                .iter()
                .zip(&self.g)
                .zip(problem.b())
                .map(move |((&cost, &g), &b)| {
                    // A cost without mass may be anything, so it must not be touched.
                    if a == 0.0 || b == 0.0 {
                        return Cell::default();
                    }
                    let cost = cost - self.offset;
                    let exponent = (f - cost + g) / self.epsilon;
                    Cell {
                        mass: a * b * exponent.exp(),
                        cost,
                        exponent,
                        reference: a * b,
                    }
                })
        })
    }
}

/// One entry of the plan; all zero without mass.
#[derive(Default)]
struct Cell {
    mass: f64,
    /// Cost less the offset.
    cost: f64,
    /// `log(P_ij / (a_i b_j))`.
    exponent: f64,
    /// `a_i b_j`.
    reference: f64,
}

/// Writes the potentials of a support to their places and fills the others by the update's own
/// formula, from the costs and biases of the opposite side; nothing where that is not finite.
fn extended(
    epsilon: f64,
    length: usize,
    places: &[usize],
    potentials: &[f64],
    opposite: impl Fn(usize) -> (Vec<f64>, Vec<f64>),
) -> Vec<Option<f64>> {
    let mut all = vec![None; length];
    for (&place, &potential) in places.iter().zip(potentials) {
        all[place] = Some(potential);
    }
    let update = |index: usize| {
        let (costs, biases) = opposite(index);
        let value = soft_minimum(&costs, &biases, epsilon);
        value.is_finite().then_some(value)
    };
    all.iter()
        .enumerate()
        .map(|(index, value)| value.or_else(|| update(index)))
        .collect()
}
