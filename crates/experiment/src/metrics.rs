//! `metrics.jsonl`: what happened in a training, an event per line.

use std::io::Write;

use optical_distill::Event;
use optical_distill::instruments::MateRetrieval;
use optical_store::{Host, Progress, write};

use crate::RunFolder;

/// A training in the words of the screen.
#[derive(Debug, Clone, Copy)]
pub struct Wording {
    name: &'static str,
    cosine: &'static str,
    reference: &'static str,
    found: &'static str,
}

/// A student of a teacher, on bitext.
pub const DISTIL: Wording = Wording {
    name: "distil",
    cosine: "cosine within a sentence",
    reference: "teacher",
    found: "mates found",
};

/// A student of its own, on English text.
pub const ENGLISH: Wording = Wording {
    name: "English stage",
    ..DISTIL
};

/// A teacher, on relevance data.
pub const TEACH: Wording = Wording {
    name: "teach",
    cosine: "cosine within a query",
    reference: "before training",
    found: "relevant documents found",
};

/// Writes events to `metrics.jsonl` and shows them.
pub struct Metrics<'a> {
    folder: &'a RunFolder,
    host: &'a Host,
    wording: Wording,
    steps: u64,
    progress: Option<Progress>,
}

impl<'a> Metrics<'a> {
    /// Begins the metrics of a training of `steps` steps; nothing is written yet.
    pub fn new(folder: &'a RunFolder, host: &'a Host, wording: Wording, steps: u64) -> Self {
        Self {
            folder,
            host,
            wording,
            steps,
            progress: None,
        }
    }

    /// Writes an event down and shows it.
    pub fn hear(&mut self, event: &Event) -> anyhow::Result<()> {
        if let Event::Prepared {
            pairs,
            left_out,
            without_tokens,
            vocabulary,
            resumed_at,
        } = event
        {
            self.forget_after(*resumed_at)?;
            self.host.say(format_args!(
                "{}: {pairs} to learn from, {left_out} left out{}, vocabulary {vocabulary}, from step {resumed_at} of {}",
                self.wording.name,
                match without_tokens {
                    0 => String::new(),
                    some => format!(" ({some} without a token)"),
                },
                self.steps
            ));
            let progress = self
                .host
                .progress(self.wording.name, *resumed_at, self.steps);
            self.progress = Some(progress);
        }
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.folder.metrics())?;
        writeln!(file, "{}", serde_json::to_string(event)?)?;
        let Some(progress) = &self.progress else {
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
            Event::Instruments {
                step,
                reading,
                judged,
            } => {
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
                let judged =
                    judged.map_or_else(String::new, |judged| format!(", judged {judged:.4}"));
                let Wording {
                    cosine,
                    reference,
                    found,
                    ..
                } = self.wording;
                self.host.say(format_args!(
                    "step {step}: {cosine} {:.3} ({reference} {:.3}), {found} {}{judged}",
                    reading.within_sentence_cosine,
                    reading.teacher_within_sentence_cosine,
                    mates.join(", ")
                ));
            }
            Event::Warning { step, message } => {
                self.host
                    .say(format_args!("step {step}: warning: {message}"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Drops events of steps that a killed run made after its last checkpoint.
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
        write(&self.folder.metrics(), kept.concat().as_bytes())
    }
}

/// Reads the events of a run so far.
///
/// # Errors
/// If the file cannot be read.
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
