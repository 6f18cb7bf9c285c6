//! What can go wrong with files of judgements and runs.

use std::io;
use std::path::{Path, PathBuf};

use optical_files::trec::{TrecError as ReadError, TrecFault, is_column};

/// Why a qrels or run file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrecError {
    /// The file cannot be read, or a line is not what the format asks for.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file cannot be written.
    #[error("{}: cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl TrecError {
    pub(crate) fn line(path: &Path, line: usize, fault: TrecFault) -> Self {
        ReadError::line(path, line, fault).into()
    }
}

/// Refuses an id that would not be read back.
pub(crate) fn writable(id: &str) -> io::Result<()> {
    if is_column(id) {
        return Ok(());
    }
    let message = format!("id {id:?} is empty, begins with # or contains a blank");
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}
