//! A whole distillation of a tiny random encoder: it learns, stops, and resumes to the same
//! weights.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use optical_distill::objectives::plan::{PlanGradient, PlanSettings, Unit};
use optical_distill::objectives::sentence::Pool;
use optical_distill::objectives::{
    AlignmentSettings, ContrastSettings, Objectives, ScoreSettings, SentenceSettings,
};
use optical_distill::settings::{
    Batches, Decay, HeadSettings, InstrumentSettings, OptimiserSettings, SamplingSettings,
    StoppingMetric, StoppingSettings, TrainingSettings,
};
use optical_distill::{
    Beginning, DistillError, DistillSettings, Event, Observer, Outcome, TokenizedPairs,
    TrainingData, TrainingText, distil,
};
use optical_encoder::testing::tiny_checkpoint;
use optical_encoder::{Head, Model, Precision};

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
                passages: Vec::new(),
            }
        })
        .chain((0..6).map(|i| TrainingText::retention(&side(6, &[i, (i + 1) % 6]), "eng")))
        .collect()
}

fn alignment(plan: PlanSettings) -> Objectives {
    Objectives {
        alignment: Some(AlignmentSettings {
            plan,
            ..AlignmentSettings::default()
        }),
        ..Objectives::default()
    }
}

fn tokenized(teacher: &Model, folder: &Path) -> TokenizedPairs {
    let (texts, length) = (texts(), settings().maximum_length);
    let texts = texts.into_iter().map(Ok::<_, DistillError>);
    TokenizedPairs::write(texts, [&teacher.tokenizer; 2], length, folder).unwrap()
}

fn training_data<'a>(pairs: &'a TokenizedPairs, held_out: &'a [TrainingText]) -> TrainingData<'a> {
    TrainingData {
        pairs,
        held_out,
        passages: None,
        targets: None,
    }
}

fn settings() -> DistillSettings {
    DistillSettings {
        training: training(),
        teacher_reads: None,
        maximum_length: 12,
        layers: Some(2),
        frozen_layers: 0,
        frozen_vocabulary: false,
        bitext: BTreeMap::from([("swa".into(), 0.8)]),
        retention: BTreeMap::from([("eng".into(), 0.2)]),
        code_switched: BTreeMap::new(),
        sampling: SamplingSettings {
            size_exponent: 0.3,
            batches: Batches::ByLength,
        },
        objectives: alignment(PlanSettings::Sinkhorn {
            epsilon: 0.05,
            unit: Unit::Cost,
            start: 0.1,
            annealing: 10,
            iterations: 30,
            gradient: PlanGradient::Detached,
        }),
        head: HeadSettings {
            exponent: 0.0,
            sentences: 1,
            documents: 0,
        },
        student_weight: 1.0,
    }
}

fn training() -> TrainingSettings {
    TrainingSettings {
        seed: 3,
        steps: 40,
        batch_size: 6,
        parts: 2,
        accumulation: 2,
        dropout: true,
        precision: Precision::Single,
        gradient_checkpointing: false,
        checkpoint_every: 7,
        optimiser: OptimiserSettings {
            learning_rate: 5e-3,
            vocabulary_learning_rate: 2e-2,
            projection_learning_rate: None,
            layer_decay: 0.9,
            warm_up: 4,
            decay: Decay::Linear,
            weight_decay: 0.01,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            clip_norm: 1.0,
        },
        instruments: InstrumentSettings {
            every: 20,
            held_out: 6,
        },
        stopping: None,
    }
}

/// Runs until `stop_at`, collecting losses; returns the student where the run ended.
fn run(folder: &Path, stop_at: u64, losses: &mut Vec<f64>) -> Option<Model> {
    run_with(&settings(), folder, stop_at, losses)
}

