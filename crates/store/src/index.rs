//! Document indexes: encoded once, kept in the cache for every later run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use burn::tensor::Device;
use optical_encoder::{EncodeSettings, EncodedText, Head, Model, VectorFile};
use optical_files::whole;
use optical_retrieval::index::{check_document, open};
use optical_retrieval::{ExactIndex, Index};
use serde_json::Value;

use crate::Store;
use crate::key::Key;

/// Heads whose indexes are made in one pass over the documents, each with files of its own.
const HEADS_TOGETHER: usize = 8;

/// How much work a killed process may lose.
const COMMIT_EVERY: Duration = Duration::from_secs(30);

/// How long what was begun is kept for somebody to take it up again.
const ABANDONED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// An index, and what it follows from.
#[derive(Debug)]
pub struct KeptIndex {
    /// The documents.
    pub index: Box<dyn Index>,
    /// A hash of model, head, settings and documents.
    pub key: String,
}

/// How documents are encoded, and where their vectors are kept.
#[derive(Debug, Clone, Copy)]
pub struct Indexing<'a> {
    /// Where indexes are kept.
    pub store: &'a Store,
    /// Where tensors are computed.
    pub device: &'a Device,
    /// Whether vectors that another kind of device has made are good enough.
    pub any_device: bool,
    /// How texts are cut and batched.
    pub encode: EncodeSettings,
}

impl Indexing<'_> {
    /// Returns the indexes of `documents`, each an id and a text, after each of `heads`; from the cache
    /// where they are there.
    ///
    /// # Errors
    /// As [`files`](Self::files), and if an index that is there is damaged.
    pub fn indexes(
        &self,
        model: &Model,
        model_key: &str,
        heads: &[&Head],
        documents: &[(&str, &str)],
    ) -> anyhow::Result<Vec<KeptIndex>> {
        let files = self.files(model, model_key, heads, documents)?;
        files.iter().map(|file| load(file)).collect()
    }

    /// Makes the indexes that are not in the cache; returns where each of them is.
    ///
    /// # Errors
    /// If the device fails, the cache cannot be written, or somebody stops it.
    pub fn files(
        &self,
        model: &Model,
        model_key: &str,
        heads: &[&Head],
        documents: &[(&str, &str)],
    ) -> anyhow::Result<Vec<PathBuf>> {
        let base = self.key(model_key, documents);
        let folder = self.store.cache.join("indexes");
        let kind = device_kind(self.device);
        let of_device = |head: &Head| {
            let key = after(&base, head).text();
            folder.join(format!("{key}-{kind}.index"))
        };
        // To ask a question, vectors of another device serve as well.
        let of_any = |head: &Head| {
            let key = after(&base, head).text();
            let files = std::fs::read_dir(&folder).ok()?.flatten();
            let ours = |path: &PathBuf| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with(&key) && name.ends_with(".index")
            };
            files.map(|file| file.path()).find(ours)
        };
        let path = |head: &&Head| match (of_device(head), self.any_device) {
            (path, true) if !path.is_file() => of_any(head).unwrap_or(path),
            (path, _) => path,
        };
        let paths: Vec<PathBuf> = heads.iter().map(path).collect();
        let missing = || -> BTreeMap<&Path, &Head> {
            (paths.iter().map(PathBuf::as_path))
                .zip(heads.iter().copied())
                .filter(|(path, _)| !path.is_file())
                .collect()
        };
        if missing().is_empty() {
            return Ok(paths);
        }
        // Whoever reads the same documents by the same model may have made them in the meantime.
        let _lock = self.store.lock(&folder.join(base.text()))?;
        whole::sweep(&folder);
        sweep(&folder);
        let missing: Vec<_> = missing().into_iter().collect();
        for together in missing.chunks(HEADS_TOGETHER) {
            self.encode(model, together, documents)?;
        }
        Ok(paths)
    }

    /// A hash of all that document vectors depend on but the head.
    fn key(&self, model_key: &str, documents: &[(&str, &str)]) -> Key {
        let EncodeSettings {
            role,
            maximum_length,
            tokens_per_batch,
        } = self.encode;
        let mut key = Key::of("index")
            .with(model_key)
            .with(format!("{role:?} {maximum_length} {tokens_per_batch}"));
        for (id, text) in documents {
            key.add(id);
            key.add(text);
        }
        key
    }

    /// Reads the documents once, and writes an index for each head; a stop loses little.
    fn encode(
        &self,
        model: &Model,
        heads: &[(&Path, &Head)],
        documents: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        let open =
            |(path, head): &(&Path, &Head)| VectorFile::open(path, head.output, BTreeMap::new());
        let mut files: Vec<_> = heads.iter().map(open).collect::<Result<_, _>>()?;
        // Heads that came together were stopped together; else the shorter file catches up.
        let had: Vec<u64> = files.iter().map(VectorFile::texts).collect();
        let mut done = had.iter().copied().min().unwrap_or(0);
        let texts: Vec<&str> = documents.iter().map(|(_, text)| *text).collect();
        let host = &self.store.host;
        let progress = host.progress("encode documents", done, documents.len() as u64);
        let mut committed = Instant::now();
        let (paths, heads): (Vec<&Path>, Vec<&Head>) = heads.iter().copied().unzip();
        let first = usize::try_from(done)?;
        let receive = |text: EncodedText<'_>| {
            let id = documents[text.index].0;
            for ((file, had), (vectors, head)) in
                (files.iter_mut().zip(&had)).zip(text.vectors.iter().zip(&heads))
            {
                // What no index takes is told of now, not when all are encoded.
                if !vectors.is_empty() {
                    check_document(id, vectors, head.output)?;
                }
                if *had <= done {
                    file.push(id, vectors)?;
                }
            }
            done += 1;
            progress.at(done, "");
            if COMMIT_EVERY < committed.elapsed() {
                commit(&mut files)?;
                committed = Instant::now();
            }
            host.check()
        };
        let encoded = model.encode_after(first, &texts, &heads, self.encode, self.device, receive);
        if let Err(error) = encoded {
            // The first failure is the one worth reporting.
            let _ = commit(&mut files);
            return Err(error);
        }
        for ((mut file, path), head) in files.into_iter().zip(paths).zip(heads) {
            // In the order in which they came: no search depends on it.
            let mut index = ExactIndex::new(head.output)?;
            file.each(|id, vectors| match vectors {
                // A document without tokens has no vector, and is never found.
                [] => anyhow::Ok(()),
                vectors => Ok(index.add(id, vectors)?),
            })?;
            index.save(path)?;
            file.discard()?;
        }
        Ok(())
    }
}

