#![allow(clippy::unwrap_used)]

use std::fs;
use std::sync::{Arc, Mutex};

use optical_retrieval::translation::{Combine, Pruning, Unknown, Weights};
use optical_retrieval::{Bm25Settings, ScorePrecision};
use optical_store::{Host, Notice};

use super::*;
use crate::DocumentReader;

/// A folder of rankings; hears how many queries are searched.
struct Place {
    folder: tempfile::TempDir,
    settings: RetrievalSettings,
    device: Device,
    host: Host,
    searched: Arc<Mutex<u64>>,
}

impl Place {
    fn new() -> Self {
        let searched: Arc<Mutex<u64>> = Arc::default();
        let counts = searched.clone();
        let host = Host::new(Arc::default(), move |notice| {
            if let Notice::Progress {
                position: 0, total, ..
            } = notice
            {
                *counts.lock().unwrap() += total;
            }
        });
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("trec")).unwrap();
        Self {
            folder,
            settings: RetrievalSettings {
                documents: DocumentReader::Teacher,
                query_length: 8,
                document_length: 8,
                tokens_per_batch: 64,
                depth: 5,
                language_shift: None,
                bm25_k1: 0.9,
                bm25_b: 0.4,
            },
            device: Device::flex(),
            host,
            searched,
        }
    }

    fn evaluator(&self) -> Evaluator<'_> {
        Evaluator {
            folder: self.folder.path(),
            settings: &self.settings,
            measures: &[],
            device: &self.device,
            host: &self.host,
        }
    }

    /// Ranks by the system `words`; returns the number of queries that were searched, and the runs.
    fn rank(
        &self,
        system: System<'_>,
        key: &str,
        queries: &Queries,
    ) -> (u64, BTreeMap<String, Run>) {
        *self.searched.lock().unwrap() = 0;
        let asked = Asked {
            name: "words",
            system,
            key: key.to_owned(),
            queries,
        };
        let runs = self.evaluator().rankings(&asked).unwrap();
        (*self.searched.lock().unwrap(), runs)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn query(language: &str, id: &str, text: &str) -> Query {
    Query {
        id: id.to_owned(),
        text: text.to_owned(),
        language: language.to_owned(),
        own_document: None,
        origin: None,
    }
}

fn queries(all: &[(&str, &str, &str)]) -> Queries {
    let mut queries = Queries::new();
    for (language, id, text) in all {
        let language_queries = queries.entry((*language).to_owned()).or_default();
        language_queries.push(query(language, id, text));
    }
    queries
}

fn documents() -> Bm25Index {
    let documents = [("d1", "water"), ("d2", "fire fire"), ("d3", "water fire")];
    Bm25Index::new(documents, Bm25Settings { k1: 0.9, b: 0.4 }).unwrap()
}

/// The documents of a topic, best first.
fn found<'a>(runs: &'a BTreeMap<String, Run>, language: &str, topic: &str) -> Vec<&'a str> {
    let ranking = runs[language].ranking(topic, ScorePrecision::default());
    ranking.into_iter().map(|(document, _)| document).collect()
}

/// All that is in runs, a line per document; a file has the scores in decimal digits.
fn shown(runs: &BTreeMap<String, Run>) -> Vec<String> {
    let mut lines = Vec::new();
    for (language, run) in runs {
        for topic in run.topics() {
            for (document, score) in run.ranking(topic, ScorePrecision::default()) {
                lines.push(format!("{language} {topic} {document} {}", score as f32));
            }
        }
    }
    lines
}

#[test]
fn rankings_are_kept_and_read_back_by_their_keys() {
    let (place, index) = (Place::new(), documents());
    let asked = queries(&[
        ("swa", "q1", "water"),
        ("swa", "q2", "fire"),
        ("yor", "q1", "water"),
    ]);
    let (searched, runs) = place.rank(System::Bm25(&index), "key", &asked);
    // The same question in two languages is searched once.
    assert_eq!(searched, 2);
    assert_eq!(found(&runs, "swa", "q1"), ["d1", "d3"]);
    assert_eq!(found(&runs, "swa", "q2"), ["d2", "d3"]);
    assert_eq!(found(&runs, "yor", "q1"), ["d1", "d3"]);
    let (searched, again) = place.rank(System::Bm25(&index), "key", &asked);
    assert_eq!(searched, 0);
    assert_eq!(shown(&again), shown(&runs));

    // What is gone is ranked anew, and no more than that.
    fs::remove_file(place.file("trec/words.yor.run")).unwrap();
    let (searched, again) = place.rank(System::Bm25(&index), "key", &asked);
    assert_eq!((searched, shown(&again)), (1, shown(&runs)));
    // Words cost little: without keys, nobody knows what they are of.
    fs::remove_file(place.file("keys.json")).unwrap();
    assert_eq!(place.rank(System::Bm25(&index), "key", &asked).0, 2);
}

