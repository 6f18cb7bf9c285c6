//! `optical mine`, as a user runs it, and its output as a teacher's training reads it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "main_job/setting.rs"]
#[allow(dead_code, reason = "the main job's tests use more of it")]
mod setting;

use std::path::Path;
use std::process::Output;

use optical_corpus::bitext::DataRoots;
use optical_corpus::relevance::{Example, RelevanceSource};
use optical_encoder::testing::tiny_checkpoint;
use setting::{normalise, optical};

const WORDS: [&str; 6] = ["water", "fire", "star", "sun", "tree", "fish"];

/// Ten documents of three words; d0 and d6 have the same text. Two queries ask the same.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    tiny_checkpoint(&folder.path().join("model"), "bert", &WORDS, 5).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let text = |i: usize| {
        let word = |j: usize| WORDS[(i + j) % 6];
        format!("{} {} {}", word(0), word(1), word(i / 6 * 2 % 4))
    };
    let documents: String = (0..10)
        .map(|i| {
            let text = if i == 6 { text(0) } else { text(i) };
            format!("{{\"id\": \"d{i}\", \"text\": \"{text}\"}}\n")
        })
        .collect();
    write("docs.jsonl", &documents);
    write(
        "pairs.jsonl",
        "{\"id\": \"1\", \"query\": \"water fire\", \"doc\": \"d0\"}\n\
         {\"id\": \"q2\", \"query\": \"water fire\", \"doc\": \"d1\"}\n\
         {\"id\": \"q3\", \"query\": \"sun\", \"doc\": \"d3\"}\n",
    );
    write(
        "spec.toml",
        "title = 'other tables are no matter'\n[[relevance]]\nformat = 'pairs'\n\
         file = 'pairs.jsonl'\ndocument = 'doc'\ndocuments = 'docs.jsonl'\n",
    );
    folder
}

fn mine(folder: &Path, arguments: &[&str]) -> Output {
    optical(folder, &[&["mine"], arguments].concat())
}

fn succeeds(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    errors
}

fn read(folder: &Path, source: &str) -> Vec<Example> {
    let source: RelevanceSource = toml::from_str(source).unwrap();
    let roots = DataRoots {
        base: folder.into(),
        cache: folder.into(),
    };
    source.load(&roots).unwrap().examples
}

const N_WAY: &str =
    "format = 'n-way'\nfile = 'out.jsonl'\nqueries = 'pairs.jsonl'\ndocuments = 'docs.jsonl'";
const BY_MODEL: [&str; 6] = [
    "--relevance",
    "spec.toml",
    "--method",
    "model",
    "--model",
    "model",
];

const FROM_THE_TOP: [&str; 8] = [
    "--skip",
    "0",
    "--depth",
    "9",
    "--max-score-share",
    "none",
    "--output",
    "out.jsonl",
];

