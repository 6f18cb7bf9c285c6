//! What the words of a language mean in English, and how probably.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use optical_files::text::{Lines, TextError};
use optical_files::whole;

use super::TranslationError;
use crate::words::{composed, word};

/// An English word that a foreign word may mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Translation {
    /// The English word.
    pub word: String,
    /// Its probability, given the foreign word.
    pub probability: f64,
}

/// Translations of foreign words: for each, English words and their probabilities, which sum to one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TranslationTable(BTreeMap<String, Vec<Translation>>);

/// Which translations of a word are kept: those that pass all three.
///
/// The cuts of HLTCOE's implementations of probabilistic structured queries (`fast_psq`: Yang et al.
/// 2024), in the order of their Patapsco; but the translation that takes the sum to the cumulative
/// cut is kept, so that a word never loses its only one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pruning {
    /// The least probability.
    pub minimum_probability: f64,
    /// Best first, no more once their sum has reached this share of all.
    pub cumulative_probability: f64,
    /// The most translations.
    pub translations: usize,
}

impl Pruning {
    /// Returns the translations kept, best first, with probabilities that sum to one.
    ///
    /// `translations` come best first.
    #[must_use]
    pub fn keep<'a>(&self, translations: &'a [Translation]) -> Vec<(&'a str, f64)> {
        let likely: Vec<&Translation> = translations
            .iter()
            .take_while(|translation| self.minimum_probability <= translation.probability)
            .collect();
        let all: f64 = likely
            .iter()
            .map(|translation| translation.probability)
            .sum();
        let (mut kept, mut sum) = (Vec::new(), 0.0);
        for translation in likely.into_iter().take(self.translations) {
            if self.cumulative_probability * all <= sum {
                break;
            }
            sum += translation.probability;
            kept.push((translation.word.as_str(), translation.probability));
        }
        for (_, probability) in &mut kept {
            *probability /= sum;
        }
        kept
    }
}

impl TranslationTable {
    /// Creates a table of foreign words with English words and weights, which are normalised to sum to
    /// one for each foreign word; equal weights stay in the order given.
    ///
    /// Weights that are not above zero are left out, and so are words without any other.
    #[must_use]
    pub fn new(words: impl IntoIterator<Item = (String, Vec<(String, f64)>)>) -> Self {
        let words = words.into_iter().filter_map(|(foreign, mut english)| {
            english.retain(|(_, weight)| 0.0 < *weight);
            english.sort_by(|(_, left), (_, right)| right.total_cmp(left));
            let sum: f64 = english.iter().map(|(_, weight)| weight).sum();
            let translations = english.into_iter().map(|(word, weight)| Translation {
                word,
                probability: weight / sum,
            });
            let translations: Vec<_> = translations.filter(|it| 0.0 < it.probability).collect();
            (!translations.is_empty()).then_some((foreign, translations))
        });
        Self(words.collect())
    }

    /// Returns the translations of a word as [`words`](crate::words) gives it, best first; none if it
    /// is unknown.
    #[must_use]
    pub fn translations(&self, foreign: &str) -> &[Translation] {
        self.0.get(foreign).map_or(&[], Vec::as_slice)
    }

