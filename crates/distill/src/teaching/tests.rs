//! A tiny encoder is taught to rank.

use std::ops::ControlFlow;

use optical_encoder::Precision;
use optical_encoder::testing::tiny_checkpoint;

use super::*;
use crate::settings::{Decay, InstrumentSettings, OptimiserSettings, TrainingSettings};

const WORDS: [&str; 12] = [
    "when", "who", "where", "how", "why", "what", "water", "fire", "star", "sun", "tree", "fish",
];

pub(crate) fn settings() -> TeachSettings {
    TeachSettings {
        training: TrainingSettings {
            seed: 1,
            steps: 60,
            batch_size: 4,
            parts: 1,
            accumulation: 1,
            dropout: false,
            precision: Precision::Single,
            gradient_checkpointing: false,
            checkpoint_every: 10,
            optimiser: OptimiserSettings {
                learning_rate: 5e-3,
                vocabulary_learning_rate: 2e-2,
                projection_learning_rate: None,
                layer_decay: 1.0,
                warm_up: 4,
                decay: Decay::Linear,
                weight_decay: 0.01,
                beta_1: 0.9,
                beta_2: 0.999,
                epsilon: 1e-8,
                clip_norm: 1.0,
            },
            instruments: InstrumentSettings {
                every: 60,
                held_out: 6,
            },
            stopping: None,
        },
        layers: 2,
        frozen_layers: 0,
        frozen_vocabulary: false,
        query_length: 8,
        document_length: 8,
        candidates: 2,
        in_batch: true,
        dimensions: 4,
        temperature: 0.2,
        objectives: RankingObjectives {
            relevance: 1.0,
            scores: 0.0,
        },
    }
}

/// Each question word belongs to one thing.
fn texts() -> Vec<RankingText> {
    (0..6)
        .map(|word| RankingText {
            query: format!("{0} {0}", WORDS[word]).into(),
            documents: vec![
                format!("{} {}", WORDS[6 + word], WORDS[6 + word]).into(),
                WORDS[6 + (word + 1) % 6].into(),
            ],
            scores: Vec::new(),
        })
        .collect()
}

/// Teaches until `stop_at`; returns the model at the end, and the readings.
fn run(folder: &Path, settings: &TeachSettings, stop_at: u64) -> (Option<Model>, Vec<Reading>) {
    let device = Device::flex();
    let model = Model::load(&folder.join("model"), &device).unwrap();
    let texts = texts();
    let mut readings = Vec::new();
    let mut observe = |event: &Event| {
        match event {
            Event::Instruments { reading, .. } => readings.push(reading.clone()),
            Event::Step { step, .. } if *step == stop_at => return ControlFlow::Break(()),
            _ => {}
        }
        ControlFlow::Continue(())
    };
    let checkpoints = folder.join("checkpoints");
    let outcome = teach(
        settings,
        &model,
        [&texts, &texts],
        &checkpoints,
        std::slice::from_ref(&device),
        &mut observe,
    );
    match outcome.unwrap() {
        Outcome::Finished(model) => (Some(*model), readings),
        Outcome::Interrupted(_) => (None, readings),
    }
}

fn model_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    tiny_checkpoint(&folder.path().join("model"), "bert", &WORDS, 5).unwrap();
    folder
}

#[test]
fn relevant_documents_come_first_and_the_projection_is_learned() {
    let folder = model_folder();
    let (model, readings) = run(folder.path(), &settings(), u64::MAX);
    let rank = |reading: &Reading| reading.mates["eng"].reciprocal_rank;
    assert!(
        rank(&readings[0]) < 0.8 && rank(&readings[1]) > 0.95,
        "{readings:?}"
    );
    // Before training, tokens are as alike as they are: in the dimensions that are trained.
    let [now, before] = [
        readings[0].within_sentence_cosine,
        readings[0].teacher_within_sentence_cosine,
    ];
    assert!(
        0.01 < now.abs() && (now - before).abs() < 1e-5,
        "{readings:?}"
    );
    assert_eq!(readings[1].teacher_within_sentence_cosine, before);
    let head = model.unwrap().head.unwrap();
    assert_eq!((head.input, head.output), (8, 4));
    let start = optical_encoder::Head::identity(8).truncated(4);
    let moved = head.weight.iter().zip(&start.weight);
    assert!(moved.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) > 0.01);
}

#[test]
fn a_training_that_was_stopped_ends_with_the_very_weights_of_one_that_was_not() {
    let ends = [u64::MAX, 13].map(|stop_at| {
        let folder = model_folder();
        let (mut model, _) = run(folder.path(), &settings(), stop_at);
        if model.is_none() {
            model = run(folder.path(), &settings(), u64::MAX).0;
        }
        let model = model.unwrap();
        (model.encoder.tensors().unwrap(), model.head)
    });
    assert_eq!(ends[0], ends[1]);
}

