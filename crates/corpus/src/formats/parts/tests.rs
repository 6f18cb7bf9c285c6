#![allow(clippy::unwrap_used)]
use std::io::Write;

use crate::bitext::DataRoots;
use crate::collection::{Collection, CollectionSource, Query};
use crate::testing::folder;

const SOURCE: &str = "format = 'parts'
documents = { format = 'tsv', file = ['a.tsv', 'b.tsv'] }
queries = { format = 'jsonl', file = '{language}.jsonl', languages = ['swa', 'yor'], english = 'eng.tsv' }
judgements = { format = 'trec', file = 'qrels' }
";
const FILES: [(&str, &str); 6] = [
    ("a.tsv", "\u{feff}id\ttext\ttitle\nd1\tA  city.\tNairobi\n"),
    ("b.tsv", "d2\tA river.\n\n"),
    ("swa.jsonl", "{\"_id\": \"q1\", \"text\": \"Mji gani?\"}\n"),
    ("yor.jsonl", "{\"id\": 2, \"query\": \"Odò wo?\"}\n"),
    (
        "eng.tsv",
        "q1\tWhich city?\n2\tWhich river?\n3\tWhich sea?\n",
    ),
    ("qrels", "query-id\tcorpus-id\tscore\nq1\td1\t1\n2\td2\t2\n"),
];

fn load(source: &str, roots: &DataRoots) -> Result<Collection, String> {
    let source: CollectionSource = toml::from_str(source).unwrap();
    source.load(roots).map_err(|error| error.to_string())
}

/// Loads the files with some of them in other words, and perhaps another source.
fn changed(source: &str, files: &[(&str, &str)]) -> Result<Collection, String> {
    let (folder, roots) = folder(&FILES);
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    load(source, &roots)
}

fn asked<'a>(queries: impl IntoIterator<Item = &'a Vec<Query>>) -> Vec<String> {
    let show = |it: &Query| format!("{} {}: {}", it.language, it.id, it.text);
    queries.into_iter().flatten().map(show).collect()
}

#[test]
fn parts_from_anywhere_are_a_collection() {
    let collection = changed(SOURCE, &[]).unwrap();
    let texts: Vec<_> = collection
        .documents
        .iter()
        .map(|it| (&*it.id, it.full_text()))
        .collect();
    let expected = ["Nairobi. A city.", "A river."].map(String::from);
    assert_eq!(
        texts,
        ["d1", "d2"].into_iter().zip(expected).collect::<Vec<_>>()
    );
    let place = collection.documents[0].origin.as_ref().unwrap().to_string();
    assert!(place.ends_with("a.tsv:2"), "{place}");
    let queries = asked(collection.queries.values());
    assert_eq!(queries, ["swa q1: Mji gani?", "yor 2: Odò wo?"]);
    let english = asked(collection.english.values());
    assert_eq!(english, ["eng q1: Which city?", "eng 2: Which river?"]);
    let judged = collection.judgements.iter();
    let judged: Vec<_> = judged
        .map(|it| (&*it.query, &*it.document, it.grade))
        .collect();
    assert_eq!(judged, [("q1", "d1", 1), ("2", "d2", 2)]);
    assert!(collection.unknown.is_empty() && collection.unsound(["swa", "yor"]).is_empty());
}

#[test]
fn packed_files_are_read_whatever_their_names() {
    let (folder, roots) = folder(&FILES);
    let expected = load(SOURCE, &roots).unwrap();
    for (name, text) in FILES {
        let file = std::fs::File::create(folder.path().join(name)).unwrap();
        if name == "qrels" {
            zstd::stream::copy_encode(text.as_bytes(), file, 1).unwrap();
        } else {
            let mut packer = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            packer.write_all(text.as_bytes()).unwrap();
            packer.finish().unwrap();
        }
    }
    assert_eq!(load(SOURCE, &roots).unwrap(), expected);
}

#[test]
fn layouts_of_wiki_questions_mix_with_others() {
    let source = "format = 'parts'
documents = { format = 'jsonl', file = 'docs' }
queries = { format = 'wiki-questions', file = ['dev', 'test'], languages = ['hau', 'kin'] }
judgements = { format = 'trec', file = ['qrels', 'qrels.test'] }
";
    let files = [
        (
            "docs",
            "{\"id\": \"d1\", \"title\": \"Ghana\", \"text\": \"Accra.\"}\n",
        ),
        (
            "dev",
            "h1\thau\tdev\tWane gari?\tWhich city?\nx1\tswa\tdev\tMji?\n",
        ),
        ("test", "k1\tkin\ttest\tUmujyi?\n"),
        ("qrels", "h1 0 d1 1\n"),
        ("qrels.test", "k1 0 d1 1\n"),
    ];
    let collection = changed(source, &files).unwrap();
    assert_eq!(
        asked(collection.queries.values()),
        ["hau h1: Wane gari?", "kin k1: Umujyi?"]
    );
    assert_eq!(asked(collection.english.values()), ["eng h1: Which city?"]);
    assert_eq!(collection.judgements.len(), 2);
}