fn run_with(
    settings: &DistillSettings,
    folder: &Path,
    stop_at: u64,
    losses: &mut Vec<f64>,
) -> Option<Model> {
    run_heard(settings, folder, |event: &Event| {
        if let Event::Step { step, loss, .. } = event {
            losses.push(*loss);
            if *step == stop_at {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })
}

/// Runs until the observer stops it.
fn run_heard(
    settings: &DistillSettings,
    folder: &Path,
    mut observe: impl FnMut(&Event) -> ControlFlow<()>,
) -> Option<Model> {
    let device = Device::flex();
    let teacher = Model::load(&folder.join("teacher"), &device).unwrap();
    let texts = texts();
    let pairs = tokenized(&teacher, folder);
    let data = training_data(&pairs, &texts[..6]);
    let head = Head::identity(8);
    let checkpoints = folder.join("checkpoints");
    match distil(
        settings,
        (&teacher, Beginning::Copy),
        &head,
        data,
        &checkpoints,
        &[device],
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
    // With dropout, eight dimensions leave too much to chance to be judged by the loss.
    let settings = DistillSettings {
        training: TrainingSettings {
            dropout: false,
            ..training()
        },
        ..settings()
    };
    run_with(&settings, folder.path(), u64::MAX, &mut losses).unwrap();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let (first, last) = (mean(&losses[..5]), mean(&losses[35..]));
    assert!(
        last < 0.5 * first,
        "the transport cost went from {first} to {last}"
    );
}

/// Two devices of one kind are the same device here, but everything takes the way of two.
#[test]
fn parts_on_several_devices_sum_up_to_the_same_student() {
    let students = [1, 2].map(|count| {
        let folder = tempfile::tempdir().unwrap();
        tiny_teacher(folder.path());
        let teacher = Model::load(&folder.path().join("teacher"), &Device::flex()).unwrap();
        let (texts, pairs) = (texts(), tokenized(&teacher, folder.path()));
        let data = training_data(&pairs, &texts[..6]);
        let outcome = distil(
            &settings(),
            (&teacher, Beginning::Copy),
            &Head::identity(8),
            data,
            &folder.path().join("checkpoints"),
            &vec![Device::flex(); count],
            &mut |_: &Event| ControlFlow::Continue(()),
        );
        let Outcome::Finished(student) = outcome.unwrap() else {
            panic!("nobody stopped it")
        };
        student.encoder.tensors().unwrap()
    });
    assert_eq!(students[0], students[1]);
}

/// Every objective on its own, with half of them in the ways that only some runs take.
#[test]
fn every_objective_teaches_the_new_language() {
    let terms = [
        alignment(PlanSettings::Greedy {}),
        alignment(PlanSettings::Softmax { temperature: 0.1 }),
        alignment(PlanSettings::Exact {}),
        Objectives {
            sentence: Some(SentenceSettings {
                weight: 1.0,
                pool: Pool::Mean,
            }),
            ..Objectives::default()
        },
        Objectives {
            contrast: Some(ContrastSettings {
                weight: 1.0,
                temperature: 0.1,
            }),
            ..Objectives::default()
        },
        Objectives {
            scores: Some(ScoreSettings {
                weight: 1.0,
                temperature: 0.1,
            }),
            ..Objectives::default()
        },
    ];
    let folder = tempfile::tempdir().unwrap();
    tiny_teacher(folder.path());
    for (number, objectives) in terms.into_iter().enumerate() {
        let settings = DistillSettings {
            objectives,
            training: TrainingSettings {
                dropout: false,
                accumulation: 1,
                precision: [Precision::Bfloat16, Precision::Half][number % 2],
                gradient_checkpointing: true,
                ..training()
            },
            ..settings()
        };
        let mut losses = Vec::new();
        run_with(&settings, folder.path(), u64::MAX, &mut losses).unwrap();
        std::fs::remove_dir_all(folder.path().join("checkpoints")).unwrap();
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        let (first, last) = (mean(&losses[..5]), mean(&losses[35..]));
        assert!(
            last < 0.7 * first,
            "{:?}: the loss went from {first} to {last}",
            settings.objectives
        );
    }
}

/// A sum's terms are reported, each with its weight; a single one is the loss itself.
#[test]
fn terms_add_up_to_the_loss() {
    let alone = settings().objectives;
    let sum = Objectives {
        sentence: Some(SentenceSettings {
            weight: 3.0,
            pool: Pool::Mean,
        }),
        ..alone.clone()
    };
    for (objectives, expected) in [(alone, vec![]), (sum, vec!["alignment", "sentence"])] {
        let folder = tempfile::tempdir().unwrap();
        tiny_teacher(folder.path());
        let settings = DistillSettings {
            objectives,
            ..settings()
        };
        let mut steps = 0;
        let observe = |event: &Event| {
            if let Event::Step { loss, terms, .. } = event {
                steps += 1;
                assert_eq!(terms.keys().collect::<Vec<_>>(), expected);
                let sum: f64 = terms.values().sum();
                assert!(terms.is_empty() || (sum - loss).abs() < 1e-6, "{event:?}");
                assert!(terms.values().all(|term| 0.0 < *term), "{event:?}");
            }
            ControlFlow::Continue(())
        };
        run_heard(&settings, folder.path(), observe).unwrap();
        assert_eq!(steps, settings.training.steps);
    }
}

#[test]
fn recomputing_what_was_not_kept_changes_nothing() {
    let students = [false, true].map(|gradient_checkpointing| {
        let folder = tempfile::tempdir().unwrap();
        tiny_teacher(folder.path());
        let settings = DistillSettings {
            training: TrainingSettings {
                gradient_checkpointing,
                steps: 5,
                ..training()
            },
            ..settings()
        };
        let student = run_with(&settings, folder.path(), u64::MAX, &mut Vec::new());
        student.unwrap().encoder.tensors().unwrap()
    });
    assert_eq!(students[0], students[1]);
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

/// Hears a run whose readings come to given values, and stops it once after a step.
struct Judge {
    values: BTreeMap<u64, f64>,
    stop_at: Option<u64>,
    read: Vec<u64>,
    judged: usize,
}

impl Observer for Judge {
    fn hear(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::Instruments { step, judged, .. } => {
                assert_eq!(*judged, Some(self.values[step]));
                self.read.push(*step);
            }
            Event::Step { step, .. } if self.stop_at == Some(*step) => {
                return ControlFlow::Break(());
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn judge(&mut self, student: &Model) -> Option<f64> {
        assert_eq!(
            student.tokenizer.vocabulary_size(),
            student.config.vocab_size
        );
        let value = self.values.values().nth(self.judged).copied();
        self.judged += 1;
        value
    }
}

#[test]
fn a_run_ends_with_its_best_reading_whether_it_was_stopped_or_not() {
    let settings = DistillSettings {
        training: TrainingSettings {
            instruments: InstrumentSettings {
                every: 5,
                held_out: 6,
            },
            stopping: Some(StoppingSettings {
                metric: StoppingMetric::Development,
                patience: 2,
            }),
            ..training()
        },
        ..settings()
    };
    let values = [
        (0, 0.1),
        (5, 0.2),
        (10, 0.5),
        (15, 0.4),
        (20, 0.5),
        (25, 0.9),
    ];
    let run = |stop_at: Option<u64>| {
        let folder = tempfile::tempdir().unwrap();
        tiny_teacher(folder.path());
        let teacher = Model::load(&folder.path().join("teacher"), &Device::flex()).unwrap();
        let (texts, pairs) = (texts(), tokenized(&teacher, folder.path()));
        let mut judge = Judge {
            values: BTreeMap::from(values),
            stop_at,
            read: Vec::new(),
            judged: 0,
        };
        let mut once = || {
            distil(
                &settings,
                (&teacher, Beginning::Copy),
                &Head::identity(8),
                training_data(&pairs, &texts[..6]),
                &folder.path().join("checkpoints"),
                &[Device::flex()],
                &mut judge,
            )
            .unwrap()
        };
        let outcome = match once() {
            Outcome::Interrupted(_) => once(),
            finished => finished,
        };
        let Outcome::Finished(student) = outcome else {
            panic!("stopped twice")
        };
        assert_eq!(judge.read, [0, 5, 10, 15, 20]);
        student.encoder.tensors().unwrap()
    };
    let unbroken = run(None);
    assert_eq!(unbroken, run(Some(12)));
    assert_eq!(unbroken, run(Some(20)));
}

#[test]
fn a_checkpoint_of_other_settings_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    tiny_teacher(folder.path());
    assert!(run(folder.path(), 9, &mut Vec::new()).is_none());
    let device = Device::flex();
    let teacher = Model::load(&folder.path().join("teacher"), &device).unwrap();
    let other = DistillSettings {
        maximum_length: 11,
        ..settings()
    };
    let pairs = tokenized(&teacher, folder.path());
    let data = training_data(&pairs, &[]);
    let checkpoints = folder.path().join("checkpoints");
    let refused = distil(
        &other,
        (&teacher, Beginning::Copy),
        &Head::identity(8),
        data,
        &checkpoints,
        &[device],
        &mut |_: &Event| ControlFlow::Continue(()),
    );
    assert!(refused.unwrap_err().to_string().contains("other settings"));
    assert!(checkpoints.join("step-9").is_dir());
}
