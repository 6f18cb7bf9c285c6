//! Whole, damaged and hostile files.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use super::*;

fn file(tensors: &[NamedTensor]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    write_weights(&path, tensors).unwrap();
    (folder, path)
}

fn named(name: &str, values: &[f32]) -> NamedTensor {
    (name.to_owned(), vec![values.len()], values.to_vec())
}

/// Why a file of these bytes is refused.
fn refused(name: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let error = WeightsReader::open(&path).unwrap_err().to_string();
    assert!(error.contains(name), "{error} does not name the file");
    error
}

#[test]
fn what_is_written_is_read() {
    let (_folder, path) = file(&[named("a", &[1.0, -2.5]), named("own.w", &[3.0])]);
    let mut reader = WeightsReader::open(&path).unwrap();
    assert_eq!(reader.shape("a"), Some(&[2][..]));
    assert_eq!(reader.take("a", &[2]).unwrap(), [1.0, -2.5]);
    assert_eq!(reader.finish(&["own."]).unwrap(), ["own"]);
}

#[test]
fn old_names_of_norms_are_known() {
    let (_folder, path) = file(&[
        named("LayerNorm.gamma", &[1.0]),
        named("LayerNorm.beta", &[2.0]),
    ]);
    let mut reader = WeightsReader::open(&path).unwrap();
    assert_eq!(reader.take("LayerNorm.weight", &[1]).unwrap(), [1.0]);
    assert_eq!(reader.take("LayerNorm.bias", &[1]).unwrap(), [2.0]);
}

#[test]
fn missing_unused_misshapen_and_nan_tensors_are_named() {
    let (_folder, path) = file(&[named("a", &[1.0]), named("extra", &[2.0])]);
    let mut reader = WeightsReader::open(&path).unwrap();
    let missing = reader.take("b", &[1]).unwrap_err().to_string();
    assert!(missing.ends_with("has no tensor b"), "{missing}");
    let shape = reader.take("a", &[1, 1]).unwrap_err().to_string();
    assert!(
        shape.contains("tensor a has shape [1], expected [1, 1]"),
        "{shape}"
    );
    let unused = reader.finish(&[]).unwrap_err().to_string();
    assert!(unused.ends_with("does not use: extra"), "{unused}");
    for (value, text) in [(f32::NAN, "NaN"), (f32::NEG_INFINITY, "-inf")] {
        let (_folder, path) = file(&[named("a", &[1.0, value])]);
        let mut reader = WeightsReader::open(&path).unwrap();
        let error = reader.take("a", &[2]).unwrap_err().to_string();
        let expected = format!("tensor a holds {text} at position 1");
        assert!(error.contains(&expected), "{error}");
    }
}

#[test]
fn a_tensor_under_both_names_is_refused() {
    let (_folder, path) = file(&[named("bert.a", &[1.0]), named("a", &[2.0])]);
    let mut reader = WeightsReader::open(&path).unwrap();
    reader.strip_prefix_of("a").unwrap();
    reader.take("a", &[1]).unwrap();
    let unused = reader.finish(&[]).unwrap_err().to_string();
    assert!(unused.ends_with("does not use: bert.a"), "{unused}");
}

/// What is left out where all names of an encoder begin with a prefix, with heads beside it.
#[test]
fn whatever_stands_before_the_encoder_is_taken_off() {
    for (prefix, head) in [
        ("", "classifier.weight"),
        ("bert.", "classifier.weight"),
        ("module.", "module.classifier.weight"),
        ("module.bert.", "module.classifier.weight"),
        (
            "_orig_mod.module.roberta.",
            "_orig_mod.module.classifier.weight",
        ),
        ("0.auto_model.", "0.auto_model.classifier.weight"),
        ("model.encoder.", "model.classifier.weight"),
    ] {
        let tensors = ["a.words", "a.b"].map(|name| named(&format!("{prefix}{name}"), &[1.0]));
        let (_folder, path) = file(&[&tensors[..], &[named(head, &[1.0])]].concat());
        let mut reader = WeightsReader::open(&path).unwrap();
        reader.strip_prefix_of("a.words").unwrap();
        reader.take("a.words", &[1]).unwrap();
        reader.take("a.b", &[1]).unwrap();
        assert_eq!(reader.finish(&[]).unwrap(), ["classifier"], "{prefix}");
    }
    let two = [
        named("question.a.words", &[1.0]),
        named("answer.a.words", &[1.0]),
    ];
    let (_folder, path) = file(&two);
    let mut reader = WeightsReader::open(&path).unwrap();
    let error = reader.strip_prefix_of("a.words").unwrap_err().to_string();
    assert!(error.contains("begin with answer., question.;"), "{error}");
}

#[test]
fn all_that_is_missing_is_named_at_once() {
    let (_folder, path) = file(&[named("x", &[1.0]), named("y", &[1.0])]);
    let mut reader = WeightsReader::open(&path).unwrap();
    for name in 0..9 {
        reader.take_or_note(&format!("n{name}"), &[2, 3]).unwrap();
    }
    reader.take_or_note("y", &[1]).unwrap();
    let error = reader.check_missing().unwrap_err().to_string();
    assert!(
        error.contains("has no tensor n0 [2, 3], n1 [2, 3], ")
            && error.ends_with("n7 [2, 3] and 1 more; it has others: x"),
        "{error}"
    );
    // None is made room for that only a damaged configuration could ask for.
    assert!(reader.take_or_note("z", &[1 << 24, 1 << 24]).is_err());
}

