//! Iterations for marginals that may be missed at a price.
//!
//! The updates are the balanced ones with the potentials drawn towards zero, `f = f_balanced rho /
//! (rho + epsilon)`, and between them mass is moved from all columns to all rows so that the dual is
//! largest; see [`relaxation`](crate::relaxation) for the sources. Potentials are in powers of two,
//! as in the rest of the module.

use super::certificate::Certificate;
use super::{Rules, Scaling, View, passes};
use crate::real::{Lanes, Real};
use crate::relaxation::Relaxation;
use crate::simd::Arch;

/// Costs of missing the marginals of rows and columns; one of them at least is finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Relaxed {
    pub rho: [f64; 2],
}

impl Relaxed {
    /// `epsilon / rho` of each side, zero where a marginal has to be met.
    fn rates(self, rules: &Rules) -> [f64; 2] {
        self.rho.map(|rho| rules.epsilon / rho)
    }

    /// What remains of the balanced update of each side's potentials.
    pub(super) fn shares(rules: &Rules) -> [f64; 2] {
        let rates = rules
            .relaxed
            .map_or([0.0; 2], |relaxed| relaxed.rates(rules));
        rates.map(|rate| 1.0 / (1.0 + rate))
    }
}

impl<T: Real> Scaling<T> {
    /// The row update, then the column sums.
    #[inline(always)]
    pub(super) fn iterate_relaxed<A: Arch>(&mut self, rules: &Rules) {
        let [share, _] = Relaxed::shares(rules);
        let scale = rules.scale();
        let n = self.f.len();
        let (matrix, transposed, v) = (self.matrix.get(), self.transposed.get(), self.v.get());
        let sums = self.row_sums.get_mut();
        if transposed.is_empty() {
            passes::row_sums::<T, A>(matrix, self.width, v, &mut sums[..n]);
        } else {
            let m = transposed.len() / self.height;
            passes::weighted_sum::<T, A>(transposed, self.height, &v[..m], sums);
        }
        self.phi.resize(n, 0.0);
        let (sums, phi, f) = (&sums[..n], &mut self.phi[..n], &self.f[..n]);
        let (lowest, a, u) = (&self.lowest[..n], self.a.get(), self.u.get_mut());
        let (a, u) = (&a[..n], &mut u[..n]);
        for i in 0..n {
            let absorbed = f[i] + scale * lowest[i];
            phi[i] = share * (absorbed - Lanes::log2::<A>(sums[i].to_f64()));
            u[i] = a[i] * T::exp2_of::<A>(phi[i] - absorbed);
        }
        let columns = self.column_sums.get_mut();
        if transposed.is_empty() {
            passes::column_sums::<T, A>(matrix, self.width, u, columns);
        } else {
            passes::weighted_sum::<T, A>(matrix, self.width, u, columns);
        }
    }

    /// The column update, with the translation that makes the dual largest unless a fixed number of
    /// plain iterations is asked for.
    #[inline(always)]
    pub(super) fn update_columns<A: Arch>(&mut self, rules: &Rules, relaxed: Relaxed) {
        let [_, share] = Relaxed::shares(rules);
        let [row_rate, column_rate] = relaxed.rates(rules);
        let m = self.g.len();
        self.psi.resize(m, 0.0);
        let (psi, g) = (&mut self.psi[..m], &self.g[..m]);
        let sums = &self.column_sums.get()[..m];
        for j in 0..m {
            psi[j] = share * (g[j] - Lanes::log2::<A>(sums[j].to_f64()));
        }
        let mut shift = 0.0;
        if rules.threshold.is_some() {
            let rows = called_for::<T, A>(self.a.get(), &self.phi, row_rate, &mut self.terms);
            let columns = called_for::<T, A>(self.b.get(), psi, column_rate, &mut self.terms);
            let best = (rows / columns).log2() / (row_rate + column_rate);
            shift = if best.is_finite() { best } else { 0.0 };
        }
        let (b, v) = (&self.b.get()[..m], &mut self.v.get_mut()[..m]);
        for j in 0..m {
            v[j] = b[j] * T::exp2_of::<A>(psi[j] - shift - g[j]);
        }
    }

