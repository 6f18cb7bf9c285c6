//! What JSON objects of relevance data and tables have under their keys.

use serde_json::{Map, Value};

use crate::error::LineProblem;
use crate::formats::lines::collapse;

/// Returns a text with white space collapsed, unless nothing is left of it.
pub(crate) fn filled(what: &str, text: &str) -> Result<String, LineProblem> {
    let text = collapse(text);
    if text.is_empty() {
        Err(LineProblem::Empty(what.to_owned()))
    } else {
        Ok(text)
    }
}

/// Reads the object of a line.
pub(crate) fn object(line: &str) -> Result<Map<String, Value>, LineProblem> {
    let why = match serde_json::from_str(line) {
        Ok(Value::Object(object)) => return Ok(object),
        Ok(_) => "not a JSON object".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(LineProblem::Example(why))
}

/// Returns the value under the first of some keys that is there.
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

/// Returns the text under the first of some keys that is there.
pub(crate) fn string<'a>(
    object: &'a Map<String, Value>,
    keys: &[&str],
) -> Result<&'a str, LineProblem> {
    match first(object, keys)? {
        Value::String(text) => Ok(text),
        other => Err(LineProblem::Example(format!("{other} is not a text"))),
    }
}

/// Reads an id, as a text.
pub(crate) fn id(value: &Value) -> Result<String, LineProblem> {
    match value {
        Value::String(id) => trimmed_id(id),
        Value::Number(id) if id.is_u64() || id.is_i64() => Ok(id.to_string()),
        other => Err(LineProblem::Example(format!(
            "the id {other} is neither a text nor an integer"
        ))),
    }
}

/// Returns an id without blanks around it; what is within is the id's, as in judgements and runs.
pub(super) fn trimmed_id(id: &str) -> Result<String, LineProblem> {
    let id = id.trim_matches(|c: char| c.is_ascii_whitespace());
    match id {
        "" => Err(LineProblem::Empty("id".to_owned())),
        id => Ok(id.to_owned()),
    }
}

/// Reads a score.
pub(crate) fn score(value: &Value) -> Result<f32, LineProblem> {
    let score = value.as_f64().map(|score| score as f32);
    score
        .filter(|score| score.is_finite())
        .ok_or_else(|| LineProblem::Example(format!("the score {value} is not a finite number")))
}
