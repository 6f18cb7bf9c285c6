//! Exact optimal transport by successive shortest augmenting paths.
//!
//! Potentials with `f_i + g_j <= C_ij` everywhere, and equal to it where the plan has mass, are kept
//! from the first step to the last, so the result carries its own proof. Mass moves along the
//! cheapest path of the residual graph from a row with supply left to a column with demand left
//! (Ahuja, Magnanti and Orlin 1993, "Network Flows", section 9.7); the paths are found on reduced
//! costs by Dijkstra's algorithm, as Jonker and Volgenant (1987) do for assignments.

use crate::log_domain::{Support, marginal_error};
use crate::{Error, Problem, Status};

/// Duality gap, as a share of the costs' spread times the mass, and marginal error, as a share of
/// the mass, that rounding may leave of an exact plan.
const ROUNDING: f64 = 1e-9;

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
        let support = Support::of(problem);
        check_spread(support.spread)?;
        let mut flow = Flow::new(&support.by_row, &support.a, &support.b);
        flow.run();
        Ok(Self::on(
            problem,
            &support,
            &flow.by_row(),
            flow.v,
            flow.augmentations,
            ROUNDING,
        ))
    }

    /// Spreads a plan on a support over the whole problem, with potentials made feasible there from
    /// the column potentials `g`; it has converged if the gap between them is at most `threshold`
    /// times the spread and the mass.
    pub(crate) fn on(
        problem: &Problem,
        support: &Support,
        plan: &[f64],
        mut g: Vec<f64>,
        iterations: usize,
        threshold: f64,
    ) -> Self {
        let m = support.b.len();
        let f = minima(&support.by_row, &g);
        let mean = inner(&support.b, &g) / support.b.iter().sum::<f64>();
        let f: Vec<f64> = f.iter().map(|f| f + mean).collect();
        g.iter_mut().for_each(|g| *g -= mean);

        // Of numbers without the offset, so that it costs the gap no digits.
        let above = inner(plan, &support.by_row);
        let dual = inner(&support.a, &f) + inner(&support.b, &g);
        let duality_gap = above - dual;
        let marginal_error = marginal_error(plan, &support.a, &support.b);
        let mass: f64 = support.b.iter().sum();
        let proven = duality_gap <= threshold * support.spread * mass
            && marginal_error <= threshold.max(ROUNDING) * mass;
        let mut full = vec![0.0; problem.a().len() * problem.b().len()];
        for (&i, masses) in support.rows.iter().zip(plan.chunks_exact(m)) {
            for (&j, &mass) in support.columns.iter().zip(masses) {
                full[i * problem.b().len() + j] = mass;
            }
        }
        let (f, g) = everywhere(problem, support, &f, &g);
        Self {
            plan: full,
            f,
            g,
            transport_cost: above + support.offset * plan.iter().sum::<f64>(),
            duality_gap,
            marginal_error,
            iterations,
            status: if proven {
                Status::Converged
            } else {
                Status::MaxIterations
            },
        }
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

/// Refuses costs whose differences leave the range of numbers.
pub(crate) fn check_spread(spread: f64) -> Result<(), Error> {
    if spread.is_finite() {
        return Ok(());
    }
    Err(Error::OutOfRange {
        epsilon: 0.0,
        spread,
    })
}

/// Potentials of all rows and columns: those of the support in their places, the others as large as
/// their finite costs to the support allow, or zero.
fn everywhere(problem: &Problem, support: &Support, f: &[f64], g: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let m = problem.b().len();
    let cost = |i: usize, j: usize| problem.cost().values()[i * m + j];
    let or_zero = |value: f64| if value.is_finite() { value } else { 0.0 };
    let mut rows: Vec<f64> = (0..problem.a().len())
        .map(|i| {
            let bounds = support.columns.iter().zip(g).map(|(&j, g)| cost(i, j) - g);
            or_zero(bounds.fold(f64::INFINITY, f64::min))
        })
        .collect();
    for (&i, f) in support.rows.iter().zip(f) {
        rows[i] = f + support.offset;
    }
    let mut columns: Vec<f64> = (0..m)
        .map(|j| {
            let bounds = support.rows.iter().map(|&i| cost(i, j) - rows[i]);
            or_zero(bounds.fold(f64::INFINITY, f64::min))
        })
        .collect();
    for (&j, &g) in support.columns.iter().zip(g) {
        columns[j] = g;
    }
    (rows, columns)
}

pub(crate) fn inner(left: &[f64], right: &[f64]) -> f64 {
    left.iter()
        .zip(right)
        .map(|(left, right)| left * right)
        .sum()
}

/// `min_j (C_ij - g_j)` for each row: the largest feasible row potentials.
pub(crate) fn minima(by_row: &[f64], g: &[f64]) -> Vec<f64> {
    let least = |row: &[f64]| {
        row.iter()
            .zip(g)
            .map(|(cost, g)| cost - g)
            .fold(f64::INFINITY, f64::min)
    };
    by_row.chunks_exact(g.len()).map(least).collect()
}

/// A plan in the making: what is shipped, and the potentials under which it is the cheapest way to
/// ship that much.
struct Flow<'a> {
    costs: &'a [f64],
    n: usize,
    m: usize,
    /// Supply and demand not yet met.
    supply: Vec<f64>,
    demand: Vec<f64>,
    u: Vec<f64>,
    v: Vec<f64>,
    /// Mass shipped, column by column: paths run backwards along columns.
    shipped: Vec<f64>,
    augmentations: usize,
}

