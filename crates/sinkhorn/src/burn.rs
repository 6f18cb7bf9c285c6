//! Batched, masked Sinkhorn on tensors, on the device its inputs live on.
//!
//! The iterations run in the scaling form on an *absorbed* kernel (Schmitzer 2019, "Stabilized
//! sparse scaling algorithms for entropy regularized transport problems", section 3.2): the
//! potentials sit inside the exponential and only their recent change is kept as a factor, so the
//! factors stay near one at every epsilon while most iterations need no exponential.
//!
//! Only library operations are used, so every backend runs it; the `f64` core on slices is what the
//! tests hold it against.
//!
//! The cost is detached: by the envelope theorem the gradient of the regularised cost with
//! respect to `cost` is the plan itself, so no gradient has to pass through the iterations.

use burn::prelude::*;

/// Iterations between two absorptions of the scaling factors into the potentials.
///
/// A factor changes by at most the reciprocal of the smallest weight an iteration (the ratios of a
/// plan's marginals to their targets contract), and in practice by far less after the first, so
/// this many cannot leave the range of `f32` from where an absorption left them.
const ITERATIONS_PER_KERNEL: usize = 8;

/// Stands in for the scaled cost of a padded cell: finite, so that no `inf - inf` arises, and so
/// large that its exponential is exactly zero.
const PADDED_COST: f32 = 1e30;

/// Smallest divisor of a scaling update: `0 / TINY` makes the factor of padding exactly zero.
const TINY: f32 = 1e-30;

/// How [`plan`] iterates: a fixed number of plain Sinkhorn iterations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchSettings {
    /// Entropic regularisation, in units of the cost; positive and finite.
    pub epsilon: f64,
    /// Number of full iterations (a column update, then a row update); at least one.
    pub iterations: usize,
}

/// Returns the transport plan of each balanced problem; zero weights mark padding.
///
/// The plan is exactly zero where either weight is zero, whatever the cost there, `NaN` and
/// infinities included; between positive weights costs must be finite. The last update is a row
/// update: rows carry their mass up to rounding, columns up to convergence. No gradient flows into
/// any input: the result carries no autodiff, and tensors that do take it as a constant.
///
/// # Shapes
/// - `cost`: `[batch, n, m]`
/// - `a`: `[batch, n]` and `b`: `[batch, m]`, of equal mass in each problem
/// - output: `[batch, n, m]`
///
/// # Panics
/// If the shapes disagree, `epsilon` is not positive and finite, or `iterations` is zero, each a
/// bug in the caller.
#[must_use]
pub fn plan(cost: Tensor<3>, a: Tensor<2>, b: Tensor<2>, settings: &BatchSettings) -> Tensor<3> {
    let [batch, n, m] = cost.dims();
    assert_eq!(
        a.dims(),
        [batch, n],
        "row weights of a {batch} x {n} x {m} cost"
    );
    assert_eq!(
        b.dims(),
        [batch, m],
        "column weights of a {batch} x {n} x {m} cost"
    );
    let BatchSettings {
        epsilon,
        iterations,
    } = *settings;
    assert!(
        epsilon > 0.0 && epsilon.is_finite(),
        "epsilon = {epsilon} is not positive and finite"
    );
    assert!(iterations > 0, "no iterations");

    let a = a.without_autodiff().reshape([batch, n, 1]);
    let b = b.without_autodiff().reshape([batch, 1, m]);
    let mut kernel = AbsorbedKernel::new(cost.without_autodiff(), a, b, epsilon);
    for iteration in 0..iterations {
        // The first update moves the factors most, so it is absorbed at once.
        if iteration % ITERATIONS_PER_KERNEL == 1 {
            kernel.absorb();
        }
        kernel.update_columns();
        kernel.update_rows();
    }
    kernel.plan()
}

/// Returns the mean over the batch of `<P, C>`, differentiable in `cost` only.
///
/// The gradient with respect to `cost` is `plan / batch`. Cells that carry no mass contribute
/// neither value nor gradient, so a `NaN` or infinite cost in padding stays there.
///
/// # Shapes
/// - `cost` and `plan`: `[batch, n, m]`
/// - output: `[1]`
#[must_use]
pub fn transport_loss(cost: Tensor<3>, plan: Tensor<3>) -> Tensor<1> {
    let batch = cost.dims()[0];
    let plan = plan.without_autodiff();
    let empty = plan.clone().equal_elem(0.0);
    (cost.mask_fill(empty, 0.0) * plan).sum() / batch as f64
}

