//! Texts in JSON lines: a query, a relevant document, and any number of others.
//!
//! This is what PyLate and sentence-transformers train on and what the latter's miner of hard
//! negatives writes: `query` or `anchor`, `positive`, `negative` or `negative_1` and so on, and with
//! scores a list of them (<https://sbert.net/docs/package_reference/util/hard_negatives.html>).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::bitext::records::DataRoots;
use crate::error::{CorpusError, LineProblem};
use crate::formats::lines::{collapse, each_line};
use crate::formats::values::{filled, object, score, string};
use crate::relevance::records::{Candidate, Example, Numbered, Sink, Texts};

/// Objects of texts, as named in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuples {
    /// The file.
    pub file: PathBuf,
    /// The key of the query.
    pub query: String,
    /// The key of the relevant document.
    pub positive: String,
    /// What the keys of the other documents begin with, if there are any: `negative` stands for
    /// `negative`, `negative_1`, `negative_2`, …; a text each, or a list of texts. An empty text is no
    /// negative, nor is its score one.
    pub negative: Option<String>,
    /// The key of the list of scores, if there is one: the relevant document's, then the others'.
    pub scores: Option<String>,
}

impl Tuples {
    pub(crate) fn read(&self, roots: &DataRoots, sink: Sink<'_>) -> Result<Texts, CorpusError> {
        let (mut queries, mut documents) = (Numbered::default(), Numbered::default());
        let mut empty_negatives = 0;
        each_line(&roots.resolve(&self.file), |_, line| {
            let object = object(line)?;
            let query = queries.text(&filled(&self.query, string(&object, &[&self.query])?)?)?;
            let mut texts = vec![string(&object, &[&self.positive])?];
            if let Some(prefix) = &self.negative {
                texts.extend(numbered(&object, prefix)?);
            }
            let scores = self.scores(&object, texts.len())?;
            let mut candidates = Vec::with_capacity(texts.len());
            for (text, score) in texts.into_iter().zip(scores) {
                let text = collapse(text);
                // Exports of tables have an empty text where a query has fewer negatives than others.
                if text.is_empty() && !candidates.is_empty() {
                    empty_negatives += 1;
                    continue;
                }
                let document = documents.text(&filled(&self.positive, &text)?)?;
                candidates.push(Candidate { document, score });
            }
            Ok(sink(Example { query, candidates }))
        })?;
        documents.texts.empty_negatives = empty_negatives;
        Ok(documents.texts)
    }

    fn scores(
        &self,
        object: &Map<String, Value>,
        count: usize,
    ) -> Result<Vec<Option<f32>>, LineProblem> {
        let Some(key) = &self.scores else {
            return Ok(vec![None; count]);
        };
        match object.get(key) {
            Some(Value::Array(scores)) if scores.len() == count => {
                scores.iter().map(|value| score(value).map(Some)).collect()
            }
            _ => Err(LineProblem::Example(format!(
                "{key} is not a list of {count} scores"
            ))),
        }
    }
}

