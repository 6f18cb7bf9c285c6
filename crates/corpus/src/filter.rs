//! What a sentence pair has to be like to be trained on.
//!
//! The rules are those that bitext is usually cleaned with (Tiedemann and others' OpusFilter,
//! Bicleaner's hard rules), as far as they need no language identification, which low-resource
//! languages do not have.
//! The scripts of a language are named in the run file and not learned from the data: a file that
//! is mostly in the wrong language would teach its own mistake, and a rule that is written down
//! judges every pair alike, in one pass.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use unicode_script::{Script, UnicodeScript};

use crate::letters::{composed, of_words};
use crate::report::DropReason;

/// The `[bitext_filter]` table of a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterSettings {
    /// Seed of what is drawn: the pairs of a language with too many, and the examples of a report.
    pub seed: u64,
    /// The least number of characters of a side.
    pub minimum_characters: usize,
    /// The largest number of characters of a side.
    pub maximum_characters: usize,
    /// The least share of letters among a side's characters without spaces.
    pub minimum_letter_share: f64,
    /// The least share of a side's letters that are of its language's scripts.
    pub minimum_script_share: f64,
    /// The largest ratio of the longer side's characters to the shorter one's, once the English
    /// side's are multiplied by the language's [`LanguageSettings::length`].
    pub maximum_length_ratio: f64,
    /// Whether a translation that repeats the English sentence is left out.
    pub drop_copies: bool,
    /// The largest number of pairs of a language, drawn by seed from all that are left; zero for
    /// all.
    pub pairs_per_language: usize,
    /// The largest share of bad lines in a file; one with more stops the reading.
    pub maximum_bad_share: f64,
    /// What the languages look like, by ISO 639-3 code.
    pub languages: BTreeMap<String, LanguageSettings>,
}

/// What a language looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageSettings {
    /// The scripts it is written in, by their names in Unicode: `Latin`, `Ethiopic`.
    pub scripts: Vec<String>,
    /// Characters that stand for one of English: about 1 where an alphabet is used, a third in
    /// Chinese.
    pub length: f64,
}

/// A value of `[bitext_filter]` is outside its domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bitext_filter.{key} = {value}, expected {expected}")]
pub struct FilterError {
    /// The key, below `bitext_filter`.
    pub key: String,
    /// What the run file says.
    pub value: String,
    /// What it may say.
    pub expected: &'static str,
}

impl FilterSettings {
    /// Checks every value against its domain.
    ///
    /// # Errors
    /// Names the first key whose value is outside it.
    pub fn check(&self) -> Result<(), FilterError> {
        Filter::new(self).map(|_| ())
    }

    /// Returns every value that is outside its domain.
    #[must_use]
    pub fn faults(&self) -> Vec<FilterError> {
        let mut faults = Vec::new();
        for (key, share) in [
            ("minimum_letter_share", self.minimum_letter_share),
            ("minimum_script_share", self.minimum_script_share),
            ("maximum_bad_share", self.maximum_bad_share),
        ] {
            faults.extend(expect((0.0..=1.0).contains(&share), key, share, "0 to 1").err());
        }
        let (least, most) = (self.minimum_characters, self.maximum_characters);
        let at_least = "at least minimum_characters";
        faults.extend(expect(least <= most, "maximum_characters", most, at_least).err());
        let (key, ratio) = ("maximum_length_ratio", self.maximum_length_ratio);
        faults.extend(expect(1.0 <= ratio, key, ratio, "at least 1").err());
        for (language, of) in &self.languages {
            let key = |name: &str| format!("languages.{language}.{name}");
            let is_length = 0.0 < of.length && of.length.is_finite();
            faults.extend(expect(is_length, &key("length"), of.length, "more than 0").err());
            faults.extend(expect(!of.scripts.is_empty(), &key("scripts"), "[]", "a script").err());
            let known = "Unicode's name of a script, such as Latin, Cyrillic or Ethiopic";
            for name in &of.scripts {
                let is_known = Script::from_full_name(name).is_some();
                faults.extend(expect(is_known, &key("scripts"), name, known).err());
            }
        }
        faults
    }
}

fn expect(
    holds: bool,
    key: &str,
    value: impl ToString,
    expected: &'static str,
) -> Result<(), FilterError> {
    if holds {
        return Ok(());
    }
    Err(FilterError {
        key: key.to_owned(),
        value: value.to_string(),
        expected,
    })
}

/// The rules, ready to judge.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) settings: FilterSettings,
    languages: BTreeMap<String, (Vec<Script>, f64)>,
}

impl Filter {
    pub(crate) fn new(settings: &FilterSettings) -> Result<Self, FilterError> {
        if let Some(fault) = settings.faults().into_iter().next() {
            return Err(fault);
        }
        let languages = settings.languages.iter().map(|(language, of)| {
            let scripts = of.scripts.iter();
            let scripts = scripts.filter_map(|name| Script::from_full_name(name));
            (language.clone(), (scripts.collect(), of.length))
        });
        Ok(Self {
            settings: settings.clone(),
            languages: languages.collect(),
        })
    }

