//! What the factors say: potentials, costs, and a bound on what is left to gain.

use std::f64::consts::LN_2;

use super::{Rules, Scaling, View, passes};
use crate::real::{Lanes, Real};
use crate::simd::Arch;

/// What potentials and the sums of their plan prove.
pub(super) struct Certificate {
    pub regularised_cost: f64,
    pub dual_cost: f64,
    /// None after a fixed number of iterations.
    pub duality_gap: Option<f64>,
}

impl<T: Real> Scaling<T> {
    /// The potentials with `P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon)`, in units of the cost,
    /// `f` less the smallest cost; where both marginals have to be met, with a `b`-weighted mean of
    /// `g` of zero.
    #[inline(always)]
    pub(super) fn potentials<A: Arch>(
        &self,
        view: &View<'_, T>,
        rules: &Rules,
        f: &mut [f64],
        g: &mut [f64],
    ) {
        let unit = rules.epsilon * LN_2;
        let factors = self.v.get().iter().zip(&self.g);
        for ((g, b), (v, absorbed)) in g.iter_mut().zip(view.b).zip(factors) {
            *g = unit * (absorbed + Lanes::log2::<A>(v.to_f64() / b.to_f64()));
        }
        let factors = self.u.get().iter().zip(&self.f).zip(&self.lowest);
        for ((f, a), ((u, absorbed), lowest)) in f.iter_mut().zip(view.a).zip(factors) {
            *f = (lowest - self.offset)
                + unit * (absorbed + Lanes::log2::<A>(u.to_f64() / a.to_f64()));
        }
        if rules.relaxed.is_none() {
            let mass: f64 = view.b.iter().map(|b| b.to_f64()).sum();
            let columns = view.b.iter().zip(&*g);
            let mean = columns.map(|(b, g)| b.to_f64() * g).sum::<f64>() / mass;
            g.iter_mut().for_each(|g| *g -= mean);
            f.iter_mut().for_each(|f| *f += mean);
        }
    }

    /// `<P, C>`.
    #[inline(always)]
    pub(super) fn transport_cost<A: Arch>(
        &self,
        view: &View<'_, T>,
        rules: &Rules,
        f: &[f64],
    ) -> f64 {
        let (u, v) = (self.u.get(), self.v.get());
        let tail = passes::tail(v, view.b.len());
        let masses = self.row_masses(view, rules, f);
        let mut cost = 0.0;
        for (i, row) in self.matrix.get().chunks_exact(self.width).enumerate() {
            let lowest = T::from_f64(self.lowest[i]);
            let above = passes::row_cost::<T, A>(row, v, &tail, view.row(i), lowest) * u[i];
            cost += above.to_f64() + masses[i] * self.lowest[i];
        }
        cost
    }

    /// Returns the costs of a plan whose marginals have to be met, and its certificate.
    ///
    /// Since `log(P_ij / (a_i b_j)) = (f_i + g_j - C_ij) / epsilon`, the costs follow from the
    /// marginals. All is computed on costs less the smallest, so that it costs the gap no digits.
    #[inline(always)]
    pub(super) fn balanced<A: Arch>(
        &mut self,
        view: &View<'_, T>,
        rules: &Rules,
        f: &[f64],
        g: &[f64],
    ) -> Certificate {
        let [mut rows, mut columns, mut missed] = [0.0; 3];
        let (mut mass_a, mut mass_b, mut mass) = (0.0, 0.0, 0.0);
        for (&a, f) in view.a.iter().zip(f) {
            rows += a.to_f64() * f;
            mass_a += a.to_f64();
        }
        let sums = self.column_sums.get().iter().zip(self.v.get());
        for ((&b, g), (&sum, &v)) in view.b.iter().zip(g).zip(sums) {
            let (b, column) = (b.to_f64(), sum.to_f64() * v.to_f64());
            columns += b * g;
            missed += (column - b) * g;
            mass_b += b;
            mass += column;
        }
        let dual_cost = rows + columns - rules.epsilon * (mass - mass_a * mass_b);
        let masses = (mass_a, mass_b);
        let feasible = rules
            .threshold
            .is_some()
            .then(|| self.feasible_cost::<A>(view, rules, masses, f, g));
        let above = self.offset * mass_a;
        Certificate {
            regularised_cost: dual_cost + missed + above,
            dual_cost: dual_cost + above,
            duality_gap: feasible.map(|cost| cost - dual_cost),
        }
    }