/// Returns the texts under `prefix` and under `prefix_1`, `prefix_2`, …, in the order of their numbers.
fn numbered<'a>(object: &'a Map<String, Value>, prefix: &str) -> Result<Vec<&'a str>, LineProblem> {
    let number = |key: &str| match key.strip_prefix(prefix)? {
        "" => Some(0),
        rest => rest.strip_prefix('_')?.parse::<u64>().ok(),
    };
    let mut found: Vec<(u64, &str, &Value)> = object
        .iter()
        .filter_map(|(key, value)| Some((number(key)?, key.as_str(), value)))
        .collect();
    found.sort_by_key(|(number, ..)| *number);
    let mut texts = Vec::with_capacity(found.len());
    for (_, key, value) in found {
        let refuse = || LineProblem::Example(format!("{key} is not a text"));
        match value {
            // A row of a table with fewer negatives than others.
            Value::Null => {}
            Value::Array(list) => {
                for text in list {
                    texts.push(text.as_str().ok_or_else(refuse)?);
                }
            }
            text => texts.push(text.as_str().ok_or_else(refuse)?),
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::testing::{load, shown};

    fn read(keys: &str, lines: &str) -> Result<Vec<String>, String> {
        let source = format!("format = 'tuples'\nfile = 'a.jsonl'\n{keys}");
        load(&source, &[("a.jsonl", lines)]).map(|read| shown(&read))
    }

    #[test]
    fn negatives_are_read_in_the_order_of_their_numbers() {
        let keys = "query = 'anchor'\npositive = 'positive'\nnegative = 'negative'";
        let line = r#"{"anchor": "who", "positive": "me", "negative_10": "c", "negative_2": "b",
            "negative": "a", "negative_3": null, "negatively": "no", "negative_x": "no"}"#;
        let line = line.replace('\n', " ");
        assert_eq!(
            read(keys, &line).unwrap(),
            ["1 who: 1 me | 2 a | 3 b | 4 c"]
        );
        let line = r#"{"anchor": "who", "positive": "me", "negative": ["a", "me"]}"#;
        assert_eq!(read(keys, line).unwrap(), ["1 who: 1 me | 2 a | 1 me"]);
    }

    #[test]
    fn scores_belong_to_positive_and_negatives_in_turn() {
        let keys =
            "query = 'query'\npositive = 'positive'\nnegative = 'negative'\nscores = 'score'";
        let line =
            r#"{"query": "who", "positive": "me", "negative_1": "you", "score": [0.9, 0.1]}"#;
        assert_eq!(read(keys, line).unwrap(), ["1 who: 1 me 0.9 | 2 you 0.1"]);
        let message = read(keys, &line.replace(", 0.1", "")).unwrap_err();
        let expected = "a.jsonl:1: is not an example: score is not a list of 2 scores";
        assert!(message.ends_with(expected), "{message}");
    }

    #[test]
    fn an_empty_negative_is_none_and_an_empty_positive_is_named() {
        let keys = "query = 'anchor'\npositive = 'positive'\nnegative = 'negative'";
        let line = r#"{"anchor": "who", "positive": "me", "negative": "", "negative_1": "a", "negative_2": [" ", "b"]}"#;
        assert_eq!(read(keys, line).unwrap(), ["1 who: 1 me | 2 a | 3 b"]);
        let scored = format!("{keys}\nscores = 'scores'");
        let line =
            r#"{"anchor": "who", "positive": "me", "negative": ["", "a"], "scores": [3, 2, 1]}"#;
        assert_eq!(read(&scored, line).unwrap(), ["1 who: 1 me 3 | 2 a 1"]);
        let source = format!("format = 'tuples'\nfile = 'a.jsonl'\n{keys}");
        let line = r#"{"anchor": "who", "positive": "me", "negative": ""}"#;
        let read = load(&source, &[("a.jsonl", line)]).unwrap();
        assert_eq!(shown(&read), ["1 who: 1 me"]);
        assert_eq!(read.documents.empty_negatives, 1);
        for (key, line) in [
            ("positive", line.replace("\"me\"", "\" \"")),
            ("anchor", line.replace("\"who\"", "\"\"")),
        ] {
            let message = load(&source, &[("a.jsonl", &line)]).unwrap_err();
            let expected = format!("a.jsonl:1: the {key} is empty");
            assert!(message.ends_with(&expected), "{message}");
        }
    }

    #[test]
    fn pairs_of_texts_have_no_negative() {
        let keys = "query = 'query'\npositive = 'text'";
        let line =
            r#"{"id": "medquad-1", "query": "who", "text": "me", "url": "https://example.org"}"#;
        assert_eq!(read(keys, line).unwrap(), ["1 who: 1 me"]);
        for (line, expected) in [
            (
                "{\"query\": \"who\"}",
                "there is no text; its keys are query",
            ),
            ("{\"query\": 1, \"text\": \"me\"}", "1 is not a text"),
        ] {
            let message = read(keys, line).unwrap_err();
            let expected = format!("a.jsonl:1: is not an example: {expected}");
            assert!(message.ends_with(&expected), "{message}");
        }
    }
}
