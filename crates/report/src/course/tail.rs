//! A file of lines that another process appends to.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes before the place of reading that are compared, to notice a file that was written anew.
const MEMORY: usize = 256;

/// Reads a growing file, whole lines at a time.
pub struct Tail {
    path: PathBuf,
    offset: u64,
    /// What stands just before `offset`.
    before: Vec<u8>,
    /// The beginning of a line whose end has not been written yet.
    partial: Vec<u8>,
}

/// What is new in a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Whether the file was written anew, so that `lines` begin at its beginning.
    pub anew: bool,
    /// Whole lines without their ends; what is not UTF-8 is replaced.
    pub lines: Vec<String>,
}

impl Tail {
    /// Begins before the first line.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            offset: 0,
            before: Vec::new(),
            partial: Vec::new(),
        }
    }

    /// Reads what was appended since the last call; a file that is not there has no lines.
    pub fn news(&mut self) -> std::io::Result<News> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(News::default()),
            Err(error) => return Err(error),
        };
        // A run that resumes cuts its events back to the checkpoint, then appends again.
        let mut before = vec![0; self.before.len()];
        file.seek(SeekFrom::Start(self.offset - self.before.len() as u64))?;
        let anew = file.read_exact(&mut before).is_err() || before != self.before;
        if anew {
            *self = Self::new(&self.path);
            file.seek(SeekFrom::Start(0))?;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        self.offset += bytes.len() as u64;
        self.before.extend(&bytes);
        self.before
            .drain(..self.before.len().saturating_sub(MEMORY));
        self.partial.extend(bytes);
        let whole = self.partial.iter().rposition(|&byte| byte == b'\n');
        let whole: Vec<u8> = self
            .partial
            .drain(..whole.map_or(0, |end| end + 1))
            .collect();
        let lines = String::from_utf8_lossy(&whole);
        let lines = lines.lines().map(str::to_owned).collect();
        Ok(News { anew, lines })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use super::*;

    fn append(path: &Path, text: &str) {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn news(tail: &mut Tail) -> (bool, Vec<String>) {
        let News { anew, lines } = tail.news().unwrap();
        (anew, lines)
    }

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|&line| line.to_owned()).collect()
    }

    #[test]
    fn lines_come_once_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut tail = Tail::new(&path);
        assert_eq!(news(&mut tail), (false, vec![]));
        append(&path, "one\ntw");
        assert_eq!(news(&mut tail), (false, lines(&["one"])));
        assert_eq!(news(&mut tail), (false, vec![]));
        append(&path, "o\n\nthree\n");
        assert_eq!(news(&mut tail), (false, lines(&["two", "", "three"])));
    }

    #[test]
    fn a_file_that_was_cut_is_read_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut tail = Tail::new(&path);
        append(&path, "one\ntwo\nthree\n");
        news(&mut tail);
        // Cut, and grown again beyond what had been read.
        std::fs::write(&path, "one\nTWO\nthree and more\n").unwrap();
        assert_eq!(
            news(&mut tail),
            (true, lines(&["one", "TWO", "three and more"]))
        );
        std::fs::write(&path, "one\n").unwrap();
        assert_eq!(news(&mut tail), (true, lines(&["one"])));
        append(&path, "two\n");
        assert_eq!(news(&mut tail), (false, lines(&["two"])));
    }
}
