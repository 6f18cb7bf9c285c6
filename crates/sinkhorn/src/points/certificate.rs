//! What the factors say: costs, and a bound on what is left to gain.
//!
//! Since `log(P_ij / (a_i b_j)) = (f_i + g_j - C_ij) / epsilon`, the objectives follow from the
//! marginals; the transport cost and the bound take one pass more.

use super::iteration::Iteration;
use super::sweep::{Sweep, Then};
use crate::{Real, Report, Status};

/// Potentials on the support, and the report on their plan.
pub(super) struct Ended {
    pub f: Vec<f64>,
    pub g: Vec<f64>,
    pub report: Report,
}

/// What is known of the plan, in its own units.
struct Known<'i, 's, 'a, U> {
    iteration: &'i Iteration<'s, 'a, U>,
    f: Vec<f64>,
    g: Vec<f64>,
    /// What is taken off the potentials of a side that is held, and so off all costs: rounding of
    /// masses must not count by it. Zero if the mass is free.
    levels: [f64; 2],
    a: Vec<f64>,
    b: Vec<f64>,
    rows: Vec<f64>,
    columns: Vec<f64>,
}

/// A plan near the one found that has the marginals it must have.
struct Feasible<U> {
    /// Column factors of the part that is kept.
    kept: Vec<U>,
    /// By how much a column is scaled down for that.
    shares: Vec<f64>,
    /// What columns then lack.
    lacking: Vec<U>,
}

/// Judges the plan of an iteration that has ended.
pub(super) fn certify<U: Real>(
    iteration: &Iteration<'_, '_, U>,
    (iterations, marginal_error): (usize, f64),
    threshold: f64,
) -> Ended {
    let marginals = &iteration.operator.marginals;
    let scaled = |values: &mut dyn Iterator<Item = f64>| -> Vec<f64> {
        values.map(|value| value * marginals.mass).collect()
    };
    let mut known = Known {
        iteration,
        f: iteration.row_potentials(),
        g: iteration.column_potentials(),
        levels: [0.0; 2],
        a: scaled(&mut marginals.a.iter().copied()),
        b: scaled(&mut marginals.b.iter().copied()),
        rows: scaled(&mut iteration.row_sums()),
        columns: scaled(&mut iteration.column_sums()),
    };
    known.centre();
    let dual = known.dual();
    let (first, duality_gap) = if iteration.rules.threshold.is_some() {
        let feasible = known.feasible();
        let (sums, moments) = known.pass(&feasible);
        let cost = known.feasible_cost(&feasible, &sums, &moments);
        (moments, Some(cost - dual))
    } else {
        (iteration.moments.clone(), None)
    };
    let [offset, plan_offset] = known.offsets();
    Ended {
        report: Report {
            status: if marginal_error <= threshold {
                Status::Converged
            } else {
                Status::MaxIterations
            },
            iterations,
            marginal_error,
            duality_gap,
            transport_cost: known.transport_cost(&first) + plan_offset,
            regularised_cost: known.regularised_cost(&known.rows, &known.columns)
                + known.penalties(&known.rows, &known.columns)
                + plan_offset,
            dual_cost: dual + offset,
        },
        f: known.f.iter().map(|f| f + known.levels[0]).collect(),
        g: known.g.iter().map(|g| g + known.levels[1]).collect(),
    }
}

