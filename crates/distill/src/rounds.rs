//! Going through items again and again, in an order shuffled anew for each round.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// The order of `size` items, a pure function of seed, purpose and position.
#[derive(Debug)]
pub(crate) struct Rounds {
    seed: u64,
    purpose: String,
    size: usize,
    /// The round drawn last, which the next step most likely needs again: 4 bytes per item.
    drawn: Mutex<Option<(u64, Vec<u32>)>>,
}

impl Rounds {
    pub(crate) fn new(seed: u64, purpose: &str, size: usize) -> Self {
        Self {
            seed,
            purpose: purpose.to_owned(),
            size,
            drawn: Mutex::new(None),
        }
    }

    /// Returns the items at some positions, counted through all rounds.
    pub(crate) fn at(&self, positions: Range<u64>) -> Vec<usize> {
        // Whoever panicked while shuffling has left the round before, which is as good.
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let size = self.size as u64;
        positions
            .map(|position| {
                let round = position / size;
                if !matches!(&*drawn, Some((last, _)) if *last == round) {
                    let mut order: Vec<u32> = (0..self.size as u32).collect();
                    order.shuffle(&mut stream(self.seed, &self.purpose, round));
                    *drawn = Some((round, order));
                }
                let order = drawn.as_ref().map_or(&[][..], |(_, order)| order);
                order[(position % size) as usize] as usize
            })
            .collect()
    }
}

/// Begins a random stream of its own for each purpose and round, so that no draw depends on another.
pub(crate) fn stream(seed: u64, purpose: &str, round: u64) -> ChaCha8Rng {
    // FNV-1a: names, not secrets, are told apart.
    let hash = purpose
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let mut whole = [0; 32];
    for (part, value) in whole.chunks_exact_mut(8).zip([seed, round, hash]) {
        part.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(whole)
}
