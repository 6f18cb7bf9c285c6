#![allow(clippy::unwrap_used)]

use super::*;
use crate::collection::CollectionSource;
use crate::testing::folder;

const DOCUMENTS: &str = "{\"id\":\"a1\",\"source\":\"s\",\"title\":\"Ghana\",\"text\":\"Accra  is large.\"}\n\
                         {\"id\":\"a2\",\"source\":\"s\",\"title\":\"\",\"text\":\"Kumasi.\"}\n";
const QUERIES: &str = "h1\thau\tdev\tWane gari?\tWhich city?\nk1\tkin\tdev\tUmujyi?\tThe city?\n";
const QRELS: &str = "h1 0 a1 1\nh1 0 a2 0\nk1 0 a2 1\n";

fn load(
    documents: &str,
    queries: &str,
    qrels: &str,
    language: &str,
) -> Result<Collection, CorpusError> {
    let (_folder, roots) = folder(&[
        ("docs.jsonl", documents),
        ("queries.dev.tsv", queries),
        ("qrels.dev.txt", qrels),
    ]);
    let text = format!(
        "format = 'wiki-questions'\nfolder = '.'\nsplit = 'dev'\nlanguages = ['{language}']"
    );
    let source: CollectionSource = toml::from_str(&text).unwrap();
    source.load(&roots)
}

#[test]
fn a_split_is_read_for_the_languages_asked_for() {
    let collection = load(DOCUMENTS, QUERIES, QRELS, "hau").unwrap();
    assert_eq!(
        collection.documents[0].full_text(),
        "Ghana. Accra is large."
    );
    assert_eq!(collection.documents[1].title, None);
    assert_eq!(collection.queries.keys().collect::<Vec<_>>(), ["hau"]);
    assert_eq!(collection.queries["hau"][0].text, "Wane gari?");
    assert_eq!(collection.english["hau"][0].text, "Which city?");
    assert_eq!(
        collection.english["hau"][0].id,
        collection.queries["hau"][0].id
    );
    let grades: Vec<_> = collection
        .judgements
        .iter()
        .map(|judged| judged.grade)
        .collect();
    assert_eq!(grades, [1, 0]);
}

#[test]
fn bad_lines_are_refused_by_file_and_line() {
    let twice = format!("{QUERIES}h1\thau\tdev\tx\ty\n");
    for (documents, queries, qrels, expected) in [
        (
            "{\"id\":1}\n",
            QUERIES,
            QRELS,
            "docs.jsonl:1: is not a document: there is no passage, text, or contents; its keys are id",
        ),
        (
            "{\"id\":1,\"title\":\"\",\"text\":\"\"}\n",
            QUERIES,
            QRELS,
            "docs.jsonl:1: the text is empty",
        ),
        (
            &DOCUMENTS.replace("a2", "a1"),
            QUERIES,
            "",
            "docs.jsonl:2: the id 'a1' occurs a second time",
        ),
        (
            DOCUMENTS,
            "h1\thau\tdev\n",
            QRELS,
            "queries.dev.tsv:1: 3 columns, expected 5",
        ),
        (
            DOCUMENTS,
            &twice,
            QRELS,
            "queries.dev.tsv:3: the id 'h1' occurs a second time",
        ),
        (
            DOCUMENTS,
            "h1\thau\ttest\tx\ty\n",
            "",
            "dev.tsv:1: the split is 'test', expected 'dev', as in the name of the file",
        ),
        (
            DOCUMENTS,
            "h1\thau\tdev\t \ty\n",
            "",
            "dev.tsv:1: the question is empty",
        ),
        (
            DOCUMENTS,
            QUERIES,
            "h1 0 a1\n",
            "qrels.dev.txt:1: has 3 columns where 4 are expected: topic iteration document grade",
        ),
        (
            DOCUMENTS,
            QUERIES,
            "h1 0 a1 0.5\n",
            "dev.txt:1: grade \"0.5\" is not an integer",
        ),
        (
            DOCUMENTS,
            QUERIES,
            "h1 0 a1 1\nh1 0 a1 0\n",
            "dev.txt:2: topic \"h1\" already has document \"a1\", in line 1",
        ),
    ] {
        let message = load(documents, queries, qrels, "hau")
            .unwrap_err()
            .to_string();
        assert!(message.ends_with(expected), "{message}\n{expected}");
    }
}

#[test]
fn a_language_without_questions_is_an_error() {
    let error = load(DOCUMENTS, QUERIES, QRELS, "swa").unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("queries.dev.tsv has no question in 'swa'"),
        "{error}"
    );
}

#[test]
fn documents_of_other_collections_are_read() {
    let documents = "\u{feff}{\"_id\":7,\"title\":\"Ghana\",\"text\":\"\"}\r\n\r\n\
                     {\"docid\":\"a2\",\"text\":\"Kumasi.\",\"title\":null}\n \n";
    let queries =
        "qid\tlanguage\tsplit\tquestion\tenglish\n\nh1\thau\tdev\tWane gari?\tWhich city?\n";
    let qrels = "query-id\tcorpus-id\tscore\nh1\t7\t2\n\n# none\nh1\ta2\t-1\n";
    let collection = load(documents, queries, qrels, "hau").unwrap();
    let texts = collection.documents.iter();
    let texts: Vec<_> = texts.map(|it| (&*it.id, it.full_text())).collect();
    assert_eq!(
        texts,
        [("7", "Ghana".to_owned()), ("a2", "Kumasi.".to_owned())]
    );
    let grades = collection.judgements.iter().map(|judged| judged.grade);
    assert_eq!(grades.collect::<Vec<_>>(), [2, -1]);
}

