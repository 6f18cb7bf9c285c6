//! `optical train`: the main job, from the run file to the report.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use burn::tensor::Device;
use optical_distill::{Event, Outcome, TrainingData, TrainingText, distil, estimate_head};
use optical_encoder::{EncodeSettings, Head, Model};
use optical_report::page::Fact;
use optical_report::{Align, Cell, Table};
use optical_retrieval::{Evaluation, Measure};
use optical_tokenize::Role;

use crate::device::Backend;
use crate::experiment::index::document_indexes;
use crate::experiment::ranking::{System, runs};
use crate::experiment::{ExperimentData, RunFolder, pictures, scores, summary};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
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
    let began = Instant::now();
    let (run, text) = RunFile::load(&args.config)?;
    let path = args
        .run
        .clone()
        .unwrap_or_else(|| Path::new("runs").join(args.config.file_stem().unwrap_or_default()));
    let folder = RunFolder::of(&path, &text)?;
    let device = args.device.open()?;
    let interrupt = Interrupt::listen()?;
    let cache = cache::folder()?;
    let mut times: Vec<(&str, f64)> = Vec::new();
    let mut lap = Instant::now();
    let mut clock = |name| {
        times.push((name, lap.elapsed().as_secs_f64()));
        lap = Instant::now();
    };

    let teacher_folder = model_source::folder(&run.model, &cache, args.offline)?;
    let data = ExperimentData::load(&run, &cache, args.offline)?;
    say_bitext(&data);
    let teacher =
        Model::load(&teacher_folder, &device).with_context(|| format!("model {}", run.model))?;
    folder.create(&text)?;
    clock("fetch and prepare");

    let head = head(&run, &teacher, &data, &folder, &device)?;
    clock("head");
    let Some(student) = student(&run, &teacher, &head, &data, &folder, &device, &interrupt)? else {
        anyhow::bail!("stopped; the same command goes on from the checkpoint");
    };
    clock("distillation");
    let raw = Head::identity(teacher.config.hidden_size);
    let collection = &data.collection;
    let indexes = document_indexes(
        &teacher,
        &teacher_folder,
        &[&head, &raw],
        &collection.documents,
        &run.retrieval,
        &cache,
        &device,
        &interrupt,
    )?;
    clock("document index");

    let languages: Vec<String> = run
        .classes()
        .into_iter()
        .map(|(language, _)| language)
        .collect();
    let pick = |all: &BTreeMap<String, Vec<_>>| -> BTreeMap<_, _> {
        languages
            .iter()
            .filter_map(|l| Some((l.clone(), all.get(l)?.clone())))
            .collect()
    };
    let (queries, english) = (pick(&collection.queries), pick(&collection.english));
    let ranked = |name: &str, system: &System<'_>, queries: &BTreeMap<_, _>| {
        runs(
            name,
            system,
            queries,
            &folder,
            &run.retrieval,
            &device,
            &interrupt,
        )
    };
    let late = |model, head, index| System::LateInteraction { model, head, index };
    let mut rankings = BTreeMap::new();
    rankings.insert(
        "bm25",
        ranked(
            "bm25",
            &System::bm25(&collection.documents, &run.retrieval)?,
            &queries,
        )?,
    );
    rankings.insert(
        "zero-shot-raw",
        ranked(
            "zero-shot-raw",
            &late(&teacher, &raw, &indexes[1]),
            &queries,
        )?,
    );
    rankings.insert(
        "zero-shot",
        ranked("zero-shot", &late(&teacher, &head, &indexes[0]), &queries)?,
    );
    rankings.insert(
        "english",
        ranked("english", &late(&teacher, &head, &indexes[0]), &english)?,
    );
    rankings.insert(
        "distilled",
        ranked("distilled", &late(&student, &head, &indexes[0]), &queries)?,
    );
    clock("search");

    let mut evaluations: BTreeMap<&'static str, BTreeMap<String, Evaluation>> = BTreeMap::new();
    for (system, by_language) in &rankings {
        for (language, ranking) in by_language {
            let qrels = scores::qrels(collection, language, &queries[language], &folder)?;
            let evaluation = scores::measure(&qrels, ranking)?;
            evaluations
                .entry(system)
                .or_default()
                .insert(language.clone(), evaluation);
        }
    }
    let comparisons = scores::compare(&run, &evaluations["zero-shot"], &evaluations["distilled"])?;
    let events = read_events(&folder)?;
    pictures::draw_training(&events, &folder.file("training"))?;
    if let Some(pair) = pictures::pair_to_draw(&data.held_out, &run.picture) {
        let sides = [pair.english.as_str(), pair.foreign.as_str()];
        let soft = pictures::align(
            &teacher,
            &student,
            &head,
            sides,
            &run.distill.transport,
            &device,
        )?;
        pictures::draw_alignment(&soft, &run.picture, &folder.file("alignment"))?;
    }
    clock("report");
    let facts = facts(args, &run, &events, &times, began);
    write_run_json(&folder, &facts, &times)?;
    let mut page = summary::summary(&run, &evaluations, &comparisons, &events, facts);
    page.figures
        .retain(|figure| folder.file(&figure.path).is_file());
    page.write_markdown(&folder.file("report.md"))?;
    page.write_json(&folder.file("results.json"))?;
    println!("{}", table(&run, &evaluations)?);
    println!("report: {}", folder.file("report.md").display());
    Ok(())
}

