//! Tensors of CubeCL's backends, each problem solved by one cube of a single launch.

mod kernel;
#[cfg(test)]
#[cfg(feature = "wgpu")]
mod tests;

use burn::backend::{Cube, DispatchDevice};
use burn::prelude::*;
use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl::{CubeCount, CubeDim};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

use super::{TensorSolution, stop};
use crate::Sinkhorn;

/// Rows or columns of the largest problem that a cube has units for: each unit has one of both.
const LARGEST: usize = 128;

/// Cubes along the first axis of a launch; every device allows as many.
const CUBES_IN_A_ROW: usize = 65_535;

/// Whether the kernel can take `tensor`.
pub(super) fn fits(tensor: &Tensor<3>) -> bool {
    let [batch, n, m] = tensor.dims();
    let on_cube = matches!(tensor.device().as_dispatch(), DispatchDevice::Cube(_));
    let sized = batch > 0 && (1..=LARGEST).contains(&n) && (1..=LARGEST).contains(&m);
    // The kernel counts cells in 32 bits.
    let countable = batch * n * m <= i32::MAX as usize;
    on_cube && sized && countable && tensor.dtype() == DType::F32
}

/// Solves every problem for itself; inputs as in [`solve`](super::solve), where [`fits`] holds.
pub(super) fn solve(
    cost: Tensor<3>,
    a: Tensor<2>,
    b: Tensor<2>,
    settings: &Sinkhorn,
) -> TensorSolution {
    let [batch, n, m] = cost.dims();
    let wrong = "the device names the backend";
    let cost = into_contiguous(cost.try_into_primitive::<Cube>().expect(wrong));
    let a = into_contiguous(a.try_into_primitive::<Cube>().expect(wrong));
    let b = into_contiguous(b.try_into_primitive::<Cube>().expect(wrong));
    let client = cost.client.clone();
    let device = cost.device.clone();
    let empty = |shape: Shape| -> CubeTensor {
        empty_device_contiguous_dtype(client.clone(), device.clone(), shape, DType::F32)
    };

    let units = n.max(m).next_power_of_two().max(32);
    let in_shared =
        kernel::shared_bytes(units) <= client.properties().hardware.max_shared_memory_size;
    let (f, g) = (empty(Shape::new([batch, n])), empty(Shape::new([batch, m])));
    let ends = empty(Shape::new([batch, 2]));
    let cells = if in_shared { 1 } else { batch * n * m };
    let scratch = empty(Shape::new([cells]));

    let rows_of_cubes = batch.div_ceil(CUBES_IN_A_ROW) as u32;
    let (epsilon, iterations) = (settings.epsilon() as f32, settings.max_iterations());
    kernel::whole_solve::launch(
        &client,
        CubeCount::Static(batch.min(CUBES_IN_A_ROW) as u32, rows_of_cubes, 1),
        CubeDim::new_1d(units as u32),
        cost.into_buffer_arg(),
        a.into_buffer_arg(),
        b.into_buffer_arg(),
        f.clone().into_buffer_arg(),
        g.clone().into_buffer_arg(),
        ends.clone().into_buffer_arg(),
        scratch.into_buffer_arg(),
        kernel::SettingsLaunch::new(
            batch,
            n,
            m,
            epsilon,
            iterations,
            stop(settings).unwrap_or(0.0) as f32,
        ),
        units,
        in_shared,
        stop(settings).is_some(),
    );

    let ends = Tensor::<2>::from_primitive::<Cube>(ends);
    TensorSolution {
        f: Tensor::from_primitive::<Cube>(f),
        g: Tensor::from_primitive::<Cube>(g),
        marginal_error: ends.clone().narrow(1, 0, 1).reshape([batch]),
        iterations: ends.narrow(1, 1, 1).reshape([batch]).int(),
        settings: *settings,
    }
}
