//! Asks `optical ot solve`, and compares what it answers.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

pub fn solve(input: &[u8], arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_optical"))
        .args(["ot", "solve"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that has seen enough may close its input.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().unwrap()
}

pub fn answer(question: &Value) -> Value {
    let output = solve(question.to_string().as_bytes(), &["--format", "json"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The error of a question, which must be all that is said.
pub fn refusal(question: &[u8], arguments: &[&str]) -> String {
    let output = solve(question, arguments);
    assert!(!output.status.success() && output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

pub fn assert_close(found: &Value, expected: f64, tolerance: f64) {
    let distance = (number(found) - expected).abs();
    assert!(distance <= tolerance, "{found} is not {expected}");
}

pub fn assert_matrix(found: &Value, expected: &[&[f64]], tolerance: f64) {
    let rows = found.as_array().unwrap();
    assert_eq!(rows.len(), expected.len());
    for (row, expected) in rows.iter().zip(expected) {
        let row = row.as_array().unwrap();
        assert_eq!(row.len(), expected.len());
        for (found, expected) in row.iter().zip(*expected) {
            assert_close(found, *expected, tolerance);
        }
    }
}
