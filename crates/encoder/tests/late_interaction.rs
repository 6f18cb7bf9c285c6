//! Texts to multi-vectors, against Stanford's ColBERT and PyLate on the fixtures of `fixtures/make.py`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use optical_encoder::{EncodeSettings, EncoderError, Model};
use optical_tokenize::Role;
use safetensors::SafeTensors;

const FIXTURES: [&str; 6] = [
    "colbert-stanford",
    "colbert-stanford-attending",
    "colbert-pylate",
    "colbert-pylate-xlm-roberta",
    "colbert-pylate-deberta-v2",
    "colbert-pylate-modernbert",
];
const WIDTH: usize = 16;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn texts() -> Vec<String> {
    serde_json::from_slice(&std::fs::read(folder("texts.json")).unwrap()).unwrap()
}

fn encode(model: &Model, role: Role) -> Vec<Vec<f32>> {
    let texts = texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let settings = EncodeSettings {
        role,
        maximum_length: model.config.maximum_length(),
        tokens_per_batch: 100,
    };
    let mut vectors = vec![Vec::new(); texts.len()];
    let head = model.head_or_identity();
    model
        .encode(&texts, &[&head], settings, &Device::flex(), |text| {
            vectors[text.index] = text.vectors[0].clone();
            Ok::<_, EncoderError>(())
        })
        .unwrap();
    vectors
}

fn expected(name: &str, role: &str) -> Vec<Vec<f32>> {
    let bytes = std::fs::read(folder(name).join("expected.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let rows = (0..texts().len()).map(|index| {
        let view = file.tensor(&format!("{role}.{index}")).unwrap();
        assert_eq!(view.shape()[1], WIDTH);
        let words = view.data().as_chunks::<4>().0.iter();
        words.map(|word| f32::from_le_bytes(*word)).collect()
    });
    rows.collect()
}

fn greatest_distance(found: &[f32], expected: &[f32]) -> f32 {
    let distances = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    distances.fold(0.0, f32::max)
}

#[test]
fn vectors_are_those_of_the_reference() {
    for name in FIXTURES {
        let model = Model::load(&folder(name), &Device::flex()).unwrap();
        assert_eq!(model.dimensions(), WIDTH);
        for (role, key) in [(Role::Query, "query"), (Role::Document, "document")] {
            let pairs = encode(&model, role).into_iter().zip(expected(name, key));
            for (index, (found, expected)) in pairs.enumerate() {
                let text = &texts()[index];
                assert_eq!(
                    found.len() / WIDTH,
                    expected.len() / WIDTH,
                    "vectors of {name}, {key} {text:?}"
                );
                let distance = greatest_distance(&found, &expected);
                assert!(
                    distance <= 1e-5,
                    "{name}, {key} {text:?} is off by {distance}"
                );
            }
        }
    }
}

#[test]
fn a_saved_or_pruned_model_gives_the_same_vectors() {
    let saved = tempfile::tempdir().unwrap();
    for name in FIXTURES {
        let model = Model::load(&folder(name), &Device::flex()).unwrap();
        let path = saved.path().join(name);
        model.save(&path).unwrap();
        let again = Model::load(&path, &Device::flex()).unwrap();
        assert_eq!(again.tokenizer.colbert(), model.tokenizer.colbert());
        let mut used = BTreeSet::new();
        for role in [Role::Query, Role::Document] {
            for text in texts() {
                used.extend(model.tokenizer.encode(&text, role, 1000).unwrap().ids);
            }
        }
        let pruned = model.clone().prune_vocabulary(&used).unwrap();
        for role in [Role::Query, Role::Document] {
            let vectors = encode(&model, role);
            assert_eq!(encode(&again, role), vectors, "{name} saved");
            assert_eq!(encode(&pruned, role), vectors, "{name} pruned");
        }
    }
}

/// What is changed in a file, and what the refusal says.
type Change = (&'static str, &'static str, &'static str, &'static str);

#[test]
fn conventions_that_make_no_sense_are_refused_by_key() {
    let changes: [Change; 8] = [
        (
            "colbert-stanford",
            "artifact.metadata",
            "\"query_maxlen\": 16",
            "\"query_maxlen\": 0",
        ),
        (
            "colbert-stanford",
            "artifact.metadata",
            "\"[unused0]\"",
            "\"[Q]\"",
        ),
        (
            "colbert-stanford",
            "artifact.metadata",
            "\"doc_maxlen\": 24",
            "\"doc_maxlen\": \"long\"",
        ),
        (
            "colbert-stanford",
            "artifact.metadata",
            "\"mask_punctuation\": true",
            "\"mask_punctuation\": 1",
        ),
        (
            "colbert-pylate",
            "config_sentence_transformers.json",
            "\"[Q] \"",
            "\"[X] \"",
        ),
        (
            "colbert-pylate",
            "config_sentence_transformers.json",
            "\"query_length\": 12",
            "\"query_length\": -1",
        ),
        (
            "colbert-pylate",
            "config_sentence_transformers.json",
            "\"!\"",
            "3",
        ),
        (
            "colbert-pylate",
            "config_sentence_transformers.json",
            "\"default_prompt_name\": null",
            "\"default_prompt_name\": \"x\"",
        ),
    ];
    let expected = [
        "query_maxlen = 0, expected 1 to",
        "no entry \"[Q]\"",
        "doc_maxlen = \"long\", expected 1 to",
        "mask_punctuation = 1, expected true or false",
        "no entry \"[X] \"",
        "query_length = -1, expected 1 to",
        "expected a list of texts",
        "default_prompt_name = \"x\", expected null",
    ];
    for ((name, file, from, to), expected) in changes.into_iter().zip(expected) {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&folder(name), copy.path());
        let path = copy.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let error = Model::load(copy.path(), &Device::flex())
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error} instead of {expected}");
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}
