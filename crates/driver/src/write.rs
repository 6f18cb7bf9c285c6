//! Small files of results, each whole or not there.

use std::path::Path;

use anyhow::Context;
use optical_files::whole;

/// Writes a file and names it where that fails; its folder is made if need be.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let written = whole::write_in_folder(path, bytes);
    written.with_context(|| format!("{} cannot be written", path.display()))
}
