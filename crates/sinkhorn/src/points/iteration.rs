//! Sinkhorn's iterations on a kernel that is computed anew in each.
//!
//! The plan is `u_i K_ij v_j` in units of the mass, with `K_ij = exp2(s D_ij + f_i + g_j)` and
//! `s = log2(e) / epsilon`. As in [`scaling`](crate::scaling), the potentials `f` and `g` of the
//! kernel stay as they are while the factors change, so that every pass computes the same kernel to
//! the last bit and rounding of large exponents does not disturb the convergence. Factors that leave
//! a safe range are absorbed, which costs nothing here.

use super::log_sweep::{LogSweep, LogSwept, NEVER};
use super::operator::Operator;
use super::sweep::{RowUpdate, Sweep, Swept, Then};
use crate::Real;
use crate::relaxation::{Relaxation, translation};

/// Factors of columns below this are zero, or too small for their logarithm to be right.
const LEAST_FACTOR: f64 = 1e-30;

/// How long to iterate, and for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub epsilon: f64,
    /// L1 marginal error to stop at, on the way to which iterations are accelerated; none for a
    /// fixed number of plain ones.
    pub threshold: Option<f64>,
    pub iterations: usize,
    /// What the marginals of rows and columns cost when they are missed.
    pub relaxed: [Relaxation; 2],
}

impl Rules {
    pub(super) fn is_balanced(&self) -> bool {
        self.relaxed.iter().all(|side| side.is_held())
    }
}

/// The kernel of a plan and its factors, padded as the operator is.
#[derive(Debug, Clone)]
pub(super) struct Factors<U> {
    pub scale: U,
    pub f: Vec<U>,
    pub g: Vec<U>,
    pub u: Vec<U>,
    pub v: Vec<U>,
}

/// What a pass in the log domain found.
pub(super) struct LogStep {
    /// The marginal error before it.
    pub error: f64,
    /// Potentials of the columns that make the kernel's sums one.
    balanced: Vec<f64>,
    /// Exponents of the columns after it.
    image: Vec<f64>,
}

/// Factors with what a pass found for them.
#[derive(Clone)]
pub(super) struct Point<U> {
    factors: Factors<U>,
    logarithms: Vec<f64>,
    exponents: Vec<f64>,
    sums: [Vec<f64>; 2],
    pub error: f64,
}

/// The state of an iteration.
pub(super) struct Iteration<'s, 'a, U> {
    pub operator: &'s Operator<'a, U>,
    pub rules: Rules,
    pub factors: Factors<U>,
    /// `log2(u_i / a_i)` and `g_j + log2(v_j / b_j)`, also of factors too small for their type.
    pub logarithms: Vec<f64>,
    pub exponents: Vec<f64>,
    /// `sum_j K_ij v_j` and `sum_i u_i K_ij` of the last pass.
    pub sums: [Vec<f64>; 2],
    /// Moments of the last pass if it was known to be the last.
    pub moments: Vec<[f64; 2]>,
    /// `log2(e) / epsilon`.
    pub scale: f64,
    /// What potentials have in common beside those of the kernel.
    shifts: [f64; 2],
}

impl<'s, 'a, U: Real> Iteration<'s, 'a, U> {
    /// Starts from column potentials `g` on the support, in units of the cost.
    pub(super) fn new(operator: &'s Operator<'a, U>, rules: Rules, g: &[f64]) -> Self {
        let scale = std::f64::consts::LOG2_E / rules.epsilon;
        let scaled = |(g, beta): (&f64, &f64)| scale * (g - beta);
        let mut exponents: Vec<f64> = g.iter().zip(&operator.beta).map(scaled).collect();
        let [low, high] = range(&exponents);
        // The product of the factors' unit and of the exponents is the mass.
        let shift = f64::midpoint(low, high);
        let shifts = [-operator.marginals.mass.log2() - shift, shift];
        exponents.iter_mut().for_each(|exponent| *exponent -= shift);
        let [least, largest] = operator.extremes;
        let first = U::from_f64(-scale * f64::midpoint(least, largest));
        let mut iteration = Self {
            operator,
            rules,
            factors: Factors {
                scale: U::from_f64(scale),
                f: vec![first; operator.height()],
                g: vec![U::from_f64(NEVER); operator.width],
                u: vec![U::ZERO; operator.alpha.len()],
                v: vec![U::ZERO; operator.width],
            },
            logarithms: vec![0.0; operator.alpha.len()],
            exponents: Vec::new(),
            sums: [Vec::new(), Vec::new()],
            moments: Vec::new(),
            scale,
            shifts,
        };
        for (g, exponent) in iteration.factors.g.iter_mut().zip(&exponents) {
            *g = U::from_f64(*exponent);
        }
        iteration.set_exponents(exponents);
        iteration
    }

