//! Exact optimal transport, with potentials that prove it.
//!
//! A plan `P` and potentials with `f_i + g_j <= C_ij` everywhere prove each other: whatever plan is
//! compared costs at least `<f, a> + <g, b>`, which `P` exceeds by `sum_ij P_ij (C_ij - f_i - g_j)`
//! (Kantorovich 1942; Peyré and Cuturi 2019, "Computational Optimal Transport", section 3.3).

mod certificate;
pub(crate) mod padded;
pub(crate) mod scan;
mod simplex;
mod tree;

use certificate::{Cell, Claim, Kept, ROUNDING};
use simplex::{Simplex, Solve};

use crate::log_domain::Support;
use crate::problem::{check_costs, check_weights};
use crate::real::Real;
use crate::{Batch, Error, Instructions, Problem, Status};

/// The plan of least cost, with potentials that prove it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExactSolution {
    plan: Vec<f64>,
    f: Vec<f64>,
    g: Vec<f64>,
    transport_cost: f64,
    duality_gap: f64,
    marginal_error: f64,
    iterations: usize,
    status: Status,
}

impl ExactSolution {
    /// Solves `min <P, C>` over plans with row sums `a` and column sums `b`.
    ///
    /// # Errors
    /// [`Error::MassMismatch`] if the sides differ in mass, [`Error::OutOfRange`] if the costs
    /// spread beyond the range of numbers.
    pub fn of(problem: &Problem) -> Result<Self, Error> {
        problem.check_balanced()?;
        Solver::default().solve(problem.cost().values(), problem.a(), problem.b())
    }

    /// Solves every problem of a batch, in one memory.
    ///
    /// # Errors
    /// [`Error::InBatch`] around the first problem's refusal, as by
    /// [`Problem::new`](crate::Problem::new) and [`of`](Self::of).
    pub fn of_batch<T: Real>(batch: &Batch<'_, T>) -> Result<Vec<Self>, Error> {
        let mut solver = Solver::default();
        let solved = batch.problems().enumerate().map(|(problem, (cost, a, b))| {
            let solution = check_weights(&a, &b).and_then(|()| solver.solve(cost, &a, &b));
            solution.map_err(|error| Error::InBatch {
                problem,
                error: Box::new(error),
            })
        });
        solved.collect()
    }

    /// Spreads a plan on a support over the whole problem, with potentials made feasible there from
    /// the column potentials `g`; it has converged if the gap between them is at most `threshold`
    /// times the spread and the mass.
    pub(crate) fn on(
        problem: &Problem,
        support: &Support,
        plan: &[f64],
        g: Vec<f64>,
        iterations: usize,
        threshold: f64,
    ) -> Self {
        let m = support.b.len();
        let cells = plan.iter().zip(&support.by_row).enumerate();
        let kept = Kept {
            cost: problem.cost().values(),
            a: problem.a(),
            b: problem.b(),
            rows: &support.rows,
            columns: &support.columns,
        };
        kept.prove(Claim {
            cells: cells.map(|(cell, (&mass, &cost))| Cell {
                row: cell / m,
                column: cell % m,
                mass,
                cost,
            }),
            potentials: (minima(&support.by_row, &g), g),
            offset: support.offset,
            spread: support.spread,
            iterations,
            threshold,
        })
    }

    /// The plan: `n * m` masses, row by row, at most `n + m - 1` of them positive unless several
    /// plans cost the same.
    #[must_use]
    pub fn plan(&self) -> &[f64] {
        &self.plan
    }

    /// Row potentials, in units of the cost: `f_i + g_j <= C_ij` between positive weights. A row
    /// without mass gets the largest value that its finite costs allow.
    #[must_use]
    pub fn f(&self) -> &[f64] {
        &self.f
    }

    /// Column potentials, of `b`-weighted mean zero; see [`f`](Self::f).
    #[must_use]
    pub fn g(&self) -> &[f64] {
        &self.g
    }

    /// `<P, C>`.
    #[must_use]
    pub fn transport_cost(&self) -> f64 {
        self.transport_cost
    }

    /// `<f, a> + <g, b>`: no plan costs less.
    #[must_use]
    pub fn dual_cost(&self) -> f64 {
        self.transport_cost - self.duality_gap
    }

    /// What the plan costs above the proven least: zero up to rounding, computed on costs less
    /// their minimum.
    #[must_use]
    pub fn duality_gap(&self) -> f64 {
        self.duality_gap
    }

    /// L1 distance of the plan's row sums from `a` plus that of its column sums from `b`.
    #[must_use]
    pub fn marginal_error(&self) -> f64 {
        self.marginal_error
    }

    /// Paths along which mass was moved; of the proximal point method, the inner iterations.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// How the solve ended.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Whether plan and potentials prove each other to the threshold.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.status == Status::Converged
    }
}

/// The method with its memory, and which rows and columns carry mass.
#[derive(Default)]
struct Solver {
    simplex: Simplex,
    rows: Vec<usize>,
    columns: Vec<usize>,
}

impl Solver {
    /// Solves a problem of checked weights.
    fn solve<T: Real>(&mut self, cost: &[T], a: &[T], b: &[T]) -> Result<ExactSolution, Error> {
        for (places, weights) in [(&mut self.rows, a), (&mut self.columns, b)] {
            places.clear();
            places.extend((0..weights.len()).filter(|&place| weights[place] > T::ZERO));
        }
        let kept = Kept {
            cost,
            a,
            b,
            rows: &self.rows,
            columns: &self.columns,
        };
        let exchanges = Instructions::detected().run(Solve {
            simplex: &mut self.simplex,
            problem: &kept,
        });
        let iterations = match exchanges {
            Ok(exchanges) => exchanges,
            Err(spread) => {
                check_costs(cost, a, b)?;
                return Err(out_of_range(spread));
            }
        };
        Ok(kept.prove(Claim {
            cells: self.simplex.cells(),
            potentials: self.simplex.potentials(),
            offset: self.simplex.offset(),
            spread: self.simplex.spread(),
            iterations,
            threshold: ROUNDING,
        }))
    }
}

/// Refuses costs whose differences leave the range of numbers.
pub(crate) fn check_spread(spread: f64) -> Result<(), Error> {
    if spread.is_finite() {
        return Ok(());
    }
    Err(out_of_range(spread))
}

pub(crate) fn out_of_range(spread: f64) -> Error {
    Error::OutOfRange {
        epsilon: 0.0,
        spread,
    }
}

/// `min_j (C_ij - g_j)` for each row: the largest feasible row potentials.
fn minima(by_row: &[f64], g: &[f64]) -> Vec<f64> {
    let least = |row: &[f64]| {
        row.iter()
            .zip(g)
            .map(|(cost, g)| cost - g)
            .fold(f64::INFINITY, f64::min)
    };
    by_row.chunks_exact(g.len()).map(least).collect()
}

#[cfg(test)]
mod tests;
