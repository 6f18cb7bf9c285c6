//! `keys.json`: what each result of a run folder follows from, so that none is taken for another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::write::{read_json, write_json};

/// The keys of a folder's results, by their paths in it.
#[derive(Debug)]
pub struct Keys {
    folder: PathBuf,
    keys: BTreeMap<String, String>,
    changed: bool,
}

impl Keys {
    /// Reads those of a run folder; none where it has none.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let keys = read_json(&folder.join("keys.json"))?;
        Ok(Self {
            folder: folder.to_owned(),
            keys,
            changed: false,
        })
    }

    /// Returns what a result was made of; `None` where nobody wrote it down.
    pub fn of(&self, result: &Path) -> Option<&str> {
        self.keys.get(&self.name(result)).map(String::as_str)
    }

    /// Notes what a result is made of, which counts once it is written.
    pub fn set(&mut self, result: &Path, key: String) {
        let name = self.name(result);
        self.changed |= self.keys.get(&name) != Some(&key);
        self.keys.insert(name, key);
    }

    /// Writes the keys, after the results.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self) -> anyhow::Result<()> {
        if !self.changed {
            return Ok(());
        }
        write_json(&self.folder.join("keys.json"), &self.keys)
    }

    fn name(&self, result: &Path) -> String {
        let name = result.strip_prefix(&self.folder).unwrap_or(result);
        name.to_string_lossy().replace('\\', "/")
    }
}