    /// Whether no exponent of the kernel can leave the range of numbers at the start.
    pub(super) fn is_tame(&self) -> bool {
        let [least, largest] = self.operator.extremes;
        let [low, high] = range(&self.exponents);
        let bound = 2.0 * f64::from(U::SAFE_EXPONENT);
        self.scale * (largest - least) + (high - low) <= bound
    }

    /// Returns the factors and what the last pass found for them.
    pub(super) fn point(&self, error: f64) -> Point<U> {
        Point {
            factors: self.factors.clone(),
            logarithms: self.logarithms.clone(),
            exponents: self.exponents.clone(),
            sums: self.sums.clone(),
            error,
        }
    }

    /// Goes back to a point; returns its error.
    pub(super) fn return_to(&mut self, point: &Point<U>) -> f64 {
        self.factors = point.factors.clone();
        self.logarithms = point.logarithms.clone();
        self.exponents = point.exponents.clone();
        self.sums = point.sums.clone();
        point.error
    }

    /// Makes the factors of the columns those of these exponents.
    pub(super) fn set_exponents(&mut self, mut exponents: Vec<f64>) {
        let Factors { g, v, .. } = &mut self.factors;
        let columns = exponents.iter_mut().zip(&self.operator.marginals.b);
        for ((exponent, b), (g, v)) in columns.zip(g.iter().zip(v)) {
            let g = g.to_f64();
            *v = U::from_f64(b * (*exponent - g).exp2());
            // What rounding makes of it, where it is not too small to tell.
            if v.to_f64() > LEAST_FACTOR {
                *exponent = g + (v.to_f64() / b).log2();
            }
        }
        self.exponents = exponents;
    }

    /// Goes along a direction in the exponents of the columns; the kernel goes with it.
    pub(super) fn advance(&mut self, length: f64, direction: &[f64]) {
        let mut exponents = self.exponents.clone();
        let columns = exponents.iter_mut().zip(&mut self.factors.g);
        for ((exponent, g), step) in columns.zip(direction) {
            *exponent += length * step;
            shift(g, length * step);
        }
        self.set_exponents(exponents);
    }

    /// One pass: row factors from column factors, and the sums of both sides. Whether all of these
    /// are in a safe range.
    pub(super) fn pass(&mut self, last: bool) -> bool {
        let lacking = vec![U::ZERO; self.operator.width];
        let moments = last && self.rules.threshold.is_none();
        let base = self.row_base();
        let share = share(self.rules.relaxed[0], self.rules.epsilon);
        let swept: Swept<U> = Sweep {
            operator: self.operator,
            scale: self.factors.scale,
            f: &self.factors.f,
            g: &self.factors.g,
            weights: &self.factors.v,
            moments: moments.then_some([&self.factors.v, &lacking]),
            then: Then::Update(RowUpdate {
                weights: &self.operator.marginals.a,
                relaxed: (share > 0.0).then_some((share, &base)),
            }),
        }
        .run();
        self.factors.u = swept.factors;
        self.logarithms = swept.logarithms;
        self.sums = [swept.rows, swept.columns];
        self.moments = swept.moments;
        let bound = f64::powi(2.0, 2 * U::SAFE_EXPONENT);
        let mut sums = self.sums.iter().flatten();
        sums.all(|sum| (1.0 / bound..bound).contains(sum))
    }

