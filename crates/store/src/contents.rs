//! What is in the cache, and how it goes: results whose keys have changed are never asked for again.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use optical_files::lock::{Lock, Refused};

use crate::Store;

/// What an entry of the cache is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A data set, as fetched.
    DataSet,
    /// A model, converted or downloaded.
    Model,
    /// Document vectors.
    Index,
    /// What students of their own begin with: the end of their English stage.
    Student,
    /// What a teacher makes of training sentences.
    States,
    /// What is left of a downloaded model beside the model itself.
    Download,
}

impl Kind {
    /// All kinds, each with its folder in the cache.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::DataSet, "datasets"),
        (Self::Model, "models"),
        (Self::Index, "indexes"),
        (Self::Student, "students"),
        (Self::States, "states"),
        (Self::Download, "hub"),
    ];
}

/// An entry of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub path: PathBuf,
    /// Bytes on the disk.
    pub bytes: u64,
    /// When it, or what is in it, was written last.
    pub written: SystemTime,
}

impl Entry {
    /// Returns how long ago it was written.
    pub fn age(&self) -> Duration {
        self.written.elapsed().unwrap_or_default()
    }
}

impl Store {
    /// Lists what is in the cache, by kind and name.
    ///
    /// # Errors
    /// If a folder of the cache cannot be read.
    pub fn contents(&self) -> anyhow::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for (kind, folder) in Kind::ALL {
            let folder = self.cache.join(folder);
            let named = || format!("{} cannot be read", folder.display());
            let inner = match std::fs::read_dir(&folder) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                inner => inner.with_context(named)?,
            };
            for entry in inner {
                let path = entry.with_context(named)?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                // Locks, and what is not whole yet: whoever makes it cleans up.
                if name.starts_with('.') || name.ends_with(".lock") {
                    continue;
                }
                let (mut bytes, mut written) = (0, SystemTime::UNIX_EPOCH);
                measure(&path, &mut bytes, &mut written).with_context(named)?;
                entries.push(Entry {
                    kind,
                    path,
                    bytes,
                    written,
                });
            }
        }
        entries.sort_by(|a, b| (a.kind, &a.path).cmp(&(b.kind, &b.path)));
        Ok(entries)
    }

    /// Removes an entry; returns false where another process is making it.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove(&self, entry: &Entry) -> anyhow::Result<bool> {
        let path = &entry.path;
        let named = || format!("{} cannot be removed", path.display());
        let mut beside = path.as_os_str().to_owned();
        beside.push(".lock");
        let mut locks = vec![PathBuf::from(beside)];
        // Vectors that are being written, and downloads, hold the lock within their folder.
        if path.is_dir() {
            locks.push(path.join(".lock"));
        }
        let mut held = Vec::new();
        for lock in locks {
            match Lock::acquire(&lock) {
                Ok(lock) => held.push(lock),
                Err(Refused::InUse(_)) => return Ok(false),
                Err(Refused::File(error)) => return Err(error).with_context(named),
            }
        }
        match path.is_dir() {
            true => std::fs::remove_dir_all(path),
            false => std::fs::remove_file(path),
        }
        .with_context(named)?;
        Ok(true)
    }
}

/// Adds up the files at and below `path`; links are not followed.
fn measure(path: &Path, bytes: &mut u64, written: &mut SystemTime) -> std::io::Result<()> {
    let data = match path.symlink_metadata() {
        // Another process is at work, too.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        data => data?,
    };
    *written = data.modified()?.max(*written);
    if data.is_dir() {
        let entries = match std::fs::read_dir(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            measure(&entry?.path(), bytes, written)?;
        }
    } else {
        *bytes += data.len();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn entries_are_listed_with_their_sizes_and_go_unless_they_are_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::deaf(folder.path());
        assert!(store.contents().unwrap().is_empty());
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("models/a/config.json", "{}");
        write("models/a/1_Dense/config.json", "{ }");
        write("indexes/k.index", "12345");
        write("indexes/k.index.lock", "");
        write("models/.b.x.part/config.json", "");
        write("elsewhere/file", "");
        let entries = store.contents().unwrap();
        let found: Vec<_> = entries.iter().map(|it| (it.kind, it.bytes)).collect();
        assert_eq!(found, [(Kind::Model, 5), (Kind::Index, 5)]);
        assert!(entries[0].age() < Duration::from_secs(600));
        let held = store.lock(&entries[1].path).unwrap();
        assert!(!store.remove(&entries[1]).unwrap());
        drop(held);
        // Who writes vectors holds the lock in their folder.
        let held = Lock::acquire(&entries[0].path.join(".lock")).unwrap();
        assert!(!store.remove(&entries[0]).unwrap());
        drop(held);
        assert!(store.remove(&entries[0]).unwrap() && store.remove(&entries[1]).unwrap());
        assert!(store.contents().unwrap().is_empty());
        assert!(folder.path().join("elsewhere/file").is_file());
        // A file in the place of a cache is not an empty cache.
        let store = Store {
            cache: folder.path().join("elsewhere/file"),
            ..store
        };
        let error = store.contents().unwrap_err().to_string();
        assert!(error.contains("elsewhere/file"), "{error}");
    }
}
