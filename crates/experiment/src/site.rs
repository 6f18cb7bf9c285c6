//! Where stages run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use optical_corpus::bitext::DataRoots;
use optical_store::Store;

/// Where stages run: what they may use of this machine.
#[derive(Debug, Clone)]
pub struct Site {
    /// Downloads, models and document vectors, and whoever hears of it all.
    pub store: Store,
    /// Where tensors are computed: on the first; trainings go round all of them.
    pub devices: Vec<Device>,
    /// What the report calls the devices.
    pub backend: String,
    /// What the report says the run was made by: a command line, say.
    pub command: String,
    /// Where files may be for a while, where nothing else may be written.
    pub temporary: PathBuf,
    /// Folders of programs, as `PATH` has them.
    pub programs: OsString,
}

/// Returns where the relative paths of a run file begin, and where data is kept.
pub(crate) fn roots(cache: &Path) -> DataRoots {
    DataRoots {
        base: Path::new(".").into(),
        cache: cache.to_owned(),
    }
}
