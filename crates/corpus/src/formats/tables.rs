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

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use optical_files::text::Lines;
use serde_json::Value;

use crate::bitext::records::DataRoots;
use crate::collection::records::{Document, Origin};
use crate::error::{CorpusError, LineProblem};
use crate::formats::lines::{collapse, names_id};
use crate::formats::values::{first, id, object, string, trimmed_id};
use crate::relevance::records::Texts;

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
    pub(super) fn id_keys(self) -> &'static [&'static str] {
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

/// How the lines of a table are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    Json,
    Tsv {
        /// Whether titles are in the column before texts.
        title_first: bool,
    },
}

impl Layout {
    pub(crate) const TSV: Self = Self::Tsv { title_first: false };

    /// Tells the layout by the name of a file and its first line.
    fn of(path: &Path, line: &str) -> Self {
        match is_json_lines(path) || line.starts_with('{') {
            true => Self::Json,
            false => Self::TSV,
        }
    }
}

/// The entries of a table with their lines, one at a time; after an error there is none.
pub(crate) struct Table {
    file: Arc<Path>,
    kind: Kind,
    layout: Option<Layout>,
    is_first: bool,
    lines: Option<Lines>,
}

impl Table {
    /// Opens a table; without a layout, its name and its first line tell.
    pub(crate) fn open(
        path: &Path,
        kind: Kind,
        layout: Option<Layout>,
    ) -> Result<Self, CorpusError> {
        Ok(Self {
            file: path.into(),
            kind,
            layout,
            is_first: true,
            lines: Some(Lines::open(path)?),
        })
    }

    fn read(&mut self) -> Result<Option<(usize, Document)>, CorpusError> {
        let Some(lines) = &mut self.lines else {
            return Ok(None);
        };
        while let Some((line, text)) = lines.next_good()? {
            if text.trim().is_empty() {
                continue;
            }
            let layout = &mut *(self.layout).get_or_insert_with(|| Layout::of(&self.file, text));
            let is_first = std::mem::take(&mut self.is_first);
            let entry = match layout {
                Layout::Json => of_json(text, self.kind).map(Some),
                Layout::Tsv { title_first } => of_tsv(text, self.kind, is_first, title_first),
            };
            let entry = entry.map_err(|problem| CorpusError::line(&self.file, line, problem))?;
            if let Some(mut entry) = entry {
                let file = self.file.clone();
                entry.origin = Some(Origin { file, line });
                return Ok(Some((line, entry)));
            }
        }
        Ok(None)
    }
}

impl Iterator for Table {
    type Item = Result<(usize, Document), CorpusError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read();
        if !matches!(read, Ok(Some(_))) {
            self.lines = None;
        }
        read.transpose()
    }
}

/// Reads the tables of queries and of documents that relevance data name.
pub(crate) fn both(
    roots: &DataRoots,
    queries: &Path,
    documents: &Path,
) -> Result<(Texts, Texts), CorpusError> {
    let queries = read(&roots.resolve(queries), Kind::Queries)?;
    Ok((queries, read(&roots.resolve(documents), Kind::Documents)?))
}

/// Reads a table; an id may come twice with the same text.
pub(crate) fn read(path: &Path, kind: Kind) -> Result<Texts, CorpusError> {
    let mut texts = Texts::default();
    for entry in Table::open(path, kind, None)? {
        let (line, entry) = entry?;
        let inserted = texts.insert(&entry.id, &entry.full_text());
        inserted.map_err(|problem| CorpusError::line(path, line, problem))?;
    }
    Ok(texts)
}

/// Reads the entries of tables, one after the other; an id is there once.
pub(crate) fn distinct(
    tables: impl IntoIterator<Item = Table>,
) -> Result<Vec<Document>, CorpusError> {
    let (mut ids, mut entries) = (HashSet::new(), Vec::new());
    for table in tables {
        let file = table.file.clone();
        for entry in table {
            let (line, entry) = entry?;
            if !ids.insert(entry.id.clone()) {
                let problem = LineProblem::DuplicateId(entry.id);
                return Err(CorpusError::line(&file, line, problem));
            }
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// Reads the document, or the query, of a line of columns; `None` for a first line that names them.
fn of_tsv(
    line: &str,
    kind: Kind,
    is_first: bool,
    title_first: &mut bool,
) -> Result<Option<Document>, LineProblem> {
    let row: Vec<&str> = line.split('\t').collect();
    let (id, second, third) = match row[..] {
        [id, text] => (id, text, ""),
        [id, text, title] => (id, text, title),
        _ => {
            let found = row.len();
            let kind = kind.name();
            let problem = format!("{found} columns, expected 2 (id, text) or 3 (id, text, title)");
            return Err(LineProblem::Entry { kind, problem });
        }
    };
    if is_first && names_id(id) {
        *title_first = second.trim().eq_ignore_ascii_case("title");
        return Ok(None);
    }
    let (title, text) = match *title_first {
        true => (second, third),
        false => (third, second),
    };
    entry(id, title, text).map(Some)
}

/// Reads the document, or the query, of a line of JSON.
fn of_json(line: &str, kind: Kind) -> Result<Document, LineProblem> {
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

/// Makes an entry with white space collapsed; of title and text, one may be empty.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn table(name: &str, text: &str, kind: Kind) -> Result<Vec<(String, String)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let texts = read(&path, kind).map_err(|error| error.to_string())?;
        let pair =
            |text: &crate::relevance::records::Text| (text.id.to_string(), text.text.to_string());
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

    proptest! {
        #[test]
        fn a_table_is_read_as_it_was_written(
            entries in prop::collection::btree_map("[!-~é]{1,6}", ("[ -~é\u{a0}]{0,9}", "[ -~é]{0,9}[a-z]"), 1..6)
        ) {
            prop_assume!(entries.keys().all(|id| !names_id(id) && !id.starts_with('{')));
            let (mut tsv, mut json) = (String::new(), String::new());
            for (id, (title, text)) in &entries {
                tsv += &format!("{id}\t{text}\t{title}\n");
                json += &format!("{}\n", serde_json::json!({"_id": id, "title": title, "text": text}));
            }
            let shown = |(id, (title, text)): (&String, &(String, String))| {
                let (title, text) = (collapse(title), collapse(text));
                let text = if title.is_empty() { text } else { format!("{title}. {text}") };
                (id.clone(), text)
            };
            let expected: Vec<_> = entries.iter().map(shown).collect();
            prop_assert_eq!(table("a.tsv", &tsv, Kind::Documents).unwrap(), expected.clone());
            prop_assert_eq!(table("a", &json, Kind::Documents).unwrap(), expected);
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
