//! Queries with any number of documents, by their ids, with scores or without; a line each.
//!
//! - ColBERT's lists: `[qid, pid, pid, …]`, of which the first document is relevant, or
//!   `[qid, [pid, score], …]` (`colbert/training/lazy_batcher.py` of
//!   <https://github.com/stanford-futuredata/ColBERT>).
//! - PyLate's objects: `{"query_id": …, "document_ids": […], "scores": […]}`, as in
//!   `lightonai/ms-marco-en-bge` (<https://lightonai.github.io/pylate>, knowledge distillation).
//!   Without `scores`, the first document is relevant.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::bitext::records::DataRoots;
use crate::error::{CorpusError, LineProblem};
use crate::formats::lines::each_line;
use crate::formats::tables;
use crate::formats::values::{first, id, score};
use crate::relevance::records::{Candidate, Example, Sink, Texts};

/// Lists or objects of ids, as named in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NWay {
    /// The file.
    pub file: PathBuf,
    /// The table of queries.
    pub queries: PathBuf,
    /// The table of documents.
    pub documents: PathBuf,
}

impl NWay {
    pub(crate) fn read(&self, roots: &DataRoots, sink: Sink<'_>) -> Result<Texts, CorpusError> {
        let (queries, documents) = tables::both(roots, &self.queries, &self.documents)?;
        each_line(&roots.resolve(&self.file), |_, line| {
            let line = Line::parse(line)?;
            let candidate = |(id, score): (String, Option<f32>)| {
                let document = documents.named("document", &id)?;
                Ok(Candidate { document, score })
            };
            let candidates: Result<Vec<_>, LineProblem> =
                line.documents.into_iter().map(candidate).collect();
            let candidates = candidates?;
            let query = queries.named("query", &line.query)?;
            Ok(sink(Example { query, candidates }))
        })?;
        Ok(documents)
    }
}

/// What a line names: the query's id, and the documents' with their scores.
struct Line {
    query: String,
    documents: Vec<(String, Option<f32>)>,
}

impl Line {
    fn parse(line: &str) -> Result<Self, LineProblem> {
        let line = match serde_json::from_str(line) {
            Ok(Value::Array(list)) => Self::of_list(&list)?,
            Ok(Value::Object(object)) => Self::of_object(&object)?,
            Ok(_) => return Err(refuse("neither a list nor an object")),
            Err(error) => return Err(refuse(error)),
        };
        let all = line.documents.len();
        let scored = line.documents.iter().filter(|(_, score)| score.is_some());
        match scored.count() {
            _ if all == 0 => Err(refuse("there is no document")),
            scored if scored != 0 && scored != all => {
                Err(refuse(format!("{scored} of {all} documents have a score")))
            }
            _ => Ok(line),
        }
    }

    /// ColBERT's.
    fn of_list(list: &[Value]) -> Result<Self, LineProblem> {
        let Some((query, documents)) = list.split_first() else {
            return Err(refuse("the list is empty"));
        };
        let document = |document: &Value| match document {
            Value::Array(pair) => match &pair[..] {
                [document, of] => Ok((id(document)?, Some(score(of)?))),
                _ => Err(refuse(format!("{document} is not a pair of id and score"))),
            },
            document => Ok((id(document)?, None)),
        };
        let documents: Result<Vec<_>, _> = documents.iter().map(document).collect();
        Ok(Self {
            query: id(query)?,
            documents: documents?,
        })
    }

