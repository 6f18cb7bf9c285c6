//! The head and the students: made once, read back ever after.

use std::collections::BTreeMap;

use burn::tensor::Device;
use optical_distill::{Outcome, TokenizedPairs, TrainingData, TrainingText, distil, estimate_head};
use optical_encoder::{EncodeSettings, Head, Model};
use optical_retrieval::translation::CodeSwitch;
use optical_tokenize::Role;

use crate::experiment::development::Development;
use crate::experiment::metrics::Metrics;
use crate::experiment::watcher::Watcher;
use crate::experiment::{Experiment, ExperimentData};

/// The head, estimated once and kept in the run folder.
pub fn head(
    experiment: &Experiment,
    teacher: &Model,
    data: &mut ExperimentData,
) -> anyhow::Result<Head> {
    let Experiment { run, folder, .. } = experiment;
    // A late-interaction checkpoint brings its own.
    if let Some(head) = &teacher.head {
        return Ok(head.clone());
    }
    if let Some(head) = Head::load(&folder.head(), teacher.config.hidden_size)? {
        return Ok(head);
    }
    let settings = &run.distill.head;
    let spread =
        |count: usize, of: usize| (0..count.min(of)).map(move |i| i * of / count.min(of).max(1));
    let sentences = data.english(settings.sentences, run.distill.training.seed)?;
    let sentences: Vec<&str> = sentences.iter().map(String::as_str).collect();
    let documents = &data.collection.documents;
    let documents: Vec<String> = spread(settings.documents, documents.len())
        .map(|index| documents[index].full_text())
        .collect();
    let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
    let encode = |role, maximum_length| EncodeSettings {
        role,
        maximum_length,
        tokens_per_batch: run.retrieval.tokens_per_batch,
    };
    let texts = [
        (
            &sentences[..],
            encode(Role::Query, run.distill.maximum_length),
        ),
        (
            &documents[..],
            encode(Role::Document, run.retrieval.document_length),
        ),
    ];
    let head = estimate_head(teacher, &texts, settings.exponent, &experiment.device)?;
    head.save(&folder.head())?;
    Ok(head)
}

/// The distilled student of each repetition: read back where it is there, otherwise trained on the
/// `devices`; `None` after a stop.
pub fn students(
    experiment: &Experiment,
    devices: &[Device],
    teacher: &Model,
    head: &Head,
    data: &mut ExperimentData,
    development: Option<&Development<'_>>,
    switches: &BTreeMap<String, CodeSwitch>,
) -> anyhow::Result<Option<Vec<Model>>> {
    let repetitions = 0..experiment.run.repetitions;
    let mut pairs = None;
    let mut students = Vec::new();
    for repetition in repetitions {
        let folder = experiment.folder.repetition(repetition)?;
        if folder.student().join("model.safetensors").is_file() {
            students.push(Model::load(&folder.student(), &experiment.device)?);
            continue;
        }
        if pairs.is_none() {
            let texts = data.training_texts(&experiment.run, switches)?;
            let (tokenizer, cache) = (&teacher.tokenizer, &experiment.cache);
            let length = experiment.run.distill.maximum_length;
            pairs = Some(TokenizedPairs::write(texts, tokenizer, length, cache)?);
        }
        let held_out: Vec<_> = data.held_out().map(TrainingText::bitext).collect();
        let training = TrainingData {
            pairs: pairs.as_ref().expect("made above"),
            held_out: &held_out,
        };
        let mut settings = experiment.run.distill.clone();
        settings.training.seed += repetition as u64;
        let metrics = Metrics::new(&folder, "distil", settings.training.steps);
        let mut watcher = Watcher::new(metrics, &experiment.interrupt, development);
        let checkpoints = folder.checkpoints();
        let outcome = distil(
            &settings,
            teacher,
            head,
            training,
            &checkpoints,
            devices,
            &mut watcher,
        );
        match watcher.result(outcome)? {
            Outcome::Interrupted(_) => return Ok(None),
            Outcome::Finished(student) => {
                student.save(&folder.student())?;
                students.push(*student);
            }
        }
    }
    Ok(Some(students))
}
