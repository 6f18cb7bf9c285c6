//! The texts of a file, a chunk at a time, with or without ids.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use optical_corpus::formats::names_id;
use optical_files::text::{self, LONGEST_LINE};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes of text that are encoded between two commits: enough to sort by length, little to lose.
const CHUNK: usize = 1 << 18;

/// How far a file of texts has been read; bytes are those of its text, unpacked and without a mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cursor {
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
    /// Whether ids stand before the texts; decided by the first line.
    has_ids: Option<bool>,
    /// SHA-256 of all that was read.
    digest: String,
}

/// Texts of a file, one per line, with or without ids.
pub struct Texts {
    path: PathBuf,
    reader: text::Reader,
    hash: Sha256,
    /// Bytes of the file, which are fewer than those of its text where it is packed.
    pub(crate) total: u64,
    pub(crate) cursor: Cursor,
}

impl Texts {
    /// Opens a file, or what stands in its place.
    ///
    /// # Errors
    /// If it cannot be read, or is not text.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let reader = text::open(path)?;
        let data = std::fs::metadata(path);
        let total = data.with_context(|| path.display().to_string())?.len();
        Ok(Self {
            path: path.to_owned(),
            reader,
            hash: Sha256::new(),
            total,
            cursor: Cursor {
                bytes: 0,
                lines: 0,
                has_ids: None,
                digest: String::new(),
            },
        })
    }

    /// Reads again what has been encoded, to see that it is the same.
    pub(crate) fn skip_to(&mut self, cursor: &Cursor) -> anyhow::Result<()> {
        let mut left = cursor.bytes;
        while left > 0 {
            let path = &self.path;
            let buffer = self.reader.fill_buf();
            let buffer = buffer.with_context(|| path.display().to_string())?;
            let count = buffer
                .len()
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            if count == 0 {
                break;
            }
            self.hash.update(&buffer[..count]);
            self.reader.consume(count);
            left -= count as u64;
        }
        ensure!(
            left == 0 && self.digest() == cursor.digest,
            "{} is not the file that the output was begun with: its first {} bytes differ",
            self.name(),
            cursor.bytes
        );
        self.cursor = cursor.clone();
        Ok(())
    }

    /// The next ids and texts, of about [`CHUNK`] bytes; none at the end.
    pub(crate) fn next_chunk(&mut self) -> anyhow::Result<Vec<(String, String)>> {
        let mut chunk = Vec::new();
        let (mut size, mut line) = (0, Vec::new());
        // An empty chunk is the end, so that blank lines alone are not one.
        while size < CHUNK || chunk.is_empty() {
            line.clear();
            let mut limited = (&mut self.reader).take(LONGEST_LINE as u64 + 1);
            let read = limited.read_until(b'\n', &mut line);
            if read.with_context(|| self.name())? == 0 {
                break;
            }
            self.hash.update(&line);
            size += line.len();
            self.cursor.bytes += line.len() as u64;
            self.cursor.lines += 1;
            ensure!(
                line.len() <= LONGEST_LINE,
                "{} line {}: longer than {LONGEST_LINE} bytes",
                self.name(),
                self.cursor.lines
            );
            chunk.extend(self.parse(&line)?);
        }
        self.cursor.digest = self.digest();
        Ok(chunk)
    }

    /// The id and the text of a line; none of a blank one.
    fn parse(&mut self, line: &[u8]) -> anyhow::Result<Option<(String, String)>> {
        let (path, lines) = (self.path.display(), self.cursor.lines);
        let place = || format!("{path} line {lines}");
        let text = std::str::from_utf8(line).with_context(|| {
            let place = place();
            format!("{place}: not UTF-8; convert the file, for example with iconv")
        })?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.trim_matches(' ').is_empty() {
            return Ok(None);
        }
        let columns: Vec<&str> = text.split('\t').collect();
        let is_first = self.cursor.has_ids.is_none();
        let has_ids = match (self.cursor.has_ids, columns.len()) {
            (Some(has_ids), _) => has_ids,
            (None, 1 | 2) => *self.cursor.has_ids.insert(columns.len() == 2),
            (None, count) => bail!(
                "{} has {count} columns, expected 1 (text) or 2 (id, text)",
                place()
            ),
        };
        match (has_ids, columns.as_slice()) {
            (true, [id, _]) if is_first && names_id(id) => Ok(None),
            (true, [id, text]) => Ok(Some(((*id).to_owned(), (*text).to_owned()))),
            (false, [text]) => Ok(Some((self.cursor.lines.to_string(), (*text).to_owned()))),
            _ => bail!(
                "{} has {} columns, expected {} as in the first line",
                place(),
                columns.len(),
                if has_ids { "2 (id, text)" } else { "1 (text)" }
            ),
        }
    }

    fn digest(&self) -> String {
        let digest = self.hash.clone().finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn texts(content: &[u8]) -> (tempfile::TempDir, Texts) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("texts.tsv");
        std::fs::write(&path, content).unwrap();
        let texts = Texts::open(&path).unwrap();
        (folder, texts)
    }

    #[test]
    fn ids_are_a_column_or_the_lines_numbers() {
        let (_folder, mut with) = texts(b"q1\tgood morning\r\nq2\t\n");
        let pairs = |chunk: Vec<(String, String)>| -> Vec<String> {
            chunk
                .iter()
                .map(|(id, text)| format!("{id}={text}"))
                .collect()
        };
        assert_eq!(
            pairs(with.next_chunk().unwrap()),
            ["q1=good morning", "q2="]
        );
        assert!(with.next_chunk().unwrap().is_empty());
        let (_folder, mut without) = texts(b"good morning\nhabari");
        assert_eq!(
            pairs(without.next_chunk().unwrap()),
            ["1=good morning", "2=habari"]
        );
        // A mark is no part of an id, a blank line no text, and the numbers are those of the lines.
        let (_folder, mut with) = texts(b"\xef\xbb\xbf\r\nq1\twater\n\nq2\tfire\n \n");
        assert_eq!(pairs(with.next_chunk().unwrap()), ["q1=water", "q2=fire"]);
        // Names of columns are not a text, unless they come later.
        let (_folder, mut with) = texts(b"query_id\ttext\nq1\twater\nid\tfire\n");
        assert_eq!(pairs(with.next_chunk().unwrap()), ["q1=water", "id=fire"]);
        let (_folder, mut without) = texts(b"\xef\xbb\xbfwater\n\nfire\n");
        assert_eq!(pairs(without.next_chunk().unwrap()), ["1=water", "3=fire"]);
    }

    #[test]
    fn what_is_packed_resumes_in_its_text() {
        let lines = |count: u32| (0..count).map(|n| format!("id{n}\ttext {n}\n"));
        let text = |count| ["\u{feff}", &lines(count).collect::<String>()].concat();
        let (many, fewer) = (text(60_000), text(50_000));
        let pack = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
        let (folder, mut first) = texts(&pack(&many));
        let chunk = first.next_chunk().unwrap();
        assert_eq!(chunk[0].0, "id0");
        let next = format!("id{}", chunk.len());
        let mut again = Texts::open(&folder.path().join("texts.tsv")).unwrap();
        again.skip_to(&first.cursor).unwrap();
        assert_eq!(again.next_chunk().unwrap()[0].0, next);
        // The same text in another packing is the same text.
        let (_folder, mut plain) = texts(many.as_bytes());
        plain.skip_to(&first.cursor).unwrap();
        assert_eq!(plain.next_chunk().unwrap()[0].0, next);
        let packed = pack(&fewer);
        let (_folder, mut cut) = texts(&packed[..packed.len() / 2]);
        let read = loop {
            match cut.next_chunk() {
                Ok(chunk) if !chunk.is_empty() => {}
                end => break end,
            }
        };
        let error = format!("{:#}", read.unwrap_err());
        assert!(
            error.contains("texts.tsv: its Zstandard data are damaged"),
            "{error}"
        );
    }

    #[test]
    fn bad_lines_are_named() {
        for (content, expected) in [
            (
                &b"a\tb\nc\td\te\n"[..],
                "line 2 has 3 columns, expected 2 (id, text)",
            ),
            (
                b"a\tb\tc\n",
                "line 1 has 3 columns, expected 1 (text) or 2 (id, text)",
            ),
            (b"a\nb\tc\n", "line 2 has 2 columns, expected 1 (text)"),
            (b"a\n\xff\n", "line 2: not UTF-8"),
        ] {
            let (_folder, mut texts) = texts(content);
            let error = format!("{:#}", texts.next_chunk().unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_changed_file_is_noticed() {
        let (folder, mut first) = texts(b"one\ntwo\n");
        first.next_chunk().unwrap();
        let cursor = first.cursor.clone();
        let path = folder.path().join("texts.tsv");
        std::fs::write(&path, b"one\ntwo\nthree\n").unwrap();
        let mut longer = Texts::open(&path).unwrap();
        longer.skip_to(&cursor).unwrap();
        assert_eq!(longer.next_chunk().unwrap(), [("3".into(), "three".into())]);
        std::fs::write(&path, b"one\ntoo\nthree\n").unwrap();
        let error = Texts::open(&path).unwrap().skip_to(&cursor).unwrap_err();
        assert!(
            error.to_string().contains("first 8 bytes differ"),
            "{error}"
        );
    }
}
