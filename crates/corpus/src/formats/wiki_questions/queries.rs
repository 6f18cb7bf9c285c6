//! The table of questions: id, language, split, question, and perhaps its English version.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use crate::collection::records::{Origin, Query};
use crate::error::{CorpusError, LineProblem};
use crate::formats::lines::{collapse, each_line, names_id};

/// A question.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) language: String,
    pub(crate) text: String,
    /// Its English version, if there is one.
    pub(crate) english: Option<String>,
    pub(crate) origin: Origin,
}

/// Reads the questions of a file after those of others, and of one split where it is named; an id is
/// there once in a language, and in several where they ask the same.
pub(crate) fn read_queries(
    path: &Path,
    split: Option<&str>,
    rows: &mut Vec<Row>,
) -> Result<(), CorpusError> {
    let mut by_id: HashMap<String, Vec<usize>> = HashMap::new();
    for (number, row) in rows.iter().enumerate() {
        by_id.entry(row.id.clone()).or_default().push(number);
    }
    let of_others = rows.len();
    let file: Arc<Path> = path.into();
    let mut is_first = true;
    each_line(path, |line, text| {
        let columns: Vec<&str> = text.split('\t').collect();
        let (id, language, row_split, text, english) = match columns[..] {
            [id, language, split, text] => (id, language, split, text, ""),
            [id, language, split, text, english] => (id, language, split, text, english),
            _ => {
                let (expected, found) = (5, columns.len());
                return Err(LineProblem::Columns { expected, found });
            }
        };
        let id = id.trim_matches(|c: char| c.is_ascii_whitespace());
        if std::mem::take(&mut is_first) && names_id(id) && row_split.trim() == "split" {
            return Ok(ControlFlow::Continue(()));
        }
        if let Some(split) = split.filter(|split| *split != row_split) {
            let (expected, found) = (split.to_owned(), row_split.to_owned());
            return Err(LineProblem::Split { expected, found });
        }
        let (text, english) = (collapse(text), collapse(english));
        for (name, value) in [("id", id), ("language", language), ("question", &*text)] {
            if value.is_empty() {
                return Err(LineProblem::Empty(name.to_owned()));
            }
        }
        let row = Row {
            id: id.to_owned(),
            language: language.to_owned(),
            text,
            english: Some(english).filter(|english| !english.is_empty()),
            origin: Origin {
                file: file.clone(),
                line,
            },
        };
        let same = by_id.entry(row.id.clone()).or_default();
        for &number in &*same {
            let other = &rows[number];
            // Judgements go by ids alone, so that a question of another split must not have this one.
            if other.language == row.language || number < of_others {
                return Err(LineProblem::DuplicateId(row.id));
            }
            let (ours, theirs) = (&row.english, &other.english);
            if ours.is_some() && theirs.is_some() && ours != theirs {
                return Err(LineProblem::OtherQuestion {
                    id: row.id,
                    language: other.language.clone(),
                    line: other.origin.line,
                });
            }
        }
        same.push(rows.len());
        rows.push(row);
        Ok(ControlFlow::Continue(()))
    })
}

/// Queries by language.
pub(crate) type Queries = BTreeMap<String, Vec<Query>>;

/// Returns the questions of some languages, and their English versions where all of a language have
/// one; `path` is the file that a language without questions is missed in.
pub(crate) fn of_languages(
    rows: &[Row],
    languages: &[String],
    path: &Path,
) -> Result<(Queries, Queries), CorpusError> {
    let (mut queries, mut english) = (Queries::new(), Queries::new());
    for language in languages {
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
            let (path, language) = (path.to_owned(), language.clone());
            return Err(CorpusError::NoQueries { path, language });
        }
        queries.insert(language.clone(), asked);
        // Of a part of the questions, they would be compared with the whole.
        let translated: Option<Vec<_>> = of_language()
            .map(|row| Some(query(row, row.english.as_ref()?, "eng")))
            .collect();
        english.extend(translated.map(|translated| (language.clone(), translated)));
    }
    Ok((queries, english))
}
