//! WikiQuestions: questions in many languages, English Wikipedia passages, human judgements.
//!
//! A folder of `docs.jsonl` (objects with `id`, `title`, `text`), `queries.SPLIT.tsv` (id,
//! language, split, question, its English version) and `qrels.SPLIT.txt` (TREC judgements). The
//! layout is open to any collection: the English version may be absent, and languages that ask the
//! same questions may give them the same ids.

pub(crate) mod queries;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use self::queries::read_queries;
use super::files::Names;
use super::judgements::{Asked, Judgements};
use super::tables::{Kind, Layout, Table, distinct};
use crate::bitext::records::DataRoots;
use crate::collection::records::Collection;
use crate::error::CorpusError;

/// Splits of WikiQuestions, as named in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WikiQuestions {
    /// The folder of `docs.jsonl`.
    pub folder: PathBuf,
    /// The split to read, such as `dev` or `test`, or a list of splits that are read as one.
    pub split: Names,
    /// The languages of the questions to read, by their ISO 639-3 codes.
    pub languages: Vec<String>,
}

impl WikiQuestions {
    pub(crate) fn read(&self, roots: &DataRoots) -> Result<Collection, CorpusError> {
        if self.languages.is_empty() {
            return Err(CorpusError::EmptyList("languages"));
        }
        let splits = self.split.list("split")?;
        let documents = distinct([self.documents(roots)?])?;
        let folder = roots.resolve(&self.folder);
        let (mut rows, mut judgements) = (Vec::new(), Judgements::of(&documents));
        let mut path = folder.clone();
        for split in splits {
            path = folder.join(format!("queries.{split}.tsv"));
            let first = rows.len();
            read_queries(&path, Some(split), &mut rows)?;
            let asked = rows[first..].iter();
            let asked = asked.map(|row| (&*row.id, self.languages.contains(&row.language)));
            let qrels = folder.join(format!("qrels.{split}.txt"));
            judgements.read(&qrels, &Asked::new(asked))?;
        }
        let (queries, english) = queries::of_languages(&rows, &self.languages, &path)?;
        let judged = judgements.collection();
        Ok(Collection {
            documents,
            queries,
            english,
            ..judged
        })
    }

    /// Opens the table of documents.
    pub(crate) fn documents(&self, roots: &DataRoots) -> Result<Table, CorpusError> {
        let path = roots.resolve(&self.folder).join("docs.jsonl");
        Table::open(&path, Kind::Documents, Some(Layout::Json))
    }
}

#[cfg(test)]
mod tests;
