//! The command line as people and shells use it: names, pipes, empty folders, and files that are not
//! what they should be.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod anywhere;
mod asking;
#[cfg(unix)]
mod hostile;
mod names;
#[cfg(unix)]
mod pipes;
#[path = "../main_job/setting.rs"]
#[allow(dead_code, reason = "the main job's tests use more of it")]
mod setting;

use std::path::Path;
use std::process::Output;

use setting::prepare;

/// What an output says on standard error.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A run with a student in `runs/run`, as if it were trained; and files for commands that need none.
fn prepare_run(folder: &Path) {
    prepare(folder);
    let run = folder.join("runs/run");
    std::fs::create_dir_all(run.join("student")).unwrap();
    std::fs::create_dir_all(run.join("final-test")).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::copy(
            folder.join("model").join(file),
            run.join("student").join(file),
        )
        .unwrap();
    }
    let text = std::fs::read_to_string(folder.join("run.toml")).unwrap();
    let test = "[final_test]\nformat = \"wiki-questions\"\nfolder = \"data/clir\"\nsplit = \"dev\"\nlanguages = [\"swa\"]\n";
    for (file, content) in [
        ("runs/run/run.toml", format!("{text}{test}")),
        ("run.toml", format!("{text}{test}")),
        ("runs/run/final-test/report.md", "# Tested\n".to_owned()),
        (
            "runs/run/metrics.jsonl",
            "{\"event\":\"step\",\"step\":1,\"loss\":0.5}\n".to_owned(),
        ),
        ("texts.tsv", "a\twater\nb\tfire\n".to_owned()),
        (
            "problem.json",
            "{\"cost\": [[0.1, 0.8], [0.7, 0.2]], \"epsilon\": 0.1}".to_owned(),
        ),
        ("qrels.txt", "q1 0 d1 1\n".to_owned()),
        ("run.txt", "q1 Q0 d1 1 2.0 mine\n".to_owned()),
        ("study.toml", STUDY.to_owned()),
        ("teach.toml", teach_file()),
        ("queries.tsv", "q1\twater\n".to_owned()),
        (
            "documents.tsv",
            "d1\twater\nd2\twater tree\nd3\tfish\n".to_owned(),
        ),
        ("triples.tsv", TRIPLES.repeat(3)),
        (
            "relevance.toml",
            "[[relevance]]\nformat = \"text-triples\"\nfile = \"triples.tsv\"\n".to_owned(),
        ),
    ] {
        std::fs::write(folder.join(file), content).unwrap();
    }
}

/// The teacher's file that comes along, made small.
fn teach_file() -> String {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/teacher.toml");
    let text = std::fs::read_to_string(config).unwrap();
    let settings = text[text.find("[head]").unwrap()..]
        .replace("steps = 60", "steps = 2")
        .replace("layers = 12", "layers = 2")
        .replace("dimensions = 128", "dimensions = 4")
        .replace("held_out = 200", "held_out = 1")
        .replace("query_length = 32", "query_length = 16")
        .replace("document_length = 128", "document_length = 16");
    let relevance = "[[relevance]]\nformat = \"text-triples\"\nfile = \"triples.tsv\"\n";
    format!("model = \"model\"\n{relevance}{settings}")
}

const TRIPLES: &str = "water\twater tree\tfish\nfire\tfire sun\tstar\nfish\tfish water\ttree\n";

const STUDY: &str = r#"
title = "Two ways"
run = "run.toml"
students = 1
keep_students = false
reference = "plan"
[set]
"distill.training.steps" = 4
"distill.training.optimiser.warm_up" = 2
[[variant]]
name = "plan"
[[variant]]
name = "repeated"
[variant.set]
"bitext.0.repeat" = 2
"#;
