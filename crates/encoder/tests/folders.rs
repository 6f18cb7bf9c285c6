//! Folders as people have them: parts in folders below, settings beside the weights that change
//! vectors, wrapped names, files that were never fetched.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use optical_encoder::testing::{HIDDEN, tiny_checkpoint};
use optical_encoder::{
    EncodeSettings, EncoderError, Head, Model, NamedTensor, Pooling, model_files, write_weights,
};
use optical_tokenize::Role;
use serde_json::{Value, json};
use tempfile::TempDir;

const WORDS: [&str; 5] = ["maji", "moto", "nyota", "jua", "mti"];
const TRANSFORMER: &str = "sentence_transformers.models.Transformer";

fn tiny(at: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    tiny_checkpoint(&folder.path().join(at), "bert", &WORDS, 3).unwrap();
    folder
}

fn write(folder: &TempDir, name: &str, json: &Value) {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, json.to_string()).unwrap();
}

fn load(folder: &Path) -> Model {
    Model::load(folder, &Device::flex()).unwrap()
}

fn refused(folder: &Path) -> String {
    let error = Model::load(folder, &Device::flex()).unwrap_err();
    error.to_string()
}

fn try_encode(model: &Model, text: &str, length: usize) -> Result<Vec<f32>, EncoderError> {
    let settings = EncodeSettings {
        role: Role::Document,
        maximum_length: length,
        tokens_per_batch: 64,
    };
    let (head, mut vectors) = (model.head_or_identity(), Vec::new());
    model.encode(&[text], &[&head], settings, &Device::flex(), |text| {
        vectors.clone_from(&text.vectors[0]);
        Ok::<_, EncoderError>(())
    })?;
    Ok(vectors)
}

fn encode(model: &Model, text: &str) -> Vec<f32> {
    try_encode(model, text, model.maximum_length()).unwrap()
}

/// The tensors of the tiny checkpoint, after a prefix.
fn tensors(prefix: &str) -> Vec<NamedTensor> {
    let tensors = load(tiny("").path()).encoder.tensors().unwrap();
    let tensors = tensors.into_iter();
    tensors
        .map(|(name, shape, values)| (format!("{prefix}{name}"), shape, values))
        .collect()
}

/// A model with all that a folder can have, in folders below, with its weights in two shards.
fn whole() -> TempDir {
    let folder = tiny("0_Transformer");
    let weights = folder.path().join("0_Transformer/model.safetensors");
    std::fs::remove_file(&weights).unwrap();
    let tensors = tensors("");
    let (first, second) = tensors.split_at(5);
    let mut shard_of = serde_json::Map::new();
    for (shard, tensors) in [("one.safetensors", first), ("two.safetensors", second)] {
        write_weights(&weights.with_file_name(shard), tensors).unwrap();
        shard_of.extend(
            tensors
                .iter()
                .map(|(name, ..)| (name.clone(), shard.into())),
        );
    }
    let index = json!({"weight_map": shard_of});
    write(
        &folder,
        "0_Transformer/model.safetensors.index.json",
        &index,
    );
    let transformer = "0_Transformer/sentence_bert_config.json";
    write(
        &folder,
        transformer,
        &json!({"max_seq_length": 9, "do_lower_case": true}),
    );
    let tokenizer = "0_Transformer/tokenizer_config.json";
    write(&folder, tokenizer, &json!({"truncation_side": "left"}));
    let modules = json!([{"path": "0_Transformer", "type": TRANSFORMER},
        {"path": "1_Dense", "type": "pylate.models.Dense.Dense"},
        {"path": "2_Pooling", "type": "sentence_transformers.models.Pooling"}]);
    write(&folder, "modules.json", &modules);
    write(
        &folder,
        "2_Pooling/config.json",
        &json!({"pooling_mode_cls_token": true}),
    );
    let prompts = json!({"prompts": {"passage": "jua "}});
    write(&folder, "config_sentence_transformers.json", &prompts);
    let weight = (0..3 * HIDDEN).map(|at| (at % 5) as f32 - 1.5).collect();
    let head = Head {
        input: HIDDEN,
        output: 3,
        weight,
        bias: vec![0.1; 3],
    };
    head.save(&folder.path().join("1_Dense")).unwrap();
    write(&folder, "onnx/config.json", &json!({}));
    std::fs::write(folder.path().join("README.md"), "# A model").unwrap();
    folder
}

