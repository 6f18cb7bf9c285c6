//! Splitting bitext into training pairs and held-out pairs for mate retrieval.

use std::collections::{BTreeMap, HashSet};

use crate::bitext::SentencePair;
use crate::draw::lot;

/// Bitext in two parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// Pairs to train on, in their order.
    pub training: Vec<SentencePair>,
    /// Pairs to find each other's mate, by language and in the order drawn.
    pub held_out: BTreeMap<String, Vec<SentencePair>>,
    /// Pairs in neither part: one of their sentences is held out in the same language.
    pub overlapping: usize,
}

/// Why bitext could not be split.
#[derive(Debug, thiserror::Error)]
#[error(
    "{language} has {distinct} pairs of distinct sentences, too few to hold out {per_language}"
)]
pub struct SplitError {
    /// The language, by its ISO 639-3 code.
    pub language: String,
    /// The number of pairs that could be drawn.
    pub distinct: usize,
    /// The number to hold out.
    pub per_language: usize,
}

/// Draws `per_language` pairs of each language and holds them out.
///
/// No sentence occurs twice among the held-out pairs of a language, so each has one mate; and no
/// training pair of the language shares a sentence with them. What is drawn in one language does
/// not depend on the pairs of the others, nor on the order of the pairs.
///
/// # Errors
/// If a language would have no pair left to train on.
pub fn hold_out(
    pairs: Vec<SentencePair>,
    per_language: usize,
    seed: u64,
) -> Result<Split, SplitError> {
    let mut languages: BTreeMap<String, Vec<SentencePair>> = BTreeMap::new();
    for pair in &pairs {
        languages
            .entry(pair.language.clone())
            .or_default()
            .push(pair.clone());
    }
    let mut split = Split::default();
    for (language, mut drawn) in languages {
        drawn.sort_by_cached_key(|pair| {
            lot(seed, "hold out", &[&language, &pair.english, &pair.foreign])
        });
        let (mut english, mut foreign) = (HashSet::new(), HashSet::new());
        drawn.retain(|pair| {
            let is_new = !english.contains(&pair.english) && !foreign.contains(&pair.foreign);
            is_new && english.insert(pair.english.clone()) && foreign.insert(pair.foreign.clone())
        });
        if drawn.len() <= per_language {
            return Err(SplitError {
                language,
                distinct: drawn.len(),
                per_language,
            });
        }
        drawn.truncate(per_language);
        split.held_out.insert(language, drawn);
    }
    let sentences: HashSet<(&str, &str)> = split
        .held_out
        .values()
        .flatten()
        .flat_map(|pair| {
            [
                (&*pair.language, &*pair.english),
                (&*pair.language, &*pair.foreign),
            ]
        })
        .collect();
    let total = pairs.len();
    let is_free = |pair: &SentencePair| {
        !sentences.contains(&(&*pair.language, &*pair.english))
            && !sentences.contains(&(&*pair.language, &*pair.foreign))
    };
    split.training = pairs.into_iter().filter(is_free).collect();
    let held_out: usize = split.held_out.values().map(Vec::len).sum();
    split.overlapping = total - split.training.len() - held_out;
    Ok(split)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn pair(language: &str, english: usize, foreign: usize) -> SentencePair {
        let (english, foreign) = (format!("e{english}"), format!("f{foreign}"));
        SentencePair {
            english,
            foreign,
            language: language.to_owned(),
        }
    }

    fn bitext(language: &str) -> Vec<SentencePair> {
        (0..40)
            .map(|number| pair(language, number, number))
            .collect()
    }

    #[test]
    fn the_draw_depends_on_seed_and_language_alone() {
        let alone = hold_out(bitext("swa"), 5, 7).unwrap();
        let both = hold_out([bitext("hau"), bitext("swa")].concat(), 5, 7).unwrap();
        assert_eq!(alone.held_out["swa"], both.held_out["swa"]);
        let reversed = hold_out(bitext("swa").into_iter().rev().collect(), 5, 7).unwrap();
        assert_eq!(alone.held_out, reversed.held_out);
        assert_ne!(
            alone.held_out,
            hold_out(bitext("swa"), 5, 8).unwrap().held_out
        );
        assert_ne!(
            both.held_out["swa"][0].english,
            both.held_out["hau"][0].english
        );
        let more = hold_out(bitext("swa"), 9, 7).unwrap();
        assert_eq!(more.held_out["swa"][..5], alone.held_out["swa"]);
    }

    #[test]
    fn nothing_left_to_train_on_is_an_error() {
        let error = hold_out(bitext("swa"), 40, 1).unwrap_err();
        assert_eq!((error.distinct, error.per_language), (40, 40));
        assert_eq!(hold_out(bitext("swa"), 39, 1).unwrap().training.len(), 1);
        assert_eq!(
            hold_out(bitext("swa"), 0, 1).unwrap().training,
            bitext("swa")
        );
    }

    proptest! {
        #[test]
        fn no_sentence_is_on_both_sides(
            numbers in prop::collection::vec((0..30_usize, 0..30_usize), 1..120), seed: u64,
        ) {
            let pairs: Vec<_> =
                numbers.iter().map(|(english, foreign)| pair("swa", *english, *foreign)).collect();
            let Ok(split) = hold_out(pairs.clone(), 4, seed) else { return Ok(()) };
            let held_out = &split.held_out["swa"];
            prop_assert_eq!(held_out.len() + split.training.len() + split.overlapping, pairs.len());
            for (index, held) in held_out.iter().enumerate() {
                let rest = split.training.iter().chain(&held_out[..index]);
                for other in rest {
                    prop_assert!(held.english != other.english && held.foreign != other.foreign);
                }
            }
        }
    }
}
