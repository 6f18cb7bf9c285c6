//! Vocabulary pruning: a `tokenizer.json` with only some of its entries.
//!
//! Ids are renumbered in their old order, so a model is pruned by gathering the rows that
//! [`Pruned::rows`] lists. A text whose pieces are all kept is tokenized as before; elsewhere the
//! models fall back to shorter pieces, and to single characters where [`single_character_pieces`]
//! were kept.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::merges;

/// Why a vocabulary could not be pruned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PruneError {
    /// The bytes are not JSON.
    #[error("not a tokenizer.json")]
    Parse(#[from] serde_json::Error),
    /// A key that pruning has to rewrite is missing or of another shape.
    #[error("tokenizer.json: {key} is missing or not {expected}")]
    Shape {
        /// The key, dotted.
        key: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// Pruning would change the meaning of this kind of model.
    #[error(
        "tokenizer.json: model.type {0:?} cannot be pruned; expected \"Unigram\", \"WordPiece\" or \"BPE\""
    )]
    Model(String),
}

/// A pruned vocabulary.
#[derive(Debug, Clone)]
pub struct Pruned {
    /// The new `tokenizer.json`.
    pub json: Vec<u8>,
    /// For each new id, the old one.
    pub rows: Vec<u32>,
}

/// Keeps the entries `used`, the special and added tokens, and whatever the post-processor names.
///
/// # Errors
/// If the file is malformed, or its model is none of Unigram, WordPiece and BPE.
pub fn prune(tokenizer_json: &[u8], used: &BTreeSet<u32>) -> Result<Pruned, PruneError> {
    let mut root: Value = serde_json::from_slice(tokenizer_json)?;
    let pieces = pieces(&root)?;
    let mut keep: BTreeSet<u32> = used
        .iter()
        .copied()
        .filter(|&id| (id as usize) < pieces.len())
        .collect();
    let added = root["added_tokens"].as_array().cloned().unwrap_or_default();
    keep.extend(added.iter().filter_map(|token| id_of(&token["id"])));
    keep.extend(id_of(&root["model"]["unk_id"]));
    if let Some(unknown) = root["model"]["unk_token"].as_str() {
        keep.extend(
            pieces
                .iter()
                .position(|piece| piece == unknown)
                .map(|id| id as u32),
        );
    }
    if root["model"]["type"] == "BPE" {
        check_affixes(&root["model"])?;
        keep = merges::with_parts(&root["model"], &pieces, keep).ok_or(PruneError::Shape {
            key: "model.merges",
            expected: "a list of pairs",
        })?;
    }
    let rows: Vec<u32> = keep.into_iter().collect();
    let renumbered: BTreeMap<u32, u32> = rows.iter().copied().zip(0..).collect();

    let model = &mut root["model"];
    match model["vocab"].take() {
        Value::Array(entries) => {
            let mut entries: Vec<Value> = entries;
            let kept = rows
                .iter()
                .filter_map(|&row| entries.get_mut(row as usize).map(Value::take))
                .collect();
            model["vocab"] = Value::Array(kept);
            if let Some(unknown) = id_of(&model["unk_id"]) {
                model["unk_id"] = renumbered[&unknown].into();
            }
        }
        Value::Object(entries) => {
            model["vocab"] = entries
                .into_iter()
                .filter_map(|(piece, id)| {
                    Some((piece, Value::from(*renumbered.get(&id_of(&id)?)?)))
                })
                .collect();
            merges::drop_unused(model);
        }
        _ => return Err(vocabulary_shape()),
    }
    if let Some(Value::Array(tokens)) = root.get_mut("added_tokens") {
        for id in tokens.iter_mut().filter_map(|token| token.get_mut("id")) {
            renumber(id, &renumbered);
        }
    }
    if let Some(processor) = root.get_mut("post_processor") {
        renumber_processor(processor, &renumbered);
    }
    let padding = root.get_mut("padding");
    if let Some(id) = padding.and_then(|padding| padding.get_mut("pad_id")) {
        renumber(id, &renumbered);
    }
    Ok(Pruned {
        json: serde_json::to_vec(&root)?,
        rows,
    })
}

