//! The tokenizer of a folder: `tokenizer.json`, as the files beside it change it.
//!
//! The Hugging Face library and sentence-transformers change the tokenizer that they read by keys of
//! `tokenizer_config.json` and `sentence_bert_config.json`. Here the changes are made in the JSON, so
//! that whatever is saved, pruned or compared is what texts are read by.

use std::path::Path;

use serde_json::{Value, json};

use crate::EncoderError;
use crate::files::SENTENCE_CONFIGS;
use crate::keys::Keys;
use crate::read::read;
use crate::template;

/// What a folder says of its tokenizer.
pub(crate) struct TokenizerFile {
    /// The `tokenizer.json`.
    pub(crate) json: Vec<u8>,
    /// The most tokens of a text, if a file says so.
    pub(crate) maximum: Option<usize>,
}

/// Reads the tokenizer beside an encoder.
///
/// # Errors
/// If there is none, a file is malformed, or a key asks for what this crate does not do.
pub(crate) fn read_tokenizer(folder: &Path) -> Result<TokenizerFile, EncoderError> {
    let path = folder.join("tokenizer.json");
    let bytes = read(&path)?.ok_or_else(|| EncoderError::NoTokenizer {
        folder: folder.to_owned(),
        instead: instead(folder),
    })?;
    let sentence = sentence_config(folder)?;
    let config = Keys::read(folder.join("tokenizer_config.json"))?;
    let mut changes: Vec<Change> = Vec::new();
    if let Some(config) = &config {
        changes.extend(of_the_library(config)?);
    }
    let mut maximum = match &config {
        Some(config) => config.limit("model_max_length")?,
        None => None,
    };
    if let Some(sentence) = &sentence {
        refuse_unknown(sentence)?;
        // As in sentence-transformers, its own length stands above the library's.
        maximum = sentence.limit("max_seq_length")?.or(maximum);
        if sentence.flag("do_lower_case", false)? {
            changes.push(Box::new(lower_case));
        }
    }
    let json = changed(&path, bytes, &changes)?;
    match template::check(&json) {
        Ok(()) => Ok(TokenizerFile { json, maximum }),
        Err(reason) => Err(EncoderError::Config { path, reason }),
    }
}

/// Changes a tokenizer; says whether it was another before.
type Change = Box<dyn Fn(&mut Value) -> bool>;

