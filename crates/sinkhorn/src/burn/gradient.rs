//! The derivatives by name, on tensors.

use burn::prelude::*;
use burn::tensor::DType;

use super::point::Point;
use crate::Gradient;

/// What the derivative by the cost is recomputed from in a backward pass.
#[derive(Debug, Clone)]
pub(super) struct Saved {
    pub cost: Tensor<3>,
    pub a: Tensor<2>,
    pub b: Tensor<2>,
    pub f: Tensor<2>,
    pub g: Tensor<2>,
    pub epsilon: f64,
    pub gradient: Gradient,
}

impl Saved {
    fn point(&self) -> Point {
        Point::new(
            self.cost.clone(),
            self.a.clone(),
            self.b.clone(),
            self.f.clone(),
            self.g.clone(),
            self.epsilon,
        )
    }

    /// Returns the value of each problem: `[batch]`.
    pub(super) fn value(&self) -> Tensor<1> {
        let [batch, n, m] = self.cost.dims();
        let point = self.point();
        let total = |cells: Tensor<3>| cells.sum_dim(2).sum_dim(1).reshape([batch]);
        match self.gradient {
            Gradient::Envelope => {
                let mass = |weights: Tensor<2>| weights.sum_dim(1).reshape([batch]);
                let rows = mass(point.f.reshape([batch, n]) * self.a.clone());
                let columns = mass(self.g.clone().reshape([batch, m]) * self.b.clone());
                let reference = mass(self.a.clone()) * mass(self.b.clone());
                rows + columns - (total(point.plan) - reference) * self.epsilon
            }
            _ => total(self.cost.clone().mask_fill(point.padding, 0.0) * point.plan),
        }
    }

    /// Returns the derivative of each problem's value by its cost, zero in padding: `[batch, n, m]`.
    pub(super) fn slope(&self) -> Tensor<3> {
        let point = self.point();
        match self.gradient {
            Gradient::Implicit => implicit(point),
            _ => point.plan,
        }
    }
}

/// Returns the derivative of `<P, C>` where the plan keeps its marginals as the cost changes.
///
/// With `K = -log(P / a b^T)`, the cost less its potentials in units of epsilon, it is
/// `P (1 + x_i + y_j - K_ij)` for the solution of
/// `[diag(P 1), P; P^T, diag(P^T 1)] (x, y) = ((P K) 1, (P K)^T 1)`. Potentials fall out of that, so
/// `K` may stand for `C / epsilon`, and stays small wherever there is mass.
fn implicit(point: Point) -> Tensor<3> {
    let plan = point.plan;
    let spread = plan.clone() * point.log_ratio.clone().neg();
    let empty_as_one = |sums: Tensor<3>| {
        let empty = sums.clone().equal_elem(0.0);
        sums.mask_fill(empty, 1.0)
    };
    let rows = empty_as_one(plan.clone().sum_dim(2));
    let columns = plan.clone().sum_dim(1);
    let row_target = spread.clone().sum_dim(2);
    let column_target = spread.clone().sum_dim(1);

    // Rows are eliminated, columns solved for.
    let shares = plan.clone() / rows.clone();
    let coupling = plan.clone().swap_dims(1, 2).matmul(shares.clone());
    let right = column_target.swap_dims(1, 2) - shares.swap_dims(1, 2).matmul(row_target.clone());
    let y = solve_laplacian(coupling, columns, right);
    let x = (row_target - plan.clone().matmul(y.clone())) / rows;
    let slope = (x + y.swap_dims(1, 2) + point.log_ratio + 1.0) * plan;
    slope.mask_fill(point.padding, 0.0)
}

/// Solves `(diag(c) - W) y = right`, where rows of `W` sum to `c`, for the `y` with `<c, y> = 0`.
///
/// # Shapes
/// - `coupling`, the matrix `W`: `[batch, m, m]`
/// - `columns`, the sums `c`: `[batch, 1, m]`
/// - `right` and output: `[batch, m, 1]`
fn solve_laplacian(coupling: Tensor<3>, columns: Tensor<3>, right: Tensor<3>) -> Tensor<3> {
    let [_, _, m] = coupling.dims();
    let empty = columns.clone().equal_elem(0.0);
    let mass = columns.clone().sum_dim(2);
    let mass = mass.clone().mask_fill(mass.equal_elem(0.0), 1.0);
    // Constants are what the matrix maps to zero; this rank-one term alone sees them, so it fixes
    // the gauge and leaves every other solution as it was.
    let gauge = columns.clone().swap_dims(1, 2).matmul(columns.clone()) / mass;
    // Parts of a plan that hardly touch leave more directions near zero; a share of the diagonal,
    // above its rounding, keeps them from growing out of noise.
    let ridge = match columns.dtype() {
        DType::F64 => 1e-13,
        _ => 1e-6,
    };
    let identity = Tensor::<2>::eye(m, &columns.device())
        .cast(columns.dtype())
        .unsqueeze::<3>();
    let diagonal = (columns * (1.0 + ridge)).mask_fill(empty, 1.0);
    let matrix = identity.clone() * diagonal - coupling + gauge;

    // Gauss-Jordan elimination; a positive definite matrix needs no pivoting.
    let mut system = Tensor::cat(vec![matrix, right], 2);
    for pivot in 0..m {
        let row = system.clone().narrow(1, pivot, 1);
        let row = row.clone() / row.narrow(2, pivot, 1);
        let unit = identity.clone().narrow(2, pivot, 1);
        let column = system.clone().narrow(2, pivot, 1) - unit;
        system = system - column * row;
    }
    system.narrow(2, m, 1)
}