#[test]
fn negatives_are_never_relevant_by_id_or_by_text() {
    let folder = folder();
    let arguments = ["--relevance", "spec.toml"];
    let told = succeeds(&mine(
        folder.path(),
        &[&arguments[..], &FROM_THE_TOP].concat(),
    ));
    assert!(
        told.contains("for 3 of 3 relevant documents, fewer than asked for in 3"),
        "{told}"
    );
    let examples = read(folder.path(), N_WAY);
    let ids = |example: &Example| {
        let candidates = example.candidates.iter();
        candidates
            .map(|candidate| candidate.document.id.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(examples.len(), 3);
    for (example, positive) in examples.iter().zip(["d0", "d1", "d3"]) {
        assert_eq!(ids(example)[0], positive);
    }
    // d6 says what d0 says, and both queries ask the same, so that neither gets the other's document.
    for example in &examples[..2] {
        let negatives = &ids(example)[1..];
        assert!(!negatives.is_empty());
        for relevant in ["d0", "d1", "d6"] {
            assert!(!negatives.contains(&relevant.to_owned()), "{negatives:?}");
        }
    }
    // Numbers stay numbers, as ColBERT wants them.
    let text = std::fs::read_to_string(folder.path().join("out.jsonl")).unwrap();
    assert!(text.starts_with("[1,\"d0\","), "{text}");
}

#[test]
fn a_model_ranks_and_scores() {
    let folder = folder();
    let arguments = [&BY_MODEL[..], &["--scores", "--negatives", "2"]].concat();
    let arguments = [&arguments[..], &FROM_THE_TOP].concat();
    succeeds(&mine(folder.path(), &arguments));
    let examples = read(folder.path(), N_WAY);
    assert_eq!(examples.len(), 3);
    for example in &examples {
        assert_eq!(example.candidates.len(), 3);
        let scores: Vec<f32> = (example.candidates.iter())
            .map(|candidate| candidate.score.unwrap())
            .collect();
        // MaxSim of one or two unit vectors.
        assert!(
            scores.iter().all(|score| score.abs() <= 2.001),
            "{scores:?}"
        );
        assert!(
            scores[2] <= scores[1],
            "negatives are in the order of the ranking"
        );
    }
    // The same command gives the same file, from the index in the cache; another seed does not.
    let bytes = || std::fs::read(folder.path().join("out.jsonl")).unwrap();
    let first = bytes();
    let told = succeeds(&mine(folder.path(), &arguments));
    assert!(!told.contains("encode documents"), "{told}");
    assert_eq!(first, bytes());
    succeeds(&mine(
        folder.path(),
        &[&arguments[..], &["--seed", "2"]].concat(),
    ));
    assert_ne!(first, bytes());
}

#[test]
fn scores_near_the_positive_are_dropped() {
    let folder = folder();
    let share = |share: &str| {
        let arguments = ["--relevance", "spec.toml", "--scores", "--skip", "0"];
        let more = ["--output", "out.jsonl", "--max-score-share", share];
        let told = succeeds(&mine(folder.path(), &[&arguments[..], &more].concat()));
        (told, read(folder.path(), N_WAY))
    };
    let (told, examples) = share("0.9");
    assert!(!told.contains("; 0 candidates scored too high"), "{told}");
    for example in examples {
        let positive = example.candidates[0].score.unwrap();
        for negative in &example.candidates[1..] {
            assert!(negative.score.unwrap() <= 0.9 * positive);
        }
    }
}

#[test]
fn data_without_ids_are_mined_as_texts() {
    let folder = folder();
    let tuples = "{\"anchor\": \"water\", \"positive\": \"water fire\"}\n\
                  {\"anchor\": \"sun\", \"positive\": \"sun water\"}\n\
                  {\"anchor\": \"fish water\", \"positive\": \"fish tree\"}\n";
    std::fs::write(folder.path().join("tuples.jsonl"), tuples).unwrap();
    let spec = "[[relevance]]\nformat = 'tuples'\nfile = 'tuples.jsonl'\nquery = 'anchor'\npositive = 'positive'\n";
    std::fs::write(folder.path().join("texts.toml"), spec).unwrap();
    let arguments = ["--relevance", "texts.toml", "--scores"];
    succeeds(&mine(
        folder.path(),
        &[&arguments[..], &FROM_THE_TOP].concat(),
    ));
    let examples = read(
        folder.path(),
        "format = 'tuples'\nfile = 'out.jsonl'\nquery = 'query'\npositive = 'positive'\n\
         negative = 'negative'\nscores = 'score'",
    );
    // No other document has the word of "sun", so that query is left out; equal scores are in the
    // order of evaluation, by id descending.
    let shown: Vec<_> = (examples.iter())
        .map(|example| {
            let texts = example.candidates.iter().map(|of| &*of.document.text);
            format!(
                "{}: {}",
                example.query.text,
                texts.collect::<Vec<_>>().join(" | ")
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "water: water fire | sun water",
            "fish water: fish tree | sun water | water fire"
        ]
    );
}

#[test]
fn judgements_may_be_given_in_place_of_a_table() {
    let folder = folder();
    std::fs::write(folder.path().join("queries.tsv"), "7\ttree fish\n").unwrap();
    std::fs::write(folder.path().join("qrels"), "7 0 d4 1\n7 0 d5 0\n").unwrap();
    let arguments = [
        "--queries",
        "queries.tsv",
        "--positives",
        "qrels",
        "--documents",
        "docs.jsonl",
    ];
    succeeds(&mine(
        folder.path(),
        &[&arguments[..], &FROM_THE_TOP].concat(),
    ));
    let text = std::fs::read_to_string(folder.path().join("out.jsonl")).unwrap();
    assert!(
        text.starts_with("[7,\"d4\",") && text.contains("\"d5\""),
        "{text}"
    );
}

#[test]
fn faults_are_told_and_leave_no_output() {
    let folder = folder();
    let spec = std::fs::read_to_string(folder.path().join("spec.toml")).unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "two.toml",
        format!("{spec}{}", &spec[spec.find("[[").unwrap()..]),
    );
    write("typo.toml", spec.replace("document =", "dokument ="));
    write("lost.toml", spec.replace("docs.jsonl", "none.jsonl"));
    for (arguments, expected) in [
        (&[][..], "--relevance"),
        (&["--queries", "q.tsv"], "--positives"),
        (
            &["--relevance", "two.toml"],
            "two.toml: 2 [[relevance]] tables, expected 1",
        ),
        (&["--relevance", "typo.toml"], "dokument"),
        (&["--relevance", "lost.toml"], "none.jsonl cannot be read"),
        (
            &["--relevance", "spec.toml", "--skip", "200"],
            "--skip 200 passes over all of --depth 200",
        ),
        (
            &["--relevance", "spec.toml", "--max-score-share", "-1"],
            "expected a number above 0, or \"none\"",
        ),
        (
            &["--relevance", "spec.toml", "--method", "model"],
            "--model",
        ),
        (
            &["--relevance", "spec.toml", "--k1", "-1"],
            "k1 = -1 is out of range",
        ),
    ] {
        let output = mine(
            folder.path(),
            &[arguments, &["--output", "out.jsonl"]].concat(),
        );
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && message.contains(expected),
            "{message}"
        );
        assert!(!folder.path().join("out.jsonl").exists());
    }
    let output = mine(
        folder.path(),
        &[
            "--relevance",
            "spec.toml",
            "--output",
            "docs.jsonl/out.jsonl",
        ],
    );
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("docs.jsonl/out.jsonl"), "{message}");
    let output = mine(
        folder.path(),
        &["--relevance", "spec.toml", "--output", "made/out.jsonl"],
    );
    succeeds(&output);
    assert!(folder.path().join("made/out.jsonl").is_file());
}

