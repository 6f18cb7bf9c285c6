//! What the factors say: potentials, costs, and a bound on what is left to gain.

use super::{Scaling, View, passes};
use crate::real::{Lanes, Real};
use crate::simd::Arch;

impl<T: Real> Scaling<T> {
    /// The potentials with `P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon)`, in units of the cost
    /// and with a `b`-weighted mean of `g` of zero.
    #[inline(always)]
    pub(super) fn potentials<A: Arch>(
        &self,
        view: &View<'_, T>,
        epsilon: f64,
        f: &mut [f64],
        g: &mut [f64],
    ) {
        let unit = epsilon * std::f64::consts::LN_2;
        let (mut mean, mut mass) = (0.0, 0.0);
        let factors = self.v.get().iter().zip(self.g.get());
        for ((g, &b), (&v, &absorbed)) in g.iter_mut().zip(view.b).zip(factors) {
            let (v, b) = (v.to_f64(), b.to_f64());
            *g = unit * (absorbed.to_f64() + Lanes::log2::<A>(v / b));
            mean += b * *g;
            mass += b;
        }
        mean /= mass;
        for g in g.iter_mut() {
            *g -= mean;
        }
        let factors = self.u.get().iter().zip(&self.f).zip(&self.lowest);
        for ((f, &a), ((&u, &absorbed), &lowest)) in f.iter_mut().zip(view.a).zip(factors) {
            let exponent = absorbed.to_f64() + Lanes::log2::<A>(u.to_f64() / a.to_f64());
            *f = lowest.to_f64() + unit * exponent + mean;
        }
    }

    /// `<P, C>`.
    #[inline(always)]
    pub(super) fn transport_cost<A: Arch>(&self, view: &View<'_, T>) -> f64 {
        let (u, v) = (self.u.get(), self.v.get());
        let mut cost = 0.0;
        for (i, row) in self.matrix.get().chunks_exact(self.width).enumerate() {
            let lowest = self.lowest[i];
            let above = passes::row_cost::<T, A>(row, v, view.row(i), lowest) * u[i];
            cost += above.to_f64() + view.a[i].to_f64() * lowest.to_f64();
        }
        cost
    }

    /// The regularised cost of the plan, and the dual objective of the potentials.
    ///
    /// Since `log(P_ij / (a_i b_j)) = (f_i + g_j - C_ij) / epsilon`, both follow from the marginals.
    #[inline(always)]
    pub(super) fn objectives(
        &self,
        view: &View<'_, T>,
        epsilon: f64,
        f: &[f64],
        g: &[f64],
    ) -> [f64; 2] {
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
        let dual = rows + columns - epsilon * (mass - mass_a * mass_b);
        [dual + missed, dual]
    }

    /// An upper bound on the least regularised cost: that of a plan with the right marginals.
    ///
    /// Columns of `P` with too much mass are scaled down to `b`, and what rows and columns then lack
    /// is added as a product (Altschuler, Weed and Rigollet 2017, "Near-linear time approximation
    /// algorithms for optimal transport via Sinkhorn iteration", algorithm 2). Its divergence from
    /// `a b^T` is bounded by those of the two parts (the log-sum inequality), so no logarithm of a
    /// cell is needed.
    #[inline(always)]
    pub(super) fn feasible_cost<A: Arch>(
        &mut self,
        view: &View<'_, T>,
        epsilon: f64,
        f: &[f64],
        g: &[f64],
    ) -> f64 {
        let m = view.b.len();
        self.kept.reset(self.width, T::ZERO);
        self.lacking.reset(self.width, T::ZERO);
        let (kept, lacking) = (self.kept.get_mut(), self.lacking.get_mut());
        let (mut cost, mut divergence) = (0.0, 0.0);
        let (mut mass_a, mut mass_b, mut lack) = (0.0, 0.0, 0.0);
        for j in 0..m {
            let (b, v) = (view.b[j].to_f64(), self.v.get()[j].to_f64());
            let column = self.column_sums.get()[j].to_f64() * v;
            let share = if column > b { b / column } else { 1.0 };
            kept[j] = T::from_f64(v * share);
            lacking[j] = T::from_f64(b - column * share);
            cost += column * share * (g[j] + epsilon * logarithm::<A>(share));
            divergence += entropy::<A>(b - column * share, b);
            lack += b - column * share;
            mass_b += b;
        }
        let mut product_cost = 0.0;
        let rows = self.matrix.get().chunks_exact(self.width);
        for (i, (row, (a, f))) in rows.zip(view.a.iter().zip(f)).enumerate() {
            let a = a.to_f64();
            let sum = passes::dot::<T, A>(row, kept) * self.u.get()[i];
            let lacks = (a - sum.to_f64()).max(0.0);
            cost += (a - lacks) * f;
            divergence += entropy::<A>(lacks, a);
            mass_a += a;
            if lacks > 0.0 && lack > 0.0 {
                let (lowest, costs) = (self.lowest[i], view.row(i));
                let above = passes::unpadded_dot::<T, A>(lacking, costs, lowest).to_f64();
                product_cost += lacks * (above / lack + lowest.to_f64());
            }
        }
        let mass = mass_a;
        let parts = if lack > 0.0 {
            -lack * logarithm::<A>(lack)
                - entropy::<A>(mass - lack, mass)
                - entropy::<A>(lack, mass)
        } else {
            0.0
        };
        cost + product_cost + epsilon * (divergence + parts - mass + mass_a * mass_b)
    }
}

/// `x log(x / of)`.
#[inline(always)]
fn entropy<A: Arch>(x: f64, of: f64) -> f64 {
    if x > 0.0 {
        x * logarithm::<A>(x / of)
    } else {
        0.0
    }
}

#[inline(always)]
fn logarithm<A: Arch>(x: f64) -> f64 {
    Lanes::log2::<A>(x) * std::f64::consts::LN_2
}