#[test]
fn judgements_of_what_is_not_there_are_named() {
    let qrels = "q1 0 d1 1\nq1 0 d9 1\n8 0 d1 1\n2 0 d2 0\n";
    let collection = changed(SOURCE, &[("qrels", qrels)]).unwrap();
    let unknown: Vec<_> = collection.unknown.iter().map(ToString::to_string).collect();
    assert!(
        unknown[0].ends_with("qrels:2: there is no document 'd9'"),
        "{unknown:?}"
    );
    assert!(
        unknown[1].ends_with("qrels:3: there is no query '8'"),
        "{unknown:?}"
    );
    assert_eq!((unknown.len(), collection.judgements.len()), (2, 3));
    let unsound = collection.unsound(["swa", "yor"]);
    assert_eq!(unsound.len(), 1);
    assert!(
        unsound[0]
            .to_string()
            .contains("no query in \"yor\" has a relevant document")
    );
}

/// MIRACL's languages give one id to different questions, each with judgements of its own.
#[test]
fn a_query_is_judged_in_one_file() {
    let source = SOURCE.replace("'qrels'", "'{language}.qrels'");
    let yoruba = "{\"id\": \"q1\", \"query\": \"Odò wo?\"}\n";
    let files = [
        ("yor.jsonl", yoruba),
        ("swa.qrels", "q1 0 d1 1\n"),
        ("yor.qrels", "q1 0 d2 1\n"),
    ];
    let message = changed(&source, &files).unwrap_err();
    assert!(
        message.contains("yor.qrels:1: the query 'q1' is judged in "),
        "{message}"
    );
    assert!(
        message.ends_with("swa.qrels, too; each has all its judgements in one file"),
        "{message}"
    );
    let files = [("swa.qrels", "q1 0 d1 1\n"), ("yor.qrels", "2 0 d2 1\n")];
    assert_eq!(changed(&source, &files).unwrap().judgements.len(), 2);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (name, text, expected) in [
        (
            "b.tsv",
            "d2\tx\nd1\ty\n",
            "b.tsv:2: the id 'd1' occurs a second time",
        ),
        (
            "b.tsv",
            "d2\n",
            "b.tsv:1: is not a document: 1 columns, expected 2 (id, text) or 3 (id, text, title)",
        ),
        (
            "swa.jsonl",
            "q1\tMji\n",
            "swa.jsonl:1: is not a query: expected value at line 1 column 1",
        ),
        (
            "swa.jsonl",
            "{\"id\": 1}\n",
            "swa.jsonl:1: is not a query: there is no query, question, or text; its keys are id",
        ),
        ("swa.jsonl", "\n\n", "swa.jsonl has no question in 'swa'"),
        (
            "eng.tsv",
            "q1\tx\n",
            "eng.tsv has no query '2', expected an English version of each",
        ),
        (
            "qrels",
            "q1 0 d1\n",
            "qrels:1: has 3 columns where 4 are expected: topic iteration document grade",
        ),
        ("qrels", "", "qrels is empty"),
    ] {
        let message = changed(SOURCE, &[(name, text)]).unwrap_err();
        assert!(message.ends_with(expected), "{message}");
    }
    for (part, other, expected) in [
        (
            "['a.tsv', 'b.tsv']",
            "[]",
            "'documents.file' is empty, expected at least one",
        ),
        (
            "['swa', 'yor']",
            "[]",
            "'languages' is empty, expected at least one",
        ),
        (
            "'{language}.jsonl'",
            "'swa.jsonl'",
            "'swa.jsonl' names one file for several languages; write {language} where they differ",
        ),
        ("'qrels'", "'none'", "none cannot be read"),
    ] {
        let message = changed(&SOURCE.replace(part, other), &[]).unwrap_err();
        assert!(message.ends_with(expected), "{message}");
    }
    for (part, other) in [
        ("'trec'", "'csv'"),
        ("'trec', file", "'trec', files"),
        ("'qrels'", "1"),
    ] {
        let refused = toml::from_str::<CollectionSource>(&SOURCE.replace(part, other));
        assert!(refused.is_err(), "{other}");
    }
}

#[test]
fn documents_come_one_at_a_time() {
    let (folder, roots) = folder(&FILES);
    let source: CollectionSource = toml::from_str(SOURCE).unwrap();
    let all: Vec<_> = source
        .documents(&roots)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(all, source.load(&roots).unwrap().documents);
    std::fs::write(folder.path().join("a.tsv"), "d1\tone\nd2\nd3\tthree\n").unwrap();
    std::fs::write(folder.path().join("b.tsv"), "d4\tfour\n").unwrap();
    let mut documents = source.documents(&roots).unwrap();
    assert_eq!(documents.next().unwrap().unwrap().id, "d1");
    let message = documents.next().unwrap().unwrap_err().to_string();
    assert!(message.contains("a.tsv:2: "), "{message}");
    std::fs::remove_file(folder.path().join("b.tsv")).unwrap();
    assert!(source.documents(&roots).is_err());
}

#[test]
fn a_source_is_written_as_it_was_read() {
    let source: CollectionSource = toml::from_str(SOURCE).unwrap();
    let written = toml::to_string(&source).unwrap();
    assert_eq!(
        toml::from_str::<CollectionSource>(&written).unwrap(),
        source
    );
    // What other formats are written as is part of the fingerprints of run files.
    for written in [
        "format = \"wiki-questions\"\nfolder = \"w\"\nsplit = \"dev\"\nlanguages = [\"swa\"]\n",
        "format = \"wiki-questions\"\nfolder = \"w\"\nsplit = [\"dev\", \"test\"]\nlanguages = [\"swa\"]\n",
        "format = \"mates\"\nenglish = \"e\"\nforeign = \"f\"\nlanguages = [\"swa\"]\n",
    ] {
        let source: CollectionSource = toml::from_str(written).unwrap();
        assert_eq!(toml::to_string(&source).unwrap(), written);
    }
}
