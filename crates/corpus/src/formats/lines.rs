//! Lines of UTF-8 text files, one at a time, with the file and the line in every error.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::error::{CorpusError, LineProblem};

/// Bytes that a line may have; a file without line ends would fill the memory otherwise.
const LONGEST_LINE: usize = 1 << 20;

/// Opens a file; what its name says is compressed (`.gz`, `.zst`) is unpacked as it is read.
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead>, CorpusError> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let open = || -> std::io::Result<Box<dyn BufRead>> {
        let file = File::open(path)?;
        Ok(match extension {
            Some("gz") => Box::new(BufReader::new(flate2::read::MultiGzDecoder::new(file))),
            Some("zst") => Box::new(BufReader::new(zstd::Decoder::new(file)?)),
            _ => Box::new(BufReader::new(file)),
        })
    };
    open().map_err(|error| CorpusError::read(path, error))
}

/// The lines of a file, compressed or not; a final line end, a carriage return before it and a
/// byte order mark are no part of a line.
pub(crate) struct Lines {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    buffer: Vec<u8>,
    number: usize,
}

impl Lines {
    /// Opens a file.
    pub(crate) fn open(path: &Path) -> Result<Self, CorpusError> {
        Ok(Self {
            path: path.to_owned(),
            reader: open(path)?,
            buffer: Vec::new(),
            number: 0,
        })
    }

    /// The number of the line read last, counted from one.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// The next line, or what is wrong with it; `None` behind the last.
    pub(crate) fn next(&mut self) -> Result<Option<Result<&str, LineProblem>>, CorpusError> {
        let Some(is_whole) = self.fill().map_err(|e| CorpusError::read(&self.path, e))? else {
            return Ok(None);
        };
        self.number += 1;
        if !is_whole {
            return Ok(Some(Err(LineProblem::TooLong(LONGEST_LINE))));
        }
        let mut line = self.buffer.as_slice();
        if self.number == 1 {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        line = line.strip_suffix(b"\n").unwrap_or(line);
        line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = std::str::from_utf8(line);
        Ok(Some(line.map_err(|_| LineProblem::NotUtf8)))
    }

    /// Reads a line with its end into the buffer; whether it fits, or `None` at the end.
    fn fill(&mut self) -> std::io::Result<Option<bool>> {
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

/// Calls `receive` with the number and the text of each line of a file until it breaks; the first
/// bad line is an error, as is one that it refuses.
pub(crate) fn each_line(
    path: &Path,
    mut receive: impl FnMut(usize, &str) -> Result<ControlFlow<()>, LineProblem>,
) -> Result<(), CorpusError> {
    let mut lines = Lines::open(path)?;
    let mut number = 0;
    while let Some(line) = lines.next()? {
        number += 1;
        let flow = line.and_then(|line| receive(number, line));
        if flow
            .map_err(|problem| CorpusError::line(path, number, problem))?
            .is_break()
        {
            break;
        }
    }
    Ok(())
}

/// Reads all lines of a file; the first bad one is an error.
pub(crate) fn read_lines(path: &Path) -> Result<Vec<String>, CorpusError> {
    let (mut lines, mut all) = (Lines::open(path)?, Vec::new());
    while let Some(line) = lines.next()? {
        match line {
            Ok(line) => all.push(line.to_owned()),
            Err(problem) => return Err(CorpusError::line(path, all.len() + 1, problem)),
        }
    }
    Ok(all)
}

/// Splits a line at its tabs and checks the number of columns.
pub(crate) fn columns<const N: usize>(line: &str) -> Result<[&str; N], LineProblem> {
    let columns: Vec<&str> = line.split('\t').collect();
    let found = columns.len();
    columns
        .try_into()
        .map_err(|_| LineProblem::Columns { expected: N, found })
}

/// Collapses every run of white space into one space and trims both ends.
pub(crate) fn collapse(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !collapsed.is_empty() {
            collapsed.push(' ');
        }
        collapsed.push_str(word);
    }
    collapsed
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn line_ends_and_the_byte_order_mark_are_no_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.txt");
        std::fs::write(&path, "\u{feff}one\r\n\nthree\n").unwrap();
        assert_eq!(read_lines(&path).unwrap(), ["one", "", "three"]);
        std::fs::write(&path, "").unwrap();
        assert!(read_lines(&path).unwrap().is_empty());
    }

    #[test]
    fn bad_bytes_name_their_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.txt");
        std::fs::write(&path, b"one\n\xff\xfe\n").unwrap();
        let message = read_lines(&path).unwrap_err().to_string();
        assert!(message.ends_with("lines.txt:2: is not UTF-8"), "{message}");
    }

