//! `optical train`: the main job, from the run file to the report.

use std::path::PathBuf;

use anyhow::Context;

use crate::device::TrainingDevices;
use crate::experiment::check::{Reach, Start, Started};
use crate::experiment::continuation::Predecessor;
use crate::experiment::development::Development;
use crate::experiment::inputs::Inputs;
use crate::experiment::lexical::Lexical;
use crate::experiment::metrics::read_events;
use crate::experiment::passages::ScoredPassages;
use crate::experiment::provenance::{Clock, facts, write_run_json};
use crate::experiment::space::{Space, Teacher};
use crate::experiment::teaching::Students;
use crate::experiment::{Experiment, continuation, filtering, page, pictures, scores, teaching};
use crate::named::NamedRunFile;

/// Distil, index, evaluate and report, as a run file says; the same command resumes after a stop
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    #[command(flatten)]
    file: NamedRunFile,
    /// The run folder [default: runs/NAME-OF-RUN-FILE]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Begin from the last checkpoint of another run of the same data, model and settings, in a folder
    /// of its own: for other learning rates after a training that failed, or more steps
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Download nothing: use the cache, or say what it lacks
    #[arg(long)]
    offline: bool,
    /// Train nothing and write nothing: find all that is wrong with the run file and its data, and say
    /// what the run takes of time, memory and disk
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    devices: TrainingDevices,
}

/// Runs all stages; a stage whose result is there is skipped.
pub fn run(args: &TrainArgs) -> anyhow::Result<()> {
    let mut clock = Clock::start();
    let devices = args.devices.open();
    let (run, text) = args.file.read()?;
    let start = Start {
        file: args.file.path(),
        run,
        text,
        folder: args.file.folder(args.run.as_deref()),
        reach: Reach::of(args.check, args.offline),
        encodes: true,
    };
    let Some(started) = start.open(&devices)? else {
        return Ok(());
    };
    let devices = devices?;
    let Started {
        experiment,
        text,
        mut data,
    } = started;
    let Experiment {
        run,
        folder,
        device,
        ..
    } = &experiment;

    data.say()?;
    let teacher = Teacher::load(&experiment, args.offline)?;
    let inputs = Inputs::of_students(run, &data).with_model(&teacher.key);
    let from = args.from.as_deref();
    let from = from.map(|from| Predecessor::find(from, &experiment, &text, &inputs));
    let from = from.transpose()?.flatten();
    folder.create(&text)?;
    if let Some(from) = from {
        from.take_over(&experiment, &teacher)?;
    }
    inputs.note(folder)?;
    filtering::write_json(folder, &data.report)?;
    let lexical = Lexical::prepare(&experiment, &mut data)?;
    clock.stage("fetch and prepare");

    let head = teaching::head(&experiment, &teacher, &mut data)?;
    let space = Space::open(&experiment, teacher, head, &data.collection)?;
    let development = Development::prepare(&experiment, &space, data.development.as_ref())?;
    clock.stage("document index");

    let judge = development.as_ref();
    let switches = lexical.code_switches(run)?;
    let passages = ScoredPassages::new(&experiment, lexical.words(), &space, &data.collection);
    let mut makes = Students::new(
        &experiment,
        &devices,
        &space,
        judge,
        &switches,
        passages.as_ref(),
    );
    let mut students = Vec::new();
    for repetition in 0..run.repetitions {
        let student = makes.student(repetition, &mut data);
        let student = student.map_err(|error| continuation::advise(error, folder, repetition))?;
        students.push(student.context("stopped; the same command resumes from the checkpoint")?);
    }
    clock.stage("distillation");

    let collection = &data.collection;
    let mut evaluations = space.evaluate_untrained(&experiment, collection, &lexical)?;
    for (repetition, student) in students.iter().enumerate() {
        let name = scores::student_name(repetition, students.len());
        let student_folder = folder.repetition(repetition)?.student();
        let found = space.evaluate(&experiment, collection, &name, student, &student_folder)?;
        evaluations.extend(found);
    }
    scores::join_students(&mut evaluations, students.len())?;
    clock.stage("search");

    let events = read_events(folder)?;
    pictures::draw_training(&events, &folder.file("training"))?;
    if let Some(pair) = pictures::pair_to_draw(data.held_out(), &run.picture) {
        let sides = [pair.english.as_str(), pair.foreign.as_str()];
        let soft = pictures::align(
            &space.teacher.model,
            &students[0],
            &space.head,
            sides,
            &run.distill.objectives,
            device,
        )?;
        if let Some(soft) = soft {
            pictures::draw_alignment(&soft, &run.picture, &folder.file("alignment"))?;
        }
    }
    let facts = facts(&experiment, args.devices.device, &events, &clock);
    write_run_json(folder, &facts)?;
    page::write(&experiment, &data, &evaluations, &events, facts)
}
