//! Text files aligned by line number: line N of each is the same sentence (NTREX, FLORES, OPUS
//! in Moses layout). An empty line is a missing translation.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::lines::{collapse, read_lines};
use crate::bitext::{BitextReport, DataRoots, SentencePair, files_of};
use crate::error::CorpusError;

/// Aligned text files, as named in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParallelLines {
    /// The folder of all files.
    pub folder: PathBuf,
    /// The name of the English file.
    pub english: String,
    /// The name of the other file, with `{language}` where files of several languages differ.
    pub foreign: String,
    /// The languages to read, by their ISO 639-3 codes.
    pub languages: Vec<String>,
}

impl ParallelLines {
    pub(crate) fn read(
        &self,
        roots: &DataRoots,
        report: &mut BitextReport,
    ) -> Result<Vec<SentencePair>, CorpusError> {
        let folder = roots.resolve(&self.folder);
        let english_path = folder.join(&self.english);
        let english = read_lines(&english_path)?;
        let mut pairs = Vec::new();
        for (language, file) in files_of(&self.foreign, &self.languages)? {
            let foreign_path = folder.join(file);
            let foreign = read_lines(&foreign_path)?;
            if foreign.len() != english.len() {
                return Err(CorpusError::LineCounts {
                    english: english_path,
                    english_lines: english.len(),
                    foreign: foreign_path,
                    foreign_lines: foreign.len(),
                });
            }
            for (english, foreign) in english.iter().zip(&foreign) {
                keep_full_pair(english, foreign, &language, &mut pairs, report);
            }
        }
        Ok(pairs)
    }
}

/// Adds a pair unless a side of it is empty, and counts it.
pub(crate) fn keep_full_pair(
    english: &str,
    foreign: &str,
    language: &str,
    pairs: &mut Vec<SentencePair>,
    report: &mut BitextReport,
) {
    let (english, foreign) = (collapse(english), collapse(foreign));
    let counts = report.of(language);
    counts.read += 1;
    if english.is_empty() || foreign.is_empty() {
        counts.empty += 1;
    } else {
        counts.kept += 1;
        pairs.push(SentencePair {
            english,
            foreign,
            language: language.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::bitext::{BitextCounts, BitextSource};

    fn source(folder: &tempfile::TempDir, languages: &str) -> (BitextSource, DataRoots) {
        let text = format!(
            "format = 'parallel-lines'\nfolder = 'news'\nenglish = 'eng.txt'\n\
             foreign = '{{language}}.txt'\nlanguages = {languages}"
        );
        let roots = DataRoots {
            base: folder.path().into(),
            cache: folder.path().into(),
        };
        (toml::from_str(&text).unwrap(), roots)
    }

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("news")).unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join("news").join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn lines_pair_up_and_every_one_is_accounted_for() {
        let folder = folder(&[
            ("eng.txt", "One.\nTwo.\nThree.\nOne.\n"),
            ("swa.txt", "Moja.\n\n Tatu .\nMoja.\n"),
            ("hau.txt", "Ɗaya.\nBiyu.\nUku.\nƊaya ne.\n"),
        ]);
        let (source, roots) = source(&folder, "['swa', 'hau']");
        let (pairs, report) = source.load(&roots).unwrap();
        let texts: Vec<_> = pairs
            .iter()
            .map(|pair| (&*pair.english, &*pair.foreign))
            .collect();
        let swahili = [("One.", "Moja."), ("Three.", "Tatu .")];
        let hausa = [
            ("One.", "Ɗaya."),
            ("Two.", "Biyu."),
            ("Three.", "Uku."),
            ("One.", "Ɗaya ne."),
        ];
        assert_eq!(texts, [&swahili[..], &hausa[..]].concat());
        let counts = BitextCounts {
            read: 4,
            kept: 2,
            empty: 1,
            duplicates: 1,
            ..BitextCounts::default()
        };
        assert_eq!(report.languages["swa"], counts);
    }

    #[test]
    fn unequal_lengths_are_refused_with_both_counts() {
        let folder = folder(&[("eng.txt", "One.\nTwo.\n"), ("swa.txt", "Moja.\n")]);
        let (source, roots) = source(&folder, "['swa']");
        let message = source.load(&roots).unwrap_err().to_string();
        assert!(message.contains("swa.txt has 1 lines, but "), "{message}");
        assert!(message.contains("eng.txt has 2;"), "{message}");
    }

    #[test]
    fn one_name_cannot_stand_for_two_languages() {
        let folder = folder(&[("eng.txt", "One.\n"), ("x.txt", "Moja.\n")]);
        let (source, roots) = source(&folder, "['swa', 'hau']");
        let BitextSource::ParallelLines(mut source) = source else {
            unreachable!()
        };
        source.foreign = "x.txt".to_owned();
        let error = BitextSource::ParallelLines(source)
            .load(&roots)
            .unwrap_err();
        assert!(matches!(error, CorpusError::NotAPattern(_)), "{error}");
    }

    #[test]
    fn unknown_keys_are_refused() {
        let text = "format = 'parallel-lines'\nfolder = 'a'\nenglish = 'e'\nforeign = 'f'\n\
                    languages = ['swa']\ncolour = 1";
        let error = toml::from_str::<BitextSource>(text)
            .unwrap_err()
            .to_string();
        assert!(error.contains("colour"), "{error}");
    }
}
