//! Where stages run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use optical_corpus::bitext::DataRoots;
use optical_store::{Store, device_kind};

/// Where stages run: what they may use of this machine.
#[derive(Debug, Clone)]
pub struct Site {
    /// Downloads, models and document vectors, and whoever hears of it all.
    pub store: Store,
    /// What the report calls the devices.
    pub backend: String,
    /// What the report says the run was made by: a command line, say.
    pub command: String,
    /// Where files may be for a while, where nothing else may be written.
    pub temporary: PathBuf,
    /// Folders of programs that a run file may name, as `PATH` has them.
    pub programs: OsString,
    devices: Vec<Device>,
}

impl Site {
    /// Makes a site of a device and a store, whose cache takes temporary files, without programs.
    pub fn new(store: Store, device: Device) -> Self {
        Self {
            backend: device_kind(&device),
            command: String::new(),
            temporary: store.cache.clone(),
            programs: OsString::new(),
            devices: vec![device],
            store,
        }
    }

    /// Adds devices that trainings go round, beside the first.
    #[must_use]
    pub fn with_more(mut self, devices: impl IntoIterator<Item = Device>) -> Self {
        self.devices.extend(devices);
        self
    }

    /// Returns where tensors are computed.
    pub fn device(&self) -> &Device {
        &self.devices[0]
    }

    /// Returns all devices, of which there is at least one.
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }
}

/// Returns where the relative paths of a run file begin, and where data is kept.
pub(crate) fn roots(cache: &Path) -> DataRoots {
    DataRoots {
        base: Path::new(".").into(),
        cache: cache.to_owned(),
    }
}
