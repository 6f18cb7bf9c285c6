//! Where a run took place: machine, compiler, libraries and device.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::SystemTime;

use optical_sinkhorn::Instructions;
use serde::{Deserialize, Serialize};

/// The versions that this program was built with.
const LOCK: &str = include_str!("../../Cargo.lock");

/// Libraries that a result may depend on, as far as they are in use.
const LIBRARIES: &[(&str, bool)] = &[
    ("burn", cfg!(any(feature = "tensors", feature = "encoder"))),
    (
        "burn-flex",
        cfg!(any(feature = "flex", feature = "encoder")),
    ),
    (
        "cubecl",
        cfg!(any(
            feature = "wgpu",
            feature = "vulkan",
            feature = "metal",
            feature = "cuda"
        )),
    ),
    (
        "wgpu",
        cfg!(any(feature = "wgpu", feature = "vulkan", feature = "metal")),
    ),
    ("cudarc", cfg!(feature = "cuda")),
    ("wass", cfg!(feature = "peers")),
];

/// What cannot be found out.
pub const UNKNOWN: &str = "unknown";

/// Where a run took place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Seconds since 1970 when it began.
    pub began: u64,
    /// Version of this program.
    pub optical: String,
    /// The commit it was started in, with `-dirty` for changes that are in none.
    pub commit: String,
    /// The compiler it was built with.
    pub rustc: String,
    /// Libraries it was built with, and their versions.
    pub libraries: BTreeMap<String, String>,
    /// Model of the processor.
    pub processor: String,
    /// The widest vector instructions that our solver uses here.
    pub instructions: String,
    /// Threads it runs at once.
    pub threads: usize,
    /// Processes that waited for a thread in the minute before it began, on average; a quiet
    /// machine has next to none.
    pub load: Option<f64>,
    /// Architecture and operating system.
    pub platform: String,
    /// Name and version of the operating system.
    pub system: String,
    /// The device that tensors were on, if any.
    pub device: Option<DeviceInfo>,
}

/// A device that tensors are on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// burn's backend.
    pub backend: String,
    /// The device as it names itself.
    pub name: String,
    /// What kernels are compiled for.
    pub target: String,
    /// Its driver, with version.
    pub driver: String,
}

impl Environment {
    /// Here and now, without a device.
    #[must_use]
    pub fn here() -> Self {
        let unknown = || UNKNOWN.to_owned();
        let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let used = LIBRARIES.iter().filter(|(_, used)| *used);
        let libraries = used.map(|(name, _)| {
            let version = locked(LOCK, name).unwrap_or(UNKNOWN);
            ((*name).to_owned(), version.to_owned())
        });
        let here = env!("CARGO_MANIFEST_DIR");
        Self {
            began: began.map_or(0, |passed| passed.as_secs()),
            optical: env!("CARGO_PKG_VERSION").to_owned(),
            commit: said("git", &["-C", here, "describe", "--always", "--dirty"])
                .unwrap_or_else(unknown),
            rustc: env!("OPTICAL_BENCH_RUSTC").to_owned(),
            libraries: libraries.collect(),
            processor: processor().unwrap_or_else(unknown),
            instructions: format!("{:?}", Instructions::detected()),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            load: load(),
            platform: format!("{} {}", std::env::consts::ARCH, std::env::consts::OS),
            system: system().unwrap_or_else(unknown),
            device: None,
        }
    }
}

impl Environment {
    /// Returns the version of a library that this program was built with.
    #[must_use]
    pub fn library(&self, name: &str) -> &str {
        self.libraries.get(name).map_or(UNKNOWN, String::as_str)
    }
}

fn processor() -> Option<String> {
    if cfg!(target_os = "macos") {
        return said("sysctl", &["-n", "machdep.cpu.brand_string"]);
    }
    value_in("/proc/cpuinfo", "model name", ':')
}

fn system() -> Option<String> {
    if cfg!(target_os = "macos") {
        return said("sw_vers", &["-productVersion"]).map(|version| format!("macOS {version}"));
    }
    value_in("/etc/os-release", "PRETTY_NAME", '=')
}

fn load() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// What stands behind the first `key` of a file of keys and values.
fn value_in(path: &str, key: &str, separator: char) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let pairs = text.lines().filter_map(|line| line.split_once(separator));
    let mut values = pairs.filter(|(found, _)| found.trim() == key);
    let (_, value) = values.next()?;
    Some(value.trim().trim_matches('"').to_owned())
}

/// Returns the first line that a program says, if it is there and succeeds.
pub(crate) fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}

/// Returns the version of a package in a lock file.
fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_lock_file() {
        assert_eq!(
            locked(LOCK, "optical-sinkhorn"),
            Some(env!("CARGO_PKG_VERSION"))
        );
        assert_eq!(locked(LOCK, "optical"), None);
        for (name, _) in LIBRARIES {
            assert!(locked(LOCK, name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_file_of_keys_gives_the_first_value() {
        let folder = std::env::temp_dir().join(format!("keys-{}", std::process::id()));
        std::fs::write(&folder, "model: 7\nmodel name\t: A 9: B\nmodel name: C\n").ok();
        let found = value_in(&folder.to_string_lossy(), "model name", ':');
        std::fs::remove_file(&folder).ok();
        assert_eq!(found.as_deref(), Some("A 9: B"));
        assert_eq!(value_in("/no/such/file", "model name", ':'), None);
    }

    #[test]
    fn a_program_that_is_not_there_says_nothing() {
        assert_eq!(said("no-such-program", &[]), None);
    }
}