    #[test]
    fn a_line_without_end_is_passed_over_and_fills_no_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.txt");
        let long = |more: usize| "a".repeat(LONGEST_LINE - 1 + more);
        std::fs::write(&path, format!("{}\n{}\nlast", long(0), long(1))).unwrap();
        let mut lines = Lines::open(&path).unwrap();
        assert_eq!(lines.next().unwrap().unwrap().unwrap(), long(0));
        let problem = lines.next().unwrap().unwrap().unwrap_err();
        assert_eq!(problem.to_string(), "is longer than 1048576 bytes");
        assert_eq!(lines.next().unwrap().unwrap().unwrap(), "last");
        assert_eq!((lines.number(), lines.next().unwrap().is_none()), (3, true));
        assert!(lines.buffer.capacity() <= 2 * LONGEST_LINE);
    }

    #[test]
    fn compressed_files_are_read_as_what_they_hold() {
        let folder = tempfile::tempdir().unwrap();
        let (gz, zst) = (folder.path().join("a.gz"), folder.path().join("a.zst"));
        // Of several parts, as parallel compressors and `cat` make them.
        let mut parts = [Vec::new(), Vec::new()];
        for text in ["one\ntwo\n", "three\n"] {
            let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
            packer.write_all(text.as_bytes()).unwrap();
            parts[0].extend(packer.finish().unwrap());
            parts[1].extend(zstd::encode_all(text.as_bytes(), 1).unwrap());
        }
        for (path, bytes) in [&gz, &zst].into_iter().zip(parts) {
            std::fs::write(path, &bytes).unwrap();
            assert_eq!(read_lines(path).unwrap(), ["one", "two", "three"]);
            let mut lines = Vec::new();
            let one_by_one = each_line(path, |number, line| {
                lines.push(format!("{number} {line}"));
                Ok(ControlFlow::Continue(()))
            });
            one_by_one.unwrap();
            assert_eq!(lines, ["1 one", "2 two", "3 three"]);
            std::fs::write(path, &bytes[..bytes.len() - 5]).unwrap();
            let message = read_lines(path).unwrap_err().to_string();
            assert!(message.ends_with(" cannot be read"), "{message}");
        }
    }

    #[test]
    fn lines_one_by_one_are_those_of_the_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.txt");
        for text in ["", "\u{feff}one\r\n\nthree\n", "one\n\u{feff}two"] {
            std::fs::write(&path, text).unwrap();
            let mut lines = Vec::new();
            let one_by_one = each_line(&path, |_, line| {
                lines.push(line.to_owned());
                Ok(ControlFlow::Continue(()))
            });
            one_by_one.unwrap();
            assert_eq!(lines, read_lines(&path).unwrap());
        }
        std::fs::write(&path, b"one\n\xff\n").unwrap();
        let first = each_line(&path, |_, _| Ok(ControlFlow::Break(())));
        assert!(first.is_ok(), "reading did not end behind the first line");
        let all = each_line(&path, |_, _| Ok(ControlFlow::Continue(())));
        let message = all.unwrap_err().to_string();
        assert!(message.ends_with("lines.txt:2: is not UTF-8"), "{message}");
    }

    #[test]
    fn columns_are_counted() {
        assert_eq!(columns::<2>("a\tb c").unwrap(), ["a", "b c"]);
        assert_eq!(
            columns::<2>("a").unwrap_err().to_string(),
            "1 columns, expected 2"
        );
        assert_eq!(collapse(" a \u{a0} b\t\n"), "a b");
    }
}
