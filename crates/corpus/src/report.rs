//! What became of bitext while it was read: counts, examples and bad lines.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::draw::Sample;

/// Why a pair was left out; a pair is counted under the first that holds, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DropReason {
    /// A side has no text, or a mere mark or remark in its place.
    Empty,
    /// A test query may be made of it.
    HeldOut,
    /// Its translation is, word by word, one that was held out.
    HeldOutText,
    /// A side has fewer characters than [`crate::filter::FilterSettings::minimum_characters`].
    TooShort,
    /// A side has more than [`crate::filter::FilterSettings::maximum_characters`].
    TooLong,
    /// A side is mostly digits, punctuation and symbols.
    FewLetters,
    /// The translation is the English sentence, but for case, spaces and punctuation.
    Copy,
    /// A side is mostly written in another script than its language's.
    Script,
    /// One side is much longer than the other.
    LengthRatio,
    /// It occurred before, with the same English and the same translation.
    Duplicate,
    /// It was not drawn among [`crate::filter::FilterSettings::pairs_per_language`].
    Surplus,
}

impl DropReason {
    /// All reasons, in the order in which they are looked for.
    pub const ALL: [Self; 11] = [
        Self::Empty,
        Self::HeldOut,
        Self::HeldOutText,
        Self::TooShort,
        Self::TooLong,
        Self::FewLetters,
        Self::Copy,
        Self::Script,
        Self::LengthRatio,
        Self::Duplicate,
        Self::Surplus,
    ];

    /// Returns the reason in a word or two.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::HeldOut => "held out",
            Self::HeldOutText => "held-out text",
            Self::TooShort => "too short",
            Self::TooLong => "too long",
            Self::FewLetters => "few letters",
            Self::Copy => "copy",
            Self::Script => "script",
            Self::LengthRatio => "length ratio",
            Self::Duplicate => "duplicate",
            Self::Surplus => "surplus",
        }
    }
}

/// What became of the pairs read, by language.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BitextReport {
    /// Counts by the ISO 639-3 code of the language.
    pub languages: BTreeMap<String, BitextCounts>,
}

/// What became of the pairs read in one language; `read` is `kept` and all of `dropped`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BitextCounts {
    /// Pairs found in the files.
    pub read: usize,
    /// Pairs that stayed.
    pub kept: usize,
    /// Pairs that were left out, by reason; a reason that never held is absent.
    pub dropped: BTreeMap<DropReason, usize>,
    /// Lines that are not a pair at all; not among `read`.
    pub bad_lines: usize,
    /// The first bad lines of each file.
    pub first_bad_lines: Vec<BadLine>,
    /// Median of the translation's characters for one of English, within 2 %, over the pairs whose
    /// length ratio was looked at: what [`crate::filter::LanguageSettings::length`] should be.
    pub median_length: Option<f64>,
    /// Some of the pairs left out, drawn by seed.
    pub examples: BTreeMap<DropReason, Vec<Example>>,
}

impl BitextCounts {
    /// Pairs left out for a reason.
    pub fn of(&self, reason: DropReason) -> usize {
        self.dropped.get(&reason).copied().unwrap_or(0)
    }
}

/// A line that is not a sentence pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadLine {
    /// The file as found.
    pub file: String,
    /// The line, counted from one.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl std::fmt::Display for BadLine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}: {}", self.file, self.line, self.problem)
    }
}

/// A pair that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The file as found.
    pub file: String,
    /// Its line, or its number in a file of another kind; counted from one.
    pub line: usize,
    /// The English sentence.
    pub english: String,
    /// The other one.
    pub foreign: String,
}

/// The counts of a language while it is read.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) counts: BitextCounts,
    pub(crate) lengths: Lengths,
    examples: BTreeMap<DropReason, Sample<Example>>,
}

impl Tally {
    /// Counts a pair that is left out, and may keep it as one of `examples` drawn by `seed`.
    pub(crate) fn drop(
        &mut self,
        reason: DropReason,
        (examples, seed): (usize, u64),
        example: impl Fn() -> Example,
        key: &[&str],
    ) {
        *self.counts.dropped.entry(reason).or_default() += 1;
        if 0 < examples {
            let sample = self.examples.entry(reason);
            let sample = sample.or_insert_with(|| Sample::new(examples, seed, "examples"));
            sample.offer(key, example);
        }
    }

    /// Returns the counts in the end.
    pub(crate) fn finish(self) -> BitextCounts {
        let examples = self.examples.into_iter();
        BitextCounts {
            median_length: self.lengths.median(),
            examples: examples
                .map(|(reason, sample)| (reason, sample.into_drawn()))
                .collect(),
            ..self.counts
        }
    }
}

/// A histogram of length ratios in steps of 2 %, so that a median needs no memory of the pairs.
#[derive(Debug, Default)]
pub(crate) struct Lengths(BTreeMap<i32, usize>);

impl Lengths {
    const STEP: f64 = 1.02;

    pub(crate) fn add(&mut self, ratio: f64) {
        let bin = ratio.log(Self::STEP).round() as i32;
        *self.0.entry(bin).or_default() += 1;
    }

    fn median(&self) -> Option<f64> {
        let half = self.0.values().sum::<usize>().div_ceil(2);
        let mut below = 0;
        let found = self.0.iter().find(|(_, count)| {
            below += **count;
            half <= below
        });
        found.map(|(bin, _)| Self::STEP.powi(*bin))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_median_is_within_a_step() {
        let mut lengths = Lengths::default();
        assert_eq!(lengths.median(), None);
        for ratio in [0.31, 9.0, 0.33, 0.3, 1.2] {
            lengths.add(ratio);
        }
        assert!((lengths.median().unwrap() / 0.33).ln().abs() <= 0.01);
    }

    #[test]
    fn all_reasons_are_listed_in_their_order() {
        assert!(DropReason::ALL.is_sorted());
        assert_eq!(DropReason::ALL.len(), DropReason::Surplus as usize + 1);
    }
}