    /// Returns the rules for the translations of one language.
    pub(crate) fn of(&self, language: &str) -> Result<Rules<'_>, FilterError> {
        let of = self.languages.get(language);
        let (scripts, length) = of.ok_or_else(|| FilterError {
            key: format!("languages.{language}"),
            value: "nothing".into(),
            expected: "its scripts and length, as in { scripts = [\"Latin\"], length = 1.0 }",
        })?;
        Ok(Rules {
            settings: &self.settings,
            scripts,
            length: *length,
        })
    }
}

/// The rules for the translations of one language.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    settings: &'a FilterSettings,
    scripts: &'a [Script],
    length: f64,
}

/// What a pair was found to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Verdict {
    /// Why it is left out, if it is.
    pub(crate) dropped: Option<DropReason>,
    /// Characters of the translation for one of English, where that was looked at.
    pub(crate) length: Option<f64>,
}

impl Rules<'_> {
    /// Judges a pair of sentences without spaces at their ends.
    pub(crate) fn judge(&self, english: &str, foreign: &str) -> Verdict {
        let settings = self.settings;
        let (english, foreign) = (&*composed(english), &*composed(foreign));
        let sides = [
            Letters::of(english, &[Script::Latin]),
            Letters::of(foreign, self.scripts),
        ];
        let either = |holds: &dyn Fn(&Letters) -> bool| sides.iter().any(holds);
        let dropped = if either(&|side| side.characters == 0) {
            Some(DropReason::Empty)
        } else if either(&|side| side.characters < settings.minimum_characters) {
            Some(DropReason::TooShort)
        } else if either(&|side| settings.maximum_characters < side.characters) {
            Some(DropReason::TooLong)
        } else if either(&|side| below(side.letters, settings.minimum_letter_share, side.visible)) {
            Some(DropReason::FewLetters)
        } else if settings.drop_copies && bare(english).eq(bare(foreign)) {
            Some(DropReason::Copy)
        } else if either(&|side| below(side.expected, settings.minimum_script_share, side.letters))
        {
            Some(DropReason::Script)
        } else {
            None
        };
        if dropped.is_some() {
            let length = None;
            return Verdict { dropped, length };
        }
        let length = sides[1].characters as f64 / sides[0].characters as f64;
        let ratio = length / self.length;
        let is_far = settings.maximum_length_ratio < ratio.max(1.0 / ratio);
        Verdict {
            dropped: is_far.then_some(DropReason::LengthRatio),
            length: Some(length),
        }
    }
}

/// Whether a part is less than `share` of a whole.
fn below(part: usize, share: f64, whole: usize) -> bool {
    (part as f64) < share * whole as f64
}

/// Characters of a sentence by kind.
#[derive(Debug, PartialEq, Eq)]
struct Letters {
    characters: usize,
    /// Without spaces, and without marks that only change another character.
    visible: usize,
    /// Characters that belong to one script, vowel signs and a script's own digits among them.
    letters: usize,
    /// Those that belong to an expected one.
    expected: usize,
}

impl Letters {
    fn of(text: &str, scripts: &[Script]) -> Self {
        let mut counts = Self {
            characters: 0,
            visible: 0,
            letters: 0,
            expected: 0,
        };
        for character in text.chars() {
            counts.characters += 1;
            if character.is_whitespace() {
                continue;
            }
            let script = match character {
                'a'..='z' | 'A'..='Z' => Script::Latin,
                '\0'..='\x7f' => Script::Common,
                _ => character.script(),
            };
            counts.visible += usize::from(script != Script::Inherited);
            if !matches!(script, Script::Common | Script::Inherited | Script::Unknown) {
                counts.letters += 1;
                counts.expected += usize::from(scripts.contains(&script));
            }
        }
        counts
    }
}

