//! What a test collection holds: documents, queries, judgements.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::report::BadLine;

/// The line that a document or a query was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file.
    pub file: Arc<Path>,
    /// Its line, counted from one.
    pub line: usize,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.file.display(), self.line)
    }
}

/// A document to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its id in the collection.
    pub id: String,
    /// Its title, where the collection has titles.
    pub title: Option<String>,
    /// Its text without the title; of a document that is a title alone, empty.
    pub text: String,
    /// Where it was read, if that is a line.
    pub origin: Option<Origin>,
}

impl Document {
    /// Returns what is indexed: the title, a full stop, and the text, or the one of them that there is.
    pub fn full_text(&self) -> String {
        match &self.title {
            Some(title) if self.text.is_empty() => title.clone(),
            Some(title) => format!("{title}. {}", self.text),
            None => self.text.clone(),
        }
    }
}

/// A question to the collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Its id; the same query in another language may have the same one.
    pub id: String,
    /// Its text.
    pub text: String,
    /// Its language, by the ISO 639-3 code.
    pub language: String,
    /// The document that the query was made of, to be left out of its ranking.
    pub own_document: Option<String>,
    /// Where it was read, if that is a line.
    pub origin: Option<Origin>,
}

/// How relevant a document is to a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The query's id.
    pub query: String,
    /// The document's id.
    pub document: String,
    /// The grade; zero and less mean not relevant.
    pub grade: i32,
}

/// A test collection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collection {
    /// All documents; ids are unique.
    pub documents: Vec<Document>,
    /// The queries of each language; ids are unique within a language.
    pub queries: BTreeMap<String, Vec<Query>>,
    /// For a language, the human English version of the same queries under the same ids and
    /// in the same order: an upper bound for translating them. A language has none where it would be
    /// the document, or where the collection has none of it.
    pub english: BTreeMap<String, Vec<Query>>,
    /// The judgements of the queries of all languages; each names a query that exists.
    pub judgements: Vec<Judgement>,
    /// Lines of judgements that name a query or a document that does not exist.
    pub unknown: Vec<BadLine>,
}

#[cfg(test)]
mod tests {
    use super::Document;

    #[test]
    fn a_title_goes_before_the_text() {
        let mut document = Document {
            id: "a".into(),
            title: Some("Nairobi".into()),
            text: "A city.".into(),
            origin: None,
        };
        assert_eq!(document.full_text(), "Nairobi. A city.");
        document.title = None;
        assert_eq!(document.full_text(), "A city.");
        document.title = document.text.split_off(2).into();
        document.text.clear();
        assert_eq!(document.full_text(), "city.");
    }
}
