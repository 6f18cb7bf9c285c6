//! Several students, and a teacher.

use std::path::Path;

use crate::setting::{command, fails, optical, prepare, prepared, succeeds};

/// Two students with seeds of their own, the best reading of each, and code-switched sentences.
#[test]
fn several_students_are_judged_while_they_are_trained_and_averaged() {
    let folder = prepared();
    let run_file = std::fs::read_to_string(folder.path().join("run.toml")).unwrap();
    let collection = run_file.find("[collection]").unwrap();
    let end = collection + run_file[collection..].find("[distill]").unwrap();
    let development = run_file[collection..end].replace("[collection]", "[development]");
    let with = |from: &str, to: &str, text: String| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    };
    let text = with("repetitions = 1", "repetitions = 2", run_file.clone());
    let text = with(
        "retention = {",
        "code_switched = { swa = 0.1 }\nretention = {",
        text,
    );
    let stopping = "[distill.training.stopping]\nmetric = \"development\"\npatience = 2\n";
    let shape = "[bitext_shape]\njoined = 0.2\nas_queries = 0.2\n";
    let switching = "[code_switching]\ntable = \"ibm1\"\nminimum_probability = 0.01\nwords = 0.5\n";
    std::fs::write(
        folder.path().join("several.toml"),
        format!("{text}{stopping}{development}{switching}{shape}"),
    )
    .unwrap();
    succeeds(&optical(folder.path(), &["train", "several.toml"]));
    let run = folder.path().join("runs/several");
    let report = std::fs::read_to_string(run.join("report.md")).unwrap();
    assert!(
        report.contains("mean of 2 students, seeds 1 to 2"),
        "{report}"
    );
    let metrics = |path: &Path| std::fs::read_to_string(path.join("metrics.jsonl")).unwrap();
    let (first, second) = (metrics(&run), metrics(&run.join("repetition-2")));
    assert!(first.contains("\"judged\"") && second.contains("\"judged\""));
    assert_ne!(first, second);
    for path in ["student", "repetition-2/student"] {
        assert!(run.join(path).join("model.safetensors").is_file());
    }
    let result = std::fs::read_to_string(run.join("trec/distilled-2.swa.run"));
    assert!(!result.unwrap().is_empty());

    // A run without an alignment has no plan, and a report all the same.
    let (start, end) = (
        run_file.find("[distill.objectives.alignment]").unwrap(),
        run_file.find("[distill.training]").unwrap(),
    );
    let sentence = "[distill.objectives.sentence]\nweight = 1.0\npool = \"mean\"\n";
    let text = format!("{}{sentence}{}", &run_file[..start], &run_file[end..]);
    std::fs::write(folder.path().join("sentence.toml"), text).unwrap();
    succeeds(&optical(folder.path(), &["train", "sentence.toml"]));
    let run = folder.path().join("runs/sentence");
    let report = std::fs::read_to_string(run.join("report.md")).unwrap();
    assert!(!report.contains("effective partners"), "{report}");

    let refused = |text: String, expected: &str| {
        std::fs::write(folder.path().join("bad.toml"), text).unwrap();
        let error = fails(&optical(folder.path(), &["train", "bad.toml"]));
        assert!(error.contains(expected), "{error}");
    };
    refused(format!("{run_file}{stopping}"), "go together");
    let shape = shape.replace("joined = 0.2", "joined = 1.2");
    refused(format!("{run_file}{shape}"), "bitext_shape.joined = 1.2");
    refused(
        format!("{run_file}{switching}"),
        "[code_switching] needs languages",
    );
}

