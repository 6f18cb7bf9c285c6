//! A BERT of random weights, as a Hugging Face folder that every program reads.

use std::path::Path;

use optical_encoder::{NamedTensor, write_weights};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::case::{LAYERS, VOCABULARY};

/// Writes a BERT of twelve layers with heads of width `hidden / 12`.
///
/// # Errors
/// If the folder cannot be written to.
pub fn write(folder: &Path, hidden: usize) -> anyhow::Result<()> {
    let config = json!({
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": VOCABULARY,
        "hidden_size": hidden,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 12,
        "intermediate_size": 4 * hidden,
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    });
    std::fs::write(folder.join("config.json"), config.to_string())?;
    write_weights(&folder.join("model.safetensors"), &weights(hidden))?;
    Ok(())
}

fn weights(hidden: usize) -> Vec<NamedTensor> {
    let mut random = ChaCha8Rng::seed_from_u64(hidden as u64);
    let mut tensors = Vec::new();
    let mut add = |name: String, shape: &[usize], middle: f32| {
        let values = (0..shape.iter().product())
            .map(|_| middle + 0.05 * random.random_range(-1.0..1.0_f32))
            .collect();
        tensors.push((name, shape.to_vec(), values));
    };
    for (name, rows) in [("word", VOCABULARY), ("position", 512), ("token_type", 2)] {
        let name = format!("embeddings.{name}_embeddings.weight");
        add(name, &[rows, hidden], 0.0);
    }
    let mut norms = vec!["embeddings".to_owned()];
    for layer in 0..LAYERS {
        let layer = format!("encoder.layer.{layer}");
        for (name, input, output) in [
            ("attention.self.query", hidden, hidden),
            ("attention.self.key", hidden, hidden),
            ("attention.self.value", hidden, hidden),
            ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", hidden, 4 * hidden),
            ("output.dense", 4 * hidden, hidden),
        ] {
            add(format!("{layer}.{name}.weight"), &[output, input], 0.0);
            add(format!("{layer}.{name}.bias"), &[output], 0.0);
        }
        norms.push(format!("{layer}.attention.output"));
        norms.push(format!("{layer}.output"));
    }
    for norm in norms {
        add(format!("{norm}.LayerNorm.weight"), &[hidden], 1.0);
        add(format!("{norm}.LayerNorm.bias"), &[hidden], 0.0);
    }
    tensors
}
