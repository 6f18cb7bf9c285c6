//! What a checkpoint expects of its texts: markers in front, or the conventions of ColBERT.
//!
//! `config_sentence_transformers.json` says it for this crate's own models (`prompts`) and for
//! PyLate's (`query_prefix` and its like), `artifact.metadata` for Stanford's. What a file leaves out
//! has the default of the library that wrote it.

use std::path::{Path, PathBuf};

use optical_tokenize::{Colbert, Markers, Tokenizer};
use serde_json::{Value, json};

use crate::EncoderError;
use crate::model::read_json;
use crate::modules::refuse_lower_case;

const SENTENCE_TRANSFORMERS: &str = "config_sentence_transformers.json";
const METADATA: &str = "artifact.metadata";

/// Says that a model's vectors are those of content tokens, with no conventions of ColBERT's; for
/// PyLate, which does not know it, there are keys that come to the same.
const KEPT: &str = "kept_tokens";

/// Python's `string.punctuation`.
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// Longest text that a file may claim, far beyond any encoder's.
const LONGEST: u64 = 1 << 20;

/// A tokenizer that follows the conventions of a folder.
///
/// # Errors
/// If a file is malformed, or the vocabulary lacks a marker.
pub(crate) fn apply(folder: &Path, tokenizer: Tokenizer) -> Result<Tokenizer, EncoderError> {
    let colbert = if let Some(file) = pylate(folder)? {
        refuse_lower_case(folder)?;
        file.pylate()?
    } else if is_stanford(folder)? {
        let path = folder.join(METADATA);
        let nothing = |path| File {
            path,
            json: Value::Null,
        };
        let file = File::read(path.clone())?.unwrap_or_else(|| nothing(path));
        file.stanford(&tokenizer)?
    } else {
        return Ok(tokenizer);
    };
    Ok(tokenizer.with_colbert(colbert)?)
}

/// The prompts that are put in front of texts; PyLate's own models have none.
pub(crate) fn markers(folder: &Path) -> Result<Markers, EncoderError> {
    if pylate(folder)?.is_some() {
        return Ok(Markers::default());
    }
    let config = read_json(&folder.join(SENTENCE_TRANSFORMERS))?.unwrap_or_default();
    let prompt = |key: &str| {
        let prompt = config["prompts"][key].as_str();
        prompt.unwrap_or_default().to_owned()
    };
    Ok(Markers {
        query: prompt("query"),
        document: prompt("document"),
    })
}

/// Whether a folder holds a model of Stanford's ColBERT, whose head is among the encoder's tensors.
pub(crate) fn is_stanford(folder: &Path) -> Result<bool, EncoderError> {
    let config = read_json(&folder.join("config.json"))?.unwrap_or_default();
    Ok(config["architectures"][0] == "HF_ColBERT" || folder.join(METADATA).exists())
}

/// What [`apply`] and [`markers`] read back, and PyLate too; texts have at most `maximum` tokens.
pub(crate) fn to_json(tokenizer: &Tokenizer, maximum: usize) -> Value {
    let markers = tokenizer.markers();
    let mut json = json!({
        "model_type": "ColBERT",
        "prompts": {"query": markers.query, "document": markers.document},
        "default_prompt_name": null,
        "similarity_fn_name": "MaxSim",
    });
    if let Some(colbert) = tokenizer.colbert() {
        json["query_prefix"] = colbert.query_marker.clone().into();
        json["document_prefix"] = colbert.document_marker.clone().into();
        json["query_length"] = colbert.query_length.into();
        json["document_length"] = colbert.document_length.into();
        json["do_query_expansion"] = colbert.expand_queries.into();
        json["attend_to_expansion_tokens"] = colbert.attend_to_expansion.into();
        json["skiplist_words"] = colbert.skiplist.clone().into();
        // PyLate always strips, and does not know this key.
        json["strip_texts"] = colbert.strip.into();
    } else {
        // PyLate's defaults would put markers of its own into the vocabulary.
        json[KEPT] = "content".into();
        json["query_prefix"] = "".into();
        json["document_prefix"] = "".into();
        json["query_length"] = maximum.into();
        json["document_length"] = maximum.into();
        json["do_query_expansion"] = false.into();
        json["attend_to_expansion_tokens"] = false.into();
        json["skiplist_words"] = json!([]);
    }
    json
}