#[test]
fn what_was_never_fetched_is_told_from_damage() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 470641600\n";
    let page = b"\n<!DOCTYPE html>\n<html><head><title>Sign in</title>";
    for name in ["model.safetensors", "pytorch_model.bin"] {
        assert!(
            refused(name, pointer)
                .contains("a Git LFS pointer, not the file itself; run `git lfs pull`")
        );
        assert!(refused(name, page).contains("is a web page"));
        assert!(refused(name, b"").contains("is an empty file"));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("release.bin");
    std::fs::write(&path, pointer).unwrap();
    let error = crate::convert_e5s1(&path, folder.path())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("release.bin is a Git LFS pointer"),
        "{error}"
    );
    let json = folder.path().join("model.safetensors.index.json");
    std::fs::write(&json, pointer).unwrap();
    let error = WeightsReader::in_folder(folder.path())
        .unwrap_err()
        .to_string();
    assert!(error.contains("index.json is a Git LFS pointer"), "{error}");
}

#[test]
fn halves_are_widened_and_other_numbers_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let header = br#"{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[4,6]},"c":{"dtype":"I64","shape":[1],"data_offsets":[6,14]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.extend([0x00, 0x3C, 0x00, 0xC0, 0x40, 0x40]);
    bytes.extend(7_i64.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let mut reader = WeightsReader::open(&path).unwrap();
    assert_eq!(reader.take("a", &[2]).unwrap(), [1.0, -2.0]);
    assert_eq!(reader.take("b", &[1]).unwrap(), [3.0]);
    let error = reader.take("c", &[1]).unwrap_err().to_string();
    assert!(error.contains("tensor c is i64, expected f32"), "{error}");
}

#[test]
fn a_truncated_file_is_an_error_wherever_it_ends() {
    let (_folder, path) = file(&[named("a", &[1.0; 64])]);
    let bytes = std::fs::read(&path).unwrap();
    for length in 0..bytes.len() {
        refused("model.safetensors", &bytes[..length]);
    }
}

#[test]
fn a_header_that_lies_is_an_error() {
    let claim = |header: &[u8], size: u64| {
        let mut bytes = size.to_le_bytes().to_vec();
        bytes.extend(header);
        refused("model.safetensors", &bytes)
    };
    let huge = claim(b"{}", u64::MAX);
    assert!(huge.contains("18446744073709551615 bytes"), "{huge}");
    let huge = claim(b"{}", 99_999_999);
    assert!(huge.contains("99999999 bytes, the file 10"), "{huge}");
    let lies = [
        // Shapes whose product overflows, or is not what the bytes hold.
        r#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}"#,
        r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
        // Overlapping, reversed and distant values.
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
        // What is not a header.
        r#"{"a":{"dtype":"X9","shape":[1],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
        "[",
        "",
        "\u{0}\u{0}",
    ];
    for header in lies {
        claim(header.as_bytes(), header.len() as u64);
    }
    let deep = "[".repeat(100_000);
    claim(deep.as_bytes(), deep.len() as u64);
}

/// Two shards of a tensor each, and an index of this weight map.
fn shards(map: &str) -> Result<WeightsReader, EncoderError> {
    let folder = tempfile::tempdir().unwrap();
    for (shard, name) in [("one", "a"), ("two", "b")] {
        let path = folder.path().join(format!("{shard}.safetensors"));
        write_weights(&path, &[named(name, &[1.0])]).unwrap();
    }
    let index = format!("{{\"weight_map\": {map}}}");
    std::fs::write(folder.path().join("model.safetensors.index.json"), index).unwrap();
    let mut reader = WeightsReader::in_folder(folder.path())?;
    reader.take("a", &[1])?;
    reader.take("b", &[1])?;
    Ok(reader)
}

#[test]
fn shards_are_joined() {
    let both = r#"{"a": "one.safetensors", "b": "two.safetensors"}"#;
    shards(both).unwrap().finish(&[]).unwrap();
}

#[test]
fn an_index_that_lies_is_an_error() {
    for (map, expected) in [
        ("[]", "weight_map is missing or not an object"),
        (
            r#"{"a": 3}"#,
            "weight_map.a = 3, expected the name of a file",
        ),
        (r#"{"a": "../one.safetensors"}"#, "weight_map.a = \"../one"),
        (r#"{"a": "/etc/passwd"}"#, "weight_map.a = \"/etc/passwd\""),
        (r#"{"a": "x/../one.safetensors"}"#, "weight_map.a = "),
        (r#"{"a": "..\\one.safetensors"}"#, "weight_map.a = "),
        (r#"{"a": "C:one.safetensors"}"#, "weight_map.a = "),
        (r#"{"a": ".."}"#, "weight_map.a = "),
        (r#"{"a": "."}"#, "weight_map.a = "),
        (r#"{"a": ""}"#, "weight_map.a = "),
        (
            r#"{"a": "three.safetensors"}"#,
            "three.safetensors cannot be read",
        ),
        (
            r#"{"b": "one.safetensors"}"#,
            "one.safetensors has no tensor b",
        ),
        (
            r#"{"a": "two.safetensors", "b": "one.safetensors"}"#,
            "tensor a is in one.safetensors too",
        ),
        (r#"{"a": "one.safetensors"}"#, "has no tensor b"),
    ] {
        let error = shards(map).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} instead of {expected}");
    }
}

#[test]
fn a_folder_without_weights_says_what_is_expected() {
    let folder = tempfile::tempdir().unwrap();
    let error = WeightsReader::in_folder(folder.path()).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        source.contains("expected model.safetensors or pytorch_model.bin"),
        "{source}"
    );
}
