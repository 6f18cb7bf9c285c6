//! The order of the pairs: seeded, by shares, and a function of the step alone, whether the pairs
//! are in a file or in memory.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use optical_distill::TokenizedPairs;
use optical_distill::order::{BatchOrder, PairBatch, Sampling};
use optical_distill::pairs::TrainingPair;
use optical_distill::settings::Batches;
use optical_tokenize::{Markers, TokenBatch, TokenSequence, Tokenizer};
use proptest::prelude::*;
use proptest::sample::select;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Pairs whose single token is their number; lengths vary.
fn pairs() -> Vec<TrainingPair> {
    let sequence = |id: u32, length: usize| TokenSequence {
        ids: vec![id; length],
        kept: (0..length).map(|token| token % 5 != 4).collect(),
        text: (0..length).map(|token| token % 3 != 2).collect(),
        expansion: length / 3,
        unattended: length / 4,
    };
    (0..300)
        .map(|id| TrainingPair {
            target: sequence(id, 1 + id as usize % 3),
            input: sequence(id, 1 + id as usize % 7),
            group: if id < 240 { "many" } else { "few" }.into(),
            passages: vec![id, id + 1],
        })
        .collect()
}

fn shares() -> BTreeMap<String, f64> {
    BTreeMap::from([("many".to_owned(), 0.5), ("few".to_owned(), 0.5)])
}

fn stored() -> TokenizedPairs {
    let folder = tempfile::tempdir().unwrap();
    TokenizedPairs::of(pairs(), folder.path()).unwrap()
}

fn order(pairs: &TokenizedPairs, seed: u64) -> BatchOrder<'_> {
    let tokenizer = numbers();
    let same = pairs.renumbering(&tokenizer, &tokenizer).unwrap();
    let sampling = Sampling {
        shares: &shares(),
        batches: Batches::ByLength,
        batch_size: 6,
        seed,
    };
    BatchOrder::new(pairs, same, &sampling, [0, 0])
}

/// How many of each batch of six are of the group "few", which has a tenth of the shares; and all of
/// them in their order.
fn few_of(pairs: &TokenizedPairs, batches: Batches) -> (Vec<usize>, Vec<u32>) {
    let tokenizer = numbers();
    let same = pairs.renumbering(&tokenizer, &tokenizer).unwrap();
    let shares = BTreeMap::from([("many".to_owned(), 1.8), ("few".to_owned(), 0.2)]);
    let sampling = Sampling {
        shares: &shares,
        batches,
        batch_size: 6,
        seed: 1,
    };
    let order = BatchOrder::new(pairs, same, &sampling, [0, 0]);
    let (mut counts, mut all) = (Vec::new(), Vec::new());
    for step in 0..100 {
        let mut few = drawn(&order, step, 2);
        assert_eq!(few.len(), 6);
        few.retain(|&number| 240 <= number);
        counts.push(few.len());
        all.extend(few);
    }
    (counts, all)
}

#[test]
fn a_balanced_batch_has_each_groups_share() {
    let (counts, mut all) = few_of(&stored(), Batches::Balanced);
    assert!(counts.iter().all(|&count| count <= 1), "{counts:?}");
    assert_eq!(all.len(), 60);
    all.sort_unstable();
    all.dedup();
    assert_eq!(
        all.len(),
        60,
        "each of the sixty comes once before one comes twice"
    );
}

#[test]
fn a_batch_of_one_group_has_no_other() {
    let (counts, _) = few_of(&stored(), Batches::OneGroup);
    assert!(
        counts.iter().all(|&count| count == 0 || count == 6),
        "{counts:?}"
    );
    let batches = counts.iter().filter(|&&count| count == 6).count();
    assert!((9..=11).contains(&batches), "{batches}");
    let longest = counts.split(|&count| count == 6).map(<[usize]>::len).max();
    assert!(longest.unwrap() < 16, "they are spread: {counts:?}");
}

/// A tokenizer of the numbers below 300, so that a number's token is the number.
fn numbers() -> Tokenizer {
    let vocabulary: BTreeMap<String, u32> = (0..300)
        .map(|id| match id {
            0 => ("[PAD]".to_owned(), 0),
            id => (id.to_string(), id),
        })
        .collect();
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null,
        "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[PAD]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary},
    });
    let json = serde_json::to_vec(&json).unwrap();
    Tokenizer::from_bytes(&json, Markers::default()).unwrap()
}

/// Numbers of the pairs of a step.
fn drawn(order: &BatchOrder<'_>, step: u64, parts: usize) -> Vec<u32> {
    let parts = order.batch(step, parts).unwrap();
    parts
        .iter()
        .flat_map(|part| (0..part.input.rows).map(|row| part.input.ids[row * part.input.width]))
        .collect()
}

