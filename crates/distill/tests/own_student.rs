//! A student of its own: another tokenizer, another width, and a projection into the teacher's states.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use optical_distill::objectives::Objectives;
use optical_distill::projection::{ProjectionSettings, ProjectionTurn, find_projection};
use optical_distill::settings::{
    Batches, Decay, HeadSettings, InstrumentSettings, OptimiserSettings, SamplingSettings,
    TeacherReads, TrainingSettings,
};
use optical_distill::{
    Beginning, DistillError, DistillSettings, Event, Outcome, Targets, TokenizedPairs,
    TrainingData, TrainingText, distil,
};
use optical_encoder::testing::{HIDDEN, tiny_checkpoint, tiny_checkpoint_of_width};
use optical_encoder::{EncodeSettings, Head, Model, Precision, Vectors};
use optical_tokenize::Role;

/// What the teacher has whole; the student has every second word, and spells the others.
const WORDS: [&str; 8] = [
    "water", "fire", "star", "sun", "tree", "fish", "stone", "wind",
];
const WIDTH: usize = 4;
const ENCODE: EncodeSettings = EncodeSettings {
    role: Role::Query,
    maximum_length: 20,
    tokens_per_batch: 64,
};
const PROJECTION: ProjectionSettings = ProjectionSettings {
    sentences: 64,
    ridge: 1e-6,
    turns: 8,
};

fn sentences() -> Vec<String> {
    let word = |i: usize| WORDS[i % WORDS.len()];
    (0..64)
        .map(|i| format!("{} {} {}", word(i), word(i * 3 + 1), word(i / 8 + 2)))
        .collect()
}

fn models(folder: &Path) -> [Model; 2] {
    let device = Device::flex();
    let (teacher, student) = (folder.join("teacher"), folder.join("student"));
    tiny_checkpoint(&teacher, "bert", &WORDS, 3).unwrap();
    let some: Vec<&str> = WORDS.into_iter().step_by(2).collect();
    tiny_checkpoint_of_width(WIDTH, &student, "xlm-roberta", &some, 9).unwrap();
    [teacher, student].map(|folder| Model::load(&folder, &device).unwrap())
}

fn projected(models: &[Model; 2], turns: usize) -> (Head, Vec<ProjectionTurn>) {
    let sentences = sentences();
    let texts: Vec<&str> = sentences.iter().map(String::as_str).collect();
    let settings = ProjectionSettings {
        turns,
        ..PROJECTION
    };
    let mut heard = Vec::new();
    let found = find_projection(
        &settings,
        [&models[0], &models[1]],
        &Head::identity(HIDDEN),
        (&texts, ENCODE),
        &Device::flex(),
        |turn| {
            heard.push(turn);
            Ok::<_, DistillError>(())
        },
    );
    (found.unwrap(), heard)
}

#[test]
fn a_model_is_projected_onto_itself_without_loss() {
    let folder = tempfile::tempdir().unwrap();
    let [teacher, _] = models(folder.path());
    let (_, heard) = projected(&[teacher.clone(), teacher], 8);
    let last = heard.last().unwrap();
    assert!(0.999 < last.r_squared && last.cost < 1e-3, "{heard:?}");
    assert_eq!(heard.len(), 2, "the cost stands still at once");
}

#[test]
fn turns_bring_a_student_with_other_pieces_nearer() {
    let folder = tempfile::tempdir().unwrap();
    let models = models(folder.path());
    let (found, heard) = projected(&models, 8);
    assert_eq!((found.input, found.output), (WIDTH, HIDDEN));
    let turns: Vec<usize> = heard.iter().map(|it| it.turn).collect();
    assert_eq!(turns, (1..=heard.len()).collect::<Vec<_>>());
    let (first, last) = (heard[0], heard[heard.len() - 1]);
    assert!(1 < heard.len() && last.cost < first.cost, "{heard:?}");
    assert!(first.r_squared < last.r_squared, "{heard:?}");
    let (again, _) = projected(&models, 8);
    assert_eq!(found, again);
    let (one, heard) = projected(&models, 1);
    assert_eq!(heard.len(), 1);
    assert_ne!(one, found);
}

