//! BM25, the lexical baseline, over the crate `bm25`.
//!
//! Words are runs of alphanumeric characters (Unicode), lower-cased; no stemming, no stop words, so
//! the same rule serves every language, as well as whole words can. Scores are
//!
//! ```text
//! Σ over query words  ln(1 + (N − n + ½) / (n + ½)) · f (k1 + 1) / (f + k1 (1 − b + b · l / mean l))
//! ```
//!
//! with `N` documents, of which `n` have the word, `f` times in this one of `l` words; a word that
//! the query repeats counts as often (Robertson and Zaragoza, 2009, with Lucene's logarithm, which
//! keeps every weight positive). The crate knows words by their 64-bit hashes: a collision would
//! merge two words, and is not to be expected below billions of them.

use std::collections::HashMap;

use ::bm25::{Embedder, EmbedderBuilder, Scorer, Tokenizer};

use crate::ranking::{Best, Hit};

/// BM25's two constants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bm25Settings {
    /// How slowly repetitions of a word saturate; not negative.
    pub k1: f32,
    /// How much long documents are marked down, from 0, not at all, to 1, in full.
    pub b: f32,
}

/// Why documents or settings were refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Bm25Error {
    /// A document id was given twice.
    #[error("document {0:?} is there twice")]
    Duplicate(String),
    /// A constant lies outside its domain.
    #[error("{0} = {1} is out of range")]
    Setting(&'static str, f32),
}

/// Documents as bags of words, searched by BM25.
pub struct Bm25Index {
    ids: Vec<String>,
    positions: HashMap<String, usize>,
    embedder: Embedder<u64, Words>,
    scorer: Scorer<usize, u64>,
}

impl Bm25Index {
    /// Indexes documents, each an id and a text; a text may be empty.
    ///
    /// # Errors
    /// If an id comes twice, `k1` is negative or `b` is not within 0 and 1.
    pub fn new<I, T>(
        documents: impl IntoIterator<Item = (I, T)>,
        settings: Bm25Settings,
    ) -> Result<Self, Bm25Error>
    where
        I: Into<String>,
        T: AsRef<str>,
    {
        let Bm25Settings { k1, b } = settings;
        if !(0.0..f32::INFINITY).contains(&k1) {
            return Err(Bm25Error::Setting("k1", k1));
        }
        if !(0.0..=1.0).contains(&b) {
            return Err(Bm25Error::Setting("b", b));
        }
        let (ids, texts): (Vec<String>, Vec<T>) = documents
            .into_iter()
            .map(|(id, text)| (id.into(), text))
            .unzip();
        let mut positions = HashMap::new();
        for (position, id) in ids.iter().enumerate() {
            if positions.insert(id.clone(), position).is_some() {
                return Err(Bm25Error::Duplicate(id.clone()));
            }
        }
        let corpus: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        let embedder =
            EmbedderBuilder::<u64, Words>::with_tokenizer_and_fit_to_corpus(Words, &corpus)
                .k1(k1)
                .b(b)
                .build();
        let mut scorer = Scorer::new();
        for (position, text) in corpus.iter().enumerate() {
            scorer.upsert(&position, embedder.embed(text));
        }
        Ok(Self {
            ids,
            positions,
            embedder,
            scorer,
        })
    }

    /// The score of one document for the query, zero where they share no word; `None` if the id is
    /// not indexed.
    #[must_use]
    pub fn score(&self, query: &str, id: &str) -> Option<f32> {
        let position = self.positions.get(id)?;
        self.scorer.score(position, &self.embedder.embed(query))
    }

    /// Returns the best `k` documents that share a word with the query, best first; ties by id,
    /// descending. Ids in `excluded` that are not indexed are no error.
    #[must_use]
    pub fn search(&self, query: &str, k: usize, excluded: &[&str]) -> Vec<Hit> {
        let mut best = Best::new(k);
        for document in self.scorer.matches(&self.embedder.embed(query)) {
            let id = self.ids[document.id].as_str();
            if !excluded.contains(&id) {
                best.offer(id, document.score);
            }
        }
        best.into_hits()
    }

