//! The head and the student: made once, read back ever after.

use std::io::Write;
use std::ops::ControlFlow;

use optical_distill::instruments::MateRetrieval;
use optical_distill::{
    Event, Outcome, TokenizedPairs, TrainingData, TrainingText, distil, estimate_head,
};
use optical_encoder::{EncodeSettings, Head, Model};
use optical_tokenize::Role;

use crate::experiment::{Experiment, ExperimentData, RunFolder};
use crate::progress::Progress;

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

/// The distilled student: read back where it is there, otherwise trained; `None` after a stop.
pub fn student(
    experiment: &Experiment,
    teacher: &Model,
    head: &Head,
    data: &mut ExperimentData,
) -> anyhow::Result<Option<Model>> {
    let Experiment {
        run,
        folder,
        device,
        interrupt,
        ..
    } = experiment;
    if folder.student().join("model.safetensors").is_file() {
        return Ok(Some(Model::load(&folder.student(), device)?));
    }
    let held_out: Vec<_> = data.held_out().map(TrainingText::bitext).collect();
    let pairs = TokenizedPairs::write(
        data.training_texts(run)?,
        &teacher.tokenizer,
        run.distill.maximum_length,
        &experiment.cache,
    )?;
    let training = TrainingData {
        pairs: &pairs,
        held_out: &held_out,
    };
    let mut metrics = Metrics::new(folder, run.distill.training.steps);
    let outcome = distil(
        &run.distill,
        teacher,
        head,
        training,
        &folder.checkpoints(),
        device,
        &mut |event: &Event| {
            let written = metrics.hear(event);
            if interrupt.raised() || written.is_err() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        },
    )?;
    match outcome {
        Outcome::Interrupted(_) => Ok(None),
        Outcome::Finished(student) => {
            student.save(&folder.student())?;
            Ok(Some(*student))
        }
    }
}

/// Writes events to `metrics.jsonl` and shows them.
struct Metrics<'a> {
    folder: &'a RunFolder,
    steps: u64,
    progress: Option<Progress>,
}

impl<'a> Metrics<'a> {
    fn new(folder: &'a RunFolder, steps: u64) -> Self {
        Self {
            folder,
            steps,
            progress: None,
        }
    }

    fn hear(&mut self, event: &Event) -> anyhow::Result<()> {
        if let Event::Prepared {
            pairs,
            left_out,
            vocabulary,
            resumed_at,
        } = event
        {
            self.forget_after(*resumed_at)?;
            eprintln!(
                "distil: {pairs} pairs, {left_out} left out as too long, vocabulary {vocabulary}, from step {resumed_at} of {}",
                self.steps
            );
            self.progress = Some(Progress::new("distil", *resumed_at, self.steps));
        }
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.folder.metrics())?;
        writeln!(file, "{}", serde_json::to_string(event)?)?;
        let Some(progress) = &mut self.progress else {
            return Ok(());
        };
        match event {
            Event::Step {
                step,
                loss,
                effective_partners,
                ..
            } => {
                let partners = effective_partners
                    .map_or_else(String::new, |partners| format!(" partners {partners:.1}"));
                progress.at(*step, &format!("loss {loss:.4}{partners}"));
            }
            Event::Instruments { step, reading, .. } => {
                let mates: Vec<_> = reading
                    .mates
                    .iter()
                    .map(|(language, mates)| {
                        let MateRetrieval {
                            reciprocal_rank,
                            margin,
                        } = mates;
                        format!("{language} {reciprocal_rank:.3} by {margin:.3}")
                    })
                    .collect();
                progress.say(&format!(
                    "step {step}: cosine within a sentence {:.3} (teacher {:.3}), mates found {}",
                    reading.within_sentence_cosine,
                    reading.teacher_within_sentence_cosine,
                    mates.join(", ")
                ));
            }
            Event::Warning { step, message } => {
                progress.say(&format!("step {step}: warning: {message}"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Drops events of steps that a killed run made behind its last checkpoint.
    fn forget_after(&self, step: u64) -> anyhow::Result<()> {
        let kept: Vec<_> = read_events(self.folder)?
            .into_iter()
            .filter(|event| match event {
                Event::Step { step: at, .. }
                | Event::Instruments { step: at, .. }
                | Event::Warning { step: at, .. }
                | Event::Checkpoint { step: at } => *at <= step && 0 < step,
                _ => 0 < step,
            })
            .map(|event| serde_json::to_string(&event).map(|line| line + "\n"))
            .collect::<Result<_, _>>()?;
        optical_encoder::write_atomically(&self.folder.metrics(), kept.concat().as_bytes())?;
        Ok(())
    }
}

/// The events of a run so far.
pub fn read_events(folder: &RunFolder) -> anyhow::Result<Vec<Event>> {
    match std::fs::read_to_string(folder.metrics()) {
        // A killed run may leave half a last line.
        Ok(text) => Ok(text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}