/// Letters and digits with their marks alone, in lower case.
fn bare(text: &str) -> impl Iterator<Item = char> + '_ {
    of_words(text).flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::filter;

    fn judged(changed: &str, language: &str, english: &str, foreign: &str) -> Option<DropReason> {
        let filter = Filter::new(&filter(changed)).unwrap();
        filter.of(language).unwrap().judge(english, foreign).dropped
    }

    #[test]
    fn every_rule_drops_on_either_side_what_lies_beyond_it() {
        use DropReason::{Copy, FewLetters, LengthRatio, Script, TooLong, TooShort};
        for (changed, at, beyond, reason) in [
            (
                "minimum_characters = 3",
                ["One", "Tát"],
                ["On", "Tatu"],
                TooShort,
            ),
            (
                "minimum_characters = 3",
                ["One", "Tát"],
                ["Three", "Ta"],
                TooShort,
            ),
            (
                "maximum_characters = 4",
                ["Four", "Ɗaya"],
                ["Three", "Tatu"],
                TooLong,
            ),
            (
                "maximum_characters = 4",
                ["Four", "Ɗaya"],
                ["Four", "Moja."],
                TooLong,
            ),
            (
                "minimum_letter_share = 0.5",
                ["a 1", "b 2"],
                ["a 1 2", "b"],
                FewLetters,
            ),
            (
                "minimum_letter_share = 0.5",
                ["a 1", "b 2"],
                ["a", "b --"],
                FewLetters,
            ),
            (
                "minimum_script_share = 0.5",
                ["aб", "bб"],
                ["aбб", "b"],
                Script,
            ),
            (
                "minimum_script_share = 0.5",
                ["aб", "bб"],
                ["a", "bбб"],
                Script,
            ),
            (
                "maximum_length_ratio = 2.0",
                ["abcd", "ef"],
                ["abcde", "fg"],
                LengthRatio,
            ),
            (
                "maximum_length_ratio = 2.0",
                ["ab", "cdef"],
                ["ab", "cdefg"],
                LengthRatio,
            ),
            (
                "drop_copies = true",
                ["One, two.", "One, too."],
                ["One, two.", "ONE TWO"],
                Copy,
            ),
            // An accent makes another word, and is the same accent with its letter or after it.
            (
                "drop_copies = true",
                ["Oja m", "Oja m\u{300}"],
                ["Café ❤\u{fe0f}", "cafe\u{301}"],
                Copy,
            ),
            // Composed, both sides have two characters.
            (
                "maximum_characters = 2",
                ["ab", "e\u{301}e\u{301}"],
                ["ab", "e\u{301}e\u{301}e\u{301}"],
                TooLong,
            ),
        ] {
            let judge = |[english, foreign]: [&str; 2]| judged(changed, "swa", english, foreign);
            assert_eq!(judge(at), None, "{changed} {at:?}");
            assert_eq!(judge(beyond), Some(reason), "{changed} {beyond:?}");
        }
        assert_eq!(judged("", "swa", "", "Moja"), Some(DropReason::Empty));
        assert_eq!(judged("", "swa", "One", ""), Some(DropReason::Empty));
    }

    #[test]
    fn a_language_has_its_own_scripts_and_length() {
        let changed = "minimum_script_share = 1.0\nmaximum_length_ratio = 1.5";
        let reason = |language, foreign| judged(changed, language, "The water is cold.", foreign);
        assert_eq!(reason("rus", "Вода холодная 12°."), None);
        assert_eq!(
            reason("rus", "Maji ni baridi sana"),
            Some(DropReason::Script)
        );
        assert_eq!(reason("zho", "水是冷的。"), None);
        assert_eq!(
            reason("zho", "水是冷的水是冷的水是冷的"),
            Some(DropReason::LengthRatio)
        );
    }

    /// What each kind of character counts as, by Unicode's `Scripts.txt`.
    #[test]
    fn marks_and_vowel_signs_do_not_make_a_sentence_less_of_its_script() {
        for (text, script, expected) in [
            // Devanagari: letters, vowel signs and virama are of the script, the danda of several.
            ("हिन्दी।", Script::Devanagari, [7, 7, 6, 6]),
            // A combining acute is of the letter before it.
            ("ọ\u{301} 1", Script::Latin, [4, 2, 1, 1]),
            ("ሰላም፡ 5", Script::Ethiopic, [6, 5, 4, 4]),
            ("ab яc", Script::Latin, [5, 4, 4, 3]),
        ] {
            let Letters {
                characters,
                visible,
                letters,
                expected: of_script,
            } = Letters::of(text, &[script]);
            assert_eq!(
                [characters, visible, letters, of_script],
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn values_outside_their_domain_are_named() {
        for (changed, expected) in [
            (
                "minimum_letter_share = 1.5",
                "minimum_letter_share = 1.5, expected 0 to 1",
            ),
            (
                "maximum_bad_share = nan",
                "maximum_bad_share = NaN, expected 0 to 1",
            ),
            (
                "maximum_length_ratio = 0.9",
                "maximum_length_ratio = 0.9, expected at least 1",
            ),
            (
                "minimum_characters = 1001",
                "maximum_characters = 1000, expected at least",
            ),
            (
                "languages.swa = { scripts = ['Latn'], length = 1.0 }",
                "languages.swa.scripts = Latn",
            ),
            (
                "languages.swa = { scripts = [], length = 1.0 }",
                "languages.swa.scripts = []",
            ),
            (
                "languages.swa = { scripts = ['Latin'], length = 0.0 }",
                "languages.swa.length = 0",
            ),
        ] {
            let message = filter(changed).check().unwrap_err().to_string();
            assert!(
                message.starts_with(&format!("bitext_filter.{expected}")),
                "{message}"
            );
        }
        filter("").check().unwrap();
    }
}
