//! What a solver found: potentials, plan, named costs, and how far to trust them.

use crate::feasible::{column_sums, meet, mend, row_sums};
use crate::forbidden::keeps;
use crate::log_domain::{FAR, Support, soft_minimum};
use crate::problem::mass_tolerance;
use crate::real::Lanes;
use crate::relaxation::{Relaxation, divergence};
use crate::{Problem, Report};

/// How a solve ended. A result that has not converged is data, not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Status {
    /// The marginal error is at most the threshold.
    Converged,
    /// The iterations ran out first.
    MaxIterations,
    /// An exact method ended, but rounding left more of a duality gap than counts as none.
    Unproven,
}

/// Dual potentials of a problem, with `P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon)`.
///
/// It shares costs and weights with the problem, so that plans and costs can be computed from it
/// alone; each is computed when it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    pub(crate) problem: Problem,
    pub(crate) epsilon: f64,
    /// Costs of missing the marginals.
    pub(crate) rho: [f64; 2],
    /// The smallest cost between positive weights; `centred_f` and `centred_g` are for costs less
    /// that.
    pub(crate) offset: f64,
    pub(crate) centred_f: Vec<f64>,
    pub(crate) centred_g: Vec<f64>,
    f: Vec<f64>,
    g: Vec<f64>,
    iterations: usize,
    marginal_error: f64,
    status: Status,
    /// Where iterations started if they were plain and of a fixed number.
    pub(crate) start: Option<Start>,
}

/// Where plain iterations start: what it takes to repeat them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Start {
    /// Column potentials of zero for costs less their offset.
    Level,
    /// These column potentials of the support, for costs less their offset.
    Given(Vec<f64>),
}

impl Start {
    pub(crate) fn potentials(&self, columns: usize) -> Vec<f64> {
        match self {
            Self::Level => vec![0.0; columns],
            Self::Given(potentials) => potentials.clone(),
        }
    }
}

impl Solution {
    /// Spreads potentials on a support over the whole problem and measures their plan.
    pub(crate) fn new(
        problem: &Problem,
        support: &Support,
        epsilon: f64,
        (f, g): (&[f64], &[f64]),
        iterations: usize,
        threshold: f64,
    ) -> Self {
        let marginal_error = support.error_of(epsilon, f, g);
        let (m, values) = (problem.cost().m(), problem.cost().values());
        let cost = |i: usize, j: usize| values[i * m + j] - support.offset;
        let [rows, columns] = [support.relaxed_rows, support.relaxed_columns];
        let opposite_row = |i: usize| {
            let opposite = support.columns.iter().zip(g).zip(&support.b);
            let (costs, biases): (Vec<_>, Vec<_>) = opposite
                .map(|((&j, g), b)| (cost(i, j), g + epsilon * b.ln()))
                .unzip();
            rows.update(epsilon, soft_minimum(&costs, &biases, epsilon))
        };
        let opposite_column = |j: usize| {
            let opposite = support.rows.iter().zip(f).zip(&support.a);
            let (costs, biases): (Vec<_>, Vec<_>) = opposite
                .map(|((&i, f), a)| (cost(i, j), f + epsilon * a.ln()))
                .unzip();
            columns.update(epsilon, soft_minimum(&costs, &biases, epsilon))
        };
        let mut all_f = extended(problem.a().len(), &support.rows, f, opposite_row);
        let mut all_g = extended(problem.b().len(), &support.columns, g, opposite_column);
        for (side, all, weights, places) in [
            (rows, &mut all_f, problem.a(), &support.rows),
            (columns, &mut all_g, problem.b(), &support.columns),
        ] {
            // What has mass and is not in the support has nowhere to send it.
            let stranded = (0..weights.len()).filter(|&place| weights[place] > 0.0);
            let stranded = stranded.filter(|place| places.binary_search(place).is_err());
            stranded.for_each(|place| all[place] = Some(keeps(side.rho()) - side.offset()));
        }
        let whole = |centred: &[Option<f64>], offset: f64| -> Vec<f64> {
            let or_zero = |value: &Option<f64>| value.map_or(0.0, |value| value + offset);
            centred.iter().map(or_zero).collect()
        };
        Self {
            problem: problem.clone(),
            epsilon,
            rho: [rows.rho(), columns.rho()],
            offset: support.offset,
            f: whole(&all_f, rows.offset()),
            g: whole(&all_g, columns.offset()),
            centred_f: whole(&all_f, 0.0),
            centred_g: whole(&all_g, 0.0),
            iterations,
            marginal_error,
            status: if marginal_error <= threshold {
                Status::Converged
            } else {
                Status::MaxIterations
            },
            start: None,
        }
    }