fn settings(steps: u64) -> DistillSettings {
    DistillSettings {
        training: TrainingSettings {
            seed: 3,
            steps,
            batch_size: 8,
            parts: 2,
            accumulation: 1,
            dropout: false,
            precision: Precision::Single,
            gradient_checkpointing: false,
            checkpoint_every: 5,
            optimiser: OptimiserSettings {
                learning_rate: 5e-3,
                vocabulary_learning_rate: 1e-2,
                projection_learning_rate: Some(2e-2),
                layer_decay: 1.0,
                warm_up: 2,
                decay: Decay::Linear,
                weight_decay: 0.0,
                beta_1: 0.9,
                beta_2: 0.999,
                epsilon: 1e-8,
                clip_norm: 1.0,
            },
            instruments: InstrumentSettings {
                every: 50,
                held_out: 6,
            },
            stopping: None,
        },
        teacher_reads: None,
        maximum_length: 20,
        layers: None,
        frozen_layers: 0,
        frozen_vocabulary: false,
        bitext: BTreeMap::new(),
        retention: BTreeMap::from([("eng".into(), 1.0)]),
        code_switched: BTreeMap::new(),
        sampling: SamplingSettings {
            size_exponent: 0.0,
            batches: Batches::ByLength,
        },
        objectives: Objectives {
            alignment: Some(Default::default()),
            ..Objectives::default()
        },
        head: HeadSettings {
            exponent: 0.0,
            sentences: 1,
            documents: 0,
        },
        student_weight: 1.0,
    }
}

/// Trains until `stop_at`; the result with the losses.
fn train(
    [teacher, student]: &[Model; 2],
    settings: &DistillSettings,
    folder: &Path,
    stop_at: u64,
) -> Result<(Option<Model>, Vec<f64>), DistillError> {
    let texts: Vec<_> = sentences()
        .iter()
        .chain(&sentences()[..10])
        .map(|it| TrainingText::retention(it, "eng"))
        .collect();
    let tokenizers = [&teacher.tokenizer, &student.tokenizer];
    let given = texts.clone().into_iter().map(Ok::<_, DistillError>);
    let pairs = TokenizedPairs::write(given, tokenizers, settings.maximum_length, folder)?;
    let states = folder.join("states.safetensors");
    let targets = match settings.teacher_reads {
        Some(TeacherReads::Once) => {
            let targets = Targets::of(&pairs, |_| ())?;
            let place = (states.as_path(), &Device::flex());
            let mut hear = |_, _| ControlFlow::Continue(());
            assert!(targets.write(teacher, &pairs, 64, place, &mut hear)?);
            Some(targets.open(&states, HIDDEN)?)
        }
        _ => None,
    };
    let data = TrainingData {
        pairs: &pairs,
        held_out: &texts[..6],
        passages: None,
        targets: targets.as_ref(),
    };
    let mut losses = Vec::new();
    let outcome = distil(
        settings,
        (teacher, Beginning::Own(student)),
        &Head::identity(HIDDEN),
        data,
        &folder.join("checkpoints"),
        &[Device::flex()],
        &mut |event: &Event| {
            if let Event::Step { step, loss, .. } = event {
                losses.push(*loss);
                if *step == stop_at {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        },
    )?;
    Ok(match outcome {
        Outcome::Finished(student) => (Some(*student), losses),
        Outcome::Interrupted(_) => (None, losses),
    })
}

fn begun(folder: &Path) -> [Model; 2] {
    let mut models = models(folder);
    models[1].head = Some(projected(&models, 1).0);
    models
}

fn tensors(model: &Model) -> Vec<Vec<f32>> {
    let tensors = model.encoder.tensors().unwrap().into_iter();
    tensors.map(|(.., values)| values).collect()
}

#[test]
fn english_text_brings_it_to_the_teacher_and_a_stop_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut models = begun(folder.path());
    // A projection that is far from the best one.
    let projection = models[1].head.as_mut().unwrap();
    projection.weight.reverse();
    let whole = folder.path().join("whole");
    std::fs::create_dir(&whole).unwrap();
    let (student, losses) = train(&models, &settings(60), &whole, 0).unwrap();
    let student = student.unwrap();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&losses[50..]) < 0.7 * mean(&losses[..5]), "{losses:?}");
    let (before, after) = (
        models[1].head.as_ref().unwrap(),
        student.head.as_ref().unwrap(),
    );
    assert_eq!((after.input, after.output), (WIDTH, HIDDEN));
    assert_ne!(before.weight, after.weight);
    assert_ne!(before.bias, after.bias);
    assert_eq!(
        student.tokenizer.vocabulary_size(),
        models[1].tokenizer.vocabulary_size()
    );

    let parts = folder.path().join("parts");
    std::fs::create_dir(&parts).unwrap();
    let (none, first) = train(&models, &settings(60), &parts, 23).unwrap();
    assert!(none.is_none());
    let (again, rest) = train(&models, &settings(60), &parts, 0).unwrap();
    assert_eq!([first, rest].concat(), losses);
    let again = again.unwrap();
    assert_eq!(again.head, student.head);
    assert_eq!(tensors(&again), tensors(&student));

    // A share of the way, and after the frozen head as one map.
    let half = DistillSettings {
        student_weight: 0.5,
        ..settings(60)
    };
    let folder = folder.path().join("half");
    std::fs::create_dir(&folder).unwrap();
    let half = train(&models, &half, &folder, 0).unwrap().0.unwrap();
    let (found, expected) = (
        half.head.clone().unwrap(),
        (before.bias[1] + after.bias[1]) / 2.0,
    );
    assert!((found.bias[1] - expected).abs() < 1e-6);
    let exported = half.with_head_after(&Head::identity(HIDDEN)).head.unwrap();
    assert_eq!(exported, found);
}

