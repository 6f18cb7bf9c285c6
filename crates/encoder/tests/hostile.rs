//! Files of a model's folder with any bytes in them: each is read or refused, without a panic.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use optical_encoder::{Model, Outline, model_files};
use optical_tokenize::Role;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tempfile::TempDir;

/// What is read as text, and the fixture that has it.
const TEXTS: [(&str, &str); 9] = [
    ("colbert-pylate", "modules.json"),
    ("colbert-pylate", "config.json"),
    ("colbert-pylate", "config_sentence_transformers.json"),
    ("colbert-pylate", "sentence_bert_config.json"),
    ("colbert-pylate", "tokenizer.json"),
    ("colbert-pylate", "tokenizer_config.json"),
    ("colbert-pylate", "1_Dense/config.json"),
    ("colbert-stanford", "artifact.metadata"),
    ("xlm-roberta", "model.safetensors.index.json"),
];

/// Weights in each format: safetensors, a zip archive of torch, and pickles one after the other.
const WEIGHTS: [(&str, &str); 3] = [
    ("colbert-pylate", "1_Dense/model.safetensors"),
    ("deberta-v2", "pytorch_model.bin"),
    ("minilm", "pytorch_model.bin"),
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// A copy of what `folder` is read for, with `bytes` in place of `file`.
fn with(folder: &str, file: &str, bytes: &[u8]) -> TempDir {
    let (from, to) = (fixture(folder), tempfile::tempdir().unwrap());
    for name in model_files(&from).unwrap() {
        let place = to.path().join(&name);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::copy(from.join(&name), place).unwrap();
    }
    std::fs::write(to.path().join(file), bytes).unwrap();
    to
}

/// One change of a file.
#[derive(Debug, Clone)]
enum Damage {
    /// Another byte.
    Change(Index, u8),
    /// Other bytes in between: numbers, and what JSON is built of.
    Insert(Index, String),
    /// Nothing from here on.
    Cut(Index),
    /// A stretch that comes twice.
    Repeat(Index, usize),
}

impl Damage {
    fn make(&self, bytes: &mut Vec<u8>) {
        let place = |index: &Index| index.index(bytes.len().max(1)).min(bytes.len());
        match self {
            Self::Change(index, byte) => {
                let place = place(index);
                if let Some(old) = bytes.get_mut(place) {
                    *old = *byte;
                }
            }
            Self::Insert(index, text) => {
                let place = place(index);
                bytes.splice(place..place, text.bytes());
            }
            Self::Cut(index) => {
                let place = place(index);
                bytes.truncate(place);
            }
            Self::Repeat(index, length) => {
                let place = place(index);
                let stretch = bytes[place..bytes.len().min(place + length)].to_vec();
                bytes.splice(place..place, stretch);
            }
        }
    }
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let one = prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Change(at, byte)),
        4 => (any::<Index>(), r#"[0-9]{1,20}|[\[\]{}",:.-]|null|"[a-z]{0,5}":"#)
            .prop_map(|(at, text)| Damage::Insert(at, text)),
        1 => any::<Index>().prop_map(Damage::Cut),
        2 => (any::<Index>(), 1..80_usize).prop_map(|(at, length)| Damage::Repeat(at, length)),
    ];
    prop::collection::vec(one, 1..4)
}

/// Reads all that can be read of a folder without its tensors.
fn read(folder: &TempDir) {
    drop(model_files(folder.path()));
    if let Ok(outline) = Outline::read(folder.path()) {
        for role in [Role::Query, Role::Document] {
            drop(outline.tokenizer.encode("maji, moto; nyota", role, 20));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn damaged_texts_are_read_or_refused((name, file) in select(&TEXTS), damages in damages()) {
        let mut bytes = std::fs::read(fixture(name).join(file)).unwrap();
        for damage in &damages {
            damage.make(&mut bytes);
        }
        read(&with(name, file, &bytes));
    }

    #[test]
    fn any_bytes_in_place_of_a_text_are_read_or_refused(
        (name, file) in select(&TEXTS),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        read(&with(name, file, &bytes));
    }

    #[test]
    fn damaged_weights_are_read_or_refused((name, file) in select(&WEIGHTS), damages in damages()) {
        let mut bytes = std::fs::read(fixture(name).join(file)).unwrap();
        for damage in &damages {
            damage.make(&mut bytes);
        }
        drop(Model::load(with(name, file, &bytes).path(), &Device::flex()));
    }

    #[test]
    fn any_bytes_in_place_of_weights_are_refused(
        (name, file) in select(&WEIGHTS),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        prop_assert!(Model::load(with(name, file, &bytes).path(), &Device::flex()).is_err());
    }
}
