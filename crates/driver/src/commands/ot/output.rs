//! Where answers go: the terminal, another program, or a file that appears whole or not at all.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

/// Writes to a file, or to standard output if there is none.
pub fn write(bytes: &[u8], file: Option<&Path>) -> anyhow::Result<()> {
    match file {
        Some(path) => write_file(bytes, path).with_context(|| path.display().to_string()),
        None => {
            let mut output = std::io::stdout().lock();
            let written = output.write_all(bytes).and_then(|()| output.flush());
            written.context("standard output")
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
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".part");
    #[cfg(unix)]
    {
        // Temporary files are private by default; an answer is as readable as any other file.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}
