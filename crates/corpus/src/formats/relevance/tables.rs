//! Tables of queries or documents: a text for each id.
//!
//! - **JSON lines**, where the name says `.jsonl` or `.json`: objects with an id, a text, and perhaps
//!   a `title`. These are exports of PyLate's data sets (`query_id` or `document_id`, `text`) and of
//!   sentence-transformers' (`query_id`, `query`; `passage_id`, `passage`), BEIR's files (`_id`,
//!   `title`, `text`) and ColBERT's LoTTE (`qid`, `question`). Other keys are passed over.
//! - **TSV** under any other name: id, text, and perhaps a title, as MS MARCO's `collection.tsv` and
//!   `queries.tsv` and ColBERT's collections have them. A first line whose id is `id` is a header.
//!
//! Ids are texts or integers. A title goes before the text, with a full stop between them, as
//! everywhere in this crate.
//!
//! PyLate's data sets are Parquet files; `datasets.load_dataset(NAME, "documents", split="train")`
//! and `.to_json("documents.jsonl")` make JSON lines of a part.

use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{CorpusError, LineProblem};
use crate::formats::lines::{collapse, each_line};
use crate::relevance::Texts;

/// What a table has texts of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Queries,
    Documents,
}

impl Kind {
    /// Keys of the id, the first that is there.
    fn id_keys(self) -> &'static [&'static str] {
        match self {
            Self::Queries => &["query_id", "id", "_id", "qid"],
            Self::Documents => &["document_id", "passage_id", "id", "_id"],
        }
    }

    /// Keys of the text, the first that is there.
    fn text_keys(self) -> &'static [&'static str] {
        match self {
            Self::Queries => &["query", "question", "text"],
            Self::Documents => &["passage", "text"],
        }
    }
}

/// Reads a table; an id may come twice with the same text.
pub(crate) fn read(path: &Path, kind: Kind) -> Result<Texts, CorpusError> {
    let mut texts = Texts::default();
    let is_json = is_json(path);
    each_line(path, |number, line| {
        if line.trim().is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        if is_json {
            let object = object(line)?;
            let id = id(first(&object, kind.id_keys())?)?;
            let text = string(&object, kind.text_keys())?;
            let title = match object.get("title") {
                Some(Value::String(title)) => title,
                _ => "",
            };
            insert(&mut texts, &id, text, title)?;
        } else {
            let columns: Vec<&str> = line.split('\t').collect();
            let (id, text, title) = match columns[..] {
                [id, text] => (id, text, ""),
                [id, text, title] => (id, text, title),
                _ => {
                    return Err(LineProblem::Example(format!(
                        "{} columns, expected 2 (id, text) or 3 (id, text, title)",
                        columns.len()
                    )));
                }
            };
            if number > 1 || id != "id" {
                insert(&mut texts, id, text, title)?;
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(texts)
}

fn insert(texts: &mut Texts, id: &str, text: &str, title: &str) -> Result<(), LineProblem> {
    let (mut text, title) = (filled("text", text)?, collapse(title));
    if !title.is_empty() {
        text = format!("{title}. {text}");
    }
    texts.insert(&filled("id", id)?, &text)?;
    Ok(())
}

/// Whether a name, but for its compression, says JSON.
fn is_json(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"))
        .unwrap_or(&name);
    name.ends_with(".jsonl") || name.ends_with(".json")
}

/// A text with white space collapsed, unless nothing is left of it.
pub(crate) fn filled(what: &'static str, text: &str) -> Result<String, LineProblem> {
    let text = collapse(text);
    if text.is_empty() {
        Err(LineProblem::Empty(what))
    } else {
        Ok(text)
    }
}

/// The object of a line.
pub(crate) fn object(line: &str) -> Result<Map<String, Value>, LineProblem> {
    serde_json::from_str(line).map_err(|error| LineProblem::Example(error.to_string()))
}

/// The value under the first of some keys that is there.
pub(crate) fn first<'a>(
    object: &'a Map<String, Value>,
    keys: &[&str],
) -> Result<&'a Value, LineProblem> {
    let mut values = keys.iter().filter_map(|key| object.get(*key));
    values.next().ok_or_else(|| {
        let (last, others) = keys.split_last().unwrap_or((&"", &[]));
        let others: String = others.iter().map(|key| format!("{key}, ")).collect();
        let or = if others.is_empty() { "" } else { "or " };
        LineProblem::Example(format!("there is no {others}{or}{last}"))
    })
}

/// The text under the first of some keys that is there.
pub(crate) fn string<'a>(
    object: &'a Map<String, Value>,
    keys: &[&str],
) -> Result<&'a str, LineProblem> {
    match first(object, keys)? {
        Value::String(text) => Ok(text),
        other => Err(LineProblem::Example(format!("{other} is not a text"))),
    }
}

