//! A whole distillation of a tiny random encoder: it learns, stops, and goes on to the same weights.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use optical_distill::settings::{
    HeadSettings, InstrumentSettings, OptimiserSettings, TransportSettings,
};
use optical_distill::{DistillSettings, Event, Outcome, TrainingData, TrainingText, distil};
use optical_encoder::{Head, Model, write_weights};
use rand::{RngExt, SeedableRng};

const WORDS: [&str; 12] =
    ["maji", "moto", "nyota", "jua", "mti", "samaki", "water", "fire", "star", "sun", "tree", "fish"];

/// Writes a two-layer BERT of width eight over whole words, with random weights.
fn tiny_checkpoint(folder: &Path) {
    let special = ["<s>", "<pad>", "</s>", "<unk>"];
    let pieces: Vec<_> = special.iter().map(|s| (*s).to_owned()).chain(WORDS.iter().map(|w| format!("▁{w}"))).collect();
    let added = |id: usize| {
        serde_json::json!({"id": id, "content": special[id], "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true})
    };
    let token = |t: &str| serde_json::json!({"SpecialToken": {"id": t, "type_id": 0}});
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [added(0), added(1), added(2), added(3)],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"},
            {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}]},
        "post_processor": {"type": "TemplateProcessing",
            "single": [token("<s>"), {"Sequence": {"id": "A", "type_id": 0}}, token("</s>")],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]},
                "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}},
        "decoder": null,
        "model": {"type": "Unigram", "unk_id": 3, "byte_fallback": false,
            "vocab": pieces.iter().map(|p| serde_json::json!([p, -1.0])).collect::<Vec<_>>()}});
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let config = serde_json::json!({"model_type": "bert", "vocab_size": pieces.len(), "hidden_size": 8,
        "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16,
        "max_position_embeddings": 12, "type_vocab_size": 1, "layer_norm_eps": 1e-12, "pad_token_id": 1});
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();

    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    let mut tensors = Vec::new();
    let mut tensor = |name: String, shape: &[usize]| {
        let norm = name.contains("LayerNorm.weight");
        let values = (0..shape.iter().product::<usize>())
            .map(|_| if norm { 1.0 } else { random.random_range(-0.5..0.5_f32) })
            .collect();
        tensors.push((name, shape.to_vec(), values));
    };
    tensor("embeddings.word_embeddings.weight".into(), &[pieces.len(), 8]);
    tensor("embeddings.position_embeddings.weight".into(), &[12, 8]);
    tensor("embeddings.token_type_embeddings.weight".into(), &[1, 8]);
    tensor("embeddings.LayerNorm.weight".into(), &[8]);
    tensor("embeddings.LayerNorm.bias".into(), &[8]);
    for layer in 0..2 {
        for (name, output, input) in [
            ("attention.self.query", 8, 8),
            ("attention.self.key", 8, 8),
            ("attention.self.value", 8, 8),
            ("attention.output.dense", 8, 8),
            ("intermediate.dense", 16, 8),
            ("output.dense", 8, 16),
        ] {
            tensor(format!("encoder.layer.{layer}.{name}.weight"), &[output, input]);
            tensor(format!("encoder.layer.{layer}.{name}.bias"), &[output]);
        }
        for name in ["attention.output.LayerNorm", "output.LayerNorm"] {
            tensor(format!("encoder.layer.{layer}.{name}.weight"), &[8]);
            tensor(format!("encoder.layer.{layer}.{name}.bias"), &[8]);
        }
    }
    write_weights(&folder.join("model.safetensors"), &tensors).unwrap();
}

/// Two to four words in a row, and their translation.
fn texts() -> Vec<TrainingText> {
    let side = |offset: usize, words: &[usize]| -> String {
        words.iter().map(|word| WORDS[offset + word]).collect::<Vec<_>>().join(" ")
    };
    (0..24)
        .map(|i| {
            let words: Vec<usize> = (0..2 + i % 3).map(|j| (i * 5 + j * (1 + i / 6)) % 6).collect();
            TrainingText { target: side(6, &words), input: side(0, &words), group: "swa".into() }
        })
        .chain((0..6).map(|i| TrainingText::retention(&side(6, &[i, (i + 1) % 6]), "eng")))
        .collect()
}

