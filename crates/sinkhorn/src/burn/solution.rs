//! What a solve on tensors found.

use burn::prelude::*;

use super::gradient::Saved;
use super::point::{Point, padding};
use super::{Gradient, library, node};
use crate::Sinkhorn;

/// Potentials of each problem, with `P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon)`.
///
/// Methods that take a cost and weights expect those that were solved. Nothing here carries
/// autodiff.
#[derive(Debug, Clone)]
pub struct TensorSolution {
    /// Row potentials in units of the cost, zero in padding: `[batch, n]`.
    pub f: Tensor<2>,
    /// Column potentials, likewise: `[batch, m]`.
    pub g: Tensor<2>,
    /// L1 distance of the plan's column sums from `b`; its row sums are `a` up to rounding:
    /// `[batch]`.
    pub marginal_error: Tensor<1>,
    /// Full iterations that each problem needed: `[batch]`.
    pub iterations: Tensor<1, Int>,
    pub(super) settings: Sinkhorn,
}

impl TensorSolution {
    /// Returns the transport plans, exactly zero in padding and without autodiff.
    ///
    /// # Shapes
    /// - `cost` and output: `[batch, n, m]`
    /// - `a`: `[batch, n]` and `b`: `[batch, m]`
    #[must_use]
    pub fn plan(&self, cost: Tensor<3>, a: Tensor<2>, b: Tensor<2>) -> Tensor<3> {
        Point::new(
            cost.without_autodiff(),
            a.without_autodiff(),
            b.without_autodiff(),
            self.f.clone(),
            self.g.clone(),
            self.settings.epsilon(),
        )
        .plan
    }

    /// Returns the transport cost of each problem as [`transport_cost`](super::transport_cost)
    /// does, without solving again.
    ///
    /// An autodiff graph keeps the cost, the weights and these potentials, and makes the plan
    /// again in its backward pass. Only [`Gradient::Unrolled`] has to iterate once more.
    ///
    /// # Shapes
    /// - `cost`: `[batch, n, m]`
    /// - `a`: `[batch, n]` and `b`: `[batch, m]`
    /// - output: `[batch]`
    #[must_use]
    pub fn transport_cost(
        &self,
        cost: Tensor<3>,
        a: Tensor<2>,
        b: Tensor<2>,
        gradient: Gradient,
    ) -> Tensor<1> {
        if gradient == Gradient::Unrolled {
            return unrolled(cost, a, b, &self.settings);
        }
        let saved = Saved {
            cost: cost.clone().without_autodiff(),
            a: a.without_autodiff(),
            b: b.without_autodiff(),
            f: self.f.clone(),
            g: self.g.clone(),
            epsilon: self.settings.epsilon(),
            gradient,
        };
        node::value(cost, saved)
    }
}

/// Returns the expected cost of each problem, with autodiff through all iterations: `[batch]`.
pub(super) fn unrolled(
    cost: Tensor<3>,
    a: Tensor<2>,
    b: Tensor<2>,
    settings: &Sinkhorn,
) -> Tensor<1> {
    let [batch, n, m] = cost.dims();
    let (a, b) = (a.without_autodiff(), b.without_autodiff());
    let padding = padding(
        &a.clone().reshape([batch, n, 1]),
        &b.clone().reshape([batch, 1, m]),
    );
    let cost = cost.mask_fill(padding, 0.0);
    let plan = library::unrolled_plan(cost.clone(), a, b, settings);
    (cost * plan).sum_dim(2).sum_dim(1).reshape([batch])
}