#[test]
fn a_batch_depends_on_seed_and_step_only() {
    let pairs = stored();
    let (first, second) = (order(&pairs, 1), order(&pairs, 1));
    let forwards: Vec<_> = (0..40).map(|step| drawn(&first, step, 1)).collect();
    let backwards: Vec<_> = (0..40).rev().map(|step| drawn(&second, step, 3)).collect();
    assert!(forwards.iter().eq(backwards.iter().rev()));
    assert_ne!(forwards[0], drawn(&order(&pairs, 2), 0, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However batches are drawn, they have their size, whatever their parts; a step's follows from
    /// seed and step alone; and nothing comes of a group without a share.
    #[test]
    fn batches_have_their_size_and_only_what_has_a_share(
        batches in select(vec![Batches::ByLength, Batches::Balanced, Batches::OneGroup]),
        batch_size in 1..20_usize,
        parts in 1..6_usize,
        few in prop_oneof![Just(0.0), 0.01..1.0],
        seed in any::<u64>(),
        steps in prop::collection::vec(0..400_u64, 1..8),
    ) {
        let pairs = stored();
        let shares = BTreeMap::from([("many".to_owned(), 1.0), ("few".to_owned(), few)]);
        let sampling = Sampling { shares: &shares, batches, batch_size, seed };
        let tokenizer = numbers();
        let order = || {
            let same = pairs.renumbering(&tokenizer, &tokenizer).unwrap();
            BatchOrder::new(&pairs, same, &sampling, [0, 0])
        };
        let through = order();
        for step in steps {
            let numbers = drawn(&through, step, parts);
            prop_assert_eq!(numbers.len(), batch_size);
            prop_assert!(through.batch(step, parts).unwrap().len() <= parts);
            prop_assert_eq!(&numbers, &drawn(&order(), step, 1));
            let few_came = numbers.iter().any(|&number| 240 <= number);
            prop_assert!(0.0 < few || !few_came, "{:?}", numbers);
        }
    }
}

#[test]
fn shares_hold_and_no_pair_comes_again_before_all_others_came() {
    let pairs = stored();
    let order = order(&pairs, 1);
    // 16 batches of 6 are drawn together, half of each group: 48; five windows make 240.
    let all: Vec<u32> = (0..80).flat_map(|step| drawn(&order, step, 1)).collect();
    let (many, few): (Vec<u32>, Vec<u32>) = all.into_iter().partition(|&id| id < 240);
    assert_eq!((many.len(), few.len()), (240, 240));
    let times = |ids: &[u32], id: u32| ids.iter().filter(|&&other| other == id).count();
    assert!((0..240).all(|id| times(&many, id) == 1));
    assert!((240..300).all(|id| times(&few, id) == 4));
}

#[test]
fn a_batch_holds_pairs_of_about_one_length() {
    let pairs = stored();
    let order = order(&pairs, 1);
    let spread = |step: u64| {
        let batch = order.batch(step, 1).unwrap().remove(0);
        let lengths: Vec<usize> = (0..6)
            .map(|row| {
                let row = &batch.input.mask[row * batch.input.width..][..batch.input.width];
                row.iter().filter(|&&token| token).count()
            })
            .collect();
        lengths.iter().max().unwrap() - lengths.iter().min().unwrap()
    };
    assert!((0..16).map(spread).sum::<usize>() <= 16);
}

/// The same order over pairs in memory, drawn anew for every step: what runs before the pairs lay
/// in a file were trained with.
fn in_memory(pairs: &[TrainingPair], seed: u64, step: u64, parts: usize) -> Vec<PairBatch> {
    let stream = |purpose: &str, round: u64| {
        let hash = purpose
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        let mut bytes = [0; 32];
        for (part, value) in bytes.chunks_exact_mut(8).zip([seed, round, hash]) {
            part.copy_from_slice(&value.to_le_bytes());
        }
        ChaCha8Rng::from_seed(bytes)
    };
    let (batch, batches) = (6, 16);
    let window = step / batches;
    let half = batch * batches as usize / 2;
    let mut drawn = Vec::new();
    for group in ["few", "many"] {
        let of_group = |&index: &usize| pairs[index].group == group;
        let members: Vec<usize> = (0..pairs.len()).filter(of_group).collect();
        for position in window as usize * half..(window as usize + 1) * half {
            let mut shuffled = members.clone();
            shuffled.shuffle(&mut stream(group, (position / members.len()) as u64));
            drawn.push(shuffled[position % members.len()]);
        }
    }
    let length = |index: usize| {
        pairs[index]
            .target
            .ids
            .len()
            .max(pairs[index].input.ids.len())
    };
    drawn.sort_by_key(|&index| (length(index), index));
    let mut order: Vec<usize> = (0..batches as usize).collect();
    order.shuffle(&mut stream("batches of a window", window));
    let position = order[(step % batches) as usize];
    let chosen = &drawn[position * batch..(position + 1) * batch];
    let part = |chosen: &[usize]| {
        let side = |side: fn(&TrainingPair) -> &TokenSequence| {
            let sides: Vec<_> = chosen
                .iter()
                .map(|&index| side(&pairs[index]).clone())
                .collect();
            TokenBatch::pad(&sides, 0)
        };
        PairBatch {
            pairs: Vec::new(),
            target: side(|pair| &pair.target),
            input: side(|pair| &pair.input),
            passages: chosen
                .iter()
                .map(|&index| pairs[index].passages.clone())
                .collect(),
        }
    };
    chosen
        .chunks(chosen.len().div_ceil(parts))
        .map(part)
        .collect()
}

#[test]
fn pairs_in_a_file_make_the_batches_of_pairs_in_memory() {
    let (pairs, stored) = (pairs(), stored());
    for seed in [1, 9] {
        let order = order(&stored, seed);
        // Back and forth between windows, so that the window kept from the step before is wrong.
        for step in [0, 1, 15, 16, 3, 40, 200, 17] {
            let found = order.batch(step, 2).unwrap();
            let expected = in_memory(&pairs, seed, step, 2);
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(
                    (&found.target, &found.input, &found.passages),
                    (&expected.target, &expected.input, &expected.passages)
                );
            }
        }
    }
}
