//! `optical train`: the main job, from the run file to the report.

use std::path::PathBuf;

use anyhow::Context;
use optical_encoder::{Head, Model};

use crate::device::Backend;
use crate::experiment::development::Development;
use crate::experiment::index::{document_indexes, own_index};
use crate::experiment::lexical::Lexical;
use crate::experiment::metrics::read_events;
use crate::experiment::passages::ScoredPassages;
use crate::experiment::provenance::{Clock, facts, write_run_json};
use crate::experiment::ranking::{Asked, System};
use crate::experiment::teaching::Students;
use crate::experiment::{
    Experiment, ExperimentData, filtering, pictures, scores, summary, teaching,
};
use crate::model_source;

/// Distil, index, evaluate and report, as a run file says; the same command goes on after a stop
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    /// The run file
    #[arg(default_value = "configs/quickstart.toml")]
    config: PathBuf,
    /// The run folder [default: runs/NAME-OF-RUN-FILE]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Download nothing: use the cache, or say what it lacks
    #[arg(long)]
    offline: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value = "flex")]
    device: Backend,
    /// Train on so many devices of that kind: the parts of a batch go round them
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    devices: usize,
}

/// Runs all stages; a stage whose result is there is skipped.
pub fn run(args: &TrainArgs) -> anyhow::Result<()> {
    let mut clock = Clock::start();
    let devices = args.device.open_several(args.devices)?;
    let (experiment, text) =
        Experiment::open(&args.config, args.run.as_deref(), devices[0].clone())?;
    let Experiment {
        run,
        folder,
        device,
        ..
    } = &experiment;

    let teacher_folder = model_source::folder(&run.model, &experiment.cache, args.offline)?;
    let mut data = ExperimentData::load(run, &experiment.cache, args.offline)?;
    data.say()?;
    let teacher =
        Model::load(&teacher_folder, device).with_context(|| format!("model {}", run.model))?;
    folder.create(&text)?;
    filtering::write_json(folder, &data.report)?;
    let lexical = Lexical::prepare(&experiment, &mut data)?;
    clock.stage("fetch and prepare");

    let head = teaching::head(&experiment, &teacher, &mut data)?;
    let raw = Head::identity(teacher.config.hidden_size);
    let indexes = document_indexes(
        &experiment,
        &teacher,
        &teacher_folder,
        &[&head, &raw],
        &data.collection.documents,
    )?;
    let development = Development::prepare(&experiment, &teacher, &teacher_folder, &head)?;
    clock.stage("document index");

    let judge = development.as_ref();
    let switches = lexical.code_switches(run)?;
    let documents = &data.collection.documents;
    let passages = run.passages.map(|choice| {
        let seed = run.distill.training.seed;
        ScoredPassages::new(choice, seed, lexical.words(), &indexes[0], documents)
    });
    let mut makes = Students::new(
        &experiment,
        &devices,
        &teacher,
        &head,
        judge,
        &switches,
        passages.as_ref(),
    );
    let mut students = Vec::new();
    for repetition in 0..run.repetitions {
        let student = makes.student(repetition, &mut data)?;
        students.push(student.context("stopped; the same command goes on from the checkpoint")?);
    }
    clock.stage("distillation");

    let queries = experiment.asked(&data.collection.queries);
    let english = experiment.asked(&data.collection.english);
    let mut systems = lexical.systems(&queries, &english);
    for (name, model, head, index, queries) in [
        ("zero-shot-raw", &teacher, &raw, &indexes[1], &queries),
        ("zero-shot", &teacher, &head, &indexes[0], &queries),
        ("english", &teacher, &head, &indexes[0], &english),
    ] {
        systems.push(Asked {
            name,
            system: System::LateInteraction { model, head, index },
            queries,
        });
    }
    let mut evaluations = scores::evaluate_systems(&experiment, &data.collection, &systems)?;
    for (repetition, student) in students.iter().enumerate() {
        let student_folder = folder.repetition(repetition)?.student();
        let documents = &data.collection.documents;
        let own = own_index(&experiment, student, &student_folder, documents)?;
        let asked = [Asked {
            name: &scores::student_name(repetition, students.len()),
            system: System::LateInteraction {
                model: student,
                head: &head,
                index: own.as_ref().unwrap_or(&indexes[0]),
            },
            queries: &queries,
        }];
        let found = scores::evaluate_systems(&experiment, &data.collection, &asked)?;
        evaluations.extend(found);
    }
    scores::join_students(&mut evaluations, students.len())?;
    clock.stage("search");

    let comparisons = scores::compare(run, &evaluations["zero-shot"], &evaluations["distilled"])?;
    let events = read_events(folder)?;
    pictures::draw_training(&events, &folder.file("training"))?;
    if let Some(pair) = pictures::pair_to_draw(data.held_out(), &run.picture) {
        let sides = [pair.english.as_str(), pair.foreign.as_str()];
        let soft = pictures::align(
            &teacher,
            &students[0],
            &head,
            sides,
            &run.distill.objectives,
            device,
        )?;
        pictures::draw_alignment(&soft, &run.picture, &folder.file("alignment"))?;
    }
    let facts = facts(&experiment, args.device, &events, &clock);
    write_run_json(folder, &facts)?;
    let mut page = summary::summary(
        run,
        &evaluations,
        &comparisons,
        filtering::rows(&data.report),
        &events,
        facts,
    );
    pictures::draw_results(&page, &folder.file("results"))?;
    page.figures
        .retain(|figure| folder.file(&figure.path).is_file());
    page.write_markdown(&folder.file("report.md"))?;
    page.write_json(&folder.file("results.json"))?;
    println!("{}", summary::table(run, &evaluations)?);
    println!("report: {}", folder.file("report.md").display());
    Ok(())
}
