//! The frozen space of a run: the teacher, the head behind it, and the documents as it reads them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use optical_corpus::collection::{Collection, Query};
use optical_encoder::{Head, Model};

use crate::experiment::Experiment;
use crate::experiment::index::{KeptIndex, document_indexes, index_documents, own_index};
use crate::experiment::lexical::Lexical;
use crate::experiment::ranking::{Asked, System};
use crate::experiment::scores::{Evaluations, evaluate_systems};
use crate::key::{self, Key};
use crate::model_source;

/// The encoder that everything starts from.
#[derive(Debug, Clone)]
pub struct Teacher {
    /// What is in its Hugging Face folder.
    pub model: Model,
    /// A hash of that.
    pub key: String,
}

impl Teacher {
    /// Loads the run file's model.
    pub fn load(experiment: &Experiment, offline: bool) -> anyhow::Result<Self> {
        let name = &experiment.run.model;
        let folder = model_source::folder(name, &experiment.cache, offline)?;
        let model =
            Model::load(&folder, &experiment.device).with_context(|| format!("model {name}"))?;
        model_source::say_left_out(name, &model);
        // Before the bitext is tokenized and the documents are encoded.
        experiment.run.distill.check_teacher(&model.config)?;
        let retrieval = &experiment.run.retrieval;
        for (key, length) in [
            ("retrieval.query_length", retrieval.query_length),
            ("retrieval.document_length", retrieval.document_length),
        ] {
            model
                .check_length(length)
                .with_context(|| format!("{key} = {length}"))?;
        }
        let key = key::of_model(&folder)?;
        Ok(Self { model, key })
    }
}

/// The systems that need an encoder and are not trained.
pub const DENSE: [&str; 3] = ["zero-shot-raw", "zero-shot", "english"];

/// Where queries are put and documents lie.
pub struct Space {
    /// Reads the documents, and is what students start from.
    pub teacher: Teacher,
    /// Stands behind teacher and students.
    pub head: Head,
    /// The documents behind the head.
    pub index: KeptIndex,
    raw: Head,
    raw_index: KeptIndex,
}

impl Space {
    /// Indexes a collection's documents, behind the head and without it.
    pub fn open(
        experiment: &Experiment,
        teacher: Teacher,
        head: Head,
        collection: &Collection,
    ) -> anyhow::Result<Self> {
        let raw = Head::identity(teacher.model.config.hidden_size);
        let Teacher { model, key } = &teacher;
        let heads = [&head, &raw];
        let documents = &collection.documents;
        let mut indexes = document_indexes(experiment, model, key, &heads, documents)?;
        let raw_index = indexes.remove(1);
        Ok(Self {
            index: indexes.remove(0),
            teacher,
            head,
            raw,
            raw_index,
        })
    }

    /// Reads a collection's documents once for several heads, and for none: where [`Space::open`] is
    /// given one of them, it finds its indexes in the cache.
    pub fn prepare(
        experiment: &Experiment,
        teacher: &Teacher,
        heads: &[Head],
        collection: &Collection,
    ) -> anyhow::Result<()> {
        let raw = Head::identity(teacher.model.config.hidden_size);
        let heads: Vec<&Head> = heads.iter().chain([&raw]).collect();
        let Teacher { model, key } = teacher;
        index_documents(experiment, model, key, &heads, &collection.documents)?;
        Ok(())
    }

    /// Ranks a collection's queries by all systems that are not trained, and measures the rankings.
    pub fn evaluate_untrained(
        &self,
        experiment: &Experiment,
        collection: &Collection,
        lexical: &Lexical<'_>,
    ) -> anyhow::Result<Evaluations> {
        let queries = experiment.asked(&collection.queries);
        let english = experiment.asked(&collection.english);
        let Teacher { model, key } = &self.teacher;
        let (raw, behind) = ((&self.raw, &self.raw_index), (&self.head, &self.index));
        let mut systems = lexical.systems(&queries, &english);
        systems.extend([
            late_interaction(DENSE[0], (model, key.as_str()), raw, &queries),
            late_interaction(DENSE[1], (model, key.as_str()), behind, &queries),
            late_interaction(DENSE[2], (model, key.as_str()), behind, &english),
        ]);
        evaluate_systems(experiment, collection, &systems)
    }

    /// Ranks a collection's queries by the student of a repetition, as the system `name`, and measures
    /// the rankings.
    pub fn evaluate(
        &self,
        experiment: &Experiment,
        collection: &Collection,
        name: &str,
        student: &Model,
        student_folder: &Path,
    ) -> anyhow::Result<Evaluations> {
        let documents = &collection.documents;
        let key = key::of_model(student_folder)?;
        let own = own_index(experiment, student, &key, documents)?;
        let queries = experiment.asked(&collection.queries);
        let index = own.as_ref().unwrap_or(&self.index);
        let behind = (&self.head, index);
        let asked = [late_interaction(name, (student, &key), behind, &queries)];
        evaluate_systems(experiment, collection, &asked)
    }
}

/// A model that reads queries, with its key, and an index behind a head.
fn late_interaction<'a>(
    name: &'a str,
    (model, key): (&'a Model, &'a str),
    (head, index): (&'a Head, &'a KeptIndex),
    queries: &'a BTreeMap<String, Vec<Query>>,
) -> Asked<'a> {
    Asked {
        name,
        system: System::LateInteraction {
            model,
            head,
            index: &index.index,
        },
        key: Key::of("late interaction")
            .with(key)
            .with(&index.key)
            .text(),
        queries,
    }
}
