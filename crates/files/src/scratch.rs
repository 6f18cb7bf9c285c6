//! Files without a name, for what does not fit into memory.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Makes a file that goes when it is closed, in `folder`, which is made if need be; where nothing can be
/// written there, in the system's folder of temporary files: a folder that serves what it has may be
/// read-only.
///
/// # Errors
/// If neither can be written, or the disk is full.
pub fn file(folder: &Path) -> io::Result<File> {
    let made = std::fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder));
    match made {
        Err(error) if is_read_only(&error) => tempfile::tempfile(),
        made => made,
    }
}

fn is_read_only(error: &io::Error) -> bool {
    let kinds = [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem];
    kinds.contains(&error.kind())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    #[test]
    fn a_folder_is_made_and_a_file_in_its_place_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        file(&folder.path().join("new"))
            .unwrap()
            .write_all(b"x")
            .unwrap();
        assert_eq!(
            std::fs::read_dir(folder.path().join("new"))
                .unwrap()
                .count(),
            0
        );
        std::fs::write(folder.path().join("taken"), "").unwrap();
        assert!(file(&folder.path().join("taken")).is_err());
        for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem] {
            assert!(is_read_only(&kind.into()));
        }
    }
}
