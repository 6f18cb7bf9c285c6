//! A run that begins where another one was, with other rates: the way out of a training that failed.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use optical_distill::{CheckpointFolder, DistillError, DistillSettings};
use optical_encoder::Head;
use optical_report::page::Fact;
use optical_store::{Reader, write};
use serde_json::{Value, json};
use toml::Table;

use crate::run_file::says;
use crate::{Experiment, Inputs, RunFolder};

/// The keys of `[distill.training]` that may differ.
const RATES: [&str; 4] = ["optimiser", "steps", "checkpoint_every", "precision"];

const FILE: &str = "begins-from.json";

/// Another run that this one begins from.
pub struct Predecessor<'a> {
    path: &'a Path,
    folder: RunFolder,
}

impl<'a> Predecessor<'a> {
    /// Finds the run in `path`, if it is like the experiment but for its rates, and has a checkpoint; `None`
    /// where the experiment has begun already.
    pub fn find(
        path: &'a Path,
        experiment: &Experiment,
        inputs: &Inputs,
    ) -> anyhow::Result<Option<Self>> {
        let named = || format!("--from {}", path.display());
        if experiment.folder.is_trained_in() {
            ensure!(
                origin(&experiment.folder)
                    .is_some_and(|from| from["run"] == path.display().to_string().as_str()),
                "{}: the training in {} began otherwise; choose another folder with --run",
                named(),
                experiment.folder.path().display()
            );
            return Ok(None);
        }
        let folder = RunFolder::existing(path).context("--from")?;
        let kept = std::fs::read_to_string(folder.run_file()).with_context(named)?;
        ensure!(
            but_for_rates(&kept)? == but_for_rates(experiment.run.text())?,
            "{}: the run files differ in more than {} of [distill.training]",
            named(),
            RATES.join(", ")
        );
        if let Some(changed) = inputs.changed_since(&Inputs::of_folder(&folder)?) {
            bail!("{}: changed since are {changed}", named());
        }
        ensure!(
            CheckpointFolder::new(&folder.checkpoints())
                .newest()
                .is_some(),
            "{}: it has no checkpoint; without --from, the training begins anew",
            named()
        );
        Ok(Some(Self { path, folder }))
    }

    /// Takes over its head and the last checkpoints of its students.
    pub fn take_over(&self, experiment: &Experiment, teacher: &Reader) -> anyhow::Result<()> {
        let Experiment { run, folder, .. } = experiment;
        if let Some(head) = Head::load(&self.folder.head(), teacher.model.config.hidden_size)? {
            head.save(&folder.head())?;
        }
        let mut steps = Vec::new();
        let mut metrics = Vec::new();
        for repetition in 0..run.repetitions {
            let theirs = self.folder.existing_repetition(repetition);
            let ours = folder.repetition(repetition)?;
            let mut settings = run.distill.clone();
            settings.training.seed += repetition as u64;
            let step = CheckpointFolder::new(&ours.checkpoints()).take_over(
                &CheckpointFolder::new(&theirs.checkpoints()),
                &settings,
                |found| agree(found, &settings),
            )?;
            steps.extend(step);
            if let (Some(_), Ok(events)) = (step, std::fs::read(theirs.metrics())) {
                metrics.push((ours.metrics(), events));
            }
        }
        let path = self.path.display();
        let host = experiment.host();
        host.say(format_args!("begins from {path}, step {}", words(&steps)));
        let json = json!({"run": path.to_string(), "steps": steps});
        write(&folder.file(FILE), format!("{json:#}\n").as_bytes())?;
        // Where these are, the run has begun.
        for (file, events) in metrics {
            write(&file, &events)?;
        }
        Ok(())
    }
}

/// Returns what the report says of a run that began from another one.
pub fn fact(folder: &RunFolder) -> Option<Fact> {
    let json = origin(folder)?;
    let steps = json["steps"].as_array()?.iter().filter_map(Value::as_u64);
    let steps = words(&steps.collect::<Vec<_>>());
    let run = json["run"].as_str()?;
    Some(Fact::new("begins from", format!("{run}, step {steps}")))
}

/// Reads what was written down of the run that a folder began from.
fn origin(folder: &RunFolder) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(folder.file(FILE)).ok()?).ok()
}

/// Says what to do about a training that failed because its numbers grew beyond bounds.
pub fn advise(error: anyhow::Error, folder: &RunFolder, repetition: usize) -> anyhow::Error {
    let fails = error.downcast_ref::<DistillError>();
    if !matches!(fails, Some(DistillError::NotFinite { .. })) {
        return error;
    }
    let checkpoints = folder.repetition(repetition).map(|it| it.checkpoints());
    let kept = checkpoints.is_ok_and(|path| CheckpointFolder::new(&path).newest().is_some());
    let path = folder.path().display();
    let how = match kept {
        true => format!(
            "begin from the last checkpoint: `optical train COPY --run NEW_FOLDER --from {path}`"
        ),
        false => "begin anew, since there is no checkpoint before that step: \
                  `optical train COPY --run NEW_FOLDER`"
            .to_owned(),
    };
    anyhow::anyhow!("{error}; lower the learning rates in a copy of the run file and {how}")
}

fn agree(found: &DistillSettings, ours: &DistillSettings) -> Result<(), String> {
    let mut found = found.clone();
    let training = &ours.training;
    found.training.optimiser = training.optimiser.clone();
    found.training.steps = training.steps;
    found.training.checkpoint_every = training.checkpoint_every;
    found.training.precision = training.precision;
    match found == *ours {
        true => Ok(()),
        false => Err("it was made with other settings than those of the run file".into()),
    }
}

/// Reads what a run file says, but for what a reader sees and what may differ.
fn but_for_rates(text: &str) -> anyhow::Result<Table> {
    let mut table = says(text)?;
    for key in ["title", "picture", "significance"] {
        table.remove(key);
    }
    let training = table
        .get_mut("distill")
        .and_then(|distill| distill.get_mut("training"))
        .and_then(toml::Value::as_table_mut)
        .context("there is no [distill.training]")?;
    for key in RATES {
        training.remove(key);
    }
    Ok(table)
}

fn words(steps: &[u64]) -> String {
    let steps: Vec<String> = steps.iter().map(u64::to_string).collect();
    steps.join(", ")
}
