//! What is fetched or made once, and kept by what it follows from: data sets, models, and the vectors
//! of documents.

mod contents;
mod datasets;
mod encoding;
mod host;
mod index;
pub mod key;
mod keys;
mod models;
mod reader;
mod texts;
mod write;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use optical_files::lock::{Lock, Refused};

pub use self::contents::{Entry, Kind};
pub use self::datasets::downloadable;
pub use self::encoding::FileEncoding;
pub use self::host::{Host, Notice, Progress};
pub use self::index::{Indexing, KeptIndex, device_kind};
pub use self::key::Key;
pub use self::keys::Keys;
pub use self::models::Place;
pub use self::reader::{Reader, encode};
pub use self::texts::Texts;
pub use self::write::{read_json, write, write_json};

/// A folder of downloads, converted models and document vectors, and what may be done to fill it.
#[derive(Debug, Clone)]
pub struct Store {
    /// Where everything is kept.
    pub cache: PathBuf,
    /// Whether nothing is downloaded.
    pub offline: bool,
    /// What the Hugging Face hub knows its user by, for models that are not open to all.
    pub hub_token: Option<String>,
    /// Whoever hears of it.
    pub host: Host,
}

#[cfg(test)]
impl Store {
    /// Makes a store that downloads nothing and that nobody hears.
    pub(crate) fn deaf(cache: &Path) -> Self {
        Self {
            cache: cache.to_owned(),
            offline: true,
            hub_token: None,
            host: Host::deaf(),
        }
    }
}

impl Store {
    /// Takes the right to make `entry` of the cache; waits while another process makes it. What is
    /// there needs no lock, so that a cache that cannot be written serves what it has.
    ///
    /// # Errors
    /// If the cache cannot be written.
    pub fn lock(&self, entry: &Path) -> anyhow::Result<Lock> {
        let mut path = entry.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let failed = || format!("{} cannot be written", entry.display());
        let folder = entry.parent().unwrap_or(entry);
        std::fs::create_dir_all(folder).with_context(failed)?;
        let mut told = false;
        loop {
            match Lock::acquire(&path) {
                Ok(lock) => return Ok(lock),
                Err(Refused::File(error)) => return Err(error).with_context(failed),
                Err(Refused::InUse(holder)) => {
                    if !told {
                        let entry = entry.display();
                        let host = &self.host;
                        host.say(format_args!("waiting for {holder} to finish {entry}"));
                    }
                    told = true;
                    self.host.check()?;
                    std::thread::sleep(Duration::from_millis(200));
                }
            }
        }
    }
}
