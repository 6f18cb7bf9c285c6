//! Queries to rankings: encoded by a model, searched in an index, written as TREC runs.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use optical_corpus::collection::Query;
use optical_encoder::{EncodeSettings, EncoderError, Head, Model};
use optical_retrieval::translation::{QueryTranslation, TranslationTable};
use optical_retrieval::{Bm25Index, ExactIndex, Hit, Index, QueryRef, Run};

use crate::experiment::Experiment;
use crate::key::Key;
use crate::progress::Progress;
use crate::run_file::RetrievalSettings;

/// Something that ranks documents for queries.
pub enum System<'a> {
    /// Late interaction between a model's query tokens and an index.
    LateInteraction {
        /// Reads the queries.
        model: &'a Model,
        /// Stands behind the model; the index was made with it.
        head: &'a Head,
        /// The documents.
        index: &'a ExactIndex,
    },
    /// Words in common.
    Bm25(&'a Bm25Index),
    /// English words in common, the query's translated one by one.
    Translated {
        /// The documents.
        index: &'a Bm25Index,
        /// By language; a language without one is not ranked.
        tables: &'a BTreeMap<String, TranslationTable>,
        /// How words become terms.
        translation: QueryTranslation,
    },
}

/// A system, and what it is asked.
pub struct Asked<'a> {
    /// The system's name in tables and files.
    pub name: &'a str,
    /// The system.
    pub system: System<'a>,
    /// A hash of what its rankings follow from, but for queries, and tables of their language.
    pub key: String,
    /// Queries by language.
    pub queries: &'a BTreeMap<String, Vec<Query>>,
}

impl System<'_> {
    /// Whether it can rank for queries of a language.
    fn reads(&self, language: &str) -> bool {
        match self {
            Self::LateInteraction { .. } | Self::Bm25(_) => true,
            Self::Translated { tables, .. } => tables.contains_key(language),
        }
    }

    /// The language where the ranking of a text depends on the language it is in.
    fn scope<'q>(&self, language: &'q str) -> Option<&'q str> {
        matches!(self, Self::Translated { .. }).then_some(language)
    }

    /// The rankings of queries, in their order.
    pub fn rank(
        &self,
        queries: &[&Query],
        settings: &RetrievalSettings,
        device: &Device,
    ) -> anyhow::Result<Vec<Vec<Hit>>> {
        let excluded: Vec<Vec<&str>> = queries
            .iter()
            .map(|query| query.own_document.as_deref().into_iter().collect())
            .collect();
        match self {
            Self::LateInteraction { model, head, index } => {
                let texts: Vec<&str> = queries.iter().map(|query| query.text.as_str()).collect();
                let vectors = encode_queries(model, head, &texts, settings.queries(), device)?;
                let queries: Vec<_> = vectors
                    .iter()
                    .zip(&excluded)
                    .map(|(vectors, excluded)| QueryRef { vectors, excluded })
                    .collect();
                Ok(index.search_many(&queries, settings.depth)?)
            }
            Self::Bm25(index) => Ok(queries
                .iter()
                .zip(&excluded)
                .map(|(query, excluded)| index.search(&query.text, settings.depth, excluded))
                .collect()),
            Self::Translated {
                index,
                tables,
                translation,
            } => Ok(queries
                .iter()
                .zip(&excluded)
                .map(|(query, excluded)| {
                    let terms = translation.terms(&query.text, &tables[&query.language]);
                    index.search_terms(&terms, settings.depth, excluded)
                })
                .collect()),
        }
    }
}

/// Token vectors of queries, in their order.
pub fn encode_queries(
    model: &Model,
    head: &Head,
    texts: &[&str],
    encode: EncodeSettings,
    device: &Device,
) -> Result<Vec<Vec<f32>>, EncoderError> {
    let mut vectors = vec![Vec::new(); texts.len()];
    model.encode(texts, &[head], encode, device, |text| {
        vectors[text.index].clone_from(&text.vectors[0]);
        Ok::<_, EncoderError>(())
    })?;
    Ok(vectors)
}

impl Asked<'_> {
    /// What the ranking of a language's queries follows from: first what was asked, then by whom.
    fn follows_from(&self, language: &str, settings: &RetrievalSettings) -> [String; 2] {
        let mut key = Key::of("system").with(&self.key);
        if let System::Translated { tables, .. } = &self.system {
            for (foreign, translations) in tables[language].iter() {
                key.add(foreign);
                for translation in translations {
                    key.add(&translation.word);
                    key.add(translation.probability.to_le_bytes());
                }
            }
        }
        [questions(&self.queries[language], settings), key.text()]
    }
}