impl<U: Real> Known<'_, '_, '_, U> {
    /// If both marginals are held, makes the weighted mean of `g` zero. Then takes that of a held
    /// side off the costs.
    fn centre(&mut self) {
        let [rows, columns] = self.iteration.rules.relaxed;
        let mean = |weights: &[f64], potentials: &[f64]| {
            inner(weights, potentials) / weights.iter().sum::<f64>()
        };
        let move_all = |potentials: &mut [f64], by: f64| {
            potentials.iter_mut().for_each(|value| *value += by);
        };
        if rows.is_held() && columns.is_held() {
            let moved = mean(&self.b, &self.g);
            move_all(&mut self.g, -moved);
            move_all(&mut self.f, moved);
        }
        if rows.is_held() {
            self.levels[0] = mean(&self.a, &self.f);
            move_all(&mut self.f, -self.levels[0]);
        } else if columns.is_held() {
            self.levels[1] = mean(&self.b, &self.g);
            move_all(&mut self.g, -self.levels[1]);
        }
    }

    /// What was taken off the costs, times the mass of a plan with the marginals it must have, and
    /// times that of the plan found.
    fn offsets(&self) -> [f64; 2] {
        let [rows, columns] = self.levels;
        let masses = [&self.a, &self.b, &self.columns].map(|values| values.iter().sum::<f64>());
        [
            rows * masses[0] + columns * masses[1],
            (rows + columns) * masses[2],
        ]
    }

    /// `epsilon` times the mass that the plan has beyond the product of the marginals.
    fn excess(&self, mass: f64) -> f64 {
        let reference = self.a.iter().sum::<f64>() * self.b.iter().sum::<f64>();
        self.iteration.rules.epsilon * (mass - reference)
    }

    fn dual(&self) -> f64 {
        let [rows, columns] = self.iteration.rules.relaxed;
        rows.dual(&self.a, &self.f) + columns.dual(&self.b, &self.g)
            - self.excess(self.columns.iter().sum())
    }

    /// Returns the regularised cost of the plan, or of one with its columns scaled, but for the penalties.
    fn regularised_cost(&self, rows: &[f64], columns: &[f64]) -> f64 {
        inner(rows, &self.f) + inner(columns, &self.g) - self.excess(columns.iter().sum())
    }

    fn penalties(&self, rows: &[f64], columns: &[f64]) -> f64 {
        let [relaxed_rows, relaxed_columns] = self.iteration.rules.relaxed;
        relaxed_rows.penalty(rows, &self.a) + relaxed_columns.penalty(columns, &self.b)
    }

    /// `<P, C>`, given `sum_j K_ij v_j t_ij` of each row.
    fn transport_cost(&self, moments: &[[f64; 2]]) -> f64 {
        let factors = &self.iteration.factors;
        let mass = self.iteration.operator.marginals.mass;
        let rows = factors.u.iter().zip(moments);
        let mut exponents: f64 = rows
            .map(|(u, [moment, _])| u.to_f64() * moment * mass)
            .sum();
        // The factors' part of log2(P_ij / (a_i b_j)).
        let logarithms = &self.iteration.logarithms;
        for (sum, logarithm) in self.rows.iter().zip(logarithms) {
            exponents += sum * (logarithm - mass.log2());
        }
        let columns = self.iteration.exponents.iter().zip(&factors.g);
        for (sum, (exponent, g)) in self.columns.iter().zip(columns) {
            exponents += sum * (exponent - g.to_f64());
        }
        let unit = self.iteration.rules.epsilon * std::f64::consts::LN_2;
        inner(&self.rows, &self.f) + inner(&self.columns, &self.g) - unit * exponents
    }

    /// How the columns are to be scaled for a plan that meets the marginals it must: down to their
    /// weights if rows are held as well, to their weights if the rows may follow.
    fn feasible(&self) -> Feasible<U> {
        let [rows, columns] = self.iteration.rules.relaxed;
        let sides = self.columns.iter().zip(&self.b);
        let shares: Vec<f64> = sides
            .map(|(sum, b)| match (rows.is_held(), columns.is_held()) {
                (true, true) if sum > b => b / sum,
                (false, true) if *sum > 0.0 => b / sum,
                _ => 1.0,
            })
            .collect();
        let width = self.iteration.operator.width;
        let padded = |values: &mut dyn Iterator<Item = f64>| -> Vec<U> {
            let mut values: Vec<U> = values.map(U::from_f64).collect();
            values.resize(width, U::ZERO);
            values
        };
        let v = self.iteration.factors.v.iter().zip(&shares);
        let kept = padded(&mut v.map(|(v, share)| v.to_f64() * share));
        let lacks = self.columns.iter().zip(&self.b).zip(&shares);
        let mass = self.iteration.operator.marginals.mass;
        let lacking = padded(&mut lacks.map(|((sum, b), share)| {
            if rows.is_held() && columns.is_held() {
                (b - sum * share) / mass
            } else {
                0.0
            }
        }));
        Feasible {
            kept,
            shares,
            lacking,
        }
    }

    /// Returns the row sums of the plan that is kept, and the moments of the one found.
    fn pass(&self, feasible: &Feasible<U>) -> (Vec<f64>, Vec<[f64; 2]>) {
        let factors = &self.iteration.factors;
        let swept = Sweep {
            operator: self.iteration.operator,
            scale: factors.scale,
            f: &factors.f,
            g: &factors.g,
            weights: &feasible.kept,
            moments: Some([&factors.v, &feasible.lacking]),
            then: Then::Stop,
        }
        .run();
        let mass = self.iteration.operator.marginals.mass;
        let rows = swept.rows.iter().zip(&factors.u);
        let rows = rows.map(|(sum, u)| sum * u.to_f64() * mass).collect();
        (rows, swept.moments)
    }

    /// An upper bound on the least regularised cost: that of a plan with the right marginals.
    ///
    /// If both are held, what rows and columns lack is added as a product (Altschuler, Weed and
    /// Rigollet 2017, "Near-linear time approximation algorithms for optimal transport via Sinkhorn
    /// iteration", algorithm 2). The divergence of the sum is bounded by those of the two parts (the
    /// log-sum inequality), so no logarithm of a cell is needed.
    fn feasible_cost(&self, feasible: &Feasible<U>, rows: &[f64], moments: &[[f64; 2]]) -> f64 {
        let epsilon = self.iteration.rules.epsilon;
        let columns = self.columns.iter().zip(&feasible.shares);
        let columns: Vec<f64> = columns.map(|(sum, share)| sum * share).collect();
        let scaled = columns.iter().zip(&feasible.shares);
        let scaling: f64 = scaled.map(|(sum, share)| sum * share.ln()).sum();
        let kept = inner(rows, &self.f) + inner(&columns, &self.g) + epsilon * scaling;
        if !self.iteration.rules.is_balanced() {
            return kept - self.excess(columns.iter().sum()) + self.penalties(rows, &columns);
        }
        let lacks = |sums: &[f64], weights: &[f64]| -> Vec<f64> {
            let sides = sums.iter().zip(weights);
            sides.map(|(sum, weight)| (weight - sum).max(0.0)).collect()
        };
        let (row_lacks, column_lacks) = (lacks(rows, &self.a), lacks(&columns, &self.b));
        let lack: f64 = column_lacks.iter().sum();
        let mass: f64 = self.a.iter().sum();
        let mut cost = kept - self.excess(mass);
        if lack > 0.0 {
            let entropies = |lacks: &[f64], weights: &[f64]| -> f64 {
                let sides = lacks.iter().zip(weights);
                sides.map(|(lack, weight)| entropy(*lack, *weight)).sum()
            };
            let parts = entropies(&row_lacks, &self.a) + entropies(&column_lacks, &self.b)
                - entropy(lack, 1.0)
                - entropy(mass - lack, mass)
                - entropy(lack, mass);
            cost += epsilon * parts + self.product_cost(feasible, &row_lacks, moments);
        }
        cost
    }

    /// Returns the cost of a product of what rows lack with the shares in what columns lack.
    fn product_cost(&self, feasible: &Feasible<U>, lacks: &[f64], moments: &[[f64; 2]]) -> f64 {
        let (factors, operator) = (&self.iteration.factors, self.iteration.operator);
        let scale = factors.scale.to_f64();
        let (mut lack, mut constant) = (0.0, 0.0);
        for ((lacking, g), beta) in feasible.lacking.iter().zip(&factors.g).zip(&operator.beta) {
            let lacking = lacking.to_f64();
            lack += lacking;
            constant += lacking * (beta + g.to_f64() / scale);
        }
        if lack == 0.0 {
            return 0.0;
        }
        // C_ij = alpha_i + beta_j - (t_ij - f_i - g_j) / s.
        let mean = |i: usize| {
            let [_, moment] = moments[i];
            let exponents = moment - factors.f[i].to_f64() * lack;
            operator.alpha[i] - self.levels[0] + (constant - exponents / scale) / lack
        };
        lacks
            .iter()
            .enumerate()
            .map(|(i, lack)| lack * mean(i))
            .sum()
    }
}

fn inner(left: &[f64], right: &[f64]) -> f64 {
    left.iter()
        .zip(right)
        .map(|(left, right)| left * right)
        .sum()
}

/// `x log(x / of)`.
fn entropy(x: f64, of: f64) -> f64 {
    if x > 0.0 { x * (x / of).ln() } else { 0.0 }
}
