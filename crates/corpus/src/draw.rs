//! Seeded drawing in which each item's place depends on nothing but the seed and the item itself.
//!
//! Items are ordered by the SHA-256 of seed, purpose and key. Against shuffling, adding or
//! removing an item moves no other, and the order is the same on every machine and for every
//! version of every library.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// The place of an item in the order drawn for a purpose; smaller comes first.
pub(crate) type Lot = [u8; 32];

/// Draws the lot of an item; `key` names it among all items of this purpose.
pub(crate) fn lot(seed: u64, purpose: &str, key: &[&str]) -> Lot {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    for part in std::iter::once(&purpose).chain(key) {
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

/// The first half of an item's lot, which tells it from others without keeping it.
///
/// Fingerprints are in the order of the lots. Among a hundred million items, the chance that any
/// two share one is below 2⁻⁷⁴.
pub type Fingerprint = u128;

/// Returns the fingerprint of an item; `key` names it among all items of this purpose.
pub fn fingerprint(seed: u64, purpose: &str, key: &[&str]) -> Fingerprint {
    let mut half = [0; 16];
    half.copy_from_slice(&lot(seed, purpose, key)[..16]);
    Fingerprint::from_be_bytes(half)
}

/// Returns a number from 0 to below 1 for an item and a purpose.
pub fn unit(seed: u64, purpose: &str, key: &[&str]) -> f64 {
    let mut bits = [0; 8];
    bits.copy_from_slice(&lot(seed, purpose, key)[..8]);
    (u64::from_be_bytes(bits) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The first `size` of the items offered, in the order drawn for a purpose, however many pass by.
///
/// Which items are drawn does not depend on the order in which they are offered, and an item that
/// is offered twice is drawn once.
#[derive(Debug)]
pub struct Sample<T> {
    size: usize,
    seed: u64,
    purpose: &'static str,
    drawn: BTreeMap<Lot, T>,
}

impl<T> Sample<T> {
    /// Nothing yet; items of other purposes are drawn independently.
    pub fn new(size: usize, seed: u64, purpose: &'static str) -> Self {
        Self {
            size,
            seed,
            purpose,
            drawn: BTreeMap::new(),
        }
    }

    /// Offers the item that `key` names; it is made only if it is drawn, for now.
    pub fn offer(&mut self, key: &[&str], item: impl FnOnce() -> T) {
        let lot = lot(self.seed, self.purpose, key);
        let last = self.drawn.last_key_value();
        if self.drawn.len() < self.size || last.is_some_and(|(last, _)| lot < *last) {
            self.drawn.entry(lot).or_insert_with(item);
        }
        if self.size < self.drawn.len() {
            self.drawn.pop_last();
        }
    }

    /// Returns the items drawn, in their order.
    pub fn into_drawn(self) -> Vec<T> {
        self.drawn.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_purpose_and_key_all_matter() {
        let first = lot(1, "queries", &["ab", "c"]);
        assert_eq!(first, lot(1, "queries", &["ab", "c"]));
        assert_ne!(first, lot(2, "queries", &["ab", "c"]));
        assert_ne!(first, lot(1, "fill", &["ab", "c"]));
        assert_ne!(first, lot(1, "queries", &["a", "bc"]));
    }

    #[test]
    fn fingerprints_are_in_the_order_of_the_lots() {
        let lots = (0..50).map(|item| item.to_string());
        let mut items: Vec<String> = lots.collect();
        items.sort_by_key(|item| lot(3, "items", &[item]));
        assert!(items.is_sorted_by_key(|item| fingerprint(3, "items", &[item])));
    }

    #[test]
    fn a_sample_is_the_beginning_of_the_whole_order() {
        let draw = |size, items: &mut dyn Iterator<Item = u32>| {
            let mut sample = Sample::new(size, 7, "numbers");
            for item in items {
                sample.offer(&[&item.to_string()], || item);
            }
            sample.into_drawn()
        };
        let all = draw(100, &mut (0..100));
        assert_eq!(all.len(), 100);
        assert_eq!(draw(9, &mut (0..100)), all[..9]);
        assert_eq!(draw(9, &mut (0..100).chain(0..100).rev()), all[..9]);
        assert!(draw(0, &mut (0..100)).is_empty());
    }
}
