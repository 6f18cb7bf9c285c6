//! Files of JSON objects, one a line, with a sentence and its translation among their values.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lines::read_lines;
use super::parallel_lines::keep_full_pair;
use crate::bitext::{BitextReport, DataRoots, SentencePair, files_of};
use crate::error::{CorpusError, LineProblem};

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
    pub(crate) fn read(
        &self,
        roots: &DataRoots,
        report: &mut BitextReport,
    ) -> Result<Vec<SentencePair>, CorpusError> {
        let mut pairs = Vec::new();
        // One file may hold several languages under keys of their own.
        let shared = self.foreign.contains("{language}");
        let pattern = if shared { &self.foreign } else { &self.file };
        files_of(pattern, &self.languages)?;
        for language in &self.languages {
            let named = |pattern: &str| pattern.replace("{language}", language);
            let path = roots.resolve(&PathBuf::from(named(&self.file)));
            let keys = [self.english.clone(), named(&self.foreign)];
            for (index, line) in read_lines(&path)?.iter().enumerate() {
                if line.trim().is_empty() {
                    continue;
                }
                let refuse = |problem| CorpusError::line(&path, index + 1, problem);
                let object: Value = serde_json::from_str(line)
                    .map_err(|error| refuse(LineProblem::Pair(error.to_string())))?;
                let text = |key: &String| match at(&object, key) {
                    Some(Value::String(text)) => Ok(text.as_str()),
                    // A missing translation is no fault of the file.
                    Some(Value::Null) => Ok(""),
                    Some(_) => Err(refuse(LineProblem::Pair(format!("{key} is not a text")))),
                    None => Err(refuse(LineProblem::Pair(format!("there is no {key}")))),
                };
                let [english, foreign] = [text(&keys[0])?, text(&keys[1])?];
                keep_full_pair(english, foreign, language, &mut pairs, report);
            }
        }
        Ok(pairs)
    }
}

/// The value under a key, or under the keys between its dots.
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

    use super::*;
    use crate::bitext::BitextSource;

    fn read(text: &str, keys: &str) -> Result<Vec<SentencePair>, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.jsonl"), text).unwrap();
        let roots = DataRoots {
            base: folder.path().into(),
            cache: folder.path().into(),
        };
        let source = format!("format = 'jsonl'\nfile = 'a.jsonl'\n{keys}");
        let source: BitextSource = toml::from_str(&source).unwrap();
        let read = source.load(&roots).map_err(|error| error.to_string());
        read.map(|(pairs, _)| pairs)
    }

    fn pair(english: &str, foreign: &str, language: &str) -> SentencePair {
        SentencePair {
            english: english.into(),
            foreign: foreign.into(),
            language: language.into(),
        }
    }

    #[test]
    fn sentences_lie_under_keys_and_within_objects() {
        let text = r#"{"translation": {"en": "One.", "sw": "Moja."}, "score": 0.9}

{"translation": {"en": "Two.", "sw": null}}
"#;
        let keys = "english = 'translation.en'\nforeign = 'translation.sw'\nlanguages = ['swa']";
        assert_eq!(read(text, keys).unwrap(), [pair("One.", "Moja.", "swa")]);
        let text = r#"{"eng": "One.", "swa": "Moja.", "hau": "Ɗaya."}"#;
        let keys = "english = 'eng'\nforeign = '{language}'\nlanguages = ['swa', 'hau']";
        let expected = [pair("One.", "Moja.", "swa"), pair("One.", "Ɗaya.", "hau")];
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
