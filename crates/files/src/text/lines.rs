//! Lines of text, one at a time, with their numbers.

use std::io::{self, BufRead, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::{Reader, TextError, open, unreadable};

/// Bytes that a line may have; a file without line ends would fill the memory otherwise.
pub const LONGEST_LINE: usize = 1 << 20;

/// Why a line is not text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineFault {
    /// The bytes are not UTF-8.
    #[error(
        "is not UTF-8: byte 0x{byte:02x} after {column} good ones; convert the file, for example with iconv"
    )]
    NotUtf8 {
        /// The first byte that is wrong.
        byte: u8,
        /// Bytes of the line before it.
        column: usize,
    },
    /// More bytes than a line may have.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
}

impl LineFault {
    /// Says what is wrong with a line that is not UTF-8.
    pub(super) fn not_utf8(line: &[u8]) -> Self {
        let column = match std::str::from_utf8(line) {
            Ok(line) => line.len(),
            Err(error) => error.valid_up_to(),
        };
        let byte = line.get(column).copied().unwrap_or_default();
        Self::NotUtf8 { byte, column }
    }
}

/// The lines of a text; without the final line ends and carriage returns before them.
pub struct Lines {
    path: PathBuf,
    reader: Reader,
    buffer: Vec<u8>,
    number: usize,
}

impl Lines {
    /// Opens a file.
    ///
    /// # Errors
    /// Fails as [`open`] does.
    pub fn open(path: &Path) -> Result<Self, TextError> {
        Ok(Self::of(path, open(path)?))
    }

    /// Reads the lines of something open; `name` is for errors.
    pub fn of(name: &Path, reader: Reader) -> Self {
        Self {
            path: name.to_owned(),
            reader,
            buffer: Vec::new(),
            number: 0,
        }
    }

    /// Returns the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the number of the line read last, counted from one.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Reads the next line, or says what is wrong with it; `None` after the last.
    ///
    /// # Errors
    /// If the file cannot be read farther.
    #[allow(clippy::should_implement_trait)] // A line is in the buffer until the next one is read.
    pub fn next(&mut self) -> Result<Option<Result<&str, LineFault>>, TextError> {
        let filled = self.fill();
        let Some(is_whole) = filled.map_err(|error| unreadable(&self.path, error))? else {
            return Ok(None);
        };
        self.number += 1;
        if !is_whole {
            return Ok(Some(Err(LineFault::TooLong(LONGEST_LINE))));
        }
        let line = self.buffer.as_slice();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = std::str::from_utf8(line);
        Ok(Some(text.map_err(|_| LineFault::not_utf8(line))))
    }

    /// Reads the next line; one that is not text is an error, too.
    ///
    /// # Errors
    /// If the file cannot be read farther, or the line is not UTF-8 or too long.
    pub fn next_good(&mut self) -> Result<Option<(usize, &str)>, TextError> {
        let (path, line) = (self.path.clone(), self.number + 1);
        match self.next()? {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some((line, text))),
            Some(Err(fault)) => Err(TextError::Line { path, line, fault }),
        }
    }

    /// Reads a line with its end into the buffer; whether it fits, or `None` at the end.
    fn fill(&mut self) -> io::Result<Option<bool>> {
        self.buffer.clear();
        let mut limited = (&mut self.reader).take(LONGEST_LINE as u64);
        if limited.read_until(b'\n', &mut self.buffer)? == 0 {
            return Ok(None);
        }
        if self.buffer.len() < LONGEST_LINE || self.buffer.ends_with(b"\n") {
            return Ok(Some(true));
        }
        loop {
            let rest = match self.reader.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                rest => rest?,
            };
            let end = rest.iter().position(|&byte| byte == b'\n');
            let (skipped, ended) = (end.map_or(rest.len(), |end| end + 1), rest.is_empty());
            self.reader.consume(skipped);
            if ended || end.is_some() {
                return Ok(Some(false));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn lines(content: &[u8]) -> Lines {
        let content = io::Cursor::new(content.to_owned());
        Lines::of(Path::new("lines.txt"), Box::new(content))
    }

    #[test]
    fn a_line_without_end_is_passed_over_and_fills_no_memory() {
        let long = |more: usize| "a".repeat(LONGEST_LINE - 1 + more);
        let mut lines = lines(format!("{}\n{}\nlast", long(0), long(1)).as_bytes());
        assert_eq!(lines.next().unwrap().unwrap().unwrap(), long(0));
        let fault = lines.next().unwrap().unwrap().unwrap_err();
        assert_eq!(fault.to_string(), "is longer than 1048576 bytes");
        assert_eq!(lines.next().unwrap().unwrap().unwrap(), "last");
        assert_eq!((lines.number(), lines.next().unwrap().is_none()), (3, true));
        assert!(lines.buffer.capacity() <= 2 * LONGEST_LINE);
    }

    #[test]
    fn a_bad_line_costs_itself_and_says_where() {
        let mut lines = lines(b"one\r\n\ncaf\xe9 x\nfour");
        assert_eq!(lines.next_good().unwrap(), Some((1, "one")));
        assert_eq!(lines.next_good().unwrap(), Some((2, "")));
        let error = lines.next_good().unwrap_err().to_string();
        let expected = "lines.txt:3: is not UTF-8: byte 0xe9 after 3 good ones; convert the file, \
                        for example with iconv";
        assert_eq!(error, expected);
        assert_eq!(lines.next_good().unwrap(), Some((4, "four")));
        assert_eq!(lines.next_good().unwrap(), None);
    }
}