/// The head, estimated once and kept in the run folder.
fn head(
    run: &RunFile,
    teacher: &Model,
    data: &ExperimentData,
    folder: &RunFolder,
    device: &Device,
) -> anyhow::Result<Head> {
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
    let sentences: Vec<&str> = spread(settings.sentences, data.english.len())
        .map(|index| data.english[index].as_str())
        .collect();
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
    let head = estimate_head(teacher, &texts, settings.exponent, device)?;
    head.save(&folder.head())?;
    Ok(head)
}

/// The distilled student: read back where it is there, otherwise trained; `None` after a stop.
fn student(
    run: &RunFile,
    teacher: &Model,
    head: &Head,
    data: &ExperimentData,
    folder: &RunFolder,
    device: &Device,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<Model>> {
    if folder.student().join("model.safetensors").is_file() {
        return Ok(Some(Model::load(&folder.student(), device)?));
    }
    let held_out: Vec<_> = data.held_out.iter().map(TrainingText::bitext).collect();
    let training = TrainingData {
        texts: &data.training,
        held_out: &held_out,
        vocabulary_texts: &[],
    };
    let mut metrics = Metrics::new(folder, run.distill.steps);
    let outcome = distil(
        &run.distill,
        teacher,
        head,
        training,
        &folder.checkpoints(),
        device,
        &mut |event| {
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
                progress.at(
                    *step,
                    &format!("loss {loss:.4} partners {effective_partners:.1}"),
                );
            }
            Event::Instruments { step, reading } => {
                let mates: Vec<_> = reading
                    .mate_reciprocal_rank
                    .iter()
                    .map(|(language, rank)| format!("{language} {rank:.3}"))
                    .collect();
                progress.say(&format!(
                    "step {step}: cosine within a sentence {:.3} (teacher {:.3}), mate retrieval {}",
                    reading.within_sentence_cosine,
                    reading.teacher_within_sentence_cosine,
                    mates.join(", ")
                ));
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
                | Event::Checkpoint { step: at } => *at <= step && 0 < step,
                _ => 0 < step,
            })
            .map(|event| serde_json::to_string(&event).map(|line| line + "\n"))
            .collect::<Result<_, _>>()?;
        optical_encoder::write_atomically(&self.folder.metrics(), kept.concat().as_bytes())?;
        Ok(())
    }
}

fn read_events(folder: &RunFolder) -> anyhow::Result<Vec<Event>> {
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

fn say_bitext(data: &ExperimentData) {
    for (language, counts) in &data.report.languages {
        eprintln!(
            "bitext {language}: {} pairs of {} read",
            counts.kept, counts.read
        );
    }
    let queries: Vec<_> = data
        .collection
        .queries
        .iter()
        .map(|(language, queries)| format!("{language} {}", queries.len()))
        .collect();
    eprintln!(
        "collection: {} documents; queries {}",
        data.collection.documents.len(),
        queries.join(", ")
    );
}

/// MAP of every system in every language, for the terminal.
fn table(
    run: &RunFile,
    evaluations: &BTreeMap<&'static str, BTreeMap<String, Evaluation>>,
) -> anyhow::Result<String> {
    let map: Measure = scores::MEASURES[0].parse()?;
    let names = summary::SYSTEMS
        .iter()
        .map(|(name, _, _)| ((*name), Align::Right));
    let mut table = Table::new([("MAP", Align::Left)].into_iter().chain(names));
    for (language, class) in run.classes() {
        let cells = summary::SYSTEMS.iter().map(|(system, _, _)| {
            let value = evaluations
                .get(system)
                .and_then(|e| e.get(&language))
                .and_then(|e| e.aggregate(map));
            Cell::from(value.map_or("–".to_owned(), |value| format!("{value:.4}")))
        });
        let name = Cell::from(format!("{language} ({class:?})").to_lowercase());
        table.push([name].into_iter().chain(cells))?;
    }
    Ok(table.to_terminal())
}

fn facts(
    args: &TrainArgs,
    run: &RunFile,
    events: &[Event],
    times: &[(&str, f64)],
    began: Instant,
) -> Vec<Fact> {
    let trained: f64 = events
        .iter()
        .map(|event| match event {
            Event::Step { seconds, .. } => *seconds,
            _ => 0.0,
        })
        .sum();
    let mut facts = vec![
        Fact::new("command", std::env::args().collect::<Vec<_>>().join(" ")),
        Fact::new("version", env!("CARGO_PKG_VERSION")),
        Fact::new("model", &run.model),
        Fact::new("seed", run.distill.seed),
        Fact::new(
            "device",
            format!(
                "{:?}, {} threads",
                args.device,
                std::thread::available_parallelism().map_or(1, usize::from)
            ),
        ),
        Fact::new("steps", run.distill.steps),
        Fact::new("time in training steps", format!("{trained:.0} s")),
        Fact::new(
            "this sitting",
            format!("{:.0} s", began.elapsed().as_secs_f64()),
        ),
    ];
    facts.extend(times.iter().map(|(name, seconds)| {
        Fact::new(format!("this sitting, {name}"), format!("{seconds:.0} s"))
    }));
    facts
}

fn write_run_json(folder: &RunFolder, facts: &[Fact], times: &[(&str, f64)]) -> anyhow::Result<()> {
    let facts: serde_json::Map<_, _> = facts
        .iter()
        .filter(|fact| !fact.name.starts_with("this sitting,"))
        .map(|fact| (fact.name.clone(), fact.value.clone().into()))
        .collect();
    let times: serde_json::Map<_, _> = times
        .iter()
        .map(|(name, seconds)| ((*name).to_owned(), (*seconds).into()))
        .collect();
    let json = serde_json::json!({"facts": facts, "seconds": times});
    optical_encoder::write_atomically(&folder.file("run.json"), format!("{json:#}\n").as_bytes())?;
    Ok(())
}
