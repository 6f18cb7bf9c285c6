//! Which documents each training sentence is scored with, where an objective scores passages.

use std::collections::HashMap;

use optical_corpus::collection::{Collection, Document};
use optical_corpus::draw::unit;
use optical_distill::Passages;
use optical_retrieval::{Bm25Index, Index};

use crate::{Experiment, PassageChoice, Space};

/// The documents of the collection, found by the words of what the teacher reads, and their vectors.
pub struct ScoredPassages<'a> {
    choice: PassageChoice,
    seed: u64,
    words: &'a Bm25Index,
    index: &'a dyn Index,
    ids: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl<'a> ScoredPassages<'a> {
    /// Takes the documents of a run's collection, indexed by their words and by the teacher; `None` where the
    /// run file has no `[passages]`.
    pub fn new(
        experiment: &Experiment,
        words: &'a Bm25Index,
        space: &'a Space,
        collection: &Collection,
    ) -> Option<Self> {
        let seed = experiment.run.distill.training.seed;
        let documents = &collection.documents;
        let choice = experiment.run.passages?;
        Some(Self::of_indexes(
            choice,
            seed,
            words,
            &*space.index.index,
            documents,
        ))
    }

    /// Takes documents indexed by their words and by the teacher; draws follow from the seed.
    fn of_indexes(
        choice: PassageChoice,
        seed: u64,
        words: &'a Bm25Index,
        index: &'a dyn Index,
        documents: &[Document],
    ) -> Self {
        // A document without tokens has no vectors to be scored with.
        let ids = documents.iter().map(|document| document.id.clone());
        let ids: Vec<String> = ids.filter(|id| index.contains(id)).collect();
        let numbers = ids.iter().cloned().zip(0..).collect();
        Self {
            choice,
            seed,
            words,
            index,
            ids,
            numbers,
        }
    }

    /// Chooses the best documents of BM25 for a sentence, and others drawn at random in place of those that
    /// it does not find and beside them; no document twice.
    pub fn of(&self, target: &str) -> Vec<u32> {
        let PassageChoice { retrieved, drawn } = self.choice;
        let hits = self.words.search(target, retrieved, &[]);
        let known = hits.iter().filter_map(|hit| self.numbers.get(&hit.id));
        let mut chosen: Vec<u32> = known.copied().collect();
        let all = self.ids.len();
        while chosen.len() < (retrieved + drawn).min(all) {
            let place = chosen.len().to_string();
            let draw = unit(self.seed, "passages", &[target, &place]);
            let first = (draw * all as f64) as usize;
            let mut numbers = (first..first + all).map(|number| (number % all) as u32);
            chosen.extend(numbers.find(|number| !chosen.contains(number)));
        }
        chosen
    }
}

impl Passages for ScoredPassages<'_> {
    fn vectors(&self, passage: u32) -> Vec<f32> {
        let id = &self.ids[passage as usize];
        self.index.vectors(id).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use optical_retrieval::{Bm25Settings, ExactIndex};

    use super::*;

    #[test]
    fn what_words_find_comes_first_and_no_document_twice() {
        let texts = ["a river", "a lake", "the sea", "the river and the sea"];
        let documents: Vec<Document> = (texts.iter().enumerate())
            .map(|(number, text)| Document {
                id: format!("d{number}"),
                title: None,
                text: (*text).to_owned(),
                origin: None,
            })
            .collect();
        let words = documents.iter().map(|it| (it.id.clone(), it.full_text()));
        let words = Bm25Index::new(words, Bm25Settings { k1: 0.9, b: 0.4 }).unwrap();
        let mut index = ExactIndex::new(2).unwrap();
        for (number, document) in documents.iter().enumerate() {
            let vectors = [1.0, 0.0].repeat(number + 1);
            index.add(&document.id, &vectors).unwrap();
        }
        let choice = |retrieved, drawn| PassageChoice { retrieved, drawn };
        let of = |choice, target: &str| {
            ScoredPassages::of_indexes(choice, 1, &words, &index, &documents).of(target)
        };
        assert_eq!(of(choice(2, 0), "sea"), [2, 3]);
        let more = of(choice(2, 2), "lake");
        assert_eq!(more[0], 1);
        let mut all = more.clone();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3]);
        assert_eq!(of(choice(2, 2), "lake"), more);
        assert_eq!(of(choice(9, 9), "desert").len(), 4);
        let passages = ScoredPassages::of_indexes(choice(1, 0), 1, &words, &index, &documents);
        assert_eq!(passages.vectors(1), [1.0, 0.0, 1.0, 0.0]);
    }
}