/// A `tokenizer_config.json` with which the Hugging Face library takes the `tokenizer.json` as it is:
/// without one it would choose a class by the encoder's family, which changes the file's own rules.
pub(crate) fn tokenizer_config(tokenizer: &Tokenizer, maximum: usize) -> Value {
    let mut json = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": maximum,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": false,
    });
    for (key, names) in [
        ("pad_token", ["<pad>", "[PAD]"]),
        ("unk_token", ["<unk>", "[UNK]"]),
        ("cls_token", ["<s>", "[CLS]"]),
        ("sep_token", ["</s>", "[SEP]"]),
        ("mask_token", ["<mask>", "[MASK]"]),
    ] {
        if let Some(name) = names.into_iter().find(|name| tokenizer.id(name).is_some()) {
            json[key] = name.into();
        }
    }
    json
}

/// The configuration of sentence-transformers, if PyLate wrote it.
fn pylate(folder: &Path) -> Result<Option<File>, EncoderError> {
    let file = File::read(folder.join(SENTENCE_TRANSFORMERS))?;
    let keys = [
        "query_prefix",
        "document_prefix",
        "query_length",
        "document_length",
    ];
    let is_ours = |file: &File| !file.json[KEPT].is_null();
    Ok(file.filter(|file| !is_ours(file) && keys.iter().any(|key| !file.json[*key].is_null())))
}

/// A file of keys and values.
struct File {
    path: PathBuf,
    json: Value,
}

impl File {
    fn read(path: PathBuf) -> Result<Option<Self>, EncoderError> {
        let json = read_json(&path)?;
        Ok(json.map(|json| Self { path, json }))
    }

    fn pylate(&self) -> Result<Colbert, EncoderError> {
        if !self.json["default_prompt_name"].is_null() {
            return Err(self.refuse("default_prompt_name", "null"));
        }
        let expand_queries = self.flag("do_query_expansion", true)?;
        Ok(Colbert {
            query_marker: self.text("query_prefix", "[Q] ")?,
            document_marker: self.text("document_prefix", "[D] ")?,
            query_length: self.length("query_length", 32)?,
            document_length: self.length("document_length", 180)?,
            expand_queries,
            attend_to_expansion: expand_queries
                && self.flag("attend_to_expansion_tokens", false)?,
            skiplist: match &self.json["skiplist_words"] {
                Value::Null => PUNCTUATION.chars().map(String::from).collect(),
                words => {
                    let words = words.as_array().map(|words| {
                        let words = words.iter().map(|word| word.as_str().map(str::to_owned));
                        words.collect::<Option<Vec<_>>>()
                    });
                    words
                        .flatten()
                        .ok_or_else(|| self.refuse("skiplist_words", "a list of texts"))?
                }
            },
            strip: self.flag("strip_texts", true)?,
        })
    }

    fn stanford(&self, tokenizer: &Tokenizer) -> Result<Colbert, EncoderError> {
        let mut skiplist = Vec::new();
        if self.flag("mask_punctuation", true)? {
            for symbol in PUNCTUATION.chars() {
                skiplist.extend(tokenizer.pieces(&symbol.to_string())?.into_iter().next());
            }
        }
        Ok(Colbert {
            query_marker: self.text("query_token_id", "[unused0]")?,
            document_marker: self.text("doc_token_id", "[unused1]")?,
            query_length: self.length("query_maxlen", 32)?,
            document_length: self.length("doc_maxlen", 220)?,
            expand_queries: true,
            attend_to_expansion: self.flag("attend_to_mask_tokens", false)?,
            skiplist,
            strip: false,
        })
    }

    fn text(&self, key: &str, default: &str) -> Result<String, EncoderError> {
        match &self.json[key] {
            Value::Null => Ok(default.to_owned()),
            Value::String(text) => Ok(text.clone()),
            _ => Err(self.refuse(key, "a text")),
        }
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, EncoderError> {
        match &self.json[key] {
            Value::Null => Ok(default),
            Value::Bool(flag) => Ok(*flag),
            _ => Err(self.refuse(key, "true or false")),
        }
    }

    fn length(&self, key: &str, default: usize) -> Result<usize, EncoderError> {
        if self.json[key].is_null() {
            return Ok(default);
        }
        let length = self.json[key]
            .as_u64()
            .filter(|length| (1..=LONGEST).contains(length));
        let length = length.and_then(|length| usize::try_from(length).ok());
        length.ok_or_else(|| self.refuse(key, &format!("1 to {LONGEST}")))
    }

    fn refuse(&self, key: &str, expected: &str) -> EncoderError {
        EncoderError::Config {
            path: self.path.clone(),
            reason: format!("{key} = {}, expected {expected}", self.json[key]),
        }
    }
}
