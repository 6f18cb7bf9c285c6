//! Tensors of burn's CPU backend, solved by the core on slices.

use burn::backend::DispatchDevice;
use burn::prelude::*;
use burn::tensor::{DType, Element};

use super::TensorSolution;
use crate::{Batch, Real, Sinkhorn};

/// Whether the core can take `tensor`.
pub(super) fn has(tensor: &Tensor<3>) -> bool {
    let on_flex = matches!(tensor.device().as_dispatch(), DispatchDevice::Flex(_));
    on_flex && matches!(tensor.dtype(), DType::F32 | DType::F64)
}

/// Solves every problem for itself; inputs as in [`solve`](super::solve), where [`has`] holds.
pub(super) fn solve(
    cost: Tensor<3>,
    a: Tensor<2>,
    b: Tensor<2>,
    settings: &Sinkhorn,
) -> TensorSolution {
    if cost.dtype() == DType::F64 {
        solve_as::<f64>(cost, a, b, settings)
    } else {
        solve_as::<f32>(cost, a, b, settings)
    }
}

fn solve_as<T: Real + Element>(
    cost: Tensor<3>,
    a: Tensor<2>,
    b: Tensor<2>,
    settings: &Sinkhorn,
) -> TensorSolution {
    let [batch, n, m] = cost.dims();
    let device = cost.device();
    let (cost, a, b) = (cost.into_data(), a.into_data(), b.into_data());
    let values = "the data of a tensor has its type";
    let cost = cost.as_slice::<T>().expect(values);
    let a = a.as_slice::<T>().expect(values);
    let b = b.as_slice::<T>().expect(values);

    let problems = Batch::padded(cost, batch, n, m).and_then(|all| all.with_weights(a, b));
    let problems = problems.expect("shapes were checked");
    let found = settings.solve_each(&problems, None);
    let (mut f, mut g) = (found.f(&problems), found.g.clone());
    let mut errors = Vec::with_capacity(batch);
    let mut iterations = Vec::with_capacity(batch);
    for (index, report) in found.reports().enumerate() {
        let (rows, columns) = (index * n..(index + 1) * n, index * m..(index + 1) * m);
        let without_mass = |weights: &[T]| weights.iter().all(|weight| *weight == T::ZERO);
        let cells = &cost[index * n * m..][..n * m];
        let (error, count) = match report {
            Ok(report) if !forbids(cells, &a[rows.clone()], &b[columns.clone()]) => {
                (report.marginal_error, report.iterations)
            }
            // Tensors have no forbidden cells.
            Ok(_) => {
                f[rows].fill(f64::NAN);
                g[columns].fill(f64::NAN);
                (f64::NAN, 0)
            }
            // As library ops do, a problem without mass is solved by nothing.
            Err(_) if without_mass(&a[rows.clone()]) && without_mass(&b[columns.clone()]) => {
                (0.0, 0)
            }
            // And one that has no plan is `NaN`.
            Err(_) => {
                f[rows].fill(f64::NAN);
                g[columns].fill(f64::NAN);
                (f64::NAN, 0)
            }
        };
        errors.push(T::from_f64(error));
        iterations.push(count as i64);
    }
    let options = (&device, T::dtype());
    let narrow = |values: &[f64]| values.iter().map(|&v| T::from_f64(v)).collect::<Vec<T>>();
    TensorSolution {
        f: Tensor::from_data(TensorData::new(narrow(&f), [batch, n]), options),
        g: Tensor::from_data(TensorData::new(narrow(&g), [batch, m]), options),
        marginal_error: Tensor::from_data(TensorData::new(errors, [batch]), options),
        iterations: Tensor::from_data(TensorData::new(iterations, [batch]), &device),
        settings: *settings,
    }
}

/// Whether a cost between positive weights is infinite.
fn forbids<T: Real>(cost: &[T], a: &[T], b: &[T]) -> bool {
    let rows = cost.chunks_exact(b.len()).zip(a);
    cost.contains(&T::INFINITY)
        && rows.filter(|(_, a)| **a > T::ZERO).any(|(row, _)| {
            let mut cells = row.iter().zip(b);
            cells.any(|(cost, b)| *b > T::ZERO && *cost == T::INFINITY)
        })
}
