//! `optical evaluate`, as a user runs it: what trec_eval accepts is accepted, what says nothing is an
//! error.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

const QRELS: &str = "q1 0 d1 1\nq1 0 d2 0\nq2 0 d3 1\n";
const RUN: &str = "q1 Q0 d1 1 2.5 t\nq1 Q0 d2 2 1.5 t\nq2 Q0 d9 1 3 t\nq2 Q0 d3 2 1 t\n";

fn evaluate(qrels: impl AsRef<[u8]>, run: impl AsRef<[u8]>, options: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("qrels"), qrels).unwrap();
    std::fs::write(folder.path().join("run"), run).unwrap();
    in_folder(folder.path(), options)
}

fn in_folder(folder: &Path, options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_optical"))
        .current_dir(folder)
        .args(["evaluate", "qrels", "run"])
        .args(options)
        .output()
        .unwrap()
}

/// The lines of standard output as words.
fn printed(output: &Output) -> Vec<String> {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(words).collect()
}

fn refused(output: &Output) -> String {
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const MEASURES: [&str; 4] = ["-m", "map", "-m", "num_q"];

/// AP is 1 for q1 and 1/2 for q2.
#[test]
fn marks_packing_tags_and_line_ends_change_no_number() {
    let expected = ["num_q all 2", "map all 0.7500"];
    let marked = |text: &str| format!("\u{feff}{text}").into_bytes();
    let packed = |text: &str| zstd::encode_all(text.as_bytes(), 1).unwrap();
    for (qrels, run) in [
        (QRELS.into(), RUN.into()),
        (marked(QRELS), marked(RUN)),
        (packed(QRELS), packed(RUN)),
        (QRELS.into(), RUN.replace(" t\n", " my run\n").into_bytes()),
        (
            QRELS
                .replace(' ', "\t")
                .replace('\n', "\r\n\r\n")
                .into_bytes(),
            RUN.replace(' ', " \t ").trim_end().into(),
        ),
        (
            b"query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t0\nq2\td3\t1\n".to_vec(),
            [b"# a remark\n".as_slice(), RUN.as_bytes()].concat(),
        ),
    ] {
        let mut lines = printed(&evaluate(qrels, run, &MEASURES));
        lines.sort_unstable_by_key(|line| line.starts_with("map"));
        assert_eq!(lines, expected);
    }
    let output = evaluate(QRELS, RUN.replace(" t\n", " my run\n"), &[]);
    assert!(printed(&output).contains(&"runid all my".to_owned()));
}

/// The values are trec_eval's: of d3, d4, d1, dx, only d1 is relevant, and d2 was not found; d4 was in
/// the pool and not judged.
#[test]
fn negative_grades_are_what_they_are_to_trec_eval() {
    let qrels = "q1 0 d1 3\nq1 0 d2 1\nq1 0 d3 0\nq1 0 d4 -1\n";
    let run = "q1 Q0 d3 1 5 t\nq1 Q0 d4 2 4 t\nq1 Q0 d1 3 3 t\nq1 Q0 dx 4 2 t\n";
    let lines = printed(&evaluate(qrels, run, &["-m", "map", "-m", "num_rel"]));
    assert!(lines.contains(&"map all 0.1667".to_owned()), "{lines:?}");
    assert!(lines.contains(&"num_rel all 2".to_owned()), "{lines:?}");
    // Removed with the others that are not judged, d1 comes second: 1/2 of 2.
    let lines = printed(&evaluate(qrels, run, &["-m", "map", "-J"]));
    assert_eq!(lines, ["map all 0.2500"]);
}

#[test]
fn what_says_nothing_is_an_error() {
    for (qrels, run, expected) in [
        (QRELS.as_bytes(), &b""[..], "run is empty"),
        (b"", RUN.as_bytes(), "qrels is empty"),
        (QRELS.as_bytes(), b"# nothing\n", "run retrieves nothing"),
        (
            QRELS.as_bytes(),
            b"q9 Q0 d1 1 2.5 t\n",
            "run and qrels have no topic in common",
        ),
        (
            b"# none\n",
            RUN.as_bytes(),
            "qrels has no judgement, expected lines of topic iteration document grade",
        ),
        (
            QRELS.as_bytes(),
            b"q1 Q0 d1 1 2.5\n",
            "run:1: has 5 columns where 6 are expected",
        ),
        (
            RUN.as_bytes(),
            RUN.as_bytes(),
            "qrels:1: has 6 columns where 4 are expected",
        ),
        (
            QRELS.as_bytes(),
            b"q1 Q0 caf\xe9 1 1 t\n",
            "run:1: is not UTF-8: byte 0xe9 after 9 good ones",
        ),
        (
            b"q1 0 caf\xe9 1\n",
            RUN.as_bytes(),
            "qrels:1: is not UTF-8: byte 0xe9 after 8 good ones",
        ),
        (
            QRELS.as_bytes(),
            b"BZh91AY&SY\0\0",
            "run is packed with bzip2, expected text, perhaps packed with",
        ),
        (
            b"\xff\xfeq\0",
            RUN.as_bytes(),
            "qrels is UTF-16LE, expected UTF-8",
        ),
    ] {
        for options in [&MEASURES[..], &["-c", "--json"]] {
            let message = refused(&evaluate(qrels, run, options));
            assert!(message.contains(expected), "{message}\n{expected}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("qrels"), QRELS).unwrap();
    let message = refused(&in_folder(folder.path(), &[]));
    assert!(message.contains("run cannot be read"), "{message}");
    std::fs::create_dir(folder.path().join("run")).unwrap();
    let message = refused(&in_folder(folder.path(), &[]));
    assert!(
        message.contains("run is a folder, expected a file"),
        "{message}"
    );
}
