//! Where answers go: the terminal, another program, or a file that appears whole or not at all.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use crate::beside::beside;
use crate::say::{print_bytes, written};

/// Writes to a file, or to standard output if there is none.
pub fn write(bytes: &[u8], file: Option<&Path>) -> anyhow::Result<()> {
    match file {
        Some(path) => write_file(bytes, path).with_context(|| path.display().to_string()),
        None => print_bytes(bytes),
    }
}

/// Writes beside the place and renames; a device or a pipe cannot be replaced, and is written to.
fn write_file(bytes: &[u8], path: &Path) -> anyhow::Result<()> {
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
        return written(file.write_all(bytes));
    }
    // A link stays one: what it names is replaced.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut file = beside(&path)?;
    file.write_all(bytes)?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}
