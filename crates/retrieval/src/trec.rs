//! Lines of TREC files: columns separated by blanks or tabs.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Why a qrels or run file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrecError {
    /// The file cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("{}: cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not what the format asks for.
    #[error("{}:{line}: {fault}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: LineFault,
    },
}

/// What is wrong with a line of a qrels or run file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineFault {
    /// The bytes are not UTF-8.
    #[error("is not UTF-8")]
    Encoding,
    /// The line has too few or too many columns.
    #[error("has {found} columns where {} are expected: {layout}", layout.split(' ').count())]
    Columns {
        /// The number of columns found.
        found: usize,
        /// The names of the columns expected.
        layout: &'static str,
    },
    /// The grade is not an integer.
    #[error("grade {0:?} is not an integer")]
    Grade(String),
    /// The score is not a number.
    #[error("score {0:?} is not a number")]
    Score(String),
    /// The topic already has an entry for the document.
    #[error("topic {topic:?} already has document {document:?}, in line {first}")]
    Duplicate {
        /// The topic.
        topic: String,
        /// The document.
        document: String,
        /// The line of the first entry.
        first: usize,
    },
}

/// Calls `entry` with the columns of each line; blank lines and lines that begin with `#` have none.
pub(crate) fn read<const COLUMNS: usize>(
    path: &Path,
    layout: &'static str,
    mut entry: impl FnMut(usize, [&str; COLUMNS]) -> Result<(), LineFault>,
) -> Result<(), TrecError> {
    let unreadable = |source| TrecError::Read {
        path: path.to_owned(),
        source,
    };
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path).map_err(unreadable)?);
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        if reader.read_until(b'\n', &mut bytes).map_err(unreadable)? == 0 {
            break;
        }
        let checked = columns(&bytes, layout).and_then(|columns| match columns {
            Some(columns) => entry(line, columns),
            None => Ok(()),
        });
        checked.map_err(|fault| TrecError::Line {
            path: path.to_owned(),
            line,
            fault,
        })?;
    }
    Ok(())
}

fn columns<'a, const COLUMNS: usize>(
    bytes: &'a [u8],
    layout: &'static str,
) -> Result<Option<[&'a str; COLUMNS]>, LineFault> {
    let line = std::str::from_utf8(bytes).map_err(|_| LineFault::Encoding)?;
    // Only what C's isspace counts: ids may contain wider blanks.
    let mut words = line.split(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let mut words = words.by_ref().filter(|word| !word.is_empty()).peekable();
    if words.peek().is_none_or(|word| word.starts_with('#')) {
        return Ok(None);
    }
    let mut columns = [""; COLUMNS];
    let mut found = 0;
    for word in words {
        if let Some(column) = columns.get_mut(found) {
            *column = word;
        }
        found += 1;
    }
    if found == COLUMNS {
        Ok(Some(columns))
    } else {
        Err(LineFault::Columns { found, layout })
    }
}

/// Whether an id can stand in a column: it is neither empty nor broken by a blank, nor a comment.
pub(crate) fn is_column(id: &str) -> bool {
    !id.is_empty()
        && !id.starts_with('#')
        && !id.contains(|c: char| c.is_ascii_whitespace() || c == '\x0b')
}

/// The error for an id that cannot be written.
pub(crate) fn unwritable(id: &str) -> io::Error {
    let message = format!("id {id:?} is empty, begins with # or contains a blank");
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
