//! Tables of queries or documents: a text for each id.
//!
//! - **JSON lines**, where the name says `.jsonl` or `.json` or the first line begins with `{`: objects
//!   with an id, a text, and perhaps a `title`. These are exports of PyLate's data sets (`query_id` or
//!   `document_id`, `text`) and of sentence-transformers' (`query_id`, `query`; `passage_id`,
//!   `passage`), BEIR's files (`_id`, `title`, `text`), ColBERT's LoTTE (`qid`, `question`) and
//!   Pyserini's collections (`id`, `contents`). Other keys are passed over.
//! - **TSV** otherwise: id, text, and perhaps a title, as MS MARCO's `collection.tsv` and
//!   `queries.tsv` and ColBERT's collections have them. A first line whose id is `id`, `qid`, `_id` or
//!   the like is a header; where it says `title` before `text`, the columns are in that order.
//!
//! Ids are texts or integers. A title goes before the text, with a full stop between them, as
//! everywhere in this crate; a document may be a title alone. Blank lines are passed over.
//!
//! PyLate's data sets are Parquet files; `datasets.load_dataset(NAME, "documents", split="train")`
//! and `.to_json("documents.jsonl")` make JSON lines of a part.

use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Map, Value};

use crate::collection::Document;
use crate::error::{CorpusError, LineProblem};
use crate::formats::lines::{collapse, each_line, names_id};
use crate::relevance::Texts;

/// What a table has texts of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Queries,
    Documents,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Queries => "query",
            Self::Documents => "document",
        }
    }

    /// Keys of the id, the first that is there.
    pub(crate) fn id_keys(self) -> &'static [&'static str] {
        match self {
            Self::Queries => &["query_id", "id", "_id", "qid"],
            Self::Documents => &[
                "document_id",
                "passage_id",
                "id",
                "_id",
                "docid",
                "doc_id",
                "docno",
                "pid",
            ],
        }
    }

    /// Keys of the text, the first that is there.
    fn text_keys(self) -> &'static [&'static str] {
        match self {
            Self::Queries => &["query", "question", "text"],
            Self::Documents => &["passage", "text", "contents"],
        }
    }
}

