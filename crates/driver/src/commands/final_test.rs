//! `optical final-test`: the questions that no choice was made by, scored once.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use optical_encoder::{Head, Model};

use crate::cache;
use crate::device::Backend;
use crate::experiment::check::{Reach, check};
use crate::experiment::findings::Findings;
use crate::experiment::inputs::Inputs;
use crate::experiment::lexical::Lexical;
use crate::experiment::metrics::read_events;
use crate::experiment::provenance::{Clock, facts, write_run_json};
use crate::experiment::space::{Space, Teacher};
use crate::experiment::{Experiment, ExperimentData, RunFolder, page, scores};
use crate::interrupt::Interrupt;
use crate::run_file::RunFile;
use crate::say::print;

/// Score finished runs on the questions of their `final_test`, once
///
/// All systems of a run's report rank the collection of the run file's `final_test` table. What is
/// found stays in the folder `final-test` of the run; the same command shows it again, and goes on
/// after a stop.
#[derive(Debug, clap::Args)]
pub struct FinalTestArgs {
    /// The folders of finished runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Download nothing: use the cache, or say what it lacks
    #[arg(long)]
    offline: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value = "flex")]
    device: Backend,
}

/// Ranks, measures and reports, run by run; a report that is there is shown.
pub fn run(args: &FinalTestArgs) -> anyhow::Result<()> {
    // A run that cannot be tested is named before hours go into another.
    let mut findings = Findings::default();
    let runs = args.runs.iter().map(|folder| Finished::open(folder));
    let runs: Vec<_> = runs.filter_map(|run| findings.take(run)).collect();
    let (cache, reach) = (cache::folder()?, Reach::of(false, args.offline));
    let open = runs.iter().filter(|run| !run.report().is_file());
    for finished in open {
        findings.within(&finished.folder.file("").display().to_string());
        check(&finished.run, &cache, reach, true, &mut findings);
    }
    findings.told()?;
    let interrupt = Interrupt::listen()?;
    for finished in runs {
        let report = finished.report();
        if report.is_file() {
            let text = std::fs::read_to_string(&report);
            print(text.with_context(|| report.display().to_string())?)?;
        } else {
            finished.test(args, interrupt.clone())?;
        }
    }
    Ok(())
}

/// A run with all of its students, or with the report of its test.
struct Finished {
    folder: RunFolder,
    /// Its run file, with the test's collection.
    run: RunFile,
    text: String,
    students: Vec<PathBuf>,
}

impl Finished {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let folder = RunFolder::existing(path)?;
        let (mut run, text) = RunFile::load(&folder.run_file())?;
        run.collection = run.final_test.take().with_context(|| {
            let file = folder.run_file();
            format!("{} has no [final_test] table", file.display())
        })?;
        run.title.push_str(" (final test)");
        let students: Vec<PathBuf> = (0..run.repetitions)
            .map(|repetition| folder.existing_repetition(repetition).student())
            .collect();
        let finished = Self {
            folder,
            run,
            text,
            students,
        };
        if !finished.report().is_file() {
            for student in &finished.students {
                ensure!(
                    student.join("model.safetensors").is_file(),
                    "{} is not there: the run has not been finished",
                    student.display()
                );
            }
        }
        Ok(finished)
    }

    fn report(&self) -> PathBuf {
        self.folder.final_test().join("report.md")
    }

    fn test(self, args: &FinalTestArgs, interrupt: Interrupt) -> anyhow::Result<()> {
        let device = args.device.open()?;
        let mut clock = Clock::start();
        let path = self.folder.final_test();
        let experiment = Experiment::new(self.run, &self.text, &path, device, interrupt)?;
        let mut data = ExperimentData::load(&experiment.run, &experiment.cache, args.offline)?;
        data.say()?;
        experiment.folder.create(&self.text)?;
        let lexical = Lexical::prepare(&experiment, &mut data)?;
        let teacher = Teacher::load(&experiment, args.offline)?;
        Inputs::default()
            .with_model(&teacher.key)
            .check(&self.folder)?;
        let head = match &teacher.model.head {
            Some(head) => head.clone(),
            None => {
                let file = self.folder.head();
                Head::load(&file, teacher.model.config.hidden_size)?
                    .with_context(|| format!("{} is not there", file.display()))?
            }
        };
        let space = Space::open(&experiment, teacher, head, &data.collection)?;
        clock.stage("document index");

        let collection = &data.collection;
        let mut evaluations = space.evaluate_untrained(&experiment, collection, &lexical)?;
        for (repetition, folder) in self.students.iter().enumerate() {
            let student = Model::load(folder, &experiment.device)?;
            let name = scores::student_name(repetition, self.students.len());
            evaluations.extend(space.evaluate(&experiment, collection, &name, &student, folder)?);
        }
        scores::join_students(&mut evaluations, self.students.len())?;
        clock.stage("search");
        let events = read_events(&self.folder)?;
        let facts = facts(&experiment, args.device, &events, &clock);
        write_run_json(&experiment.folder, &facts)?;
        page::write(&experiment, &data, &evaluations, &events, facts)
    }
}
