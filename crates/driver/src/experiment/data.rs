//! Bitext, retention sentences and test collection of a run.

use std::path::Path;

use anyhow::{Context, ensure};
use optical_corpus::bitext::{BitextReport, DataRoots, SentencePair, load_all};
use optical_corpus::collection::Collection;
use optical_corpus::split::hold_out;
use optical_distill::TrainingText;

use crate::commands::fetch;
use crate::run_file::RunFile;

/// Everything a run reads.
#[derive(Debug)]
pub struct ExperimentData {
    /// Bitext and retention sentences to train on.
    pub training: Vec<TrainingText>,
    /// The bitext behind it, of all languages.
    pub pairs: Vec<SentencePair>,
    /// Bitext that is never trained on.
    pub held_out: Vec<SentencePair>,
    /// English sides of the bitext, each once, in order.
    pub english: Vec<String>,
    /// Queries, documents and judgements.
    pub collection: Collection,
    /// What became of the bitext.
    pub report: BitextReport,
}

impl ExperimentData {
    /// Fetches and reads what the run file names.
    pub fn load(run: &RunFile, cache: &Path, offline: bool) -> anyhow::Result<Self> {
        let roots = DataRoots {
            base: Path::new(".").into(),
            cache: cache.to_owned(),
        };
        let manifests = run.bitext.iter().filter_map(|source| source.manifest());
        let mut manifests: Vec<_> = manifests.chain(run.collection.manifest()).collect();
        manifests.sort_unstable();
        manifests.dedup();
        for manifest in manifests {
            fetch::ensure(manifest, cache, offline)?;
        }
        let collection = run.collection.load(&roots).context("[collection]")?;
        for (language, _) in run.classes() {
            let known = || {
                collection
                    .queries
                    .keys()
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            ensure!(
                collection.queries.contains_key(&language),
                "languages: the collection has no queries in {language:?}; it has {}",
                known()
            );
        }
        let (pairs, report) = load_all(&run.bitext, &roots).context("[[bitext]]")?;
        let training = &run.distill.training;
        let split = hold_out(pairs, training.instruments.held_out, training.seed)?;
        let training = training_texts(run, &split.training)?;
        let mut english: Vec<_> = split
            .training
            .iter()
            .map(|pair| pair.english.clone())
            .collect();
        english.sort_unstable();
        english.dedup();
        let held_out = split.held_out.into_values().flatten().collect();
        Ok(Self {
            training,
            pairs: split.training,
            held_out,
            english,
            collection,
            report,
        })
    }

    /// Says on standard error what was read.
    pub fn say(&self) {
        for (language, counts) in &self.report.languages {
            eprintln!(
                "bitext {language}: {} pairs of {} read",
                counts.kept, counts.read
            );
        }
        let queries: Vec<_> = self
            .collection
            .queries
            .iter()
            .map(|(language, queries)| format!("{language} {}", queries.len()))
            .collect();
        eprintln!(
            "collection: {} documents; queries {}",
            self.collection.documents.len(),
            queries.join(", ")
        );
    }
}

/// Pairs of the languages learned, and sentences of the languages kept.
fn training_texts(run: &RunFile, pairs: &[SentencePair]) -> anyhow::Result<Vec<TrainingText>> {
    let distill = &run.distill;
    let mut texts: Vec<_> = pairs
        .iter()
        .filter(|pair| distill.bitext.contains_key(&pair.language))
        .map(TrainingText::bitext)
        .collect();
    for language in distill.retention.keys() {
        let mut sentences: Vec<&str> = if language == "eng" {
            pairs.iter().map(|pair| pair.english.as_str()).collect()
        } else {
            let theirs = pairs.iter().filter(|pair| pair.language == *language);
            theirs.map(|pair| pair.foreign.as_str()).collect()
        };
        sentences.sort_unstable();
        sentences.dedup();
        ensure!(
            !sentences.is_empty(),
            "distill.retention.{language}: [[bitext]] has no sentence in {language}"
        );
        texts.extend(
            sentences
                .into_iter()
                .map(|text| TrainingText::retention(text, language)),
        );
    }
    for language in distill.bitext.keys() {
        let found = pairs.iter().any(|pair| pair.language == *language);
        ensure!(
            found,
            "distill.bitext.{language}: [[bitext]] has no pair in {language}"
        );
    }
    Ok(texts)
}
