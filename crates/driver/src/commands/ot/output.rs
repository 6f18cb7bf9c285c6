//! Where answers go: the terminal, another program, or a file that appears whole or not at all.

use std::path::Path;

use anyhow::Context;
use optical_files::whole;

use crate::say::{print_bytes, written};

/// Writes to a file, or to standard output if there is none.
pub fn write(bytes: &[u8], file: Option<&Path>) -> anyhow::Result<()> {
    match file {
        Some(path) => {
            written(whole::write(path, bytes)).with_context(|| path.display().to_string())
        }
        None => print_bytes(bytes),
    }
}