/// Returns the changed bytes; the same where nothing changes.
fn changed(path: &Path, bytes: Vec<u8>, changes: &[Change]) -> Result<Vec<u8>, EncoderError> {
    if changes.is_empty() {
        return Ok(bytes);
    }
    let malformed = |error: serde_json::Error| EncoderError::Config {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let mut json: Value = serde_json::from_slice(&bytes).map_err(malformed)?;
    let mut other = false;
    if json.is_object() {
        for change in changes {
            other |= change(&mut json);
        }
    }
    if other {
        serde_json::to_vec(&json).map_err(malformed)
    } else {
        Ok(bytes)
    }
}

/// Returns the settings of sentence-transformers.
fn sentence_config(folder: &Path) -> Result<Option<Keys>, EncoderError> {
    for name in SENTENCE_CONFIGS {
        if let Some(keys) = Keys::read(folder.join(name))? {
            return Ok(Some(keys));
        }
    }
    Ok(None)
}

/// Refuses what sentence-transformers 6 can do with an encoder and this crate cannot.
fn refuse_unknown(sentence: &Keys) -> Result<(), EncoderError> {
    let task = sentence.text("transformer_task", "feature-extraction")?;
    if task != "feature-extraction" {
        return Err(sentence.refuse("transformer_task", "\"feature-extraction\""));
    }
    for key in [
        "query_length",
        "document_length",
        "query_expansion",
        "processing_kwargs",
    ] {
        let value = &sentence.json[key];
        if !value.is_null() && *value != json!({}) {
            return Err(sentence.refuse(key, "null: this is not done here"));
        }
    }
    Ok(())
}

/// Returns what the Hugging Face library changes by its keys.
fn of_the_library(config: &Keys) -> Result<Vec<Change>, EncoderError> {
    let mut changes: Vec<Change> = Vec::new();
    // The plain class takes the file as it is, the tokenizers of BERT and its like do not.
    let class = config.text("tokenizer_class", "")?;
    if !["PreTrainedTokenizerFast", "TokenizersBackend"].contains(&class.as_str()) {
        for (key, own) in [
            ("do_lower_case", "lowercase"),
            ("strip_accents", "strip_accents"),
            ("tokenize_chinese_chars", "handle_chinese_chars"),
        ] {
            let Some(value) = config.json.get(key).cloned() else {
                continue;
            };
            if !(value.is_boolean() || value.is_null() && key == "strip_accents") {
                return Err(config.refuse(key, "true or false"));
            }
            changes.push(Box::new(move |tokenizer| {
                let normalizer = &mut tokenizer["normalizer"];
                normalizer["type"] == "BertNormalizer" && set(normalizer, own, &value)
            }));
        }
    }
    if !config.json["add_prefix_space"].is_null() {
        let value = Value::Bool(config.flag("add_prefix_space", false)?);
        changes.push(Box::new(move |tokenizer| {
            let splitter = &mut tokenizer["pre_tokenizer"];
            splitter["add_prefix_space"].is_boolean() && set(splitter, "add_prefix_space", &value)
        }));
    }
    let side = match config.text("truncation_side", "")?.as_str() {
        "" => return Ok(changes),
        "left" => "Left",
        "right" => "Right",
        _ => return Err(config.refuse("truncation_side", "\"left\" or \"right\"")),
    };
    changes.push(Box::new(move |tokenizer| cut_at(tokenizer, side)));
    Ok(changes)
}

fn set(object: &mut Value, key: &str, value: &Value) -> bool {
    let other = object[key] != *value;
    if other {
        object[key] = value.clone();
    }
    other
}

/// Cuts long texts at a side; how long they may be is not the file's business.
fn cut_at(tokenizer: &mut Value, side: &str) -> bool {
    let known = tokenizer["truncation"]["direction"].as_str();
    if known.unwrap_or("Right") == side {
        return false;
    }
    tokenizer["truncation"] =
        json!({"direction": side, "max_length": 512, "strategy": "LongestFirst", "stride": 0});
    true
}

/// Makes lower case of all text first, unless the tokenizer does.
fn lower_case(tokenizer: &mut Value) -> bool {
    fn lowers(normalizer: &Value) -> bool {
        let within = normalizer["normalizers"].as_array();
        normalizer["type"] == "Lowercase"
            || normalizer["lowercase"] == true
            || within.is_some_and(|within| within.iter().any(lowers))
    }
    let own = tokenizer["normalizer"].take();
    if lowers(&own) {
        tokenizer["normalizer"] = own;
        return false;
    }
    let mut all = vec![json!({"type": "Lowercase"})];
    all.extend(Some(own).filter(|own| !own.is_null()));
    tokenizer["normalizer"] = json!({"type": "Sequence", "normalizers": all});
    true
}

/// Returns another form of tokenizer that is there.
fn instead(folder: &Path) -> Option<&'static str> {
    let forms = [
        "tokenizer.model",
        "sentencepiece.bpe.model",
        "spiece.model",
        "spm.model",
        "vocab.txt",
        "vocab.json",
    ];
    forms.into_iter().find(|form| folder.join(form).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a tokenizer beside these files.
    fn read_beside(
        tokenizer: &Value,
        files: &[(&str, Value)],
    ) -> Result<(Value, Option<usize>), String> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, json: &Value| {
            std::fs::write(folder.path().join(name), json.to_string()).unwrap();
        };
        write("tokenizer.json", tokenizer);
        files.iter().for_each(|(name, json)| write(name, json));
        let read = read_tokenizer(folder.path()).map_err(|error| error.to_string())?;
        Ok((serde_json::from_slice(&read.json).unwrap(), read.maximum))
    }

    const SENTENCE: &str = "sentence_bert_config.json";
    const CONFIG: &str = "tokenizer_config.json";

    #[test]
    fn keys_beside_the_tokenizer_change_it() {
        let bert = |lowercase, strip| {
            json!({"normalizer": {"type": "BertNormalizer", "lowercase": lowercase,
                "strip_accents": strip, "handle_chinese_chars": true}})
        };
        let cased = json!({"do_lower_case": false, "strip_accents": null});
        let fast = json!({"do_lower_case": false, "tokenizer_class": "PreTrainedTokenizerFast"});
        let (found, _) = read_beside(&bert(true, json!(true)), &[(CONFIG, cased)]).unwrap();
        assert_eq!(found, bert(false, Value::Null));
        let (found, _) = read_beside(&bert(true, Value::Null), &[(CONFIG, fast)]).unwrap();
        assert_eq!(found, bert(true, Value::Null));
        let bytes = json!({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}});
        let (found, _) =
            read_beside(&bytes, &[(CONFIG, json!({"add_prefix_space": true}))]).unwrap();
        assert_eq!(found["pre_tokenizer"]["add_prefix_space"], true);
        let (found, _) =
            read_beside(&json!({}), &[(CONFIG, json!({"truncation_side": "left"}))]).unwrap();
        assert_eq!(found["truncation"]["direction"], "Left");
    }

    #[test]
    fn lower_case_comes_before_the_tokenizers_own_rules_and_only_once() {
        let asked = [(SENTENCE, json!({"do_lower_case": true}))];
        let lower = json!({"type": "Lowercase"});
        for (own, expected) in [
            (Value::Null, json!([lower])),
            (json!({"type": "NFC"}), json!([lower, {"type": "NFC"}])),
        ] {
            let (found, _) = read_beside(&json!({"normalizer": own}), &asked).unwrap();
            let expected = json!({"type": "Sequence", "normalizers": expected});
            assert_eq!(found["normalizer"], expected);
        }
        for own in [
            json!({"type": "BertNormalizer", "lowercase": true}),
            json!({"type": "Sequence", "normalizers": [{"type": "NFD"}, lower]}),
        ] {
            let (found, _) = read_beside(&json!({"normalizer": own}), &asked).unwrap();
            assert_eq!(found["normalizer"], own);
        }
    }

    #[test]
    fn the_length_of_sentence_transformers_stands_above_the_librarys() {
        let length = |sentence: Value, config: Value| {
            read_beside(&json!({}), &[(SENTENCE, sentence), (CONFIG, config)])
                .map(|(_, maximum)| maximum)
        };
        let none = json!({"model_max_length": 1e30});
        assert_eq!(length(json!({}), none.clone()), Ok(None));
        assert_eq!(
            length(
                json!({"max_seq_length": null}),
                json!({"model_max_length": 40})
            ),
            Ok(Some(40))
        );
        let both = length(
            json!({"max_seq_length": 9}),
            json!({"model_max_length": 40}),
        );
        assert_eq!(both, Ok(Some(9)));
        for (sentence, expected) in [
            (
                json!({"max_seq_length": 0}),
                "max_seq_length = 0, expected 1",
            ),
            (json!({"max_seq_length": "9"}), "max_seq_length = \"9\""),
            (
                json!({"do_lower_case": 1}),
                "do_lower_case = 1, expected true",
            ),
            (
                json!({"query_length": 32}),
                "query_length = 32, expected null",
            ),
            (
                json!({"transformer_task": "fill-mask"}),
                "\"fill-mask\", expected",
            ),
        ] {
            let error = length(sentence, none.clone()).unwrap_err();
            assert!(error.contains(expected), "{error} instead of {expected}");
        }
    }

    #[test]
    fn a_missing_tokenizer_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let refused = || {
            let read = read_tokenizer(folder.path());
            read.err().unwrap().to_string()
        };
        assert!(
            refused().ends_with("has no tokenizer.json"),
            "{}",
            refused()
        );
        std::fs::write(folder.path().join("spiece.model"), "x").unwrap();
        assert!(
            refused().contains("only spiece.model: make one with"),
            "{}",
            refused()
        );
    }
}
