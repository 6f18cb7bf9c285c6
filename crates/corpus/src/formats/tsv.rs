//! Files of two columns: English, tab, translation. An empty column is a missing sentence; a blank
//! line says nothing, nor does a first line that names the columns.

use optical_files::text::Lines;
use serde::{Deserialize, Serialize};

use super::lines::columns;
use crate::bitext::records::DataRoots;
use crate::error::{CorpusError, LineProblem};
use crate::formats::files::files_of;
use crate::intake::Intake;

/// Files of sentence pairs, as named in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tsv {
    /// The file, with `{language}` where files of several languages differ.
    pub file: String,
    /// The languages to read, by their ISO 639-3 codes.
    pub languages: Vec<String>,
}

impl Tsv {
    pub(crate) fn read(&self, roots: &DataRoots, into: &mut Intake<'_>) -> Result<(), CorpusError> {
        for (language, file) in files_of(&self.file, &self.languages)? {
            let path = roots.named(&file);
            let mut lines = Lines::open(&path)?;
            let mut file = into.file(&path, &language)?;
            let mut is_first = true;
            while let Some(line) = lines.next()? {
                if line.as_ref().is_ok_and(|line| line.trim().is_empty()) {
                    file.skip();
                    continue;
                }
                let is_first = std::mem::take(&mut is_first);
                match line.map_err(LineProblem::from).and_then(columns) {
                    Ok(sides) if is_first && is_header(sides, &language) => file.skip(),
                    Ok([english, foreign]) => file.pair(english, foreign)?,
                    Err(problem) => file.bad(problem),
                }
            }
            file.end()?;
        }
        Ok(())
    }
}

/// Whether a line names its columns, as `en` and the language's code, or `source` and `target`.
fn is_header([english, foreign]: [&str; 2], language: &str) -> bool {
    const ENGLISH: [&str; 5] = ["en", "eng", "english", "source", "src"];
    const FOREIGN: [&str; 4] = ["target", "tgt", "foreign", "translation"];
    let [english, foreign] = [english, foreign].map(|name| name.trim().to_lowercase());
    ENGLISH.contains(&&*english) && (foreign == language || FOREIGN.contains(&&*foreign))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::report::DropReason;
    use crate::testing::{folder, pairs_of, read};

    fn source(file: &str) -> String {
        format!("format = 'tsv'\nfile = '{file}'\nlanguages = ['swa']")
    }

    #[test]
    fn pairs_of_several_sources_are_kept_once() {
        let (_folder, roots) = folder(&[
            ("swa.a.tsv", "One.\tMoja.\nTwo.\tMbili.\n"),
            ("swa.b.tsv", "Two.\tMbili.\nX\t\n"),
        ]);
        let sources = [source("{language}.a.tsv"), source("{language}.b.tsv")];
        let (bitext, report) = read(&sources, &roots, "").unwrap();
        assert_eq!(pairs_of(bitext), ["One. = Moja.", "Two. = Mbili."]);
        let counts = &report.languages["swa"];
        let dropped = [DropReason::Empty, DropReason::Duplicate].map(|reason| counts.of(reason));
        assert_eq!((counts.read, counts.kept, dropped), (4, 2, [1, 1]));
    }

    #[test]
    fn marks_headers_and_blank_lines_are_no_pairs() {
        let text = "\u{feff}English\tswa\r\n\r\nOne.\tMoja.\r\nen\tswa\r\n \r\n";
        let (_folder, roots) = folder(&[("a.tsv", text)]);
        let (bitext, report) = read(&[source("a.tsv")], &roots, "").unwrap();
        assert_eq!(pairs_of(bitext), ["One. = Moja.", "en = swa"]);
        assert_eq!(report.languages["swa"].bad_lines, 0);
    }

    #[test]
    fn bytes_that_are_no_utf8_cost_their_line() {
        let (folder, roots) = folder::<&str>(&[]);
        let path = folder.path().join("a.tsv");
        std::fs::write(&path, b"One.\tMoja.\nCaf\xe9.\tMkahawa.\n").unwrap();
        let message = read(&[source("a.tsv")], &roots, "")
            .unwrap_err()
            .to_string();
        let expected = "a.tsv:2: is not UTF-8: byte 0xe9 after 3 good ones";
        assert!(message.contains(expected), "{message}");
        let (_, report) = read(&[source("a.tsv")], &roots, "maximum_bad_share = 0.5").unwrap();
        assert_eq!(report.languages["swa"].bad_lines, 1);
        std::fs::write(&path, "").unwrap();
        let message = read(&[source("a.tsv")], &roots, "")
            .unwrap_err()
            .to_string();
        assert!(message.ends_with("a.tsv is empty"), "{message}");
    }

    #[test]
    fn wrong_columns_name_file_and_line() {
        let (_folder, roots) = folder(&[("a.tsv", "One.\tMoja.\nTwo. Mbili.\n")]);
        let message = read(&[source("a.tsv")], &roots, "")
            .unwrap_err()
            .to_string();
        assert!(
            message.ends_with("a.tsv:2: 1 columns, expected 2"),
            "{message}"
        );
    }
}