fn settings() -> DistillSettings {
    DistillSettings {
        seed: 3,
        steps: 40,
        batch_size: 6,
        parts: 2,
        maximum_length: 12,
        layers: 2,
        bitext: BTreeMap::from([("swa".into(), 0.8)]),
        retention: BTreeMap::from([("eng".into(), 0.2)]),
        transport: TransportSettings { epsilon: 0.05, iterations: 30 },
        optimiser: OptimiserSettings {
            learning_rate: 5e-3,
            vocabulary_learning_rate: 2e-2,
            warm_up: 4,
            weight_decay: 0.01,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            clip_norm: 1.0,
        },
        head: HeadSettings { exponent: 0.0, sentences: 1, documents: 0 },
        instruments: InstrumentSettings { every: 20, held_out: 6 },
        checkpoint_every: 7,
    }
}

/// Runs until `stop_at`, collecting losses; returns the student where the run ended.
fn run(folder: &Path, stop_at: u64, losses: &mut Vec<f64>) -> Option<Model> {
    let device = Device::flex();
    let teacher = Model::load(&folder.join("teacher"), &device).unwrap();
    let texts = texts();
    let data = TrainingData { texts: &texts, held_out: &texts[..6], vocabulary_texts: &[] };
    let mut observe = |event: &Event| {
        if let Event::Step { step, loss, .. } = event {
            losses.push(*loss);
            if *step == stop_at {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    };
    let head = Head::identity(8);
    let checkpoints = folder.join("checkpoints");
    match distil(&settings(), &teacher, &head, data, &checkpoints, &device, &mut observe).unwrap() {
        Outcome::Finished(student) => Some(*student),
        Outcome::Interrupted(_) => None,
    }
}

#[test]
fn the_student_learns_the_new_language() {
    let folder = tempfile::tempdir().unwrap();
    tiny_checkpoint(&folder.path().join("teacher"));
    let mut losses = Vec::new();
    run(folder.path(), u64::MAX, &mut losses).unwrap();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let (first, last) = (mean(&losses[..5]), mean(&losses[35..]));
    assert!(last < 0.5 * first, "the transport cost went from {first} to {last}");
}

#[test]
fn a_run_that_was_stopped_ends_with_the_very_weights_of_one_that_was_not() {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&whole, &parts] {
        tiny_checkpoint(&folder.path().join("teacher"));
    }
    let unbroken = run(whole.path(), u64::MAX, &mut Vec::new()).unwrap();
    assert!(run(parts.path(), 9, &mut Vec::new()).is_none());
    assert!(run(parts.path(), 23, &mut Vec::new()).is_none());
    let resumed = run(parts.path(), u64::MAX, &mut Vec::new()).unwrap();
    assert_eq!(unbroken.encoder.tensors().unwrap(), resumed.encoder.tensors().unwrap());
}

#[test]
fn a_checkpoint_of_other_settings_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    tiny_checkpoint(&folder.path().join("teacher"));
    assert!(run(folder.path(), 9, &mut Vec::new()).is_none());
    let device = Device::flex();
    let teacher = Model::load(&folder.path().join("teacher"), &device).unwrap();
    let other = DistillSettings { batch_size: 5, ..settings() };
    let texts = texts();
    let data = TrainingData { texts: &texts, held_out: &[], vocabulary_texts: &[] };
    let checkpoints = folder.path().join("checkpoints");
    let refused = distil(&other, &teacher, &Head::identity(8), data, &checkpoints, &device, &mut |_| ControlFlow::Continue(()));
    assert!(refused.unwrap_err().to_string().contains("other [distill] settings"));
    assert!(checkpoints.join("step-9").is_dir());
}
