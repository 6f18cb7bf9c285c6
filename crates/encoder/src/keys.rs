//! The keys of a JSON file of settings, each checked where it is read.

use std::path::PathBuf;

use serde_json::Value;

use crate::EncoderError;
use crate::read::read_json;

/// Longest text that a file may claim, far beyond any encoder's.
const LONGEST: u64 = 1 << 20;

/// A file of keys and values.
pub(crate) struct Keys {
    pub(crate) path: PathBuf,
    pub(crate) json: Value,
}

impl Keys {
    /// Reads a file; `None` where there is no such file.
    pub(crate) fn read(path: PathBuf) -> Result<Option<Self>, EncoderError> {
        let json = read_json(&path)?;
        Ok(json.map(|json| Self { path, json }))
    }

    pub(crate) fn text(&self, key: &str, default: &str) -> Result<String, EncoderError> {
        match &self.json[key] {
            Value::Null => Ok(default.to_owned()),
            Value::String(text) => Ok(text.clone()),
            _ => Err(self.refuse(key, "a text")),
        }
    }

    pub(crate) fn flag(&self, key: &str, default: bool) -> Result<bool, EncoderError> {
        match &self.json[key] {
            Value::Null => Ok(default),
            Value::Bool(flag) => Ok(*flag),
            _ => Err(self.refuse(key, "true or false")),
        }
    }

    pub(crate) fn length(&self, key: &str, default: usize) -> Result<usize, EncoderError> {
        if self.json[key].is_null() {
            return Ok(default);
        }
        let length = self.json[key]
            .as_u64()
            .filter(|length| (1..=LONGEST).contains(length));
        let length = length.and_then(|length| usize::try_from(length).ok());
        length.ok_or_else(|| self.refuse(key, &format!("1 to {LONGEST}")))
    }

    /// Returns a length, or none where the file gives none, or a number beyond all texts, which is
    /// how the Hugging Face library writes that it knows none.
    pub(crate) fn limit(&self, key: &str) -> Result<Option<usize>, EncoderError> {
        match self.json[key].as_f64() {
            Some(beyond) if (LONGEST as f64) < beyond => Ok(None),
            _ if self.json[key].is_null() => Ok(None),
            _ => self.length(key, 1).map(Some),
        }
    }

    pub(crate) fn refuse(&self, key: &str, expected: &str) -> EncoderError {
        EncoderError::Config {
            path: self.path.clone(),
            reason: format!("{key} = {}, expected {expected}", self.json[key]),
        }
    }
}
