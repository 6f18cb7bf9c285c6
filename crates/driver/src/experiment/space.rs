//! The frozen space of a run: the teacher, the head behind it, and the documents as it reads them.

use std::path::{Path, PathBuf};

use anyhow::Context;
use optical_corpus::collection::Collection;
use optical_encoder::{Head, Model};
use optical_retrieval::ExactIndex;

use crate::experiment::Experiment;
use crate::experiment::index::{document_indexes, index_documents, own_index};
use crate::experiment::lexical::Lexical;
use crate::experiment::ranking::{Asked, System};
use crate::experiment::scores::{Evaluations, evaluate_systems};
use crate::model_source;

/// The encoder that everything starts from.
#[derive(Debug, Clone)]
pub struct Teacher {
    /// Its Hugging Face folder.
    pub folder: PathBuf,
    /// What is in it.
    pub model: Model,
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
        Ok(Self { folder, model })
    }
}

/// Where queries are put and documents lie.
pub struct Space {
    /// Reads the documents, and is what students start from.
    pub teacher: Teacher,
    /// Stands behind teacher and students.
    pub head: Head,
    /// The documents behind the head.
    pub index: ExactIndex,
    raw: Head,
    raw_index: ExactIndex,
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
        let Teacher { folder, model } = &teacher;
        let heads = [&head, &raw];
        let documents = &collection.documents;
        let mut indexes = document_indexes(experiment, model, folder, &heads, documents)?;
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
        let Teacher { folder, model } = teacher;
        index_documents(experiment, model, folder, &heads, &collection.documents)?;
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
        let model = &self.teacher.model;
        let asked = |name, head, index, queries| Asked {
            name,
            system: System::LateInteraction { model, head, index },
            queries,
        };
        let mut systems = lexical.systems(&queries, &english);
        systems.extend([
            asked("zero-shot-raw", &self.raw, &self.raw_index, &queries),
            asked("zero-shot", &self.head, &self.index, &queries),
            asked("english", &self.head, &self.index, &english),
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
        let own = own_index(experiment, student, student_folder, documents)?;
        let queries = experiment.asked(&collection.queries);
        let asked = [Asked {
            name,
            system: System::LateInteraction {
                model: student,
                head: &self.head,
                index: own.as_ref().unwrap_or(&self.index),
            },
            queries: &queries,
        }];
        evaluate_systems(experiment, collection, &asked)
    }
}
