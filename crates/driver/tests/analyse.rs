//! `optical analyse`, as a user runs it: numbers on standard output, what is left out on standard
//! error, and errors with file and line.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

const STUDY: &str = "\
method,size,seed,language,group,topic,value
m,1000,1,hau,low,t1,0.2
m,1000,1,deu,high,t1,0.6
m,10000,1,hau,low,t1,0.4
m,10000,1,deu,high,t1,0.7
m,1000,1,zul,other,t1,0.1
m,10000,1,zul,other,t1,0.3
";

fn analyse(study: &str, options: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("study.csv"), study).unwrap();
    Command::new(env!("CARGO_BIN_EXE_optical"))
        .current_dir(folder.path())
        .args(["analyse", "study.csv"])
        .args(options)
        .output()
        .unwrap()
}

fn json(options: &[&str]) -> serde_json::Value {
    let output = analyse(STUDY, options);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The gap falls from .4 to .3 over one decade.
#[test]
fn numbers_are_printed_as_json() {
    let found = json(&["--json", "--resamples", "10", "--seed", "3"]);
    let slope = found["methods"]["m"]["slope"]["gap"].as_f64().unwrap();
    assert!((slope + 0.1).abs() < 1e-12, "{slope}");
}

/// Two groups count as one: the low mean at the first size is that of .2 and .1.
#[test]
fn groups_are_named_with_commas() {
    let found = json(&["--json", "--low", "low,other", "--random-languages"]);
    let low = found["methods"]["m"]["sizes"][0]["low"].as_f64().unwrap();
    assert!((low - 0.15).abs() < 1e-12, "{low}");
}

#[test]
fn tables_are_printed_and_what_is_left_out_is_said() {
    let output = analyse(STUDY, &["--resamples", "10"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "left out: other\n");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.starts_with("m: means and gaps, 95 % intervals\n"),
        "{text}"
    );
    assert!(
        text.contains("0.4000") && text.contains("-0.1000"),
        "{text}"
    );
}

#[test]
fn what_is_wrong_is_told_with_file_and_line() {
    let refused = |study: &str, options: &[&str]| {
        let output = analyse(study, options);
        assert!(!output.status.success());
        assert!(output.stdout.is_empty());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let twice = STUDY.to_owned() + "m,1000,1,hau,low,t1,0.3\n";
    let expected =
        "error: study.csv:8: repeats line 2: same method, size, seed, language and topic\n";
    assert_eq!(refused(&twice, &[]), expected);
    let unknown = refused(STUDY, &["--high", "rich"]);
    assert!(
        unknown.contains("study.csv: has no row of group rich"),
        "{unknown}"
    );
    assert!(refused(STUDY, &["--resamples", "0"]).contains("--resamples"));
}

#[test]
fn a_page_is_written_with_verdicts_and_bad_hypotheses_are_refused_first() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("study.csv", STUDY);
    let page = |hypotheses: &str| {
        write("hypotheses.toml", hypotheses);
        let options = ["analyse", "study.csv", "--out", "page", "--resamples", "20"];
        Command::new(env!("CARGO_BIN_EXE_optical"))
            .current_dir(folder.path())
            .args(options)
            .args(["--hypotheses", "hypotheses.toml"])
            .output()
            .unwrap()
    };
    let rises =
        "[[hypothesis]]\nid = \"H1\"\ntext = \"All gain.\"\nkind = \"rises\"\nmethod = \"m\"\n";
    let refused = page(&rises.replace("rises", "soars"));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        !refused.status.success() && said.contains("hypotheses.toml") && said.contains("soars"),
        "{said}"
    );
    assert!(!folder.path().join("page").exists());

    let written = page(rises);
    assert!(written.status.success(), "{written:?}");
    let read = |name: &str| std::fs::read_to_string(folder.path().join("page").join(name)).unwrap();
    assert!(read("study.md").contains("All gain."));
    let html = read("study.html");
    assert!(html.contains("<svg") && !html.contains("<script") && !html.contains("src=\"http"));
}