    /// One pass in the log domain. The kernel's row potentials become those that it finds, the
    /// columns wait for [`accept`](Self::accept).
    pub(super) fn log_pass(&mut self) -> LogStep {
        let marginals = &self.operator.marginals;
        let weighted = self.exponents.iter().zip(&marginals.b);
        let mut bias: Vec<U> = weighted
            .map(|(exponent, weight)| U::from_f64(exponent + weight.log2()))
            .collect();
        bias.resize(self.operator.width, U::from_f64(NEVER));
        let base = self.row_shift();
        let row_share = share(self.rules.relaxed[0], self.rules.epsilon);
        let swept = LogSweep {
            operator: self.operator,
            scale: self.factors.scale,
            bias: &bias,
            update: &|i, sum| {
                let exponent = -sum;
                let exponent = exponent - row_share * (exponent + base(i));
                exponent + marginals.a[i].log2()
            },
        }
        .run();
        // The kernel takes what makes the sums of its rows one, also where the factors are to be less.
        let rows = self.factors.f.iter_mut().zip(&swept.rows).enumerate();
        for ((i, (f, row)), weight) in rows.zip(&marginals.a) {
            let drawn = row - weight.log2();
            *f = U::from_f64((drawn + row_share * base(i)) / (1.0 - row_share));
        }
        let balanced = bias.iter().zip(&swept.columns);
        let balanced: Vec<f64> = balanced.map(|(bias, sum)| bias.to_f64() - sum).collect();
        let rows: Vec<f64> = swept
            .rows
            .iter()
            .zip(&marginals.a)
            .enumerate()
            .map(|(i, (row, weight))| (row - weight.log2() + base(i)) / self.scale)
            .collect();
        LogStep {
            error: self.log_error(&swept),
            image: self.relax(balanced.clone(), &rows),
            balanced,
        }
    }

    /// Makes the step of a pass in the log domain; returns how far exponents went with it.
    pub(super) fn accept(&mut self, step: LogStep) -> f64 {
        let moves = self.exponents.iter().zip(&step.image);
        let farthest = moves.fold(0.0, |most, (old, new)| f64::max(most, (new - old).abs()));
        // No factor above its weight: rows that they are drawn from must not need more than that.
        let drawn = step.image.iter().zip(&step.balanced);
        let least_drawn = drawn.fold(f64::NEG_INFINITY, |most, (image, balanced)| {
            most.max(image - balanced)
        });
        for (g, balanced) in self.factors.g.iter_mut().zip(&step.balanced) {
            *g = U::from_f64(balanced + least_drawn);
        }
        self.set_exponents(step.image);
        farthest
    }

    /// L1 distance of the column sums of a pass in the log domain from those called for.
    fn log_error(&self, swept: &LogSwept) -> f64 {
        let columns = swept.columns.iter().zip(self.column_targets());
        let missed: f64 = columns
            .map(|(sum, target)| (sum.exp2() - target).abs())
            .sum();
        missed * self.operator.marginals.mass
    }

    /// Returns the column sums called for, in units of the mass.
    pub(super) fn column_targets(&self) -> Vec<f64> {
        let potentials = self.column_potentials();
        self.rules.relaxed[1].targets(&self.operator.marginals.b, &potentials)
    }

    /// Returns the dual objective up to a constant, in units of the mass.
    pub(super) fn dual(&self) -> f64 {
        let [rows, columns] = self.rules.relaxed;
        let marginals = &self.operator.marginals;
        let potentials = self.row_potentials();
        rows.dual(&marginals.a, &potentials) + columns.dual(&marginals.b, &self.column_potentials())
            - self.rules.epsilon * rows.excess(&marginals.a, &potentials)
    }

    /// L1 distance of the plan's column sums from those called for; its row sums are right.
    pub(super) fn error(&self) -> f64 {
        let columns = self.column_sums().zip(self.column_targets());
        let missed: f64 = columns.map(|(sum, target)| (sum - target).abs()).sum();
        missed * self.operator.marginals.mass
    }

    /// Returns the plan's column sums, in units of the mass.
    pub(super) fn column_sums(&self) -> impl Iterator<Item = f64> {
        let columns = self.sums[1].iter().zip(&self.factors.v);
        columns.map(|(sum, v)| sum * v.to_f64())
    }

    /// Returns the plan's row sums, in units of the mass.
    pub(super) fn row_sums(&self) -> impl Iterator<Item = f64> {
        let rows = self.sums[0].iter().zip(&self.factors.u);
        rows.map(|(sum, u)| sum * u.to_f64())
    }

    /// Updates the factors of the columns.
    pub(super) fn step(&mut self) {
        self.set_exponents(self.image());
    }

    /// Where an update takes the exponents of the columns.
    pub(super) fn image(&self) -> Vec<f64> {
        let columns = self.factors.g.iter().zip(&self.sums[1]);
        let balanced = columns.map(|(g, sum)| g.to_f64() - sum.log2()).collect();
        let rows = if self.rules.is_balanced() {
            Vec::new()
        } else {
            self.row_potentials()
        };
        self.relax(balanced, &rows)
    }