/// Reads a table; an id may come twice with the same text.
pub(crate) fn read(path: &Path, kind: Kind) -> Result<Texts, CorpusError> {
    let mut texts = Texts::default();
    let mut is_json = None;
    // Which columns have text and title.
    let mut columns = [1, 2];
    each_line(path, |_, line| {
        let is_first = is_json.is_none();
        let is_json = *is_json.get_or_insert_with(|| is_json_lines(path) || line.starts_with('{'));
        let entry = if is_json {
            of_json(line, kind)?
        } else {
            let row: Vec<&str> = line.split('\t').collect();
            if !(2..=3).contains(&row.len()) {
                let found = row.len();
                let problem =
                    format!("{found} columns, expected 2 (id, text) or 3 (id, text, title)");
                return Err(LineProblem::Entry {
                    kind: kind.name(),
                    problem,
                });
            }
            if is_first && names_id(row[0]) {
                if row[1].trim().eq_ignore_ascii_case("title") {
                    columns = [2, 1];
                }
                return Ok(ControlFlow::Continue(()));
            }
            let column = |at: usize| row.get(at).copied().unwrap_or_default();
            entry(row[0], column(columns[1]), column(columns[0]))?
        };
        texts.insert(&entry.id, &entry.full_text())?;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(texts)
}

/// The document, or the query, of a line of JSON.
pub(crate) fn of_json(line: &str, kind: Kind) -> Result<Document, LineProblem> {
    let read = || {
        let object = object(line)?;
        let id = id(first(&object, kind.id_keys())?)?;
        // What has no text may have a title.
        let text = match first(&object, kind.text_keys())? {
            Value::Null => "",
            _ => string(&object, kind.text_keys())?,
        };
        let title = object.get("title").and_then(Value::as_str);
        entry(&id, title.unwrap_or_default(), text)
    };
    read().map_err(|problem| match problem {
        LineProblem::Example(problem) => LineProblem::Entry {
            kind: kind.name(),
            problem,
        },
        other => other,
    })
}

/// An entry with white space collapsed; of title and text, one may be empty.
fn entry(id: &str, title: &str, text: &str) -> Result<Document, LineProblem> {
    let (title, text) = (collapse(title), collapse(text));
    let id = trimmed_id(id)?;
    if title.is_empty() && text.is_empty() {
        return Err(LineProblem::Empty("text".to_owned()));
    }
    let title = Some(title).filter(|title| !title.is_empty());
    Ok(Document {
        id,
        title,
        text,
        origin: None,
    })
}

/// Whether a name, but for its compression, says JSON.
fn is_json_lines(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"))
        .unwrap_or(&name);
    name.ends_with(".jsonl") || name.ends_with(".json")
}

/// A text with white space collapsed, unless nothing is left of it.
pub(crate) fn filled(what: &str, text: &str) -> Result<String, LineProblem> {
    let text = collapse(text);
    if text.is_empty() {
        Err(LineProblem::Empty(what.to_owned()))
    } else {
        Ok(text)
    }
}

/// The object of a line.
pub(crate) fn object(line: &str) -> Result<Map<String, Value>, LineProblem> {
    let why = match serde_json::from_str(line) {
        Ok(Value::Object(object)) => return Ok(object),
        Ok(_) => "not a JSON object".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(LineProblem::Example(why))
}

/// The value under the first of some keys that is there.
pub(crate) fn first<'a>(
    object: &'a Map<String, Value>,
    keys: &[&str],
) -> Result<&'a Value, LineProblem> {
    let values = || keys.iter().filter_map(|key| object.get(*key));
    // A table has a column for each key, and may have nothing in the first.
    let filled = values().find(|value| !value.is_null());
    filled.or_else(|| values().next()).ok_or_else(|| {
        let (last, others) = keys.split_last().unwrap_or((&"", &[]));
        let others: String = others.iter().map(|key| format!("{key}, ")).collect();
        let or = if others.is_empty() { "" } else { "or " };
        let found: Vec<&str> = object.keys().map(String::as_str).collect();
        let found = match &found[..] {
            [] => "it has no key".to_owned(),
            found => format!("its keys are {}", found.join(", ")),
        };
        LineProblem::Example(format!("there is no {others}{or}{last}; {found}"))
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
        Value::String(id) => trimmed_id(id),
        Value::Number(id) if id.is_u64() || id.is_i64() => Ok(id.to_string()),
        other => Err(LineProblem::Example(format!(
            "the id {other} is neither a text nor an integer"
        ))),
    }
}

/// An id without blanks around it; what is within is the id's, as in judgements and runs.
fn trimmed_id(id: &str) -> Result<String, LineProblem> {
    let id = id.trim_matches(|c: char| c.is_ascii_whitespace());
    match id {
        "" => Err(LineProblem::Empty("id".to_owned())),
        id => Ok(id.to_owned()),
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
        let expected = [("0", "Nairobi. A city."), ("1", "A river."), ("2", "Title")];
        for text in [
            "id\ttext\ttitle\n0\tA city.\tNairobi\n1\tA river.\t\n2\t\tTitle\n",
            "\u{feff}\n_id\ttitle\ttext\n\n0\tNairobi\tA city.\n1\t\tA river.\n2\tTitle\t\n\n",
        ] {
            let read = table("collection.tsv", text, Kind::Documents).unwrap();
            assert_eq!(read, pairs(&expected));
        }
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
            (
                Kind::Documents,
                r#"{"docid": 12, "title": "T", "text": ""}"#,
                ("12", "T"),
            ),
            (
                Kind::Documents,
                r#"{"id": -1, "contents": "x", "title": null}"#,
                ("-1", "x"),
            ),
        ] {
            assert_eq!(table("a.jsonl", line, kind).unwrap(), pairs(&[expected]));
            // What the lines are shows without a name, too.
            assert_eq!(table("corpus", line, kind).unwrap(), pairs(&[expected]));
        }
    }

    #[test]
    fn bad_lines_are_named() {
        for (name, text, expected) in [
            (
                "a.tsv",
                "1\tx\n2\n",
                "a.tsv:2: is not a document: 1 columns, expected 2 (id, text) or 3 (id, text, title)",
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
                "a.jsonl:1: is not a document: the id 1.5 is neither a text nor an integer",
            ),
            (
                "a.jsonl",
                "\n{\"text\": \"x\"}",
                "a.jsonl:2: is not a document: there is no document_id, passage_id, id, _id, docid, \
                 doc_id, docno, or pid; its keys are text",
            ),
            (
                "a.jsonl",
                "{\"_id\": 12, \"titel\": \"x\"}",
                "a.jsonl:1: is not a document: there is no passage, text, or contents; \
                 its keys are _id, titel",
            ),
            (
                "a.jsonl",
                "[{}]",
                "a.jsonl:1: is not a document: not a JSON object",
            ),
            (
                "a.jsonl",
                "{\"id\": 1, \"title\": \" \", \"text\": null}",
                "a.jsonl:1: the text is empty",
            ),
            (
                "a.jsonl",
                "{\"id\": 1, \"text\": 2}",
                "a.jsonl:1: is not a document: 2 is not a text",
            ),
        ] {
            let message = table(name, text, Kind::Documents).unwrap_err();
            assert!(message.ends_with(expected), "{message}");
        }
    }
}
