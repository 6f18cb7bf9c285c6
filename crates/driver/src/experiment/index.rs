//! Document indexes: encoded once by the teacher, kept in the cache for every later run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use burn::tensor::Device;
use optical_corpus::collection::Document;
use optical_encoder::{EncodeSettings, Head, Model};
use optical_retrieval::{ExactIndex, Index};
use sha2::{Digest, Sha256};

use crate::experiment::Experiment;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::run_file::DocumentReader;

/// Heads whose indexes are made in one pass over the documents; all of them are in memory at once.
const HEADS_TOGETHER: usize = 8;

/// Returns the index of `documents` behind each of `heads`, from the cache where it is there.
pub fn document_indexes(
    experiment: &Experiment,
    teacher: &Model,
    teacher_folder: &Path,
    heads: &[&Head],
    documents: &[Document],
) -> anyhow::Result<Vec<ExactIndex>> {
    load(&index_documents(
        experiment,
        teacher,
        teacher_folder,
        heads,
        documents,
    )?)
}

/// Makes the indexes of `documents` behind each of `heads` that the cache lacks; returns the files.
pub fn index_documents(
    experiment: &Experiment,
    teacher: &Model,
    teacher_folder: &Path,
    heads: &[&Head],
    documents: &[Document],
) -> anyhow::Result<Vec<PathBuf>> {
    let texts: Vec<String> = documents.iter().map(Document::full_text).collect();
    let documents: Vec<(&str, &str)> = (documents.iter().zip(&texts))
        .map(|(document, text)| (document.id.as_str(), text.as_str()))
        .collect();
    let indexing = Indexing {
        cache: &experiment.cache,
        device: &experiment.device,
        interrupt: &experiment.interrupt,
        encode: experiment.run.retrieval.documents(),
    };
    indexing.files(teacher, teacher_folder, heads, &documents)
}

/// The index of `documents` as a student of the experiment reads them; `None` where the run file
/// leaves them to the teacher.
pub fn own_index(
    experiment: &Experiment,
    student: &Model,
    student_folder: &Path,
    documents: &[Document],
) -> anyhow::Result<Option<ExactIndex>> {
    if experiment.run.retrieval.documents == DocumentReader::Teacher {
        return Ok(None);
    }
    let head = student.head_or_identity();
    let indexes = document_indexes(experiment, student, student_folder, &[&head], documents)?;
    Ok(indexes.into_iter().next())
}

/// How documents are encoded, and where their vectors are kept.
#[derive(Debug, Clone, Copy)]
pub struct Indexing<'a> {
    /// Where indexes lie.
    pub cache: &'a Path,
    /// Where tensors are computed.
    pub device: &'a Device,
    /// Whether somebody asked to stop.
    pub interrupt: &'a Interrupt,
    /// How texts are cut and batched.
    pub encode: EncodeSettings,
}

impl Indexing<'_> {
    /// The index of `documents`, each an id and a text, behind each of `heads`; from the cache where
    /// it is there.
    pub fn indexes(
        &self,
        model: &Model,
        model_folder: &Path,
        heads: &[&Head],
        documents: &[(&str, &str)],
    ) -> anyhow::Result<Vec<ExactIndex>> {
        load(&self.files(model, model_folder, heads, documents)?)
    }

    /// Makes the indexes that are not in the cache; returns where each of them is.
    fn files(
        &self,
        model: &Model,
        model_folder: &Path,
        heads: &[&Head],
        documents: &[(&str, &str)],
    ) -> anyhow::Result<Vec<PathBuf>> {
        let base = fingerprint(model_folder, documents, self.encode.maximum_length)?;
        let paths: Vec<_> = heads
            .iter()
            .map(|head| path(self.cache, &base, head))
            .collect();
        let missing: BTreeMap<&Path, &Head> = (paths.iter().map(PathBuf::as_path))
            .zip(heads.iter().copied())
            .filter(|(path, _)| !path.is_file())
            .collect();
        let missing: Vec<_> = missing.into_iter().collect();
        for together in missing.chunks(HEADS_TOGETHER) {
            self.encode(model, together, documents)?;
        }
        Ok(paths)
    }

    /// Reads the documents once, and writes an index for each head.
    fn encode(
        &self,
        model: &Model,
        heads: &[(&Path, &Head)],
        documents: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        let (paths, heads): (Vec<&Path>, Vec<&Head>) = heads.iter().copied().unzip();
        let empty = heads.iter().map(|head| ExactIndex::new(head.output));
        let mut indexes = empty.collect::<Result<Vec<_>, _>>()?;
        let texts: Vec<&str> = documents.iter().map(|(_, text)| *text).collect();
        let mut progress = Progress::new("encode documents", 0, documents.len() as u64);
        let mut done = 0;
        model.encode(&texts, &heads, self.encode, self.device, |text| {
            // In the order in which they come: no search depends on it.
            let vectors = text.vectors.iter().filter(|vectors| !vectors.is_empty());
            // A document without tokens has no vector, and is never found.
            for (index, vectors) in indexes.iter_mut().zip(vectors) {
                index.add(documents[text.index].0, vectors)?;
            }
            done += 1;
            progress.at(done, "");
            self.interrupt.check()
        })?;
        std::fs::create_dir_all(self.cache.join("indexes"))?;
        for (index, path) in indexes.iter().zip(paths) {
            index.save(path)?;
        }
        Ok(())
    }
}

fn load(paths: &[PathBuf]) -> anyhow::Result<Vec<ExactIndex>> {
    let load = |path: &PathBuf| {
        ExactIndex::load(path)
            .with_context(|| format!("delete {} to build it again", path.display()))
    };
    paths.iter().map(load).collect()
}

/// A hash of all that document vectors depend on but the head.
fn fingerprint(
    model: &Path,
    documents: &[(&str, &str)],
    maximum_length: usize,
) -> anyhow::Result<Sha256> {
    let mut hash = Sha256::new();
    for name in ["config.json", "tokenizer.json"] {
        let path = model.join(name);
        hash.update(std::fs::read(&path).with_context(|| path.display().to_string())?);
    }
    for path in weights(model).with_context(|| model.display().to_string())? {
        hash.update(std::fs::read(&path).with_context(|| path.display().to_string())?);
    }
    hash.update(maximum_length.to_le_bytes());
    for (id, text) in documents {
        for part in [id, text] {
            hash.update(part.len().to_le_bytes());
            hash.update(part.as_bytes());
        }
    }
    Ok(hash)
}

/// The files of weights of a Hugging Face folder: one, or shards.
fn weights(model: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(model)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("safetensors" | "bin")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn path(cache: &Path, base: &Sha256, head: &Head) -> PathBuf {
    let mut hash = base.clone();
    for value in head.weight.iter().chain(&head.bias) {
        hash.update(value.to_le_bytes());
    }
    let digest = hash.finalize();
    let name: String = digest
        .iter()
        .take(12)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    cache.join("indexes").join(format!("{name}.index"))
}