/// A tiny encoder is taught, in two sittings of which the second has nothing left to do but to save.
#[test]
fn a_teacher_is_trained_and_saved() {
    let folder = prepared();
    let things = ["water", "fire", "star", "sun", "tree", "fish"];
    let lines: String = (0..36)
        .map(|i| {
            let (one, other) = (things[i % 6], things[(i + 1 + i / 6) % 6]);
            format!("{{\"query\": \"{one} {i}\", \"positive\": \"{one} {one}\", \"negative\": \"{other}\"}}\n")
        })
        .collect();
    std::fs::write(folder.path().join("relevance.jsonl"), lines).unwrap();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/teacher.toml");
    let text = std::fs::read_to_string(config).unwrap();
    let back = text.find("[head]").unwrap();
    let text = "model = \"model\"\n[[relevance]]\nformat = \"tuples\"\nfile = \"relevance.jsonl\"\nquery = \"query\"\npositive = \"positive\"\nnegative = \"negative\"\n"
        .to_owned()
        + &text[back..]
            .replace("steps = 60", "steps = 6")
            .replace("layers = 12", "layers = 2")
            .replace("dimensions = 128", "dimensions = 4")
            .replace("every = 30", "every = 3")
            .replace("held_out = 200", "held_out = 6")
            .replace("query_length = 32", "query_length = 16")
            .replace("document_length = 128", "document_length = 16");
    std::fs::write(folder.path().join("teacher.toml"), text).unwrap();
    let said = succeeds(&optical(folder.path(), &["teach", "teacher.toml"]));
    assert!(said.contains("teacher: runs/teacher/teacher"), "{said}");
    let teacher = folder.path().join("runs/teacher/teacher");
    assert!(teacher.join("1_Dense/model.safetensors").is_file());
    let metrics = std::fs::read_to_string(folder.path().join("runs/teacher/metrics.jsonl"));
    assert_eq!(metrics.unwrap().matches("\"instruments\"").count(), 3);
    let weights = std::fs::read(teacher.join("model.safetensors")).unwrap();
    succeeds(&optical(folder.path(), &["teach", "teacher.toml"]));
    assert_eq!(
        std::fs::read(teacher.join("model.safetensors")).unwrap(),
        weights
    );
}

/// Killed again and again, once on a full disk, and still the very weights of an unbroken run.
#[cfg(unix)]
#[test]
fn a_killed_run_ends_with_the_very_weights_of_an_unbroken_one() {
    let student = |folder: &Path| {
        let path = folder.join("runs/run/student/model.safetensors");
        std::fs::read(path).unwrap()
    };
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&whole, &killed] {
        prepare(folder.path());
        let run_file = folder.path().join("run.toml");
        let text = std::fs::read_to_string(&run_file).unwrap();
        let text = text.replace("checkpoint_every = 10", "checkpoint_every = 3");
        std::fs::write(&run_file, text.replace("dropout = false", "dropout = true")).unwrap();
    }
    succeeds(&optical(whole.path(), &["train", "run.toml"]));
    let checkpoints = killed.path().join("runs/run/checkpoints");
    let newest = || -> Option<u64> {
        let entries = std::fs::read_dir(&checkpoints).ok()?;
        let names = entries.map(|entry| entry.unwrap().file_name());
        let step = |name: std::ffi::OsString| name.to_str()?.strip_prefix("step-")?.parse().ok();
        names.filter_map(step).max()
    };
    for goal in [3, 9, 18] {
        let mut child = command(killed.path(), &["train", "run.toml"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while newest() < Some(goal) && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // Files may not grow beyond a kilobyte, as on a full disk.
    let before = newest();
    let limited = std::process::Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 2; exec \"$0\" train run.toml",
        ])
        .arg(env!("CARGO_BIN_EXE_optical"))
        .current_dir(killed.path())
        .env("OPTICAL_CACHE", killed.path().join("cache"))
        .output()
        .unwrap();
    let error = fails(&limited);
    assert!(
        error.contains("error: ") && error.contains("large"),
        "{error}"
    );
    assert_eq!(newest(), before);
    succeeds(&optical(killed.path(), &["train", "run.toml"]));
    assert!(student(whole.path()) == student(killed.path()));
}
