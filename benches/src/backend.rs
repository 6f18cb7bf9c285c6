//! Backends of our tensor solver that a build may have.

use clap::ValueEnum;

use crate::environment::DeviceInfo;
use crate::solver::Solver;

/// Where tensors are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// The processor, in pure Rust
    Flex,
    /// Any graphics adapter, through WGSL
    Wgpu,
    /// Graphics adapters with Vulkan, through SPIR-V
    Vulkan,
    /// Apple's graphics processors
    Metal,
    /// NVIDIA's graphics processors
    Cuda,
}

impl Backend {
    /// Its name, which is that of its cargo feature as well.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::Cuda => "cuda",
        }
    }

    /// Opens its first device, and gives our solvers on it.
    ///
    /// # Errors
    /// If this build does not have it.
    pub fn open(self) -> anyhow::Result<(DeviceInfo, Vec<Box<dyn Solver>>)> {
        #[cfg(feature = "tensors")]
        if let Some(device) = crate::on_device::device(self) {
            return Ok(crate::on_device::solvers(self, device));
        }
        let name = self.name();
        anyhow::bail!(
            "this build has no {name} backend; build with --features {name}, as \
             cargo xtask bench ot --backend {name} does"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for backend in Backend::value_variants() {
            let value = backend.to_possible_value();
            assert!(value.is_some_and(|value| value.get_name() == backend.name()));
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_backend_that_is_not_built_in_is_named_with_its_feature() {
        let error = Backend::Cuda
            .open()
            .map(|_| ())
            .map_err(|error| error.to_string());
        assert!(error.is_err_and(|error| error.contains("--features cuda")));
    }
}
