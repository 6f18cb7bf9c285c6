//! Text files aligned by line number: line N of each is the same sentence (NTREX, FLORES, OPUS
//! in Moses layout). An empty line is a missing translation.

use std::path::{Path, PathBuf};

use optical_files::text::Lines;
use serde::{Deserialize, Serialize};

use crate::bitext::records::DataRoots;
use crate::error::{CorpusError, LineProblem};
use crate::formats::files::files_of;
use crate::intake::Intake;

/// Aligned text files, as named in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParallelLines {
    /// The folder that both files are below; without it, they are named like files of other layouts.
    #[serde(default, skip_serializing_if = "is_absent")]
    pub folder: PathBuf,
    /// The English file, with `{language}` where each language has one of its own.
    pub english: String,
    /// The other file, with `{language}` where files of several languages differ, if it is not in the
    /// folder's name.
    pub foreign: String,
    /// The languages to read, by their ISO 639-3 codes.
    pub languages: Vec<String>,
}

impl ParallelLines {
    pub(crate) fn read(&self, roots: &DataRoots, into: &mut Intake<'_>) -> Result<(), CorpusError> {
        for language in languages_of(&self.folder, &self.foreign, &self.languages)? {
            let path = |file: &str| path_of(roots, &self.folder, file, &language);
            let (english_path, foreign_path) = (path(&self.english), path(&self.foreign));
            let mut english = Lines::open(&english_path)?;
            let mut foreign = Lines::open(&foreign_path)?;
            let mut file = into.file(&foreign_path, &language)?;
            loop {
                match (english.next()?, foreign.next()?) {
                    (Some(Ok(english)), Some(Ok(foreign))) => file.pair(english, foreign)?,
                    (Some(Err(problem)), Some(_)) => {
                        file.bad(LineProblem::English(Box::new(problem.into())));
                    }
                    (Some(Ok(_)), Some(Err(problem))) => file.bad(problem.into()),
                    (None, None) => break,
                    _ => {
                        // After the last line of one, the lines of the other are counted.
                        while english.next()?.is_some() {}
                        while foreign.next()?.is_some() {}
                        return Err(CorpusError::LineCounts {
                            english: english_path,
                            english_lines: english.number(),
                            foreign: foreign_path,
                            foreign_lines: foreign.number(),
                        });
                    }
                }
            }
            file.end()?;
        }
        Ok(())
    }
}

pub(super) fn is_absent(folder: &Path) -> bool {
    folder.as_os_str().is_empty()
}

/// Returns the languages, if each has a file of its own in a folder.
pub(super) fn languages_of<'a>(
    folder: &Path,
    file: &str,
    languages: &'a [String],
) -> Result<impl Iterator<Item = String> + use<'a>, CorpusError> {
    let pattern = folder.join(file);
    files_of(&pattern.to_string_lossy(), languages)?;
    Ok(languages.iter().cloned())
}