/// Returns the name of a kind of device: those of one kind give the same numbers.
pub fn device_kind(device: &Device) -> String {
    let name = format!("{device:?}");
    if name.contains("Flex") {
        return "processor".to_owned();
    }
    let kind = name.chars().filter(char::is_ascii_alphabetic);
    kind.collect::<String>().to_lowercase()
}

fn commit(files: &mut [VectorFile]) -> anyhow::Result<()> {
    for file in files {
        file.commit(Value::Null)?;
    }
    Ok(())
}

fn load(path: &Path) -> anyhow::Result<KeptIndex> {
    let index =
        open(path).with_context(|| format!("delete {} to build it again", path.display()))?;
    let key = path.file_stem().unwrap_or_default();
    Ok(KeptIndex {
        index,
        key: key.to_string_lossy().into_owned(),
    })
}

/// Returns the key of an index after a head.
fn after(base: &Key, head: &Head) -> Key {
    let mut key = base.clone();
    for values in [&head.weight, &head.bias] {
        let bytes: Vec<u8> = values.iter().flat_map(|it| it.to_le_bytes()).collect();
        key.add(bytes);
    }
    key
}

/// Removes what was begun long ago and never taken up again; what cannot be removed is in nobody's way.
fn sweep(indexes: &Path) {
    for entry in std::fs::read_dir(indexes).into_iter().flatten().flatten() {
        let path = entry.path();
        let modified = path.metadata().and_then(|found| found.modified()).ok();
        let age = modified.and_then(|modified| modified.elapsed().ok());
        let begun = path.extension().is_some_and(|ending| ending == "partial");
        if begun && age.is_some_and(|age| ABANDONED < age) {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
