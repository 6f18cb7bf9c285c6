//! What ranks a collection for queries: BM25, or a late-interaction model.

use burn::tensor::Device;
use optical_corpus::relevance::{Text, Texts};
use optical_encoder::EncodeSettings;
use optical_experiment::{Findings, Site, length, named, tokenless};
use optical_retrieval::{Bm25Index, Bm25Settings, Hit, Index, QueryRef};
use optical_store::{Indexing, Reader};
use optical_tokenize::Role;
use rayon::prelude::*;

use crate::questions::Questions;

/// A late-interaction model that ranks.
#[derive(Debug, Clone)]
pub struct ModelRanking {
    /// A Hugging Face folder, `dataset:NAME` or `hub:OWNER/NAME`.
    pub model: String,
    /// Tokens that a query may have; the model's most if not given.
    pub query_length: Option<usize>,
    /// Tokens that a document may have; the model's most if not given.
    pub document_length: Option<usize>,
    /// Tokens that go through the encoder at once, padding included.
    pub tokens_per_batch: usize,
}

pub(super) enum Ranker {
    Bm25(Bm25Index),
    LateInteraction {
        reader: Box<Reader>,
        index: Box<dyn Index>,
        encode: EncodeSettings,
        device: Device,
    },
}

/// A ranking, and what the relevant document scores.
#[derive(Debug, Clone, Default)]
pub(super) struct Ranked {
    pub(super) hits: Vec<Hit>,
    pub(super) positive: f32,
}

impl Ranker {
    pub(super) fn bm25(documents: &Texts, settings: Bm25Settings) -> anyhow::Result<Self> {
        let documents = documents.iter().map(|text| (&*text.id, &*text.text));
        Ok(Self::Bm25(Bm25Index::new(documents, settings)?))
    }

    /// Loads the model and encodes the documents, or finds their vectors in the cache.
    pub(super) fn model(
        ranking: &ModelRanking,
        questions: &Questions,
        site: &Site,
    ) -> anyhow::Result<Self> {
        let device = site.device().clone();
        let reader = site.store.reader(&ranking.model, &device)?;
        let model = &reader.model;
        let most = model.maximum_length();
        for length in [ranking.query_length, ranking.document_length] {
            model.check_length(length.unwrap_or(most))?;
        }
        let encode = |role, length: Option<usize>| EncodeSettings {
            role,
            maximum_length: length.unwrap_or(most),
            tokens_per_batch: ranking.tokens_per_batch,
        };
        let documents = questions.documents.iter();
        let documents: Vec<_> = documents.map(|text| (&*text.id, &*text.text)).collect();
        let queries = questions.pairs.iter().map(|(query, _)| query);
        let mut queries: Vec<_> = queries.map(|text| (&*text.id, &*text.text)).collect();
        queries.sort_unstable();
        queries.dedup();
        let mut findings = Findings::default();
        for (key, texts, what, encode) in [
            (
                "--query-length",
                &queries,
                "queries",
                encode(Role::Query, ranking.query_length),
            ),
            (
                "--document-length",
                &documents,
                "documents",
                encode(Role::Document, ranking.document_length),
            ),
        ] {
            let EncodeSettings {
                role,
                maximum_length,
                ..
            } = encode;
            let (tokenizer, most) = (&model.tokenizer, model.config.maximum_length());
            length(tokenizer, most, key, maximum_length, role, &mut findings)?;
            let texts: Vec<_> = texts.iter().map(|&(id, text)| (id, text, &None)).collect();
            let without = tokenless(tokenizer, most, &texts, encode)?;
            if !without.is_empty() {
                findings.warn(format!(
                    "{what} without a token, which are passed over, {} of {}: {}",
                    without.len(),
                    texts.len(),
                    named(&without)
                ));
            }
        }
        findings.told(&site.store.host)?;
        let encode_queries = encode(Role::Query, ranking.query_length);
        let indexing = Indexing {
            store: &site.store,
            device: &device,
            any_device: false,
            encode: encode(Role::Document, ranking.document_length),
        };
        let heads = [&reader.head];
        let mut kept = indexing.indexes(model, &reader.key, &heads, &documents)?;
        Ok(Self::LateInteraction {
            index: kept.remove(0).index,
            reader: Box::new(reader),
            encode: encode_queries,
            device,
        })
    }

    /// Ranks the best `depth` documents for the query of each pair.
    pub(super) fn rank(&self, pairs: &[(Text, Text)], depth: usize) -> anyhow::Result<Vec<Ranked>> {
        match self {
            Self::Bm25(index) => Ok(pairs
                .par_iter()
                .map(|(query, positive)| Ranked {
                    hits: index.search(&query.text, depth, &[]),
                    positive: index.score(&query.text, &positive.id).unwrap_or(0.0),
                })
                .collect()),
            Self::LateInteraction {
                reader,
                index,
                encode,
                device,
            } => {
                let texts: Vec<&str> = pairs.iter().map(|(query, _)| &*query.text).collect();
                let vectors = reader.encode(&texts, *encode, device)?;
                let queries = vectors.iter().map(|vectors| QueryRef {
                    vectors,
                    excluded: &[],
                });
                let rankings = index.search_many(&queries.collect::<Vec<_>>(), depth)?;
                let asked = pairs.iter().zip(vectors.iter().zip(rankings));
                let ranked = asked.map(|((_, positive), (vectors, hits))| {
                    // Without tokens, a query finds nothing and a relevant document has no score.
                    let score = match vectors.is_empty() {
                        true => None,
                        false => index.score(vectors, &positive.id)?,
                    };
                    let ranked = score.map(|positive| Ranked { hits, positive });
                    Ok(ranked.unwrap_or_default())
                });
                ranked.collect()
            }
        }
    }
}
