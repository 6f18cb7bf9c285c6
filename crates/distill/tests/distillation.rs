//! A whole distillation of a tiny random encoder: it learns, stops, and goes on to the same weights.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use optical_distill::settings::{
    HeadSettings, InstrumentSettings, OptimiserSettings, TransportSettings,
};
use optical_distill::{
    DistillError, DistillSettings, Event, Outcome, TokenizedPairs, TrainingData, TrainingText,
    distil,
};
use optical_encoder::testing::tiny_checkpoint;
use optical_encoder::{Head, Model};

const WORDS: [&str; 12] = [
    "maji", "moto", "nyota", "jua", "mti", "samaki", "water", "fire", "star", "sun", "tree", "fish",
];

fn tiny_teacher(folder: &Path) {
    tiny_checkpoint(&folder.join("teacher"), "bert", &WORDS, 5).unwrap();
}

/// Two to four words in a row, and their translation.
fn texts() -> Vec<TrainingText> {
    let side = |offset: usize, words: &[usize]| -> String {
        words
            .iter()
            .map(|word| WORDS[offset + word])
            .collect::<Vec<_>>()
            .join(" ")
    };
    (0..24)
        .map(|i| {
            let words: Vec<usize> = (0..2 + i % 3)
                .map(|j| (i * 5 + j * (1 + i / 6)) % 6)
                .collect();
            TrainingText {
                target: side(6, &words),
                input: side(0, &words),
                group: "swa".into(),
            }
        })
        .chain((0..6).map(|i| TrainingText::retention(&side(6, &[i, (i + 1) % 6]), "eng")))
        .collect()
}

fn tokenized(teacher: &Model, folder: &Path) -> TokenizedPairs {
    let (texts, length) = (texts(), settings().maximum_length);
    let texts = texts.into_iter().map(Ok::<_, DistillError>);
    TokenizedPairs::write(texts, &teacher.tokenizer, length, folder).unwrap()
}

fn settings() -> DistillSettings {
    DistillSettings {
        seed: 3,
        steps: 40,
        batch_size: 6,
        parts: 2,
        maximum_length: 12,
        layers: 2,
        frozen_layers: 0,
        frozen_vocabulary: false,
        bitext: BTreeMap::from([("swa".into(), 0.8)]),
        retention: BTreeMap::from([("eng".into(), 0.2)]),
        transport: TransportSettings {
            epsilon: 0.05,
            iterations: 30,
        },
        optimiser: OptimiserSettings {
            learning_rate: 5e-3,
            vocabulary_learning_rate: 2e-2,
            layer_decay: 0.9,
            warm_up: 4,
            weight_decay: 0.01,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            clip_norm: 1.0,
        },
        head: HeadSettings {
            exponent: 0.0,
            sentences: 1,
            documents: 0,
        },
        instruments: InstrumentSettings {
            every: 20,
            held_out: 6,
        },
        checkpoint_every: 7,
        student_weight: 1.0,
    }
}

/// Runs until `stop_at`, collecting losses; returns the student where the run ended.
fn run(folder: &Path, stop_at: u64, losses: &mut Vec<f64>) -> Option<Model> {
    let device = Device::flex();
    let teacher = Model::load(&folder.join("teacher"), &device).unwrap();
    let texts = texts();
    let pairs = tokenized(&teacher, folder);
    let data = TrainingData {
        pairs: &pairs,
        held_out: &texts[..6],
    };
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
    match distil(
        &settings(),
        &teacher,
        &head,
        data,
        &checkpoints,
        &device,
        &mut observe,
    )
    .unwrap()
    {
        Outcome::Finished(student) => Some(*student),
        Outcome::Interrupted(_) => None,
    }
}

#[test]
fn the_student_learns_the_new_language() {
    let folder = tempfile::tempdir().unwrap();
    tiny_teacher(folder.path());
    let mut losses = Vec::new();
    run(folder.path(), u64::MAX, &mut losses).unwrap();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let (first, last) = (mean(&losses[..5]), mean(&losses[35..]));
    assert!(
        last < 0.5 * first,
        "the transport cost went from {first} to {last}"
    );
}

#[test]
fn a_run_that_was_stopped_ends_with_the_very_weights_of_one_that_was_not() {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&whole, &parts] {
        tiny_teacher(folder.path());
    }
    let unbroken = run(whole.path(), u64::MAX, &mut Vec::new()).unwrap();
    assert!(run(parts.path(), 9, &mut Vec::new()).is_none());
    assert!(run(parts.path(), 23, &mut Vec::new()).is_none());
    let resumed = run(parts.path(), u64::MAX, &mut Vec::new()).unwrap();
    assert_eq!(
        unbroken.encoder.tensors().unwrap(),
        resumed.encoder.tensors().unwrap()
    );
}

#[test]
fn a_checkpoint_of_other_settings_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    tiny_teacher(folder.path());
    assert!(run(folder.path(), 9, &mut Vec::new()).is_none());
    let device = Device::flex();
    let teacher = Model::load(&folder.path().join("teacher"), &device).unwrap();
    let other = DistillSettings {
        batch_size: 5,
        ..settings()
    };
    let pairs = tokenized(&teacher, folder.path());
    let data = TrainingData {
        pairs: &pairs,
        held_out: &[],
    };
    let checkpoints = folder.path().join("checkpoints");
    let refused = distil(
        &other,
        &teacher,
        &Head::identity(8),
        data,
        &checkpoints,
        &device,
        &mut |_| ControlFlow::Continue(()),
    );
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("other [distill] settings")
    );
    assert!(checkpoints.join("step-9").is_dir());
}
