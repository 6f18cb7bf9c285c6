//! A plan and what its values and derivatives are made of, recomputed from potentials.

use burn::prelude::*;

use super::{PADDED_COST, TINY};

/// A plan made again from its potentials.
pub(super) struct Point {
    /// The plan, exactly zero in padding: `[batch, n, m]`.
    pub plan: Tensor<3>,
    /// `log(P_ij / (a_i b_j))`, zero in padding: `[batch, n, m]`.
    pub log_ratio: Tensor<3>,
    /// Row potentials with which rows carry exactly their mass: `[batch, n, 1]`.
    pub f: Tensor<3>,
    /// Where a weight is zero: `[batch, n, m]`.
    pub padding: Tensor<3, Bool>,
}

impl Point {
    /// Inputs as in [`solve`](super::solve) without autodiff, with potentials it found.
    pub(super) fn new(
        cost: Tensor<3>,
        a: Tensor<2>,
        b: Tensor<2>,
        f: Tensor<2>,
        g: Tensor<2>,
        epsilon: f64,
    ) -> Self {
        let [batch, n, m] = cost.dims();
        let (a, f) = (a.reshape([batch, n, 1]), f.reshape([batch, n, 1]));
        let (b, g) = (b.reshape([batch, 1, m]), g.reshape([batch, 1, m]));
        let padding = padding(&a, &b);
        // Subtracting before adding keeps the digits that the large terms share.
        let exponent = ((f.clone() - cost + g) / epsilon).mask_fill(padding.clone(), -PADDED_COST);
        let plan = exponent.clone().exp() * (a.clone() * b);
        // A potential rounds by a share of the cost that epsilon divides. One more normalisation
        // takes that error out of the rows, whose update is the last of every solve.
        let empty_rows = a.clone().equal_elem(0.0);
        let sums = plan.clone().sum_dim(2).mask_fill(empty_rows.clone(), 1.0);
        let factor = (a / sums.clamp_min(TINY)).mask_fill(empty_rows, 1.0);
        let shift = factor.clone().log();
        Self {
            plan: (plan * factor).mask_fill(padding.clone(), 0.0),
            log_ratio: (exponent + shift.clone()).mask_fill(padding.clone(), 0.0),
            f: f + shift * epsilon,
            padding,
        }
    }
}

/// Where a weight of `a` (`[batch, n, 1]`) or `b` (`[batch, 1, m]`) is zero: `[batch, n, m]`.
pub(super) fn padding(a: &Tensor<3>, b: &Tensor<3>) -> Tensor<3, Bool> {
    let [batch, n, _] = a.dims();
    let shape = [batch, n, b.dims()[2]];
    let rows = a.clone().equal_elem(0.0).expand(shape);
    rows.bool_or(b.clone().equal_elem(0.0).expand(shape))
}
