//! Code-switched text: English sentences some of whose words are foreign, by a translation table
//! read backwards (Qin et al. 2020, CoSDA-ML, arXiv 2006.06402).

use std::collections::BTreeMap;

use super::TranslationTable;
use crate::words::{composed, pieces, word};

/// For English words, the foreign word that means them most surely.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeSwitch(BTreeMap<String, String>);

impl CodeSwitch {
    /// Reads a table backwards: of the foreign words that mean an English one with at least
    /// `minimum_probability`, the one that does so most probably; of equals the first in the
    /// alphabet. Words that are alike in both languages are left alone.
    #[must_use]
    pub fn new(table: &TranslationTable, minimum_probability: f64) -> Self {
        let mut best: BTreeMap<&str, (&str, f64)> = BTreeMap::new();
        for (foreign, translations) in table.iter() {
            for translation in translations {
                let (english, probability) = (translation.word.as_str(), translation.probability);
                let known = best.get(english).map_or(0.0, |(_, known)| *known);
                if foreign != english && minimum_probability <= probability && known < probability {
                    best.insert(english, (foreign, probability));
                }
            }
        }
        let words = best.into_iter();
        Self(
            words
                .map(|(english, (foreign, _))| (english.to_owned(), foreign.to_owned()))
                .collect(),
        )
    }

    /// Whether no word has a foreign one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the text with the words of the table replaced for which `replaces` says so; it is asked
    /// once for each of them. `None` if none was replaced.
    pub fn switch(&self, text: &str, mut replaces: impl FnMut() -> bool) -> Option<String> {
        let text = composed(text);
        let mut switched = String::with_capacity(text.len());
        let mut any = false;
        for piece in pieces(&text) {
            match word(piece).and_then(|word| self.0.get(&word)) {
                Some(foreign) if replaces() => {
                    switched.push_str(foreign);
                    any = true;
                }
                _ => switched.push_str(piece),
            }
        }
        any.then_some(switched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TranslationTable {
        TranslationTable::of(&[
            ("maji", &[("water", 0.9), ("the", 0.1)]),
            ("kunywa", &[("drink", 0.6), ("water", 0.4)]),
            ("nairobi", &[("nairobi", 1.0)]),
        ])
    }

    #[test]
    fn words_are_replaced_and_everything_else_stays() {
        let switch = CodeSwitch::new(&table(), 0.2);
        let text = "Drink the WATER, in Nairobi.";
        let all = switch.switch(text, || true);
        assert_eq!(all.as_deref(), Some("kunywa the maji, in Nairobi."));
        let mut turns = [false, true].into_iter();
        let one = switch.switch(text, || turns.next().unwrap());
        assert_eq!(one.as_deref(), Some("Drink the maji, in Nairobi."));
        assert_eq!(switch.switch(text, || false), None);
        assert_eq!(switch.switch("", || true), None);
        // The word ends after its marks.
        let marked = switch.switch("Drink the water\u{301}! The water’s cold.", || true);
        assert_eq!(
            marked.as_deref(),
            Some("kunywa the wate\u{155}! The maji's cold.")
        );
        assert!(CodeSwitch::new(&table(), 0.95).is_empty());
    }
}
