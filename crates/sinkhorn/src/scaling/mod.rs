//! Sinkhorn's iterations in scaling form on an absorbed kernel, fast for any shape.
//!
//! The plan is `u_i K_ij v_j` with `K_ij = exp2(F_i + G_j - s C_ij)`, `s = log2(e) / epsilon`. An
//! iteration needs no exponential, only two multiplications a cell; the potentials `F` and `G`
//! absorb the factors `u` and `v` when these leave a safe range (Schmitzer 2019, "Stabilized sparse
//! scaling algorithms for entropy regularized transport problems", section 3.2), so the factors stay
//! near one at every epsilon. Where a factor leaves the range at once, two exact steps in the log
//! domain bring the iteration back.

pub(crate) mod aligned;
pub(crate) mod anderson;
mod certificate;
mod passes;
mod relaxed;

use aligned::Aligned;
use anderson::Anderson;
use passes::SMALL;
pub(crate) use relaxed::Relaxed;

use crate::real::{Lanes, Real};
use crate::relaxation::Relaxation;
use crate::simd::{Arch, BLOCK, Kernel};

/// Returns to the log domain after which a problem is left to the exact solver.
const RESCUES: usize = 20;

/// The costs between rows and columns that all carry mass, in rows `stride` apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a, T> {
    pub cost: &'a [T],
    pub stride: usize,
    pub a: &'a [T],
    pub b: &'a [T],
}

impl<'a, T> View<'a, T> {
    pub(crate) fn row(&self, i: usize) -> &'a [T] {
        &self.cost[i * self.stride..][..self.b.len()]
    }
}

/// How long to iterate, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub epsilon: f64,
    /// L1 marginal error to stop at, on the way to which iterations are accelerated; none for a
    /// fixed number of plain ones.
    pub threshold: Option<f64>,
    pub iterations: usize,
    /// What it costs to miss the marginals; none where both have to be met.
    pub relaxed: Option<Relaxed>,
}

impl Rules {
    /// Costs of missing the marginals, infinite where they have to be met.
    pub(crate) fn rho(&self) -> [f64; 2] {
        self.relaxed
            .map_or([f64::INFINITY; 2], |relaxed| relaxed.rho)
    }

    /// What turns costs into powers of two.
    fn scale(&self) -> f64 {
        std::f64::consts::LOG2_E / self.epsilon
    }
}

/// Where an iteration ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ended {
    pub iterations: usize,
    /// L1 distance of the plan's column sums from `b`, or from what the potentials call for where
    /// they may miss it; its row sums are right up to rounding.
    pub marginal_error: f64,
    pub transport_cost: f64,
    pub regularised_cost: f64,
    pub dual_cost: f64,
    /// How far the regularised cost of a plan with the right marginals, made of this one, is above
    /// the dual; none after a fixed number of iterations.
    pub duality_gap: Option<f64>,
}

/// Memory of the iteration, kept from one problem to the next.
#[derive(Debug, Default)]
pub(crate) struct Scaling<T> {
    width: usize,
    height: usize,
    /// The kernel, in rows of `width`.
    matrix: Aligned<T>,
    /// Its transpose, of small problems only.
    transposed: Aligned<T>,
    a: Aligned<T>,
    b: Aligned<T>,
    u: Aligned<T>,
    v: Aligned<T>,
    /// `v` before its last update.
    before: Aligned<T>,
    row_sums: Aligned<T>,
    column_sums: Aligned<T>,
    /// Columns' factors of a plan with the right marginals.
    kept: Aligned<T>,
    /// Terms of a sum over rows or columns, so that the logarithms in them are put into vectors.
    terms: Vec<f64>,
    lacks: Vec<f64>,
    /// Smallest cost of each row, which `F` is relative to.
    lowest: Vec<f64>,
    /// Smallest and largest cost of all.
    offset: f64,
    largest: f64,
    /// `F` and `G`, in double precision so that a plan is as exact as its costs.
    f: Vec<f64>,
    g: Vec<f64>,
    /// True potentials in powers of two, of relaxed problems only.
    phi: Vec<f64>,
    psi: Vec<f64>,
    anderson: Anderson<T>,
}

