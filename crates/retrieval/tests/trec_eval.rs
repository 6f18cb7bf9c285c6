//! Parity with `trec_eval`, on random judgements and rankings with ties, near ties, unjudged
//! documents, negative grades, a topic without relevant documents, one of which nothing judged was
//! retrieved, and topics that only one file has.
//!
//! The files in `trec_eval/` beside this one were written by `trec_eval` 9.0.8 (with `-q` and the
//! options that the name of the file tells; four digits) and `pytrec_eval-terrier` 0.5 (all digits).
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use optical_retrieval::{Evaluation, Measure, Options, Qrels, Run, evaluate};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/trec_eval")
        .join(name)
}

/// Measure, topic and value of each line, and our evaluation of the same measures.
fn expected(name: &str, options: &Options) -> (Vec<(Measure, String, String)>, Evaluation) {
    let text = std::fs::read_to_string(path(name)).unwrap();
    let line = |line: &str| {
        let mut columns = line.split('\t').map(str::trim);
        let mut column = || columns.next().unwrap();
        (
            column().parse().unwrap(),
            column().to_owned(),
            column().to_owned(),
        )
    };
    let lines: Vec<(Measure, _, _)> = text.lines().map(line).collect();
    let measures: Vec<_> = lines.iter().map(|(measure, ..)| *measure).collect();
    let (qrels, run) = (
        Qrels::read(&path("qrels")).unwrap(),
        Run::read(&path("run")).unwrap(),
    );
    (lines, evaluate(&qrels, &run, &measures, options))
}

fn value(evaluation: &Evaluation, topic: &str, measure: Measure) -> Option<f64> {
    match topic {
        "all" => evaluation.aggregate(measure),
        _ => evaluation.value(topic, measure),
    }
}

fn check(name: &str, options: Options) {
    let (lines, evaluation) = expected(name, &options);
    assert!(lines.len() > 100, "{name}");
    for (measure, topic, expected) in lines {
        let value = value(&evaluation, &topic, measure);
        // The sign of what is not a number is the processor's; every other sign is the measure's.
        let expected = match &*expected {
            "-nan" => "nan",
            expected => expected,
        };
        let own = match value {
            None => "nan".to_owned(),
            Some(value) if measure.is_count() => format!("{value}"),
            Some(value) => format!("{value:.4}"),
        };
        assert_eq!(own, expected, "{name}: {measure} of {topic}");
    }
}

#[test]
fn plain() {
    check("plain.txt", Options::default());
}

#[test]
fn complete() {
    check(
        "complete.txt",
        Options {
            complete_topics: true,
            ..Options::default()
        },
    );
}

#[test]
fn level_2() {
    check(
        "level-2.txt",
        Options {
            relevance_level: 2,
            ..Options::default()
        },
    );
}

#[test]
fn judged_only() {
    check(
        "judged-only.txt",
        Options {
            judged_only: true,
            ..Options::default()
        },
    );
}

#[test]
fn max_3() {
    check(
        "max-3.txt",
        Options {
            max_docs: Some(3),
            ..Options::default()
        },
    );
}

#[test]
fn complete_judged_only_max_5() {
    let options = Options {
        judged_only: true,
        max_docs: Some(5),
        ..Options::default()
    };
    check(
        "complete-judged-only-max-5.txt",
        Options {
            complete_topics: true,
            ..options
        },
    );
}

#[test]
fn all_digits() {
    let (lines, evaluation) = expected("pytrec_eval.txt", &Options::default());
    assert!(lines.len() > 50);
    for (measure, topic, expected) in lines {
        let expected: f64 = expected.parse().unwrap();
        let value = evaluation.value(&topic, measure).unwrap();
        assert!(
            (value - expected).abs() < 1e-12,
            "{measure} of {topic}: {value}, {expected}"
        );
    }
}
