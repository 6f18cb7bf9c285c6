//! A run file with the place where it is run.

use std::path::Path;

use anyhow::Context;
use burn::tensor::Device;
use optical_corpus::collection::{Collection, Document};
use optical_encoder::Head;
use optical_evaluation::{DocumentReader, Evaluator, Queries};
use optical_retrieval::Measure;
use optical_store::{Host, Indexing, KeptIndex, Reader};

use crate::{Inputs, RunFile, RunFolder, Site};

/// What every stage of a run looks at.
#[derive(Debug)]
pub struct Experiment {
    /// What to do.
    pub run: RunFile,
    /// Where results are kept.
    pub folder: RunFolder,
    /// Where to do it.
    pub site: Site,
    /// Whether document vectors that another kind of device has made are good enough.
    pub any_device: bool,
    measures: Vec<Measure>,
}

impl Experiment {
    /// Makes the experiment of a run file in the folder `path`; nothing is written yet.
    ///
    /// # Errors
    /// If the folder belongs to another version of the run file.
    pub fn new(run: RunFile, path: &Path, site: &Site) -> anyhow::Result<Self> {
        let folder = RunFolder::of(path, run.text())?;
        Self::within(run, folder, site)
    }

    /// Opens a run that has been made, to ask it questions: vectors of any device serve.
    ///
    /// # Errors
    /// If `path` is not a run folder.
    pub fn existing(path: &Path, site: &Site) -> anyhow::Result<Self> {
        let folder = RunFolder::existing(path)?;
        let run = RunFile::load(&folder.run_file())?;
        let mut experiment = Self::within(run, folder, site)?;
        experiment.any_device = true;
        Ok(experiment)
    }

    fn within(run: RunFile, folder: RunFolder, site: &Site) -> anyhow::Result<Self> {
        Ok(Self {
            measures: run.measured()?,
            run,
            folder,
            site: site.clone(),
            any_device: false,
        })
    }

    /// Returns where tensors are computed.
    pub fn device(&self) -> &Device {
        self.site.device()
    }

    /// Returns whoever hears of it.
    pub fn host(&self) -> &Host {
        &self.site.store.host
    }

    /// Returns what is measured; the first measure is tested.
    pub fn measures(&self) -> &[Measure] {
        &self.measures
    }

    /// Returns the measure that is tested and drawn.
    pub fn first_measure(&self) -> Measure {
        self.measures[0]
    }

    /// Returns the queries of the run file's languages.
    pub fn asked(&self, all: &Queries) -> Queries {
        let languages = self.run.classes().into_iter();
        languages
            .filter_map(|(language, _)| Some((language.clone(), all.get(&language)?.clone())))
            .collect()
    }

