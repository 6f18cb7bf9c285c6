//! Mined negatives as a file, which appears when it is whole.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use optical_corpus::relevance::Text;
use optical_files::lock::Lock;
use optical_files::whole::{self, WholeFile};
use optical_retrieval::Hit;
use serde_json::{Map, Value, json};

use crate::questions::Questions;

/// A file of negatives that is being written.
pub(super) struct Output {
    writer: WholeFile,
    /// Nobody else writes this file.
    _lock: Lock,
    ids: bool,
    scores: bool,
}

impl Output {
    /// Lists of ids if `ids`, otherwise objects of texts; with scores or without. Makes the file's
    /// folder.
    pub(super) fn create(path: &Path, ids: bool, scores: bool) -> anyhow::Result<Self> {
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        let writer = WholeFile::create(path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let lock = path.with_file_name(format!(".{name}.lock"));
        let lock = Lock::acquire(&lock).map_err(std::io::Error::from)?;
        whole::sweep_beside(path);
        Ok(Self {
            writer,
            _lock: lock,
            ids,
            scores,
        })
    }

    pub(super) fn write(
        &mut self,
        query: &Text,
        positive: (&Text, f32),
        negatives: &[Hit],
        questions: &Questions,
    ) -> anyhow::Result<()> {
        let line = if self.ids {
            self.list(query, positive, negatives)
        } else {
            self.object(query, positive, negatives, questions)?
        };
        writeln!(self.writer, "{line}")?;
        Ok(())
    }

    /// `[query, relevant, negative, …]`, each document with its score if asked for.
    fn list(&self, query: &Text, (positive, score): (&Text, f32), negatives: &[Hit]) -> Value {
        let negatives = negatives.iter().map(|hit| (&*hit.id, hit.score));
        let documents = std::iter::once((&*positive.id, score)).chain(negatives);
        let document = |(document, score): (&str, f32)| match self.scores {
            true => json!([id(document), number(score)]),
            false => id(document),
        };
        let documents = documents.map(document);
        std::iter::once(id(&query.id)).chain(documents).collect()
    }

    /// `{"query", "positive", "negative_1", …}`, with a list `"score"` if asked for.
    fn object(
        &self,
        query: &Text,
        (positive, score): (&Text, f32),
        negatives: &[Hit],
        questions: &Questions,
    ) -> anyhow::Result<Value> {
        let mut object = Map::new();
        object.insert("query".into(), json!(*query.text));
        object.insert("positive".into(), json!(*positive.text));
        for (number, hit) in (1..).zip(negatives) {
            let document = questions.documents.get(&hit.id);
            let document = document.with_context(|| format!("there is no document {}", hit.id))?;
            object.insert(format!("negative_{number}"), json!(*document.text));
        }
        if self.scores {
            let negatives = negatives.iter().map(|hit| hit.score);
            let scores: Vec<Value> = std::iter::once(score)
                .chain(negatives)
                .map(number)
                .collect();
            object.insert("score".into(), scores.into());
        }
        Ok(Value::Object(object))
    }

    /// Moves the file to its place.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        Ok(self.writer.finish()?)
    }
}

/// An id as it is written in MS MARCO's and ColBERT's own files: a number where it is one.
fn id(id: &str) -> Value {
    match id.parse::<u64>() {
        Ok(number) if number.to_string() == id => number.into(),
        _ => id.into(),
    }
}

/// A score in as many digits as tell it from other single-precision numbers.
fn number(score: f32) -> Value {
    json!(score.to_string().parse().unwrap_or(f64::from(score)))
}
