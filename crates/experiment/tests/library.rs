//! A program that calls the library alone, and run files that are made of values.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code)]
#[path = "../examples/library.rs"]
mod library;

use optical_experiment::RunFile;

#[test]
fn a_program_trains_searches_and_measures_by_library_calls() {
    let folder = tempfile::tempdir().unwrap();
    let found = library::run(folder.path()).unwrap();
    assert!(found.table.contains("distilled"), "{}", found.table);
    assert!(found.answer.starts_with(" 1. "), "{}", found.answer);
    for name in ["distil", "encode documents", "zero-shot", "distilled"] {
        assert!(found.heard.iter().any(|it| it == name), "{:?}", found.heard);
    }
    let run = folder.path().join("run");
    let results = std::fs::read(run.join("results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_slice(&results).unwrap();
    // The measures of the run file, and no others.
    let measured = &results["languages"][0]["scores"]["distilled"];
    let names: Vec<&String> = measured.as_object().unwrap().keys().collect();
    assert_eq!(names, ["map", "recall_5"]);
    assert_eq!(measured["map"].as_f64().unwrap(), found.map);
    assert_eq!(found.reported, Some(found.map));

    // What is there is read back: the student is not trained again.
    let again = library::run(folder.path()).unwrap();
    assert_eq!(again.table, found.table);
    assert!(!again.heard.iter().any(|it| it == "distil"));

    // The text that the folder keeps says what the values said.
    let kept = RunFile::load(&run.join("run.toml")).unwrap();
    let made = RunFile::of_settings((*kept).clone()).unwrap();
    assert_eq!(*made, *kept);
}
