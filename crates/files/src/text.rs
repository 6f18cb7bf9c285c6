//! Opens text files: byte order marks, packing and encodings are dealt with here, for every reader.
//!
//! - What is packed with gzip or zstd is unpacked as it is read, by its first bytes, whatever its name;
//!   files of several members or frames, as parallel packers and `cat` make them, are one text.
//! - A byte order mark is not part of the text.
//! - Text is UTF-8. UTF-16 is decoded where the format allows it ([`open_xml`]), and refused elsewhere.
//! - Folders, empty files, archives and other things that hold no text are named as what they are.

mod encoding;
mod lines;
mod packing;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

pub use self::lines::{LONGEST_LINE, LineFault, Lines};
use self::packing::Packing;

/// Bytes by which packing and encoding are told; a tar archive says what it is in byte 257.
const START: u64 = 262;

/// Bytes read at once.
const BUFFER: usize = 1 << 16;

/// Text as it is read: unpacked, and without a mark.
pub type Reader = Box<dyn BufRead + Send>;

/// Why a file cannot be read as text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// No such file, no permission, or packed data that is damaged.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system or the unpacker said.
        source: io::Error,
    },
    /// A folder stands where a file is expected.
    #[error("{} is a folder, expected a file", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// There is nothing in the file.
    #[error("{} is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file holds something else than text, or text in a packing that is not read.
    #[error("{} is {kind}, expected text, perhaps packed with gzip or zstd: {advice}", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
        /// What to do about it.
        advice: &'static str,
    },
    /// The text is in an encoding that its format does not allow.
    #[error(
        "{} is {found}, expected UTF-8: convert it, for example with iconv -f {found} -t UTF-8",
        path.display()
    )]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The name of the encoding.
        found: &'static str,
    },
    /// A line is not text.
    #[error("{}:{line}: {fault}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: usize,
        /// What is wrong with it.
        fault: LineFault,
    },
}

/// Opens a file of UTF-8.
///
/// # Errors
/// If it cannot be read, is empty or holds no such text. What is damaged farther on, packed data
/// that end early among it, is an error of the reader.
pub fn open(path: &Path) -> Result<Reader, TextError> {
    let file = file(path)?;
    decode(path, file, false)
}

/// Opens a file of XML, which may be UTF-16: what is read is UTF-8, whatever its declaration says.
///
/// # Errors
/// Fails as [`open`] does.
pub fn open_xml(path: &Path) -> Result<Reader, TextError> {
    let file = file(path)?;
    decode(path, file, true)
}

/// Reads the bytes of a file, unpacked and otherwise as they are: mark included, not decoded.
///
/// # Errors
/// If the file cannot be read or unpacked, is empty, or is an archive.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, TextError> {
    let mut bytes = Vec::new();
    let read = unpacked(path, file(path)?)?.1.read_to_end(&mut bytes);
    read.map_err(|source| unreadable(path, source))?;
    Ok(bytes)
}

/// Reads text from something that is open already, such as standard input; `name` is for errors.
///
/// # Errors
/// Fails as [`open`] does.
pub fn open_stream(name: &Path, stream: impl Read + Send + 'static) -> Result<Reader, TextError> {
    decode(name, stream, false)
}

/// Reads a whole file of UTF-8.
///
/// # Errors
/// Fails as [`open`] does, and if a line is not UTF-8.
pub fn read(path: &Path) -> Result<String, TextError> {
    let mut bytes = Vec::new();
    let read = open(path)?.read_to_end(&mut bytes);
    read.map_err(|source| unreadable(path, source))?;
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let begin = before.iter().rposition(|&byte| byte == b'\n');
        let begin = begin.map_or(0, |end| end + 1);
        TextError::Line {
            path: path.to_owned(),
            line: 1 + before.iter().filter(|&&byte| byte == b'\n').count(),
            fault: LineFault::not_utf8(&error.as_bytes()[begin..]),
        }
    })
}

/// Reads a whole file of UTF-8, if it is there; an empty one is an empty text.
///
/// # Errors
/// Fails as [`read`] does otherwise.
pub fn read_if_there(path: &Path) -> Result<Option<String>, TextError> {
    match read(path) {
        Err(TextError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(TextError::Empty { .. }) => Ok(Some(String::new())),
        read => read.map(Some),
    }
}

fn file(path: &Path) -> Result<File, TextError> {
    let file = File::open(path).map_err(|source| unreadable(path, source))?;
    if file.metadata().is_ok_and(|data| data.is_dir()) {
        let path = path.to_owned();
        return Err(TextError::Folder { path });
    }
    Ok(file)
}

fn unreadable(path: &Path, source: io::Error) -> TextError {
    let path = path.to_owned();
    TextError::Read { path, source }
}

/// Returns the first bytes of what is packed or not, and all of it.
fn unpacked(
    path: &Path,
    reader: impl Read + Send + 'static,
) -> Result<(Vec<u8>, Box<dyn Read + Send>), TextError> {
    let unreadable = |source| unreadable(path, source);
    let not_text = |kind, advice| {
        let path = path.to_owned();
        TextError::NotText { path, kind, advice }
    };
    let (mut start, mut reader) = peek(reader).map_err(unreadable)?;
    if let Some(packing) = Packing::of(&start) {
        let inner = packing.unpack(reader).map_err(unreadable)?;
        (start, reader) = peek(inner).map_err(unreadable)?;
        if Packing::of(&start).is_some() {
            return Err(not_text("packed twice", "unpack it once"));
        }
    }
    match packing::other(&start) {
        Some((kind, advice)) => Err(not_text(kind, advice)),
        None if start.is_empty() => Err(TextError::Empty {
            path: path.to_owned(),
        }),
        None => Ok((start, reader)),
    }
}

/// Takes the mark off, and decodes UTF-16 where that is allowed.
fn decode(
    path: &Path,
    reader: impl Read + Send + 'static,
    utf16: bool,
) -> Result<Reader, TextError> {
    let (start, reader) = unpacked(path, reader)?;
    let (encoding, mark) = encoding::of(&start);
    if start.len() == mark {
        let path = path.to_owned();
        return Err(TextError::Empty { path });
    }
    let mut reader = BufReader::with_capacity(BUFFER, reader);
    let skipped = reader.read_exact(&mut vec![0; mark]);
    skipped.map_err(|source| unreadable(path, source))?;
    match encoding {
        None => Ok(Box::new(reader)),
        Some(found) if utf16 && found.is_utf16() => {
            let decoded = encoding::Utf16::new(reader, found);
            Ok(Box::new(BufReader::with_capacity(BUFFER, decoded)))
        }
        Some(found) => Err(TextError::Encoding {
            path: path.to_owned(),
            found: found.name(),
        }),
    }
}

/// Returns the first bytes, and a reader that begins with them again.
fn peek(mut reader: impl Read + Send + 'static) -> io::Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut start = Vec::new();
    // A pipe may give a few bytes at a time.
    reader.by_ref().take(START).read_to_end(&mut start)?;
    Ok((start.clone(), Box::new(Cursor::new(start).chain(reader))))
}

#[cfg(test)]
mod tests;
