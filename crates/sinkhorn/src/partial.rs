//! Partial transport: the cheapest way to move a given mass, less than either side has.
//!
//! A further row and column, free to reach, take what is not moved (Chapel, Alaya and Gasso 2020,
//! "Partial Optimal Transport with Applications on Positive-Unlabeled Learning", section 3); the
//! problem so extended is balanced and is solved exactly.

use crate::exact::{ROUNDING, in_range};
use crate::feasible::{column_sums, row_sums};
use crate::log_domain::Support;
use crate::{CostMatrix, Error, ExactSolution, Problem, Report, Side, Status};

/// The cheapest plan of a given mass, with the prices that prove it.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PartialSolution {
    plan: Vec<f64>,
    f: Vec<f64>,
    g: Vec<f64>,
    mass: f64,
    mass_price: f64,
    transport_cost: f64,
    duality_gap: f64,
    marginal_error: f64,
    iterations: usize,
    status: Status,
}

impl PartialSolution {
    /// Solves `min <P, C>` over plans of total `mass`, with row sums of at most `a` and column sums
    /// of at most `b`, none of it where a cost is infinite.
    ///
    /// # Errors
    /// [`Error::NotPositive`] if `mass` is not positive and finite, [`Error::MassBeyond`] if it is
    /// more than either side has, [`Error::Blocked`] if it is more than can move at finite costs,
    /// [`Error::OutOfRange`] as [`ExactSolution::of`].
    pub fn of(problem: &Problem, mass: f64) -> Result<Self, Error> {
        if !(mass > 0.0 && mass.is_finite()) {
            return Err(Error::NotPositive {
                setting: "mass",
                value: mass,
            });
        }
        let (rows, columns) = (
            problem.a().iter().sum::<f64>(),
            problem.b().iter().sum::<f64>(),
        );
        let limit = rows.min(columns);
        if mass > limit * (1.0 + 1e-12) {
            return Err(Error::MassBeyond { mass, limit });
        }
        let mass = mass.min(limit);
        let support = Support::of(problem);
        let extended = extended(&support, rows - mass, columns - mass)?;
        let exact = ExactSolution::of(&extended);
        let exact = exact.map_err(|error| unextended(error, &support, [rows, columns], mass))?;

        let (n, m) = (support.a.len(), support.b.len());
        let plan: Vec<f64> = (0..n * m)
            .map(|cell| exact.plan()[cell / m * (m + 1) + cell % m])
            .collect();
        // Prices relative to staying where one is. Where nobody stays, the extension's own price is
        // arbitrary; the largest that leaves all others feasible is taken.
        let stay = |price: f64, all: &[f64], stays: bool| {
            let largest = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if stays { price } else { -largest }
        };
        let (f, g) = (&exact.f()[..n], &exact.g()[..m]);
        let row_stays = stay(exact.g()[m], f, rows > mass);
        let column_stays = stay(exact.f()[n], g, columns > mass);
        let f: Vec<f64> = f.iter().map(|f| (f + row_stays).min(0.0)).collect();
        let g: Vec<f64> = g.iter().map(|g| (g + column_stays).min(0.0)).collect();
        // The largest price a unit of mass can bear.
        let slack = |cell: usize| support.by_row[cell] - f[cell / m] - g[cell % m];
        let price = (0..n * m).map(slack).fold(f64::INFINITY, f64::min);

        let used = || plan.iter().enumerate().filter(|(_, mass)| **mass > 0.0);
        let given = |cell: usize| {
            let row = support.rows[cell / m] * problem.b().len();
            problem.cost().values()[row + support.columns[cell % m]]
        };
        let sums = [row_sums(&plan, m), column_sums(&plan, m)];
        let moved: f64 = plan.iter().sum();
        let over = |(sum, weight): (&f64, &f64)| (sum - weight).max(0.0);
        let excess: f64 = (sums[0].iter().zip(&support.a).map(over))
            .chain(sums[1].iter().zip(&support.b).map(over))
            .sum();
        let marginal_error = excess + (moved - mass).abs();
        let proven = exact.converged() && marginal_error <= ROUNDING * mass;
        let mut full = Self {
            transport_cost: used().map(|(cell, mass)| mass * given(cell)).sum(),
            plan: vec![0.0; problem.a().len() * problem.b().len()],
            f: vec![0.0; problem.a().len()],
            g: vec![0.0; problem.b().len()],
            mass,
            mass_price: price + support.offset,
            // That of the extension: prices as large as fillers leave it no digits here.
            duality_gap: exact.duality_gap(),
            marginal_error,
            iterations: exact.iterations(),
            status: if proven {
                Status::Converged
            } else {
                Status::Unproven
            },
        };
        for (cell, mass) in plan.iter().enumerate() {
            full.plan[support.rows[cell / m] * problem.b().len() + support.columns[cell % m]] =
                *mass;
        }
        support.rows.iter().zip(f).for_each(|(&i, f)| full.f[i] = f);
        (support.columns.iter().zip(g)).for_each(|(&j, g)| full.g[j] = g);
        full.price_absent(problem, &support);
        in_range(full.transport_cost).map(|()| full)
    }

