//! Our solver on tensors, on the device of one of burn's backends.

use anyhow::{Context, ensure};
use burn::prelude::*;
use burn::tensor::DType;
use optical_sinkhorn::Sinkhorn;
use optical_sinkhorn::burn::{Gradient, TensorSolution, solve, solve_by_library_ops};

use crate::backend::Backend;
use crate::case::{Case, Precision, Stop, Task};
use crate::environment::{self, DeviceInfo, UNKNOWN};
use crate::input::{Geometry, Input};
use crate::solver::{About, Form, Run, Solver, timed};

/// Iterations after which a problem that has not met its tolerance counts as unsolved.
const MOST_ITERATIONS: usize = 10_000;

type Solve = fn(Tensor<3>, Tensor<2>, Tensor<2>, &Sinkhorn) -> TensorSolution;

/// One of the ways of our tensor solver on one device.
struct OnDevice {
    about: About,
    device: Device,
    solve: Solve,
}

/// Returns the first device of a backend, if this build has it.
pub(crate) fn device(backend: Backend) -> Option<Device> {
    #[allow(unused_imports)]
    use burn::tensor::DeviceKind;
    match backend {
        #[cfg(feature = "flex")]
        Backend::Flex => Some(Device::flex()),
        #[cfg(feature = "wgpu")]
        Backend::Wgpu => Some(Device::wgpu(DeviceKind::DefaultDevice)),
        #[cfg(feature = "vulkan")]
        Backend::Vulkan => Some(Device::vulkan(DeviceKind::DefaultDevice)),
        #[cfg(feature = "metal")]
        Backend::Metal => Some(Device::metal(DeviceKind::DefaultDevice)),
        #[cfg(feature = "cuda")]
        Backend::Cuda => Some(Device::cuda(0)),
        #[allow(unreachable_patterns)]
        _ => None,
    }
}

/// What the device is, and our solver on it: as it chooses to solve there, and by library ops.
pub(crate) fn solvers(backend: Backend, device: Device) -> (DeviceInfo, Vec<Box<dyn Solver>>) {
    let name = backend.name();
    let solver = |way: &str, solve: Solve| -> Box<dyn Solver> {
        Box::new(OnDevice {
            about: About {
                name: format!("ours, {name}{way}"),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                device: name.to_owned(),
                threads: 1,
                form: Form::Ours,
            },
            device: device.clone(),
            solve,
        })
    };
    let solvers = vec![
        solver("", solve),
        solver(", library ops", solve_by_library_ops),
    ];
    (describe(backend, &device), solvers)
}

impl Solver for OnDevice {
    fn about(&self) -> &About {
        &self.about
    }

    fn takes(&self, case: &Case) -> bool {
        matches!(case.task, Task::Entropic { .. }) && self.device.supports_dtype(dtype(case))
    }

    fn prepare<'a>(&'a self, input: &'a Input) -> anyhow::Result<Run<'a>> {
        let (Task::Entropic { epsilon, stop }, Geometry::Costs(costs)) =
            (input.case.task, &input.geometry)
        else {
            anyhow::bail!("only matrices of costs are taken");
        };
        let settings = Sinkhorn::new(epsilon)?;
        let (settings, threshold) = match stop {
            Stop::Iterations(iterations) => (settings.with_fixed_iterations(iterations), None),
            Stop::Tolerance(tolerance) => (
                settings
                    .with_threshold(tolerance)
                    .with_max_iterations(MOST_ITERATIONS),
                Some(tolerance),
            ),
        };
        let problems = input.case.problems;
        let (count, n, m) = (problems.count, problems.n, problems.m);
        let options = (&self.device, dtype(&input.case));
        let cost = Tensor::<3>::from_data(TensorData::new(costs.clone(), [count, n, m]), options);
        let a = Tensor::<2>::from_data(TensorData::new(input.a.clone(), [count, n]), options);
        let b = Tensor::<2>::from_data(TensorData::new(input.b.clone(), [count, m]), options);
        self.device.sync().context("the device")?;
        Ok(Box::new(move || {
            timed(|| {
                let (cost, a, b) = (cost.clone(), a.clone(), b.clone());
                let solution = (self.solve)(cost.clone(), a.clone(), b.clone(), &settings);
                let values = solution.transport_cost(cost, a, b, Gradient::Detached);
                // Reading waits for the device.
                let values = values.try_into_data().context("the values")?;
                if let Some(threshold) = threshold {
                    let error = solution.marginal_error.max().into_scalar::<f32>();
                    ensure!(
                        f64::from(error) <= threshold,
                        "a marginal error of {error:e} is left after {MOST_ITERATIONS} iterations"
                    );
                }
                Ok(values.convert::<f64>().try_to_vec()?)
            })
        }))
    }
}

fn dtype(case: &Case) -> DType {
    match case.problems.precision {
        Precision::F32 => DType::F32,
        Precision::F64 => DType::F64,
    }
}

/// What the device says of itself.
fn describe(backend: Backend, device: &Device) -> DeviceInfo {
    let unknown = || UNKNOWN.to_owned();
    let (name, target) = identity(device).unwrap_or_else(|| (unknown(), unknown()));
    DeviceInfo {
        backend: backend.name().to_owned(),
        driver: driver(backend, &name).unwrap_or_else(unknown),
        name,
        target,
    }
}

/// Its name, and what kernels are compiled for.
#[cfg(any(
    feature = "wgpu",
    feature = "vulkan",
    feature = "metal",
    feature = "cuda"
))]
fn identity(device: &Device) -> Option<(String, String)> {
    let identity = device.identity()?;
    Some((identity.name, identity.fingerprint))
}

/// Its name, and what kernels are compiled for: both the processor's.
#[cfg(not(any(
    feature = "wgpu",
    feature = "vulkan",
    feature = "metal",
    feature = "cuda"
)))]
fn identity(_: &Device) -> Option<(String, String)> {
    let here = environment::Environment::here();
    Some((here.processor, here.platform))
}

/// Returns the driver of the device of this name, with its version.
fn driver(backend: Backend, name: &str) -> Option<String> {
    match backend {
        Backend::Cuda => {
            let query = ["--query-gpu=driver_version", "--format=csv,noheader"];
            environment::said("nvidia-smi", &query)
        }
        Backend::Wgpu | Backend::Vulkan | Backend::Metal => adapter_driver(name),
        Backend::Flex => Some("none".to_owned()),
    }
}

#[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
fn adapter_driver(name: &str) -> Option<String> {
    use std::task::{Context, Poll, Waker};

    use burn::tensor::wgpu::wgpu;

    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let listing = std::pin::pin!(instance.enumerate_adapters(wgpu::Backends::all()));
    // Outside of browsers it is ready at once.
    let Poll::Ready(adapters) = listing.poll(&mut Context::from_waker(Waker::noop())) else {
        return None;
    };
    let mut infos = adapters.iter().map(wgpu::Adapter::get_info);
    let info = infos.find(|info| info.name == name)?;
    let text = format!("{} {}", info.driver, info.driver_info);
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(not(any(feature = "wgpu", feature = "vulkan", feature = "metal")))]
fn adapter_driver(_: &str) -> Option<String> {
    None
}
