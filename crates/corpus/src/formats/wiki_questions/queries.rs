//! The table of questions: id, language, split, question, and perhaps its English version.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use crate::collection::Origin;
use crate::error::{CorpusError, LineProblem};
use crate::formats::lines::{collapse, each_line, names_id};

/// A question.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) language: String,
    pub(super) text: String,
    /// Its English version, if there is one.
    pub(super) english: Option<String>,
    pub(super) origin: Origin,
}

/// Reads the questions of a split behind those of others; an id is there once in a language, and in
/// several where they ask the same.
pub(super) fn read_queries(
    path: &Path,
    split: &str,
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
        if row_split != split {
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