/// Those files are read and no others: a copy of them alone is the same model, and none can be damaged.
#[test]
fn vectors_follow_from_the_files_that_are_listed() {
    let folder = whole();
    let files = model_files(folder.path()).unwrap();
    let expected = [
        "0_Transformer/config.json",
        "0_Transformer/model.safetensors.index.json",
        "0_Transformer/one.safetensors",
        "0_Transformer/sentence_bert_config.json",
        "0_Transformer/tokenizer.json",
        "0_Transformer/tokenizer_config.json",
        "0_Transformer/two.safetensors",
        "1_Dense/config.json",
        "1_Dense/model.safetensors",
        "2_Pooling/config.json",
        "config_sentence_transformers.json",
        "modules.json",
    ];
    assert_eq!(files, expected.map(PathBuf::from));
    let text = "Maji MOTO nyota jua mti maji moto nyota jua maji";
    let vectors = encode(&load(folder.path()), text);
    assert_eq!(vectors.len() % 3, 0);
    let copy = tempfile::tempdir().unwrap();
    for file in &files {
        let to = copy.path().join(file);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(folder.path().join(file), to).unwrap();
    }
    assert_eq!(encode(&load(copy.path()), text), vectors);
    for file in &files {
        let path = copy.path().join(file);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, "[").unwrap();
        let error = Model::load(copy.path(), &Device::flex()).err();
        assert!(error.is_some(), "{} is not read", file.display());
        std::fs::write(&path, bytes).unwrap();
    }
}

/// A file that is added to a plain folder is listed if the loader knows it.
#[test]
fn files_that_are_added_are_listed() {
    let folder = tiny("");
    let plain = ["config.json", "model.safetensors", "tokenizer.json"];
    assert_eq!(
        model_files(folder.path()).unwrap(),
        plain.map(PathBuf::from)
    );
    for name in [
        "modules.json",
        "config_sentence_transformers.json",
        "sentence_bert_config.json",
        "sentence_xlm-roberta_config.json",
        "tokenizer_config.json",
        "artifact.metadata",
    ] {
        let modules = json!([{"path": "", "type": TRANSFORMER}]);
        let other = json!({});
        write(
            &folder,
            name,
            if name == "modules.json" {
                &modules
            } else {
                &other
            },
        );
        let files = model_files(folder.path()).unwrap();
        assert!(files.contains(&PathBuf::from(name)), "{name}: {files:?}");
    }
    let empty = tempfile::tempdir().unwrap();
    let error = model_files(empty.path()).unwrap_err().to_string();
    assert!(error.ends_with("it has no config.json"), "{error}");
}

#[test]
fn a_folder_that_wants_lower_case_gets_it() {
    let folder = tiny("");
    let plain = load(folder.path());
    let expected = encode(&plain, "maji moto");
    assert_ne!(encode(&plain, "MAJI Moto"), expected);
    write(
        &folder,
        "sentence_bert_config.json",
        &json!({"do_lower_case": true}),
    );
    let lower = load(folder.path());
    assert_eq!(encode(&lower, "MAJI Moto"), expected);
    let saved = folder.path().join("saved");
    lower.save(&saved).unwrap();
    assert_eq!(encode(&load(&saved), "MAJI Moto"), expected);
}

#[test]
fn texts_are_as_long_as_the_files_say_and_as_asked_up_to_the_positions() {
    let folder = tiny("");
    let text = "maji moto nyota jua mti maji moto";
    let length = |folder: &Path| load(folder).maximum_length();
    assert_eq!(length(folder.path()), 24);
    write(
        &folder,
        "tokenizer_config.json",
        &json!({"model_max_length": 1e30}),
    );
    assert_eq!(length(folder.path()), 24);
    write(
        &folder,
        "tokenizer_config.json",
        &json!({"model_max_length": 6}),
    );
    assert_eq!(length(folder.path()), 6);
    write(
        &folder,
        "sentence_bert_config.json",
        &json!({"max_seq_length": 5}),
    );
    let model = load(folder.path());
    assert_eq!(model.maximum_length(), 5);
    assert_eq!(encode(&model, text).len(), 3 * HIDDEN);
    let saved = folder.path().join("saved");
    model.save(&saved).unwrap();
    assert_eq!(length(&saved), 5);
    // Whoever asks for more gets it, as in sentence-transformers, while there are positions.
    assert_eq!(try_encode(&model, text, 24).unwrap().len(), 7 * HIDDEN);
    let error = try_encode(&model, text, 25).unwrap_err().to_string();
    assert_eq!(
        error,
        "25 tokens are more than the 24 that the encoder has positions for"
    );
    write(
        &folder,
        "sentence_bert_config.json",
        &json!({"max_seq_length": 512}),
    );
    assert_eq!(length(folder.path()), 24);
}