/// An id, as a text.
pub(crate) fn id(value: &Value) -> Result<String, LineProblem> {
    match value {
        Value::String(id) => Ok(id.clone()),
        Value::Number(id) if id.is_u64() || id.is_i64() => Ok(id.to_string()),
        other => Err(LineProblem::Example(format!(
            "the id {other} is neither a text nor an integer"
        ))),
    }
}

/// A score.
pub(crate) fn score(value: &Value) -> Result<f32, LineProblem> {
    let score = value.as_f64().map(|score| score as f32);
    score
        .filter(|score| score.is_finite())
        .ok_or_else(|| LineProblem::Example(format!("the score {value} is not a finite number")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn table(name: &str, text: &str, kind: Kind) -> Result<Vec<(String, String)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let texts = read(&path, kind).map_err(|error| error.to_string())?;
        let pair = |text: &crate::relevance::Text| (text.id.to_string(), text.text.to_string());
        Ok(texts.iter().map(pair).collect())
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |&(id, text): &(&str, &str)| (id.to_owned(), text.to_owned());
        expected.iter().map(owned).collect()
    }

    #[test]
    fn tables_of_msmarco_and_colbert_are_tsv() {
        let text = "0\tThe  presence of\u{a0}amid\n1\tThe Manhattan Project\n";
        let expected = [
            ("0", "The presence of amid"),
            ("1", "The Manhattan Project"),
        ];
        let read = table("collection.tsv", text, Kind::Documents).unwrap();
        assert_eq!(read, pairs(&expected));
        let text = "id\ttext\ttitle\n0\tA city.\tNairobi\n1\tA river.\t\n";
        let expected = [("0", "Nairobi. A city."), ("1", "A river.")];
        let read = table("collection.tsv", text, Kind::Documents).unwrap();
        assert_eq!(read, pairs(&expected));
    }

    #[test]
    fn keys_of_json_lines_go_by_what_the_table_holds() {
        for (kind, line, expected) in [
            (
                Kind::Queries,
                r#"{"query_id": 54528, "text": "what"}"#,
                ("54528", "what"),
            ),
            (
                Kind::Queries,
                r#"{"query_id": "7", "query": "who"}"#,
                ("7", "who"),
            ),
            (
                Kind::Queries,
                r#"{"id": "q", "query": "who", "text": "she"}"#,
                ("q", "who"),
            ),
            (
                Kind::Queries,
                r#"{"qid": 3, "question": "why", "answer_pids": [1]}"#,
                ("3", "why"),
            ),
            (
                Kind::Documents,
                r#"{"document_id": 1, "text": "one"}"#,
                ("1", "one"),
            ),
            (
                Kind::Documents,
                r#"{"passage_id": "2", "passage": "two"}"#,
                ("2", "two"),
            ),
            (
                Kind::Documents,
                r#"{"_id": "d", "title": "T", "text": "x"}"#,
                ("d", "T. x"),
            ),
            (
                Kind::Documents,
                r#"{"id": "d", "title": "", "text": "x"}"#,
                ("d", "x"),
            ),
        ] {
            assert_eq!(table("a.jsonl", line, kind).unwrap(), pairs(&[expected]));
        }
    }

    #[test]
    fn bad_lines_are_named() {
        for (name, text, expected) in [
            (
                "a.tsv",
                "1\tx\n2\n",
                "a.tsv:2: is not an example: 1 columns, expected 2 (id, text) or 3 (id, text, title)",
            ),
            ("a.tsv", "1\tx\n2\t \n", "a.tsv:2: the text is empty"),
            ("a.tsv", "\tx\n", "a.tsv:1: the id is empty"),
            (
                "a.tsv",
                "1\tx\n1\tx\n1\ty\n",
                "a.tsv:3: the id '1' occurs a second time",
            ),
            (
                "a.jsonl",
                "{\"id\": 1.5, \"text\": \"x\"}",
                "a.jsonl:1: is not an example: the id 1.5 is neither a text nor an integer",
            ),
            (
                "a.jsonl",
                "\n{\"text\": \"x\"}",
                "a.jsonl:2: is not an example: there is no document_id, passage_id, id, or _id",
            ),
            (
                "a.jsonl",
                "{\"id\": 1, \"text\": 2}",
                "a.jsonl:1: is not an example: 2 is not a text",
            ),
        ] {
            let message = table(name, text, Kind::Documents).unwrap_err();
            assert!(message.ends_with(expected), "{message}");
        }
    }
}