#[test]
fn a_teacher_that_reads_once_gives_the_same_losses() {
    let folder = tempfile::tempdir().unwrap();
    let models = begun(folder.path());
    let [every, once] = [None, Some(TeacherReads::Once)].map(|teacher_reads| {
        let settings = DistillSettings {
            teacher_reads,
            ..settings(20)
        };
        let folder = folder.path().join(format!("{teacher_reads:?}"));
        std::fs::create_dir(&folder).unwrap();
        train(&models, &settings, &folder, 0).unwrap().1
    });
    // Sentences are padded by other ones, which rounds otherwise.
    for (every, once) in every.iter().zip(&once) {
        assert!((every - once).abs() < 1e-5 * every, "{every} {once}");
    }
    // Some sentences are there twice.
    let states = folder.path().join("Some(Once)/states.safetensors");
    let distinct: BTreeSet<String> = sentences().into_iter().collect();
    assert_eq!(Vectors::open(&states).unwrap().texts(), distinct.len());
}

#[test]
fn states_that_were_stopped_or_are_of_others_are_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let [teacher, _] = models(folder.path());
    let given = |count: usize| {
        let texts = sentences().into_iter().cycle().take(count).enumerate();
        let texts = texts.map(|(i, it)| {
            let text = format!("{it}{}", " star".repeat(i / 64));
            Ok::<_, DistillError>(TrainingText::retention(&text, "eng"))
        });
        TokenizedPairs::write(texts, [&teacher.tokenizer; 2], 22, folder.path()).unwrap()
    };
    let pairs = given(1100);
    let write = |path: &Path, stop_at: usize| {
        let targets = Targets::of(&pairs, |_| ()).unwrap();
        let mut hear = |done: usize, _: usize| match done < stop_at {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        };
        let place = (path, &Device::flex());
        targets
            .write(&teacher, &pairs, 256, place, &mut hear)
            .unwrap()
    };
    let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
    assert!(write(&whole, usize::MAX));
    assert!(!write(&parts, 512));
    assert!(!parts.exists());
    assert!(write(&parts, usize::MAX));
    assert_eq!(
        std::fs::read(&whole).unwrap(),
        std::fs::read(&parts).unwrap()
    );
    let fewer = Targets::of(&given(10), |_| ()).unwrap();
    let error = fewer.open(&whole, HIDDEN).unwrap_err().to_string();
    assert!(error.contains("delete it"), "{error}");
}

#[test]
fn without_steps_it_stays_as_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let models = begun(folder.path());
    let (student, losses) = train(&models, &settings(0), folder.path(), 0).unwrap();
    let student = student.unwrap();
    assert!(losses.is_empty());
    assert_eq!(student.head, models[1].head);
    assert_eq!(tensors(&student), tensors(&models[1]));
}

#[test]
fn a_student_that_leads_elsewhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut models = models(folder.path());
    let mut refused = |head: Option<Head>| {
        models[1].head = head;
        let error = train(&models, &settings(1), folder.path(), 0).unwrap_err();
        error.to_string()
    };
    let none = refused(None);
    assert!(none.contains("expected [4, 8]"), "{none}");
    let other = refused(Some(Head::identity(WIDTH)));
    assert!(other.contains("Some([4, 4])"), "{other}");
    // A copy may not stand still.
    let copy = DistillSettings {
        layers: Some(2),
        bitext: BTreeMap::from([("swa".into(), 1.0)]),
        ..settings(0)
    };
    let error = copy.check().unwrap_err().to_string();
    assert!(error.contains("distill.training.steps = 0"), "{error}");
}