    /// The number of documents.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// Splits a text into lower-cased runs of alphanumeric characters.
struct Words;

impl Tokenizer for Words {
    fn tokenize(&self, text: &str) -> Vec<String> {
        let words = text.split(|character: char| !character.is_alphanumeric());
        words
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SETTINGS: Bm25Settings = Bm25Settings { k1: 0.9, b: 0.4 };

    /// The formula of the module's head, written out in double precision.
    #[test]
    fn scores_are_those_of_the_formula() {
        let documents = [
            (
                "d1",
                "In the beginning God created the heaven and the earth",
            ),
            ("d2", "The earth was without form, and void"),
            ("d3", "Let there be light"),
        ];
        let index = Bm25Index::new(documents, SETTINGS).unwrap();
        let hits = index.search("The EARTH, the light?", 10, &[]);
        let words = |text: &str| Words.tokenize(text);
        let lengths: Vec<f64> = documents
            .iter()
            .map(|(_, text)| words(text).len() as f64)
            .collect();
        let mean = lengths.iter().sum::<f64>() / 3.0;
        for ((id, text), length) in documents.iter().zip(&lengths) {
            let mut expected = 0.0;
            for word in ["the", "earth", "the", "light"] {
                let count = |text: &str| words(text).iter().filter(|it| *it == word).count() as f64;
                let having = documents
                    .iter()
                    .filter(|(_, text)| count(text) > 0.0)
                    .count() as f64;
                let weight = (1.0 + (3.0 - having + 0.5) / (having + 0.5)).ln();
                let f = count(text);
                expected += weight * f * 1.9 / (f + 0.9 * (1.0 - 0.4 + 0.4 * length / mean));
            }
            let hit = hits.iter().find(|hit| hit.id == *id).unwrap();
            assert!(
                (f64::from(hit.score) - expected).abs() < 1e-5,
                "{id}: {} {expected}",
                hit.score
            );
        }
        assert_eq!(hits.len(), 3);
        for hit in hits {
            let score = index.score("The EARTH, the light?", &hit.id);
            assert_eq!(score, Some(hit.score));
        }
        assert_eq!(index.score("unheard of", "d1"), Some(0.0));
        assert_eq!(index.score("light", "d4"), None);
    }

    #[test]
    fn words_of_any_script_are_found_and_ties_are_ordered() {
        let documents = [
            ("a", "Düsseldorf"),
            ("b", "ÀYÀ ńlá"),
            ("c", "düsseldorf"),
            ("d", ""),
        ];
        let index = Bm25Index::new(documents, SETTINGS).unwrap();
        let ids = |hits: Vec<Hit>| hits.into_iter().map(|hit| hit.id).collect::<Vec<_>>();
        assert_eq!(ids(index.search("DÜSSELDORF!", 10, &[])), ["c", "a"]);
        assert_eq!(ids(index.search("DÜSSELDORF!", 1, &["c", "x"])), ["a"]);
        assert_eq!(ids(index.search("àyà", 10, &[])), ["b"]);
        assert!(index.search("unheard of", 10, &[]).is_empty());
        assert_eq!(index.len(), 4);
    }

    #[test]
    fn bad_settings_and_duplicates_are_refused() {
        let new = |k1, b| Bm25Index::new([("a", "x"), ("b", "y")], Bm25Settings { k1, b });
        assert!(new(0.0, 1.0).is_ok());
        for (k1, b) in [(-0.1, 0.4), (f32::NAN, 0.4), (0.9, 1.1), (0.9, -0.1)] {
            assert!(matches!(new(k1, b), Err(Bm25Error::Setting(..))));
        }
        let twice = Bm25Index::new([("a", "x"), ("a", "y")], SETTINGS);
        assert!(matches!(twice, Err(Bm25Error::Duplicate(id)) if id == "a"));
        let none: [(&str, &str); 0] = [];
        assert!(
            Bm25Index::new(none, SETTINGS)
                .unwrap()
                .search("x", 1, &[])
                .is_empty()
        );
    }
}
