//! MS MARCO's triples: a query, a relevant document and another, as ids or as texts, in three columns
//! (`qidpidtriples.train.full.2.tsv` and `triples.train.small.tsv` of
//! <https://microsoft.github.io/msmarco/Datasets>). A first line of column names is passed over.

use std::ops::ControlFlow;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::bitext::records::DataRoots;
use crate::error::CorpusError;
use crate::formats::lines::{collapse, columns, each_line, names_id};
use crate::formats::tables;
use crate::formats::values::filled;
use crate::relevance::records::{Candidate, Example, Numbered, Sink, Text, Texts};

/// Triples of ids, as named in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdTriples {
    /// The file: the query's id, the relevant document's, another document's.
    pub file: PathBuf,
    /// The table of queries.
    pub queries: PathBuf,
    /// The table of documents.
    pub documents: PathBuf,
}

impl IdTriples {
    pub(crate) fn read(&self, roots: &DataRoots, sink: Sink<'_>) -> Result<Texts, CorpusError> {
        let (queries, documents) = tables::both(roots, &self.queries, &self.documents)?;
        let mut is_first = true;
        each_line(&roots.resolve(&self.file), |_, line| {
            let [query, positive, negative] = columns(line)?;
            if std::mem::take(&mut is_first) && names_id(query) && queries.get(query).is_none() {
                return Ok(ControlFlow::Continue(()));
            }
            Ok(sink(triple(
                queries.named("query", query)?,
                documents.named("document", positive)?,
                documents.named("document", negative)?,
            )))
        })?;
        Ok(documents)
    }
}

/// Triples of texts, as named in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextTriples {
    /// The file: the query, the relevant document, another document.
    pub file: PathBuf,
}

impl TextTriples {
    pub(crate) fn read(&self, roots: &DataRoots, sink: Sink<'_>) -> Result<Texts, CorpusError> {
        let (mut queries, mut documents) = (Numbered::default(), Numbered::default());
        let mut is_first = true;
        let mut empty_negatives = 0;
        each_line(&roots.resolve(&self.file), |_, line| {
            let columns: [&str; 3] = columns(line)?;
            if std::mem::take(&mut is_first) && is_header(columns) {
                return Ok(ControlFlow::Continue(()));
            }
            let [query, positive, negative] = columns.map(collapse);
            let query = queries.text(&filled("query", &query)?)?;
            let mut candidates = vec![documents.text(&filled("relevant document", &positive)?)?];
            match negative.is_empty() {
                true => empty_negatives += 1,
                false => candidates.push(documents.text(&negative)?),
            }
            let candidates = candidates.into_iter().map(Candidate::unscored).collect();
            Ok(sink(Example { query, candidates }))
        })?;
        documents.texts.empty_negatives = empty_negatives;
        Ok(documents.texts)
    }
}

/// Whether a line of texts names its columns.
fn is_header(columns: [&str; 3]) -> bool {
    const NAMES: [&[&str]; 3] = [
        &["query", "anchor", "question"],
        &["positive", "pos", "document", "passage", "positive passage"],
        &["negative", "neg", "negative_1", "negative passage"],
    ];
    let names = NAMES.iter().zip(columns);
    let mut are_names =
        names.map(|(names, column)| names.contains(&&*column.trim().to_ascii_lowercase()));
    are_names.all(|is_name| is_name)
}

fn triple(query: Text, positive: Text, negative: Text) -> Example {
    let candidates = [positive, negative].map(Candidate::unscored).into();
    Example { query, candidates }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::testing::{load, shown};

    const TABLES: [(&str, &str); 2] = [
        ("queries.tsv", "7\twhy is the sky blue\n9\twho\n"),
        (
            "collection.tsv",
            "0\tLight scatters.\n1\tA river.\n2\tMe.\n",
        ),
    ];
    const IDS: &str = "format = 'id-triples'\nfile = 'triples.tsv'\nqueries = 'queries.tsv'\ndocuments = 'collection.tsv'";

    #[test]
    fn ids_lead_to_texts() {
        let [queries, documents] = TABLES;
        let read = load(
            IDS,
            &[queries, documents, ("triples.tsv", "7\t0\t1\n9\t2\t0\n")],
        )
        .unwrap();
        let expected = [
            "7 why is the sky blue: 0 Light scatters. | 1 A river.",
            "9 who: 2 Me. | 0 Light scatters.",
        ];
        assert_eq!(shown(&read), expected);
        assert_eq!(read.documents.len(), 3);
        // Texts are shared, not copied.
        let [first, second] = &read.examples[..] else {
            panic!("two examples")
        };
        let text = |example: &crate::relevance::Example, at: usize| {
            example.candidates[at].document.text.as_ptr()
        };
        assert_eq!(text(first, 0), text(second, 1));
    }

    #[test]
    fn texts_get_numbers_and_the_same_text_the_same_one() {
        let source = "format = 'text-triples'\nfile = 'triples.train.small.tsv'";
        let text = "why\tlight\triver\nwhy\triver\tlight\n";
        let read = load(source, &[("triples.train.small.tsv", text)]).unwrap();
        let expected = ["1 why: 1 light | 2 river", "1 why: 2 river | 1 light"];
        assert_eq!(shown(&read), expected);
    }

    #[test]
    fn headers_blank_lines_and_empty_negatives_are_no_documents() {
        let [queries, documents] = TABLES;
        let triples = "qid\tpid+\tpid-\n\n7\t0\t1\n \n";
        let read = load(IDS, &[queries, documents, ("triples.tsv", triples)]).unwrap();
        let expected = ["7 why is the sky blue: 0 Light scatters. | 1 A river."];
        assert_eq!(shown(&read), expected);
        let source = "format = 'text-triples'\nfile = 'a.tsv'";
        let text = "query\tpositive\tnegative\n\nwhy\tlight\t \nwhy\triver\tlight\n";
        let read = load(source, &[("a.tsv", text)]).unwrap();
        assert_eq!(shown(&read), ["1 why: 1 light", "1 why: 2 river | 1 light"]);
        assert_eq!(
            (read.documents.len(), read.documents.empty_negatives),
            (2, 1)
        );
    }

    #[test]
    fn bad_lines_are_named() {
        let [queries, documents] = TABLES;
        for (triples, expected) in [
            ("7\t0\n", "triples.tsv:1: 2 columns, expected 3"),
            ("7\t0\t1\n8\t0\t1\n", "triples.tsv:2: there is no query '8'"),
            ("7\t0\t3\n", "triples.tsv:1: there is no document '3'"),
        ] {
            let files = [queries, documents, ("triples.tsv", triples)];
            let message = load(IDS, &files).unwrap_err();
            assert!(message.ends_with(expected), "{message}");
        }
        let message = load("format = 'text-triples'\nfile = 'a'", &[("a", "x\t\ty")]).unwrap_err();
        assert!(
            message.ends_with("a:1: the relevant document is empty"),
            "{message}"
        );
    }
}
