//! A tiny checkpoint with random weights, for tests of this crate and of those above it.

use std::path::Path;

use serde_json::{Value, json};

use crate::EncoderError;
use crate::weights::{NamedTensor, write_atomically, write_weights};

/// Width of the tiny encoder's token vectors.
pub const HIDDEN: usize = 8;
const LAYERS: usize = 2;
const WIDE: usize = 16;
const POSITIONS: usize = 24;

/// Writes a two-layer encoder of width [`HIDDEN`] whose vocabulary is `words`, each a whole piece,
/// and the letters of the alphabet.
///
/// `model_type` is `"bert"` or `"xlm-roberta"`; the weights follow from `seed`.
///
/// # Errors
/// If the folder cannot be written.
pub fn tiny_checkpoint(
    folder: &Path,
    model_type: &str,
    words: &[&str],
    seed: u64,
) -> Result<(), EncoderError> {
    tiny_checkpoint_of_width(HIDDEN, folder, model_type, words, seed)
}

/// Writes an encoder as [`tiny_checkpoint`] does, of another width, which is even.
///
/// # Errors
/// If the folder cannot be written.
pub fn tiny_checkpoint_of_width(
    hidden: usize,
    folder: &Path,
    model_type: &str,
    words: &[&str],
    seed: u64,
) -> Result<(), EncoderError> {
    let pieces: Vec<String> = ["<s>", "<pad>", "</s>", "<unk>"]
        .iter()
        .map(|piece| (*piece).to_owned())
        .chain(words.iter().map(|word| format!("▁{word}")))
        .chain(["▁".to_owned()])
        .chain(('a'..='z').map(String::from))
        .collect();
    let config = json!({"model_type": model_type, "vocab_size": pieces.len(), "hidden_size": hidden,
        "num_hidden_layers": LAYERS, "num_attention_heads": 2, "intermediate_size": WIDE,
        "max_position_embeddings": POSITIONS, "type_vocab_size": 1, "layer_norm_eps": 1e-12,
        "pad_token_id": 1});
    let write = |name: &str, value: &Value| {
        write_atomically(&folder.join(name), value.to_string().as_bytes())
    };
    write("config.json", &config)?;
    write("tokenizer.json", &tokenizer(&pieces))?;
    write_weights(
        &folder.join("model.safetensors"),
        &weights(hidden, pieces.len(), seed),
    )
}

fn tokenizer(pieces: &[String]) -> Value {
    let added = |id: usize| {
        json!({"id": id, "content": pieces[id], "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true})
    };
    let special = |piece: &str| json!({"SpecialToken": {"id": piece, "type_id": 0}});
    let sequence = |id: &str| json!({"Sequence": {"id": id, "type_id": 0}});
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [added(0), added(1), added(2), added(3)],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"},
            {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}]},
        "post_processor": {"type": "TemplateProcessing",
            "single": [special("<s>"), sequence("A"), special("</s>")],
            "pair": [sequence("A"), sequence("B")],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]},
                "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}},
        "decoder": null,
        // Letters are dear, so that a word of the vocabulary is never spelled.
        "model": {"type": "Unigram", "unk_id": 3, "byte_fallback": false, "vocab": pieces.iter()
            .map(|piece| json!([piece, if piece.chars().count() == 1 { -9.0 } else { -1.0 }]))
            .collect::<Vec<_>>()}})
}

fn weights(hidden: usize, vocabulary: usize, seed: u64) -> Vec<NamedTensor> {
    let mut state = seed;
    let mut tensors = Vec::new();
    let mut tensor = |name: String, shape: &[usize]| {
        let values = (0..shape.iter().product::<usize>())
            .map(|_| {
                // SplitMix64 (Steele, Lea and Flood 2014); the upper 24 bits make a float.
                state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mut bits = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                let uniform = ((bits ^ (bits >> 31)) >> 40) as f32 / (1 << 24) as f32 - 0.5;
                if name.ends_with("LayerNorm.weight") {
                    1.0 + 0.2 * uniform
                } else {
                    uniform
                }
            })
            .collect();
        tensors.push((name, shape.to_vec(), values));
    };
    tensor(
        "embeddings.word_embeddings.weight".into(),
        &[vocabulary, hidden],
    );
    tensor(
        "embeddings.position_embeddings.weight".into(),
        &[POSITIONS, hidden],
    );
    tensor(
        "embeddings.token_type_embeddings.weight".into(),
        &[1, hidden],
    );
    let mut modules = vec![("embeddings.LayerNorm".to_owned(), hidden, 0)];
    for layer in 0..LAYERS {
        modules.extend(
            [
                ("attention.self.query", hidden, hidden),
                ("attention.self.key", hidden, hidden),
                ("attention.self.value", hidden, hidden),
                ("attention.output.dense", hidden, hidden),
                ("attention.output.LayerNorm", hidden, 0),
                ("intermediate.dense", WIDE, hidden),
                ("output.dense", hidden, WIDE),
                ("output.LayerNorm", hidden, 0),
            ]
            .map(|(name, output, input)| (format!("encoder.layer.{layer}.{name}"), output, input)),
        );
    }
    for (name, output, input) in modules {
        let shape = if input == 0 {
            vec![output]
        } else {
            vec![output, input]
        };
        tensor(format!("{name}.weight"), &shape);
        tensor(format!("{name}.bias"), &[output]);
    }
    tensors
}
