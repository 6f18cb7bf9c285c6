//! BM25, the lexical baseline.
//!
//! Words are those of [`words`]; no stemming, no stop words, so the same rule serves every language,
//! as well as whole words can. Scores are
//!
//! ```text
//! Σ over query words  ln(1 + (N − n + ½) / (n + ½)) · f (k1 + 1) / (f + k1 (1 − b + b · l / mean l))
//! ```
//!
//! with `N` documents, of which `n` have the word, `f` times in this one of `l` words; a word that
//! the query repeats counts as often (Robertson and Zaragoza, 2009, with Lucene's logarithm, which
//! keeps every weight positive).
//!
//! A query may also be a list of [`QueryTerm`]s, each of which stands for several words of the
//! documents with probabilities `p`. Then `f` and `n` are expectations (Darwish and Oard, 2003,
//! equations of their "probabilistic structured queries"):
//!
//! ```text
//! f = Σ over words w  p(w) · occurrences of w in the document
//! n = Σ over words w  p(w) · documents that have w
//! ```

use std::collections::HashMap;

use crate::ranking::{Best, Hit};
use crate::words::words;

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
    /// A constant is outside its domain.
    #[error("{0} = {1} is out of range")]
    Setting(&'static str, f32),
    /// Documents are numbered in 32 bits.
    #[error("{0} documents are more than an index can hold")]
    TooMany(usize),
}

/// One term of a query: the words of the documents that it may stand for.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryTerm {
    /// What the term's score is multiplied by.
    pub weight: f64,
    /// Words as [`words`] gives them, each once, with probabilities whose sum is at most one.
    pub words: Vec<(String, f64)>,
}

impl QueryTerm {
    /// Creates the term of a word that stands for itself.
    #[must_use]
    pub fn word(word: String) -> Self {
        Self {
            weight: 1.0,
            words: vec![(word, 1.0)],
        }
    }
}

/// Documents as bags of words, searched by BM25.
///
/// A word takes 8 bytes for every document that has it, and its own spelling once.
pub struct Bm25Index {
    ids: Vec<String>,
    places: HashMap<String, u32>,
    /// `k1 (1 − b + b · l / mean l)` of each document.
    lengths: Vec<f64>,
    postings: HashMap<String, Vec<Posting>>,
    k1: f64,
}

