//! How texts are read and ranked.

use optical_encoder::EncodeSettings;
use optical_tokenize::Role;
use serde::{Deserialize, Serialize};

/// The measures of a report that names none.
pub const MEASURES: [&str; 4] = ["map", "ndcg_cut_10", "recall_100", "recip_rank_cut_10"];

/// Encoding and searching.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrievalSettings {
    /// Whose vectors documents are found by.
    pub documents: DocumentReader,
    /// The most tokens per query.
    pub query_length: usize,
    /// The most tokens per document; the rest is cut.
    pub document_length: usize,
    /// Tokens that go through the encoder at once.
    pub tokens_per_batch: usize,
    /// Documents a run keeps for each query.
    pub depth: usize,
    /// Sentences of each language that its mean token vector is of, which is taken from its queries for
    /// the English one; without the key, no query is shifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_shift: Option<usize>,
    /// BM25's saturation of repeated words.
    pub bm25_k1: f32,
    /// BM25's discount of long documents.
    pub bm25_b: f32,
}

/// Whose vectors documents are found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DocumentReader {
    /// The frozen teacher's: one index serves every student.
    Teacher,
    /// Each student's own: one encoder for queries and documents, and an index of its own.
    Student,
}

impl RetrievalSettings {
    /// Returns how queries are cut and batched.
    pub fn queries(&self) -> EncodeSettings {
        EncodeSettings {
            role: Role::Query,
            maximum_length: self.query_length,
            tokens_per_batch: self.tokens_per_batch,
        }
    }

    /// Returns how documents are cut and batched.
    pub fn documents(&self) -> EncodeSettings {
        EncodeSettings {
            role: Role::Document,
            maximum_length: self.document_length,
            tokens_per_batch: self.tokens_per_batch,
        }
    }
}
