//! What a plan and potentials prove of each other.

use super::ExactSolution;
use crate::Status;
use crate::problem::mass_tolerance;
use crate::real::Real;

/// Share of a plan's cost above the least cost that rounding may leave as a duality gap, and of its
/// mass as a marginal error.
pub(crate) const ROUNDING: f64 = 1e-9;

/// A problem, row by row, and the places of its rows and columns that carry mass.
pub(crate) struct Kept<'a, T> {
    pub cost: &'a [T],
    pub a: &'a [T],
    pub b: &'a [T],
    pub rows: &'a [usize],
    pub columns: &'a [usize],
    /// Largest relative error that the weights may have.
    pub rounding: f64,
}

/// A cell that may carry mass, by its place among the rows and columns kept.
pub(crate) struct Cell {
    pub row: usize,
    pub column: usize,
    pub mass: f64,
}

/// What is to be proven.
pub(crate) struct Claim<C> {
    pub cells: C,
    /// Potentials of the rows and columns kept, which exceed no cost less the offset.
    pub potentials: (Vec<f64>, Vec<f64>),
    /// What costs are relative to.
    pub offset: f64,
    /// The least cost, and the most above it that mass may cost for other reasons than the rounding of
    /// weights.
    pub least: f64,
    pub ceiling: f64,
    pub iterations: usize,
    /// Duality gap that counts as none, as a share of the plan's cost or, where that is more, of
    /// this cost for all its mass.
    pub threshold: f64,
    pub scale: f64,
    /// What to say of a plan with a larger one.
    pub otherwise: Status,
}

