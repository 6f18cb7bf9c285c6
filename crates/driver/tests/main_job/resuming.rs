//! A run that is stopped, killed, started twice, or that failed.

use std::fs::File;

use crate::setting::{fails, optical, prepared, succeeds};

#[test]
fn what_killed_processes_left_is_cleaned_up() {
    let folder = prepared();
    let train = || optical(folder.path(), &["train", "run.toml"]);
    let shown = succeeds(&train());
    let run = folder.path().join("runs/run");
    let student = std::fs::read(run.join("student/model.safetensors")).unwrap();
    std::fs::remove_file(run.join("student/model.safetensors")).unwrap();
    for left in [
        "checkpoints/partial-a1B2c3",
        "checkpoints/.step-30.a1B2c3.part",
    ] {
        std::fs::create_dir(run.join(left)).unwrap();
        std::fs::write(run.join(left).join("momentum.bpk"), "half").unwrap();
    }
    for left in [".run.toml.a1B2c3.part", "trec/.bm25.swa.run.a1B2c3.part"] {
        std::fs::write(run.join(left), "half").unwrap();
    }
    assert_eq!(shown, succeeds(&train()));
    assert_eq!(
        student,
        std::fs::read(run.join("student/model.safetensors")).unwrap()
    );
    let names = |folder: &str| -> Vec<_> {
        let entries = std::fs::read_dir(run.join(folder)).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    assert_eq!(names("checkpoints"), ["step-30"]);
    for inner in ["", "trec"] {
        assert!(
            names(inner).iter().all(|name| !name.starts_with('.')),
            "{:?}",
            names(inner)
        );
    }
    // A finished run reads no checkpoint, and is swept all the same.
    std::fs::create_dir(run.join("checkpoints/partial-a1B2c3")).unwrap();
    succeeds(&train());
    assert_eq!(names("checkpoints"), ["step-30"]);
}

#[test]
fn a_folder_in_use_is_named_and_may_be_read() {
    let folder = prepared();
    succeeds(&optical(folder.path(), &["train", "run.toml"]));
    let path = folder.path().join("runs/run/.lock");
    std::fs::write(&path, "process 17 since 2026-01-02 03:04:05 UTC").unwrap();
    let held = File::open(&path).unwrap();
    held.lock().unwrap();
    for command in ["train", "baselines"] {
        let error = fails(&optical(folder.path(), &[command, "run.toml"]));
        let expected = "runs/run is in use by process 17 since 2026-01-02 03:04:05 UTC";
        assert!(error.contains(expected), "{error}");
    }
    succeeds(&optical(
        folder.path(),
        &["search", "runs/run", "--query", "jua"],
    ));
    succeeds(&optical(folder.path(), &["watch", "runs/run", "--once"]));
    // The lock goes with the process that held it, however it ended.
    drop(held);
    succeeds(&optical(folder.path(), &["baselines", "run.toml"]));
}

/// A rate that is far too high, and the way on from there.
#[test]
fn a_failed_training_can_begin_from_its_last_checkpoint() {
    let folder = prepared();
    let run_file = std::fs::read_to_string(folder.path().join("run.toml")).unwrap();
    let write = |name: &str, changes: &[(&str, &str)]| {
        let mut text = run_file.clone();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        std::fs::write(folder.path().join(name), text).unwrap();
    };
    let often = ("checkpoint_every = 10", "checkpoint_every = 1");
    let high = ("learning_rate = 2e-3", "learning_rate = 1e30");
    write(
        "high.toml",
        &[often, high, ("clip_norm = 1.0", "clip_norm = 1e30")],
    );
    let error = fails(&optical(folder.path(), &["train", "high.toml"]));
    assert!(
        error.contains("lower the learning rates in a copy of the run file"),
        "{error}"
    );
    assert!(error.contains("no checkpoint before that step"), "{error}");
    let from = |name: &str, run: &str| {
        optical(
            folder.path(),
            &["train", name, "--run", "next", "--from", run],
        )
    };
    let error = fails(&from("run.toml", "runs/high"));
    assert!(error.contains("runs/high: it has no checkpoint"), "{error}");

    succeeds(&optical(folder.path(), &["train", "run.toml"]));
    write(
        "lower.toml",
        &[
            ("learning_rate = 2e-3", "learning_rate = 1e-3"),
            ("steps = 30", "steps = 40"),
        ],
    );
    assert!(!folder.path().join("next").exists());
    succeeds(&from("lower.toml", "runs/run"));
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let made = read("next/run.json");
    assert!(
        made.contains("\"begins from\": \"runs/run, step 30\""),
        "{made}"
    );
    let metrics = read("next/metrics.jsonl");
    assert!(
        metrics.starts_with(&read("runs/run/metrics.jsonl")),
        "{metrics}"
    );
    assert!(metrics.contains("\"resumed_at\":30"), "{metrics}");
    // The same command has nothing left to do.
    succeeds(&from("lower.toml", "runs/run"));
    assert_eq!(metrics, read("next/metrics.jsonl"));
    // Nor does it begin from elsewhere any more.
    let error = fails(&from("lower.toml", "runs/high"));
    assert!(error.contains("began otherwise"), "{error}");

    std::fs::remove_dir_all(folder.path().join("next")).unwrap();
    write("other.toml", &[("layers = 2", "layers = 1")]);
    let error = fails(&from("other.toml", "runs/run"));
    assert!(error.contains("differ in more than optimiser"), "{error}");
    let error = fails(&from("run.toml", "nowhere"));
    assert!(error.contains("nowhere is not a run folder"), "{error}");
}
