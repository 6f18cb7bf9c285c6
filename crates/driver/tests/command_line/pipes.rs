//! Readers who have seen enough, and a disk behind standard output that is full.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::setting::command;
use crate::{prepare_run, said};

/// Commands that print results, with what they read from standard input.
const PRINTING: &[(&str, &str)] = &[
    ("bitext run.toml --sample 3", ""),
    ("baselines run.toml --run runs/baselines", ""),
    ("search runs/run --query maji", ""),
    ("search runs/run --query maji --json", ""),
    ("search runs/run", "maji\nmoto\n"),
    ("align water maji --run runs/run", ""),
    ("watch runs/run --once", ""),
    ("final-test runs/run", ""),
    ("evaluate qrels.txt run.txt", ""),
    ("evaluate qrels.txt run.txt --json", ""),
    ("ot solve --input problem.json", ""),
    (
        "ot solve --json",
        "{\"cost\": [[1, 2]], \"method\": \"exact\"}",
    ),
    ("ot solve --input problem.json --output /dev/stdout", ""),
    ("train run.toml --run runs/piped", ""),
    ("study study.toml", ""),
    ("teach teach.toml", ""),
];

/// What clap prints.
const HELP: [&str; 3] = ["--help", "train --help", "--version"];

/// Commands that say something on standard error only.
const SAYING: [&str; 2] = [
    "encode --model model --input texts.tsv --output v.safetensors",
    "mine --relevance relevance.toml --skip 0 --output negatives.jsonl",
];

/// Commands of [`PRINTING`] that train nothing.
fn quick() -> impl Iterator<Item = (&'static str, &'static str)> {
    let trains =
        |line: &str| ["train", "study", "teach"].contains(&line.split(' ').next().unwrap());
    PRINTING
        .iter()
        .copied()
        .filter(move |(line, _)| !trains(line))
}

/// A pipe whose reading end is closed.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// Runs a command to its end with a standard input that ends.
fn run(folder: &Path, line: &str, input: &str, redirect: impl Fn(&mut Command)) -> Output {
    let path = folder.join("input");
    std::fs::write(&path, input).unwrap();
    let parts: Vec<&str> = line.split(' ').collect();
    let mut command = command(folder, &parts);
    redirect(&mut command);
    command
        .stdin(std::fs::File::open(path).unwrap())
        .output()
        .unwrap()
}

#[test]
fn a_reader_who_went_away_ends_every_command_quietly() {
    let folder = tempfile::tempdir().unwrap();
    prepare_run(folder.path());
    for (line, input) in PRINTING.iter().copied().chain(HELP.map(|line| (line, ""))) {
        let output = run(folder.path(), line, input, |command| {
            command.stdout(closed());
        });
        let errors = said(&output);
        assert_eq!(output.status.code(), Some(0), "{line}: {errors}");
        let quiet = !errors.contains("error") && !errors.contains("panic");
        assert!(quiet, "{line}: {errors}");
    }
    // What takes long was done all the same.
    for file in [
        "runs/piped/report.md",
        "runs/study/study.md",
        "runs/teach/teacher/model.safetensors",
    ] {
        assert!(folder.path().join(file).is_file(), "{file}");
    }
}

#[test]
fn a_closed_standard_error_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    prepare_run(folder.path());
    let exit = |line: &str, input: &str| {
        let output = run(folder.path(), line, input, |command| {
            command.stderr(closed());
        });
        output.status.code()
    };
    for (line, input) in quick().chain(SAYING.map(|line| (line, ""))) {
        assert_eq!(exit(line, input), Some(0), "{line}");
    }
    // Nor does it hide that something is wrong.
    for line in ["search nowhere", "evaluate a b", "train none.toml"] {
        assert_eq!(exit(line, ""), Some(1), "{line}");
    }
}

#[test]
fn a_full_disk_behind_standard_output_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    prepare_run(folder.path());
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full");
    if full().is_err() {
        return;
    }
    for (line, input) in quick() {
        let output = run(folder.path(), line, input, |command| {
            command.stdout(full().unwrap());
        });
        let errors = said(&output);
        assert_eq!(output.status.code(), Some(1), "{line}: {errors}");
        let told: Vec<_> = errors
            .lines()
            .filter(|line| line.starts_with("error: "))
            .collect();
        assert_eq!(told.len(), 1, "{line}: {errors}");
        let named = told[0].contains("standard output") || told[0].contains("/dev/stdout");
        assert!(named, "{line}: {errors}");
    }
}