    /// Gives rows and columns without mass the largest prices that exceed no cost.
    fn price_absent(&mut self, problem: &Problem, support: &Support) {
        let m = problem.b().len();
        let cost = |i: usize, j: usize| problem.cost().values()[i * m + j] - self.mass_price;
        let least = |bounds: &mut dyn Iterator<Item = f64>| {
            let finite = bounds.filter(|bound| bound.is_finite());
            finite.fold(0.0, f64::min)
        };
        for i in (0..self.f.len()).filter(|i| problem.a()[*i] == 0.0) {
            let bounds = support.columns.iter().map(|&j| cost(i, j) - self.g[j]);
            self.f[i] = least(&mut { bounds });
        }
        for j in (0..m).filter(|j| problem.b()[*j] == 0.0) {
            let bounds = (0..self.f.len()).map(|i| cost(i, j) - self.f[i]);
            self.g[j] = least(&mut { bounds });
        }
    }

    getters! {
        /// Returns the plan: `n * m` masses, row by row.
        ref plan: [f64];
        /// Row prices, at most zero, and zero for a row that is not used up: with
        /// [`mass_price`](Self::mass_price) `p`, `f_i + g_j + p <= C_ij` everywhere.
        ref f: [f64];
        /// Column prices; see [`f`](Self::f).
        ref g: [f64];
        /// Total mass of the plan.
        mass: f64;
        /// What one more unit of mass would cost.
        mass_price: f64;
        /// `<P, C>`.
        transport_cost: f64;
        /// `transport_cost` less the dual objective `<f, a> + <g, b> + p mass`, which no plan of this
        /// mass goes below: zero up to rounding.
        duality_gap: f64;
        /// What the plan's marginals exceed the weights by, plus the distance of its mass from the one
        /// asked for.
        marginal_error: f64;
        /// Paths along which mass was moved.
        iterations: usize;
    }

    /// Returns all numbers about the plan.
    #[must_use]
    pub fn report(&self) -> Report {
        let (cost, gap) = (self.transport_cost, self.duality_gap);
        Report::unregularised(self.status, self.iterations, self.marginal_error, cost, gap)
    }

    /// [`Status::Unproven`] if the gap is more than a share of 1e-9 of the plan's cost above the least.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Whether plan and prices prove each other.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.status == Status::Converged
    }
}

/// Returns the support with one more row, for what columns do not get, and one more column, for what rows do
/// not send; between these two nothing may move.
fn extended(support: &Support, rows_keep: f64, columns_keep: f64) -> Result<Problem, Error> {
    let m = support.b.len();
    let mut cost = Vec::with_capacity((support.a.len() + 1) * (m + 1));
    for row in support.by_row.chunks_exact(m) {
        cost.extend_from_slice(row);
        cost.push(0.0);
    }
    cost.extend(std::iter::repeat_n(0.0, m));
    cost.push(f64::INFINITY);
    let cost = CostMatrix::new(&cost, support.a.len() + 1, m + 1)?;
    let with = |weights: &[f64], last: f64| [weights, &[last]].concat();
    Problem::new(
        cost,
        &with(&support.a, columns_keep),
        &with(&support.b, rows_keep),
    )
}

