//! SHA-256 checksums, written as 64 hexadecimal digits.

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A SHA-256 checksum.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Checksum([u8; 32]);

/// A text that is not a SHA-256 checksum.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not a SHA-256 checksum, expected 64 hexadecimal digits")]
pub struct NotAChecksum(String);

/// Hashes a file without holding it in memory.
pub(crate) fn of_file(path: &Path) -> std::io::Result<Checksum> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Checksum(hash.finalize().into())),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// Hashes bytes piece by piece.
#[derive(Default)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Checksum {
        Checksum(self.0.finalize().into())
    }
}

#[cfg(test)]
pub(crate) fn of_bytes(bytes: &[u8]) -> Checksum {
    Checksum(Sha256::digest(bytes).into())
}

impl FromStr for Checksum {
    type Err = NotAChecksum;

    fn from_str(text: &str) -> Result<Self, NotAChecksum> {
        let refused = || NotAChecksum(text.to_owned());
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refused());
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = &text[2 * index..2 * index + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| refused())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl TryFrom<String> for Checksum {
    type Error = NotAChecksum;

    fn try_from(text: String) -> Result<Self, NotAChecksum> {
        text.parse()
    }
}

impl From<Checksum> for String {
    fn from(checksum: Checksum) -> Self {
        checksum.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// FIPS 180-2, appendix B.1.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn files_bytes_and_pieces_hash_alike() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let mut pieces = Hasher::default();
        pieces.update(b"a");
        pieces.update(b"bc");
        for checksum in [of_file(&path).unwrap(), of_bytes(b"abc"), pieces.finish()] {
            assert_eq!(checksum.to_string(), ABC);
        }
        assert_eq!(ABC.parse::<Checksum>().unwrap(), of_bytes(b"abc"));
    }

    proptest! {
        #[test]
        fn a_checksum_is_read_as_it_was_written(bytes: [u8; 32]) {
            prop_assert_eq!(Checksum(bytes).to_string().parse::<Checksum>().unwrap(), Checksum(bytes));
        }

        #[test]
        fn any_text_is_a_checksum_or_refused(text in "[0-9a-fA-Fgé]{60,66}") {
            let digits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            prop_assert_eq!(text.parse::<Checksum>().is_ok(), digits);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "ba78",
            &ABC.replace('b', "g"),
            &format!("{ABC}00"),
            &"é".repeat(32),
        ] {
            assert!(text.parse::<Checksum>().is_err(), "{text}");
        }
    }
}
