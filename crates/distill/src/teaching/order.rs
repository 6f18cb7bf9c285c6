//! Examples as tokens, and the order in which a training sees them.

use std::collections::{BTreeSet, HashMap};

use optical_tokenize::{Role, TokenBatch, TokenSequence, TokenizeError, Tokenizer};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::{RankingText, TeachSettings};
use crate::error::DistillError;
use crate::rounds::{Rounds, stream};
use crate::tokenized::Renumbering;

/// What a training learns from.
pub(super) struct Examples {
    examples: Vec<Example>,
    /// Every document once.
    documents: Vec<TokenSequence>,
    candidates: usize,
    padding: u32,
    seed: u64,
    rounds: Rounds,
}

struct Example {
    query: TokenSequence,
    /// Positions among the documents, the relevant one first.
    documents: Vec<usize>,
    /// Of each document, or nothing.
    scores: Vec<f32>,
}

/// Queries with as many documents each.
#[derive(Debug)]
pub(super) struct RankingBatch {
    pub(super) queries: TokenBatch,
    /// The candidates of the first query, the relevant one first; then those of the second …
    pub(super) documents: TokenBatch,
    /// Of each document, or nothing.
    pub(super) scores: Vec<f32>,
}

impl Examples {
    /// Tokenizes the texts; those without enough scores are left out if scores are learned from.
    pub(super) fn new(
        settings: &TeachSettings,
        texts: &[RankingText],
        tokenizer: &Tokenizer,
    ) -> Result<Self, DistillError> {
        let mut positions: HashMap<&str, usize> = HashMap::new();
        let mut documents: Vec<&str> = Vec::new();
        let needs_scores = 0.0 < settings.objectives.scores;
        let usable = |text: &&RankingText| {
            !text.documents.is_empty()
                && (!needs_scores || settings.candidates <= text.scores.len())
        };
        let texts: Vec<&RankingText> = texts.iter().filter(usable).collect();
        let mut placed = Vec::with_capacity(texts.len());
        for text in &texts {
            let mut places: Vec<usize> = Vec::with_capacity(text.documents.len());
            for document in &text.documents {
                places.push(*positions.entry(document).or_insert_with(|| {
                    documents.push(document);
                    documents.len() - 1
                }));
            }
            let mut scores = text.scores.clone();
            let positive = text.positive();
            places.swap(0, positive);
            if !scores.is_empty() {
                scores.swap(0, positive);
            }
            placed.push((places, scores));
        }
        let tokens = |texts: &[&str], role| -> Result<Vec<TokenSequence>, TokenizeError> {
            tokenizer.encode_many(texts, role, settings.length(role))
        };
        let queries: Vec<&str> = texts.iter().map(|text| &*text.query).collect();
        let queries = tokens(&queries, Role::Query)?;
        let examples: Vec<Example> = queries
            .into_iter()
            .zip(placed)
            .map(|(query, (documents, scores))| Example {
                query,
                documents,
                scores,
            })
            .collect();
        if examples.is_empty() {
            return Err(DistillError::NoExamples {
                candidates: settings.candidates,
            });
        }
        let seed = settings.training.seed;
        Ok(Self {
            rounds: Rounds::new(seed, "examples", examples.len()),
            seed,
            examples,
            documents: tokens(&documents, Role::Document)?,
            candidates: settings.candidates,
            padding: tokenizer.padding_id(),
        })
    }

    /// Returns vocabulary entries that queries and documents consist of.
    pub(super) fn used(&self) -> BTreeSet<u32> {
        let queries = self.examples.iter().map(|example| &example.query);
        let texts = queries.chain(&self.documents);
        texts.flat_map(|text| text.ids.iter().copied()).collect()
    }

    /// Puts the numbers of `to`'s vocabulary, which has all pieces used, in place of those of `from`.
    ///
    /// # Errors
    /// If it lacks one.
    pub(super) fn renumber(
        &mut self,
        from: &Tokenizer,
        to: &Tokenizer,
    ) -> Result<(), DistillError> {
        let renumbering = Renumbering::new(&self.used(), from, to)?;
        let queries = self.examples.iter_mut().map(|example| &mut example.query);
        let texts = queries.chain(&mut self.documents);
        texts.for_each(|text| renumbering.apply(text));
        self.padding = to.padding_id();
        Ok(())
    }

    pub(super) fn count(&self) -> usize {
        self.examples.len()
    }

    /// Returns the batch of a step, counted from zero, a pure function of the examples, the seed
    /// and the step: examples are shuffled, gone through to their end, and shuffled anew.
    pub(super) fn batch(&self, step: u64, batch_size: usize, parts: usize) -> Vec<RankingBatch> {
        let places = step * batch_size as u64..(step + 1) * batch_size as u64;
        let examples = self.rounds.at(places.clone());
        let chosen: Vec<(usize, u64)> = examples.into_iter().zip(places).collect();
        let size = chosen.len().div_ceil(parts);
        chosen
            .chunks(size)
            .map(|chosen| self.part(chosen))
            .collect()
    }

    fn part(&self, chosen: &[(usize, u64)]) -> RankingBatch {
        let (mut queries, mut documents, mut scores) = (Vec::new(), Vec::new(), Vec::new());
        for &(index, place) in chosen {
            let example = &self.examples[index];
            queries.push(example.query.clone());
            let mut draw = stream(self.seed, "candidates", place);
            for candidate in self.candidates_of(example, &mut draw) {
                documents.push(self.documents[candidate.document].clone());
                scores.extend(candidate.score);
            }
        }
        if scores.len() < documents.len() {
            scores.clear();
        }
        RankingBatch {
            queries: TokenBatch::pad(&queries, self.padding),
            documents: TokenBatch::pad(&documents, self.padding),
            scores,
        }
    }

    /// Returns the relevant document and others of the example; then any other documents.
    fn candidates_of(&self, example: &Example, draw: &mut ChaCha8Rng) -> Vec<Candidate> {
        let mut others: Vec<usize> = (1..example.documents.len()).collect();
        others.shuffle(draw);
        let own = std::iter::once(0).chain(others).take(self.candidates);
        let mut candidates: Vec<Candidate> = own
            .map(|place| Candidate {
                document: example.documents[place],
                score: example.scores.get(place).copied(),
            })
            .collect();
        // Where an example has all documents there are, some come twice.
        let others_exist = example.documents.len() < self.documents.len();
        while candidates.len() < self.candidates {
            let document = draw.random_range(0..self.documents.len());
            if !(others_exist && example.documents.contains(&document)) {
                candidates.push(Candidate {
                    document,
                    score: None,
                });
            }
        }
        candidates
    }
}

struct Candidate {
    document: usize,
    score: Option<f32>,
}
