//! Bitext made longer or more like queries: joined to short paragraphs, or without what queries lack.
//!
//! Students that see single sentences alone do worse on passages, and on keyword-like queries
//! (sentence-transformers' issues 694 and 695 are about both).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::bitext::SentencePair;
use crate::draw::unit;
use crate::letters::until_last_word;

/// The `[bitext_shape]` table of a run file.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShapeSettings {
    /// The share of pairs that are joined to the one before them in the same language.
    pub joined: f64,
    /// The share of pairs that lose capitals and what is not a letter or digit at their end, both sides.
    pub as_queries: f64,
}

impl ShapeSettings {
    /// What is wrong with the shares, if anything.
    ///
    /// # Errors
    /// If one is not from 0 to 1, or they are more than 1 together.
    pub fn check(&self) -> Result<(), String> {
        let Self { joined, as_queries } = *self;
        for (key, share) in [("joined", joined), ("as_queries", as_queries)] {
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("bitext_shape.{key} = {share}, expected 0 to 1"));
            }
        }
        if 1.0 < joined + as_queries {
            return Err("bitext_shape: joined and as_queries are more than 1 together".into());
        }
        Ok(())
    }
}

/// Shapes pairs one after the other, as a seed says.
#[derive(Debug)]
pub struct Shaper {
    settings: ShapeSettings,
    seed: u64,
    before: HashMap<String, SentencePair>,
}

impl Shaper {
    /// Creates a shaper that has seen no pair.
    #[must_use]
    pub fn new(settings: ShapeSettings, seed: u64) -> Self {
        Self {
            settings,
            seed,
            before: HashMap::new(),
        }
    }

    /// Returns the pair as it is trained on. The draw depends on the pair alone, what it is joined to
    /// on the order of the pairs.
    pub fn shape(&mut self, pair: SentencePair) -> SentencePair {
        let ShapeSettings { joined, as_queries } = self.settings;
        let key = [&*pair.language, &*pair.english, &*pair.foreign];
        let draw = unit(self.seed, "shape", &key);
        let before = self.before.insert(pair.language.clone(), pair.clone());
        match before {
            Some(before) if draw < joined => SentencePair {
                english: format!("{} {}", before.english, pair.english),
                foreign: format!("{} {}", before.foreign, pair.foreign),
                ..pair
            },
            _ if joined <= draw && draw < joined + as_queries => SentencePair {
                english: like_query(&pair.english),
                foreign: like_query(&pair.foreign),
                ..pair
            },
            _ => pair,
        }
    }
}

/// Lower case, without punctuation at the end.
fn like_query(text: &str) -> String {
    until_last_word(text).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(language: &str, number: usize) -> SentencePair {
        SentencePair {
            english: format!("Sentence {number}."),
            foreign: format!("Sentensi {number}!"),
            language: language.into(),
            repeat: 1,
        }
    }

    #[test]
    fn shares_are_met_and_languages_do_not_mix() {
        let settings = ShapeSettings {
            joined: 0.3,
            as_queries: 0.2,
        };
        let mut shaper = Shaper::new(settings, 1);
        let (mut joined, mut queries) = (0, 0);
        for number in 0..1000 {
            let language = ["swa", "hau"][number % 2];
            let shaped = shaper.shape(pair(language, number));
            let plain = pair(language, number);
            if shaped == plain {
                continue;
            }
            if shaped.english == format!("sentence {number}") {
                assert_eq!(shaped.foreign, format!("sentensi {number}"));
                queries += 1;
            } else {
                let before = number - 2;
                assert_eq!(
                    shaped.english,
                    format!("Sentence {before}. Sentence {number}.")
                );
                assert_eq!(
                    shaped.foreign,
                    format!("Sentensi {before}! Sentensi {number}!")
                );
                joined += 1;
            }
        }
        assert!((250..350).contains(&joined) && (150..250).contains(&queries));
    }

    #[test]
    fn a_text_of_marks_alone_stays_and_bad_shares_are_named() {
        assert_eq!(like_query("?!"), "?!");
        assert_eq!(like_query("Nani alijenga Safina?"), "nani alijenga safina");
        // The last character is an accent, a virama, a nukta, a virama and a joiner.
        assert_eq!(like_query("Ẹ sọ̀rọ̀."), "ẹ sọ̀rọ̀");
        for word in ["जगत्", "बाढ़", "അവന്\u{200d}"] {
            assert_eq!(like_query(&format!("{word} ।")), word);
        }
        // A variation selector is a mark too, on what is not a letter.
        assert_eq!(like_query("Maji ❤\u{fe0f}"), "maji");
        let settings = |joined, as_queries| ShapeSettings { joined, as_queries }.check();
        assert!(settings(0.5, 0.5).is_ok());
        assert!(settings(1.5, 0.0).unwrap_err().contains("joined = 1.5"));
        assert!(settings(0.6, 0.6).unwrap_err().contains("more than 1"));
    }
}
