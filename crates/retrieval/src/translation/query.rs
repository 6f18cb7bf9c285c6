//! From a query and a table to terms that BM25 can search for.

use serde::{Deserialize, Serialize};

use super::{Pruning, TranslationTable};
use crate::bm25::QueryTerm;
use crate::words::words;

/// How the words of a query become English ones.
///
/// Each word gets a distribution over English words: its translations that `prune` keeps, by
/// `weights`, and a share for the word as it is. With [`Combine::Expectation`] these are the
/// probabilistic structured queries of Darwish and Oard (2003); with [`Combine::Separate`] it is
/// query translation by the best few words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QueryTranslation {
    /// Which translations of a word are used.
    pub prune: Pruning,
    /// How they are weighted among each other.
    pub weights: Weights,
    /// What they are together.
    pub combine: Combine,
    /// The share of the word as it is beside its translations, from 0, not at all, to 1, nothing
    /// else. It finds names: a table from little bitext has names that happen to be in it, beside
    /// whatever stood near them.
    pub original: f64,
    /// What becomes of words without translations.
    pub unknown: Unknown,
}

/// How translations of a word are weighted among each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weights {
    /// By the probability in the table.
    Probability,
    /// All the same.
    Uniform,
}

/// What the translations of a word are together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Combine {
    /// One term, with expected frequencies in the document and in the collection.
    Expectation,
    /// A term each, whose scores are added by weight.
    Separate,
}

/// What becomes of words without translations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// They stay as they are.
    Keep,
    /// They are left out.
    Drop,
}

impl QueryTranslation {
    /// Returns the terms of a query, in the order of its words.
    #[must_use]
    pub fn terms(&self, query: &str, table: &TranslationTable) -> Vec<QueryTerm> {
        let distributions = words(query).filter_map(|word| self.distribution(word, table));
        let terms = distributions.flat_map(|distribution| match self.combine {
            Combine::Expectation => vec![QueryTerm {
                weight: 1.0,
                words: distribution,
            }],
            Combine::Separate => distribution
                .into_iter()
                .map(|(word, weight)| QueryTerm {
                    weight,
                    ..QueryTerm::word(word)
                })
                .collect(),
        });
        terms.collect()
    }

