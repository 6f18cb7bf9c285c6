//! A Hugging Face tokenizer with markers, lengths and kept tokens.

use std::collections::BTreeSet;
use std::ops::Range;

use rayon::prelude::*;
use tokenizers::utils::truncation::TruncationDirection;

use crate::colbert::ColbertIds;
use crate::{Colbert, TokenBatch, TokenSequence};

/// Why text could not be turned into tokens.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizeError {
    /// The bytes are not a `tokenizer.json`.
    #[error("not a tokenizer.json: {0}")]
    Parse(String),
    /// None of the usual padding tokens is in the vocabulary.
    #[error("the vocabulary has no padding token; expected one of <pad>, [PAD]")]
    NoPadding,
    /// The vocabulary lacks an entry that the encoder's conventions need.
    #[error("the vocabulary has no entry {0:?}, which texts are marked with")]
    NoEntry(String),
    /// The library refused a text.
    #[error("text {index} cannot be tokenized: {reason}")]
    Encode {
        /// Position of the text in the call.
        index: usize,
        /// What the tokenizer library said.
        reason: String,
    },
    /// No room is left for the text once special tokens are added.
    #[error("a maximum length of {maximum} leaves no room beside {special} special tokens")]
    TooShort {
        /// The maximum asked for.
        maximum: usize,
        /// Special tokens that each text gets.
        special: usize,
    },
}

/// The part a text plays in retrieval: some encoders read a marker that says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// What is searched for.
    Query,
    /// What is searched in.
    Document,
}

/// Text put in front of queries and documents; empty where an encoder knows no markers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Markers {
    /// Put in front of a query, such as `"query: "`.
    pub query: String,
    /// Put in front of a document, such as `"passage: "`.
    pub document: String,
}

/// A `tokenizer.json` with the markers of its encoder.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    markers: Markers,
    padding_id: u32,
    special_tokens: usize,
    /// Where long texts are cut.
    cut_at: TruncationDirection,
    colbert: Option<ColbertIds>,
}

