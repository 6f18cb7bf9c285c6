//! Development queries: what a student is judged by while it is trained.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use optical_corpus::collection::{Collection, Query};
use optical_encoder::{Head, Model};
use optical_retrieval::{ExactIndex, Options, Qrels, Run, evaluate};

use crate::experiment::Experiment;
use crate::experiment::index::document_indexes;
use crate::experiment::ranking::System;
use crate::experiment::scores::{MEASURES, judgements};
use crate::experiment::space::{Space, Teacher};

/// Queries of the low-resource languages with their judgements, and an index.
pub struct Development<'a> {
    experiment: &'a Experiment,
    head: &'a Head,
    index: ExactIndex,
    languages: BTreeMap<String, (Vec<Query>, Qrels)>,
}

impl<'a> Development<'a> {
    /// Indexes the documents of the run file's `[development]`; `None` without one.
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
        let documents = &collection.documents;
        let Space { teacher, head, .. } = space;
        let Teacher { model, key, .. } = teacher;
        let mut indexes = document_indexes(experiment, model, key, &[head], documents)?;
        Ok(Some(Self {
            experiment,
            head,
            index: indexes.remove(0).index,
            languages,
        }))
    }

    /// MAP of a student, in the mean over the languages.
    pub fn mean_average_precision(&self, student: &Model) -> anyhow::Result<f64> {
        let map = MEASURES[0].parse()?;
        let options = Options {
            complete_topics: true,
            ..Options::default()
        };
        let system = System::LateInteraction {
            model: student,
            head: self.head,
            index: &self.index,
        };
        let mut sum = 0.0;
        for (queries, qrels) in self.languages.values() {
            let queries: Vec<&Query> = queries.iter().collect();
            let Experiment { run, device, .. } = self.experiment;
            let hits = system.rank(&queries, &run.retrieval, device)?;
            let mut ranking = Run::new("development");
            for (query, hits) in queries.iter().zip(hits) {
                ranking.insert(&query.id, hits)?;
            }
            let evaluation = evaluate(qrels, &ranking, &[map], &options);
            sum += evaluation.aggregate(map).unwrap_or_default();
        }
        Ok(sum / self.languages.len() as f64)
    }
}