/// How often a word is in a document.
struct Posting {
    document: u32,
    occurrences: u32,
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
        let (mut ids, mut lengths) = (Vec::new(), Vec::new());
        let mut postings: HashMap<String, Vec<Posting>> = HashMap::new();
        let mut places = HashMap::new();
        for (id, text) in documents {
            let id = id.into();
            let document =
                u32::try_from(ids.len()).map_err(|_| Bm25Error::TooMany(ids.len() + 1))?;
            if places.insert(id.clone(), document).is_some() {
                return Err(Bm25Error::Duplicate(id));
            }
            let mut length = 0.0;
            for word in words(text.as_ref()) {
                length += 1.0;
                let postings = postings.entry(word).or_default();
                match postings.last_mut() {
                    Some(last) if last.document == document => last.occurrences += 1,
                    _ => postings.push(Posting {
                        document,
                        occurrences: 1,
                    }),
                }
            }
            ids.push(id);
            lengths.push(length);
        }
        let (k1, b) = (f64::from(k1), f64::from(b));
        // Where no document has a word, none is ever scored.
        let mean = (lengths.iter().sum::<f64>() / lengths.len().max(1) as f64).max(1.0);
        for length in &mut lengths {
            *length = k1 * (1.0 - b + b * *length / mean);
        }
        Ok(Self {
            ids,
            places,
            lengths,
            postings,
            k1,
        })
    }

    /// Returns the score of one document for the query, zero where they share no word; `None` if the id
    /// is not indexed.
    #[must_use]
    pub fn score(&self, query: &str, id: &str) -> Option<f32> {
        let document = *self.places.get(id)?;
        let found = words(query).filter_map(|word| {
            let postings = self.postings.get(&word)?;
            let place = postings
                .binary_search_by_key(&document, |posting| posting.document)
                .ok()?;
            let frequency = f64::from(postings[place].occurrences);
            let weight = self.rarity(postings.len() as f64);
            Some(self.saturated(weight, frequency, document as usize))
        });
        Some(found.fold(0.0, |sum, score| sum + score) as f32)
    }

    /// Returns the best `k` documents that share a word with the query, best first; ties by id,
    /// descending. Ids in `excluded` that are not indexed are passed over.
    #[must_use]
    pub fn search(&self, query: &str, k: usize, excluded: &[&str]) -> Vec<Hit> {
        let terms: Vec<QueryTerm> = words(query).map(QueryTerm::word).collect();
        self.search_terms(&terms, k, excluded)
    }

    /// Searches as [`search`](Self::search) does, for a query whose terms stand for several words each.
    #[must_use]
    pub fn search_terms(&self, terms: &[QueryTerm], k: usize, excluded: &[&str]) -> Vec<Hit> {
        // Indexed by document; zero, which no score and no frequency of a match is, where nothing matched.
        let mut scores = vec![0.0; self.ids.len()];
        let mut frequencies = vec![0.0; self.ids.len()];
        let (mut matched, mut having) = (Vec::new(), Vec::new());
        for term in terms {
            let mut documents = 0.0;
            for (word, probability) in &term.words {
                let Some(postings) = self.postings.get(word).filter(|_| 0.0 < *probability) else {
                    continue;
                };
                documents += probability * postings.len() as f64;
                for posting in postings {
                    let frequency = &mut frequencies[posting.document as usize];
                    if *frequency == 0.0 {
                        having.push(posting.document as usize);
                    }
                    *frequency += probability * f64::from(posting.occurrences);
                }
            }
            let weight = term.weight * self.rarity(documents);
            for document in having.drain(..) {
                let frequency = std::mem::take(&mut frequencies[document]);
                if scores[document] == 0.0 {
                    matched.push(document);
                }
                scores[document] += self.saturated(weight, frequency, document);
            }
        }
        let mut best = Best::new(k);
        for document in matched {
            let id = self.ids[document].as_str();
            if !excluded.contains(&id) {
                best.offer(id, scores[document] as f32);
            }
        }
        best.into_hits()
    }

    /// Returns the logarithm of how few documents have a word.
    fn rarity(&self, documents: f64) -> f64 {
        let rest = (self.ids.len() as f64 - documents).max(0.0);
        ((rest + 0.5) / (documents + 0.5)).ln_1p()
    }

    /// Returns what a word of this frequency in a document adds to its score.
    fn saturated(&self, weight: f64, frequency: f64, document: usize) -> f64 {
        weight * frequency * (self.k1 + 1.0) / (frequency + self.lengths[document])
    }

    /// Returns the number of documents.
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
        let words = |text: &str| words(text).collect::<Vec<_>>();
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

    /// Expected frequencies by the definition, document by document.
    #[test]
    fn terms_of_several_words_are_scored_by_their_expectations() {
        let documents = [
            ("d1", "ark of the covenant, the ark"),
            ("d2", "a boat and a ship and an ark"),
            ("d3", "ship"),
            ("d4", "nothing of the kind"),
        ];
        let index = Bm25Index::new(documents, SETTINGS).unwrap();
        let terms = [
            QueryTerm {
                weight: 1.5,
                words: vec![("ark".into(), 0.6), ("ship".into(), 0.3), ("x".into(), 0.1)],
            },
            QueryTerm::word("of".into()),
        ];
        let texts = documents.map(|(_, text)| words(text).collect::<Vec<_>>());
        let mean = texts.iter().map(Vec::len).sum::<usize>() as f64 / 4.0;
        let hits = index.search_terms(&terms, 10, &[]);
        for ((id, _), text) in documents.iter().zip(&texts) {
            let mut expected = 0.0;
            for term in &terms {
                let (mut f, mut n) = (0.0, 0.0);
                for (word, p) in &term.words {
                    f += p * text.iter().filter(|it| *it == word).count() as f64;
                    n += p * texts.iter().filter(|text| text.contains(word)).count() as f64;
                }
                let length = 0.9 * (1.0 - 0.4 + 0.4 * text.len() as f64 / mean);
                let idf = (1.0 + (4.0 - n + 0.5) / (n + 0.5)).ln();
                expected += term.weight * idf * f * 1.9 / (f + length);
            }
            let score = hits.iter().find(|hit| hit.id == *id).unwrap().score;
            assert!(
                (f64::from(score) - expected).abs() < 1e-6,
                "{id}: {score} {expected}"
            );
        }
        assert_eq!(hits[0].id, "d1");
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
