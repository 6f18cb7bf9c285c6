//! Collections in parts: documents, queries and judgements from sources that know nothing of each
//! other.
//!
//! ```toml
//! [collection]
//! format = "parts"
//! documents = { format = "tsv", file = "msmarco/collection.tsv.gz" }
//! queries = { format = "jsonl", file = "{language}/queries.jsonl", languages = ["swa", "yor"] }
//! judgements = { format = "trec", file = ["qrels.dev.txt", "qrels.test.txt"] }
//! ```
//!
//! Tables are [`super::tables`]; the texts of queries follow the same rules as those of documents.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::{Names, files_of, is_pattern, named};
use super::judgements::{Asked, Judgements};
use super::tables::{self, Kind, Layout, Table, distinct};
use super::wiki_questions::queries::{Queries, of_languages, read_queries};
use crate::bitext::records::DataRoots;
use crate::collection::records::{Collection, Document, Query};
use crate::error::CorpusError;
use crate::relevance::records::Texts;

/// The parts of a collection, as named in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parts {
    /// Where its documents are.
    pub documents: DocumentSource,
    /// Where its queries are.
    pub queries: QuerySource,
    /// Where its judgements are.
    pub judgements: JudgementSource,
}

/// Documents, by the key `format`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "kebab-case")]
pub enum DocumentSource {
    /// Tables of id, tab, text, and perhaps a title: MS MARCO's and ColBERT's.
    Tsv(Files),
    /// Files of one JSON object per line, with an id, a text, and perhaps a title: BEIR's, Pyserini's.
    Jsonl(Files),
}

/// Queries, by the key `format`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "kebab-case")]
pub enum QuerySource {
    /// A table of id, tab, text for each language.
    Tsv(QueryTable),
    /// A file of one JSON object per line, with an id and a text, for each language.
    Jsonl(QueryTable),
    /// Tables of id, language, split, text, and perhaps an English version.
    WikiQuestions(QuestionTable),
}

/// Judgements, by the key `format`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "kebab-case")]
pub enum JudgementSource {
    /// Files by the rule of [`optical_files::trec`]: TREC's four columns, or BEIR's three below
    /// their names. Each query has all its judgements in one file.
    Trec(Files),
}

/// Files that are read as one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// The file, or a list of files; of judgements, with `{language}` where each language of the
    /// queries has one.
    pub file: Names,
}

/// A file of queries for each language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryTable {
    /// The file, with `{language}` where files of several languages differ.
    pub file: String,
    /// The languages to read, by their ISO 639-3 codes.
    pub languages: Vec<String>,
    /// The human English versions, if there are any: a table with the same ids, and with
    /// `{language}` in its name where each language has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub english: Option<String>,
}

/// Files of questions in several languages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionTable {
    /// The file, or a list of files.
    pub file: Names,
    /// The languages to read, by their ISO 639-3 codes.
    pub languages: Vec<String>,
}

impl Parts {
    pub(crate) fn read(&self, roots: &DataRoots) -> Result<Collection, CorpusError> {
        let documents = distinct(self.documents.tables(roots)?)?;
        let (queries, english) = self.queries.read(roots)?;
        let asked = queries.values().flatten();
        let asked = Asked::new(asked.map(|query| (&*query.id, true)));
        let JudgementSource::Trec(Files { file }) = &self.judgements;
        let mut paths: Vec<PathBuf> = Vec::new();
        for name in file.list("judgements.file")? {
            match is_pattern(name) {
                true => paths.extend(queries.keys().map(|it| roots.named(&named(name, it)))),
                false => paths.push(roots.named(name)),
            }
        }
        let mut judgements = Judgements::of(&documents);
        judgements.read_apart(paths.iter().map(PathBuf::as_path), &asked)?;
        let judged = judgements.collection();
        Ok(Collection {
            documents,
            queries,
            english,
            ..judged
        })
    }
}

impl DocumentSource {
    /// Opens the tables; an id may occur in several.
    fn tables(&self, roots: &DataRoots) -> Result<Vec<Table>, CorpusError> {
        let (Files { file }, layout) = match self {
            Self::Tsv(files) => (files, Layout::TSV),
            Self::Jsonl(files) => (files, Layout::Json),
        };
        let open = |name: &String| Table::open(&roots.named(name), Kind::Documents, Some(layout));
        file.list("documents.file")?.iter().map(open).collect()
    }

    /// Returns the documents, one at a time as their files have them.
    pub(crate) fn documents(
        &self,
        roots: &DataRoots,
    ) -> Result<impl Iterator<Item = Result<Document, CorpusError>> + Send + use<>, CorpusError>
    {
        let entries = self.tables(roots)?.into_iter().flatten();
        Ok(entries.map(|entry| Ok(entry?.1)))
    }
}

impl QuerySource {
    /// Reads the queries of all languages, and their English versions.
    fn read(&self, roots: &DataRoots) -> Result<(Queries, Queries), CorpusError> {
        match self {
            Self::Tsv(table) => table.read(roots, Layout::TSV),
            Self::Jsonl(table) => table.read(roots, Layout::Json),
            Self::WikiQuestions(table) => {
                if table.languages.is_empty() {
                    return Err(CorpusError::EmptyList("queries.languages"));
                }
                let (mut rows, mut path) = (Vec::new(), PathBuf::new());
                for name in table.file.list("queries.file")? {
                    path = roots.named(name);
                    read_queries(&path, None, &mut rows)?;
                }
                of_languages(&rows, &table.languages, &path)
            }
        }
    }
}

impl QueryTable {
    fn read(&self, roots: &DataRoots, layout: Layout) -> Result<(Queries, Queries), CorpusError> {
        let (mut queries, mut english) = (Queries::new(), Queries::new());
        for (language, file) in files_of(&self.file, &self.languages)? {
            let path = roots.named(&file);
            let entries = distinct([Table::open(&path, Kind::Queries, Some(layout))?])?;
            if entries.is_empty() {
                return Err(CorpusError::NoQueries { path, language });
            }
            let query = |entry: Document| Query {
                text: entry.full_text(),
                id: entry.id,
                language: language.clone(),
                own_document: None,
                origin: entry.origin,
            };
            let asked: Vec<Query> = entries.into_iter().map(query).collect();
            if let Some(file) = &self.english {
                let path = roots.named(&named(file, &language));
                let versions = tables::read(&path, Kind::Queries)?;
                let translated = asked.iter().map(|query| version(query, &versions, &path));
                english.insert(language.clone(), translated.collect::<Result<_, _>>()?);
            }
            queries.insert(language, asked);
        }
        Ok((queries, english))
    }
}

/// Returns the English version of a query.
fn version(query: &Query, versions: &Texts, path: &Path) -> Result<Query, CorpusError> {
    let Some(english) = versions.get(&query.id) else {
        let (path, query) = (path.to_owned(), query.id.clone());
        return Err(CorpusError::NoEnglish { path, query });
    };
    Ok(Query {
        text: english.text.to_string(),
        language: "eng".to_owned(),
        ..query.clone()
    })
}

#[cfg(test)]
mod tests;