#[test]
fn prompts_are_found_by_what_they_are_for() {
    let folder = tiny("");
    for (config, query, document) in [
        (
            json!({"prompts": {"query": "q: ", "passage": "p: "}}),
            "q: ",
            "p: ",
        ),
        // As sentence-transformers saves one that it was given only passages for.
        (
            json!({"prompts": {"query": "", "document": "", "passage": "p: "}}),
            "",
            "p: ",
        ),
        (
            json!({"prompts": {"search_query": "q: ", "search_document": "d: "}}),
            "q: ",
            "d: ",
        ),
        (
            json!({"prompts": {"all": "a: "}, "default_prompt_name": "all"}),
            "a: ",
            "a: ",
        ),
        (
            json!({"prompts": {"all": "a: ", "query": "q: "}, "default_prompt_name": "all"}),
            "q: ",
            "a: ",
        ),
        (
            json!({"prompts": {"query": "q: "}, "default_prompt_name": "query"}),
            "q: ",
            "",
        ),
        (
            json!({"prompts": {"sts": "s: "}, "default_prompt_name": null}),
            "",
            "",
        ),
    ] {
        write(&folder, "config_sentence_transformers.json", &config);
        let model = load(folder.path());
        let markers = model.tokenizer.markers();
        assert_eq!(
            (&*markers.query, &*markers.document),
            (query, document),
            "{config}"
        );
    }
    for (config, expected) in [
        (
            json!({"prompts": {"query": 3}}),
            "prompts = {\"query\":3}, expected names",
        ),
        (
            json!({"default_prompt_name": "all"}),
            "\"all\", expected the name of a prompt",
        ),
    ] {
        write(&folder, "config_sentence_transformers.json", &config);
        let error = refused(folder.path());
        assert!(error.contains(expected), "{error} instead of {expected}");
    }
}

#[test]
fn texts_are_pooled_as_the_folder_says_or_not_at_all() {
    let folder = tiny("");
    assert!(load(folder.path()).check_pooling(Pooling::First).is_ok());
    let module = |path: &str, kind: &str| json!({"path": path, "type": format!("sentence_transformers.models.{kind}")});
    let mut modules = vec![module("", "Transformer"), module("1_Pooling", "Pooling")];
    write(&folder, "modules.json", &json!(modules));
    let check = |config: Value, pooling| {
        write(&folder, "1_Pooling/config.json", &config);
        let checked = load(folder.path()).check_pooling(pooling);
        checked.map_err(|error| error.to_string())
    };
    let mean = json!({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false});
    let first = json!({"pooling_mode": "cls"});
    assert_eq!(check(mean.clone(), Pooling::Mean), Ok(()));
    assert_eq!(check(first.clone(), Pooling::First), Ok(()));
    for (config, pooling, expected) in [
        (
            mean.clone(),
            Pooling::First,
            "the mean of its tokens, not that of the first",
        ),
        (
            first,
            Pooling::Mean,
            "that of the first token, not the mean",
        ),
        (
            json!({"pooling_mode_max_tokens": true}),
            Pooling::Mean,
            "by max_tokens, which",
        ),
        (
            json!({"include_prompt": false}),
            Pooling::Mean,
            "without the prompt's tokens",
        ),
    ] {
        let error = check(config, pooling).unwrap_err();
        assert!(error.contains(expected), "{error} instead of {expected}");
    }
    modules.extend([
        module("2_Dense", "Dense"),
        module("3_Normalize", "Normalize"),
    ]);
    write(&folder, "modules.json", &json!(modules));
    let error = check(mean, Pooling::Mean).unwrap_err();
    assert!(error.contains("goes through Dense, which"), "{error}");
}