/// Returns the ids of the entries that spell one character, with or without the mark of a word's start.
///
/// Kept beside the entries in use, they let a pruned tokenizer spell any word of their scripts.
///
/// # Errors
/// If the file is malformed, or its model is none of Unigram, WordPiece and BPE.
pub fn single_character_pieces(tokenizer_json: &[u8]) -> Result<BTreeSet<u32>, PruneError> {
    let root: Value = serde_json::from_slice(tokenizer_json)?;
    let single = |piece: &str| {
        let bare = piece
            .trim_start_matches(['▁', 'Ġ'])
            .trim_start_matches("##");
        bare.chars().count() <= 1
    };
    Ok(pieces(&root)?
        .iter()
        .zip(0..)
        .filter(|(piece, _)| single(piece))
        .map(|(_, id)| id)
        .collect())
}

/// Returns the model's entries by id.
fn pieces(root: &Value) -> Result<Vec<String>, PruneError> {
    let kind = root["model"]["type"].as_str().unwrap_or_default();
    match (kind, &root["model"]["vocab"]) {
        ("Unigram", Value::Array(entries)) => entries
            .iter()
            .map(|entry| entry[0].as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(vocabulary_shape),
        ("WordPiece" | "BPE", Value::Object(entries)) => {
            let mut pieces = vec![String::new(); entries.len()];
            for (piece, id) in entries {
                let slot = id_of(id).and_then(|id| pieces.get_mut(id as usize));
                *slot.ok_or_else(vocabulary_shape)? = piece.clone();
            }
            Ok(pieces)
        }
        ("Unigram" | "WordPiece" | "BPE", _) => Err(vocabulary_shape()),
        (other, _) => Err(PruneError::Model(other.to_owned())),
    }
}

/// Refuses merges whose whole is not just one half after the other.
fn check_affixes(model: &Value) -> Result<(), PruneError> {
    for (name, key) in [
        (
            "continuing_subword_prefix",
            "model.continuing_subword_prefix",
        ),
        ("end_of_word_suffix", "model.end_of_word_suffix"),
    ] {
        if model[name].as_str().is_some_and(|affix| !affix.is_empty()) {
            return Err(PruneError::Shape {
                key,
                expected: "null, as merges need it",
            });
        }
    }
    Ok(())
}

fn vocabulary_shape() -> PruneError {
    PruneError::Shape {
        key: "model.vocab",
        expected: "a list of [piece, score] or a map from piece to id",
    }
}

fn id_of(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|id| u32::try_from(id).ok())
}

fn renumber(value: &mut Value, renumbered: &BTreeMap<u32, u32>) {
    if let Some(new) = id_of(value).and_then(|old| renumbered.get(&old)) {
        *value = (*new).into();
    }
}

