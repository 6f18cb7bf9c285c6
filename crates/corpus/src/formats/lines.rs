//! Lines of UTF-8 text files, with the file and the line in every error.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;

use crate::error::{CorpusError, LineProblem};

/// Opens a file; what its name says is compressed (`.gz`, `.zst`) is unpacked as it is read.
fn open(path: &Path) -> std::io::Result<Box<dyn Read>> {
    let file = File::open(path)?;
    let extension = path.extension().and_then(|extension| extension.to_str());
    Ok(match extension {
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(file))),
        Some("zst") => Box::new(zstd::Decoder::new(file)?),
        _ => Box::new(file),
    })
}

/// Reads a whole file, compressed or not.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, CorpusError> {
    let mut bytes = Vec::new();
    let read = open(path).and_then(|mut file| file.read_to_end(&mut bytes));
    read.map_err(|error| CorpusError::read(path, error))?;
    Ok(bytes)
}

/// Calls `receive` with the number and the text of each line of a file, compressed or not, until it
/// breaks; lines are as those of [`read_lines`], but one at a time is in memory.
pub(crate) fn each_line(
    path: &Path,
    mut receive: impl FnMut(usize, &str) -> Result<ControlFlow<()>, LineProblem>,
) -> Result<(), CorpusError> {
    let unreadable = |error| CorpusError::read(path, error);
    let mut reader = BufReader::with_capacity(1 << 16, open(path).map_err(unreadable)?);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            break;
        }
        let bytes = line.strip_suffix(b"\n").unwrap_or(&line);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let bytes = match number {
            1 => bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes),
            _ => bytes,
        };
        let text = std::str::from_utf8(bytes).map_err(|_| LineProblem::NotUtf8);
        let flow = text
            .and_then(|text| receive(number, text))
            .map_err(|problem| CorpusError::line(path, number, problem))?;
        if flow.is_break() {
            break;
        }
    }
    Ok(())
}

/// Reads all lines of a file, compressed or not; a final line end, a carriage return before it and a byte order
/// mark are no part of a line.
pub(crate) fn read_lines(path: &Path) -> Result<Vec<String>, CorpusError> {
    let bytes = read_bytes(path)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let line = |(index, line): (usize, &[u8])| match std::str::from_utf8(line) {
        Ok(line) => Ok(line.strip_suffix('\r').unwrap_or(line).to_owned()),
        Err(_) => Err(CorpusError::line(path, index + 1, LineProblem::NotUtf8)),
    };
    bytes
        .split(|byte| *byte == b'\n')
        .enumerate()
        .map(line)
        .collect()
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
