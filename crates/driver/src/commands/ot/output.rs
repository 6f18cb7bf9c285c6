//! Where answers go: the terminal, another program, or a file that appears whole or not at all.

use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::Context;

use crate::beside::beside;

/// Writes to a file, or to standard output if there is none.
pub fn write(bytes: &[u8], file: Option<&Path>) -> anyhow::Result<()> {
    match file {
        Some(path) => write_file(bytes, path).with_context(|| path.display().to_string()),
        None => {
            let mut output = std::io::stdout().lock();
            match output.write_all(bytes).and_then(|()| output.flush()) {
                // A reader that has seen enough.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
                written => written.context("standard output"),
            }
        }
    }
}

/// Writes beside the place and renames; a device or a pipe cannot be replaced, and is written to.
fn write_file(bytes: &[u8], path: &Path) -> std::io::Result<()> {
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        return std::fs::OpenOptions::new()
            .write(true)
            .open(path)?
            .write_all(bytes);
    }
    // A link stays one: what it names is replaced.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut file = beside(&path)?;
    file.write_all(bytes)?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}
