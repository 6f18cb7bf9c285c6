//! What can go wrong with files of judgements and runs.

use std::io;
use std::path::{Path, PathBuf};

use optical_files::trec::{TrecError as ReadError, TrecFault, not_a_column};

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

/// Refuses an id, of a topic or another one, that would not be read back.
pub(crate) fn writable(id: &str, is_topic: bool) -> io::Result<()> {
    match not_a_column(id, is_topic) {
        None => Ok(()),
        Some(why) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("id {id:?} {why}"),
        )),
    }
}

/// Reads a file of this text, for tests; in an error it is called `name`.
#[cfg(test)]
pub(crate) fn read_as<T>(
    name: &str,
    text: &[u8],
    read: impl Fn(&Path) -> Result<T, TrecError>,
) -> Result<T, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = folder.path().join(name);
    std::fs::write(&path, text).map_err(|error| error.to_string())?;
    let place = path.display().to_string();
    read(&path).map_err(|error| error.to_string().replace(&place, name))
}
