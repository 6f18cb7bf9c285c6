//! The conventions of ColBERT checkpoints: markers that are tokens, and queries filled up with `[MASK]`.
//!
//! Khattab and Zaharia 2020 (arXiv 2004.12832), Santhanam et al. 2022 (ColBERTv2, arXiv 2112.01488);
//! as in Stanford's `colbert-ai` 0.2.22 and in PyLate 1.6 (Chaffin and Sourty 2025, arXiv 2508.03555).
//! Unlike with [`Markers`](crate::Markers), special tokens and markers are kept: they have vectors
//! that take part in the late interaction. Of a document, the entries of a skip list do not.

use std::collections::BTreeSet;

use tokenizers::Encoding;

use crate::{Role, TokenSequence, TokenizeError};

/// What a ColBERT checkpoint expects of its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Colbert {
    /// Vocabulary entry after the first token of a query, such as `"[unused0]"`; empty for none.
    pub query_marker: String,
    /// Vocabulary entry after the first token of a document; empty for none.
    pub document_marker: String,
    /// The largest number of tokens of a query.
    pub query_length: usize,
    /// The largest number of tokens of a document.
    pub document_length: usize,
    /// Whether queries are filled up to their length with masks, whose vectors are kept.
    pub expand_queries: bool,
    /// Whether other tokens attend to those masks.
    pub attend_to_expansion: bool,
    /// Vocabulary entries whose vectors are not kept in documents, such as punctuation; one that the
    /// vocabulary lacks stands for the unknown token.
    pub skiplist: Vec<String>,
    /// Whether spaces around a text are taken away first.
    pub strip: bool,
}

/// [`Colbert`] in the ids of a vocabulary.
#[derive(Debug, Clone)]
pub(crate) struct ColbertIds {
    pub(crate) conventions: Colbert,
    query_marker: Option<u32>,
    document_marker: Option<u32>,
    mask: u32,
    skipped: BTreeSet<u32>,
}

impl ColbertIds {
    /// Looks the conventions' entries up.
    pub(crate) fn new(
        conventions: Colbert,
        id: impl Fn(&str) -> Option<u32>,
        unknown: Option<u32>,
    ) -> Result<Self, TokenizeError> {
        let marker = |entry: &str| {
            let known = || id(entry).ok_or_else(|| TokenizeError::NoEntry(entry.to_owned()));
            (!entry.is_empty()).then(known).transpose()
        };
        let mask = ["[MASK]", "<mask>"].iter().find_map(|entry| id(entry));
        if conventions.expand_queries && mask.is_none() {
            return Err(TokenizeError::NoEntry("[MASK]".into()));
        }
        let skipped = conventions.skiplist.iter();
        Ok(Self {
            query_marker: marker(&conventions.query_marker)?,
            document_marker: marker(&conventions.document_marker)?,
            mask: mask.unwrap_or_default(),
            skipped: skipped.filter_map(|entry| id(entry).or(unknown)).collect(),
            conventions,
        })
    }

    /// Returns the ids that the conventions need, which pruning has to keep.
    pub(crate) fn needed(&self) -> BTreeSet<u32> {
        let mut needed = self.skipped.clone();
        needed.extend(self.query_marker);
        needed.extend(self.document_marker);
        needed.extend(self.conventions.expand_queries.then_some(self.mask));
        needed
    }

    /// Returns the largest number of tokens of a text of this role.
    pub(crate) fn length(&self, role: Role) -> usize {
        match role {
            Role::Query => self.conventions.query_length,
            Role::Document => self.conventions.document_length,
        }
    }

    /// Returns the marker of a role.
    pub(crate) fn marker(&self, role: Role) -> Option<u32> {
        match role {
            Role::Query => self.query_marker,
            Role::Document => self.document_marker,
        }
    }