    /// L1 distance of the plan's column sums from what the columns' potentials call for.
    #[inline(always)]
    pub(super) fn error_relaxed<A: Arch>(&mut self, rules: &Rules, relaxed: Relaxed) -> f64 {
        let [_, rate] = relaxed.rates(rules);
        let m = self.g.len();
        self.terms.resize(m.max(self.terms.len()), 0.0);
        let (terms, g) = (&mut self.terms[..m], &self.g[..m]);
        let (b, sums) = (&self.b.get()[..m], &self.column_sums.get()[..m]);
        let v = &self.v.get()[..m];
        for j in 0..m {
            let (v, b) = (v[j].to_f64(), b[j].to_f64());
            let psi = g[j] + Lanes::log2::<A>(v / b);
            let target = b * Lanes::exp2::<A>(-rate * psi);
            terms[j] = (sums[j].to_f64() * v - target).abs();
        }
        let error: f64 = terms.iter().sum();
        if error.is_nan() { f64::INFINITY } else { error }
    }

    /// Returns the costs of the plan and its certificate.
    ///
    /// The plan is feasible as it is, unless its columns have to meet their weights: then they are
    /// scaled to them. Costs follow from the marginals, as in the balanced problem.
    #[inline(always)]
    pub(super) fn relaxed<A: Arch>(
        &mut self,
        view: &View<'_, T>,
        rules: &Rules,
        relaxed: Relaxed,
        f: &[f64],
        g: &[f64],
    ) -> Certificate {
        let (a, b) = (wide(view.a), wide(view.b));
        let f = &self.whole(f);
        let [rows, columns] = Relaxation::sides(relaxed.rho, 0.0);
        let row_sums = rows.targets(&a, f);
        let factors = self.column_sums.get().iter().zip(self.v.get());
        let column_sums: Vec<f64> = factors
            .take(b.len())
            .map(|(sum, v)| sum.to_f64() * v.to_f64())
            .collect();
        let reference = total(&a) * total(&b);
        let objective = |row_sums: &[f64], column_sums: &[f64], column_terms: f64| {
            inner(row_sums, f) + column_terms - rules.epsilon * (total(column_sums) - reference)
                + rows.penalty(row_sums, &a)
                + columns.penalty(column_sums, &b)
        };
        let regularised_cost = objective(&row_sums, &column_sums, inner(&column_sums, g));
        let dual_cost = rows.dual(&a, f) + columns.dual(&b, g)
            - rules.epsilon * (total(&column_sums) - reference);
        let feasible_cost = if columns.is_held() {
            self.kept.reset(self.width, T::ZERO);
            let mut terms = 0.0;
            let kept = self.kept.get_mut().iter_mut().zip(self.v.get());
            for (j, (kept, v)) in kept.take(b.len()).enumerate() {
                let factor = b[j] / column_sums[j];
                *kept = T::from_f64(v.to_f64() * factor);
                terms += b[j] * (g[j] + rules.epsilon * factor.ln());
            }
            self.weigh_rows::<A>();
            let sums = self.row_sums.get().iter().zip(self.u.get());
            let sums: Vec<f64> = sums
                .take(a.len())
                .map(|(sum, u)| sum.to_f64() * u.to_f64())
                .collect();
            objective(&sums, &b, terms)
        } else {
            regularised_cost
        };
        Certificate {
            regularised_cost,
            dual_cost,
            duality_gap: rules.threshold.map(|_| feasible_cost - dual_cost),
        }
    }

    /// Row sums of the plan, as their update made them.
    pub(super) fn row_masses(&self, view: &View<'_, T>, rules: &Rules, f: &[f64]) -> Vec<f64> {
        let [rows, _] = Relaxation::sides(rules.rho(), 0.0);
        rows.targets(&wide(view.a), &self.whole(f))
    }

    /// Row potentials with the smallest cost in them.
    fn whole(&self, f: &[f64]) -> Vec<f64> {
        f.iter().map(|f| f + self.offset).collect()
    }
}

/// `sum_i weights_i 2^(-rate potentials_i)`: the mass that potentials call for.
#[inline(always)]
fn called_for<T: Real, A: Arch>(
    weights: &[T],
    potentials: &[f64],
    rate: f64,
    terms: &mut Vec<f64>,
) -> f64 {
    let count = potentials.len();
    terms.resize(count.max(terms.len()), 0.0);
    let (terms, weights) = (&mut terms[..count], &weights[..count]);
    for i in 0..count {
        terms[i] = weights[i].to_f64() * Lanes::exp2::<A>(-rate * potentials[i]);
    }
    terms.iter().sum()
}

fn wide<T: Real>(values: &[T]) -> Vec<f64> {
    values.iter().map(|value| value.to_f64()).collect()
}

fn total(values: &[f64]) -> f64 {
    values.iter().sum()
}

fn inner(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}