/// A refusal of the extended problem in terms of the one it was made of: rows that cannot send what
/// they have to, or columns that cannot take it.
fn unextended(error: Error, support: &Support, [rows, columns]: [f64; 2], mass: f64) -> Error {
    let Error::Blocked {
        side,
        places,
        mass: blocked,
        partners,
        room,
    } = error
    else {
        return error;
    };
    let (mine, theirs, stays) = match side {
        Side::Rows => (&support.rows, &support.columns, rows - mass),
        Side::Columns => (&support.columns, &support.rows, columns - mass),
    };
    let named = |all: &[usize], places: &[usize]| {
        let places = places.iter().filter_map(|&place| all.get(place));
        places.copied().collect()
    };
    Error::Blocked {
        side,
        places: named(mine, &places),
        mass: blocked - stays,
        partners: named(theirs, &partners),
        room: room - stays,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{assert_close, cases};

    proptest! {
        #[test]
        fn a_partial_plan_proves_itself(case in cases(), share in 0.05..1.0_f64) {
            let problem = case.problem();
            let partial = PartialSolution::of(&problem, share).unwrap();
            prop_assert!(partial.duality_gap().abs() < 1e-12, "{partial:?}");
            prop_assert!(partial.marginal_error() < 1e-12, "{partial:?}");
            prop_assert!(partial.f().iter().chain(partial.g()).all(|price| *price <= 0.0));
        }

        #[test]
        fn all_the_mass_is_exact_transport(case in cases()) {
            let problem = case.problem();
            let partial = PartialSolution::of(&problem, 1.0).unwrap();
            let exact = ExactSolution::of(&problem).unwrap();
            prop_assert!((partial.transport_cost() - exact.transport_cost()).abs() < 1e-12);
        }
    }

    #[test]
    fn forbidden_cells_are_avoided_or_named() {
        let inf = f64::INFINITY;
        let cost = CostMatrix::new(&[inf, 1.0, inf, 2.0, 3.0, inf], 3, 2).unwrap();
        let problem = Problem::unbalanced(cost, &[0.5, 0.3, 0.2], &[0.4, 0.6]).unwrap();
        let partial = PartialSolution::of(&problem, 0.8).unwrap();
        assert_close(partial.plan(), &[0.0, 0.5, 0.0, 0.1, 0.2, 0.0], 1e-12);
        assert!(partial.converged(), "{partial:?}");
        assert_close(&[partial.transport_cost()], &[1.3], 1e-12);
        // Rows 0 and 1 have but column 1.
        let refused = PartialSolution::of(&problem, 0.9).unwrap_err().to_string();
        assert!(
            refused.contains("column 0") || refused.contains("rows 0 and 1"),
            "{refused}"
        );
    }

    #[test]
    fn the_cheapest_mass_moves_first() {
        let cost = CostMatrix::new(&[5.0, 1.0, 2.0, 9.0], 2, 2).unwrap();
        let problem = Problem::unbalanced(cost, &[1.0, 2.0], &[3.0, 0.5]).unwrap();
        let partial = PartialSolution::of(&problem, 1.5).unwrap();
        assert_close(partial.plan(), &[0.0, 0.5, 1.0, 0.0], 1e-14);
        assert_close(
            &[partial.transport_cost(), partial.mass_price()],
            &[2.5, 2.0],
            1e-14,
        );
        let refused = PartialSolution::of(&problem, 3.1);
        assert_eq!(
            refused,
            Err(Error::MassBeyond {
                mass: 3.1,
                limit: 3.0
            })
        );
    }
}
