//! How held-out queries find their relevant documents among each other's.

use std::collections::BTreeMap;

use burn::prelude::*;
use optical_encoder::Model;
use optical_tokenize::{Role, TokenBatch};

use super::{RankingText, TeachSettings};
use crate::error::DistillError;
use crate::instruments::{Encoded, Reading};

/// The language that relevance data are in.
const LANGUAGE: &str = "eng";

/// Queries and their relevant documents that are not trained on.
pub(super) struct HeldOut {
    queries: TokenBatch,
    documents: TokenBatch,
    /// Cosine within a query before training.
    at_start: f64,
}

impl HeldOut {
    /// Texts as the pupil reads them, which began as `start` with a larger vocabulary.
    pub(super) fn new(
        settings: &TeachSettings,
        texts: &[RankingText],
        [start, pupil]: [&Model; 2],
        device: &Device,
    ) -> Result<Self, DistillError> {
        let queries: Vec<&str> = texts.iter().map(|text| &*text.query).collect();
        let documents: Vec<&str> = texts
            .iter()
            .map(|text| &*text.documents[text.positive()])
            .collect();
        let batch = |model: &Model, texts: &[&str], role| {
            model.tokenizer.batch(texts, role, settings.length(role))
        };
        let at_start = batch(start, &queries, Role::Query)?;
        Ok(Self {
            queries: batch(pupil, &queries, Role::Query)?,
            documents: batch(pupil, &documents, Role::Document)?,
            at_start: encoded(start, &at_start, device).within_sentence_cosine()?,
        })
    }

    pub(super) fn read(&self, model: &Model, device: &Device) -> Result<Reading, DistillError> {
        let queries = encoded(model, &self.queries, device);
        let documents = encoded(model, &self.documents, device);
        let mates = queries.mates(&documents)?;
        Ok(Reading {
            within_sentence_cosine: queries.within_sentence_cosine()?,
            teacher_within_sentence_cosine: self.at_start,
            mates: BTreeMap::from([(LANGUAGE.to_owned(), mates)]),
        })
    }
}

fn encoded(model: &Model, batch: &TokenBatch, device: &Device) -> Encoded {
    Encoded::new(model, &model.head_or_identity().on(device), batch, device)
}
