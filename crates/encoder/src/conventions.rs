//! What a checkpoint expects of its texts: markers in front, or the conventions of ColBERT.
//!
//! `config_sentence_transformers.json` says it for this crate's own models (`prompts`) and for
//! PyLate's (`query_prefix` and its like), `artifact.metadata` for Stanford's. What a file leaves out
//! has the default of the library that wrote it.

use std::path::Path;

use optical_tokenize::{Colbert, Markers, Tokenizer};
use serde_json::{Map, Value, json};

use crate::EncoderError;
use crate::keys::Keys;
use crate::read::read_json;

const SENTENCE_TRANSFORMERS: &str = "config_sentence_transformers.json";
const METADATA: &str = "artifact.metadata";

/// Says that a model's vectors are those of content tokens, with no conventions of ColBERT's; for
/// PyLate, which does not know it, there are keys that come to the same.
const KEPT: &str = "kept_tokens";

/// Python's `string.punctuation`.
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// What prompts of queries are called, and of documents; of those that say something, the first counts.
const PROMPTS: [&[&str]; 2] = [
    &["query", "search_query", "retrieval.query"],
    &[
        "document",
        "passage",
        "corpus",
        "search_document",
        "retrieval.passage",
    ],
];

/// Returns a tokenizer that follows the conventions of a folder.
///
/// # Errors
/// If a file is malformed, or the vocabulary lacks a marker.
pub(crate) fn apply(folder: &Path, tokenizer: Tokenizer) -> Result<Tokenizer, EncoderError> {
    let colbert = if let Some(keys) = pylate(folder)? {
        of_pylate(&keys)?
    } else if is_stanford(folder)? {
        let path = folder.join(METADATA);
        let nothing = |path| Keys {
            path,
            json: Value::Null,
        };
        let keys = Keys::read(path.clone())?.unwrap_or_else(|| nothing(path));
        of_stanford(&keys, &tokenizer)?
    } else {
        return Ok(tokenizer);
    };
    Ok(tokenizer.with_colbert(colbert)?)
}

/// Returns the prompts that are put in front of texts; PyLate's own models have none.
///
/// Where there is none for queries or for documents, it is the one that the folder says is put in
/// front of every text, unless that is made for the others.
pub(crate) fn markers(folder: &Path) -> Result<Markers, EncoderError> {
    let keys = Keys::read(folder.join(SENTENCE_TRANSFORMERS))?;
    let Some(keys) = keys.filter(|keys| !is_pylate(keys)) else {
        return Ok(Markers::default());
    };
    let prompts = match &keys.json["prompts"] {
        Value::Null => Map::new(),
        Value::Object(prompts) => prompts.clone(),
        _ => return Err(keys.refuse("prompts", "names with texts")),
    };
    let prompt = |name: &str| match prompts.get(name) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some("")),
        Some(prompt) => match prompt.as_str() {
            Some(prompt) => Ok(Some(prompt)),
            None => Err(keys.refuse("prompts", "names with texts")),
        },
    };
    let name = keys.text("default_prompt_name", "")?;
    let of_a_role = PROMPTS.concat().contains(&name.as_str());
    let default = match prompt(&name)? {
        Some(prompt) if !of_a_role => prompt,
        None if !name.is_empty() => {
            return Err(keys.refuse("default_prompt_name", "the name of a prompt"));
        }
        _ => "",
    };
    let mut found = [String::new(), String::new()];
    for (found, names) in found.iter_mut().zip(PROMPTS) {
        let mut known = Vec::new();
        for name in names {
            known.extend(prompt(name)?);
        }
        let telling = known.iter().find(|prompt| !prompt.is_empty());
        let silent = if known.is_empty() { default } else { "" };
        found.push_str(telling.unwrap_or(&silent));
    }
    let [query, document] = found;
    Ok(Markers { query, document })
}

/// Says whether a folder holds a model of Stanford's ColBERT, whose head is among the encoder's
/// tensors.
pub(crate) fn is_stanford(folder: &Path) -> Result<bool, EncoderError> {
    let config = read_json(&folder.join("config.json"))?.unwrap_or_default();
    Ok(config["architectures"][0] == "HF_ColBERT" || folder.join(METADATA).exists())
}

/// Returns what [`apply`] and [`markers`] read back, and PyLate too; texts have at most `maximum`
/// tokens.
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

/// Returns a `tokenizer_config.json` with which the Hugging Face library takes the `tokenizer.json`
/// as it is: without one it would choose a class by the encoder's family, which changes the file's
/// own rules.
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

/// Returns the configuration of sentence-transformers, if PyLate wrote it.
fn pylate(folder: &Path) -> Result<Option<Keys>, EncoderError> {
    Ok(Keys::read(folder.join(SENTENCE_TRANSFORMERS))?.filter(is_pylate))
}

fn is_pylate(keys: &Keys) -> bool {
    let known = [
        "query_prefix",
        "document_prefix",
        "query_length",
        "document_length",
    ];
    // This crate's own models have the keys too.
    keys.json[KEPT].is_null() && known.iter().any(|key| !keys.json[*key].is_null())
}

/// Returns the conventions as PyLate writes them.
fn of_pylate(keys: &Keys) -> Result<Colbert, EncoderError> {
    if !keys.json["default_prompt_name"].is_null() {
        return Err(keys.refuse("default_prompt_name", "null"));
    }
    let expand_queries = keys.flag("do_query_expansion", true)?;
    Ok(Colbert {
        query_marker: keys.text("query_prefix", "[Q] ")?,
        document_marker: keys.text("document_prefix", "[D] ")?,
        query_length: keys.length("query_length", 32)?,
        document_length: keys.length("document_length", 180)?,
        expand_queries,
        attend_to_expansion: expand_queries && keys.flag("attend_to_expansion_tokens", false)?,
        skiplist: match &keys.json["skiplist_words"] {
            Value::Null => PUNCTUATION.chars().map(String::from).collect(),
            words => {
                let words = words.as_array().map(|words| {
                    let words = words.iter().map(|word| word.as_str().map(str::to_owned));
                    words.collect::<Option<Vec<_>>>()
                });
                words
                    .flatten()
                    .ok_or_else(|| keys.refuse("skiplist_words", "a list of texts"))?
            }
        },
        strip: keys.flag("strip_texts", true)?,
    })
}

/// Returns the conventions as Stanford's ColBERT writes them.
fn of_stanford(keys: &Keys, tokenizer: &Tokenizer) -> Result<Colbert, EncoderError> {
    let mut skiplist = Vec::new();
    if keys.flag("mask_punctuation", true)? {
        for symbol in PUNCTUATION.chars() {
            skiplist.extend(tokenizer.pieces(&symbol.to_string())?.into_iter().next());
        }
    }
    Ok(Colbert {
        query_marker: keys.text("query_token_id", "[unused0]")?,
        document_marker: keys.text("doc_token_id", "[unused1]")?,
        query_length: keys.length("query_maxlen", 32)?,
        document_length: keys.length("doc_maxlen", 220)?,
        expand_queries: true,
        attend_to_expansion: keys.flag("attend_to_mask_tokens", false)?,
        skiplist,
        strip: false,
    })
}