/// Returns the mean, over rows with positive weight, of the number of columns a row spreads over:
/// the exponential of the entropy of the normalised plan row, between 1 and `m`.
///
/// # Shapes
/// - `plan`: `[batch, n, m]`
/// - `a`: `[batch, n]`, the row weights the plan was made with
/// - output: `[1]`
#[must_use]
pub fn effective_partners(plan: Tensor<3>, a: Tensor<2>) -> Tensor<1> {
    let [batch, n, _] = plan.dims();
    let plan = plan.without_autodiff();
    let kept = a.without_autodiff().greater_elem(0.0).float();
    let rows = plan.clone() / plan.sum_dim(2).clamp_min(TINY);
    // The floor turns 0 log 0 into zero.
    let entropy = -(rows.clone() * rows.clamp_min(TINY).log()).sum_dim(2);
    let partners = entropy.exp().reshape([batch, n]);
    (partners * kept.clone()).sum() / kept.sum()
}

/// Plans `diag(u) Q diag(v)` with `Q_ij = a_i b_j exp(f_i + g_j - C_ij / epsilon)`.
struct AbsorbedKernel {
    /// Cost over epsilon, [`PADDED_COST`] in padding: `[batch, n, m]`.
    cost: Tensor<3>,
    /// Products of weights: `[batch, n, m]`.
    weights: Tensor<3>,
    a: Tensor<3>,
    b: Tensor<3>,
    /// Potentials over epsilon, zero in padding: `[batch, n, 1]` and `[batch, 1, m]`.
    f: Tensor<3>,
    g: Tensor<3>,
    /// The matrix `Q` at `f` and `g`.
    kernel: Tensor<3>,
    u: Tensor<3>,
    v: Tensor<3>,
}

impl AbsorbedKernel {
    /// Starts from `f_i = min_j C_ij` and `g_j = min_i (C_ij - f_i)`: the largest exponent of
    /// every row and of every column is then exactly zero, so no sum underflows at any epsilon.
    fn new(cost: Tensor<3>, a: Tensor<3>, b: Tensor<3>, epsilon: f64) -> Self {
        let shape = cost.dims();
        let empty_rows = a.clone().equal_elem(0.0);
        let empty_columns = b.clone().equal_elem(0.0);
        let padding = empty_rows
            .clone()
            .expand(shape)
            .bool_or(empty_columns.clone().expand(shape));
        let cost = (cost / epsilon).mask_fill(padding, PADDED_COST);
        let f = cost.clone().min_dim(2).mask_fill(empty_rows, 0.0);
        let g = (cost.clone() - f.clone())
            .min_dim(1)
            .mask_fill(empty_columns, 0.0);
        let weights = a.clone() * b.clone();
        let (u, v) = (a.ones_like(), b.ones_like());
        let kernel = absorbed(&cost, &weights, &f, &g);
        Self {
            cost,
            weights,
            a,
            b,
            f,
            g,
            kernel,
            u,
            v,
        }
    }

    fn update_columns(&mut self) {
        let sums = (self.kernel.clone() * self.u.clone()).sum_dim(1);
        self.v = self.b.clone() / sums.clamp_min(TINY);
    }

    fn update_rows(&mut self) {
        let sums = (self.kernel.clone() * self.v.clone()).sum_dim(2);
        self.u = self.a.clone() / sums.clamp_min(TINY);
    }

    /// Moves the factors into the potentials; the plan stays as it is, up to rounding.
    fn absorb(&mut self) {
        let ones = (self.u.ones_like(), self.v.ones_like());
        let (u, v) = (
            std::mem::replace(&mut self.u, ones.0),
            std::mem::replace(&mut self.v, ones.1),
        );
        // Factors are zero in padding only, where the floor keeps the potential finite; its value
        // there does not matter, since the kernel is zero.
        self.f = self.f.clone() + u.clamp_min(TINY).log();
        self.g = self.g.clone() + v.clamp_min(TINY).log();
        self.kernel = absorbed(&self.cost, &self.weights, &self.f, &self.g);
    }

    fn plan(self) -> Tensor<3> {
        self.kernel * self.u * self.v
    }
}

fn absorbed(cost: &Tensor<3>, weights: &Tensor<3>, f: &Tensor<3>, g: &Tensor<3>) -> Tensor<3> {
    // Subtracting before adding keeps the digits that the large terms share.
    (f.clone() - cost.clone() + g.clone()).exp() * weights.clone()
}

#[cfg(test)]
mod tests;