#[test]
fn a_stronger_rankers_scores_are_learned() {
    let folder = model_folder();
    let mut settings = settings();
    settings.objectives = RankingObjectives {
        relevance: 0.0,
        scores: 1.0,
    };
    settings.dimensions = 0;
    // Nobody gave any.
    let model = Model::load(&folder.path().join("model"), &Device::flex()).unwrap();
    let refused = Examples::new(&settings, &texts(), &model.tokenizer);
    assert!(refused.is_err_and(|error| error.to_string().contains("scores of 2")));
    // Given the wrong way round, documents are ranked the wrong way round.
    let mut given = texts();
    given
        .iter_mut()
        .for_each(|text| text.scores = vec![0.0, 6.0]);
    let examples = Examples::new(&settings, &given, &model.tokenizer).unwrap();
    let batch = &examples.batch(0, 6, 1)[0];
    assert_eq!(batch.scores, [6.0, 0.0].repeat(6));
    assert_eq!(batch.documents.rows, 12);
}

/// Nothing is cut to what the model has without a word.
#[test]
fn more_than_the_model_has_is_refused_before_training() {
    let folder = model_folder();
    let device = Device::flex();
    let model = Model::load(&folder.path().join("model"), &device).unwrap();
    let refused = |settings: &TeachSettings| {
        let checkpoints = folder.path().join("checkpoints");
        let devices = std::slice::from_ref(&device);
        let mut observe = |_: &Event| -> ControlFlow<()> { panic!("it began") };
        let texts = texts();
        let texts = [&texts[..], &texts];
        let outcome = teach(settings, &model, texts, &checkpoints, devices, &mut observe);
        outcome.err().unwrap().to_string()
    };
    let wide = TeachSettings {
        dimensions: 9,
        ..settings()
    };
    let expected = "teach.dimensions = 9, expected at most 8, the dimensions of the model";
    assert_eq!(refused(&wide), expected);
    let deep = TeachSettings {
        layers: 3,
        ..settings()
    };
    assert!(refused(&deep).starts_with("teach.layers = 3, expected at most 2"));
    let long = TeachSettings {
        document_length: 25,
        ..settings()
    };
    assert!(refused(&long).starts_with("teach.document_length = 25, expected at most 24"));
}

#[test]
fn missing_candidates_come_from_other_queries() {
    let folder = model_folder();
    let model = Model::load(&folder.path().join("model"), &Device::flex()).unwrap();
    let mut settings = settings();
    settings.candidates = 4;
    let mut batches = |seed| {
        settings.training.seed = seed;
        let examples = Examples::new(&settings, &texts(), &model.tokenizer).unwrap();
        examples.batch(3, 4, 2)
    };
    let mut ids = |seed| -> Vec<Vec<u32>> {
        batches(seed)
            .into_iter()
            .map(|part| part.documents.ids)
            .collect()
    };
    assert_eq!(ids(1), ids(1));
    assert_ne!(ids(1), ids(2));
    for part in batches(1) {
        assert_eq!((part.queries.rows, part.documents.rows), (2, 8));
        assert!(part.scores.is_empty());
    }
}

/// What has no token has no vector: such examples are left out, and of others such documents.
#[test]
fn texts_without_tokens_are_not_taught_with() {
    let folder = model_folder();
    let model = Model::load(&folder.path().join("model"), &Device::flex()).unwrap();
    let mut texts = texts();
    texts[0].query = " ".into();
    texts[1].documents[0] = "".into();
    texts[2].documents[1] = "".into();
    // A stronger ranker likes the second best, which has no token; then the first.
    texts[3].scores = vec![1.0, 2.0];
    texts[3].documents[1] = "".into();
    texts[4].scores = vec![2.0, 1.0];
    texts[4].documents[1] = "".into();
    let usable = with_tokens(&settings(), &texts, &model.tokenizer).unwrap();
    let found: Vec<_> = usable
        .iter()
        .map(|it| (&*it.query, it.documents.len()))
        .collect();
    assert_eq!(
        found,
        [("where where", 1), ("why why", 1), ("what what", 2)]
    );
    assert_eq!(usable[1].scores, [2.0]);
    let mut settings = settings();
    settings.training.steps = 2;
    let checkpoints = folder.path().join("checkpoints");
    let mut prepared = None;
    let mut observer = |event: &Event| {
        if let Event::Prepared {
            pairs,
            left_out,
            without_tokens,
            ..
        } = event
        {
            prepared = Some((*pairs, *left_out, *without_tokens));
        }
        ControlFlow::Continue(())
    };
    let mut model = model;
    model.head = Some(model.head_or_identity());
    let devices = [Device::flex()];
    let outcome = teach(
        &settings,
        &model,
        [&texts, &texts],
        &checkpoints,
        &devices,
        &mut observer,
    );
    assert!(matches!(outcome, Ok(Outcome::Finished(_))), "{outcome:?}");
    assert_eq!(prepared, Some((3, 3, 3)));
}
