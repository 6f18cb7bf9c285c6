//! Bitext and test collection of a run.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use anyhow::{Context, ensure};
use optical_corpus::bitext::{Bitext, DataRoots, SentencePair};
use optical_corpus::collection::Collection;
use optical_corpus::draw::{Sample, fingerprint, unit};
use optical_corpus::error::CorpusError;
use optical_corpus::relevance::Texts;
use optical_corpus::report::BitextReport;
use optical_corpus::shape::Shaper;
use optical_corpus::split::{Split, hold_out};
use optical_distill::TrainingText;
use optical_retrieval::translation::CodeSwitch;

use crate::commands::fetch;
use crate::experiment::filtering;
use crate::key::Key;
use crate::run_file::RunFile;
use crate::say::say;

/// Everything a run reads; the pairs lie on the disk and are read as they are needed.
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

/// Where the relative paths of a run file begin, and where data lies.
pub fn roots(cache: &Path) -> DataRoots {
    DataRoots {
        base: Path::new(".").into(),
        cache: cache.to_owned(),
    }
}

/// Fetches the data sets of some manifests, each once.
pub fn fetch_all<'a>(
    manifests: impl Iterator<Item = &'a Path>,
    cache: &Path,
    offline: bool,
) -> anyhow::Result<()> {
    let mut manifests: Vec<_> = manifests.collect();
    manifests.sort_unstable();
    manifests.dedup();
    for manifest in manifests {
        fetch::ensure(manifest, cache, offline)?;
    }
    Ok(())
}

impl ExperimentData {
    /// Fetches and reads what the run file names.
    pub fn load(run: &RunFile, cache: &Path, offline: bool) -> anyhow::Result<Self> {
        let roots = roots(cache);
        let manifests = run
            .bitext
            .iter()
            .filter_map(|source| source.layout.manifest());
        let collections = [
            Some(&run.collection),
            run.development.as_ref(),
            run.final_test.as_ref(),
        ];
        let collections = collections.into_iter().flatten();
        let manifests = manifests.chain(collections.filter_map(|source| source.manifest()));
        fetch_all(manifests, cache, offline)?;
        let collection = run.collection.load(&roots).context("[collection]")?;
        let development = run.development.as_ref().map(|source| source.load(&roots));
        let development = development.transpose().context("[development]")?;
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
        let filter = &run.bitext_filter;
        let (mut bitext, report) =
            Bitext::read(&run.bitext, filter, &roots, filtering::EXAMPLES).context("[[bitext]]")?;
        check_languages(run, &report)?;
        let training = &run.distill.training;
        let split = hold_out(&mut bitext, training.instruments.held_out, training.seed)?;
        let mut keys: BTreeMap<String, Key> = BTreeMap::new();
        for pair in bitext.pairs()? {
            let pair = pair?;
            let key = keys.entry(pair.language);
            let key = key.or_insert_with(|| Key::of("bitext"));
            key.add(pair.english);
            key.add(pair.foreign);
        }
        let keys = keys
            .into_iter()
            .map(|(language, key)| (language, key.text()));
        Ok(Self {
            bitext,
            split,
            collection,
            development,
            report,
            bitext_keys: keys.collect(),
        })
    }

    /// Bitext that is never trained on.
    pub fn held_out(&self) -> impl Iterator<Item = &SentencePair> {
        self.split.held_out.values().flatten()
    }

    /// The pairs of one language that may be trained on.
    pub fn training_pairs(&mut self, language: &str) -> Result<Vec<SentencePair>, CorpusError> {
        let theirs = |pair: &Result<SentencePair, CorpusError>| {
            pair.as_ref().map_or(true, |pair| pair.language == language)
        };
        let pairs = training_pairs(&mut self.bitext, &self.split)?;
        pairs.filter(theirs).collect()
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

    /// Pairs of the languages learned, as often as their source is repeated, and sentences of the
    /// languages kept, each of these once.
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
        let mut seen: HashMap<&str, HashSet<_>> = HashMap::new();
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
                let fingerprint = fingerprint(seed, "retention", &[sentence]);
                if seen.entry(language).or_default().insert(fingerprint) {
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
        Ok(texts.flat_map(|texts| match texts {
            Ok(texts) => texts.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        }))
    }

    /// Says on standard error what was read.
    pub fn say(&self) -> anyhow::Result<()> {
        say(filtering::table(&self.report)?.to_terminal().trim_end());
        let queries: Vec<_> = self
            .collection
            .queries
            .iter()
            .map(|(language, queries)| format!("{language} {}", queries.len()))
            .collect();
        say(format_args!(
            "collection: {} documents; queries {}",
            self.collection.documents.len(),
            queries.join(", ")
        ));
        let without = |language: &&String| !self.collection.english.contains_key(*language);
        let languages = self.collection.queries.keys();
        let without: Vec<&str> = languages.filter(without).map(String::as_str).collect();
        if !without.is_empty() {
            say(format_args!(
                "collection: no English versions of all queries in {}; bm25-english and english are \
                 left out there",
                without.join(", ")
            ));
        }
        Ok(())
    }
}

/// Says on standard error how many negatives of relevance data had nothing in their place.
pub fn say_empty_negatives(documents: &Texts) {
    let count = documents.empty_negatives;
    if 0 < count {
        say(format_args!(
            "[[relevance]]: {count} empty negatives were passed over"
        ));
    }
}

/// The pairs that may be trained on.
fn training_pairs<'a>(
    bitext: &'a mut Bitext,
    split: &'a Split,
) -> Result<impl Iterator<Item = Result<SentencePair, CorpusError>> + 'a, CorpusError> {
    let pairs = bitext.pairs()?;
    Ok(pairs.filter(|pair| pair.as_ref().map_or(true, |pair| split.trains_on(pair))))
}

/// Whether every language that is trained on has a pair.
fn check_languages(run: &RunFile, report: &BitextReport) -> anyhow::Result<()> {
    let kept = |language: &String| report.languages.get(language).map_or(0, |of| of.kept);
    for language in run.distill.bitext.keys() {
        ensure!(
            0 < kept(language),
            "distill.bitext.{language}: [[bitext]] has no pair in {language} that passes [bitext_filter]"
        );
    }
    for language in run.distill.retention.keys() {
        let found = match language.as_str() {
            "eng" => report.languages.keys().any(|language| 0 < kept(language)),
            _ => 0 < kept(language),
        };
        ensure!(
            found,
            "distill.retention.{language}: [[bitext]] has no sentence in {language} that passes [bitext_filter]"
        );
    }
    Ok(())
}