#[test]
fn changed_queries_settings_and_systems_are_ranked_anew() {
    let (mut place, index) = (Place::new(), documents());
    let one = |id, text| queries(&[("swa", id, text), ("yor", "q9", "fire")]);
    let mut own = one("q1", "water");
    own.get_mut("swa").unwrap()[0].own_document = Some("d1".to_owned());
    let mut more = one("q1", "water");
    let added = query("swa", "q2", "fire");
    more.get_mut("swa").unwrap().push(added);
    assert_eq!(
        place
            .rank(System::Bm25(&index), "key", &one("q1", "water"))
            .0,
        2
    );
    // Each once, and back: Yoruba stays as it is.
    for (changed, searched) in [
        (one("q1", "fire"), 1),
        (one("q0", "water"), 1),
        (own, 1),
        (more, 2),
    ] {
        let (anew, runs) = place.rank(System::Bm25(&index), "key", &changed);
        assert_eq!(anew, searched, "{changed:?}");
        let query = &changed["swa"][0];
        let expected = match (query.text.as_str(), &query.own_document) {
            ("fire", _) => vec!["d2", "d3"],
            (_, Some(_)) => vec!["d3"],
            (_, None) => vec!["d1", "d3"],
        };
        assert_eq!(found(&runs, "swa", &query.id), expected);
        assert_eq!(
            place
                .rank(System::Bm25(&index), "key", &one("q1", "water"))
                .0,
            1
        );
    }
    let same = one("q1", "water");
    assert_eq!(place.rank(System::Bm25(&index), "other", &same).0, 2);
    place.settings.depth = 1;
    let (searched, runs) = place.rank(System::Bm25(&index), "other", &same);
    assert_eq!((searched, found(&runs, "swa", "q1")), (2, vec!["d1"]));
    // How documents are cut is in the system's key.
    place.settings.document_length = 4;
    assert_eq!(place.rank(System::Bm25(&index), "other", &same).0, 0);
}

#[test]
fn a_run_without_hits_is_read_back() {
    let (place, index) = (Place::new(), documents());
    let asked = queries(&[("swa", "q1", "nyota")]);
    let (searched, runs) = place.rank(System::Bm25(&index), "key", &asked);
    assert_eq!((searched, found(&runs, "swa", "q1").len()), (1, 0));
    assert_eq!(fs::read(place.file("trec/words.swa.run")).unwrap(), b"");
    let (searched, again) = place.rank(System::Bm25(&index), "key", &asked);
    assert_eq!((searched, found(&again, "swa", "q1").len()), (0, 0));
    let kept = place.evaluator().kept("words", &asked).unwrap().unwrap();
    assert!(kept["swa"].is_empty());
}

#[test]
fn a_systems_rankings_outlive_it_unless_other_queries_are_asked() {
    let (place, index) = (Place::new(), documents());
    let asked = queries(&[("swa", "q1", "water"), ("yor", "q1", "fire")]);
    let kept = |queries: &Queries| place.evaluator().kept("words", queries).unwrap();
    assert_eq!(kept(&asked), None);
    let (_, runs) = place.rank(System::Bm25(&index), "key", &asked);
    assert_eq!(shown(&kept(&asked).unwrap()), shown(&runs));
    assert_eq!(kept(&queries(&[("swa", "q1", "fire")])), None);
    assert_eq!(kept(&queries(&[("swa", "q1", "water")])).unwrap().len(), 1);
    let hausa = queries(&[("swa", "q1", "water"), ("hau", "q1", "water")]);
    assert_eq!(kept(&hausa), None);
    assert_eq!(place.evaluator().kept("others", &asked).unwrap(), None);
}

/// A word means something else in another language, and a table counts for its own language alone.
#[test]
fn translated_queries_follow_from_the_table_of_their_language() {
    let (place, index) = (Place::new(), documents());
    let table = |english: &str, probability| {
        let words = vec![(english.to_owned(), probability), ("star".to_owned(), 0.25)];
        TranslationTable::new([("maji".to_owned(), words)])
    };
    let rank = |tables: &[(&str, TranslationTable)], asked: &Queries| {
        let tables = tables.iter();
        let tables: BTreeMap<String, TranslationTable> = tables
            .map(|(language, table)| ((*language).to_owned(), table.clone()))
            .collect();
        let system = System::Translated {
            index: &index,
            tables: &tables,
            translation: QueryTranslation {
                prune: Pruning {
                    minimum_probability: 0.0,
                    cumulative_probability: 1.0,
                    translations: 4,
                },
                weights: Weights::Probability,
                combine: Combine::Expectation,
                original: 0.0,
                unknown: Unknown::Drop,
            },
        };
        place.rank(system, "key", asked)
    };
    let asked = queries(&[
        ("hau", "q1", "maji"),
        ("swa", "q1", "maji"),
        ("yor", "q1", "maji"),
    ]);
    let (water, fire) = (table("water", 0.75), table("fire", 0.75));
    let (searched, runs) = rank(&[("swa", water.clone()), ("yor", fire.clone())], &asked);
    assert_eq!(searched, 2);
    assert_eq!(runs.keys().collect::<Vec<_>>(), ["swa", "yor"]);
    assert_eq!(found(&runs, "swa", "q1"), ["d1", "d3"]);
    assert_eq!(found(&runs, "yor", "q1"), ["d2", "d3"]);
    let less = table("water", 0.5);
    assert_eq!(
        rank(&[("swa", less.clone()), ("yor", fire.clone())], &asked).0,
        1
    );
    let (searched, runs) = rank(&[("swa", fire.clone()), ("yor", fire.clone())], &asked);
    assert_eq!((searched, found(&runs, "swa", "q1")), (1, vec!["d2", "d3"]));
    assert_eq!(rank(&[("swa", fire.clone()), ("yor", fire)], &asked).0, 0);
}
