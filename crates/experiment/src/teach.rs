//! A teacher out of an encoder, trained on English relevance data.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::Context;
use burn::tensor::Device;
use optical_corpus::draw::fingerprint;
use optical_corpus::relevance::{Example, RelevanceSource, Texts};
use optical_distill::settings::{HeadSettings, StoppingMetric};
use optical_distill::teaching::{RankingText, TeachSettings, teach, with_tokens};
use optical_distill::{DistillError, Outcome, estimate_head};
use optical_encoder::{EncodeSettings, Head, Model, Outline};
use optical_store::Host;
use optical_tokenize::Role;
use serde::{Deserialize, Serialize};

use crate::check::lengths::{self, length};
use crate::check::{Opened, disk, outline};
use crate::metrics::{self, Metrics};
use crate::places;
use crate::site::roots;
use crate::watcher::Watcher;
use crate::{Findings, Inputs, RunFolder, Site};

/// A teacher's file; relative paths begin where the program is started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeachFile {
    /// The encoder, or the teacher to continue from, as in a run file.
    pub model: String,
    /// Queries with documents, one table per source.
    pub relevance: Vec<RelevanceSource>,
    /// The head after an encoder that brings none, estimated from the number of queries (`sentences`)
    /// and documents given here; where `teach.dimensions` says so, its first ones are trained.
    pub head: HeadSettings,
    /// The training.
    pub teach: TeachSettings,
}

/// The training of a teacher, once its file and its data are sound.
#[derive(Debug)]
pub struct Teaching<'a> {
    site: &'a Site,
    file: TeachFile,
    path: PathBuf,
    text: String,
    folder: RunFolder,
    examples: Examples,
}

impl<'a> Teaching<'a> {
    /// Finds all that is wrong with a teacher's file and its data.
    ///
    /// # Errors
    /// If something keeps the teacher from being trained: all of it, with file and line.
    pub fn open(
        path: &Path,
        folder: &Path,
        site: &'a Site,
        devices_fault: Option<String>,
        check_only: bool,
    ) -> anyhow::Result<Opened<Self>> {
        let text = optical_files::text::read(path);
        let text = text.with_context(|| path.display().to_string())?;
        let file: TeachFile =
            toml::from_str(&text).map_err(|error| places::of_toml(path, &text, &error))?;
        let host = &site.store.host;
        let mut findings = Findings::default();
        findings.within_file(path, &text);
        if let Some(fault) = devices_fault {
            findings.problem(fault);
        }
        let kept = findings.take(RunFolder::of(folder, &text));
        disk::writable(folder, &mut findings);
        let mut away = Vec::new();
        let outline = outline(&file.model, site, check_only, &mut findings, &mut away);
        let examples = file.check(outline.as_ref(), &site.store.cache, host, &mut findings);
        findings.told(host)?;
        if check_only {
            let lines = away.into_iter().map(|line| line + "\n");
            let lines = lines.collect::<String>() + "the teacher can be trained\n";
            return Ok(Opened::Checked(lines));
        }
        let folder = kept.context("the run folder is not open")?;
        folder.lock()?;
        Ok(Opened::Ready(Box::new(Self {
            site,
            file,
            path: path.to_owned(),
            text,
            folder,
            examples: examples.context("the examples are not whole")?,
        })))
    }

    /// Trains the teacher, or resumes; returns its folder.
    ///
    /// # Errors
    /// If the training fails, or somebody stops it.
    pub fn train(self) -> anyhow::Result<PathBuf> {
        let Self {
            site,
            file,
            path,
            text,
            folder,
            examples: (training, held_out),
        } = self;
        let (host, device) = (&site.store.host, &site.devices[0]);
        let mut reader = site.store.reader(&file.model, device)?;
        let fits = file.teach.check_model(&reader.model);
        fits.with_context(|| path.display().to_string())?;
        folder.create(&text)?;
        Inputs::of_teacher(&reader.key, &[&training, &held_out]).note(&folder, host)?;
        let model = &mut reader.model;
        if model.head.is_none() {
            let head = estimated_head(&file.teach, &file.head, model, &training, device)?;
            model.head = Some(head);
        }
        let metrics = Metrics::new(&folder, host, metrics::TEACH, file.teach.training.steps);
        let mut watcher = Watcher::new(metrics, host, None);
        let outcome = teach(
            &file.teach,
            model,
            [&training, &held_out],
            &folder.checkpoints(),
            &site.devices,
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
        Ok(folder.teacher())
    }
}

/// Tells how many negatives of relevance data had nothing in their place.
pub fn tell_empty_negatives(documents: &Texts, host: &Host) {
    let count = documents.empty_negatives;
    if 0 < count {
        host.say(format_args!(
            "[[relevance]]: {count} empty negatives were passed over"
        ));
    }
}

/// Examples to train on, and others that are held out for the instruments.
type Examples = (Vec<RankingText>, Vec<RankingText>);

impl TeachFile {
    /// Reads the examples, and finds all that is wrong with them and with the settings.
    fn check(
        &self,
        outline: Option<&Outline>,
        cache: &Path,
        host: &Host,
        findings: &mut Findings,
    ) -> Option<Examples> {
        for fault in self.teach.faults() {
            findings.fault(fault);
        }
        let teach = &self.teach;
        let exponent = self.head.exponent;
        if !(0.0..=1.0).contains(&exponent) {
            findings.fault(format!("head.exponent = {exponent}, expected 0 to 1"));
        }
        let stopping = teach.training.stopping.as_ref();
        if stopping.is_some_and(|it| it.metric == StoppingMetric::Development) {
            findings.fault(
                "teach.training.stopping.metric = \"development\", expected \"mates\": a teacher's file \
                 has no [development]",
            );
        }
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
        let texts = self.examples(cache, host, findings)?;
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
    fn examples(&self, cache: &Path, host: &Host, findings: &mut Findings) -> Option<Examples> {
        let (mut texts, mut whole) = (Vec::new(), true);
        for source in &self.relevance {
            let read = source.read(&roots(cache), |example| {
                texts.push(ranking_text(&example));
                ControlFlow::Continue(())
            });
            let documents = findings.take(read.context("[[relevance]]"));
            documents
                .iter()
                .for_each(|it| tell_empty_negatives(it, host));
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
                "teach.training.instruments.held_out = {count}: [[relevance]] has {} examples, expected \
                 more",
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

/// Estimates the head of an encoder that brings none.
fn estimated_head(
    settings: &TeachSettings,
    head: &HeadSettings,
    model: &Model,
    texts: &[RankingText],
    device: &Device,
) -> anyhow::Result<Head> {
    let queries = texts.iter().take(head.sentences).map(|text| &*text.query);
    let documents = texts.iter().filter_map(|text| text.documents.first());
    let documents = documents.take(head.documents).map(|document| &**document);
    let encode = |role, maximum_length| EncodeSettings {
        role,
        maximum_length,
        tokens_per_batch: 2048,
    };
    let (queries, documents): (Vec<&str>, Vec<&str>) = (queries.collect(), documents.collect());
    let (query_length, document_length) = (settings.query_length, settings.document_length);
    let texts = [
        (&queries[..], encode(Role::Query, query_length)),
        (&documents[..], encode(Role::Document, document_length)),
    ];
    Ok(estimate_head(model, &texts, head.exponent, device)?)
}