    /// Remembers where plain iterations started.
    pub(crate) fn started_at(self, start: Start) -> Self {
        Self {
            start: Some(start),
            ..self
        }
    }

    getters! {
        /// Returns the problem that was solved.
        ref problem: Problem;
        /// Row potentials, in units of the cost.
        ///
        /// If both marginals have to be met, a constant can move between `f` and `g`; it is chosen so
        /// that the `b`-weighted mean of `g` is zero. A row without mass gets the value that the row
        /// update would give it, or zero if its costs are not finite, so every potential is finite.
        ref f: [f64];
        /// Column potentials, in units of the cost; see [`f`](Self::f).
        ref g: [f64];
        /// Full iterations done, those of the warm start at larger epsilons included.
        iterations: usize;
        /// L1 distance of the plan's row sums from `a` plus that of its column sums from `b`. Where a
        /// marginal may be missed, from the sums that the potentials call for, `a_i exp(-f_i / rho)`:
        /// zero at the optimum.
        marginal_error: f64;
        /// How the solve ended.
        status: Status;
    }

    /// Whether the marginal error is at most the threshold.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.status == Status::Converged
    }

    /// Returns the numbers above and all costs of the plan, in one pass over it.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut plan = Vec::with_capacity(self.problem.cost().values().len());
        let sums = self.sums(|mass| plan.push(mass));
        Report {
            status: self.status,
            iterations: self.iterations,
            marginal_error: self.marginal_error,
            transport_cost: sums.transport_cost(self.offset),
            regularised_cost: self.regularised(&sums, &plan),
            dual_cost: self.dual(&sums),
            duality_gap: Some(self.gap(&sums, plan)).filter(|gap| gap.is_finite()),
        }
    }

    /// Returns the transport plan: `n * m` masses, row by row.
    #[must_use]
    pub fn plan(&self) -> Vec<f64> {
        self.cells().map(|cell| cell.mass).collect()
    }

    /// Expected cost `<P, C>` of the plan.
    #[must_use]
    pub fn transport_cost(&self) -> f64 {
        self.sums(|_| ()).transport_cost(self.offset)
    }

    /// Returns the primal objective `<P, C> + epsilon KL(P | a b^T)`, where
    /// `KL(P | Q) = sum P log(P / Q) - sum P + sum Q`, so that it is also right for a mass other
    /// than one; with `rho KL(P 1 | a)` and its like where a marginal may be missed.
    #[must_use]
    pub fn regularised_cost(&self) -> f64 {
        let mut plan = Vec::with_capacity(self.problem.cost().values().len());
        let sums = self.sums(|mass| plan.push(mass));
        self.regularised(&sums, &plan)
    }

    /// Returns the dual objective `<f, a> + <g, b> - epsilon sum_ij (P_ij - a_i b_j)`, with
    /// `-rho sum_i a_i (exp(-f_i / rho) - 1)` instead of `<f, a>` where a marginal may be missed: a
    /// lower bound of the least regularised cost, and equal to it at convergence.
    #[must_use]
    pub fn dual_cost(&self) -> f64 {
        self.dual(&self.sums(|_| ()))
    }

    /// How far the plan, once given the marginals that it has to meet, is from the optimum at most:
    /// its regularised cost less the dual cost, both computed on costs less their minimum.
    ///
    /// Where costs are infinite, or so far beyond those in use that a trace of mass there would hide
    /// the rest, marginals are met without cells that have no mass. Infinity if they cannot be so:
    /// then nothing is known.
    #[must_use]
    pub fn duality_gap(&self) -> f64 {
        let mut plan = Vec::with_capacity(self.problem.cost().values().len());
        let sums = self.sums(|mass| plan.push(mass));
        self.gap(&sums, plan)
    }

    fn regularised(&self, sums: &Sums, plan: &[f64]) -> f64 {
        let [rows, columns] = Relaxation::sides(self.rho, 0.0);
        let (a, b) = (self.problem.a(), self.problem.b());
        sums.transport_cost(self.offset)
            + self.epsilon * sums.divergence
            + rows.penalty(&row_sums(plan, b.len()), a)
            + columns.penalty(&column_sums(plan, b.len()), b)
    }

    fn dual(&self, sums: &Sums) -> f64 {
        let [rows, columns] = Relaxation::sides(self.rho, 0.0);
        rows.dual(self.problem.a(), &self.f) + columns.dual(self.problem.b(), &self.g)
            - self.epsilon * sums.excess
    }

    fn gap(&self, sums: &Sums, mut plan: Vec<f64>) -> f64 {
        let (a, b) = (self.problem.a(), self.problem.b());
        let [rows, columns] = Relaxation::sides(self.rho, self.offset);
        // Whether some costs are infinite, or far beyond those in use.
        let far = FAR * (sums.above / sums.mass).max(self.epsilon);
        let has_fillers = sums.largest > far;
        let dual = rows.dual(a, &self.centred_f) + columns.dual(b, &self.centred_g)
            - self.epsilon * sums.excess;

        let held = (rows.is_held(), columns.is_held());
        if held == (true, true) && has_fillers {
            let mass: f64 = b.iter().sum();
            // Weights of single precision may be there.
            let rounding = mass_tolerance(f32::ROUNDING, a.len(), b.len()) * mass;
            let usable = |cell: Cell| cell.reference > 0.0 && cell.cost <= far;
            let wanted: Vec<bool> = self.cells().map(usable).collect();
            if mend(&mut plan, a, b, |cell| wanted[cell], rounding).is_none() {
                return f64::INFINITY;
            }
        } else {
            meet(&mut plan, (a, held.0), (b, held.1));
        }
        let cells = plan.iter().zip(self.cells());
        let primal: f64 = cells
            .filter(|(_, cell)| cell.reference > 0.0)
            .map(|(&mass, cell)| Cell { mass, ..cell })
            .map(|cell| cell.spent() + self.epsilon * divergence(cell.mass, cell.reference))
            .sum();
        // The mass of a plan that meets a marginal is that of the weights: the offset cancels.
        let relaxed = held == (false, false);
        let offset = if relaxed { self.offset } else { 0.0 };
        let gap = primal
            + offset * plan.iter().sum::<f64>()
            + rows.penalty(&row_sums(&plan, b.len()), a)
            + columns.penalty(&column_sums(&plan, b.len()), b)
            - dual;
        if gap.is_nan() { f64::INFINITY } else { gap }
    }

    /// Adds up what the named costs are made of, and shows the mass of each cell to `see`.
    fn sums(&self, mut see: impl FnMut(f64)) -> Sums {
        let mut sums = Sums::default();
        for cell in self.cells() {
            see(cell.mass);
            sums.above += cell.spent();
            sums.mass += cell.mass;
            sums.excess += cell.mass - cell.reference;
            sums.divergence += cell.divergence();
            sums.largest = sums.largest.max(cell.cost);
        }
        sums
    }

    fn cells(&self) -> impl Iterator<Item = Cell> {
        let problem = &self.problem;
        let rows = problem.cost().rows().zip(&self.centred_f).zip(problem.a());
        rows.flat_map(move |((costs, &f), &a)| {
            costs
                .iter()
                .zip(&self.centred_g)
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

/// Sums over the cells of a plan.
#[derive(Default)]
struct Sums {
    /// Cost of the plan, less the offset.
    above: f64,
    mass: f64,
    /// Mass less that of the product of the weights.
    excess: f64,
    /// Divergence of the plan from that product.
    divergence: f64,
    /// The largest cost, less the offset.
    largest: f64,
}

impl Sums {
    fn transport_cost(&self, offset: f64) -> f64 {
        self.above + offset * self.mass
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

impl Cell {
    /// What its mass costs; none costs nothing, even where the cost is infinite.
    fn spent(&self) -> f64 {
        if self.mass > 0.0 {
            self.mass * self.cost
        } else {
            0.0
        }
    }

    /// Its term of the divergence of the plan from the product of the weights.
    fn divergence(&self) -> f64 {
        if self.mass > 0.0 {
            self.mass * self.exponent - self.mass + self.reference
        } else {
            self.reference
        }
    }
}

/// Writes the potentials of a support to their places and fills the others by `update`; nothing where
/// that is not finite.
fn extended(
    length: usize,
    places: &[usize],
    potentials: &[f64],
    update: impl Fn(usize) -> f64,
) -> Vec<Option<f64>> {
    let mut all = vec![None; length];
    for (&place, &potential) in places.iter().zip(potentials) {
        all[place] = Some(potential);
    }
    let updated = |index| Some(update(index)).filter(|value| value.is_finite());
    let filled = all.iter().enumerate();
    filled
        .map(|(index, value)| value.or_else(|| updated(index)))
        .collect()
}