    /// An upper bound on the least regularised cost: that of a plan with the right marginals.
    ///
    /// Columns of `P` with too much mass are scaled down to `b`, and what rows and columns then lack
    /// is added as a product (Altschuler, Weed and Rigollet 2017, "Near-linear time approximation
    /// algorithms for optimal transport via Sinkhorn iteration", algorithm 2), at the largest cost.
    /// Its divergence from `a b^T` is bounded by those of the two parts (the log-sum inequality), so
    /// no logarithm of a cell is needed.
    #[inline(always)]
    fn feasible_cost<A: Arch>(
        &mut self,
        view: &View<'_, T>,
        rules: &Rules,
        (mass_a, mass_b): (f64, f64),
        f: &[f64],
        g: &[f64],
    ) -> f64 {
        let (n, m) = (view.a.len(), view.b.len());
        self.kept.reset(self.width, T::ZERO);
        let kept = &mut self.kept.get_mut()[..m];
        let (terms, lacks) = (&mut self.terms, &mut self.lacks);
        for array in [&mut *terms, &mut *lacks] {
            array.clear();
            array.resize(n.max(m), 0.0);
        }
        let (sums, v) = (&self.column_sums.get()[..m], &self.v.get()[..m]);
        for j in 0..m {
            let (b, v) = (view.b[j].to_f64(), v[j].to_f64());
            let column = sums[j].to_f64() * v;
            let share = if column > b { b / column } else { 1.0 };
            kept[j] = T::from_f64(v * share);
            lacks[j] = b - column * share;
            terms[j] = column * share * (g[j] + rules.epsilon * LN_2 * Lanes::log2::<A>(share))
                + rules.epsilon * entropy::<A>(lacks[j], b);
        }
        let lack: f64 = lacks[..m].iter().sum();
        let mut cost: f64 = terms[..m].iter().sum();

        self.weigh_rows::<A>();
        let (terms, lacks) = (&mut self.terms, &mut self.lacks);
        let (sums, u) = (&self.row_sums.get()[..n], &self.u.get()[..n]);
        for i in 0..n {
            let a = view.a[i].to_f64();
            let missing = a - (sums[i] * u[i]).to_f64();
            let missing = if missing > 0.0 { missing } else { 0.0 };
            lacks[i] = missing;
            terms[i] = (a - missing) * f[i] + rules.epsilon * entropy::<A>(missing, a);
        }
        cost += terms[..n].iter().sum::<f64>();
        if lack > 0.0 {
            let mass = mass_a;
            let parts = -lack * lack.ln()
                - entropy::<A>((mass - lack).max(0.0), mass)
                - entropy::<A>(lack, mass);
            cost += lack * (self.largest - self.offset) + rules.epsilon * parts;
        }
        cost + rules.epsilon * (mass_a * mass_b - mass_a)
    }

    /// `row_sums = K kept`.
    #[inline(always)]
    pub(super) fn weigh_rows<A: Arch>(&mut self) {
        let (matrix, transposed) = (self.matrix.get(), self.transposed.get());
        let (kept, sums) = (self.kept.get(), self.row_sums.get_mut());
        if transposed.is_empty() {
            passes::row_sums::<T, A>(matrix, self.width, kept, sums);
        } else {
            let m = transposed.len() / self.height;
            passes::weighted_sum::<T, A>(transposed, self.height, &kept[..m], sums);
        }
    }
}

/// `x log(x / of)`, and zero for none.
#[inline(always)]
fn entropy<A: Arch>(x: f64, of: f64) -> f64 {
    let ratio = x / of;
    // The logarithm wants a normal number; times zero it does not matter which.
    let ratio = if ratio > f64::MIN_POSITIVE {
        ratio
    } else {
        f64::MIN_POSITIVE
    };
    x * LN_2 * Lanes::log2::<A>(ratio)
}