/// A hash of queries and of how they are asked.
fn questions(queries: &[Query], settings: &RetrievalSettings) -> String {
    let RetrievalSettings {
        query_length,
        tokens_per_batch,
        depth,
        ..
    } = settings;
    let mut key = Key::of("queries").with(format!("{query_length} {tokens_per_batch} {depth}"));
    for query in queries {
        key.add(&query.id);
        key.add(&query.text);
        key.add(query.own_document.as_deref().unwrap_or_default());
    }
    key.text()
}

/// A ranking that was written here; where nothing was found, there is nothing in the file.
fn kept_run(path: &Path) -> anyhow::Result<Run> {
    let empty = path.metadata().is_ok_and(|file| file.len() == 0);
    match empty {
        true => Ok(Run::default()),
        false => Ok(Run::read(path)?),
    }
}

/// The rankings that a system has left of every language's queries, though the system may be gone;
/// `None` if one is missing, or was made of other queries.
pub fn kept_runs(
    experiment: &Experiment,
    name: &str,
    queries: &BTreeMap<String, Vec<Query>>,
) -> anyhow::Result<Option<BTreeMap<String, Run>>> {
    let Experiment { run, folder, .. } = experiment;
    let keys = folder.keys()?;
    let mut runs = BTreeMap::new();
    for (language, queries) in queries {
        let path = folder.run(name, language);
        let asked = questions(queries, &run.retrieval);
        let known = keys.of(&path);
        if !path.is_file() || known.is_some_and(|known| !known.starts_with(&asked)) {
            return Ok(None);
        }
        runs.insert(language.clone(), kept_run(&path)?);
    }
    Ok(Some(runs))
}

/// Ranks every language's queries and writes a run for each; what follows from the same is read back.
pub fn runs(experiment: &Experiment, asked: &Asked<'_>) -> anyhow::Result<BTreeMap<String, Run>> {
    let Asked {
        name,
        system,
        queries,
        ..
    } = asked;
    let Experiment {
        run,
        folder,
        device,
        ..
    } = experiment;
    let mut runs = BTreeMap::new();
    let mut missing: Vec<(&str, &Query)> = Vec::new();
    let mut keys = folder.keys()?;
    for (language, queries) in *queries {
        if !system.reads(language) {
            continue;
        }
        let path = folder.run(name, language);
        let key = asked.follows_from(language, &run.retrieval).join("-");
        // Former versions kept no keys: what an encoder ranked is taken as it is, words cost little.
        let is_same = match keys.of(&path) {
            Some(known) => known == key,
            None => matches!(system, System::LateInteraction { .. }),
        };
        keys.set(&path, key);
        if is_same && path.is_file() {
            runs.insert(language.clone(), kept_run(&path)?);
        } else {
            missing.extend(queries.iter().map(|query| (language.as_str(), query)));
        }
    }
    // Parallel collections ask the same English question for several languages: it is searched once.
    let mut distinct: Vec<&Query> = Vec::new();
    let mut position: BTreeMap<_, usize> = BTreeMap::new();
    let key = |language, query: &'_ Query| {
        let own_document = query.own_document.clone();
        (system.scope(language), query.text.clone(), own_document)
    };
    for (language, query) in &missing {
        position.entry(key(language, query)).or_insert_with(|| {
            distinct.push(query);
            distinct.len() - 1
        });
    }
    let mut hits = Vec::with_capacity(distinct.len());
    let mut progress = Progress::new(name, 0, distinct.len() as u64);
    for chunk in distinct.chunks(256) {
        experiment.interrupt.check()?;
        hits.extend(system.rank(chunk, &run.retrieval, device)?);
        progress.at(hits.len() as u64, "");
    }
    let mut found: BTreeMap<&str, Run> = BTreeMap::new();
    for (language, query) in missing {
        let hits = &hits[position[&key(language, query)]];
        found
            .entry(language)
            .or_insert_with(|| Run::new(*name))
            .insert(&query.id, hits.iter().cloned())?;
    }
    for (language, run) in found {
        run.write(&folder.run(name, language))?;
        runs.insert(language.to_owned(), run);
    }
    keys.write()?;
    Ok(runs)
}