/// Rewrites the ids of template, RoBERTa and BERT post-processors, alone or in a sequence.
fn renumber_processor(processor: &mut Value, renumbered: &BTreeMap<u32, u32>) {
    let Some(keys) = processor.as_object_mut() else {
        return;
    };
    if let Some(Value::Object(tokens)) = keys.get_mut("special_tokens") {
        for (_, token) in tokens {
            if let Some(Value::Array(ids)) = token.get_mut("ids") {
                ids.iter_mut().for_each(|id| renumber(id, renumbered));
            }
        }
    }
    for end in ["sep", "cls"] {
        if let Some(Value::Array(pair)) = keys.get_mut(end)
            && let Some(id) = pair.get_mut(1)
        {
            renumber(id, renumbered);
        }
    }
    if let Some(Value::Array(parts)) = keys.get_mut("processors") {
        for part in parts {
            renumber_processor(part, renumbered);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Markers, Role, Tokenizer};

    /// A Unigram tokenizer of a dozen pieces with XLM-R's special tokens and a trailing mask.
    pub(crate) fn tiny_unigram() -> Vec<u8> {
        let added = |id: u32, content: &str| {
            serde_json::json!({"id": id, "content": content, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true})
        };
        serde_json::to_vec(&serde_json::json!({
            "version": "1.0", "truncation": null, "padding": null,
            "added_tokens": [added(0, "<s>"), added(1, "<pad>"), added(2, "</s>"),
                added(3, "<unk>"), added(18, "<mask>")],
            "normalizer": null,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "WhitespaceSplit"},
                {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}]},
            "post_processor": {"type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                    {"Sequence": {"id": "A", "type_id": 0}},
                    {"SpecialToken": {"id": "</s>", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]},
                    "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}},
            "decoder": null,
            "model": {"type": "Unigram", "unk_id": 3, "byte_fallback": false, "vocab": [
                ["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0],
                ["▁", -2.0], ["a", -3.0], ["d", -4.0], ["u", -4.0], ["n", -4.0], ["i", -4.0],
                ["▁a", -2.5], ["▁dunia", -5.0], ["du", -6.0], ["nia", -6.5], ["▁query", -5.0],
                [":", -4.0], ["b", -5.0], ["ba", -5.5], ["<mask>", 0.0]]},
        }))
        .unwrap()
    }

    fn spell(json: &[u8], text: &str) -> Vec<String> {
        let tokenizer = Tokenizer::from_bytes(json, Markers::default()).unwrap();
        let ids = tokenizer.encode(text, Role::Query, 64).unwrap().ids;
        ids.iter().map(|&id| tokenizer.piece(id).unwrap()).collect()
    }

    #[test]
    fn kept_pieces_spell_as_before_and_others_fall_back() {
        let json = tiny_unigram();
        let mut used: BTreeSet<u32> = [10, 11].into();
        used.extend(single_character_pieces(&json).unwrap());
        let pruned = prune(&json, &used).unwrap();
        assert_eq!(spell(&json, "a dunia"), spell(&pruned.json, "a dunia"));
        assert_eq!(spell(&json, "ba"), ["<s>", "▁", "ba", "</s>"]);
        assert_eq!(spell(&pruned.json, "ba"), ["<s>", "▁", "b", "a", "</s>"]);
    }

    #[test]
    fn rows_name_the_old_ids_and_added_tokens_move_along() {
        let json = tiny_unigram();
        let pruned = prune(&json, &[11].into()).unwrap();
        assert_eq!(pruned.rows, [0, 1, 2, 3, 11, 18]);
        let tokenizer = Tokenizer::from_bytes(&pruned.json, Markers::default()).unwrap();
        assert_eq!(tokenizer.id("<mask>"), Some(5));
        assert_eq!(tokenizer.id("▁dunia"), Some(4));
        assert_eq!(tokenizer.vocabulary_size(), 6);
    }

    #[test]
    fn a_model_that_cannot_be_pruned_is_named() {
        let level = br#"{"model": {"type": "WordLevel", "vocab": {}}}"#;
        let error = prune(level, &BTreeSet::new()).unwrap_err();
        assert!(error.to_string().contains("WordLevel"));
    }

    /// Puts something else where the steps lead, or in place of what ends them early.
    fn replace(value: &mut Value, steps: &[usize], new: &Value) {
        match (value, steps) {
            (Value::Array(list), [step, rest @ ..]) if !list.is_empty() => {
                let place = step % list.len();
                replace(&mut list[place], rest, new);
            }
            (Value::Object(keys), [step, rest @ ..]) if !keys.is_empty() => {
                let place = step % keys.len();
                keys.values_mut()
                    .skip(place)
                    .take(1)
                    .for_each(|it| replace(it, rest, new));
            }
            (value, _) => *value = new.clone(),
        }
    }

    proptest! {
        #[test]
        fn any_json_is_pruned_or_refused(
            bpe: bool,
            changes in prop::collection::vec((prop::collection::vec(0..20_usize, 0..7), 0..9_usize), 0..4),
            used in prop::collection::btree_set(0..25_u32, 0..9),
        ) {
            let json = if bpe {
                let merges = serde_json::json!([["a", "b"], "ab c"]);
                merges::tests::tokenizer_json(&merges)
            } else {
                tiny_unigram()
            };
            let mut root: Value = serde_json::from_slice(&json).unwrap();
            let news = serde_json::json!([null, true, 0, -1, 1e300, "", "é", [], {}]);
            for (steps, new) in &changes {
                replace(&mut root, steps, &news[new]);
            }
            let changed = serde_json::to_vec(&root).unwrap();
            let _ = single_character_pieces(&changed);
            if let Ok(pruned) = prune(&changed, &used) {
                prop_assert!(pruned.rows.is_sorted() && pruned.rows.len() >= used.len().min(1));
            }
        }
    }
}
