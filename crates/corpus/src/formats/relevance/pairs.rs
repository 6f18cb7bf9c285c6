//! Pairs in JSON lines: a query with its id, and the id of a relevant document.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::bitext::records::DataRoots;
use crate::error::CorpusError;
use crate::formats::lines::each_line;
use crate::formats::tables::{self, Kind};
use crate::formats::values::{filled, first, id, object, string};
use crate::relevance::records::{Candidate, Example, Sink, Texts};

/// Objects of a query and a document's id, as named in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pairs {
    /// The file: objects with `id` (or `query_id`, `_id`, `qid`) and `query`, and the document's id.
    pub file: PathBuf,
    /// The key of the document's id.
    pub document: String,
    /// The table of documents.
    pub documents: PathBuf,
}

impl Pairs {
    pub(crate) fn read(&self, roots: &DataRoots, sink: Sink<'_>) -> Result<Texts, CorpusError> {
        let documents = tables::read(&roots.resolve(&self.documents), Kind::Documents)?;
        // A query with several relevant documents has a line for each.
        let mut queries = Texts::default();
        each_line(&roots.resolve(&self.file), |_, line| {
            let object = object(line)?;
            let query_id = id(first(&object, Kind::Queries.id_keys())?)?;
            let text = filled("query", string(&object, &["query"])?)?;
            let query = queries.insert(&query_id, &text)?.clone();
            let document = id(first(&object, &[&self.document])?)?;
            let document = documents.named("document", &document)?;
            let candidates = vec![Candidate::unscored(document)];
            Ok(sink(Example { query, candidates }))
        })?;
        Ok(documents)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::testing::{load, shown};

    fn read(lines: &str) -> Result<Vec<String>, String> {
        let source =
            "format = 'pairs'\nfile = 'pairs.jsonl'\ndocument = 'doc'\ndocuments = 'docs.jsonl'";
        let documents =
            "{\"id\": \"a1\", \"source\": \"s\", \"title\": \"Ghana\", \"text\": \"Accra.\"}\n";
        let files = [("docs.jsonl", documents), ("pairs.jsonl", lines)];
        load(source, &files).map(|read| shown(&read))
    }

    #[test]
    fn a_query_comes_with_its_document() {
        let line = r#"{"id": "q1", "query": "Which city?", "doc": "a1"}"#;
        assert_eq!(read(line).unwrap(), ["q1 Which city?: a1 Ghana. Accra."]);
    }

    #[test]
    fn bad_lines_are_named() {
        for (line, expected) in [
            (
                r#"{"id": "q1", "query": "x", "doc": "a2"}"#,
                "there is no document 'a2'",
            ),
            (
                r#"{"id": "q1", "query": " ", "doc": "a1"}"#,
                "the query is empty",
            ),
            (
                r#"{"id": "q1", "doc": "a1"}"#,
                "is not an example: there is no query; its keys are doc, id",
            ),
            (
                r#"{"id": "q0", "query": "y", "doc": "a1"}"#,
                "the id 'q0' occurs a second time",
            ),
        ] {
            let first = r#"{"id": "q0", "query": "x", "doc": "a1"}"#;
            let message = read(&format!("{first}\n{line}")).unwrap_err();
            assert!(
                message.ends_with(&format!("pairs.jsonl:2: {expected}")),
                "{message}"
            );
        }
    }
}