impl<T: Real> Kept<'_, T> {
    /// Copies the costs of a row kept to the columns kept.
    #[inline(always)]
    pub(crate) fn copy_row(&self, row: usize, costs: &mut [f64]) {
        let m = self.b.len();
        let all = &self.cost[self.rows[row] * m..][..m];
        if self.columns.len() == m {
            costs
                .iter_mut()
                .zip(all)
                .for_each(|(cost, value)| *cost = value.to_f64());
        } else {
            let places = costs.iter_mut().zip(self.columns);
            places.for_each(|(cost, &column)| *cost = all[column].to_f64());
        }
    }

    /// Spreads a plan over the whole problem and measures what it misses of being optimal.
    pub(crate) fn prove(&self, claim: Claim<impl Iterator<Item = Cell>>) -> ExactSolution {
        let m = self.b.len();
        let (mut f, mut g) = claim.potentials;
        let weights = |weights: &[T], places: &[usize]| -> Vec<f64> {
            places
                .iter()
                .map(|&place| weights[place].to_f64())
                .collect()
        };
        let (a, b) = (weights(self.a, self.rows), weights(self.b, self.columns));
        let (mass_a, mass_b) = (a.iter().sum::<f64>(), b.iter().sum::<f64>());
        let mut plan = vec![0.0; self.cost.len()];
        let (mut lack_a, mut lack_b) = (a, b);
        let [mut above, mut cost, mut duality_gap] = [0.0; 3];
        for cell in claim.cells {
            let given = self.given(&cell);
            if self.is_rounding(&cell, given - claim.least > claim.ceiling, mass_b) {
                continue;
            }
            plan[self.rows[cell.row] * m + self.columns[cell.column]] = cell.mass;
            lack_a[cell.row] -= cell.mass;
            lack_b[cell.column] -= cell.mass;
            cost += cell.mass * given;
            above += cell.mass * (given - claim.least);
            // A sum of what each mass wastes loses no digits, unlike the difference of the objectives.
            duality_gap += cell.mass * (given - claim.offset - f[cell.row] - g[cell.column]);
        }
        // At the least cost everywhere, a plan needs no other potentials.
        if above == 0.0 && duality_gap != 0.0 {
            f.fill(claim.least - claim.offset);
            g.fill(0.0);
            duality_gap = 0.0;
        }
        let mean = (self.columns.iter().zip(&g))
            .map(|(&j, g)| self.b[j].to_f64() * g)
            .sum::<f64>()
            / mass_b;
        f.iter_mut().for_each(|f| *f += mean);
        g.iter_mut().for_each(|g| *g -= mean);
        let marginal_error: f64 = lack_a.iter().chain(&lack_b).map(|lack| lack.abs()).sum();
        // Weights of different mass cannot all be met.
        let unavoidable = (mass_a - mass_b).abs();
        let tolerance = claim.threshold.max(self.mass_tolerance());
        // In this order no product of large costs and masses is infinite, as which any gap would do.
        let allowed = (claim.threshold * above).max(claim.threshold * claim.scale * mass_b);
        let proven = duality_gap <= allowed && marginal_error <= unavoidable + tolerance * mass_b;
        let (f, g) = self.everywhere(&f, &g, claim.offset);
        ExactSolution {
            plan,
            f,
            g,
            transport_cost: cost,
            duality_gap,
            marginal_error,
            iterations: claim.iterations,
            status: if proven {
                Status::Converged
            } else {
                claim.otherwise
            },
        }
    }

    /// Returns the cost of a cell, as it was given.
    pub(crate) fn given(&self, cell: &Cell) -> f64 {
        let row = self.rows[cell.row] * self.b.len();
        self.cost[row + self.columns[cell.column]].to_f64()
    }

    /// Share of the mass that may be missed.
    pub(crate) fn mass_tolerance(&self) -> f64 {
        mass_tolerance(self.rounding, self.a.len(), self.b.len())
    }

    /// Whether mass is on a cell, or on one that it should not use, only because of the rounding
    /// of weights, of which `whole` is the sum.
    pub(crate) fn is_rounding(&self, cell: &Cell, unwanted: bool, whole: f64) -> bool {
        let nodes = self.rows.len() + self.columns.len();
        let share = match unwanted {
            _ if cell.mass == 0.0 => return true,
            false => return false,
            true if self.given(cell).is_finite() => 4.0 * self.rounding * nodes as f64,
            true => self.mass_tolerance(),
        };
        cell.mass <= share * whole
    }

    /// Potentials of all rows and columns: those kept in their places, the others as large as finite
    /// costs allow, or zero; of rows that are not kept, those to the columns kept, and of columns
    /// those to all rows, so that potentials exceed no cost anywhere.
    fn everywhere(&self, f: &[f64], g: &[f64], offset: f64) -> (Vec<f64>, Vec<f64>) {
        let m = self.b.len();
        let cost = |i: usize, j: usize| self.cost[i * m + j].to_f64();
        let least = |bounds: &mut dyn Iterator<Item = f64>| {
            let finite = bounds.filter(|bound| bound.is_finite());
            let least = finite.fold(f64::INFINITY, f64::min);
            if least.is_finite() { least } else { 0.0 }
        };
        let (mut rows, mut columns) = (vec![0.0; self.a.len()], vec![0.0; m]);
        for (&i, f) in self.rows.iter().zip(f) {
            rows[i] = f + offset;
        }
        for (&j, &g) in self.columns.iter().zip(g) {
            columns[j] = g;
        }
        for i in absent(self.rows, self.a.len()) {
            let bounds = self.columns.iter().map(|&j| cost(i, j) - columns[j]);
            rows[i] = least(&mut { bounds });
        }
        for j in absent(self.columns, m) {
            let bounds = (0..rows.len()).map(|i| cost(i, j) - rows[i]);
            columns[j] = least(&mut { bounds });
        }
        (rows, columns)
    }
}

/// Returns the numbers below `length` that an ascending list does not have.
fn absent(places: &[usize], length: usize) -> impl Iterator<Item = usize> {
    let mut places = places.iter().copied().peekable();
    (0..length).filter(move |&index| places.next_if_eq(&index).is_none())
}
