//! `optical watch`, on run folders that another process could have written.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const EVENTS: &str = r#"{"event":"prepared","pairs":60,"left_out":0,"vocabulary":39,"resumed_at":0}
{"event":"step","step":1,"loss":0.5,"learning_rate":0.0001,"seconds":0.5}
{"event":"checkpoint","step":1}
{"event":"step","step":2,"loss":0.25,"learning_rate":0.0002,"seconds":1.5}
{"event":"instruments","step":2,"within_sentence_cosine":0.41,"teacher_within_sentence_cosine":0.39,"mates":{"swa":{"reciprocal_rank":0.8,"margin":0.1},"hau":{"reciprocal_rank":0.7,"margin":0.2}}}
{"event":"of_next_year","step":2,"novelty":3}
"#;

fn run_folder(folder: &Path) -> PathBuf {
    let run = folder.join("run");
    std::fs::create_dir(&run).unwrap();
    let text = "key_of_next_year = 1\n[distill.training]\nsteps = 4\n";
    std::fs::write(run.join("run.toml"), text).unwrap();
    run
}

fn watch(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_optical"));
    command
        .current_dir(folder)
        .args(["watch", "run"])
        .args(arguments);
    command
}

fn shown(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_run_is_shown_as_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let run = run_folder(folder.path());
    let once = |arguments: &[&str]| shown(&watch(folder.path(), arguments).output().unwrap());
    assert_eq!(once(&["--once"]), "run: step 0 of 4\n");
    std::fs::write(
        run.join("metrics.jsonl"),
        format!("{EVENTS}{{\"event\":\"st"),
    )
    .unwrap();
    let text = once(&["--once"]);
    for expected in [
        "run: step 2 of 4, 1.00 s a step, 2.00 s left",
        "loss  █▁ ",
        "teacher within sentence cosine  ▅ ",
        "mates reciprocal rank  hau 0.7000   swa 0.8000",
        "novelty",
        "of step 1, 1 steps and",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    // A run that is over needs no --once.
    std::fs::create_dir(run.join("student")).unwrap();
    std::fs::write(run.join("student/model.safetensors"), "").unwrap();
    assert!(once(&[]).contains("finished, 2.00 s in steps"));
}

#[test]
fn a_run_is_followed_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let run = run_folder(folder.path());
    let metrics = run.join("metrics.jsonl");
    std::fs::write(&metrics, EVENTS).unwrap();
    let mut child = watch(folder.path(), &["--tensorboard", "board"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(
        lines
            .next()
            .unwrap()
            .unwrap()
            .starts_with("run: step 2 of 4")
    );
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.append(true).open(&metrics).unwrap();
    let more = "{\"event\":\"step\",\"step\":3,\"loss\":0.1,\"seconds\":1}\n{\"event\":\"surprise\",\"step\":3,\"joy\":1}\n";
    file.write_all(more.as_bytes()).unwrap();
    std::fs::create_dir(run.join("student")).unwrap();
    std::fs::write(run.join("student/model.safetensors"), "").unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(child.wait().unwrap().success());
    assert!(
        rest.contains(&"step 3 surprise: joy 1.0000".to_owned()),
        "{rest:?}"
    );
    assert!(
        rest.iter()
            .any(|line| line.contains("step 3 of 4") && line.contains("finished"))
    );

    let board = folder.path().join("board/events.out.tfevents.optical");
    let bytes = std::fs::read(&board).unwrap();
    let tags = String::from_utf8_lossy(&bytes).into_owned();
    for tag in ["step/loss", "instruments/mates/swa/margin", "surprise/joy"] {
        assert!(tags.contains(tag), "{tag}");
    }
    // Watched again, the curves are written anew and not twice.
    let again = watch(folder.path(), &["--once", "--tensorboard", "board"]);
    shown(&{ again }.output().unwrap());
    assert_eq!(std::fs::read(&board).unwrap().len(), bytes.len());
}

#[test]
fn a_folder_that_is_no_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = watch(folder.path(), &["--once"]).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && message.contains("run is not a run folder"),
        "{message}"
    );
}
