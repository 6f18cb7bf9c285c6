//! Document indexes: encoded once by the teacher, kept in the cache for every later run.

use std::path::{Path, PathBuf};

use anyhow::Context;
use optical_corpus::collection::Document;
use optical_encoder::{EncodeSettings, Head, Model};
use optical_retrieval::{ExactIndex, Index};
use optical_tokenize::Role;
use sha2::{Digest, Sha256};

use crate::experiment::Experiment;
use crate::progress::Progress;
use crate::run_file::RetrievalSettings;

/// Returns the index of `documents` behind each of `heads`, from the cache where it is there.
pub fn document_indexes(
    experiment: &Experiment,
    teacher: &Model,
    teacher_folder: &Path,
    heads: &[&Head],
    documents: &[Document],
) -> anyhow::Result<Vec<ExactIndex>> {
    let Experiment { run, cache, .. } = experiment;
    let settings = &run.retrieval;
    let texts: Vec<String> = documents.iter().map(Document::full_text).collect();
    let base = fingerprint(teacher_folder, documents, &texts, settings)?;
    let paths: Vec<_> = heads.iter().map(|head| path(cache, &base, head)).collect();
    if paths.iter().all(|path| path.is_file()) {
        return paths
            .iter()
            .map(|path| {
                ExactIndex::load(path)
                    .with_context(|| format!("delete {} to build it again", path.display()))
            })
            .collect();
    }
    let mut vectors: Vec<Vec<Vec<f32>>> = vec![vec![Vec::new(); documents.len()]; heads.len()];
    let encode = EncodeSettings {
        role: Role::Document,
        maximum_length: settings.document_length,
        tokens_per_batch: settings.tokens_per_batch,
    };
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut progress = Progress::new("encode documents", 0, documents.len() as u64);
    let mut done = 0;
    teacher.encode(&texts, heads, encode, &experiment.device, |text| {
        for (per_head, block) in vectors.iter_mut().zip(text.vectors) {
            per_head[text.index].clone_from(block);
        }
        done += 1;
        progress.at(done, "");
        experiment.interrupt.check()
    })?;
    let mut indexes = Vec::with_capacity(heads.len());
    for ((path, head), per_head) in paths.iter().zip(heads).zip(vectors) {
        let mut index = ExactIndex::new(head.output)?;
        for (document, vectors) in documents.iter().zip(per_head) {
            index.add(&document.id, &vectors)?;
        }
        std::fs::create_dir_all(cache.join("indexes"))?;
        index.save(path)?;
        indexes.push(index);
    }
    Ok(indexes)
}

/// A hash of all that document vectors depend on but the head.
fn fingerprint(
    teacher: &Path,
    documents: &[Document],
    texts: &[String],
    settings: &RetrievalSettings,
) -> anyhow::Result<Sha256> {
    let mut hash = Sha256::new();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let path = teacher.join(name);
        let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
        hash.update(&bytes);
    }
    hash.update(settings.document_length.to_le_bytes());
    for (document, text) in documents.iter().zip(texts) {
        for part in [&document.id, text] {
            hash.update(part.len().to_le_bytes());
            hash.update(part.as_bytes());
        }
    }
    Ok(hash)
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
