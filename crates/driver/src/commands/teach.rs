//! `optical teach`: a late-interaction teacher out of an encoder, on English relevance data.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use optical_corpus::draw::fingerprint;
use optical_corpus::relevance::{Example, RelevanceSource};
use optical_distill::settings::HeadSettings;
use optical_distill::teaching::{RankingText, TeachSettings, teach};
use optical_distill::{DistillError, Outcome, estimate_head};
use optical_encoder::{EncodeSettings, Model};
use optical_tokenize::Role;
use serde::{Deserialize, Serialize};

use crate::device::TrainingDevices;
use crate::experiment::RunFolder;
use crate::experiment::data::{roots, say_empty_negatives};
use crate::experiment::inputs::Inputs;
use crate::experiment::metrics::{self, Metrics};
use crate::experiment::watcher::Watcher;
use crate::interrupt::Interrupt;
use crate::named::NamedFile;
use crate::say::print;
use crate::{cache, key, model_source};

/// Train a teacher on English relevance data; the same command resumes after a stop
///
/// The teacher is a Hugging Face folder in the run folder, which a run file's `model` may name.
/// docs/relevance.md has an example of the file.
#[derive(Debug, clap::Args)]
pub struct TeachArgs {
    #[command(flatten)]
    file: NamedFile,
    /// The run folder [default: runs/NAME-OF-THE-FILE]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Download nothing: use the cache, or say what it lacks
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    devices: TrainingDevices,
}

/// A teacher's file; relative paths begin where the program is started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TeachFile {
    /// The encoder, or the teacher to go on from, as in a run file.
    model: String,
    /// Queries with documents, one table a source.
    relevance: Vec<RelevanceSource>,
    /// The map behind an encoder that brings none, estimated from so many queries (`sentences`) and
    /// documents; where `teach.dimensions` says so, its first ones are trained.
    head: HeadSettings,
    /// The training.
    teach: TeachSettings,
}

/// Trains, and writes the teacher to the run folder.
pub fn run(args: &TeachArgs) -> anyhow::Result<()> {
    let read = || -> anyhow::Result<(TeachFile, String)> {
        let text = optical_files::text::read(args.file.path())?;
        let file: TeachFile = toml::from_str(&text)?;
        file.teach.check()?;
        Ok((file, text))
    };
    let (file, text) = read().with_context(|| args.file.path().display().to_string())?;
    let path = args.run.clone().unwrap_or_else(|| args.file.results());
    let folder = RunFolder::of(&path, &text)?;
    folder.lock()?;
    let (cache, devices) = (cache::folder()?, args.devices.open()?);
    let device = &devices[0];
    let interrupt = Interrupt::listen()?;
    let (training, held_out) = texts(&file, &cache)?;
    let model_folder = model_source::folder(&file.model, &cache, args.offline)?;
    let mut model =
        Model::load(&model_folder, device).with_context(|| format!("model {}", file.model))?;
    model_source::say_left_out(&file.model, &model);
    let fits = file.teach.check_model(&model);
    fits.with_context(|| args.config.display().to_string())?;
    folder.create(&text)?;
    let model_key = key::of_model(&model_folder)?;
    Inputs::of_teacher(&model_key, &[&training, &held_out]).note(&folder)?;
    if model.head.is_none() {
        model.head = Some(head(&file, &model, &training, device)?);
    }
    let metrics = Metrics::new(&folder, metrics::TEACH, file.teach.training.steps);
    let mut watcher = Watcher::new(metrics, &interrupt, None);
    let outcome = teach(
        &file.teach,
        &model,
        [&training, &held_out],
        &folder.checkpoints(),
        &devices,
        &mut watcher,
    );
    let outcome = watcher.result(outcome).map_err(|error| {
        match error.downcast_ref() {
            Some(DistillError::NotFinite { .. }) => anyhow::anyhow!(
                "{error}; lower the learning rates in a copy of the file, and begin anew in another \
                 folder with `optical teach COPY --run NEW_FOLDER`"
            ),
            _ => error,
        }
    })?;
    match outcome {
        Outcome::Interrupted(_) => {
            anyhow::bail!("stopped; the same command resumes from the checkpoint")
        }
        Outcome::Finished(teacher) => teacher.save_whole(&folder.teacher())?,
    }
    print(format_args!("teacher: {}\n", folder.teacher().display()))
}

/// Examples to train on, and others that are held out for the instruments, drawn by the seed.
fn texts(file: &TeachFile, cache: &Path) -> anyhow::Result<(Vec<RankingText>, Vec<RankingText>)> {
    let mut texts = Vec::new();
    for source in &file.relevance {
        let read = source.read(&roots(cache), |example| {
            texts.push(ranking_text(&example));
            ControlFlow::Continue(())
        });
        let documents = read.context("[[relevance]]")?;
        say_empty_negatives(&documents);
    }
    let training = &file.teach.training;
    texts.sort_by_cached_key(|text| {
        fingerprint(
            training.seed,
            "held-out queries",
            &[&text.query, &text.documents[0]],
        )
    });
    let count = training.instruments.held_out;
    ensure!(
        count < texts.len(),
        "[[relevance]] has {} examples, too few to hold out {count}",
        texts.len()
    );
    let held_out = texts.split_off(texts.len() - count);
    // A query of the instruments is not trained on with other documents either.
    let asked: HashSet<&str> = held_out.iter().map(|text| &*text.query).collect();
    texts.retain(|text| !asked.contains(&*text.query));
    Ok((texts, held_out))
}

fn ranking_text(example: &Example) -> RankingText {
    let candidates = &example.candidates;
    RankingText {
        query: example.query.text.clone(),
        documents: candidates
            .iter()
            .map(|it| it.document.text.clone())
            .collect(),
        scores: candidates.iter().filter_map(|it| it.score).collect(),
    }
}

/// The map behind an encoder that brings none.
fn head(
    file: &TeachFile,
    model: &Model,
    texts: &[RankingText],
    device: &burn::tensor::Device,
) -> anyhow::Result<optical_encoder::Head> {
    let queries = texts
        .iter()
        .take(file.head.sentences)
        .map(|text| &*text.query);
    let documents = texts.iter().filter_map(|text| text.documents.first());
    let documents = documents
        .take(file.head.documents)
        .map(|document| &**document);
    let encode = |role, maximum_length| EncodeSettings {
        role,
        maximum_length,
        tokens_per_batch: 2048,
    };
    let (queries, documents): (Vec<&str>, Vec<&str>) = (queries.collect(), documents.collect());
    let (query_length, document_length) = (file.teach.query_length, file.teach.document_length);
    let texts = [
        (&queries[..], encode(Role::Query, query_length)),
        (&documents[..], encode(Role::Document, document_length)),
    ];
    Ok(estimate_head(model, &texts, file.head.exponent, device)?)
}