/// Finds the smallest cost of each row, and the largest less the smallest of all, which is the
/// result; nothing where a cost is not finite. A workspace has to see a problem so before it solves
/// it.
pub(crate) struct Spread<'a, T> {
    pub workspace: &'a mut Scaling<T>,
    pub view: View<'a, T>,
}

impl<T: Real> Kernel for Spread<'_, T> {
    type Output = Option<f64>;

    #[inline(always)]
    fn run<A: Arch>(self) -> Option<f64> {
        let infinite = [(-T::INFINITY).key(), T::INFINITY.key()];
        let (mut least, mut largest) = (infinite[1], infinite[0]);
        let lowest = &mut self.workspace.lowest;
        lowest.clear();
        for i in 0..self.view.a.len() {
            let extremes = passes::extremes(self.view.row(i));
            lowest.push(T::from_key(extremes.0).to_f64());
            least = least.min(extremes.0);
            largest = largest.max(extremes.1);
        }
        if least <= infinite[0] || largest >= infinite[1] {
            return None;
        }
        let (least, largest) = (T::from_key(least), T::from_key(largest));
        self.workspace.offset = least.to_f64();
        self.workspace.largest = largest.to_f64();
        Some(largest.to_f64() - least.to_f64())
    }
}

/// One problem to solve in a workspace; its potentials go to `f`, less the smallest cost, and `g`.
pub(crate) struct Solve<'a, T> {
    pub workspace: &'a mut Scaling<T>,
    pub view: View<'a, T>,
    pub rules: Rules,
    /// Column potentials to start from, in units of the cost.
    pub start: Option<&'a [f64]>,
    pub f: &'a mut [f64],
    pub g: &'a mut [f64],
}

impl<T: Real> Kernel for Solve<'_, T> {
    type Output = Ended;

    #[inline(always)]
    fn run<A: Arch>(self) -> Ended {
        let (workspace, view, rules) = (self.workspace, self.view, self.rules);
        workspace.start(&view, &rules);
        if let Some(g) = self.start {
            let exponent = |(g, b): (&f64, &T)| rules.scale() * g + b.to_f64().log2();
            let g: Vec<f64> = g.iter().zip(view.b).map(exponent).collect();
            workspace.log_row_step(&view, &rules, &g);
        }
        workspace.fill::<A>(&view, &rules);
        let (iterations, marginal_error) = workspace.descend::<A>(&view, &rules);
        workspace.potentials::<A>(&view, &rules, self.f, self.g);
        let transport_cost = workspace.transport_cost::<A>(&view, &rules, self.f);
        let certificate = match rules.relaxed {
            None => workspace.balanced::<A>(&view, &rules, self.f, self.g),
            Some(relaxed) => workspace.relaxed::<A>(&view, &rules, relaxed, self.f, self.g),
        };
        Ended {
            iterations,
            marginal_error,
            transport_cost,
            regularised_cost: certificate.regularised_cost,
            dual_cost: certificate.dual_cost,
            duality_gap: certificate.duality_gap,
        }
    }
}

impl<T: Real> Scaling<T> {
    /// Returns the smallest cost of the problem, by which potentials `f` are short: with it, a cost of 1e6
    /// would leave them ten digits for differences that epsilon divides.
    pub(crate) fn offset(&self) -> f64 {
        self.offset
    }

    /// Takes over what another workspace found out about the same problem.
    pub(crate) fn start_from<S>(&mut self, other: &Scaling<S>) {
        self.lowest.clone_from(&other.lowest);
        (self.offset, self.largest) = (other.offset, other.largest);
    }