#[test]
fn wrapped_names_are_known_and_other_tasks_left_out() {
    let folder = tiny("");
    let plain = encode(&load(folder.path()), "maji jua");
    let weights = folder.path().join("model.safetensors");
    for (prefix, head) in [
        ("module.", "module.classifier"),
        ("module.bert.", "module.classifier"),
        ("_orig_mod.roberta.", "_orig_mod.classifier"),
        ("model.encoder.", "model.classifier"),
    ] {
        let mut tensors = tensors(prefix);
        tensors.push((format!("{head}.bias"), vec![1], vec![0.0]));
        write_weights(&weights, &tensors).unwrap();
        let model = load(folder.path());
        assert_eq!(encode(&model, "maji jua"), plain, "{prefix}");
        assert_eq!(model.left_out, ["classifier"], "{prefix}");
    }
    let mut tensors = tensors("bert.");
    tensors.retain(|(name, ..)| !name.contains("layer.1"));
    write_weights(&weights, &tensors).unwrap();
    let error = refused(folder.path());
    let first = "has no tensor encoder.layer.1.attention.self.query.weight [8, 8], ";
    assert!(
        error.contains(first) && error.ends_with("and 8 more"),
        "{error}"
    );
    tensors.retain(|(name, ..)| !name.contains("word_embeddings"));
    write_weights(&weights, &tensors).unwrap();
    let error = refused(folder.path());
    assert!(
        error.contains("; it has others: bert.embeddings."),
        "{error}"
    );
}

#[test]
fn marks_in_json_are_no_part_of_it() {
    let folder = tiny("");
    let plain = encode(&load(folder.path()), "maji jua");
    write(
        &folder,
        "modules.json",
        &json!([{"path": "", "type": TRANSFORMER}]),
    );
    write(
        &folder,
        "tokenizer_config.json",
        &json!({"truncation_side": "left"}),
    );
    for name in [
        "modules.json",
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ] {
        let path = folder.path().join(name);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&b"\xEF\xBB\xBF"[..], &bytes].concat()).unwrap();
        assert_eq!(encode(&load(folder.path()), "maji jua"), plain, "{name}");
    }
}

#[test]
fn what_changes_vectors_and_is_not_done_is_refused_by_key() {
    let folder = tiny("");
    let path = folder.path().join("config.json");
    let config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for (key, value, expected) in [
        (
            "is_decoder",
            json!(true),
            "is_decoder = true, expected false",
        ),
        (
            "quantization_config",
            json!({"bits": 8}),
            "expected null: save the weights",
        ),
        (
            "position_embedding_type",
            json!("relative_key"),
            "expected \"absolute\"",
        ),
        ("hidden_act", json!("gelu_new"), "expected \"gelu\""),
    ] {
        let mut config = config.clone();
        config[key] = value;
        write(&folder, "config.json", &config);
        let error = refused(folder.path());
        assert!(error.contains(expected), "{error} instead of {expected}");
    }
    write(&folder, "config.json", &config);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 17\n";
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let folder = tiny("");
        std::fs::write(folder.path().join(name), pointer).unwrap();
        let error = refused(folder.path());
        assert!(
            error.contains(&format!("{name} is a Git LFS pointer")),
            "{error}"
        );
    }
}

/// transformers warns of a tokenizer of Mistral where a file names no version.
#[test]
fn saved_settings_name_their_version_and_have_the_digits_that_were_given() {
    let folder = tiny("");
    let path = folder.path().join("config.json");
    let config = std::fs::read_to_string(&path).unwrap();
    // What 1e-12 in single precision is in double precision.
    let long = config.replace("1e-12", "9.999999960041972e-13");
    assert_ne!(long, config);
    std::fs::write(&path, long).unwrap();
    let saved = folder.path().join("saved");
    load(folder.path()).save(&saved).unwrap();
    let saved = std::fs::read_to_string(saved.join("config.json")).unwrap();
    for expected in [
        "\"layer_norm_eps\": 1e-12",
        "\"hidden_dropout_prob\": 0.1",
        "\"transformers_version\": \"4.",
    ] {
        assert!(saved.contains(expected), "{saved}");
    }
}
