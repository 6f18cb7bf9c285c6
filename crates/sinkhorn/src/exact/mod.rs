//! Exact optimal transport, with potentials that prove it.
//!
//! A plan `P` and potentials with `f_i + g_j <= C_ij` everywhere prove each other: whatever plan is
//! compared costs at least `<f, a> + <g, b>`, which `P` exceeds by `sum_ij P_ij (C_ij - f_i - g_j)`
//! (Kantorovich 1942; Peyré and Cuturi 2019, "Computational Optimal Transport", section 3.3).

pub(crate) mod ceiling;
mod certificate;
pub(crate) mod padded;
pub(crate) mod room;
pub(crate) mod scan;
mod simplex;
mod tree;

use ceiling::{Ceiling, Seen};
pub(crate) use certificate::ROUNDING;
use certificate::{Cell, Claim, Kept};
use simplex::{Pricing, Simplex, Solve};

use crate::log_domain::Support;
use crate::problem::{check_costs, check_weights};
use crate::real::{Lanes, Real};
use crate::{Batch, Error, Instructions, Problem, Report, Status};

/// The plan of least cost, with potentials that prove it.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
    /// [`Error::MassMismatch`] if the sides differ in mass, [`Error::Blocked`] if no plan does
    /// without the cells that an infinite cost forbids, [`Error::OutOfRange`] if the cost of the plan
    /// is beyond the range of numbers.
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
    /// times the plan's cost above the least or, where that is more, `scale` times the mass.
    pub(crate) fn on(
        problem: &Problem,
        support: &Support,
        plan: &[f64],
        g: Vec<f64>,
        iterations: usize,
        (threshold, scale): (f64, f64),
    ) -> Self {
        let m = support.b.len();
        let kept = Kept {
            cost: problem.cost().values(),
            a: problem.a(),
            b: problem.b(),
            rows: &support.rows,
            columns: &support.columns,
            rounding: f64::ROUNDING,
        };
        kept.prove(Claim {
            cells: plan.iter().enumerate().map(|(cell, &mass)| Cell {
                row: cell / m,
                column: cell % m,
                mass,
            }),
            potentials: (minima(&support.by_row, &g), g),
            offset: support.offset,
            least: support.offset,
            ceiling: f64::INFINITY,
            iterations,
            threshold,
            scale,
            otherwise: Status::MaxIterations,
        })
    }

    /// Refuses a cost that is not a number.
    pub(crate) fn in_range(self) -> Result<Self, Error> {
        in_range(self.transport_cost).map(|()| self)
    }

    getters! {
        /// Returns the plan: `n * m` masses, row by row, at most `n + m - 1` of them positive unless several
        /// plans cost the same.
        ref plan: [f64];
        /// Row potentials, in units of the cost: `f_i + g_j <= C_ij` wherever that is a number, up to
        /// rounding. A row without mass gets the largest value that its finite costs to columns with mass
        /// allow, and then a column without mass the largest that all rows do.
        ref f: [f64];
        /// Column potentials, of `b`-weighted mean zero; see [`f`](Self::f).
        ref g: [f64];
        /// `<P, C>`.
        transport_cost: f64;
    }

    /// `<f, a> + <g, b>`: no plan costs less.
    #[must_use]
    pub fn dual_cost(&self) -> f64 {
        self.transport_cost - self.duality_gap
    }

    getters! {
        /// What the plan costs above the proven least: zero up to rounding, computed on costs less
        /// their minimum. [`converged`](Self::converged) compares it with the costs that are in use,
        /// however large others are.
        duality_gap: f64;
        /// L1 distance of the plan's row sums from `a` plus that of its column sums from `b`.
        marginal_error: f64;
        /// Paths along which mass was moved; of the proximal point method, the inner iterations.
        iterations: usize;
    }

    /// Returns all numbers about the plan.
    #[must_use]
    pub fn report(&self) -> Report {
        Report {
            status: self.status,
            iterations: self.iterations,
            marginal_error: self.marginal_error,
            duality_gap: Some(self.duality_gap),
            transport_cost: self.transport_cost,
            regularised_cost: self.transport_cost,
            dual_cost: self.dual_cost(),
        }
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
    /// Finds the rows and columns that carry mass.
    fn keep<T: Real>(&mut self, a: &[T], b: &[T]) {
        for (places, weights) in [(&mut self.rows, a), (&mut self.columns, b)] {
            places.clear();
            places.extend((0..weights.len()).filter(|&place| weights[place] > T::ZERO));
        }
    }

    /// Solves a problem of checked weights.
    fn solve<T: Real>(&mut self, cost: &[T], a: &[T], b: &[T]) -> Result<ExactSolution, Error> {
        self.keep(a, b);
        let kept = Kept {
            cost,
            a,
            b,
            rows: &self.rows,
            columns: &self.columns,
            rounding: T::ROUNDING,
        };
        let (iterations, seen) = optimise(&mut self.simplex, &kept, Ceiling::new(f64::INFINITY))?;
        let solution = kept.prove(Claim {
            cells: self.simplex.cells(),
            potentials: self.simplex.potentials(),
            offset: self.simplex.offset(),
            least: self.simplex.least(),
            // Beyond the costs in use there is but what rounding left.
            ceiling: self.simplex.ceiling().min(seen.used),
            iterations,
            threshold: ROUNDING,
            scale: 0.0,
            otherwise: Status::Unproven,
        });
        solution.in_range()
    }
}

