//! `optical train`: the main job, from the run file to the report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use optical_corpus::collection::Query;
use optical_encoder::{Head, Model};

use crate::device::Backend;
use crate::experiment::index::document_indexes;
use crate::experiment::provenance::{Clock, facts, write_run_json};
use crate::experiment::ranking::{System, runs};
use crate::experiment::scores::Evaluations;
use crate::experiment::{
    Experiment, ExperimentData, RunFolder, filtering, pictures, scores, summary, teaching,
};
use crate::interrupt::Interrupt;
use crate::run_file::RunFile;
use crate::{cache, model_source};

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
}

/// Runs all stages; a stage whose result is there is skipped.
pub fn run(args: &TrainArgs) -> anyhow::Result<()> {
    let mut clock = Clock::start();
    let (run, text) = RunFile::load(&args.config)?;
    let path = args
        .run
        .clone()
        .unwrap_or_else(|| Path::new("runs").join(args.config.file_stem().unwrap_or_default()));
    let experiment = Experiment {
        folder: RunFolder::of(&path, &text)?,
        cache: cache::folder()?,
        device: args.device.open()?,
        interrupt: Interrupt::listen()?,
        run,
    };
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
    clock.stage("fetch and prepare");

    let head = teaching::head(&experiment, &teacher, &mut data)?;
    let Some(student) = teaching::student(&experiment, &teacher, &head, &mut data)? else {
        anyhow::bail!("stopped; the same command goes on from the checkpoint");
    };
    clock.stage("distillation");

    let raw = Head::identity(teacher.config.hidden_size);
    let documents = &data.collection.documents;
    let indexes = document_indexes(
        &experiment,
        &teacher,
        &teacher_folder,
        &[&head, &raw],
        documents,
    )?;
    clock.stage("document index");

    let queries = asked(run, &data.collection.queries);
    let english = asked(run, &data.collection.english);
    let late = |model, head, index| System::LateInteraction { model, head, index };
    let systems = [
        ("bm25", System::bm25(documents, &run.retrieval)?, &queries),
        ("zero-shot-raw", late(&teacher, &raw, &indexes[1]), &queries),
        ("zero-shot", late(&teacher, &head, &indexes[0]), &queries),
        ("english", late(&teacher, &head, &indexes[0]), &english),
        ("distilled", late(&student, &head, &indexes[0]), &queries),
    ];
    let mut evaluations = Evaluations::new();
    for (name, system, queries) in &systems {
        for (language, ranking) in runs(&experiment, name, system, queries)? {
            let qrels = scores::qrels(&data.collection, &language, &queries[&language], folder)?;
            let evaluation = scores::measure(&qrels, &ranking)?;
            evaluations
                .entry(name)
                .or_default()
                .insert(language, evaluation);
        }
    }
    clock.stage("search");

    let comparisons = scores::compare(run, &evaluations["zero-shot"], &evaluations["distilled"])?;
    let events = teaching::read_events(folder)?;
    pictures::draw_training(&events, &folder.file("training"))?;
    if let Some(pair) = pictures::pair_to_draw(data.held_out(), &run.picture) {
        let sides = [pair.english.as_str(), pair.foreign.as_str()];
        let soft = pictures::align(
            &teacher,
            &student,
            &head,
            sides,
            &run.distill.transport,
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

/// The queries of the run file's languages.
fn asked(run: &RunFile, all: &BTreeMap<String, Vec<Query>>) -> BTreeMap<String, Vec<Query>> {
    let languages = run.classes().into_iter();
    languages
        .filter_map(|(language, _)| Some((language.clone(), all.get(&language)?.clone())))
        .collect()
}
