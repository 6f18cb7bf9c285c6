//! Queries with their relevant documents, from any relevance data.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use optical_corpus::bitext::DataRoots;
use optical_corpus::relevance::{RelevanceSource, Text, Texts};
use optical_experiment::tell_empty_negatives;
use optical_store::Host;
use serde::Deserialize;

/// What is asked, and what is known to answer it.
pub(super) struct Questions {
    /// Queries and relevant documents, each pair once, in the order of the file.
    pub(super) pairs: Vec<(Text, Text)>,
    /// The whole collection.
    pub(super) documents: Texts,
    /// Whether the ids are the files' own.
    pub(super) has_ids: bool,
    /// For the text of each query, the texts of its relevant documents. By texts, since data sets
    /// ask a question twice under different ids, and have a passage twice.
    relevant: HashMap<Arc<str>, HashSet<Arc<str>>>,
}

impl Questions {
    pub(super) fn of(source: &RelevanceSource, host: &Host) -> anyhow::Result<Self> {
        // As for run files, paths begin where the program was started.
        let roots = DataRoots {
            base: ".".into(),
            cache: ".".into(),
        };
        let mut pairs = Vec::new();
        let mut seen: HashSet<(Arc<str>, Arc<str>)> = HashSet::new();
        let mut relevant: HashMap<Arc<str>, HashSet<Arc<str>>> = HashMap::new();
        let documents = source.read(&roots, |example| {
            let positive = example.positive().map(|best| best.document.clone());
            let query = example.query;
            if let Some(positive) = positive
                && seen.insert((query.id.clone(), positive.id.clone()))
            {
                let texts = relevant.entry(query.text.clone()).or_default();
                texts.insert(positive.text.clone());
                pairs.push((query, positive));
            }
            ControlFlow::Continue(())
        })?;
        tell_empty_negatives(&documents, host);
        Ok(Self {
            pairs,
            documents,
            has_ids: source.has_ids(),
            relevant,
        })
    }

    /// Tells whether a document is known to be relevant to a query.
    pub(super) fn is_relevant(&self, query: &Text, document: &str) -> bool {
        let texts = self.relevant.get(&query.text);
        let document = self.documents.get(document);
        texts
            .zip(document)
            .is_some_and(|(texts, document)| texts.contains(&document.text))
    }
}

/// Reads the one `[[relevance]]` table of a file, which may have other tables.
///
/// # Errors
/// If the file cannot be read, or has another number of such tables.
pub fn source_of_file(path: &Path) -> anyhow::Result<RelevanceSource> {
    source(path).with_context(|| path.display().to_string())
}

fn source(path: &Path) -> anyhow::Result<RelevanceSource> {
    #[derive(Deserialize)]
    struct Specification {
        relevance: Vec<RelevanceSource>,
    }
    let specification: Specification = toml::from_str(&optical_files::text::read(path)?)?;
    let mut sources = specification.relevance;
    ensure!(
        sources.len() == 1,
        "{} [[relevance]] tables, expected 1: a file of negatives belongs to one collection",
        sources.len()
    );
    Ok(sources.remove(0))
}
