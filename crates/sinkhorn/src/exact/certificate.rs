//! What a plan and potentials prove of each other.

use super::ExactSolution;
use crate::Status;
use crate::real::Real;

/// Duality gap, as a share of the costs' spread times the mass, and marginal error, as a share of
/// the mass, that rounding may leave of an exact plan.
pub(crate) const ROUNDING: f64 = 1e-9;

/// A problem, row by row, and the places of its rows and columns that carry mass.
pub(crate) struct Kept<'a, T> {
    pub cost: &'a [T],
    pub a: &'a [T],
    pub b: &'a [T],
    pub rows: &'a [usize],
    pub columns: &'a [usize],
}

/// A cell that may carry mass, by its place among the rows and columns kept.
pub(crate) struct Cell {
    pub row: usize,
    pub column: usize,
    pub mass: f64,
    /// Relative to an offset.
    pub cost: f64,
}

/// What is to be proven.
pub(crate) struct Claim<C> {
    pub cells: C,
    /// Potentials of the rows and columns kept, which exceed no cost.
    pub potentials: (Vec<f64>, Vec<f64>),
    /// What costs are relative to, and their range.
    pub offset: f64,
    pub spread: f64,
    pub iterations: usize,
    /// Duality gap, as a share of spread and mass, that counts as none.
    pub threshold: f64,
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
        let mean = b.iter().zip(&g).map(|(b, g)| b * g).sum::<f64>() / mass_b;
        f.iter_mut().for_each(|f| *f += mean);
        g.iter_mut().for_each(|g| *g -= mean);

        let mut plan = vec![0.0; self.cost.len()];
        let (mut lack_a, mut lack_b) = (a, b);
        let (mut moved, mut cost, mut duality_gap) = (0.0, 0.0, 0.0);
        for cell in claim.cells {
            plan[self.rows[cell.row] * m + self.columns[cell.column]] = cell.mass;
            lack_a[cell.row] -= cell.mass;
            lack_b[cell.column] -= cell.mass;
            moved += cell.mass;
            cost += cell.mass * cell.cost;
            // A sum of what each mass wastes loses no digits, unlike the difference of the objectives.
            duality_gap += cell.mass * (cell.cost - f[cell.row] - g[cell.column]);
        }
        let marginal_error: f64 = lack_a.iter().chain(&lack_b).map(|lack| lack.abs()).sum();
        // Weights of different mass cannot all be met.
        let unavoidable = (mass_a - mass_b).abs();
        let proven = duality_gap <= claim.threshold * claim.spread * mass_b
            && marginal_error <= unavoidable + claim.threshold.max(ROUNDING) * mass_b;
        let (f, g) = self.everywhere(&f, &g, claim.offset);
        ExactSolution {
            plan,
            f,
            g,
            transport_cost: cost + claim.offset * moved,
            duality_gap,
            marginal_error,
            iterations: claim.iterations,
            status: if proven {
                Status::Converged
            } else {
                Status::MaxIterations
            },
        }
    }

    /// Potentials of all rows and columns: those kept in their places, the others as large as their
    /// finite costs to those kept allow, or zero.
    fn everywhere(&self, f: &[f64], g: &[f64], offset: f64) -> (Vec<f64>, Vec<f64>) {
        let m = self.b.len();
        let cost = |i: usize, j: usize| self.cost[i * m + j].to_f64();
        let least = |bounds: &mut dyn Iterator<Item = f64>| {
            let least = bounds.fold(f64::INFINITY, f64::min);
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
            let bounds = self.rows.iter().map(|&i| cost(i, j) - rows[i]);
            columns[j] = least(&mut { bounds });
        }
        (rows, columns)
    }
}

/// The numbers below `length` that an ascending list does not have.
fn absent(places: &[usize], length: usize) -> impl Iterator<Item = usize> {
    let mut places = places.iter().copied().peekable();
    (0..length).filter(move |&index| places.next_if_eq(&index).is_none())
}