impl Tokenizer {
    /// Reads the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// If the bytes are malformed, or the vocabulary has no padding token.
    pub fn from_bytes(bytes: &[u8], markers: Markers) -> Result<Self, TokenizeError> {
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes)
            .map_err(|error| TokenizeError::Parse(error.to_string()))?;
        let truncation = inner.get_truncation();
        let cut_at = truncation.map_or(TruncationDirection::Right, |own| own.direction);
        // Lengths are this crate's business: a file's own settings would pad or cut a second time.
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|error| TokenizeError::Parse(error.to_string()))?;
        let padding_id = ["<pad>", "[PAD]"]
            .iter()
            .find_map(|token| inner.token_to_id(token))
            .ok_or(TokenizeError::NoPadding)?;
        let special_tokens = inner.get_post_processor().map_or(0, |processor| {
            tokenizers::PostProcessor::added_tokens(processor, false)
        });
        Ok(Self {
            inner,
            markers,
            padding_id,
            special_tokens,
            cut_at,
            colbert: None,
        })
    }

    /// Turns the tokenizer into that of a ColBERT checkpoint.
    ///
    /// # Errors
    /// If the vocabulary lacks a marker, or the mask that queries are filled up with.
    pub fn with_colbert(mut self, conventions: Colbert) -> Result<Self, TokenizeError> {
        let unknown = ["[UNK]", "<unk>"].iter().find_map(|token| self.id(token));
        self.colbert = Some(ColbertIds::new(
            conventions,
            |entry| self.id(entry),
            unknown,
        )?);
        Ok(self)
    }

    /// Returns the conventions of a ColBERT checkpoint.
    pub fn colbert(&self) -> Option<&Colbert> {
        self.colbert.as_ref().map(|colbert| &colbert.conventions)
    }

    /// Returns the most tokens of a text of this role that the encoder was trained for, if it says so.
    pub fn length(&self, role: Role) -> Option<usize> {
        self.colbert.as_ref().map(|colbert| colbert.length(role))
    }

    /// Returns the ids that the encoder's conventions need, whatever the texts are: pruning has to keep
    /// them.
    pub fn needed_ids(&self) -> BTreeSet<u32> {
        let colbert = self.colbert.as_ref();
        colbert.map(ColbertIds::needed).unwrap_or_default()
    }

    /// Returns the id after the end of a text in a batch.
    pub fn padding_id(&self) -> u32 {
        self.padding_id
    }

    /// Returns the markers put in front of texts.
    pub fn markers(&self) -> &Markers {
        &self.markers
    }

    /// Returns the number of vocabulary entries, added tokens included.
    pub fn vocabulary_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Returns the vocabulary entries that a text is spelled with, without markers and special tokens.
    ///
    /// # Errors
    /// If the library refuses it.
    pub fn pieces(&self, text: &str) -> Result<Vec<String>, TokenizeError> {
        let encoding = self.inner.encode(text, false);
        let encoding = encoding.map_err(|error| TokenizeError::Encode {
            index: 0,
            reason: error.to_string(),
        })?;
        Ok(encoding.get_tokens().to_vec())
    }

    /// Returns the vocabulary entry of an id, such as `"▁dunia"`.
    pub fn piece(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Returns the id of a vocabulary entry.
    pub fn id(&self, piece: &str) -> Option<u32> {
        self.inner.token_to_id(piece)
    }

    /// Returns the least length that leaves room for a token of a text itself, beside special tokens
    /// and what marks a text of this role.
    ///
    /// # Errors
    /// If the library refuses the marker.
    pub fn least_length(&self, role: Role) -> Result<usize, TokenizeError> {
        let marker = self.marker(role);
        let marker_entry = self.colbert.as_ref().and_then(|it| it.marker(role));
        let marked = self.pieces(marker)?.len() + usize::from(marker_entry.is_some());
        Ok(self.special_tokens + marked + 1)
    }

    /// Whether a text has a token that is kept. Of a long text, its beginning is looked at first.
    ///
    /// # Errors
    /// Fails as [`Self::encode`] does.
    pub fn has_tokens(
        &self,
        text: &str,
        role: Role,
        maximum: usize,
    ) -> Result<bool, TokenizeError> {
        let kept = |text: &str| -> Result<bool, TokenizeError> {
            Ok(self.encode(text, role, maximum)?.kept.contains(&true))
        };
        let beginning = text
            .char_indices()
            .nth(64)
            .map_or(text, |(end, _)| &text[..end]);
        Ok(kept(beginning)? || beginning.len() < text.len() && kept(text)?)
    }

    fn marker(&self, role: Role) -> &str {
        match role {
            Role::Query => &self.markers.query,
            Role::Document => &self.markers.document,
        }
    }

    /// Returns the tokens of one text with its marker and special tokens, at most `maximum` of them,
    /// and of a ColBERT checkpoint at most as many as it was trained for.
    ///
    /// # Errors
    /// If `maximum` leaves no room for the text, or the library refuses it.
    pub fn encode(
        &self,
        text: &str,
        role: Role,
        maximum: usize,
    ) -> Result<TokenSequence, TokenizeError> {
        Ok(self.read(text, role, maximum)?.0)
    }

    /// Returns the bytes of a text that each of its kept tokens was read from, in the order of the
    /// tokens; nothing for a special token, a marker or a mask that is kept.
    ///
    /// # Errors
    /// Fails as [`Self::encode`] does.
    pub fn kept_spans(
        &self,
        text: &str,
        role: Role,
        maximum: usize,
    ) -> Result<Vec<Range<usize>>, TokenizeError> {
        let (sequence, encoding, before) = self.read(text, role, maximum)?;
        let place = |offset: usize| offset.saturating_add_signed(-before).min(text.len());
        let read = encoding.get_offsets().iter();
        let mut spans: Vec<Range<usize>> =
            read.map(|&(start, end)| place(start)..place(end)).collect();
        let marker = self.colbert.as_ref().and_then(|it| it.marker(role));
        if marker.is_some() {
            spans.insert(1.min(spans.len()), 0..0);
        }
        spans.resize(sequence.ids.len(), 0..0);
        let kept = spans.into_iter().zip(sequence.kept);
        Ok(kept
            .filter_map(|(span, kept)| kept.then_some(span))
            .collect())
    }

    /// Reads a text as tokens and as the library has it, with the number of bytes before it, below zero
    /// for fewer.
    fn read(
        &self,
        text: &str,
        role: Role,
        maximum: usize,
    ) -> Result<(TokenSequence, tokenizers::Encoding, isize), TokenizeError> {
        let marker = self.marker(role);
        let marked = format!("{marker}{text}");
        let Some(colbert) = &self.colbert else {
            let encoding = self.encoding(&marked, maximum, 0)?;
            let kept: Vec<bool> = encoding
                .get_offsets()
                .iter()
                .zip(encoding.get_special_tokens_mask())
                .map(|(&(_, end), &special)| special == 0 && end > marker.len())
                .collect();
            let sequence = TokenSequence {
                text: kept.clone(),
                kept,
                ..TokenSequence::plain(encoding.get_ids().to_vec())
            };
            return Ok((sequence, encoding, marker.len() as isize));
        };
        let maximum = maximum.min(colbert.length(role));
        let reserved = usize::from(colbert.marker(role).is_some());
        let stripped = colbert.stripped(&marked);
        let encoding = self.encoding(stripped, maximum, reserved)?;
        let sequence = colbert.sequence(&encoding, role, maximum);
        let stripped_off = marked.find(stripped).unwrap_or(0);
        let before = marker.len() as isize - stripped_off as isize;
        Ok((sequence, encoding, before))
    }

    /// Returns the tokens of a text with its special ones, at most `maximum` of them less `reserved`.
    fn encoding(
        &self,
        text: &str,
        maximum: usize,
        reserved: usize,
    ) -> Result<tokenizers::Encoding, TokenizeError> {
        let special = self.special_tokens + reserved;
        if maximum <= special {
            return Err(TokenizeError::TooShort { maximum, special });
        }
        let refused = |error: tokenizers::Error| TokenizeError::Encode {
            index: 0,
            reason: error.to_string(),
        };
        let mut encoding = self.inner.encode(text, false).map_err(refused)?;
        encoding.truncate(maximum - special, 0, self.cut_at);
        self.inner
            .post_process(encoding, None, true)
            .map_err(refused)
    }

    /// Returns the tokens of several texts, made on all processors.
    ///
    /// # Errors
    /// Fails as [`Self::encode`] does, with the position of the text refused.
    pub fn encode_many(
        &self,
        texts: &[&str],
        role: Role,
        maximum: usize,
    ) -> Result<Vec<TokenSequence>, TokenizeError> {
        texts
            .par_iter()
            .enumerate()
            .map(|(index, text)| {
                self.encode(text, role, maximum)
                    .map_err(|error| match error {
                        TokenizeError::Encode { reason, .. } => {
                            TokenizeError::Encode { index, reason }
                        }
                        other => other,
                    })
            })
            .collect()
    }

    /// Returns the tokens of several texts, padded to the longest.
    ///
    /// # Errors
    /// Fails as [`Self::encode_many`] does.
    pub fn batch(
        &self,
        texts: &[&str],
        role: Role,
        maximum: usize,
    ) -> Result<TokenBatch, TokenizeError> {
        let sequences = self.encode_many(texts, role, maximum)?;
        Ok(TokenBatch::pad(&sequences, self.padding_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prune::tests::tiny_unigram;

    fn tokenizer() -> Tokenizer {
        let markers = Markers {
            query: "query: ".into(),
            document: String::new(),
        };
        Tokenizer::from_bytes(&tiny_unigram(), markers).unwrap()
    }

    #[test]
    fn markers_and_special_tokens_are_read_but_not_kept() {
        let sequence = tokenizer().encode("dunia", Role::Query, 16).unwrap();
        let kept: Vec<_> = sequence
            .ids
            .iter()
            .zip(&sequence.kept)
            .filter(|(_, kept)| **kept)
            .map(|(&id, _)| tokenizer().piece(id).unwrap())
            .collect();
        assert_eq!(kept, ["▁dunia"]);
        assert!(
            sequence.ids.len() > 3,
            "marker and special tokens are missing"
        );
        let plain = tokenizer().encode("dunia", Role::Document, 16).unwrap();
        assert_eq!(plain.ids.len(), 3);
    }

    #[test]
    fn kept_tokens_know_what_they_were_read_from() {
        let text = " a  dunia";
        let read = |role, maximum| tokenizer().kept_spans(text, role, maximum).unwrap();
        let words = |spans: &[Range<usize>]| -> Vec<&str> {
            spans.iter().map(|span| text[span.clone()].trim()).collect()
        };
        // With a marker before the text, and without one.
        assert_eq!(words(&read(Role::Query, 16)), ["a", "dunia"]);
        assert_eq!(words(&read(Role::Document, 16)), ["a", "dunia"]);
        assert_eq!(words(&read(Role::Document, 3)), ["a"]);
    }

    #[test]
    fn long_texts_keep_their_closing_token() {
        let sequence = tokenizer()
            .encode("a a a a a a", Role::Document, 4)
            .unwrap();
        assert_eq!(sequence.ids.len(), 4);
        assert_eq!(tokenizer().piece(sequence.ids[3]).unwrap(), "</s>");
        let refused = tokenizer().encode("a", Role::Document, 2);
        assert!(matches!(
            refused,
            Err(TokenizeError::TooShort {
                maximum: 2,
                special: 2
            })
        ));
    }

    #[test]
    fn the_least_length_has_room_for_a_marker_and_a_token() {
        let tokenizer = tokenizer();
        for role in [Role::Query, Role::Document] {
            let least = tokenizer.least_length(role).unwrap();
            let kept = |length| tokenizer.encode("a a a", role, length).unwrap().kept;
            assert!(kept(least).contains(&true), "{role:?}");
            let shorter = tokenizer.encode("a a a", role, least - 1);
            assert!(!shorter.is_ok_and(|it| it.kept.contains(&true)), "{role:?}");
        }
    }

    #[test]
    fn a_text_of_a_marker_alone_has_no_tokens() {
        let tokenizer = tokenizer();
        let has = |text: &str| tokenizer.has_tokens(text, Role::Query, 16).unwrap();
        assert!(!has("") && !has(" ") && !has(&" ".repeat(200)));
        assert!(has("a") && has(&(" ".repeat(200) + "a")));
    }

    #[test]
    fn batches_are_padded_behind_the_text() {
        let batch = tokenizer()
            .batch(&["a", "a a a"], Role::Document, 16)
            .unwrap();
        assert_eq!((batch.rows, batch.width), (2, 5));
        assert_eq!(batch.mask[..5], [true, true, true, false, false]);
        assert_eq!(batch.ids[3], tokenizer().padding_id());
        assert_eq!(
            (batch.kept_tokens(0), batch.kept_tokens(1)),
            (vec![1], vec![6, 7, 8])
        );
    }

    #[test]
    fn long_texts_are_cut_at_the_side_that_the_file_says() {
        let cut = |side: &str| {
            let mut json: serde_json::Value = serde_json::from_slice(&tiny_unigram()).unwrap();
            json["truncation"] = serde_json::json!({"direction": side, "max_length": 2,
                "strategy": "LongestFirst", "stride": 0});
            let json = json.to_string();
            let tokenizer = Tokenizer::from_bytes(json.as_bytes(), Markers::default()).unwrap();
            let ids = tokenizer.encode("a dunia", Role::Document, 3).unwrap().ids;
            tokenizer.piece(ids[1]).unwrap()
        };
        assert_eq!(cut("Right"), "▁a");
        assert_eq!(cut("Left"), "▁dunia");
    }
}