    /// Makes room for a problem; the row minima are there already.
    #[inline(always)]
    fn start(&mut self, view: &View<'_, T>, rules: &Rules) {
        let (n, m) = (view.a.len(), view.b.len());
        self.width = m.next_multiple_of(BLOCK);
        self.height = n.next_multiple_of(BLOCK);
        let small = n.max(m) <= SMALL;
        self.matrix.reset(n * self.width, T::ZERO);
        self.transposed
            .reset(if small { m * self.height } else { 0 }, T::ZERO);
        for (padded, weights, length) in [
            (&mut self.a, view.a, self.height),
            (&mut self.b, view.b, self.width),
        ] {
            padded.reset(length, T::ZERO);
            padded.get_mut()[..weights.len()].copy_from_slice(weights);
        }
        self.u.reset(self.height, T::ZERO);
        self.row_sums.reset(self.height, T::ZERO);
        self.column_sums.reset(self.width, T::ZERO);
        self.v.reset(self.width, T::ZERO);
        // Potentials g of zero, up to a constant where that does not matter.
        let mass: f64 = view.b.iter().map(|weight| weight.to_f64()).sum();
        let unit = match rules.relaxed {
            None => T::from_f64(m as f64 / mass),
            Some(_) => T::ONE,
        };
        for (v, &b) in self.v.get_mut().iter_mut().zip(view.b) {
            *v = b * unit;
        }
        self.before.reset(self.width, T::ZERO);
        self.anderson.start(self.width);
        for (potentials, length) in [(&mut self.f, n), (&mut self.g, m)] {
            potentials.clear();
            potentials.resize(length, 0.0);
        }
        if rules.relaxed.is_some() {
            let [_, columns] = Relaxation::sides(rules.rho(), self.offset);
            self.g.fill(rules.scale() * columns.offset());
        }
    }

    /// Iterates; returns the number of iterations and the marginal error.
    #[inline(always)]
    fn descend<A: Arch>(&mut self, view: &View<'_, T>, rules: &Rules) -> (usize, f64) {
        let safe = f64::powi(2.0, T::SAFE_EXPONENT);
        let keys = |bound: f64| [1.0 / bound, bound].map(|bound| T::from_f64(bound).key());
        let ([safe_least, safe_largest], [least_bound, largest_bound]) =
            (keys(safe), keys(safe * safe));
        let mut rescues = 0;
        let mut iterations = 0;
        loop {
            match rules.relaxed {
                None => self.iterate::<A>(),
                Some(_) => self.iterate_relaxed::<A>(rules),
            }
            iterations += 1;
            let last = iterations >= rules.iterations;
            let error = if last || rules.threshold.is_some() {
                self.error::<A>(rules)
            } else {
                f64::INFINITY
            };
            if last || rules.threshold.is_some_and(|threshold| error <= threshold) {
                return (iterations, error);
            }
            std::mem::swap(&mut self.v, &mut self.before);
            match rules.relaxed {
                None => passes::divide(self.b.get(), self.column_sums.get(), self.v.get_mut()),
                Some(relaxed) => self.update_columns::<A>(rules, relaxed),
            }
            let (least, largest) = self.extent();
            if least < least_bound || largest > largest_bound {
                rescues += 1;
                if rescues > RESCUES {
                    std::mem::swap(&mut self.v, &mut self.before);
                    return (iterations, f64::INFINITY);
                }
                self.log_steps(view, rules);
                self.anderson.forget();
                self.fill::<A>(view, rules);
                continue;
            }
            if rules.threshold.is_some() {
                let (b, before) = (self.b.get(), self.before.get());
                let v = self.v.get_mut();
                self.anderson.extrapolate::<A>(error, b, before, v);
            }
            if least < safe_least || largest > safe_largest {
                self.absorb::<A>();
                self.anderson.forget();
                self.fill::<A>(view, rules);
            }
        }
    }

    /// Returns the marginal error of the plan that the factors now make.
    #[inline(always)]
    fn error<A: Arch>(&mut self, rules: &Rules) -> f64 {
        match rules.relaxed {
            None => {
                let (b, sums, v) = (self.b.get(), self.column_sums.get(), self.v.get());
                passes::misplaced::<T, A>(b, sums, v).to_f64()
            }
            Some(relaxed) => self.error_relaxed::<A>(rules, relaxed),
        }
    }

