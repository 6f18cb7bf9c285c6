//! `optical final-test`: the questions that no choice was made by, scored once.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use optical_encoder::{Head, Model};

use crate::device::Backend;
use crate::experiment::lexical::Lexical;
use crate::experiment::metrics::read_events;
use crate::experiment::provenance::{Clock, facts, write_run_json};
use crate::experiment::space::{Space, Teacher};
use crate::experiment::{Experiment, ExperimentData, RunFolder, page, scores};
use crate::interrupt::Interrupt;
use crate::run_file::RunFile;

/// Score a finished run on the questions of its `final_test`, once
///
/// All systems of the run's report rank the collection of the run file's `final_test` table. What is
/// found stays in the folder `final-test` of the run; the same command shows it again, and goes on
/// after a stop.
#[derive(Debug, clap::Args)]
pub struct FinalTestArgs {
    /// The folder of a finished run
    run: PathBuf,
    /// Download nothing: use the cache, or say what it lacks
    #[arg(long)]
    offline: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value = "flex")]
    device: Backend,
}

/// Ranks, measures and reports; a report that is there is shown.
pub fn run(args: &FinalTestArgs) -> anyhow::Result<()> {
    let trained = RunFolder::existing(&args.run)?;
    let report = trained.final_test().join("report.md");
    if report.is_file() {
        let text = std::fs::read_to_string(&report);
        print!("{}", text.with_context(|| report.display().to_string())?);
        return Ok(());
    }
    let (mut run, text) = RunFile::load(&trained.run_file())?;
    run.collection = run.final_test.clone().with_context(|| {
        let file = trained.run_file();
        format!("{} has no [final_test] table", file.display())
    })?;
    let folders: Vec<PathBuf> = (0..run.repetitions)
        .map(|repetition| Ok(trained.repetition(repetition)?.student()))
        .collect::<anyhow::Result<_>>()?;
    for folder in &folders {
        ensure!(
            folder.join("model.safetensors").is_file(),
            "{} is not there: the run has not been finished",
            folder.display()
        );
    }
    let mut clock = Clock::start();
    let (device, interrupt) = (args.device.open()?, Interrupt::listen()?);
    let experiment = Experiment::new(run, &text, &trained.final_test(), device, interrupt)?;
    let mut data = ExperimentData::load(&experiment.run, &experiment.cache, args.offline)?;
    data.say()?;
    experiment.folder.create(&text)?;
    let lexical = Lexical::prepare(&experiment, &mut data)?;
    let teacher = Teacher::load(&experiment, args.offline)?;
    let head = match &teacher.model.head {
        Some(head) => head.clone(),
        None => Head::load(&trained.head(), teacher.model.config.hidden_size)?
            .with_context(|| format!("{} has no head", args.run.display()))?,
    };
    let space = Space::open(&experiment, teacher, head, &data.collection)?;
    clock.stage("document index");

    let collection = &data.collection;
    let mut evaluations = space.evaluate_untrained(&experiment, collection, &lexical)?;
    for (repetition, folder) in folders.iter().enumerate() {
        let student = Model::load(folder, &experiment.device)?;
        let name = scores::student_name(repetition, folders.len());
        evaluations.extend(space.evaluate(&experiment, collection, &name, &student, folder)?);
    }
    scores::join_students(&mut evaluations, folders.len())?;
    clock.stage("search");
    let events = read_events(&trained)?;
    let facts = facts(&experiment, args.device, &events, &clock);
    write_run_json(&experiment.folder, &facts)?;
    page::write(&experiment, &data, &evaluations, &events, facts)
}
