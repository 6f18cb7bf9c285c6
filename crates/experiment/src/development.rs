//! Development queries: what a student is judged by while it is trained.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use optical_corpus::collection::{Collection, Query};
use optical_encoder::{Head, Model};
use optical_evaluation::{System, judgements, measure};
use optical_retrieval::{Index, Qrels, Run};

use crate::{Experiment, Space};

/// Queries of the low-resource languages with their judgements, and an index.
pub struct Development<'a> {
    experiment: &'a Experiment,
    head: &'a Head,
    index: Box<dyn Index>,
    languages: BTreeMap<String, (Vec<Query>, Qrels)>,
}

impl<'a> Development<'a> {
    /// Indexes the documents of the run file's `[development]`; `None` without one.
    ///
    /// # Errors
    /// If a low-resource language has no queries, or the documents cannot be indexed.
    pub fn prepare(
        experiment: &'a Experiment,
        space: &'a Space,
        collection: Option<&Collection>,
    ) -> anyhow::Result<Option<Self>> {
        let run = &experiment.run;
        let Some(collection) = collection else {
            return Ok(None);
        };
        let mut languages = BTreeMap::new();
        for language in &run.languages.low {
            let queries = collection.queries.get(language);
            let queries = queries.filter(|queries| !queries.is_empty());
            let queries = queries.with_context(|| {
                format!("[development] has no queries in {language}, a language of languages.low")
            })?;
            let qrels = judgements(collection, queries)?;
            languages.insert(language.clone(), (queries.clone(), qrels));
        }
        ensure!(!languages.is_empty(), "[development]: no language");
        let Space { teacher, head, .. } = space;
        let mut indexes = experiment.indexes(teacher, &[head], &collection.documents)?;
        Ok(Some(Self {
            experiment,
            head,
            index: indexes.remove(0).index,
            languages,
        }))
    }

    /// Returns the first measure of a student, in the mean over the languages.
    ///
    /// # Errors
    /// If the queries cannot be ranked.
    pub fn judge(&self, student: &Model) -> anyhow::Result<f64> {
        let first = &self.experiment.measures()[..1];
        // What a student of its own has is its projection.
        let own = self.experiment.run.student.is_some();
        let own = own.then(|| {
            student
                .clone()
                .with_head_after(self.head)
                .head_or_identity()
        });
        let unshifted = BTreeMap::new();
        let system = System::LateInteraction {
            model: student,
            head: own.as_ref().unwrap_or(self.head),
            shifted: &unshifted,
            index: &*self.index,
        };
        let mut sum = 0.0;
        for (queries, qrels) in self.languages.values() {
            let queries: Vec<&Query> = queries.iter().collect();
            let Experiment { run, .. } = self.experiment;
            let hits = system.rank(&queries, &run.retrieval, self.experiment.device())?;
            let mut ranking = Run::new("development");
            for (query, hits) in queries.iter().zip(hits) {
                ranking.insert(&query.id, hits)?;
            }
            let evaluation = measure(qrels, &ranking, first);
            sum += evaluation.aggregate(first[0]).unwrap_or_default();
        }
        Ok(sum / self.languages.len() as f64)
    }
}