/// Returns a file of a language in a folder, either of which may have the language in its name.
pub(super) fn path_of(roots: &DataRoots, folder: &Path, file: &str, language: &str) -> PathBuf {
    let folder = folder.to_string_lossy().replace("{language}", language);
    let file = file.replace("{language}", language);
    roots.resolve(&Path::new(&folder).join(file))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::bitext::BitextSource;
    use crate::error::CorpusError;
    use crate::report::{BitextCounts, DropReason};
    use crate::testing::{folder, pairs_of, read};

    fn source(languages: &str) -> String {
        format!(
            "format = 'parallel-lines'\nfolder = 'news'\nenglish = 'eng.txt'\n\
             foreign = '{{language}}.txt'\nlanguages = {languages}"
        )
    }

    #[test]
    fn lines_pair_up_and_every_one_is_accounted_for() {
        let (_folder, roots) = folder(&[
            ("news/eng.txt", "One.\nTwo.\nThree.\nOne.\n"),
            ("news/swa.txt", "Moja.\n\n Tatu .\nMoja.\n"),
            ("news/hau.txt", "Ɗaya.\nBiyu.\nUku.\nƊaya ne.\n"),
        ]);
        let (bitext, report) = read(&[source("['swa', 'hau']")], &roots, "").unwrap();
        let swahili = ["One. = Moja.", "Three. = Tatu ."];
        let hausa = [
            "One. = Ɗaya.",
            "Two. = Biyu.",
            "Three. = Uku.",
            "One. = Ɗaya ne.",
        ];
        assert_eq!(pairs_of(bitext), [&swahili[..], &hausa[..]].concat());
        let mut counts = report.languages["swa"].clone();
        assert!(counts.median_length.take().is_some());
        counts.examples.clear();
        let expected = BitextCounts {
            read: 4,
            kept: 2,
            dropped: [(DropReason::Empty, 1), (DropReason::Duplicate, 1)].into(),
            ..BitextCounts::default()
        };
        assert_eq!(counts, expected);
    }

    #[test]
    fn unequal_lengths_are_refused_with_both_counts() {
        let (_folder, roots) = folder(&[
            ("news/eng.txt", "One.\nTwo.\nThree.\n"),
            ("news/swa.txt", "Moja.\n"),
        ]);
        let message = read(&[source("['swa']")], &roots, "")
            .unwrap_err()
            .to_string();
        assert!(message.contains("swa.txt has 1 lines, but "), "{message}");
        assert!(message.contains("eng.txt has 3;"), "{message}");
    }

    #[test]
    fn a_bad_line_says_which_side_it_is_on() {
        let (folder, roots) = folder(&[("news/eng.txt", ""), ("news/swa.txt", "Moja.\nMbili.\n")]);
        let news = folder.path().join("news");
        std::fs::write(news.join("eng.txt"), b"One.\n\xff\n").unwrap();
        let message = read(&[source("['swa']")], &roots, "")
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("swa.txt:2: the English line is not UTF-8: byte 0xff"),
            "{message}"
        );
        std::fs::write(news.join("eng.txt"), "One.\nTwo.\n").unwrap();
        std::fs::write(news.join("swa.txt"), b"Moja.\n\xff\n").unwrap();
        let message = read(&[source("['swa']")], &roots, "")
            .unwrap_err()
            .to_string();
        assert!(message.contains("swa.txt:2: is not UTF-8"), "{message}");
    }

    /// Reads files as OPUS has them: one folder per language pair, with an English file of its own.
    #[test]
    fn each_side_may_lie_in_its_own_folder() {
        let files = [
            ("en-swa/news.en", "One.\n"),
            ("en-swa/news.swa", "Moja.\n"),
            ("en-hau/news.en", "Two.\n"),
            ("en-hau/news.hau", "Biyu.\n"),
            ("english/all.txt", "Three.\n"),
            ("swahili/all.txt", "Tatu.\n"),
        ];
        let (folder, roots) = folder(&files);
        let languages = "languages = ['swa', 'hau']\nformat = 'parallel-lines'\n";
        let opus = "english = 'en-{language}/news.en'\nforeign = 'en-{language}/news.{language}'";
        let by_folder =
            "folder = 'en-{language}'\nenglish = 'news.en'\nforeign = 'news.{language}'";
        for keys in [opus, by_folder] {
            let (bitext, _) = read(&[format!("{languages}{keys}")], &roots, "").unwrap();
            assert_eq!(pairs_of(bitext), ["One. = Moja.", "Two. = Biyu."]);
        }
        let absolute = folder.path().join("english/all.txt");
        for english in ["../english/all.txt", absolute.to_str().unwrap()] {
            let keys = format!(
                "format = 'parallel-lines'\nfolder = 'swahili'\nenglish = '{english}'\n\
                 foreign = 'all.txt'\nlanguages = ['swa']"
            );
            let (bitext, _) = read(&[keys], &roots, "").unwrap();
            assert_eq!(pairs_of(bitext), ["Three. = Tatu."]);
        }
        let without: BitextSource = toml::from_str(&format!("{languages}{opus}")).unwrap();
        assert!(!toml::to_string(&without).unwrap().contains("folder"));
    }

    #[test]
    fn one_name_cannot_stand_for_two_languages() {
        let (_folder, roots) = folder(&[("news/eng.txt", "One.\n"), ("news/x.txt", "Moja.\n")]);
        let source = source("['swa', 'hau']").replace("{language}", "x");
        let error = read(&[source], &roots, "").unwrap_err();
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
