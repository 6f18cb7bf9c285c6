//! Files of JSON objects, one per line, with a sentence and its translation among their values.

use optical_files::text::Lines;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bitext::records::DataRoots;
use crate::error::{CorpusError, LineProblem};
use crate::formats::files::called_in;
use crate::intake::Intake;

/// Files of sentence pairs, as named in a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jsonl {
    /// The file, with `{language}` where files of several languages differ.
    pub file: String,
    /// The key of the English sentence; a dot leads into an object, as in `translation.en`.
    pub english: String,
    /// The key of the translation, in which `{language}` stands for the language.
    pub foreign: String,
    /// The languages to read, by their ISO 639-3 codes.
    pub languages: Vec<String>,
}

impl Jsonl {
    pub(crate) fn read(&self, roots: &DataRoots, into: &mut Intake<'_>) -> Result<(), CorpusError> {
        for (language, file, key) in called_in(&self.file, &self.foreign, &self.languages)? {
            let path = roots.named(&file);
            let keys = [self.english.clone(), key];
            let mut lines = Lines::open(&path)?;
            let mut file = into.file(&path, &language)?;
            while let Some(line) = lines.next()? {
                if line.as_ref().is_ok_and(|line| line.trim().is_empty()) {
                    file.skip();
                    continue;
                }
                match line
                    .map_err(LineProblem::from)
                    .and_then(|line| sides(line, &keys))
                {
                    Ok([english, foreign]) => file.pair(&english, &foreign)?,
                    Err(problem) => file.bad(problem),
                }
            }
            file.end()?;
        }
        Ok(())
    }
}

/// Returns the texts under both keys of a line's object; a missing one is not the file's fault.
fn sides(line: &str, keys: &[String; 2]) -> Result<[String; 2], LineProblem> {
    let object: Value =
        serde_json::from_str(line).map_err(|error| LineProblem::Pair(error.to_string()))?;
    let text = |key: &String| match at(&object, key) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Null) => Ok(String::new()),
        Some(_) => Err(LineProblem::Pair(format!("{key} is not a text"))),
        None => Err(LineProblem::Pair(format!(
            "there is no {key}{}",
            keys_of(&object)
        ))),
    };
    Ok([text(&keys[0])?, text(&keys[1])?])
}

/// Returns the keys that an object has, for an error.
fn keys_of(object: &Value) -> String {
    let keys = object.as_object().map(|object| {
        let keys: Vec<&str> = object.keys().map(String::as_str).collect();
        format!("; its keys are {}", keys.join(", "))
    });
    keys.unwrap_or_default()
}

/// Returns the value under a key, or under the keys between its dots.
fn at<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    if let Some(value) = object.get(key) {
        return Some(value);
    }
    let (first, rest) = key.split_once('.')?;
    at(object.get(first)?, rest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::testing::{folder, pairs_of};

    fn read(text: &str, keys: &str) -> Result<Vec<String>, String> {
        let (_folder, roots) = folder(&[("a.jsonl", text)]);
        let source = format!("format = 'jsonl'\nfile = 'a.jsonl'\n{keys}");
        let read = crate::testing::read(&[source], &roots, "");
        read.map(|(bitext, _)| pairs_of(bitext))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn sentences_lie_under_keys_and_within_objects() {
        let text = r#"{"translation": {"en": "One.", "sw": "Moja."}, "score": 0.9}

{"translation": {"en": "Two.", "sw": null}}
"#;
        let keys = "english = 'translation.en'\nforeign = 'translation.sw'\nlanguages = ['swa']";
        assert_eq!(read(text, keys).unwrap(), ["One. = Moja."]);
        let text = r#"{"eng": "One.", "swa": "Moja.", "hau": "Ɗaya."}"#;
        let keys = "english = 'eng'\nforeign = '{language}'\nlanguages = ['swa', 'hau']";
        let expected = ["One. = Moja.", "One. = Ɗaya."];
        assert_eq!(read(text, keys).unwrap(), expected);
        let keys = "english = 'eng'\nforeign = 'swa'\nlanguages = ['swa', 'hau']";
        assert!(read(text, keys).unwrap_err().contains("several languages"));
    }

    #[test]
    fn bad_lines_name_their_place_and_key() {
        let keys = "english = 'en'\nforeign = 'sw'\nlanguages = ['swa']";
        for (line, expected) in [
            (
                "{\"en\": 1, \"sw\": \"Moja.\"}",
                "a.jsonl:2: is not a sentence pair: en is not a text",
            ),
            (
                "{\"en\": \"One.\"}",
                "a.jsonl:2: is not a sentence pair: there is no sw",
            ),
            ("[]", "a.jsonl:2: is not a sentence pair: there is no en"),
            ("{\"en\": ", "a.jsonl:2: is not a sentence pair: EOF"),
        ] {
            let text = format!("{{\"en\": \"\", \"sw\": \"\"}}\n{line}\n");
            let message = read(&text, keys).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }
}