#[test]
fn without_english_versions_a_language_has_none() {
    let queries =
        "h1\thau\tdev\tWane gari?\nh2\thau\tdev\tIna?\t\nk1\tkin\tdev\tUmujyi?\tThe city?\n";
    let collection = load(DOCUMENTS, queries, QRELS, "hau', 'kin").unwrap();
    assert_eq!(collection.queries["hau"].len(), 2);
    assert_eq!(collection.english.keys().collect::<Vec<_>>(), ["kin"]);
    // One of two would be measured on other questions than the rest.
    let queries = "h1\thau\tdev\tWane gari?\tWhich city?\nh2\thau\tdev\tIna?\n";
    let qrels = "h1 0 a1 1\nh2 0 a2 1\n";
    let collection = load(DOCUMENTS, queries, qrels, "hau").unwrap();
    assert!(collection.english.is_empty());
}

#[test]
fn languages_may_share_ids_of_the_same_questions() {
    let queries = "1\thau\tdev\tWane gari?\tWhich city?\n1\tkin\tdev\tUmujyi?\tWhich city?\n\
                   2\tkin\tdev\tHe?\n2\thau\tdev\tIna?\tWhere?\n";
    let qrels = "1 0 a1 1\n2 0 a2 1\n";
    let collection = load(DOCUMENTS, queries, qrels, "hau', 'kin").unwrap();
    for language in ["hau", "kin"] {
        let ids = collection.queries[language].iter().map(|query| &*query.id);
        assert_eq!(ids.collect::<Vec<_>>(), ["1", "2"]);
    }
    assert_eq!(collection.judgements.len(), 2);
    for (queries, expected) in [
        (
            queries.replace("Umujyi?\tWhich", "Umujyi?\tWhat"),
            "tsv:2: the id '1' is another question in 'hau' (line 1); languages share an id where \
             they share the question",
        ),
        (
            queries.replace("kin", "hau"),
            "tsv:2: the id '1' occurs a second time",
        ),
    ] {
        let message = load(DOCUMENTS, &queries, qrels, "hau")
            .unwrap_err()
            .to_string();
        assert!(message.ends_with(expected), "{message}");
    }
}

#[test]
fn several_splits_are_read_as_one() {
    let (folder, roots) = folder(&[
        ("docs.jsonl", DOCUMENTS),
        ("queries.dev.tsv", QUERIES),
        ("qrels.dev.txt", QRELS),
        ("queries.test.tsv", "h2\thau\ttest\tIna?\tWhere?\n"),
        ("qrels.test.txt", "h2 0 a2 1\n"),
    ]);
    let load = |split: &str| {
        let text = format!(
            "format = 'wiki-questions'\nfolder = '.'\nsplit = {split}\nlanguages = ['hau']"
        );
        let source: CollectionSource = toml::from_str(&text).unwrap();
        assert_eq!(
            toml::from_str::<CollectionSource>(&toml::to_string(&source).unwrap()).unwrap(),
            source
        );
        source.load(&roots).map_err(|error| error.to_string())
    };
    let both = load("['dev', 'test']").unwrap();
    let ids = both.queries["hau"].iter().map(|query| &*query.id);
    assert_eq!(ids.collect::<Vec<_>>(), ["h1", "h2"]);
    assert_eq!((both.judgements.len(), both.english["hau"].len()), (3, 2));
    assert_eq!(load("['dev']").unwrap(), load("'dev'").unwrap());
    assert!(load("[]").unwrap_err().contains("'split' is empty"));
    // Judgements could belong to either.
    let again = "h1\tkin\ttest\tHe?\tWhere?\n";
    std::fs::write(folder.path().join("queries.test.tsv"), again).unwrap();
    let message = load("['dev', 'test']").unwrap_err();
    assert!(
        message.ends_with("queries.test.tsv:1: the id 'h1' occurs a second time"),
        "{message}"
    );
}

#[test]
fn judgements_of_what_is_not_there_are_listed() {
    let qrels = "h1 0 a1 1\nh1 0 a9 1\nh9 0 a1 1\n";
    let collection = load(DOCUMENTS, QUERIES, qrels, "hau").unwrap();
    let judged = collection.judgements.iter().map(|it| &*it.document);
    assert_eq!(judged.collect::<Vec<_>>(), ["a1", "a9"]);
    let unknown: Vec<_> = collection.unknown.iter().map(|it| it.to_string()).collect();
    for (found, expected) in unknown.iter().zip([
        "qrels.dev.txt:2: there is no document 'a9'",
        "qrels.dev.txt:3: there is no query 'h9'",
    ]) {
        assert!(found.ends_with(expected), "{found}");
    }
    assert_eq!(unknown.len(), 2);
    let origin = collection.queries["hau"][0].origin.as_ref().unwrap();
    assert_eq!(origin.line, 1);
    assert!(origin.file.ends_with("queries.dev.tsv"));
    assert_eq!(collection.documents[1].origin.as_ref().unwrap().line, 2);
}
