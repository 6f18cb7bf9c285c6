//! Lines of text files in the layouts of this crate, with the file and the line in every error.

use std::ops::ControlFlow;
use std::path::Path;

use optical_files::text::Lines;

use crate::error::{CorpusError, LineProblem};

/// Calls `receive` with the number and the text of each line of a file that is not blank, until it
/// breaks; the first bad line is an error, as is one that it refuses.
pub(crate) fn each_line(
    path: &Path,
    mut receive: impl FnMut(usize, &str) -> Result<ControlFlow<()>, LineProblem>,
) -> Result<(), CorpusError> {
    let mut lines = Lines::open(path)?;
    while let Some((number, line)) = lines.next_good()? {
        if line.trim().is_empty() {
            continue;
        }
        let flow = receive(number, line);
        let flow = flow.map_err(|problem| CorpusError::line(path, number, problem))?;
        if flow.is_break() {
            break;
        }
    }
    Ok(())
}

/// Reads all lines of a file whose line numbers count, blank ones too; the first bad one is an error.
pub(crate) fn read_lines(path: &Path) -> Result<Vec<String>, CorpusError> {
    let (mut lines, mut all) = (Lines::open(path)?, Vec::new());
    while let Some((_, line)) = lines.next_good()? {
        all.push(line.to_owned());
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

/// Tells whether a word is what a first line calls the column of ids.
pub fn names_id(word: &str) -> bool {
    const NAMES: [&str; 13] = [
        "id",
        "-id",
        "qid",
        "pid",
        "docid",
        "doc-id",
        "docno",
        "query-id",
        "queryid",
        "document-id",
        "passage-id",
        "corpus-id",
        "topic-id",
    ];
    NAMES.contains(&&*word.trim().to_ascii_lowercase().replace('_', "-"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn blank_lines_count_and_say_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.txt");
        std::fs::write(&path, b"\xef\xbb\xbfone\r\n\n \t\nfour\n\xff\n").unwrap();
        let mut lines = Vec::new();
        let read = each_line(&path, |number, line| {
            lines.push(format!("{number} {line}"));
            Ok(ControlFlow::Continue(()))
        });
        let message = read.unwrap_err().to_string();
        assert!(message.contains("lines.txt:5: is not UTF-8"), "{message}");
        assert_eq!(lines, ["1 one", "4 four"]);
        let first = each_line(&path, |_, _| Ok(ControlFlow::Break(())));
        assert!(first.is_ok(), "reading did not end after the first line");
        std::fs::write(&path, "one\r\n\n three").unwrap();
        assert_eq!(read_lines(&path).unwrap(), ["one", "", " three"]);
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