    /// Returns what ranks and measures in the run folder.
    pub fn evaluator(&self) -> Evaluator<'_> {
        Evaluator {
            folder: self.folder.path(),
            settings: &self.run.retrieval,
            measures: &self.measures,
            device: self.device(),
            host: self.host(),
        }
    }

    /// Loads the run file's model.
    ///
    /// # Errors
    /// If it cannot be had, cannot be distilled from, or reads fewer tokens than the run file asks for.
    pub fn teacher(&self) -> anyhow::Result<Reader> {
        let run = &self.run;
        let reader = self.site.store.reader(&run.model, self.device())?;
        let model = &reader.model;
        // Before the bitext is tokenized and the documents are encoded.
        run.distill.check_model(&model.config)?;
        for (key, length) in [
            ("retrieval.query_length", run.retrieval.query_length),
            ("retrieval.document_length", run.retrieval.document_length),
        ] {
            model
                .check_length(length)
                .with_context(|| format!("{key} = {length}"))?;
        }
        Ok(reader)
    }

    /// Loads the run file's model, if it is the one that the run was made with.
    ///
    /// # Errors
    /// As [`teacher`](Self::teacher), and if the model has changed.
    pub fn checked_teacher(&self) -> anyhow::Result<Reader> {
        let teacher = self.teacher()?;
        let inputs = Inputs::default().with_model(&teacher.key);
        inputs.check(&self.folder)?;
        Ok(teacher)
    }

    /// Returns the indexes of documents after each of some heads, from the cache where they are there.
    ///
    /// # Errors
    /// If the device fails, the cache cannot be written, or somebody stops it.
    pub fn indexes(
        &self,
        reader: &Reader,
        heads: &[&Head],
        documents: &[Document],
    ) -> anyhow::Result<Vec<KeptIndex>> {
        with_texts(documents, |documents| {
            let Reader { model, key, .. } = reader;
            self.indexing().indexes(model, key, heads, documents)
        })
    }

    /// Makes the indexes of documents that the cache lacks, after each of some heads.
    ///
    /// # Errors
    /// As [`indexes`](Self::indexes).
    pub fn make_indexes(
        &self,
        reader: &Reader,
        heads: &[&Head],
        documents: &[Document],
    ) -> anyhow::Result<()> {
        with_texts(documents, |documents| {
            let Reader { model, key, .. } = reader;
            self.indexing().files(model, key, heads, documents)?;
            Ok(())
        })
    }

    /// Returns the index of a collection as a student reads it; `None` where the run file leaves
    /// documents to the teacher.
    ///
    /// # Errors
    /// As [`indexes`](Self::indexes).
    pub fn own_index(
        &self,
        student: &Reader,
        collection: &Collection,
    ) -> anyhow::Result<Option<KeptIndex>> {
        if self.run.retrieval.documents == DocumentReader::Teacher {
            return Ok(None);
        }
        let indexes = self.indexes(student, &[&student.head], &collection.documents)?;
        Ok(indexes.into_iter().next())
    }

    fn indexing(&self) -> Indexing<'_> {
        Indexing {
            store: &self.site.store,
            device: self.device(),
            any_device: self.any_device,
            encode: self.run.retrieval.documents(),
        }
    }

    /// Returns the head that the run was made with: the teacher's own, or the one in the run folder.
    ///
    /// # Errors
    /// If it is not there, or damaged.
    pub fn kept_head(&self, teacher: &Reader) -> anyhow::Result<Head> {
        if let Some(head) = &teacher.model.head {
            return Ok(head.clone());
        }
        let file = self.folder.head();
        let head = Head::load(&file, teacher.model.config.hidden_size)?;
        head.with_context(|| format!("{} is not there", file.display()))
    }

    /// Returns the head that a student's documents are after: its own where it began as the teacher's copy,
    /// which has it too.
    ///
    /// # Errors
    /// If a student of its own is not where the run's head is.
    pub fn head_of_documents(&self, teacher: &Reader, student: &Reader) -> anyhow::Result<Head> {
        match &self.run.student {
            None => Ok(student.head.clone()),
            Some(_) => self.kept_head(teacher),
        }
    }

    /// Loads the student of a repetition, counted from zero; `None` where there is none yet.
    ///
    /// # Errors
    /// If its files do not fit together.
    pub fn student(&self, repetition: usize) -> anyhow::Result<Option<Reader>> {
        let folder = self.folder.existing_repetition(repetition);
        match folder.has_student() {
            true => Ok(Some(Reader::load(&folder.student(), self.device())?)),
            false => Ok(None),
        }
    }
}

/// Calls `use_them` with the ids and texts of documents.
fn with_texts<T>(documents: &[Document], use_them: impl FnOnce(&[(&str, &str)]) -> T) -> T {
    let texts: Vec<String> = documents.iter().map(Document::full_text).collect();
    let documents = documents.iter().zip(&texts);
    let documents: Vec<(&str, &str)> = documents
        .map(|(document, text)| (document.id.as_str(), text.as_str()))
        .collect();
    use_them(&documents)
}
