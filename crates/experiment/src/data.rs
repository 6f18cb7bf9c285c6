//! Bitext and test collection of a run.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use anyhow::Context;
use optical_corpus::bitext::{Bitext, DataRoots, SentencePair};
use optical_corpus::collection::Collection;
use optical_corpus::draw::{Sample, fingerprint, unit};
use optical_corpus::error::CorpusError;
use optical_corpus::report::BitextReport;
use optical_corpus::shape::Shaper;
use optical_corpus::split::{Split, SplitError, hold_out};
use optical_distill::TrainingText;
use optical_evaluation::BuiltIn;
use optical_retrieval::translation::CodeSwitch;
use optical_store::{Host, Key, Store};

use crate::collections::{CollectionReader, collection};
use crate::site::roots;
use crate::{Findings, RunFile, bitext};

/// Everything a run reads; the pairs are on the disk and are read as they are needed.
#[derive(Debug)]
pub struct ExperimentData {
    bitext: Bitext,
    split: Split,
    /// Queries, documents and judgements.
    pub collection: Collection,
    /// What students are judged by while they are trained, if the run file asks for it.
    pub development: Option<Collection>,
    /// What became of the bitext.
    pub report: BitextReport,
    /// A hash of the pairs of each language.
    pub bitext_keys: BTreeMap<String, String>,
}

impl ExperimentData {
    /// Fetches and reads what the run file names.
    ///
    /// # Errors
    /// If something cannot be had, or is not whole.
    pub fn load(run: &RunFile, store: &Store) -> anyhow::Result<Self> {
        Self::load_below(run, store, &store.cache)
    }

