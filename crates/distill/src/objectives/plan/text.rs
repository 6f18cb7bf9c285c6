//! Plans that are made text by text, without padding, in this process' memory.

use optical_sinkhorn::{CostMatrix, Error, ExactSolution, Problem, ProximalPoint, Sinkhorn};

use super::PlanSettings;

/// The problem of one text, without padding.
pub(super) struct Text {
    rows: Vec<usize>,
    columns: Vec<usize>,
    costs: Vec<f64>,
    problem: Problem,
}

impl Text {
    /// Creates it from the padded costs and masses.
    pub(super) fn new(costs: &[f64], a: &[f64], b: &[f64]) -> Result<Self, Error> {
        let present = |mass: &[f64]| -> Vec<usize> {
            (0..mass.len()).filter(|&token| 0.0 < mass[token]).collect()
        };
        let (rows, columns) = (present(a), present(b));
        let cell = |&row: &usize| {
            columns
                .iter()
                .map(move |&column| costs[row * b.len() + column])
        };
        let costs: Vec<f64> = rows.iter().flat_map(cell).collect();
        // Rounded to single precision, the masses do not add up to exactly one.
        let normed = |mass: &[f64], tokens: &[usize]| -> Vec<f64> {
            let sum: f64 = tokens.iter().map(|&token| mass[token]).sum();
            tokens.iter().map(|&token| mass[token] / sum).collect()
        };
        let matrix = CostMatrix::new(&costs, rows.len(), columns.len())?;
        let problem = Problem::new(matrix, &normed(a, &rows), &normed(b, &columns))?;
        Ok(Self {
            rows,
            columns,
            costs,
            problem,
        })
    }

    /// Its plan: `rows * columns` masses.
    pub(super) fn plan(&self, settings: &PlanSettings) -> Result<Vec<f64>, Error> {
        let (rows, columns) = (self.rows.len(), self.columns.len());
        let plan = match *settings {
            PlanSettings::Ipot { beta, iterations } => {
                let solver = ProximalPoint::new(beta)?.with_max_iterations(iterations);
                solver.solve(&self.problem)?.plan().to_vec()
            }
            PlanSettings::Exact {} => ExactSolution::of(&self.problem)?.plan().to_vec(),
            PlanSettings::Unbalanced {
                epsilon,
                rho,
                iterations,
            } => {
                let solver = Sinkhorn::new(epsilon)?.with_rho(rho, rho)?;
                let solver = solver.with_threshold(1e-6).with_max_iterations(iterations);
                solver.solve(&self.problem)?.plan()
            }
            PlanSettings::Greedy {} => greedy(&self.costs, rows, columns),
            PlanSettings::InOrder {} => {
                let pairs = rows.min(columns);
                pairing(
                    (0..pairs).map(|place| (place, place)),
                    columns,
                    rows * columns,
                )
            }
            PlanSettings::Softmax { temperature } => {
                softmax(&self.costs, self.problem.b(), rows, temperature)
            }
            PlanSettings::Sinkhorn { .. } => unreachable!("is solved for all texts at once"),
        };
        Ok(plan)
    }

    /// Returns a plan between all `n` and `m` tokens of padded sides.
    pub(super) fn padded(&self, plan: &[f64], n: usize, m: usize) -> Vec<f32> {
        let mut padded = vec![0.0; n * m];
        for (row, masses) in self.rows.iter().zip(plan.chunks(self.columns.len())) {
            for (column, mass) in self.columns.iter().zip(masses) {
                padded[row * m + column] = *mass as f32;
            }
        }
        padded
    }
}

/// Returns a plan of equal masses on `pairs`.
fn pairing(
    pairs: impl ExactSizeIterator<Item = (usize, usize)>,
    columns: usize,
    cells: usize,
) -> Vec<f64> {
    let mass = 1.0 / pairs.len() as f64;
    let mut plan = vec![0.0; cells];
    for (row, column) in pairs {
        plan[row * columns + column] = mass;
    }
    plan
}

fn greedy(costs: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let mut cells: Vec<usize> = (0..costs.len()).collect();
    cells.sort_by(|&a, &b| costs[a].total_cmp(&costs[b]).then(a.cmp(&b)));
    let (mut free_rows, mut free_columns) = (vec![true; rows], vec![true; columns]);
    let mut pairs = Vec::with_capacity(rows.min(columns));
    for cell in cells {
        let (row, column) = (cell / columns, cell % columns);
        if free_rows[row] && free_columns[column] {
            (free_rows[row], free_columns[column]) = (false, false);
            pairs.push((row, column));
        }
    }
    pairing(pairs.into_iter(), columns, costs.len())
}

fn softmax(costs: &[f64], b: &[f64], rows: usize, temperature: f64) -> Vec<f64> {
    let columns = b.len();
    let mut plan = vec![0.0; costs.len()];
    for (column, mass) in b.iter().enumerate() {
        let cost = |row: usize| costs[row * columns + column];
        let least = (0..rows).map(cost).fold(f64::INFINITY, f64::min);
        let weight = |row: usize| ((least - cost(row)) / temperature).exp();
        let total: f64 = (0..rows).map(weight).sum();
        for row in 0..rows {
            plan[row * columns + column] = mass * weight(row) / total;
        }
    }
    plan
}