    /// Returns what a word stands for, with probabilities that sum to one; nothing if it is dropped.
    fn distribution(&self, word: String, table: &TranslationTable) -> Option<Vec<(String, f64)>> {
        let kept = self.prune.keep(table.translations(&word));
        if kept.is_empty() {
            return match self.unknown {
                Unknown::Keep => Some(vec![(word, 1.0)]),
                Unknown::Drop => None,
            };
        }
        let number = kept.len() as f64;
        let share = |(english, probability): (&str, f64)| {
            let weight = match self.weights {
                Weights::Probability => probability,
                Weights::Uniform => 1.0 / number,
            };
            (english.to_owned(), (1.0 - self.original) * weight)
        };
        let mut distribution: Vec<_> = kept.into_iter().map(share).collect();
        if 0.0 < self.original {
            match distribution
                .iter_mut()
                .find(|(english, _)| *english == word)
            {
                Some((_, weight)) => *weight += self.original,
                None => distribution.push((word, self.original)),
            }
        }
        Some(distribution)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::translation::CodeSwitch;
    use crate::translation::ibm1::{Direction, Ibm1Settings, train};
    use crate::{Bm25Index, Bm25Settings, words};

    fn table() -> TranslationTable {
        TranslationTable::of(&[
            ("safina", &[("ark", 0.5), ("ship", 0.3), ("boat", 0.2)]),
            ("nuhu", &[("noah", 0.6), ("nuhu", 0.4)]),
        ])
    }

    const TWO: QueryTranslation = QueryTranslation {
        prune: Pruning {
            minimum_probability: 0.0,
            cumulative_probability: 1.0,
            translations: 2,
        },
        weights: Weights::Probability,
        combine: Combine::Expectation,
        original: 0.0,
        unknown: Unknown::Keep,
    };

    fn terms(translation: QueryTranslation) -> Vec<(f64, Vec<(String, f64)>)> {
        let terms = translation.terms("Safina ya Nuhu?", &table());
        let rounded = |weight: f64| (weight * 1e9).round() / 1e9;
        let round =
            |words: Vec<(String, f64)>| words.into_iter().map(|(w, p)| (w, rounded(p))).collect();
        terms
            .into_iter()
            .map(|term| (rounded(term.weight), round(term.words)))
            .collect()
    }

    fn words_of(words: &[(&str, f64)]) -> Vec<(String, f64)> {
        words.iter().map(|(word, p)| ((*word).into(), *p)).collect()
    }

    #[test]
    fn each_word_is_one_term_of_its_translations() {
        let ya = (1.0, words_of(&[("ya", 1.0)]));
        let nuhu = (1.0, words_of(&[("noah", 0.6), ("nuhu", 0.4)]));
        let safina = (1.0, words_of(&[("ark", 0.625), ("ship", 0.375)]));
        assert_eq!(terms(TWO), [safina.clone(), ya, nuhu.clone()]);
        let dropping = QueryTranslation {
            unknown: Unknown::Drop,
            ..TWO
        };
        assert_eq!(terms(dropping), [safina, nuhu]);
    }

    #[test]
    fn the_word_itself_gets_its_share_once() {
        let keeping = QueryTranslation {
            original: 0.5,
            ..TWO
        };
        let found = terms(keeping);
        assert_eq!(
            found[0].1,
            words_of(&[("ark", 0.3125), ("ship", 0.1875), ("safina", 0.5)])
        );
        assert_eq!(found[1].1, words_of(&[("ya", 1.0)]));
        assert_eq!(found[2].1, words_of(&[("noah", 0.3), ("nuhu", 0.7)]));
    }

    #[test]
    fn separate_words_are_terms_with_weights() {
        let separate = QueryTranslation {
            combine: Combine::Separate,
            weights: Weights::Uniform,
            ..TWO
        };
        let term = |word, weight| (weight, words_of(&[(word, 1.0)]));
        assert_eq!(
            terms(separate),
            [
                term("ark", 0.5),
                term("ship", 0.5),
                term("ya", 1.0),
                term("noah", 0.5),
                term("nuhu", 0.5)
            ]
        );
    }

    /// Bitext, dictionary of it, queries and documents agree on what a word is, however accents are typed.
    #[test]
    fn six_words_with_marks_are_whole_from_bitext_to_ranking() {
        let bitext = [
            ("omi da\u{301}ra", "water is good"),
            ("ọjà ṣí", "the market opens"),
            ("ọ̀rọ̀ náà dára", "the word is good"),
            ("ọ̀rọ̀ àlàáfíà", "a word of peace"),
            ("ọmọ náà ní ọ̀rọ̀", "the child has a word"),
            ("हिन्दी एक भाषा है", "hindi is a language"),
            ("दिल्ली एक शहर है", "delhi is a city"),
            ("पुस्तक हिन्दी में है", "the book is in hindi"),
            ("दिल्ली में बाज़ार है", "delhi has a market"),
            ("दिल्ली की भाषा", "a language of delhi"),
        ];
        let settings = Ibm1Settings {
            iterations: 5,
            direction: Direction::Both,
            minimum_probability: 0.0,
        };
        let table = train(bitext, settings).table;
        let known: Vec<&str> = table.iter().map(|(word, _)| word).collect();
        let mut seen: Vec<String> = bitext.iter().flat_map(|(text, _)| words(text)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(known, seen);
        let documents = [
            ("d0", "A word of peace"),
            ("d1", "Delhi is a city"),
            ("d2", "Hindi"),
        ];
        let index = Bm25Index::new(documents, Bm25Settings { k1: 0.9, b: 0.4 }).unwrap();
        let switch = CodeSwitch::new(&table, 0.1);
        for (query, apart, english, document) in [
            ("ọ̀rọ̀", "o\u{323}\u{300}ro\u{323}\u{300}", "word", "d0"),
            ("दिल्ली", "दिल्ली", "delhi", "d1"),
            ("हिन्दी", "हिन्दी", "hindi", "d2"),
        ] {
            let best = &table.translations(&words(query).next().unwrap())[0];
            assert_eq!(best.word, english, "{query}");
            for query in [query, apart] {
                let terms = TWO.terms(query, &table);
                assert_eq!(terms.len(), 1, "{query}");
                assert_eq!(index.search_terms(&terms, 1, &[])[0].id, document);
            }
            let switched = switch.switch(&english.to_uppercase(), || true).unwrap();
            assert_eq!(words(&switched).next(), words(query).next());
        }
    }

    /// An empty table translates nothing: both ways are BM25 on the query as it is.
    #[test]
    fn without_a_table_the_query_is_searched_as_it_is() {
        let documents = [
            ("d1", "safina ya Nuhu"),
            ("d2", "ya, ya na ya"),
            ("d3", "Nuhu"),
        ];
        let index = Bm25Index::new(documents, Bm25Settings { k1: 0.9, b: 0.4 }).unwrap();
        for combine in [Combine::Expectation, Combine::Separate] {
            let translation = QueryTranslation {
                combine,
                original: 0.3,
                ..TWO
            };
            let terms = translation.terms("Safina ya Nuhu?", &TranslationTable::default());
            assert_eq!(
                index.search_terms(&terms, 9, &[]),
                index.search("Safina ya Nuhu?", 9, &[])
            );
        }
    }
}