    /// Returns all foreign words with their translations, in the order of their bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Translation])> {
        self.0
            .iter()
            .map(|(word, found)| (word.as_str(), found.as_slice()))
    }

    /// Returns the number of foreign words.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no word is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes lines of foreign word, tab, English word, tab, probability; best first for each word.
    ///
    /// # Errors
    /// If the file cannot be written; then nothing is.
    pub fn write(&self, path: &Path) -> Result<(), TranslationError> {
        let written = whole::write_with(path, |writer| {
            for (foreign, translations) in self.iter() {
                for Translation { word, probability } in translations {
                    writeln!(writer, "{foreign}\t{word}\t{probability}")?;
                }
            }
            Ok(())
        });
        written.map_err(|source| TranslationError::Write {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads what [`write`](Self::write) wrote, or a table from elsewhere in the same layout.
    ///
    /// Lines of one word need not be together. Words from elsewhere become what
    /// [`words`](crate::words) makes of them: the words of an English phrase share its probability, a
    /// foreign phrase is passed over, since queries are translated word by word, and what becomes the
    /// same word counts together. Probabilities are normalised for each foreign word where they do not
    /// sum to one up to rounding, so a written table is read as it was.
    ///
    /// # Errors
    /// If the file cannot be read, or a line is not two words and a probability.
    pub fn read(path: &Path) -> Result<Self, TranslationError> {
        let mut lines = match Lines::open(path) {
            // A table without a word is written as an empty file.
            Err(TextError::Empty { .. }) => return Ok(Self::default()),
            lines => lines?,
        };
        let mut words: BTreeMap<String, Vec<Translation>> = BTreeMap::new();
        while let Some((number, line)) = lines.next_good()? {
            if line.trim().is_empty() {
                continue;
            }
            let fault = || TranslationError::Line {
                path: path.to_owned(),
                line: number,
                found: line.to_owned(),
                expected: "a word, a tab, an English word, a tab, and a probability within 0 and 1",
            };
            let columns: Vec<&str> = line.split('\t').collect();
            let [foreign, english, probability] = columns[..] else {
                return Err(fault());
            };
            let probability: f64 = probability.parse().map_err(|_| fault())?;
            if foreign.is_empty() || english.is_empty() || !(0.0..=1.0).contains(&probability) {
                return Err(fault());
            }
            let ([foreign], english) = (&normal(foreign)[..], normal(english)) else {
                continue;
            };
            let probability = probability / english.len() as f64;
            let translations = words.entry(foreign.clone()).or_default();
            translations
                .extend((english.into_iter()).map(|word| Translation { word, probability }));
        }
        for translations in words.values_mut() {
            merge(translations);
            translations.retain(|translation| 0.0 < translation.probability);
            translations.sort_by(|left, right| right.probability.total_cmp(&left.probability));
            let sum: f64 = translations.iter().map(|it| it.probability).sum();
            if 1e-9 < (sum - 1.0).abs() {
                for translation in translations {
                    translation.probability /= sum;
                }
            }
        }
        words.retain(|_, translations| !translations.is_empty());
        Ok(Self(words))
    }
}

/// Adds what a word has several times to where it is first.
fn merge(translations: &mut Vec<Translation>) {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut merged: Vec<Translation> = Vec::with_capacity(translations.len());
    for translation in translations.drain(..) {
        let place = places.entry(translation.word.clone());
        let place = *place.or_insert(merged.len());
        match merged.get_mut(place) {
            Some(known) => known.probability += translation.probability,
            None => merged.push(translation),
        }
    }
    *translations = merged;
}

/// Returns the words of a text; one that is a word as it stands stays, even where a dictionary would
/// divide it once it stands alone.
fn normal(text: &str) -> Vec<String> {
    let mut normal = Vec::new();
    for text in text.split_whitespace() {
        match word(&composed(text)) {
            Some(word) if word == text => normal.push(word),
            _ => normal.extend(crate::words(text)),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    impl TranslationTable {
        /// Creates a table of words and weights.
        pub(crate) fn of(words: &[(&str, &[(&str, f64)])]) -> Self {
            Self::new(words.iter().map(|(foreign, english)| {
                let english = english
                    .iter()
                    .map(|(word, weight)| ((*word).into(), *weight));
                ((*foreign).into(), english.collect())
            }))
        }
    }

    fn table() -> TranslationTable {
        TranslationTable::of(&[
            ("safina", &[("boat", 1.0), ("ark", 6.0), ("ship", 3.0)]),
            ("jua", &[("sun", 2.0), ("know", 2.0), ("never", 0.0)]),
            ("hapana", &[]),
        ])
    }

    #[test]
    fn weights_become_probabilities_best_first() {
        let table = table();
        let words = |word| -> Vec<_> {
            let found = table.translations(word).iter();
            found.map(|it| (it.word.as_str(), it.probability)).collect()
        };
        assert_eq!(
            words("safina"),
            [("ark", 0.6), ("ship", 0.3), ("boat", 0.1)]
        );
        assert_eq!(words("jua"), [("sun", 0.5), ("know", 0.5)]);
        assert_eq!((table.len(), words("hapana").len()), (2, 0));
    }

    #[test]
    fn what_is_pruned_leaves_a_distribution() {
        let table = table();
        let keep = |minimum_probability, cumulative_probability, translations| {
            let prune = Pruning {
                minimum_probability,
                cumulative_probability,
                translations,
            };
            let kept = prune.keep(table.translations("safina"));
            kept.into_iter()
                .map(|(word, p)| (word, (p * 1e9).round() / 1e9))
                .collect::<Vec<_>>()
        };
        let two = [("ark", 0.666_666_667), ("ship", 0.333_333_333)];
        assert_eq!(keep(0.0, 1.0, 9).len(), 3);
        assert_eq!(keep(0.2, 1.0, 9), two);
        assert_eq!(keep(0.0, 0.65, 9), two);
        // One word reaches the cut alone, and stays.
        assert_eq!(keep(0.0, 0.6, 9), [("ark", 1.0)]);
        assert_eq!(keep(0.0, 1.0, 1), [("ark", 1.0)]);
        assert!(keep(0.7, 1.0, 9).is_empty());
    }

    /// "e" and a combining acute, capitals, another apostrophe, a soft hyphen, phrases, and punctuation.
    #[test]
    fn words_of_other_tables_become_ours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("swa.tsv");
        let text = "Cafe\u{301}\tCOFFEE\t0.4\ncafé\tcoffee house\t0.4\nng’ombe\tco\u{ad}w,\t1\n\
                    jua kali\tsun\t1\n...\tdot\t1\njua\t!\t1\n日本語\tjapanese\t1\n";
        std::fs::write(&path, text).unwrap();
        let table = TranslationTable::read(&path).unwrap();
        let found: Vec<_> = table
            .iter()
            .flat_map(|(foreign, found)| {
                let show = move |it: &Translation| {
                    let probability = (it.probability * 1e9).round() / 1e9;
                    format!("{foreign} {} {probability}", it.word)
                };
                found.iter().map(show)
            })
            .collect();
        // .4 and half of .4, of .8.
        let expected = [
            "café coffee 0.75",
            "café house 0.25",
            "ng'ombe cow 1",
            "日本語 japanese 1",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn lines_that_are_no_translations_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("swa.tsv");
        for bad in [
            "safina\tark",
            "safina\tark\tmuch",
            "safina\tark\t1.5",
            "\tark\t1",
            "a b\tc\tNaN",
        ] {
            std::fs::write(&path, format!("jua\tsun\t1\n{bad}\n")).unwrap();
            let message = TranslationTable::read(&path).unwrap_err().to_string();
            assert!(
                message.contains("swa.tsv:2: ") && message.contains("expected"),
                "{message}"
            );
        }
        let missing = TranslationTable::read(&folder.path().join("none.tsv")).unwrap_err();
        assert!(
            missing.to_string().ends_with("none.tsv cannot be read"),
            "{missing}"
        );
        std::fs::write(&path, "\u{feff}jua\tsun\t0.3\r\n\njua\tknow\t0.1\n").unwrap();
        let read = TranslationTable::read(&path).unwrap();
        assert!((read.translations("jua")[0].probability - 0.75).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_table_or_an_error(
            pieces in prop::collection::vec(prop::sample::select(vec![
                &b"jua\tsun\t0.5\n"[..], b"\xef\xbb\xbf", b"\t", b"\n", b"\r\n", b"-0", b"1e-999", b"nan", b"a", b"\xff", b"\x1f\x8b",
            ]), 0..9)
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x.index");
            std::fs::write(&path, pieces.concat()).unwrap();
            std::fs::write(folder.path().join("x.dict"), b"jua\n sun\n").unwrap();
            if let Err(error) = TranslationTable::read(&path) {
                prop_assert!(error.to_string().contains("x.index"), "{error}");
            }
            let _ = crate::translation::dictionary::read(&folder.path().join("x"));
        }

        #[test]
        fn a_table_is_read_as_it_was_written(
            words in prop::collection::btree_map("[a-zé]{1,4}", prop::collection::btree_map("[a-z]{1,4}", 0.0..1.0, 0..9), 0..9)
        ) {
            let table = TranslationTable::new(words.into_iter().map(|(word, english)| (word, english.into_iter().collect())));
            for (_, translations) in table.iter() {
                prop_assert!((translations.iter().map(|it| it.probability).sum::<f64>() - 1.0).abs() < 1e-12);
            }
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("table.tsv");
            table.write(&path).unwrap();
            prop_assert_eq!(TranslationTable::read(&path).unwrap(), table);
        }
    }
}