    /// Fetches and reads what the run file names; temporary files are below `temporary`.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_below(run: &RunFile, store: &Store, temporary: &Path) -> anyhow::Result<Self> {
        store.data_sets(manifests(run).into_iter())?;
        let mut findings = Findings::default();
        let roots = roots(&store.cache);
        let data = Self::read(run, &roots, temporary, None, &mut findings);
        findings.told_problems()?;
        data.context("the data are not whole")
    }

    /// Reads what the run file names, and finds all that is wrong with it; a reader also finds texts
    /// that have no token. Temporary files are below `temporary`.
    pub fn read(
        run: &RunFile,
        roots: &DataRoots,
        temporary: &Path,
        reader: Option<CollectionReader<'_>>,
        findings: &mut Findings,
    ) -> Option<Self> {
        let languages: Vec<String> = run.classes().into_iter().map(|it| it.0).collect();
        let development = run.development.as_ref().map(|source| {
            let low = &run.languages.low;
            collection("[development]", source, roots, low, reader, findings)
        });
        let source = &run.collection;
        let collection = collection(
            run.collection_table(),
            source,
            roots,
            &languages,
            reader,
            findings,
        );
        let read = bitext::read_bitext(run, &roots.cache, temporary, bitext::EXAMPLES, findings);
        let (mut bitext, report) = read?;
        let training = &run.distill.training;
        let held_out = training.instruments.held_out;
        let split = match hold_out(&mut bitext, held_out, training.seed) {
            Err(error @ SplitError::TooFew { .. }) => {
                findings.fault(format!("{HELD_OUT} = {held_out}: {error}"));
                None
            }
            split => findings.take(split.context("[[bitext]]")),
        };
        let bitext_keys = findings.take(bitext_keys(&mut bitext).context("[[bitext]]"));
        let documents = collection
            .as_ref()
            .map_or(usize::MAX, |it| it.documents.len());
        languages_of_pairs(run, &report, documents, findings);
        Some(Self {
            bitext,
            split: split?,
            collection: collection?,
            development: development.map_or(Some(None), |found| found.map(Some))?,
            bitext_keys: bitext_keys?,
            report,
        })
    }

    /// Returns bitext that is never trained on.
    pub fn held_out(&self) -> impl Iterator<Item = &SentencePair> {
        self.split.held_out.values().flatten()
    }

    /// Reads the pairs of one language that may be trained on.
    pub fn training_pairs(&mut self, language: &str) -> Result<Vec<SentencePair>, CorpusError> {
        let theirs = |pair: &Result<SentencePair, CorpusError>| {
            pair.as_ref().map_or(true, |pair| pair.language == language)
        };
        let pairs = training_pairs(&mut self.bitext, &self.split)?;
        pairs.filter(theirs).collect()
    }

    /// Reads all pairs that may be trained on.
    pub(crate) fn all_training_pairs(
        &mut self,
    ) -> Result<impl Iterator<Item = Result<SentencePair, CorpusError>> + '_, CorpusError> {
        training_pairs(&mut self.bitext, &self.split)
    }

    /// Draws English sentences of the training pairs, no two alike.
    pub fn english(&mut self, count: usize, seed: u64) -> Result<Vec<String>, CorpusError> {
        let mut sample = Sample::new(count, seed, "sentences of the head");
        for pair in training_pairs(&mut self.bitext, &self.split)? {
            let english = pair?.english;
            sample.offer(&[&english], || english.clone());
        }
        Ok(sample.into_drawn())
    }

    /// Reads pairs of the languages learned, as often as their source is repeated, and sentences of the
    /// languages kept, each of these once; English is kept by the texts of the English stage too.
    ///
    /// In memory there is a hash for each sentence kept: 20 to 39 bytes, as for [`Bitext::read`].
    pub fn training_texts<'a>(
        &'a mut self,
        run: &'a RunFile,
        switches: &'a BTreeMap<String, CodeSwitch>,
    ) -> Result<impl Iterator<Item = Result<TrainingText, CorpusError>> + 'a, CorpusError> {
        let distill = &run.distill;
        let seed = distill.training.seed;
        let share = run.code_switching.as_ref().map_or(0.0, |it| it.words);
        let mut english = match &run.student {
            Some(student) if distill.retention.contains_key("eng") => student.english.passages()?,
            _ => Vec::new(),
        };
        let mut seen: HashMap<&str, HashSet<_>> = HashMap::new();
        let mut is_new = move |language: &'a str, sentence: &str| {
            let fingerprint = fingerprint(seed, "retention", &[sentence]);
            seen.entry(language).or_default().insert(fingerprint)
        };
        english.retain(|passage| is_new("eng", passage));
        let mut shaper = run.bitext_shape.map(|settings| Shaper::new(settings, seed));
        let mut texts = move |pair: SentencePair| {
            let mut texts = Vec::new();
            if distill.bitext.contains_key(&pair.language) {
                let shaped = shaper.as_mut().map(|shaper| shaper.shape(pair.clone()));
                let text = TrainingText::bitext(shaped.as_ref().unwrap_or(&pair));
                texts.extend(std::iter::repeat_n(text, pair.repeat as usize));
            }
            for language in distill.retention.keys() {
                let sentence = match language.as_str() {
                    "eng" => &pair.english,
                    kept if kept == pair.language => &pair.foreign,
                    _ => continue,
                };
                if is_new(language, sentence) {
                    texts.push(TrainingText::retention(sentence, language));
                }
            }
            // A sentence is switched where it has a translation: its words are in the table.
            if let Some(switch) = switches.get(&pair.language) {
                let mut places = 0_u64..;
                let replaces = || {
                    let place = places.next().unwrap_or_default().to_string();
                    unit(seed, "code switching", &[&pair.english, &place]) < share
                };
                let switched = switch.switch(&pair.english, replaces);
                texts.extend(switched.map(|switched| {
                    TrainingText::switched(&pair.english, switched, &pair.language)
                }));
            }
            texts
        };
        let texts =
            training_pairs(&mut self.bitext, &self.split)?.map(move |pair| pair.map(&mut texts));
        let texts = texts.flat_map(|texts| match texts {
            Ok(texts) => texts.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        });
        let english = english.into_iter();
        let english = english.map(|passage| Ok(TrainingText::retention(&passage, "eng")));
        Ok(texts.chain(english))
    }

    /// Tells what was read.
    ///
    /// # Errors
    /// If the table cannot be made.
    pub fn tell(&self, host: &Host) -> anyhow::Result<()> {
        host.say(bitext::table(&self.report)?.to_terminal().trim_end());
        let queries: Vec<_> = self
            .collection
            .queries
            .iter()
            .map(|(language, queries)| format!("{language} {}", queries.len()))
            .collect();
        host.say(format_args!(
            "collection: {} documents; queries {}",
            self.collection.documents.len(),
            queries.join(", ")
        ));
        let without = |language: &&String| !self.collection.english.contains_key(*language);
        let languages = self.collection.queries.keys();
        let without: Vec<&str> = languages.filter(without).map(String::as_str).collect();
        if !without.is_empty() {
            host.say(format_args!(
                "collection: no English versions of all queries in {}; {} and {} are left out there",
                without.join(", "),
                BuiltIn::Bm25English.name(),
                BuiltIn::English.name()
            ));
        }
        Ok(())
    }
}

