//! How a manifest describes the database.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What a manifest says about the database.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BibleLayout {
    /// Texts that stand in place of a verse that an edition does not have.
    pub placeholders: Vec<String>,
    /// How remarks in place of a verse begin.
    pub remarks: Vec<String>,
    /// The editions by their code in the database.
    pub editions: BTreeMap<String, Edition>,
}

/// An edition of the Bible.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edition {
    /// Its language, by the ISO 639-3 code.
    pub language: String,
    /// Its title and year.
    pub title: String,
    /// Under which terms it may be used, in words.
    pub licence: String,
}
