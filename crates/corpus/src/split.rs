//! Splitting bitext into training pairs and held-out pairs for mate retrieval.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::bitext::{Bitext, SentencePair};
use crate::draw::Sample;
use crate::error::CorpusError;

/// Pairs that are held out, and which others may be trained on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// Pairs to find each other's mate, by language and in the order drawn.
    pub held_out: BTreeMap<String, Vec<SentencePair>>,
    /// Their sentences, by language.
    sentences: HashMap<String, HashSet<String>>,
}

impl Split {
    /// Whether a pair may be trained on: no sentence of it is held out in its language.
    pub fn trains_on(&self, pair: &SentencePair) -> bool {
        let held_out = self.sentences.get(&pair.language);
        held_out.is_none_or(|held_out| {
            !held_out.contains(&pair.english) && !held_out.contains(&pair.foreign)
        })
    }
}

/// Why bitext could not be split.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// A language would have no pair left to train on.
    #[error(
        "{language} has {distinct} pairs of distinct sentences, too few to hold out {per_language}"
    )]
    TooFew {
        /// The language, by its ISO 639-3 code.
        language: String,
        /// The number of pairs that could be drawn.
        distinct: usize,
        /// The number to hold out.
        per_language: usize,
    },
    /// The pairs cannot be read.
    #[error(transparent)]
    Read(#[from] CorpusError),
}

/// Draws `per_language` pairs of each language and holds them out.
///
/// No sentence occurs twice among the held-out pairs of a language, so each has one mate; and no
/// training pair of the language shares a sentence with them. What is drawn in one language does
/// not depend on the pairs of the others, nor on the order of the pairs.
///
/// # Errors
/// If a language would have no pair left to train on, or the pairs cannot be read.
pub fn hold_out(bitext: &mut Bitext, per_language: usize, seed: u64) -> Result<Split, SplitError> {
    hold_out_of(per_language, seed, &mut |give| {
        bitext.pairs()?.try_for_each(|pair| pair.map(&mut *give))
    })
}

/// Gives every pair once, from the first.
type Pass<'a> = dyn FnMut(&mut dyn FnMut(SentencePair)) -> Result<(), CorpusError> + 'a;

