//! WikiQuestions: questions in many languages, English Wikipedia passages, human judgements.
//!
//! A folder of `docs.jsonl` (objects with `id`, `title`, `text`), `queries.SPLIT.tsv` (id,
//! language, split, question, its English version) and `qrels.SPLIT.txt` (TREC judgements). The
//! layout is open to any collection: the English version may be absent, and languages that ask the
//! same questions may give them the same ids.

mod queries;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use optical_files::trec;
use serde::{Deserialize, Serialize};

use self::queries::{Row, read_queries};
use super::lines::each_line;
use super::relevance::tables::{Kind, of_json};
use crate::bitext::DataRoots;
use crate::collection::{Collection, Document, Judgement, Origin, Query};
use crate::error::{CorpusError, LineProblem};
use crate::report::BadLine;

/// Splits of WikiQuestions, as named in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WikiQuestions {
    /// The folder of `docs.jsonl`.
    pub folder: PathBuf,
    /// The split to read, such as `dev` or `test`, or a list of splits that are read as one.
    pub split: Splits,
    /// The languages of the questions to read, by their ISO 639-3 codes.
    pub languages: Vec<String>,
}

/// A split, or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected the name of a split, or a list of names"
)]
pub enum Splits {
    /// One.
    One(String),
    /// Several, in the order in which they are read.
    Several(Vec<String>),
}

impl Splits {
    fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

impl WikiQuestions {
    pub(crate) fn read(&self, roots: &DataRoots) -> Result<Collection, CorpusError> {
        if self.languages.is_empty() {
            return Err(CorpusError::EmptyList("languages"));
        }
        if self.split.names().is_empty() {
            return Err(CorpusError::EmptyList("split"));
        }
        let folder = roots.resolve(&self.folder);
        let documents = read_documents(&folder.join("docs.jsonl"))?;
        let ids: HashSet<&str> = documents.iter().map(|document| &*document.id).collect();
        let (mut rows, mut judgements, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        let mut path = folder.clone();
        for split in self.split.names() {
            path = folder.join(format!("queries.{split}.tsv"));
            let first = rows.len();
            read_queries(&path, split, &mut rows)?;
            let qrels = folder.join(format!("qrels.{split}.txt"));
            judgements.extend(self.read_judgements(&qrels, &rows[first..], &ids, &mut unknown)?);
        }
        let (mut queries, mut english) = (BTreeMap::new(), BTreeMap::new());
        for language in &self.languages {
            let of_language = || rows.iter().filter(|row| row.language == *language);
            let query = |row: &Row, text: &str, language: &str| Query {
                id: row.id.clone(),
                text: text.to_owned(),
                language: language.to_owned(),
                own_document: None,
                origin: Some(row.origin.clone()),
            };
            let asked: Vec<_> = of_language()
                .map(|row| query(row, &row.text, language))
                .collect();
            if asked.is_empty() {
                return Err(CorpusError::NoQueries {
                    path,
                    language: language.clone(),
                });
            }
            queries.insert(language.clone(), asked);
            // Of a part of the questions, they would be compared with the whole.
            let translated: Option<Vec<_>> = of_language()
                .map(|row| Some(query(row, row.english.as_ref()?, "eng")))
                .collect();
            english.extend(translated.map(|translated| (language.clone(), translated)));
        }
        Ok(Collection {
            documents,
            queries,
            english,
            judgements,
            unknown,
        })
    }

    /// Reads the judgements of the queries in the languages asked for, and checks those of all others
    /// too; lists the lines of queries and documents that are not there. A judged document that is not
    /// there counts as one that is never found, as for trec_eval.
    fn read_judgements(
        &self,
        path: &Path,
        rows: &[Row],
        documents: &HashSet<&str>,
        unknown: &mut Vec<BadLine>,
    ) -> Result<Vec<Judgement>, CorpusError> {
        // Whether a query is asked in one of the languages.
        let mut known: HashMap<&str, bool> = HashMap::new();
        for row in rows {
            *known.entry(&row.id).or_default() |= self.languages.contains(&row.language);
        }
        let mut judgements = Vec::new();
        for judged in trec::judgements(path)? {
            let mut passed_over = |kind, id: &str| {
                let id = id.to_owned();
                unknown.push(BadLine {
                    file: path.display().to_string(),
                    line: judged.line,
                    problem: LineProblem::UnknownId { kind, id }.to_string(),
                });
            };
            let is_asked = known.get(&*judged.topic);
            if is_asked.is_none() {
                passed_over("query", &judged.topic);
            } else if !documents.contains(&*judged.document) {
                passed_over("document", &judged.document);
            }
            if is_asked == Some(&true) {
                judgements.push(Judgement {
                    query: judged.topic,
                    document: judged.document,
                    grade: judged.grade,
                });
            }
        }
        Ok(judgements)
    }
}

fn read_documents(path: &Path) -> Result<Vec<Document>, CorpusError> {
    let mut ids = HashSet::new();
    let mut documents = Vec::new();
    let file: Arc<Path> = path.into();
    each_line(path, |number, line| {
        let mut document = of_json(line, Kind::Documents)?;
        if !ids.insert(document.id.clone()) {
            return Err(LineProblem::DuplicateId(document.id));
        }
        let (file, line) = (file.clone(), number);
        document.origin = Some(Origin { file, line });
        documents.push(document);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(documents)
}

#[cfg(test)]
mod tests;
