//! `optical teach`: a late-interaction teacher out of an encoder, on English relevance data.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::Context;
use optical_corpus::draw::fingerprint;
use optical_corpus::relevance::{Example, RelevanceSource};
use optical_distill::settings::HeadSettings;
use optical_distill::teaching::{RankingText, TeachSettings, teach, with_tokens};
use optical_distill::{DistillError, Outcome, estimate_head};
use optical_encoder::{EncodeSettings, Model, Outline};
use optical_tokenize::Role;
use serde::{Deserialize, Serialize};

use crate::device::TrainingDevices;
use crate::experiment::RunFolder;
use crate::experiment::check::lengths::{self, length};
use crate::experiment::check::{Reach, disk, outline};
use crate::experiment::data::{roots, say_empty_negatives};
use crate::experiment::findings::Findings;
use crate::experiment::inputs::Inputs;
use crate::experiment::metrics::{self, Metrics};
use crate::experiment::watcher::Watcher;
use crate::interrupt::Interrupt;
use crate::named::NamedFile;
use crate::run_file::faults;
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
    /// Train nothing and write nothing: find all that is wrong with the file and its data
    #[arg(long)]
    check: bool,
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
    let read = optical_files::text::read(args.file.path());
    let text = read.with_context(|| args.file.path().display().to_string())?;
    let file: TeachFile =
        toml::from_str(&text).map_err(|error| faults::of_toml(args.file.path(), &text, &error))?;
    let cache = cache::folder()?;
    let path = args.file.folder(args.run.as_deref());
    let mut findings = Findings::default();
    findings.within_file(args.file.path(), &text);
    let devices = findings.take(args.devices.open());
    let folder = findings.take(RunFolder::of(&path, &text));
    disk::writable(&path, &mut findings);
    let reach = Reach::of(args.check, args.offline);
    let mut away = Vec::new();
    let outline = outline(&file.model, &cache, reach, &mut findings, &mut away);
    let texts = file.check(outline.as_ref(), &cache, &mut findings);
    findings.told()?;
    if args.check {
        let lines = away.into_iter().map(|line| line + "\n");
        return print(lines.collect::<String>() + "the teacher can be trained\n");
    }
    let (Some(devices), Some(folder), Some(texts)) = (devices, folder, texts) else {
        anyhow::bail!("the files are not whole");
    };
    folder.lock()?;
    let (training, held_out) = texts;
    let device = &devices[0];
    let interrupt = Interrupt::listen()?;
    let model_folder = model_source::folder(&file.model, &cache, args.offline)?;
    let mut model =
        Model::load(&model_folder, device).with_context(|| format!("model {}", file.model))?;
    model_source::say_left_out(&file.model, &model);
    let fits = file.teach.check_model(&model);
    fits.with_context(|| args.file.path().display().to_string())?;
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

/// Examples to train on, and others that are held out for the instruments.
type Examples = (Vec<RankingText>, Vec<RankingText>);

impl TeachFile {
    /// Reads the examples, and finds all that is wrong with them and with the settings.
    fn check(
        &self,
        outline: Option<&Outline>,
        cache: &Path,
        findings: &mut Findings,
    ) -> Option<Examples> {
        for fault in self.teach.faults() {
            findings.fault(fault);
        }
        let teach = &self.teach;
        if let Some(outline) = outline {
            lengths::layers(outline, "teach.layers", teach.layers, findings);
            let width = outline.config.hidden_size;
            if width < teach.dimensions {
                findings.fault(format!(
                    "teach.dimensions = {}, expected at most {width}, the width of the model",
                    teach.dimensions
                ));
            }
            let most = outline.config.maximum_length();
            for (key, value, role) in [
                ("teach.query_length", teach.query_length, Role::Query),
                (
                    "teach.document_length",
                    teach.document_length,
                    Role::Document,
                ),
            ] {
                let tokenizer = &outline.tokenizer;
                let found = length(tokenizer, most, key, value, role, findings);
                findings.take(found.map_err(Into::into));
            }
        }
        let texts = self.examples(cache, findings)?;
        if let Some(outline) = outline
            && findings.is_sound()
        {
            for (texts, what) in [(&texts.0, "examples"), (&texts.1, "held-out examples")] {
                let usable = with_tokens(teach, texts, &outline.tokenizer);
                let usable = findings.take(usable.map_err(Into::into))?.len();
                let without = texts.len() - usable;
                if usable == 0 && !texts.is_empty() {
                    findings.problem(format!("[[relevance]]: none of the {what} has tokens"));
                } else if 0 < without {
                    findings.warn(format!(
                        "[[relevance]]: {what} whose query or relevant document has no token, which are left out, \
                         {without} of {}",
                        texts.len()
                    ));
                }
            }
        }
        Some(texts)
    }

    /// Reads the examples, and draws by the seed which are held out.
    fn examples(&self, cache: &Path, findings: &mut Findings) -> Option<Examples> {
        let (mut texts, mut whole) = (Vec::new(), true);
        for source in &self.relevance {
            let read = source.read(&roots(cache), |example| {
                texts.push(ranking_text(&example));
                ControlFlow::Continue(())
            });
            let documents = findings.take(read.context("[[relevance]]"));
            documents.iter().for_each(say_empty_negatives);
            whole &= documents.is_some();
        }
        if !whole {
            return None;
        }
        let training = &self.teach.training;
        texts.sort_by_cached_key(|text| {
            fingerprint(
                training.seed,
                "held-out queries",
                &[&text.query, &text.documents[0]],
            )
        });
        let count = training.instruments.held_out;
        if texts.len() <= count {
            findings.fault(format!(
                "teach.training.instruments.held_out = {count}: [[relevance]] has {} examples, too few to \
                 hold out so many",
                texts.len()
            ));
            return None;
        }
        let held_out = texts.split_off(texts.len() - count);
        // A query of the instruments is not trained on with other documents either.
        let asked: HashSet<&str> = held_out.iter().map(|text| &*text.query).collect();
        texts.retain(|text| !asked.contains(&*text.query));
        if texts.is_empty() {
            findings.problem("[[relevance]]: all queries are held out, none is left to train on");
        }
        Some((texts, held_out))
    }
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
