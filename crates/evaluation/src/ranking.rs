//! Queries to rankings: encoded by a model, searched in an index, written as TREC runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use optical_corpus::collection::Query;
use optical_encoder::{Head, Model};
use optical_retrieval::translation::{QueryTranslation, TranslationTable};
use optical_retrieval::{Bm25Index, Hit, Index, QueryRef, Run};
use optical_store::{Key, Keys, encode};

use crate::{Evaluator, RetrievalSettings};

/// Queries by language.
pub type Queries = BTreeMap<String, Vec<Query>>;

/// Something that ranks documents for queries.
pub enum System<'a> {
    /// Late interaction between a model's query tokens and an index.
    LateInteraction {
        /// Reads the queries.
        model: &'a Model,
        /// Comes after the model; the index was made with it.
        head: &'a Head,
        /// By language, what comes after the model in place of the head for its queries.
        shifted: &'a BTreeMap<String, Head>,
        /// The documents.
        index: &'a dyn Index,
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
    pub queries: &'a Queries,
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
        let depends = match self {
            Self::LateInteraction { shifted, .. } => shifted.contains_key(language),
            Self::Bm25(_) => false,
            Self::Translated { .. } => true,
        };
        depends.then_some(language)
    }

    /// Ranks documents for queries, in their order.
    ///
    /// # Errors
    /// If a query cannot be encoded, or the index is of another width.
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
            Self::LateInteraction {
                model,
                head,
                shifted,
                index,
            } => {
                let mut vectors = Vec::with_capacity(queries.len());
                let head_of = |query: &Query| shifted.get(&query.language);
                for alike in queries.chunk_by(|a, b| head_of(a) == head_of(b)) {
                    let texts: Vec<&str> = alike.iter().map(|query| query.text.as_str()).collect();
                    let head = head_of(alike[0]).unwrap_or(head);
                    vectors.extend(encode(model, head, &texts, settings.queries(), device)?);
                }
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

/// Hashes queries and how they are asked.
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

/// Reads a ranking that was written here; where nothing was found, there is nothing in the file.
fn kept_run(path: &Path) -> anyhow::Result<Run> {
    let empty = path.metadata().is_ok_and(|file| file.len() == 0);
    match empty {
        true => Ok(Run::default()),
        false => Ok(Run::read(path)?),
    }
}

impl Evaluator<'_> {
    fn run_file(&self, system: &str, language: &str) -> PathBuf {
        self.folder.join(format!("trec/{system}.{language}.run"))
    }

    /// Reads the rankings that a system has left of every language's queries, though the system may be
    /// gone; `None` if one is missing, or was made of other queries.
    ///
    /// # Errors
    /// If a ranking that is there cannot be read.
    pub fn kept(
        &self,
        system: &str,
        queries: &Queries,
    ) -> anyhow::Result<Option<BTreeMap<String, Run>>> {
        let keys = Keys::read(self.folder)?;
        let mut runs = BTreeMap::new();
        for (language, queries) in queries {
            let path = self.run_file(system, language);
            let asked = questions(queries, self.settings);
            let known = keys.of(&path);
            if !path.is_file() || known.is_some_and(|known| !known.starts_with(&asked)) {
                return Ok(None);
            }
            runs.insert(language.clone(), kept_run(&path)?);
        }
        Ok(Some(runs))
    }

    /// Ranks every language's queries and writes a run for each; what follows from the same is read
    /// back.
    ///
    /// # Errors
    /// If a ranking cannot be made, read or written, or somebody stops it.
    pub fn rankings(&self, asked: &Asked<'_>) -> anyhow::Result<BTreeMap<String, Run>> {
        let Asked {
            name,
            system,
            queries,
            ..
        } = asked;
        let mut runs = BTreeMap::new();
        let mut missing: Vec<(&str, &Query)> = Vec::new();
        let mut keys = Keys::read(self.folder)?;
        for (language, queries) in *queries {
            if !system.reads(language) {
                continue;
            }
            let path = self.run_file(name, language);
            let key = asked.follows_from(language, self.settings).join("-");
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
        for (language, run) in self.searched(name, system, &missing)? {
            run.write(&self.run_file(name, language))?;
            runs.insert(language.to_owned(), run);
        }
        keys.write()?;
        Ok(runs)
    }

    /// Ranks queries of several languages. Parallel collections ask the same English question for
    /// several of them: it is searched once.
    fn searched<'q>(
        &self,
        name: &str,
        system: &System<'_>,
        asked: &[(&'q str, &'q Query)],
    ) -> anyhow::Result<BTreeMap<&'q str, Run>> {
        let mut distinct: Vec<&Query> = Vec::new();
        let mut position: BTreeMap<_, usize> = BTreeMap::new();
        let key = |language: &'q str, query: &'q Query| {
            let own_document = query.own_document.as_deref();
            (system.scope(language), query.text.as_str(), own_document)
        };
        for (language, query) in asked {
            position.entry(key(language, query)).or_insert_with(|| {
                distinct.push(query);
                distinct.len() - 1
            });
        }
        let mut hits = Vec::with_capacity(distinct.len());
        let progress = self.host.progress(name, 0, distinct.len() as u64);
        for chunk in distinct.chunks(256) {
            self.host.check()?;
            hits.extend(system.rank(chunk, self.settings, self.device)?);
            progress.at(hits.len() as u64, "");
        }
        let mut found: BTreeMap<&str, Run> = BTreeMap::new();
        for &(language, query) in asked {
            let hits = &hits[position[&key(language, query)]];
            found
                .entry(language)
                .or_insert_with(|| Run::new(name))
                .insert(&query.id, hits.iter().cloned())?;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
