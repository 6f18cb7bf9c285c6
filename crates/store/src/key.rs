//! What results follow from, as a short name: a hash over parts, each told from the next by its length.

use std::io::Read;
use std::path::Path;

use anyhow::Context;
use sha2::{Digest, Sha256};

/// A hash that parts are added to.
#[derive(Debug, Clone)]
pub struct Key(Sha256);

impl Key {
    /// Begins the hash of a kind of result.
    pub fn of(kind: &str) -> Self {
        Self(Sha256::new()).with(kind)
    }

    /// Adds a part, and returns the hash.
    pub fn with(mut self, part: impl AsRef<[u8]>) -> Self {
        self.add(part);
        self
    }

    /// Adds a part.
    pub fn add(&mut self, part: impl AsRef<[u8]>) {
        self.0.update((part.as_ref().len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// Adds the content of a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn add_file(&mut self, path: &Path) -> anyhow::Result<()> {
        let mut add = || -> std::io::Result<()> {
            let mut file = std::fs::File::open(path)?;
            let mut content = Sha256::new();
            let mut buffer = vec![0; 1 << 20];
            loop {
                match file.read(&mut buffer)? {
                    0 => break,
                    count => content.update(&buffer[..count]),
                }
            }
            self.add(content.finalize());
            Ok(())
        };
        add().with_context(|| format!("{} cannot be read", path.display()))
    }

    /// Returns the hash of all parts so far, in 24 hexadecimal digits.
    pub fn text(&self) -> String {
        let digest = self.0.clone().finalize();
        digest[..12].iter().map(|it| format!("{it:02x}")).collect()
    }
}

/// Hashes all that the vectors of a model's folder follow from: every file that says how texts
/// become tokens and tokens become vectors, with its place in the folder.
///
/// # Errors
/// If it is not a model's folder, or a file cannot be read.
pub fn of_model(folder: &Path) -> anyhow::Result<String> {
    let mut key = Key::of("model").with(optical_encoder::REVISION.to_le_bytes());
    for file in optical_encoder::model_files(folder)? {
        key.add(file.to_string_lossy().as_bytes());
        key.add_file(&folder.join(&file))?;
    }
    Ok(key.text())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn parts_are_told_from_each_other() {
        let key = |parts: &[&str]| {
            let parts = parts.iter();
            parts
                .fold(Key::of("test"), |key, part| key.with(part))
                .text()
        };
        assert_eq!(key(&["ab", "c"]), key(&["ab", "c"]));
        let all = [
            key(&["ab", "c"]),
            key(&["a", "bc"]),
            key(&["abc"]),
            key(&[]),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(!all[..place].contains(one));
        }
    }

    /// Prompts, lengths, conventions, weights; what no model reads does not count.
    #[test]
    fn every_file_of_a_model_counts() {
        let folder = tempfile::tempdir().unwrap();
        let tiny = |seed| {
            let words = ["water"];
            optical_encoder::testing::tiny_checkpoint(folder.path(), "bert", &words, seed).unwrap();
            of_model(folder.path()).unwrap()
        };
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            of_model(folder.path()).unwrap()
        };
        let mut seen = vec![tiny(5), tiny(6)];
        for name in [
            "config_sentence_transformers.json",
            "sentence_bert_config.json",
            "artifact.metadata",
            "tokenizer_config.json",
        ] {
            seen.push(write(name, "{}"));
            seen.push(write(name, "{ }"));
        }
        for (place, key) in seen.iter().enumerate() {
            assert!(!seen[..place].contains(key), "change {place}");
        }
        assert_eq!(write("README.md", "words"), seen[seen.len() - 1]);
    }
}