fn hold_out_of(per_language: usize, seed: u64, pass: &mut Pass<'_>) -> Result<Split, SplitError> {
    // One more than is held out shows that something is left. Pairs that share a sentence with one
    // drawn before them are passed over, so some more are drawn; the rare language that repeats
    // itself so much that these do not suffice makes another pass with twice as many.
    let wanted = per_language + 1;
    let mut size = 4 * wanted;
    loop {
        let mut drawn: BTreeMap<String, (usize, Sample<SentencePair>)> = BTreeMap::new();
        pass(&mut |pair| {
            let of_language = drawn.entry(pair.language.clone());
            let (count, sample) =
                of_language.or_insert_with(|| (0, Sample::new(size, seed, "hold out")));
            *count += 1;
            let SentencePair {
                english,
                foreign,
                language,
                ..
            } = &pair;
            sample.offer(&[language, english, foreign], || pair.clone());
        })?;
        let mut split = Split::default();
        let mut suffices = true;
        for (language, (count, sample)) in drawn {
            let mut sentences = HashSet::new();
            let mut distinct = sample.into_drawn();
            let (mut english, mut foreign) = (HashSet::new(), HashSet::new());
            distinct.retain(|pair| {
                let is_new = !english.contains(&pair.english) && !foreign.contains(&pair.foreign);
                is_new
                    && english.insert(pair.english.clone())
                    && foreign.insert(pair.foreign.clone())
            });
            if distinct.len() < wanted {
                if count <= size {
                    return Err(SplitError::TooFew {
                        language,
                        distinct: distinct.len(),
                        per_language,
                    });
                }
                suffices = false;
            }
            distinct.truncate(per_language);
            for pair in &distinct {
                sentences.extend([pair.english.clone(), pair.foreign.clone()]);
            }
            split.sentences.insert(language.clone(), sentences);
            split.held_out.insert(language, distinct);
        }
        if suffices {
            return Ok(split);
        }
        size *= 2;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::draw::lot;

    fn pair(language: &str, english: usize, foreign: usize) -> SentencePair {
        let (english, foreign) = (format!("e{english}"), format!("f{foreign}"));
        SentencePair {
            english,
            foreign,
            language: language.to_owned(),
            repeat: 1,
        }
    }

    fn bitext(language: &str) -> Vec<SentencePair> {
        (0..40)
            .map(|number| pair(language, number, number))
            .collect()
    }

    fn hold_out(
        pairs: &[SentencePair],
        per_language: usize,
        seed: u64,
    ) -> Result<Split, SplitError> {
        hold_out_of(per_language, seed, &mut |give| {
            pairs.iter().cloned().for_each(give);
            Ok(())
        })
    }

    #[test]
    fn the_draw_depends_on_seed_and_language_alone() {
        let alone = hold_out(&bitext("swa"), 5, 7).unwrap();
        let both = hold_out(&[bitext("hau"), bitext("swa")].concat(), 5, 7).unwrap();
        assert_eq!(alone.held_out["swa"], both.held_out["swa"]);
        let reversed: Vec<_> = bitext("swa").into_iter().rev().collect();
        assert_eq!(alone, hold_out(&reversed, 5, 7).unwrap());
        assert_ne!(
            alone.held_out,
            hold_out(&bitext("swa"), 5, 8).unwrap().held_out
        );
        assert_ne!(
            both.held_out["swa"][0].english,
            both.held_out["hau"][0].english
        );
        let more = hold_out(&bitext("swa"), 9, 7).unwrap();
        assert_eq!(more.held_out["swa"][..5], alone.held_out["swa"]);
    }

    #[test]
    fn nothing_left_to_train_on_is_an_error() {
        let message = hold_out(&bitext("swa"), 40, 1).unwrap_err().to_string();
        let expected = "swa has 40 pairs of distinct sentences, too few to hold out 40";
        assert_eq!(message, expected);
        let trained = |per_language| {
            let split = hold_out(&bitext("swa"), per_language, 1).unwrap();
            bitext("swa")
                .iter()
                .filter(|pair| split.trains_on(pair))
                .count()
        };
        assert_eq!((trained(39), trained(0)), (1, 40));
    }

    /// The obvious way, with all pairs in memory.
    fn sorted(pairs: &[SentencePair], per_language: usize, seed: u64) -> Vec<SentencePair> {
        let mut drawn = pairs.to_vec();
        drawn.sort_by_cached_key(|pair| {
            lot(seed, "hold out", &["swa", &pair.english, &pair.foreign])
        });
        let mut held_out: Vec<SentencePair> = Vec::new();
        for pair in drawn {
            let shared = |other: &SentencePair| {
                other.english == pair.english || other.foreign == pair.foreign
            };
            if !held_out.iter().any(shared) {
                held_out.push(pair);
            }
        }
        held_out.truncate(per_language);
        held_out
    }

    proptest! {
        #[test]
        fn no_sentence_is_on_both_sides(
            numbers in prop::collection::hash_set((0..12_usize, 0..90_usize), 1..200), seed: u64,
        ) {
            let pairs: Vec<_> =
                numbers.iter().map(|(english, foreign)| pair("swa", *english, *foreign)).collect();
            let split = hold_out(&pairs, 4, seed);
            // One more than is held out has to be left.
            prop_assert_eq!(split.is_ok(), sorted(&pairs, 5, seed).len() == 5);
            let Ok(split) = split else { return Ok(()) };
            let held_out = &split.held_out["swa"];
            prop_assert_eq!(held_out, &sorted(&pairs, 4, seed));
            let training: Vec<_> = pairs.iter().filter(|pair| split.trains_on(pair)).collect();
            for (index, held) in held_out.iter().enumerate() {
                let rest = training.iter().copied().chain(&held_out[..index]);
                for other in rest {
                    prop_assert!(held.english != other.english && held.foreign != other.foreign);
                }
            }
        }
    }
}
