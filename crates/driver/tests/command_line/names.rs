//! What a command is about may be named by itself or behind an option, but once.

use crate::setting::{fails, optical, succeeds};
use crate::{prepare_run, said};

/// Commands with the option that names the same file or folder.
const NAMED: &[(&[&str], &str, &str)] = &[
    (&["train"], "--config", "run.toml"),
    (&["baselines"], "--config", "run.toml"),
    (&["bitext"], "--config", "run.toml"),
    (&["study"], "--config", "study.toml"),
    (&["teach"], "--config", "teach.toml"),
    (&["search", "--query", "maji"], "--run", "runs/run"),
    (&["watch", "--once"], "--run", "runs/run"),
];

#[test]
fn both_ways_of_naming_do_the_same() {
    let folder = tempfile::tempdir().unwrap();
    prepare_run(folder.path());
    // Trained here, before it is searched and watched.
    std::fs::remove_dir_all(folder.path().join("runs")).unwrap();
    for (command, option, name) in NAMED {
        let run = |named: &[&str]| {
            let arguments = [*command, named].concat();
            succeeds(&optical(folder.path(), &arguments))
        };
        let by_itself = run(&[name]);
        assert!(!by_itself.is_empty(), "{command:?}");
        assert_eq!(by_itself, run(&[option, name]), "{command:?}");
        assert_eq!(
            by_itself,
            run(&[&format!("{option}={name}")]),
            "{command:?}"
        );

        let twice = [*command, &[*name, *option, *name]].concat();
        let output = optical(folder.path(), &twice);
        assert_eq!(output.status.code(), Some(2), "{twice:?}");
        assert!(
            said(&output).contains("cannot be used with"),
            "{}",
            said(&output)
        );
    }
}

#[test]
fn what_has_to_be_named_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["study", "teach"] {
        let output = optical(folder.path(), &[command]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        let error = fails(&output);
        assert!(error.contains("--config <FILE>"), "{error}");
    }
}
