//! Asks the index of a finished run.

use std::collections::HashMap;

use anyhow::{Context, ensure};
use burn::tensor::Device;
use optical_corpus::collection::Document;
use optical_evaluation::RetrievalSettings;
use optical_retrieval::{Hit, Index, QueryRef};
use optical_store::Reader;
use optical_tokenize::{Role, Tokenizer};

use crate::Experiment;
use crate::answer::{Answer, Found, Read, matches};
use crate::site::roots;

/// A student, the documents that it finds, and their texts.
pub struct Searcher {
    settings: RetrievalSettings,
    device: Device,
    student: Reader,
    texts: HashMap<String, String>,
    index: Box<dyn Index>,
    /// What reads documents.
    tokenizer: Tokenizer,
}

impl Searcher {
    /// Opens the index of a run's collection; what was encoded is in the cache, and documents that were
    /// not are encoded now.
    ///
    /// # Errors
    /// If the run has no finished student, its model or documents have changed, or somebody stops it.
    pub fn open(experiment: &Experiment) -> anyhow::Result<Self> {
        let Experiment { run, folder, .. } = experiment;
        let path = folder.path().display();
        let student = experiment.student(0)?;
        let student = student.with_context(|| format!("{path} has no finished student"))?;
        let roots = roots(&experiment.site.store.cache);
        let collection = run
            .collection
            .load(&roots)
            .context(run.collection_table())?;
        let (index, tokenizer) = match experiment.own_index(&student, &collection)? {
            Some(kept) => (kept.index, student.model.tokenizer.clone()),
            None => {
                let teacher = experiment.checked_teacher()?;
                let head = experiment.head_of_documents(&teacher, &student)?;
                let documents = &collection.documents;
                let mut kept = experiment.indexes(&teacher, &[&head], documents)?;
                (kept.remove(0).index, teacher.model.tokenizer)
            }
        };
        let texts = collection.documents.into_iter();
        let texts = texts.map(|document| (document.id.clone(), Document::full_text(&document)));
        Ok(Self {
            settings: run.retrieval.clone(),
            device: experiment.device().clone(),
            student,
            texts: texts.collect(),
            index,
            tokenizer,
        })
    }

    /// Finds the best documents for each of some queries, without the words that they were found by; a
    /// query without a word that the model reads finds nothing.
    ///
    /// # Errors
    /// If a query cannot be tokenized, or the device fails.
    pub fn hits(&self, queries: &[&str], count: usize) -> anyhow::Result<Vec<Vec<Hit>>> {
        let vectors = self.read(queries)?;
        let queries = vectors.iter().map(|vectors| QueryRef {
            vectors,
            excluded: &[],
        });
        Ok(self
            .index
            .search_many(&queries.collect::<Vec<_>>(), count)?)
    }

    fn read(&self, queries: &[&str]) -> anyhow::Result<Vec<Vec<f32>>> {
        let settings = self.settings.queries();
        Ok(self.student.encode(queries, settings, &self.device)?)
    }

    /// Finds the best documents for a query, and the words that they were found by.
    ///
    /// # Errors
    /// If the query has no word that the model reads, or the device fails.
    pub fn answer(&self, query: &str, count: usize) -> anyhow::Result<Answer> {
        let retrieval = &self.settings;
        let vectors = self.read(&[query])?.remove(0);
        ensure!(
            !vectors.is_empty(),
            "the query {query:?} has no word that the model reads"
        );
        let tokenizer = &self.student.model.tokenizer;
        let asked = Read {
            text: query,
            spans: tokenizer.kept_spans(query, Role::Query, retrieval.query_length)?,
        };
        let hits = self.index.search(&vectors, count, &[])?;
        let found = hits.into_iter().enumerate().map(|(place, hit)| {
            let text = self.texts.get(&hit.id).map_or("", String::as_str);
            let length = retrieval.document_length;
            let read = Read {
                text,
                spans: self.tokenizer.kept_spans(text, Role::Document, length)?,
            };
            let partners = self.index.partners(&vectors, &hit.id)?.unwrap_or_default();
            Ok(Found {
                rank: place + 1,
                score: hit.score,
                id: hit.id,
                matches: matches(&asked, &read, &partners),
                text: text.to_owned(),
            })
        });
        Ok(Answer {
            query: query.to_owned(),
            found: found.collect::<anyhow::Result<_>>()?,
        })
    }
}