    /// Returns the text itself.
    pub(crate) fn stripped<'a>(&self, text: &'a str) -> &'a str {
        // What Python's `str.strip` takes away; the four separators are not white space in Unicode.
        let space =
            |letter: char| letter.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&letter);
        if self.conventions.strip {
            text.trim_matches(space)
        } else {
            text
        }
    }

    /// Returns the sequence of a text with its special tokens, of at most `length` tokens with its
    /// marker.
    pub(crate) fn sequence(&self, encoding: &Encoding, role: Role, length: usize) -> TokenSequence {
        let mut ids = encoding.get_ids().to_vec();
        let special = encoding.get_special_tokens_mask().iter();
        let mut text: Vec<bool> = special.map(|&special| special == 0).collect();
        if let Some(marker) = self.marker(role) {
            let place = 1.min(ids.len());
            ids.insert(place, marker);
            text.insert(place, false);
        }
        if role == Role::Document {
            return TokenSequence {
                kept: ids.iter().map(|id| !self.skipped.contains(id)).collect(),
                text,
                ..TokenSequence::plain(ids)
            };
        }
        let own = ids.len();
        if self.conventions.expand_queries {
            ids.resize(length.max(own), self.mask);
            text.resize(ids.len(), false);
        }
        let expansion = ids.len() - own;
        TokenSequence {
            text,
            expansion,
            unattended: if self.conventions.attend_to_expansion {
                0
            } else {
                expansion
            },
            ..TokenSequence::plain(ids)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::tests::tiny_unigram;
    use crate::{Markers, TokenBatch, Tokenizer};

    fn conventions() -> Colbert {
        Colbert {
            query_marker: "▁query".into(),
            document_marker: "b".into(),
            query_length: 8,
            document_length: 6,
            expand_queries: true,
            attend_to_expansion: false,
            skiplist: vec![":".into(), "no entry".into()],
            strip: true,
        }
    }

    fn with(conventions: Colbert) -> Tokenizer {
        let tokenizer = Tokenizer::from_bytes(&tiny_unigram(), Markers::default()).unwrap();
        tokenizer.with_colbert(conventions).unwrap()
    }

    fn spell(tokenizer: &Tokenizer, sequence: &TokenSequence) -> String {
        let pieces = sequence.ids.iter().map(|&id| tokenizer.piece(id).unwrap());
        pieces.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn queries_are_marked_and_filled_up_with_masks() {
        let tokenizer = with(conventions());
        let query = tokenizer.encode("  a ", Role::Query, 100).unwrap();
        assert_eq!(
            spell(&tokenizer, &query),
            "<s> ▁query ▁a </s> <mask> <mask> <mask> <mask>"
        );
        assert_eq!((query.unattended, query.kept), (4, vec![true; 8]));
        let short = tokenizer.encode("a", Role::Query, 5).unwrap();
        assert_eq!((short.ids.len(), short.unattended), (5, 1));
        let attending = with(Colbert {
            attend_to_expansion: true,
            ..conventions()
        });
        assert_eq!(
            attending.encode("a", Role::Query, 100).unwrap().unattended,
            0
        );
        let bare = with(Colbert {
            expand_queries: false,
            query_marker: String::new(),
            ..conventions()
        });
        let query = bare.encode("a", Role::Query, 100).unwrap();
        assert_eq!(spell(&bare, &query), "<s> ▁a </s>");
    }

    #[test]
    fn long_texts_are_cut_with_room_for_the_marker() {
        let tokenizer = with(conventions());
        let query = tokenizer
            .encode(&"a ".repeat(20), Role::Query, 100)
            .unwrap();
        assert_eq!(spell(&tokenizer, &query), "<s> ▁query ▁a ▁a ▁a ▁a ▁a </s>");
        let document = tokenizer
            .encode(&"a ".repeat(20), Role::Document, 100)
            .unwrap();
        assert_eq!(spell(&tokenizer, &document), "<s> b ▁a ▁a ▁a </s>");
        let none = tokenizer.encode("a", Role::Query, 3).unwrap_err();
        assert!(matches!(
            none,
            TokenizeError::TooShort {
                maximum: 3,
                special: 3
            }
        ));
    }

    #[test]
    fn skipped_entries_and_unknown_ones_are_read_but_not_kept() {
        let tokenizer = with(conventions());
        let document = tokenizer.encode("a:d?", Role::Document, 100).unwrap();
        assert_eq!(spell(&tokenizer, &document), "<s> b ▁a : d </s>");
        assert_eq!(document.kept, [true, true, true, false, true, true]);
        let unknown = tokenizer.encode("a?", Role::Document, 100).unwrap();
        assert_eq!(spell(&tokenizer, &unknown), "<s> b ▁a <unk> </s>");
        assert_eq!(unknown.kept, [true, true, true, false, true]);
        let query = tokenizer.encode("a:", Role::Query, 100).unwrap();
        assert_eq!(query.kept, [true; 8]);
    }

    #[test]
    fn entries_that_are_kept_know_what_they_were_read_from() {
        let tokenizer = with(conventions());
        let text = "  a:d";
        let spans = |role| tokenizer.kept_spans(text, role, 100).unwrap();
        let words = |role| -> Vec<&str> {
            let spans = spans(role).into_iter();
            spans.map(|span| text[span].trim()).collect()
        };
        // <s> b ▁a d </s>, and <s> ▁query ▁a : d </s> <mask> <mask>.
        assert_eq!(words(Role::Document), ["", "", "a", "d", ""]);
        assert_eq!(words(Role::Query), ["", "", "a", ":", "d", "", "", ""]);
    }

    #[test]
    fn masks_that_nobody_attends_to_are_kept_but_hidden() {
        let tokenizer = with(conventions());
        let batch = tokenizer
            .batch(&["a", "a a a a a a a"], Role::Query, 100)
            .unwrap();
        assert_eq!(batch.width, 8);
        assert_eq!(
            batch.mask[..8],
            [true, true, true, true, false, false, false, false]
        );
        assert_eq!(batch.mask[8..], [true; 8]);
        assert_eq!(batch.kept, [true; 16]);
        assert_eq!(TokenBatch::pad(&[], 0).rows, 0);
    }

    #[test]
    fn a_marker_that_is_no_entry_is_named() {
        let tokenizer = Tokenizer::from_bytes(&tiny_unigram(), Markers::default()).unwrap();
        let wrong = Colbert {
            query_marker: "[Q] ".into(),
            ..conventions()
        };
        let error = tokenizer.with_colbert(wrong).unwrap_err().to_string();
        assert!(error.contains("no entry \"[Q] \""), "{error}");
    }
}