    /// Draws balanced column exponents towards the penalty's optimum, and moves to them the constant
    /// that makes the dual largest; nothing if both marginals are held.
    fn relax(&self, mut exponents: Vec<f64>, rows: &[f64]) -> Vec<f64> {
        if self.rules.is_balanced() {
            return exponents;
        }
        let [relaxed_rows, relaxed_columns] = self.rules.relaxed;
        let share = share(relaxed_columns, self.rules.epsilon);
        for (exponent, beta) in exponents.iter_mut().zip(&self.operator.beta) {
            *exponent -= share * (*exponent + self.scale * beta + self.shifts[1]);
        }
        let columns = self.column_potentials_at(&exponents);
        let marginals = &self.operator.marginals;
        let log_rows = relaxed_rows.log_mass(&marginals.a, rows);
        let log_columns = relaxed_columns.log_mass(&marginals.b, &columns);
        let moved = translation((relaxed_rows, log_rows), (relaxed_columns, log_columns));
        for exponent in &mut exponents {
            *exponent -= self.scale * moved;
        }
        exponents
    }

    /// Moves what makes sums of the kernel leave the range `2^-safe..2^safe` into its potentials;
    /// whether there were any of the columns.
    pub(super) fn tidy(&mut self, safe: f64) -> bool {
        let rows = self.factors.f.iter_mut().zip(&mut self.factors.u);
        let rows = rows.zip(&mut self.logarithms);
        for (((f, u), logarithm), sum) in rows.zip(&mut self.sums[0]) {
            let exponent = sum.log2();
            if exponent.abs() > safe {
                let moved = shift(f, -exponent);
                *sum *= moved.exp2();
                *u = U::from_f64(u.to_f64() * (-moved).exp2());
                *logarithm -= moved;
            }
        }
        let mut any = false;
        for (g, sum) in self.factors.g.iter_mut().zip(&mut self.sums[1]) {
            let exponent = sum.log2();
            if exponent.abs() > safe {
                *sum *= shift(g, -exponent).exp2();
                any = true;
            }
        }
        if any {
            self.set_exponents(self.exponents.clone());
        }
        any
    }

    /// What a row's potential has beside that of the kernel, in the kernel's units.
    fn row_shift(&self) -> impl Fn(usize) -> f64 + Sync + use<'s, 'a, U> {
        let (operator, scale, shift) = (self.operator, self.scale, self.shifts[0]);
        move |i| scale * operator.alpha[i] + shift
    }

    /// Row potentials without factors; none are needed if the rows are held.
    fn row_base(&self) -> Vec<f64> {
        if self.rules.relaxed[0].is_held() {
            return Vec::new();
        }
        let shift = self.row_shift();
        let kernel = self.factors.f.iter().take(self.operator.alpha.len());
        let all = kernel.enumerate();
        all.map(|(i, f)| f.to_f64() + shift(i)).collect()
    }

    /// Returns the potentials with `P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon)`, in units of the cost.
    pub(super) fn row_potentials(&self) -> Vec<f64> {
        let shift = self.row_shift();
        let rows = self.factors.f.iter().zip(&self.logarithms).enumerate();
        rows.map(|(i, (f, logarithm))| (f.to_f64() + logarithm + shift(i)) / self.scale)
            .collect()
    }

    pub(super) fn column_potentials(&self) -> Vec<f64> {
        self.column_potentials_at(&self.exponents)
    }

    fn column_potentials_at(&self, exponents: &[f64]) -> Vec<f64> {
        let columns = exponents.iter().zip(&self.operator.beta);
        columns
            .map(|(exponent, beta)| (exponent + self.shifts[1]) / self.scale + beta)
            .collect()
    }

    /// Returns the column potentials that a plain iteration would resume from.
    pub(super) fn next_potentials(&self) -> Vec<f64> {
        let here = self.column_potentials();
        let next = self.column_potentials_at(&self.image());
        // Columns that nothing reaches yet have no next potential.
        let columns = next.into_iter().zip(here);
        columns
            .map(|(next, here)| if next.is_finite() { next } else { here })
            .collect()
    }
}

/// Adds to a potential of the kernel, and returns how far rounding let it go.
fn shift<U: Real>(potential: &mut U, by: f64) -> f64 {
    let old = potential.to_f64();
    *potential = U::from_f64(old + by);
    potential.to_f64() - old
}

/// How much an update is drawn towards the optimum of its penalty.
fn share(side: Relaxation, epsilon: f64) -> f64 {
    let stiffness = side.stiffness(epsilon);
    stiffness / (1.0 + stiffness)
}

fn range(values: &[f64]) -> [f64; 2] {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    [
        least,
        values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    ]
}
