//! Names of files in run files: one or several, with `{language}` where those of languages differ.

use serde::{Deserialize, Serialize};

use crate::error::CorpusError;

/// A name, or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a name, or a list of names")]
pub enum Names {
    /// One.
    One(String),
    /// Several, in the order in which they are read.
    Several(Vec<String>),
}

impl Names {
    /// Returns the names; `key` is what a run file calls them.
    pub(crate) fn list(&self, key: &'static str) -> Result<&[String], CorpusError> {
        match self {
            Self::One(name) => Ok(std::slice::from_ref(name)),
            Self::Several(names) if names.is_empty() => Err(CorpusError::EmptyList(key)),
            Self::Several(names) => Ok(names),
        }
    }
}

/// Returns each language with its file, where each has one.
pub(crate) fn files_of(
    pattern: &str,
    languages: &[String],
) -> Result<Vec<(String, String)>, CorpusError> {
    if languages.is_empty() {
        return Err(CorpusError::EmptyList("languages"));
    }
    if 1 < languages.len() && !is_pattern(pattern) {
        return Err(CorpusError::NotAPattern(pattern.to_owned()));
    }
    let file = |language: &String| (language.clone(), named(pattern, language));
    Ok(languages.iter().map(file).collect())
}

/// Returns each language with its file and what it is called there, where one of the two tells
/// languages apart: a file may hold several.
pub(crate) fn called_in(
    file: &str,
    name: &str,
    languages: &[String],
) -> Result<Vec<(String, String, String)>, CorpusError> {
    files_of(if is_pattern(name) { name } else { file }, languages)?;
    let called = |language: &String| {
        (
            language.clone(),
            named(file, language),
            named(name, language),
        )
    };
    Ok(languages.iter().map(called).collect())
}

/// Whether languages have names of their own.
pub(crate) fn is_pattern(name: &str) -> bool {
    name.contains("{language}")
}

/// Returns the name for a language.
pub(crate) fn named(pattern: &str, language: &str) -> String {
    pattern.replace("{language}", language)
}
