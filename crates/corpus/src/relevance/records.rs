//! What relevance data hold: texts by their ids, and examples of what answers a query.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::error::LineProblem;

/// A query or a document; clones share id and text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Text {
    /// Its id. Files that hold texts alone get numbers, in the order of first occurrence.
    pub id: Arc<str>,
    /// What it says, with white space collapsed; of a document, its title first.
    pub text: Arc<str>,
}

/// A document that a query is compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The document.
    pub document: Text,
    /// What a stronger ranker says of it; any finite number.
    pub score: Option<f32>,
}

impl Candidate {
    pub(crate) fn unscored(document: Text) -> Self {
        let score = None;
        Self { document, score }
    }
}

/// A query with the documents to be told apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The query.
    pub query: Text,
    /// At least one document. Either all have a score, or none has and the first is relevant, the
    /// others are not.
    pub candidates: Vec<Candidate>,
}

impl Example {
    /// Returns the relevant document: the first of those with the highest score; without scores, the
    /// first.
    pub fn positive(&self) -> Option<&Candidate> {
        let better = |best, next| match (best, next) {
            (Some(best), Some(next)) => best < next,
            _ => false,
        };
        let candidates = self.candidates.iter();
        candidates.reduce(|best, next| match better(best.score, next.score) {
            true => next,
            false => best,
        })
    }
}

/// Texts by their ids, in the order of their file.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    entries: Vec<Text>,
    positions: HashMap<Arc<str>, usize>,
    /// Negatives that were passed over, since nothing stood in their place.
    pub empty_negatives: usize,
}

impl Texts {
    /// Returns the text with an id.
    pub fn get(&self, id: &str) -> Option<&Text> {
        self.positions
            .get(id)
            .map(|&position| &self.entries[position])
    }

    /// Returns all texts, in the order of their file.
    pub fn iter(&self) -> std::slice::Iter<'_, Text> {
        self.entries.iter()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a text; one that is there already, word by word, is the same one.
    pub(crate) fn insert(&mut self, id: &str, text: &str) -> Result<&Text, LineProblem> {
        if let Some(&position) = self.positions.get(id) {
            let known = &self.entries[position];
            return if &*known.text == text {
                Ok(known)
            } else {
                Err(LineProblem::DuplicateId(id.to_owned()))
            };
        }
        let id: Arc<str> = id.into();
        self.positions.insert(id.clone(), self.entries.len());
        let text = text.into();
        self.entries.push(Text { id, text });
        Ok(&self.entries[self.entries.len() - 1])
    }

    /// Returns the text with an id, or why a line that names it is refused.
    pub(crate) fn named(&self, kind: &'static str, id: &str) -> Result<Text, LineProblem> {
        self.get(id).cloned().ok_or_else(|| LineProblem::UnknownId {
            kind,
            id: id.to_owned(),
        })
    }
}

/// Gives texts without ids a number each, the same text the same one.
#[derive(Debug, Default)]
pub(crate) struct Numbered {
    by_text: HashMap<Arc<str>, Text>,
    pub(crate) texts: Texts,
}

impl Numbered {
    pub(crate) fn text(&mut self, text: &str) -> Result<Text, LineProblem> {
        if let Some(known) = self.by_text.get(text) {
            return Ok(known.clone());
        }
        let number = (self.texts.len() + 1).to_string();
        let new = self.texts.insert(&number, text)?.clone();
        self.by_text.insert(new.text.clone(), new.clone());
        Ok(new)
    }
}

/// Examples and the collection that their documents are from.
#[derive(Debug, Clone)]
pub struct Relevance {
    /// The examples, in the order of their file.
    pub examples: Vec<Example>,
    /// All documents, those without an example among them.
    pub documents: Texts,
}

/// Takes an example; may end the reading.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(Example) -> ControlFlow<()>;
