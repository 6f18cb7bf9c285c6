//! Batched, masked Sinkhorn on tensors, on the device its inputs live on.
//!
//! [`solve`] finds potentials, from which a [`TensorSolution`] makes plans and differentiable
//! costs. On burn's CPU backend, with feature `flex`, the core on slices solves; on CubeCL's
//! backends, with feature `cube`, one kernel does a whole solve; library ops serve everywhere else
//! and are what tests hold the others against, after the `f64` core.
//!
//! A solve is never differentiated through, unless [`Gradient::Unrolled`] asks for it: a backward
//! pass recomputes the plan from the potentials.
//!
//! ```
//! use burn::prelude::*;
//! use optical_sinkhorn::burn::{Gradient, transport_cost};
//! use optical_sinkhorn::Sinkhorn;
//!
//! let device = Device::flex().autodiff();
//! let cost = Tensor::<3>::from_floats([[[0.1, 0.8, 0.6], [0.7, 0.2, 0.9]]], &device);
//! let cost = cost.require_grad();
//! let a = Tensor::from_floats([[0.5, 0.5]], &device);
//! let b = Tensor::from_floats([[0.25, 0.75, 0.0]], &device); // The last column is padding.
//!
//! let settings = Sinkhorn::new(0.1)?.with_fixed_iterations(50);
//! let loss = transport_cost(cost.clone(), a, b, &settings, Gradient::Implicit).mean();
//! let gradient = cost.grad(&loss.backward()).expect("the loss depends on the cost");
//! assert_eq!(gradient.dims(), [1, 2, 3]);
//! # Ok::<(), optical_sinkhorn::Error>(())
//! ```

#[cfg(feature = "cube")]
mod cube;
#[cfg(feature = "flex")]
mod flex;
mod gradient;
mod library;
mod node;
mod point;
mod solution;

use burn::prelude::*;

pub use crate::Gradient;
use crate::Sinkhorn;
pub use solution::TensorSolution;

/// Stands in for the scaled cost of a padded cell: finite, so that no `inf - inf` arises, and so
/// large that its exponential is exactly zero.
const PADDED_COST: f32 = 1e30;

/// Smallest divisor of a scaling update: `0 / TINY` makes the factor of padding exactly zero.
const TINY: f32 = 1e-30;

/// Returns the marginal error at which a solve may stop; none after [`Sinkhorn::with_fixed_iterations`].
fn stop(settings: &Sinkhorn) -> Option<f64> {
    settings.accelerated().then(|| settings.threshold())
}

/// Solves each balanced problem for itself; zero weights mark padding.
///
/// A cost where either weight is zero is not read, `NaN` and infinities included; between positive
/// weights costs must be finite, or that problem's potentials, or at least its costs, are `NaN`:
/// cells can be forbidden on slices only. The last update is a row
/// update: rows carry their mass up to rounding, columns up to convergence. No gradient flows into
/// any input: the result carries no autodiff, and tensors that do take it as a constant.
///
/// # Shapes
/// - `cost`: `[batch, n, m]`
/// - `a`: `[batch, n]` and `b`: `[batch, m]`, of equal mass in each problem
///
/// # Panics
/// If the shapes disagree or [`Sinkhorn::with_rho`] relaxes the marginals, each a bug in the caller.
#[must_use]
pub fn solve(cost: Tensor<3>, a: Tensor<2>, b: Tensor<2>, settings: &Sinkhorn) -> TensorSolution {
    check(&cost, &a, &b, settings);
    let (cost, a, b) = (
        cost.without_autodiff(),
        a.without_autodiff(),
        b.without_autodiff(),
    );
    #[cfg(feature = "flex")]
    if flex::has(&cost) {
        return flex::solve(cost, a, b, settings);
    }
    #[cfg(feature = "cube")]
    if cube::fits(&cost) {
        return cube::solve(cost, a, b, settings);
    }
    library::solve(cost, a, b, settings)
}

/// Works as [`solve`], by library ops whatever the backend is: to measure a backend's own way against, or to
/// do without it. It iterates all problems until the last of them may stop.
///
/// # Shapes
/// - `cost`: `[batch, n, m]`
/// - `a`: `[batch, n]` and `b`: `[batch, m]`, of equal mass in each problem
///
/// # Panics
/// As [`solve`].
#[must_use]
pub fn solve_by_library_ops(
    cost: Tensor<3>,
    a: Tensor<2>,
    b: Tensor<2>,
    settings: &Sinkhorn,
) -> TensorSolution {
    check(&cost, &a, &b, settings);
    library::solve(
        cost.without_autodiff(),
        a.without_autodiff(),
        b.without_autodiff(),
        settings,
    )
}

#[track_caller]
fn check(cost: &Tensor<3>, a: &Tensor<2>, b: &Tensor<2>, settings: &Sinkhorn) {
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
    assert!(
        settings.is_balanced(),
        "the marginals of tensors cannot be missed at a price"
    );
}

/// Returns the transport plan of each balanced problem, as [`solve`] and
/// [`TensorSolution::plan`] do.
///
/// The plan is exactly zero where either weight is zero, and carries no autodiff.
///
/// # Shapes
/// - `cost`: `[batch, n, m]`
/// - `a`: `[batch, n]` and `b`: `[batch, m]`, of equal mass in each problem
/// - output: `[batch, n, m]`
///
/// # Panics
/// As [`solve`].
#[must_use]
pub fn plan(cost: Tensor<3>, a: Tensor<2>, b: Tensor<2>, settings: &Sinkhorn) -> Tensor<3> {
    solve(cost.clone(), a.clone(), b.clone(), settings).plan(cost, a, b)
}

/// Returns the transport cost of each problem, differentiable in `cost` as `gradient` says.
///
/// Cells that carry no weight contribute neither value nor gradient, which is exactly zero there,
/// so a `NaN` or infinite cost in padding stays there. [`Gradient::Unrolled`] runs as library ops on
/// every backend.
///
/// # Shapes
/// - `cost`: `[batch, n, m]`
/// - `a`: `[batch, n]` and `b`: `[batch, m]`, of equal mass in each problem
/// - output: `[batch]`
///
/// # Panics
/// As [`solve`].
#[must_use]
pub fn transport_cost(
    cost: Tensor<3>,
    a: Tensor<2>,
    b: Tensor<2>,
    settings: &Sinkhorn,
    gradient: Gradient,
) -> Tensor<1> {
    if gradient == Gradient::Unrolled {
        check(&cost, &a, &b, settings);
        return solution::unrolled(cost, a, b, settings);
    }
    solve(cost.clone(), a.clone(), b.clone(), settings).transport_cost(cost, a, b, gradient)
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

#[cfg(test)]
mod gradient_tests;
#[cfg(test)]
mod tests;