impl<'a> Flow<'a> {
    fn new(costs: &'a [f64], a: &[f64], b: &[f64]) -> Self {
        let (n, m) = (a.len(), b.len());
        let mut v = vec![f64::INFINITY; m];
        for row in costs.chunks_exact(m) {
            for (v, cost) in v.iter_mut().zip(row) {
                *v = v.min(*cost);
            }
        }
        let u = minima(costs, &v);
        Self {
            costs,
            n,
            m,
            supply: a.to_vec(),
            demand: b.to_vec(),
            u,
            v,
            shipped: vec![0.0; n * m],
            augmentations: 0,
        }
    }

    fn run(&mut self) {
        self.ship_tight();
        let mut search = Search::new(self.n, self.m);
        for source in 0..self.n {
            while self.supply[source] > 0.0 {
                let Some(end) = search.nearest(self, source) else {
                    // Demand is met everywhere; what is left of the supply is rounding.
                    return;
                };
                self.reprice(&search, end);
                self.augment(&search, source, end);
            }
        }
    }

    /// Ships what it can where the first potentials leave no slack.
    fn ship_tight(&mut self) {
        for i in 0..self.n {
            for j in 0..self.m {
                let tight = self.costs[i * self.m + j] - self.v[j] <= self.u[i];
                if tight && self.supply[i] > 0.0 && self.demand[j] > 0.0 {
                    let mass = self.supply[i].min(self.demand[j]);
                    self.shipped[j * self.n + i] = mass;
                    self.supply[i] -= mass;
                    self.demand[j] -= mass;
                }
            }
        }
    }

    /// Raises the potentials of what the search reached, so that its paths have no slack.
    fn reprice(&mut self, search: &Search, end: usize) {
        let length = search.column_distance[end];
        for &(row, distance) in &search.rows_reached {
            self.u[row] += length - distance;
        }
        for &column in &search.columns_done {
            self.v[column] -= length - search.column_distance[column];
        }
    }

    /// Moves as much mass along the path as its ends and its backward arcs allow.
    fn augment(&mut self, search: &Search, source: usize, end: usize) {
        let n = self.n;
        let mut mass = self.supply[source].min(self.demand[end]);
        for (row, _, back) in search.path(source, end) {
            if let Some(back) = back {
                mass = mass.min(self.shipped[back * n + row]);
            }
        }
        for (row, forward, back) in search.path(source, end) {
            self.shipped[forward * n + row] += mass;
            if let Some(back) = back {
                self.shipped[back * n + row] -= mass;
            }
        }
        self.supply[source] -= mass;
        self.demand[end] -= mass;
        self.augmentations += 1;
    }

    fn by_row(&self) -> Vec<f64> {
        let cell = |cell: usize| self.shipped[cell % self.m * self.n + cell / self.m];
        (0..self.n * self.m).map(cell).collect()
    }
}

/// Dijkstra's algorithm from one row over the residual graph, on reduced costs.
struct Search {
    column_distance: Vec<f64>,
    /// The row from which a column was reached, and the column from which a row was.
    row_before: Vec<usize>,
    column_before: Vec<usize>,
    row_seen: Vec<bool>,
    column_open: Vec<usize>,
    columns_done: Vec<usize>,
    rows_reached: Vec<(usize, f64)>,
}

impl Search {
    fn new(n: usize, m: usize) -> Self {
        Self {
            column_distance: vec![0.0; m],
            row_before: vec![0; m],
            column_before: vec![0; n],
            row_seen: vec![false; n],
            column_open: Vec::with_capacity(m),
            columns_done: Vec::with_capacity(m),
            rows_reached: Vec::with_capacity(n),
        }
    }

    /// The nearest column with demand left; nothing if there is none.
    fn nearest(&mut self, flow: &Flow<'_>, source: usize) -> Option<usize> {
        self.column_distance.fill(f64::INFINITY);
        self.row_seen.fill(false);
        self.column_open.clear();
        self.column_open.extend(0..flow.m);
        self.columns_done.clear();
        self.rows_reached.clear();
        self.reach(flow, source, 0.0);
        loop {
            let distance = |place: &usize| self.column_distance[self.column_open[*place]];
            let place = (0..self.column_open.len())
                .min_by(|left, right| distance(left).total_cmp(&distance(right)))?;
            let column = self.column_open.swap_remove(place);
            if flow.demand[column] > 0.0 {
                return Some(column);
            }
            self.columns_done.push(column);
            let distance = self.column_distance[column];
            let shipped = &flow.shipped[column * flow.n..][..flow.n];
            for (row, &mass) in shipped.iter().enumerate() {
                if mass > 0.0 && !self.row_seen[row] {
                    self.column_before[row] = column;
                    self.reach(flow, row, distance);
                }
            }
        }
    }

