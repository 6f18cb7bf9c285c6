//! Choosing the device: the only place that knows which backends were compiled in.

use burn::tensor::Device;

#[cfg(not(any(
    feature = "flex",
    feature = "wgpu",
    feature = "vulkan",
    feature = "metal",
    feature = "cuda"
)))]
compile_error!("enable a backend: flex, wgpu, vulkan, metal or cuda");

/// Where tensors are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
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

/// Where a training is computed.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct TrainingDevices {
    /// Where to compute
    #[arg(long, value_enum, default_value = "flex")]
    pub device: Backend,
    /// The number of devices of that kind to train on: the parts of a batch go round them
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    devices: usize,
}

/// What a command that encodes texts may use.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct EncodingDevice {
    /// Tokens that go through the encoder at once, padding included
    #[arg(long, value_name = "TOKENS", default_value_t = 4096)]
    pub batch: usize,
    /// Do not download: use what the cache has
    #[arg(long)]
    pub offline: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value = "flex")]
    pub device: Backend,
}

impl TrainingDevices {
    /// Opens them; there is at least one.
    pub fn open(self) -> anyhow::Result<Vec<Device>> {
        self.device.open_several(self.devices)
    }
}

impl Backend {
    /// Opens the first `count` devices of this backend, discrete graphics processors where there are
    /// several.
    fn open_several(self, count: usize) -> anyhow::Result<Vec<Device>> {
        #[allow(unused_imports)]
        use burn::tensor::DeviceKind;
        if count == 1 {
            return Ok(vec![self.open()?]);
        }
        anyhow::ensure!(0 < count, "--devices 0, expected at least 1");
        match self {
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok((0..count)
                .map(|index| Device::wgpu(DeviceKind::DiscreteGpu(index)))
                .collect()),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Ok((0..count)
                .map(|index| Device::vulkan(DeviceKind::DiscreteGpu(index)))
                .collect()),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok((0..count).map(Device::cuda).collect()),
            one => {
                one.open()?;
                anyhow::bail!(
                    "--devices {count}: this backend has one device; `parts` keep all of it busy"
                )
            }
        }
    }

    /// Opens the first device of this backend.
    pub fn open(self) -> anyhow::Result<Device> {
        #[allow(unused_imports)]
        use burn::tensor::DeviceKind;
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => Ok(Device::flex()),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(Device::wgpu(DeviceKind::DefaultDevice)),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Ok(Device::vulkan(DeviceKind::DefaultDevice)),
            #[cfg(feature = "metal")]
            Self::Metal => Ok(Device::metal(DeviceKind::DefaultDevice)),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(Device::cuda(0)),
            #[allow(unreachable_patterns)]
            other => {
                let name = format!("{other:?}").to_lowercase();
                anyhow::bail!("this build has no {name} backend; build with --features {name}")
            }
        }
    }
}
