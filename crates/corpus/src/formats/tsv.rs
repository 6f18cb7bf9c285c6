//! Files of two columns: English, tab, translation. An empty column is a missing sentence.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::lines::{Lines, columns};
use crate::bitext::{DataRoots, files_of};
use crate::error::CorpusError;
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
    pub(crate) fn read(
        &self,
        roots: &DataRoots,
        intake: &mut Intake<'_>,
    ) -> Result<(), CorpusError> {
        for (language, file) in files_of(&self.file, &self.languages)? {
            let path = roots.resolve(&PathBuf::from(file));
            let mut lines = Lines::open(&path)?;
            let mut file = intake.file(&path, &language)?;
            while let Some(line) = lines.next()? {
                match line.and_then(columns) {
                    Ok([english, foreign]) => file.pair(english, foreign)?,
                    Err(problem) => file.bad(problem),
                }
            }
            file.end()?;
        }
        Ok(())
    }
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
