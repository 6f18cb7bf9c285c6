//! Seeded drawing in which each item's place depends on nothing but the seed and the item itself.
//!
//! Items are ordered by the SHA-256 of seed, purpose and key. Against shuffling, adding or
//! removing an item moves no other, and the order is the same on every machine and for every
//! version of every library.

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

#[cfg(test)]
mod tests {
    use super::lot;

    #[test]
    fn seed_purpose_and_key_all_matter() {
        let first = lot(1, "queries", &["ab", "c"]);
        assert_eq!(first, lot(1, "queries", &["ab", "c"]));
        assert_ne!(first, lot(2, "queries", &["ab", "c"]));
        assert_ne!(first, lot(1, "fill", &["ab", "c"]));
        assert_ne!(first, lot(1, "queries", &["a", "bc"]));
    }
}