/// Of characters without width a large model's normaliser leaves nothing.
#[test]
fn texts_without_tokens_are_told_and_passed_over() {
    let folder = folder();
    normalise(folder.path());
    let append = |name: &str, more: &str| {
        let path = folder.path().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text + more).unwrap();
    };
    append(
        "docs.jsonl",
        "{\"id\": \"z1\", \"text\": \"\u{200b}\u{200d}\"}\n{\"id\": \"z2\", \"text\": \"\u{ad}\"}\n",
    );
    append(
        "pairs.jsonl",
        "{\"id\": \"q4\", \"query\": \"\u{200b}\u{200d}\", \"doc\": \"d2\"}\n\
         {\"id\": \"q5\", \"query\": \"star\", \"doc\": \"z1\"}\n",
    );
    let arguments = [&BY_MODEL[..], &FROM_THE_TOP].concat();
    let said = succeeds(&mine(folder.path(), &arguments));
    for expected in [
        "warning: queries without a token, which are passed over, 1 of 5: q4",
        "warning: documents without a token, which are passed over, 2 of 12: z1, z2",
        "3 of 5 relevant documents",
        "2 left out without any",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let mined = std::fs::read_to_string(folder.path().join("out.jsonl")).unwrap();
    assert_eq!(mined.lines().count(), 3);
    assert!(!mined.contains("z1") && !mined.contains("z2"), "{mined}");
    let short = [&arguments[..], &["--query-length", "2"]].concat();
    let output = mine(folder.path(), &short);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("--query-length = 2, expected at least 3"),
        "{error}"
    );
}
