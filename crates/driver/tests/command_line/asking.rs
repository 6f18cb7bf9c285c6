//! `optical search` and `optical align` as people ask them.

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::setting::{command, fails, optical, succeeds};
use crate::{prepare_run, said};

/// What `search` makes of bytes from standard input.
fn asked(folder: &Path, input: &[u8], arguments: &[&str]) -> Output {
    let mut command = command(folder, &[&["search", "runs/run"], arguments].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

#[test]
fn answers_come_without_a_word_about_caches() {
    let folder = tempfile::tempdir().unwrap();
    prepare_run(folder.path());
    let align = ["align", "water fire", "maji moto", "--run", "runs/run"];
    let search = ["search", "runs/run", "--query", "maji"];
    // The first search encodes the documents, and shows how far it is.
    succeeds(&optical(folder.path(), &search));
    for arguments in [&align[..], &search] {
        let output = optical(folder.path(), arguments);
        assert!(!succeeds(&output).is_empty());
        assert_eq!(said(&output), "", "{arguments:?}");
    }
}

#[test]
fn an_answer_shows_the_words_that_were_matched() {
    let folder = tempfile::tempdir().unwrap();
    prepare_run(folder.path());
    // A word finds itself: the student here is the teacher, and a text of one word has one vector.
    let query = ["--query", "fish", "-k", "6"];
    let text = succeeds(&asked(folder.path(), b"", &query));
    assert_eq!(text.lines().count(), 12, "{text}");
    assert!(
        text.lines().any(|line| line.trim() == "fish → fish"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "{text}");
    let json = succeeds(&asked(
        folder.path(),
        b"",
        &[&query[..], &["--json"]].concat(),
    ));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let found = json["found"].as_array().unwrap();
    assert_eq!((found.len(), &json["query"]), (6, &"fish".into()));
    for (place, found) in found.iter().enumerate() {
        assert_eq!(found["rank"], place + 1);
        assert!(found["score"].is_f64() && found["id"].is_string());
        let text: Vec<char> = found["text"].as_str().unwrap().chars().collect();
        for word in found["matches"].as_array().unwrap() {
            let place = |key: &str| word[key].as_u64().unwrap() as usize;
            let there: String = text[place("start")..place("end")].iter().collect();
            assert_eq!(word["text"], there);
            assert_eq!(word["query"][0], "fish");
        }
    }
}

#[test]
fn a_line_that_cannot_be_asked_costs_that_line() {
    let folder = tempfile::tempdir().unwrap();
    prepare_run(folder.path());
    let one = succeeds(&asked(folder.path(), b"", &["--query", "maji", "-k", "1"]));
    let input = b"\xef\xbb\xbfmaji\r\n\n  \n\xff\xfe\xfd\nmaji\xa0\nmaji";
    let output = asked(folder.path(), input, &["-k", "1"]);
    let errors = said(&output);
    assert_eq!(succeeds(&output), one.repeat(2), "{errors}");
    assert_eq!(errors.lines().count(), 2, "{errors}");
    for part in [
        "line 4 of standard input is not UTF-8",
        "line 5 of standard input is not UTF-8",
    ] {
        assert!(errors.contains(part), "{errors}");
    }
    let output = asked(folder.path(), b"\xff\xfem\0a\0j\0i\0\n\0", &[]);
    assert!(fails(&output).contains("error: standard input: is UTF-16, expected UTF-8"));
}

#[test]
fn a_query_without_a_word_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    prepare_run(folder.path());
    for query in ["", "  "] {
        let error = fails(&asked(folder.path(), b"", &["--query", query]));
        assert!(
            error.contains("has no word that the model reads"),
            "{query:?}: {error}"
        );
    }
    let output = asked(folder.path(), b"", &["--query", "maji", "-k", "0"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    for pair in [["", "maji"], ["water", " "]] {
        let arguments = [&["align"], &pair[..], &["--run", "runs/run"]].concat();
        let error = fails(&optical(folder.path(), &arguments));
        assert!(
            error.contains("a sentence without a token cannot be aligned"),
            "{error}"
        );
    }
}

#[test]
fn all_documents_of_a_source_without_a_cut_are_those_of_the_run() {
    let folder = tempfile::tempdir().unwrap();
    prepare_run(folder.path());
    let asked = |arguments: &[&str]| succeeds(&asked(folder.path(), b"maji\n", arguments));
    assert_eq!(asked(&[]), asked(&["--all"]));
}