/// The pairs of each language that are kept, as a hash.
fn bitext_keys(bitext: &mut Bitext) -> Result<BTreeMap<String, String>, CorpusError> {
    let mut keys: BTreeMap<String, Key> = BTreeMap::new();
    for pair in bitext.pairs()? {
        let pair = pair?;
        let key = keys.entry(pair.language);
        let key = key.or_insert_with(|| Key::of("bitext"));
        key.add(pair.english);
        key.add(pair.foreign);
    }
    let keys = keys.into_iter();
    Ok(keys.map(|(language, key)| (language, key.text())).collect())
}

/// The pairs that may be trained on.
fn training_pairs<'a>(
    bitext: &'a mut Bitext,
    split: &'a Split,
) -> Result<impl Iterator<Item = Result<SentencePair, CorpusError>> + 'a, CorpusError> {
    let pairs = bitext.pairs()?;
    Ok(pairs.filter(|pair| pair.as_ref().map_or(true, |pair| split.trains_on(pair))))
}

/// Lists the manifests of all data sets that a run reads.
pub fn manifests(run: &RunFile) -> Vec<&Path> {
    let bitext = run.bitext.iter();
    let bitext = bitext.filter_map(|source| source.layout.manifest());
    let collections = [
        Some(&run.collection),
        run.development.as_ref(),
        run.final_test.as_ref(),
    ];
    let collections = collections.into_iter().flatten();
    bitext
        .chain(collections.filter_map(|source| source.manifest()))
        .collect()
}

const HELD_OUT: &str = "distill.training.instruments.held_out";

/// Finds languages that are trained on and have no pair, and others that the run file names for
/// nothing.
fn languages_of_pairs(
    run: &RunFile,
    report: &BitextReport,
    documents: usize,
    findings: &mut Findings,
) {
    let kept = |language: &str| report.languages.get(language).map_or(0, |of| of.kept);
    let distill = &run.distill;
    for (key, languages) in [
        ("bitext", &distill.bitext),
        ("code_switched", &distill.code_switched),
        ("retention", &distill.retention),
    ] {
        for language in languages.keys() {
            let found = match (key, language.as_str()) {
                ("retention", "eng") => report.languages.keys().any(|it| 0 < kept(it)),
                _ => 0 < kept(language),
            };
            if !found {
                let what = if key == "retention" {
                    "sentence"
                } else {
                    "pair"
                };
                findings.fault(format!(
                    "distill.{key}.{language}: [[bitext]] has no {what} in {language} that passes \
                     [bitext_filter]"
                ));
            }
        }
    }
    let scored = run
        .passages
        .map_or(0, |it| it.retrieved.saturating_add(it.drawn));
    if documents < scored {
        findings.warn(format!(
            "passages: a sentence is scored with {scored} documents, and there are {documents}"
        ));
    }
    let trained: usize = distill.bitext.keys().map(|language| kept(language)).sum();
    let batch = distill.training.batch_size;
    if (1..batch).contains(&trained) {
        findings.warn(format!(
            "distill.training.batch_size = {batch}: there are {trained} pairs, so that a batch has some twice"
        ));
    }
    for language in run.languages.low.iter().chain(&run.languages.high) {
        if kept(language) == 0 {
            findings.warn(format!(
                "languages: {language} has no pair in [[bitext]], and is not trained on"
            ));
        }
    }
    let (picture, held_out) = (&run.picture, distill.training.instruments.held_out);
    if kept(picture) == 0 || held_out == 0 {
        findings.warn(format!(
            "picture = {picture:?}: no pair in it is held out, so no alignment is drawn"
        ));
    }
}
