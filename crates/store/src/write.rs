//! Small files of results, each whole or not there.

use std::path::Path;

use anyhow::Context;
use optical_files::whole;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes a file and names it where that fails; its folder is made if need be.
///
/// # Errors
/// If it cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let written = whole::write_in_folder(path, bytes);
    written.with_context(|| format!("{} cannot be written", path.display()))
}

/// Writes a value as indented JSON.
///
/// # Errors
/// If it cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    write(path, text.as_bytes())
}

/// Reads a value from JSON; the default where there is no file.
///
/// # Errors
/// If the file holds something else.
pub fn read_json<T: DeserializeOwned + Default>(path: &Path) -> anyhow::Result<T> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(T::default()),
        bytes => bytes.with_context(|| format!("{} cannot be read", path.display()))?,
    };
    let named = || {
        format!(
            "{} is damaged; delete it, and its results are made anew",
            path.display()
        )
    };
    serde_json::from_slice(&bytes).with_context(named)
}
