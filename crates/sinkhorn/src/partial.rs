//! Partial transport: the cheapest way to move a given mass, less than either side has.
//!
//! A further row and column, free to reach, take what is not moved (Chapel, Alaya and Gasso 2020,
//! "Partial Optimal Transport with Applications on Positive-Unlabeled Learning", section 3); the
//! problem so extended is balanced and is solved exactly.

use crate::log_domain::Support;
use crate::{CostMatrix, Error, ExactSolution, Problem};

/// The cheapest plan of a given mass, with the prices that prove it.
#[derive(Debug, Clone, PartialEq)]
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
}

impl PartialSolution {
    /// Solves `min <P, C>` over plans of total `mass`, with row sums of at most `a` and column sums
    /// of at most `b`.
    ///
    /// # Errors
    /// [`Error::NotPositive`] if `mass` is not positive and finite, [`Error::MassBeyond`] if it is
    /// more than either side has, [`Error::OutOfRange`] as [`ExactSolution::of`].
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
        let exact = ExactSolution::of(&extended)?;

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
        let cells = support.by_row.iter().enumerate();
        let price = cells
            .map(|(cell, cost)| cost - f[cell / m] - g[cell % m])
            .fold(f64::INFINITY, f64::min);

        let above: f64 = plan
            .iter()
            .zip(&support.by_row)
            .map(|(mass, cost)| mass * cost)
            .sum();
        let weighted = |prices: &[f64], weights: &[f64]| -> f64 {
            prices
                .iter()
                .zip(weights)
                .map(|(price, weight)| price * weight)
                .sum()
        };
        let dual = weighted(&f, &support.a) + weighted(&g, &support.b) + price * mass;
        let moved: f64 = plan.iter().sum();
        let mut full = Self {
            plan: vec![0.0; problem.a().len() * problem.b().len()],
            f: vec![0.0; problem.a().len()],
            g: vec![0.0; problem.b().len()],
            mass,
            mass_price: price + support.offset,
            transport_cost: above + support.offset * moved,
            duality_gap: above - dual,
            marginal_error: excess(&plan, &support) + (moved - mass).abs(),
            iterations: exact.iterations(),
        };
        for (cell, mass) in plan.iter().enumerate() {
            full.plan[support.rows[cell / m] * problem.b().len() + support.columns[cell % m]] =
                *mass;
        }
        support.rows.iter().zip(f).for_each(|(&i, f)| full.f[i] = f);
        support
            .columns
            .iter()
            .zip(g)
            .for_each(|(&j, g)| full.g[j] = g);
        Ok(full)
    }

    /// The plan: `n * m` masses, row by row.
    #[must_use]
    pub fn plan(&self) -> &[f64] {
        &self.plan
    }

    /// Row prices, at most zero, and zero for a row that is not used up: with
    /// [`mass_price`](Self::mass_price) `p`, `f_i + g_j + p <= C_ij` everywhere.
    #[must_use]
    pub fn f(&self) -> &[f64] {
        &self.f
    }

    /// Column prices; see [`f`](Self::f).
    #[must_use]
    pub fn g(&self) -> &[f64] {
        &self.g
    }

    /// Total mass of the plan.
    #[must_use]
    pub fn mass(&self) -> f64 {
        self.mass
    }

    /// What one more unit of mass would cost.
    #[must_use]
    pub fn mass_price(&self) -> f64 {
        self.mass_price
    }

    /// `<P, C>`.
    #[must_use]
    pub fn transport_cost(&self) -> f64 {
        self.transport_cost
    }

    /// `transport_cost` less the dual objective `<f, a> + <g, b> + p mass`, which no plan of this
    /// mass goes below: zero up to rounding.
    #[must_use]
    pub fn duality_gap(&self) -> f64 {
        self.duality_gap
    }

    /// What the plan's marginals exceed the weights by, plus the distance of its mass from the one
    /// asked for.
    #[must_use]
    pub fn marginal_error(&self) -> f64 {
        self.marginal_error
    }

    /// Paths along which mass was moved.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.iterations
    }
}

/// The support with one more row, for what columns do not get, and one more column, for what rows do
/// not send.
fn extended(support: &Support, rows_keep: f64, columns_keep: f64) -> Result<Problem, Error> {
    let m = support.b.len();
    // Dearer than anything that a detour over the corner could save.
    let forbidden = if support.spread > 0.0 {
        2.0 * support.spread
    } else {
        1.0
    };
    let mut cost = Vec::with_capacity((support.a.len() + 1) * (m + 1));
    for row in support.by_row.chunks_exact(m) {
        cost.extend_from_slice(row);
        cost.push(0.0);
    }
    cost.extend(std::iter::repeat_n(0.0, m));
    cost.push(forbidden);
    let cost = CostMatrix::new(&cost, support.a.len() + 1, m + 1)?;
    let with = |weights: &[f64], last: f64| [weights, &[last]].concat();
    Problem::new(
        cost,
        &with(&support.a, columns_keep),
        &with(&support.b, rows_keep),
    )
}

/// What row and column sums exceed the weights by.
fn excess(plan: &[f64], support: &Support) -> f64 {
    let m = support.b.len();
    let over = |sum: f64, weight: f64| (sum - weight).max(0.0);
    let rows = plan.chunks_exact(m).zip(&support.a);
    let rows: f64 = rows.map(|(row, &a)| over(row.iter().sum(), a)).sum();
    let columns = (0..m).map(|j| over(plan.iter().skip(j).step_by(m).sum(), support.b[j]));
    rows + columns.sum::<f64>()
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
