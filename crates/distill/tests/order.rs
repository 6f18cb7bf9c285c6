//! The order of the pairs: seeded, by shares, and a function of the step alone.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use optical_distill::pairs::{BatchOrder, TrainingPair};
use optical_tokenize::TokenSequence;

/// Pairs whose single token is their number; lengths vary.
fn pairs() -> Vec<TrainingPair> {
    let sequence = |id: u32| {
        let length = 1 + id as usize % 7;
        TokenSequence {
            ids: vec![id; length],
            kept: vec![true; length],
            unattended: 0,
        }
    };
    (0..300)
        .map(|id| TrainingPair {
            target: sequence(id),
            input: sequence(id),
            group: if id < 240 { "many" } else { "few" }.into(),
        })
        .collect()
}

fn order(seed: u64) -> BatchOrder {
    let shares = BTreeMap::from([("many".to_owned(), 0.5), ("few".to_owned(), 0.5)]);
    BatchOrder::new(pairs(), &shares, 6, seed, [0, 0])
}

/// Numbers of the pairs of a step.
fn drawn(order: &BatchOrder, step: u64, parts: usize) -> Vec<u32> {
    let parts = order.batch(step, parts);
    parts
        .iter()
        .flat_map(|part| (0..part.input.rows).map(|row| part.input.ids[row * part.input.width]))
        .collect()
}

#[test]
fn a_batch_depends_on_seed_and_step_only() {
    let (first, second) = (order(1), order(1));
    let forwards: Vec<_> = (0..40).map(|step| drawn(&first, step, 1)).collect();
    let backwards: Vec<_> = (0..40).rev().map(|step| drawn(&second, step, 3)).collect();
    assert!(forwards.iter().eq(backwards.iter().rev()));
    assert_ne!(forwards[0], drawn(&order(2), 0, 1));
}

#[test]
fn shares_hold_and_no_pair_comes_again_before_all_others_came() {
    let order = order(1);
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
    let order = order(1);
    let spread = |step: u64| {
        let batch = order.batch(step, 1).remove(0);
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
