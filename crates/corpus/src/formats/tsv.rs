//! Files of two columns: English, tab, translation. An empty column is a missing sentence.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::lines::{columns, read_lines};
use super::parallel_lines::keep_full_pair;
use crate::bitext::{BitextReport, DataRoots, SentencePair, files_of};
use crate::error::CorpusError;

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
        report: &mut BitextReport,
    ) -> Result<Vec<SentencePair>, CorpusError> {
        let mut pairs = Vec::new();
        for (language, file) in files_of(&self.file, &self.languages)? {
            let path = roots.resolve(&PathBuf::from(file));
            for (index, line) in read_lines(&path)?.iter().enumerate() {
                let [english, foreign] = columns(line)
                    .map_err(|problem| CorpusError::line(&path, index + 1, problem))?;
                keep_full_pair(english, foreign, &language, &mut pairs, report);
            }
        }
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::bitext::{BitextSource, load_all};

    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, DataRoots) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let roots = DataRoots {
            base: folder.path().into(),
            cache: folder.path().into(),
        };
        (folder, roots)
    }

    fn source(file: &str) -> BitextSource {
        toml::from_str(&format!(
            "format = 'tsv'\nfile = '{file}'\nlanguages = ['swa']"
        ))
        .unwrap()
    }

    #[test]
    fn pairs_of_several_sources_are_kept_once() {
        let (_folder, roots) = folder(&[
            ("swa.a.tsv", "One.\tMoja.\nTwo.\tMbili.\n"),
            ("swa.b.tsv", "Two.\tMbili.\nX\t\n"),
        ]);
        let sources = [source("{language}.a.tsv"), source("{language}.b.tsv")];
        let (pairs, report) = load_all(&sources, &roots).unwrap();
        assert_eq!(pairs.len(), 2);
        let counts = &report.languages["swa"];
        assert_eq!(
            (counts.read, counts.kept, counts.empty, counts.duplicates),
            (4, 2, 1, 1)
        );
    }

    #[test]
    fn wrong_columns_name_file_and_line() {
        let (_folder, roots) = folder(&[("a.tsv", "One.\tMoja.\nTwo. Mbili.\n")]);
        let message = source("a.tsv").load(&roots).unwrap_err().to_string();
        assert!(
            message.ends_with("a.tsv:2: 1 columns, expected 2"),
            "{message}"
        );
    }
}
