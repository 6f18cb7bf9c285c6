//! Small files of results, each whole or not there.

use std::path::Path;

use anyhow::{Context, ensure};
use optical_files::whole;

/// Writes a file and names it where that fails; its folder is made if need be.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let written = whole::write_in_folder(path, bytes);
    written.with_context(|| format!("{} cannot be written", path.display()))
}

/// Refuses an output that would take the place of one of the inputs, by whatever names.
pub fn not_over_input(output: &Path, inputs: &[&Path]) -> anyhow::Result<()> {
    let place = |path: &Path| path.canonicalize().ok();
    let taken = |input: &&Path| place(input).is_some_and(|input| Some(input) == place(output));
    ensure!(
        !inputs.iter().any(taken),
        "--output {} is an input, too, and would be lost; expected another file",
        output.display()
    );
    Ok(())
}
