//! Tensors of burn's CPU backend, solved by the core on slices.

use burn::backend::DispatchDevice;
use burn::prelude::*;
use burn::tensor::{DType, Element};
use rayon::prelude::*;

use super::{BatchSettings, TensorSolution};
use crate::{Batch, Error, Real, Sinkhorn};

/// Cells in a task: enough to outweigh handing it to another thread.
const TASK_SIZE: usize = 1 << 13;

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
    settings: &BatchSettings,
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
    settings: &BatchSettings,
) -> TensorSolution {
    let [batch, n, m] = cost.dims();
    let device = cost.device();
    let solver = solver(settings);
    let (cost, a, b) = (cost.into_data(), a.into_data(), b.into_data());
    let values = "the data of a tensor has its type";
    let cost = cost.as_slice::<T>().expect(values);
    let a = a.as_slice::<T>().expect(values);
    let b = b.as_slice::<T>().expect(values);

    let mut found = Found::zeros(batch, n, m);
    let problems = (TASK_SIZE / (n * m).max(1)).max(1);
    (
        cost.par_chunks(problems * n * m),
        a.par_chunks(problems * n),
        b.par_chunks(problems * m),
        found.f.par_chunks_mut(problems * n),
        found.g.par_chunks_mut(problems * m),
        found.ends.par_chunks_mut(problems),
    )
        .into_par_iter()
        .for_each(|(cost, a, b, f, g, ends)| {
            let task = Task { n, m, cost, a, b };
            // A problem that is refused must not take the others of its task with it.
            if task.solve(&solver, f, g, ends).is_err() {
                task.solve_one_by_one(&solver, f, g, ends);
            }
        });
    found.into_solution(settings, &device)
}

fn solver(settings: &BatchSettings) -> Sinkhorn {
    let solver = Sinkhorn::new(settings.epsilon).expect("settings were checked");
    match settings.threshold {
        None => solver.with_fixed_iterations(settings.iterations),
        Some(threshold) => solver
            .with_threshold(threshold)
            .with_max_iterations(settings.iterations),
    }
}

/// Problems of one shape, one behind the other.
struct Task<'a, T> {
    n: usize,
    m: usize,
    cost: &'a [T],
    a: &'a [T],
    b: &'a [T],
}

impl<T: Real> Task<'_, T> {
    fn solve(
        &self,
        solver: &Sinkhorn,
        f: &mut [T],
        g: &mut [T],
        ends: &mut [End],
    ) -> Result<(), Error> {
        let batch = Batch::padded(self.cost, ends.len(), self.n, self.m)?;
        let solution = solver.solve_batch(&batch.with_weights(self.a, self.b)?)?;
        for (place, found) in [(f, solution.f()), (g, solution.g())] {
            for (place, found) in place.iter_mut().zip(found) {
                *place = T::from_f64(*found);
            }
        }
        for (end, report) in ends.iter_mut().zip(solution.reports()) {
            *end = End {
                error: report.marginal_error,
                iterations: report.iterations as i64,
            };
        }
        Ok(())
    }

    /// As library ops do, a problem without mass is solved by nothing, and one that has no plan is
    /// `NaN`.
    fn solve_one_by_one(&self, solver: &Sinkhorn, f: &mut [T], g: &mut [T], ends: &mut [End]) {
        let (n, m) = (self.n, self.m);
        for (index, end) in ends.iter_mut().enumerate() {
            let task = Task {
                n,
                m,
                cost: &self.cost[index * n * m..][..n * m],
                a: &self.a[index * n..][..n],
                b: &self.b[index * m..][..m],
            };
            let (f, g) = (&mut f[index * n..][..n], &mut g[index * m..][..m]);
            let end = std::slice::from_mut(end);
            let refused = task.solve(solver, f, g, end).is_err();
            let without_mass = |weights: &[T]| weights.iter().all(|weight| *weight == T::ZERO);
            if refused && !(without_mass(task.a) && without_mass(task.b)) {
                f.fill(T::from_f64(f64::NAN));
                g.fill(T::from_f64(f64::NAN));
                end[0].error = f64::NAN;
            }
        }
    }
}

/// How a problem ended.
#[derive(Debug, Clone, Copy, Default)]
struct End {
    error: f64,
    iterations: i64,
}

/// Potentials of all problems, and how they ended.
struct Found<T> {
    n: usize,
    m: usize,
    f: Vec<T>,
    g: Vec<T>,
    ends: Vec<End>,
}

impl<T: Real + Element> Found<T> {
    fn zeros(batch: usize, n: usize, m: usize) -> Self {
        Self {
            n,
            m,
            f: vec![T::ZERO; batch * n],
            g: vec![T::ZERO; batch * m],
            ends: vec![End::default(); batch],
        }
    }

    fn into_solution(self, settings: &BatchSettings, device: &Device) -> TensorSolution {
        let batch = self.ends.len();
        let options = (device, T::dtype());
        let errors: Vec<T> = self.ends.iter().map(|end| T::from_f64(end.error)).collect();
        let iterations: Vec<i64> = self.ends.iter().map(|end| end.iterations).collect();
        TensorSolution {
            f: Tensor::from_data(TensorData::new(self.f, [batch, self.n]), options),
            g: Tensor::from_data(TensorData::new(self.g, [batch, self.m]), options),
            marginal_error: Tensor::from_data(TensorData::new(errors, [batch]), options),
            iterations: Tensor::from_data(TensorData::new(iterations, [batch]), device),
            settings: *settings,
        }
    }
}
