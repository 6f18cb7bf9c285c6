//! What ranks a collection for queries: BM25, or a late-interaction model.

use anyhow::Context;
use burn::tensor::Device;
use optical_corpus::relevance::{Text, Texts};
use optical_encoder::{EncodeSettings, Head, Model};
use optical_retrieval::{Bm25Index, Bm25Settings, ExactIndex, Hit, Index, QueryRef};
use optical_tokenize::Role;
use rayon::prelude::*;

use super::MineArgs;
use super::questions::Questions;
use crate::experiment::check::collections::tokenless;
use crate::experiment::check::lengths::length;
use crate::experiment::findings::{Findings, named};
use crate::experiment::index::Indexing;
use crate::experiment::ranking::encode_queries;
use crate::interrupt::Interrupt;
use crate::{cache, key, model_source};

pub(super) enum Ranker {
    Bm25(Bm25Index),
    LateInteraction {
        model: Box<Model>,
        head: Head,
        index: ExactIndex,
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
        args: &MineArgs,
        questions: &Questions,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Self> {
        let device = args.device.open()?;
        let name = args.model.as_deref().unwrap_or_default();
        let cache = cache::folder()?;
        let folder = model_source::folder(name, &cache, args.offline)?;
        let model = Model::load(&folder, &device).with_context(|| format!("model {name}"))?;
        model_source::say_left_out(name, &model);
        let head = model.head_or_identity();
        let most = model.maximum_length();
        for length in [args.query_length, args.document_length] {
            model.check_length(length.unwrap_or(most))?;
        }
        let encode = |role, length: Option<usize>| EncodeSettings {
            role,
            maximum_length: length.unwrap_or(most),
            tokens_per_batch: args.batch,
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
                encode(Role::Query, args.query_length),
            ),
            (
                "--document-length",
                &documents,
                "documents",
                encode(Role::Document, args.document_length),
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
        findings.told()?;
        let indexing = Indexing {
            cache: &cache,
            device: &device,
            interrupt,
            any_device: false,
            encode: encode(Role::Document, args.document_length),
        };
        let kept = indexing.index(&model, &key::of_model(&folder)?, &head, &documents)?;
        let encode = encode(Role::Query, args.query_length);
        Ok(Self::LateInteraction {
            model: Box::new(model),
            head,
            index: kept.index,
            encode,
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
                model,
                head,
                index,
                encode,
                device,
            } => {
                let texts: Vec<&str> = pairs.iter().map(|(query, _)| &*query.text).collect();
                let vectors = encode_queries(model, head, &texts, *encode, device)?;
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
