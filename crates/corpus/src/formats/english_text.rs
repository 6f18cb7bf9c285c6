//! Files of English text: a passage per line, or under a key of a JSON object per line.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::lines::{collapse, each_line};
use super::values::{object, string};
use crate::error::{CorpusError, LineProblem};

/// A file of English text, as named in a run file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a path, or a table with file and key for a file of JSON objects"
)]
pub enum EnglishText {
    /// A text file.
    Lines(PathBuf),
    /// A file of JSON objects.
    Objects(Objects),
}

/// A file with a JSON object per line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objects {
    /// The file.
    pub file: PathBuf,
    /// The key of the text; other keys are not read.
    pub key: String,
}

impl EnglishText {
    /// Returns the file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Lines(path) => path,
            Self::Objects(objects) => &objects.file,
        }
    }

    /// Calls `receive` with every text, white space collapsed, until it breaks; blank ones are passed over.
    ///
    /// # Errors
    /// If the file cannot be read, or a line is not UTF-8 or not an object with a text under the key.
    pub fn each(
        &self,
        mut receive: impl FnMut(String) -> ControlFlow<()>,
    ) -> Result<(), CorpusError> {
        each_line(self.path(), |_, line| {
            let text = match self {
                Self::Lines(_) => collapse(line),
                Self::Objects(Objects { key, .. }) => of_object(line, key)?,
            };
            Ok(match text.is_empty() {
                true => ControlFlow::Continue(()),
                false => receive(text),
            })
        })
    }
}

fn of_object(line: &str, key: &str) -> Result<String, LineProblem> {
    Ok(collapse(string(&object(line)?, &[key])?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(settings: &str, content: &str) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("texts");
        std::fs::write(&path, content).unwrap();
        let settings = settings.replace("FILE", path.to_str().unwrap());
        let table: toml::Table = toml::from_str(&settings).unwrap();
        let source: EnglishText = table["text"].clone().try_into().map_err(message)?;
        let mut texts = Vec::new();
        let read = source.each(|text| {
            texts.push(text);
            ControlFlow::Continue(())
        });
        read.map(|()| texts).map_err(message)
    }

    fn message(error: impl std::fmt::Display) -> String {
        error.to_string()
    }

    #[test]
    fn texts_are_lines_or_values_of_a_key() {
        let lines = "text = 'FILE'";
        assert_eq!(
            read(lines, " One  two.\n\nThree.\n").unwrap(),
            ["One two.", "Three."]
        );
        let objects = "text = { file = 'FILE', key = 'query' }";
        let content =
            "{\"id\": 1, \"query\": \"Who?\"}\n{\"query\": \" \"}\n{\"query\": \"When?\"}";
        assert_eq!(read(objects, content).unwrap(), ["Who?", "When?"]);
    }

    #[test]
    fn what_is_not_a_text_is_refused_by_line() {
        let objects = "text = { file = 'FILE', key = 'query' }";
        for (content, expected) in [
            ("{\"query\": \"Who?\"}\n{\"question\": \"When?\"}", ":2: "),
            ("{\"query\": 1}", ":1: "),
            ("Who?", ":1: "),
        ] {
            let message = read(objects, content).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
        let message = read("text = { file = 'FILE', column = 1 }", "").unwrap_err();
        assert!(message.contains("file and key"), "{message}");
    }
}
