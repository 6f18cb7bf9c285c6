//! The solve out of library ops, on any backend and through any autodiff.
//!
//! The iterations run in the scaling form on an *absorbed* kernel (Schmitzer 2019, "Stabilized
//! sparse scaling algorithms for entropy regularized transport problems", section 3.2): the
//! potentials sit inside the exponential and only their recent change is kept as a factor, so the
//! factors stay near one at every epsilon while most iterations need no exponential.

use burn::prelude::*;

use super::point::padding;
use super::{PADDED_COST, TINY, TensorSolution, stop};
use crate::Sinkhorn;

/// Iterations between two absorptions of the scaling factors into the potentials, and between two
/// looks at the marginal error.
///
/// A factor changes by at most the reciprocal of the smallest weight an iteration (the ratios of a
/// plan's marginals to their targets contract), and in practice by far less after the first, so
/// this many cannot leave the range of `f32` from where an absorption left them.
const ITERATIONS_PER_KERNEL: usize = 8;

/// Iterates all problems until the last of them may stop; inputs as in [`solve`](super::solve).
pub(super) fn solve(
    cost: Tensor<3>,
    a: Tensor<2>,
    b: Tensor<2>,
    settings: &Sinkhorn,
) -> TensorSolution {
    let (mut kernel, iterations) = iterate(cost, a, b, settings);
    let marginal_error = kernel.marginal_error();
    kernel.absorb_factors();
    let [batch, n, m] = kernel.cost.dims();
    TensorSolution {
        f: (kernel.f * settings.epsilon())
            .mask_fill(kernel.empty_rows, 0.0)
            .reshape([batch, n]),
        g: (kernel.g * settings.epsilon())
            .mask_fill(kernel.empty_columns, 0.0)
            .reshape([batch, m]),
        marginal_error,
        iterations,
        settings: *settings,
    }
}

/// Returns the plan, differentiable in the cost through all iterations: `[batch, n, m]`.
pub(super) fn unrolled_plan(
    cost: Tensor<3>,
    a: Tensor<2>,
    b: Tensor<2>,
    settings: &Sinkhorn,
) -> Tensor<3> {
    let (kernel, _) = iterate(cost, a, b, settings);
    kernel.kernel * kernel.u * kernel.v
}

/// Returns the state after the last iteration, and the iterations each problem needed.
fn iterate(
    cost: Tensor<3>,
    a: Tensor<2>,
    b: Tensor<2>,
    settings: &Sinkhorn,
) -> (AbsorbedKernel, Tensor<1, Int>) {
    let [batch, n, m] = cost.dims();
    let mut needed = Tensor::<1, Int>::full([batch], settings.max_iterations() as i64, &a.device());
    let (a, b) = (a.reshape([batch, n, 1]), b.reshape([batch, 1, m]));
    let mut kernel = AbsorbedKernel::new(cost, a, b, settings.epsilon());
    for iteration in 0..settings.max_iterations() {
        // The first update moves the factors most, so it is absorbed at once.
        if iteration % ITERATIONS_PER_KERNEL == 1 {
            if let Some(threshold) = stop(settings) {
                let met = kernel.marginal_error().lower_equal_elem(threshold);
                let first = met
                    .clone()
                    .bool_and(needed.clone().greater_elem(iteration as i64));
                needed = needed.mask_fill(first, iteration as i64);
                // One problem that moves on moves all: the tensor is whole.
                if met.all().into_scalar::<bool>() {
                    break;
                }
            }
            kernel.absorb();
        }
        kernel.update_columns();
        kernel.update_rows();
    }
    (kernel, needed)
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
    /// Where weights are zero, in the shapes of `a` and `b`.
    empty_rows: Tensor<3, Bool>,
    empty_columns: Tensor<3, Bool>,
}

impl AbsorbedKernel {
    /// Starts from `f_i = min_j C_ij` and `g_j = min_i (C_ij - f_i)`: the largest exponent of
    /// every row and of every column is then exactly zero, so no sum underflows at any epsilon.
    fn new(cost: Tensor<3>, a: Tensor<3>, b: Tensor<3>, epsilon: f64) -> Self {
        let empty_rows = a.clone().equal_elem(0.0);
        let empty_columns = b.clone().equal_elem(0.0);
        let padding = padding(&a, &b);
        // Masked before it is scaled, so that no `NaN` enters a derivative; and multiplied, since
        // the derivative that burn has for a division by a scalar is of single precision.
        let scaled = cost.mask_fill(padding.clone(), 0.0) * epsilon.recip();
        // Tensors have no forbidden cells: an infinite cost is as wrong as one that is not a number.
        let forbidden = scaled.clone().equal_elem(f32::INFINITY);
        let scaled = scaled.mask_fill(forbidden, f32::NAN);
        let cost = scaled.mask_fill(padding, PADDED_COST);
        let f = cost.clone().min_dim(2).mask_fill(empty_rows.clone(), 0.0);
        let g = (cost.clone() - f.clone())
            .min_dim(1)
            .mask_fill(empty_columns.clone(), 0.0);
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
            empty_rows,
            empty_columns,
        }
    }

    fn update_columns(&mut self) {
        self.v = self.b.clone() / self.column_sums();
    }

    fn update_rows(&mut self) {
        let sums = (self.kernel.clone() * self.v.clone()).sum_dim(2);
        let sums = sums.mask_fill(self.empty_rows.clone(), 1.0);
        self.u = self.a.clone() / sums.clamp_min(TINY);
    }

    /// Divisors of the column update. Padding gets a one: the derivative of a division squares
    /// its divisor, and the square of a tiny one is zero.
    fn column_sums(&self) -> Tensor<3> {
        let sums = (self.kernel.clone() * self.u.clone()).sum_dim(1);
        sums.mask_fill(self.empty_columns.clone(), 1.0)
            .clamp_min(TINY)
    }

    /// L1 distance of the plan's column sums from `b`; the rows are right after their update.
    fn marginal_error(&self) -> Tensor<1> {
        let sums = self.column_sums() * self.v.clone();
        let [batch, _, m] = self.b.dims();
        let sums = sums.reshape([batch, m]);
        let b = self.b.clone().reshape([batch, m]);
        (sums - b).abs().sum_dim(1).reshape([batch])
    }

    /// Moves the factors into the potentials; the plan stays as it is, up to rounding.
    fn absorb(&mut self) {
        self.absorb_factors();
        self.kernel = absorbed(&self.cost, &self.weights, &self.f, &self.g);
    }

    fn absorb_factors(&mut self) {
        let ones = (self.u.ones_like(), self.v.ones_like());
        let (u, v) = (
            std::mem::replace(&mut self.u, ones.0),
            std::mem::replace(&mut self.v, ones.1),
        );
        // Factors are zero in padding only, where the floor keeps the potential finite; its value
        // there does not matter, since the kernel is zero.
        self.f = self.f.clone() + u.clamp_min(TINY).log();
        self.g = self.g.clone() + v.clamp_min(TINY).log();
    }
}

fn absorbed(cost: &Tensor<3>, weights: &Tensor<3>, f: &Tensor<3>, g: &Tensor<3>) -> Tensor<3> {
    // Subtracting before adding keeps the digits that the large terms share.
    (f.clone() - cost.clone() + g.clone()).exp() * weights.clone()
}