/// Finds the best plan under the right ceiling; returns the exchanges and how it stands there.
fn optimise<T: Real>(
    simplex: &mut Simplex,
    kept: &Kept<'_, T>,
    mut ceiling: Ceiling,
) -> Result<(usize, Seen), Error> {
    let (mut iterations, mut checked) = (0, false);
    loop {
        let exchanges = Instructions::detected().run(Solve {
            simplex: &mut *simplex,
            problem: kept,
            pricing: Pricing::UpTo(ceiling.height()),
        });
        let Some(exchanges) = exchanges else {
            check_costs(kept.cost, kept.a, kept.b)?;
            return Err(out_of_range(f64::INFINITY));
        };
        iterations += exchanges;
        if simplex.forbids() && !checked {
            iterations += room::check(simplex, kept)?;
            checked = true;
            continue;
        }
        let seen = simplex.seen(kept);
        if !ceiling.moves(&seen) {
            return Ok((iterations, seen));
        }
    }
}

/// How the best plan stands to the costs, of which few are to be reckoned with.
///
/// # Errors
/// As [`ExactSolution::of`].
pub(crate) fn scale(problem: &Problem) -> Result<Seen, Error> {
    const REACH: f64 = 64.0;
    let mut solver = Solver::default();
    solver.keep(problem.a(), problem.b());
    let kept = Kept {
        cost: problem.cost().values(),
        a: problem.a(),
        b: problem.b(),
        rows: &solver.rows,
        columns: &solver.columns,
        rounding: f64::ROUNDING,
    };
    let (_, seen) = optimise(&mut solver.simplex, &kept, Ceiling::new(REACH))?;
    Ok(seen)
}

/// Returns the cells of a plan that has no mass on forbidden cells, by their places among the rows and columns
/// with mass, the weights being right to a relative `rounding`.
///
/// # Errors
/// [`Error::Blocked`] if there is no such plan.
pub(crate) fn open_cells(problem: &Problem, rounding: f64) -> Result<Vec<(usize, usize)>, Error> {
    let mut solver = Solver::default();
    let (a, b) = (problem.a(), problem.b());
    solver.keep(a, b);
    let kept = Kept {
        cost: problem.cost().values(),
        a,
        b,
        rows: &solver.rows,
        columns: &solver.columns,
        rounding,
    };
    room::check(&mut solver.simplex, &kept)?;
    let whole: f64 = a.iter().sum();
    let used = solver.simplex.cells().filter(|cell| {
        let weight = a[kept.rows[cell.row]].min(b[kept.columns[cell.column]]);
        // A sliver that rounding of weights left makes no way, unless there is no more.
        cell.mass > 0.5 * weight || !kept.is_rounding(cell, true, whole)
    });
    let finite = used.filter(|cell| cell.mass > 0.0 && kept.given(cell).is_finite());
    Ok(finite.map(|cell| (cell.row, cell.column)).collect())
}

/// Refuses the cost of a plan that is not a number.
pub(crate) fn in_range(cost: f64) -> Result<(), Error> {
    if cost.is_finite() {
        Ok(())
    } else {
        Err(out_of_range(f64::INFINITY))
    }
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
