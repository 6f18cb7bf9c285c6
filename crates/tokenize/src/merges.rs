//! Pruning of byte-pair encodings, whose entries grow out of each other by merges.
//!
//! An entry that is kept needs all entries that it may grow out of, and so on down to single
//! characters. Then a text that was spelled with kept entries is spelled as before: every merge on the
//! way to them is there, and those that are gone were never made.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Returns the two halves of each merge of a `model`, in order; `None` if there are none to be read.
fn merges(model: &Value) -> Option<Vec<(&str, &str)>> {
    model["merges"].as_array()?.iter().map(halves).collect()
}

/// Returns the halves of a merge, which older files write in one text.
fn halves(merge: &Value) -> Option<(&str, &str)> {
    match merge {
        Value::String(both) => both.split_once(' '),
        pair => Some((pair[0].as_str()?, pair[1].as_str()?)),
    }
}

/// Returns `keep` with what its entries grow out of, and the bytes that unknown characters fall back
/// to.
///
/// `None` if the merges cannot be read.
pub(crate) fn with_parts(
    model: &Value,
    pieces: &[String],
    mut keep: BTreeSet<u32>,
) -> Option<BTreeSet<u32>> {
    let ids: BTreeMap<&str, u32> = pieces.iter().map(String::as_str).zip(0..).collect();
    let mut parts: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (left, right) in merges(model)? {
        let whole = format!("{left}{right}");
        if let (Some(left), Some(right), Some(whole)) =
            (ids.get(left), ids.get(right), ids.get(whole.as_str()))
        {
            parts.entry(*whole).or_default().extend([*left, *right]);
        }
    }
    if model["byte_fallback"] == true {
        let bytes = (0..=255_u8).filter_map(|byte| ids.get(format!("<0x{byte:02X}>").as_str()));
        keep.extend(bytes);
    }
    let mut ahead: Vec<u32> = keep.iter().copied().collect();
    while let Some(whole) = ahead.pop() {
        for &part in parts.get(&whole).into_iter().flatten() {
            if keep.insert(part) {
                ahead.push(part);
            }
        }
    }
    Some(keep)
}

/// Drops the merges of a `model` whose halves or whole are not among its entries.
pub(crate) fn drop_unused(model: &mut Value) {
    let Some(pairs) = merges(model) else {
        return;
    };
    let known = |piece: &str| !model["vocab"][piece].is_null();
    let flags: Vec<bool> = pairs
        .iter()
        .map(|(left, right)| known(left) && known(right) && known(&format!("{left}{right}")))
        .collect();
    if let Some(merges) = model["merges"].as_array_mut() {
        let mut flags = flags.into_iter();
        merges.retain(|_| flags.next().unwrap_or(false));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use crate::{Markers, Role, Tokenizer, prune, single_character_pieces};

    /// `ab` may grow out of `a` and `b`, `abc` out of `ab` and `c` or of `a` and `bc`.
    pub(crate) fn tokenizer_json(merges: &serde_json::Value) -> Vec<u8> {
        let special = |id: u32, content: &str| {
            json!({"id": id, "content": content, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true})
        };
        serde_json::to_vec(&json!({
            "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
            "pre_tokenizer": null, "post_processor": null, "decoder": null,
            "added_tokens": [special(0, "<pad>")],
            "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>",
                "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": true,
                "byte_fallback": true, "ignore_merges": false, "merges": merges,
                "vocab": {"<pad>": 0, "<unk>": 1, "<0xC3>": 2, "<0xA9>": 3, "a": 4, "b": 5, "c": 6,
                    "d": 7, "ab": 8, "bc": 9, "abc": 10, "cd": 11}}
        }))
        .unwrap()
    }

    fn spell(json: &[u8], text: &str) -> String {
        let tokenizer = Tokenizer::from_bytes(json, Markers::default()).unwrap();
        let ids = tokenizer.encode(text, Role::Query, 64).unwrap().ids;
        let pieces: Vec<_> = ids.iter().map(|&id| tokenizer.piece(id).unwrap()).collect();
        pieces.join(" ")
    }

    #[test]
    fn an_entry_keeps_what_it_grows_out_of() {
        let pairs = json!([["c", "d"], ["b", "c"], ["a", "b"], ["ab", "c"], ["a", "bc"]]);
        let texts = json!(["c d", "b c", "a b", "ab c", "a bc"]);
        for merges in [pairs, texts] {
            let json = tokenizer_json(&merges);
            assert_eq!(spell(&json, "abcé"), "abc <0xC3> <0xA9>");
            assert_eq!(spell(&json, "abcd"), "ab cd");
            let pruned = prune(&json, &BTreeSet::from([10])).unwrap();
            assert_eq!(pruned.rows, [0, 1, 2, 3, 4, 5, 6, 8, 9, 10]);
            assert_eq!(spell(&pruned.json, "abcé"), "abc <0xC3> <0xA9>");
            let single = single_character_pieces(&json).unwrap();
            let pruned = prune(&json, &single).unwrap();
            assert_eq!(pruned.rows, [0, 1, 2, 3, 4, 5, 6, 7]);
            assert_eq!(spell(&pruned.json, "abcd"), "a b c d");
        }
    }

    #[test]
    fn merges_that_cannot_be_read_are_an_error() {
        for merges in [json!([["a"]]), json!(["ab"]), json!({}), json!([3])] {
            let error = prune(&tokenizer_json(&merges), &BTreeSet::new()).unwrap_err();
            assert!(error.to_string().contains("model.merges"), "{error}");
        }
        let suffixed = String::from_utf8(tokenizer_json(&json!([]))).unwrap();
        let suffixed = suffixed.replace(
            "\"end_of_word_suffix\":null",
            "\"end_of_word_suffix\":\"</w>\"",
        );
        let error = prune(suffixed.as_bytes(), &BTreeSet::new()).unwrap_err();
        assert!(error.to_string().contains("end_of_word_suffix"), "{error}");
    }
}
