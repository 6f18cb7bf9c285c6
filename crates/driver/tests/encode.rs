//! `optical encode`, as a user runs it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "main_job/setting.rs"]
#[allow(dead_code, reason = "the main job's tests use more of it")]
mod setting;

use std::path::Path;
use std::process::{Command, Output};

use optical_encoder::testing::{HIDDEN, tiny_checkpoint};
use safetensors::SafeTensors;
use setting::{change_tokenizer, optical};

fn encode(folder: &Path, arguments: &[&str]) -> Output {
    optical(
        folder,
        &[&["encode", "--model", "model"], arguments].concat(),
    )
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let words = ["water", "fire", "the"];
    tiny_checkpoint(&folder.path().join("model"), "xlm-roberta", &words, 5).unwrap();
    std::fs::write(
        folder.path().join("texts.tsv"),
        "d1\twater\nd2\tthe fire\nd3\t\n",
    )
    .unwrap();
    folder
}

/// A tensor's shape and its numbers.
fn tensor(path: &Path, name: &str) -> (Vec<usize>, Vec<u8>) {
    let bytes = std::fs::read(path).unwrap();
    let read = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = read.tensor(name).unwrap();
    (tensor.shape().to_vec(), tensor.data().to_vec())
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let four = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
    bytes.chunks(4).map(four).collect()
}

#[test]
fn every_token_gets_a_unit_vector() {
    let folder = folder();
    let output = encode(
        folder.path(),
        &["--input", "texts.tsv", "--output", "v.safetensors"],
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let path = folder.path().join("v.safetensors");
    let (shape, bytes) = tensor(&path, "vectors");
    assert_eq!(shape, [3, HIDDEN]);
    for vector in floats(&bytes).chunks(HIDDEN) {
        let length: f32 = vector.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
    let (_, lengths) = tensor(&path, "lengths");
    assert_eq!(lengths, [1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(tensor(&path, "ids").1, b"d1\nd2\nd3\n");
}

#[test]
fn a_text_gets_one_vector_if_asked_to() {
    let folder = folder();
    let vectors = |pool: &str| {
        let arguments = [
            "--input",
            "texts.tsv",
            "--output",
            pool,
            "--pool",
            pool,
            "--query",
        ];
        assert!(encode(folder.path(), &arguments).status.success());
        let (shape, bytes) = tensor(&folder.path().join(pool), "vectors");
        assert_eq!(shape, [3, HIDDEN]);
        floats(&bytes)
    };
    let (mean, first) = (vectors("mean"), vectors("cls"));
    assert_ne!(mean, first);
    assert!(mean.iter().chain(&first).all(|value| value.is_finite()));
}

/// Of a tokenizer that adds no special tokens, an empty text has no token at all.
#[test]
fn a_text_of_no_token_at_all_has_no_vector() {
    let folder = folder();
    change_tokenizer(folder.path(), |json| {
        json["post_processor"] = serde_json::Value::Null;
    });
    std::fs::write(folder.path().join("texts.tsv"), "d1\t\nd2\twater\nd3\t\n").unwrap();
    for pool in ["tokens", "mean"] {
        let arguments = ["--input", "texts.tsv", "--output", pool, "--pool", pool];
        let output = encode(folder.path(), &arguments);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{message}");
        let (_, lengths) = tensor(&folder.path().join(pool), "lengths");
        assert_eq!(lengths, [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], "{pool}");
    }
}

#[test]
fn faults_are_told_and_leave_no_output() {
    let folder = folder();
    for (arguments, expected) in [
        (&["--input", "none.tsv", "--output", "v"][..], "none.tsv"),
        (
            &["--input", "texts.tsv", "--output", "v", "--length", "0"],
            "--length 0",
        ),
        (
            &["--input", "texts.tsv", "--output", "v", "--length", "99"],
            "--length: 99 tokens are more than the 22",
        ),
        (
            &["--input", "texts.tsv", "--output", "model/config.json/v"],
            "model/config.json",
        ),
        (
            &["--input", "texts.tsv", "--output", "model/../texts.tsv"],
            "is an input, too",
        ),
    ] {
        let output = encode(folder.path(), arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && message.contains(expected),
            "{message}"
        );
        assert!(!folder.path().join("v").exists());
    }
}

/// Stopped, resumed to the same bytes, and never with another model.
#[cfg(unix)]
#[test]
fn a_stopped_encoding_resumes_with_the_same_model_only() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let texts: String = (0..60_000)
        .map(|number| format!("{number}\tfire water the fire\n"))
        .collect();
    std::fs::write(path("many.tsv"), texts).unwrap();
    let arguments = |output| {
        [
            "--input", "many.tsv", "--output", output, "--pool", "mean", "--length", "8",
        ]
    };
    let mut child = Command::new(env!("CARGO_BIN_EXE_optical"))
        .current_dir(folder.path())
        .env("OPTICAL_CACHE", path("cache"))
        .args(["encode", "--model", "model"])
        .args(arguments("v"))
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !path("v.partial/state.json").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended too soon");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    for (name, seed) in [("other", 6), ("same", 5)] {
        let words = ["water", "fire", "the"];
        tiny_checkpoint(&path(name), "xlm-roberta", &words, seed).unwrap();
    }
    let swap = |name: &str| {
        std::fs::remove_dir_all(path("model")).unwrap();
        std::fs::rename(path(name), path("model")).unwrap();
    };
    swap("other");
    let refused = encode(folder.path(), &arguments("v"));
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        message.contains("v.partial: was begun with model ") && message.contains("begin anew"),
        "{message}"
    );
    swap("same");
    for output in ["v", "whole"] {
        assert!(encode(folder.path(), &arguments(output)).status.success());
    }
    assert!(std::fs::read(path("v")).unwrap() == std::fs::read(path("whole")).unwrap());
}
