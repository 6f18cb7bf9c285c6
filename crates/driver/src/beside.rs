//! Files that are written beside their place, to be moved there once they are whole.

use std::path::Path;

use tempfile::NamedTempFile;

/// Opens a file beside `path`; unless it is persisted, it goes when it is dropped.
pub fn beside(path: &Path) -> std::io::Result<NamedTempFile> {
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
    builder.tempfile_in(folder)
}
