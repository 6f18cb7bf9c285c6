//! Text files aligned by line number: line N of each is the same sentence (NTREX, FLORES, OPUS
//! in Moses layout). An empty line is a missing translation.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::lines::Lines;
use crate::bitext::{DataRoots, files_of};
use crate::error::{CorpusError, LineProblem};
use crate::intake::Intake;

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
        intake: &mut Intake<'_>,
    ) -> Result<(), CorpusError> {
        let folder = roots.resolve(&self.folder);
        let english_path = folder.join(&self.english);
        for (language, file) in files_of(&self.foreign, &self.languages)? {
            let foreign_path = folder.join(file);
            let mut english = Lines::open(&english_path)?;
            let mut foreign = Lines::open(&foreign_path)?;
            let mut file = intake.file(&foreign_path, &language)?;
            loop {
                match (english.next()?, foreign.next()?) {
                    (Some(Ok(english)), Some(Ok(foreign))) => file.pair(english, foreign)?,
                    (Some(Err(problem)), Some(_)) => file.bad(LineProblem::English(problem.into())),
                    (Some(Ok(_)), Some(Err(problem))) => file.bad(problem),
                    (None, None) => break,
                    _ => {
                        // Behind the last line of one, the lines of the other are counted.
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
            message.ends_with("swa.txt:2: the English line is not UTF-8"),
            "{message}"
        );
        std::fs::write(news.join("eng.txt"), "One.\nTwo.\n").unwrap();
        std::fs::write(news.join("swa.txt"), b"Moja.\n\xff\n").unwrap();
        let message = read(&[source("['swa']")], &roots, "")
            .unwrap_err()
            .to_string();
        assert!(message.ends_with("swa.txt:2: is not UTF-8"), "{message}");
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