    /// PyLate's.
    fn of_object(object: &Map<String, Value>) -> Result<Self, LineProblem> {
        let list = |key: &str| match object.get(key) {
            Some(Value::Array(list)) => Ok(Some(list)),
            None | Some(Value::Null) => Ok(None),
            Some(_) => Err(refuse(format!("{key} is not a list"))),
        };
        let query = id(first(object, &["query_id", "qid"])?)?;
        let ids = list("document_ids")?.ok_or_else(|| refuse("there is no document_ids"))?;
        let ids: Vec<String> = ids.iter().map(id).collect::<Result<_, _>>()?;
        let scores: Vec<Option<f32>> = match list("scores")? {
            None => vec![None; ids.len()],
            Some(scores) if scores.len() == ids.len() => {
                let scores = scores.iter().map(|value| score(value).map(Some));
                scores.collect::<Result<_, _>>()?
            }
            Some(scores) => {
                let (found, expected) = (scores.len(), ids.len());
                return Err(refuse(format!("{found} scores of {expected} documents")));
            }
        };
        let documents = ids.into_iter().zip(scores).collect();
        Ok(Self { query, documents })
    }
}

fn refuse(why: impl ToString) -> LineProblem {
    LineProblem::Example(why.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::testing::{load, shown};

    const SOURCE: &str = "format = 'n-way'\nfile = 'triples.jsonl'\nqueries = 'queries.jsonl'\ndocuments = 'documents.jsonl'";

    fn read(lines: &str) -> Result<Vec<String>, String> {
        let queries =
            "{\"query_id\": 1, \"text\": \"who\"}\n{\"query_id\": 2, \"text\": \"why\"}\n";
        let documents: String = ["a", "b", "c"]
            .map(|id| format!("{{\"document_id\": \"{id}\", \"text\": \"text of {id}\"}}\n"))
            .concat();
        let tables = [("queries.jsonl", queries), ("documents.jsonl", &*documents)];
        let [queries, documents] = tables;
        load(SOURCE, &[queries, documents, ("triples.jsonl", lines)]).map(|read| shown(&read))
    }

    #[test]
    fn lists_of_colbert_are_read() {
        let lines = "[1, \"a\", \"b\"]\n[2, \"c\", \"a\", \"b\"]\n[2, [\"a\", -1.5], [\"b\", 7]]\n";
        let expected = [
            "1 who: a text of a | b text of b",
            "2 why: c text of c | a text of a | b text of b",
            "2 why: a text of a -1.5 | b text of b 7",
        ];
        assert_eq!(read(lines).unwrap(), expected);
    }

    #[test]
    fn objects_of_pylate_are_read() {
        let lines = r#"{"query_id": "1", "document_ids": ["a", "c"], "scores": [0.25, 0.5]}
{"query_id": 2, "document_ids": ["b"]}"#;
        let expected = [
            "1 who: a text of a 0.25 | c text of c 0.5",
            "2 why: b text of b",
        ];
        assert_eq!(read(lines).unwrap(), expected);
    }

    #[test]
    fn bad_lines_are_named() {
        for (line, expected) in [
            ("[]", "the list is empty"),
            ("[1]", "there is no document"),
            ("7", "neither a list nor an object"),
            ("[1, \"a\", [\"b\", 1.0]]", "1 of 2 documents have a score"),
            ("[1, [\"a\"]]", "[\"a\"] is not a pair of id and score"),
            (
                "[1, [\"a\", \"x\"]]",
                "the score \"x\" is not a finite number",
            ),
            (
                "[1, [\"a\", 1e99]]",
                "the score 1e+99 is not a finite number",
            ),
            (
                "{\"query_id\": 1, \"document_ids\": [\"a\"], \"scores\": []}",
                "0 scores of 1 documents",
            ),
            (
                "{\"query_id\": 1, \"document_ids\": 5}",
                "document_ids is not a list",
            ),
            ("{\"query_id\": 1}", "there is no document_ids"),
            (
                "{\"document_ids\": [\"a\"]}",
                "there is no query_id, or qid; its keys are document_ids",
            ),
        ] {
            let message = read(&format!("[1, \"a\"]\n{line}\n")).unwrap_err();
            let expected = format!("triples.jsonl:2: is not an example: {expected}");
            assert!(message.ends_with(&expected), "{message}");
        }
        let message = read("[1, \"z\"]").unwrap_err();
        assert!(
            message.ends_with("triples.jsonl:1: there is no document 'z'"),
            "{message}"
        );
    }
}