    /// Computes the kernel of `F` and `G`.
    #[inline(always)]
    fn fill<A: Arch>(&mut self, view: &View<'_, T>, rules: &Rules) {
        let m = view.b.len();
        let matrix = self.matrix.get_mut();
        for (i, row) in matrix.chunks_exact_mut(self.width).enumerate() {
            let shift = (self.lowest[i], rules.scale());
            passes::fill_row::<T, A>(&mut row[..m], view.row(i), shift, self.f[i], &self.g);
        }
        let transposed = self.transposed.get_mut();
        if !transposed.is_empty() {
            for (i, row) in matrix.chunks_exact(self.width).enumerate() {
                let columns = transposed.chunks_exact_mut(self.height);
                for (column, &value) in columns.zip(row) {
                    column[i] = value;
                }
            }
        }
    }

    /// `u = a / (K v)`, then the column sums `K^T u`.
    #[inline(always)]
    fn iterate<A: Arch>(&mut self) {
        let (a, v) = (self.a.get(), self.v.get());
        let (matrix, transposed) = (self.matrix.get(), self.transposed.get());
        let n = self.f.len();
        let columns = self.column_sums.get_mut();
        if transposed.is_empty() {
            let u = &mut self.u.get_mut()[..n];
            passes::fused_pass::<T, A>(matrix, self.width, (a, v), u, columns);
            return;
        }
        let sums = self.row_sums.get_mut();
        let m = transposed.len() / self.height;
        passes::weighted_sum::<T, A>(transposed, self.height, &v[..m], sums);
        let u = self.u.get_mut();
        passes::divide(a, sums, u);
        passes::weighted_sum::<T, A>(matrix, self.width, &u[..n], columns);
    }

    /// Keys of the least and the largest factor.
    #[inline(always)]
    fn extent(&self) -> (T::Key, T::Key) {
        let rows = passes::extent(self.a.get(), self.u.get());
        let columns = passes::extent(self.b.get(), self.v.get());
        (rows.0.min(columns.0), rows.1.max(columns.1))
    }

    /// Moves the factors into the potentials.
    #[inline(always)]
    fn absorb<A: Arch>(&mut self) {
        for (f, &u) in self.f.iter_mut().zip(self.u.get()) {
            *f += Lanes::log2::<A>(u.to_f64());
        }
        for (g, v) in self.g.iter_mut().zip(self.v.get_mut()) {
            *g += Lanes::log2::<A>(v.to_f64());
            *v = T::ONE;
        }
    }

    /// The column update that left the range of numbers, and the row update after it, in the log
    /// domain.
    fn log_steps(&mut self, view: &View<'_, T>, rules: &Rules) {
        let (n, m) = (view.a.len(), view.b.len());
        let exponent =
            |i: usize, j: usize| rules.scale() * (self.lowest[i] - view.row(i)[j].to_f64());
        // A row factor that is not a number either is left out: its row begins anew.
        let factor = |u: &T| Some(u.to_f64().log2()).filter(|log| log.is_finite());
        let rows = self.f.iter().zip(self.u.get());
        let f: Vec<f64> = rows.map(|(f, u)| f + factor(u).unwrap_or(0.0)).collect();
        let [_, share] = Relaxed::shares(rules);
        let column = |j: usize| log2_sum((0..n).map(|i| f[i] + exponent(i, j)));
        let g: Vec<f64> = (0..m)
            .map(|j| view.b[j].to_f64().log2() - share * column(j))
            .collect();
        self.log_row_step(view, rules, &g);
    }

    /// Takes `G` and a row update of it as potentials.
    fn log_row_step(&mut self, view: &View<'_, T>, rules: &Rules, g: &[f64]) {
        let scale = rules.scale();
        let [share, _] = Relaxed::shares(rules);
        for (i, (f, a)) in self.f.iter_mut().zip(view.a).enumerate() {
            let lowest = self.lowest[i];
            let cells = view.row(i).iter().zip(g);
            let sum = log2_sum(cells.map(|(cost, g)| g + scale * (lowest - cost.to_f64())));
            let shift = scale * lowest;
            *f = a.to_f64().log2() + share * (shift - sum) - shift;
        }
        self.g.copy_from_slice(g);
        self.v.get_mut()[..g.len()].fill(T::ONE);
    }
}

fn log2_sum(exponents: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = exponents.clone().fold(f64::NEG_INFINITY, f64::max);
    largest + exponents.map(|e| (e - largest).exp2()).sum::<f64>().log2()
}