    fn reach(&mut self, flow: &Flow<'_>, row: usize, distance: f64) {
        self.row_seen[row] = true;
        self.rows_reached.push((row, distance));
        let costs = &flow.costs[row * flow.m..][..flow.m];
        for &column in &self.column_open {
            // Rounding may leave a reduced cost a little below zero.
            let slack = (costs[column] - flow.u[row] - flow.v[column]).max(0.0);
            if distance + slack < self.column_distance[column] {
                self.column_distance[column] = distance + slack;
                self.row_before[column] = row;
            }
        }
    }

    /// The path from its end to its source: each row with the column it ships more to and, but for
    /// the source, the column it ships less to.
    fn path(
        &self,
        source: usize,
        end: usize,
    ) -> impl Iterator<Item = (usize, usize, Option<usize>)> {
        let mut next = Some(end);
        std::iter::from_fn(move || {
            let forward = next?;
            let row = self.row_before[forward];
            next = (row != source).then(|| self.column_before[row]);
            Some((row, forward, next))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{assert_close, cases, hard_cases};
    use crate::{CostMatrix, Sinkhorn};

    /// The least cost over all one-to-one matchings, by trying them all.
    fn cheapest_matching(cost: &[f64], n: usize) -> f64 {
        fn descend(cost: &[f64], n: usize, row: usize, used: u32) -> f64 {
            if row == n {
                return 0.0;
            }
            let free = (0..n).filter(|j| used & (1 << j) == 0);
            free.map(|j| cost[row * n + j] + descend(cost, n, row + 1, used | 1 << j))
                .fold(f64::INFINITY, f64::min)
        }
        descend(cost, n, 0, 0)
    }

    fn check(problem: &Problem, tolerance: f64) {
        let exact = ExactSolution::of(problem).unwrap();
        assert!(exact.marginal_error() < tolerance, "{exact:?}");
        assert!(exact.duality_gap().abs() < tolerance, "{exact:?}");
        let m = problem.b().len();
        for (cell, &mass) in exact.plan().iter().enumerate() {
            let (i, j) = (cell / m, cell % m);
            assert!(mass >= 0.0);
            if problem.a()[i] > 0.0 && problem.b()[j] > 0.0 {
                let slack = problem.cost().values()[cell] - exact.f()[i] - exact.g()[j];
                assert!(
                    slack >= -tolerance,
                    "potentials exceed the cost of {i}, {j}"
                );
                assert!(
                    mass * slack < tolerance,
                    "mass where it does not pay: {i}, {j}"
                );
            } else {
                assert_eq!(mass, 0.0);
            }
        }
    }

    proptest! {
        #[test]
        fn a_plan_proves_itself(case in cases()) {
            check(&case.problem(), 1e-12);
        }

        #[test]
        fn a_larger_plan_proves_itself(case in hard_cases()) {
            check(&case.problem(), 1e-12);
        }

        #[test]
        fn uniform_squares_are_matchings(cost in prop::collection::vec(0.0..1.0_f64, 25)) {
            let problem = Problem::uniform(CostMatrix::new(&cost, 5, 5).unwrap()).unwrap();
            let exact = ExactSolution::of(&problem).unwrap();
            prop_assert!((exact.transport_cost() - cheapest_matching(&cost, 5) / 5.0).abs() < 1e-12);
        }

        #[test]
        fn small_epsilons_tend_to_it(case in cases()) {
            let problem = case.problem();
            let exact = ExactSolution::of(&problem).unwrap();
            let solution = Sinkhorn::new(1e-4).unwrap().solve(&problem).unwrap();
            let above = solution.transport_cost(&problem) - exact.transport_cost();
            prop_assert!(above > -1e-8 && above < 1e-3, "{}", above);
        }
    }

    #[test]
    fn ties_offsets_and_mass_do_no_harm() {
        let tied = CostMatrix::new(&[1.0; 12], 3, 4).unwrap();
        check(&Problem::uniform(tied).unwrap(), 1e-14);
        let cost: Vec<f64> = [0.3, 0.1, 0.9, 0.2, 0.8, 0.5]
            .iter()
            .map(|c| 1e6 + c)
            .collect();
        let problem = Problem::new(
            CostMatrix::new(&cost, 2, 3).unwrap(),
            &[3.0, 4.0],
            &[2.0, 2.0, 3.0],
        );
        let exact = ExactSolution::of(&problem.unwrap()).unwrap();
        assert_close(exact.plan(), &[1.0, 2.0, 0.0, 1.0, 0.0, 3.0], 1e-12);
        assert!((exact.transport_cost() - 7e6 - 2.2).abs() < 1e-8);
    }
}
