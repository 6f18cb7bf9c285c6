//! The program as a user starts it: the main job on a tiny model and collection, and its errors.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod caches;
mod checking;
#[cfg(all(feature = "flex", feature = "wgpu"))]
mod devices;
mod grid;
mod ladder;
mod own_student;
mod resuming;
mod setting;
mod study;
mod texts;
mod training;

use std::path::Path;
use std::sync::LazyLock;

use setting::{fails, optical, prepare, prepared, succeeds};

/// A run of the main job, made once for all tests that ask it something; each gets a copy.
fn trained() -> tempfile::TempDir {
    static TRAINED: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        succeeds(&optical(folder.path(), &["train", "run.toml"]));
        folder
    });
    let folder = tempfile::tempdir().unwrap();
    copy(TRAINED.path(), folder.path());
    folder
}

/// Copies all that is in a folder.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (entry, place) = (
            entry.as_ref().unwrap().path(),
            entry.as_ref().unwrap().file_name(),
        );
        match entry.is_dir() {
            true => copy(&entry, &to.join(place)),
            false => drop(std::fs::copy(&entry, to.join(place)).unwrap()),
        }
    }
}

/// What a run's report says, for programs.
fn results(run: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(run.join("results.json")).unwrap()).unwrap()
}

/// A system's MAP in Swahili.
fn score(results: &serde_json::Value, system: &str) -> f64 {
    let scores = &results["languages"][0]["scores"];
    scores[system]["map"].as_f64().unwrap()
}

#[test]
fn what_baselines_have_found_is_not_done_again() {
    let folder = prepared();
    // What needs no encoder first; then all, which finds it done.
    let baselines = succeeds(&optical(folder.path(), &["baselines", "run.toml"]));
    let run = folder.path().join("runs/run");
    let table = std::fs::read(run.join("translation/ibm1.swa.tsv")).unwrap();
    let shown = succeeds(&optical(folder.path(), &["train", "run.toml"]));
    let scores = |shown: &str| -> Vec<String> {
        let line = shown.lines().find(|line| line.starts_with("swa (low)"));
        line.unwrap()
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    };
    assert!(
        scores(&shown).starts_with(&scores(&baselines)),
        "{baselines}{shown}"
    );
    assert_eq!(
        table,
        std::fs::read(run.join("translation/ibm1.swa.tsv")).unwrap()
    );
}

#[test]
fn the_main_job_leaves_a_report_a_student_and_runs() {
    let folder = trained();
    let run = folder.path().join("runs/run");
    for file in [
        "run.toml",
        "metrics.jsonl",
        "bitext.json",
        "report.md",
        "results.json",
        "run.json",
        "results.png",
        "results.svg",
        "training.png",
        "training.svg",
        "alignment.png",
        "alignment.svg",
        "student/model.safetensors",
        "student/tokenizer.json",
        "student/1_Dense/model.safetensors",
        "trec/swa.qrels",
        "trec/distilled.swa.run",
        "trec/english.swa.run",
        "trec/psq.swa.run",
        "trec/first-sense.swa.run",
        "trec/bm25-english.swa.run",
    ] {
        assert!(run.join(file).is_file(), "{file} is missing");
    }
    let results = results(&run);
    let score = |system: &str| score(&results, system);
    // No Swahili word is in the documents, and only one in the dictionary.
    assert_eq!(score("bm25"), 0.0);
    assert!(
        score("first-sense") > 0.0 && score("first-sense") < score("psq"),
        "{results}"
    );
    assert!(score("psq") <= score("bm25-english"), "{results}");
    // What was distilled is held against every system but the upper bounds.
    let against: Vec<_> = results["low_resource"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(
        against,
        ["bm25", "first-sense", "psq", "zero-shot", "zero-shot-raw"]
    );
    let bm25 = &results["low_resource"]["bm25"];
    assert_eq!(bm25["topics"], 6);
    assert!((bm25["difference"].as_f64().unwrap() - score("distilled")).abs() < 1e-12);
    // Six queries are too few to tell systems apart; mate retrieval tells whether it learned.
    let instruments = results["instruments"].as_array().unwrap();
    let mates = instruments
        .iter()
        .find(|instrument| instrument["name"] == "mate retrieval MRR, swa")
        .unwrap();
    assert!(
        mates["first"].as_f64() < mates["last"].as_f64(),
        "{results}"
    );
}

#[test]
fn a_finished_run_is_read_back() {
    let folder = trained();
    let run = folder.path().join("runs/run");
    let report = std::fs::read_to_string(run.join("report.md")).unwrap();
    let table = |report: &str| report.split("## Significance").next().unwrap().to_owned();
    // The same command has nothing left to do but the report.
    let before = std::fs::read(run.join("student/model.safetensors")).unwrap();
    succeeds(&optical(folder.path(), &["train", "run.toml"]));
    let again = std::fs::read_to_string(run.join("report.md")).unwrap();
    assert_eq!(table(&report), table(&again));
    assert_eq!(
        before,
        std::fs::read(run.join("student/model.safetensors")).unwrap()
    );
}

#[test]
fn a_run_can_be_evaluated_searched_and_aligned() {
    let folder = trained();
    let run = folder.path().join("runs/run");
    let evaluated = optical(
        folder.path(),
        &[
            "evaluate",
            "runs/run/trec/swa.qrels",
            "runs/run/trec/distilled.swa.run",
            "-m",
            "map",
            "--json",
        ],
    );
    let json: serde_json::Value = serde_json::from_str(&succeeds(&evaluated)).unwrap();
    assert_eq!(
        json["all"]["map"].as_f64().unwrap(),
        score(&results(&run), "distilled")
    );

    let found = succeeds(&optical(
        folder.path(),
        &["search", "runs/run", "--query", "jua jua", "-k", "2"],
    ));
    // A line for each document, and one for the words that were matched.
    assert_eq!(found.lines().count(), 4, "{found}");
    let aligned = optical(
        folder.path(),
        &["align", "water fire", "maji moto", "--run", "runs/run"],
    );
    assert!(succeeds(&aligned).contains("transport cost"));
}

#[test]
fn the_final_test_is_scored_once() {
    let folder = trained();
    let run = folder.path().join("runs/run");
    // The final test needs questions that the run file may name afterwards.
    let final_test = || optical(folder.path(), &["final-test", "runs/run"]);
    assert!(fails(&final_test()).contains("[final_test]"));
    let file = folder.path().join("run.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let table = "[final_test]\nformat = \"wiki-questions\"\nfolder = \"data/clir\"\nsplit = \"test\"\nlanguages = [\"swa\"]\n";
    std::fs::write(&file, format!("{text}{table}")).unwrap();
    succeeds(&optical(folder.path(), &["train", "run.toml"]));
    let queries = std::fs::read_to_string(folder.path().join("data/clir/queries.dev.tsv")).unwrap();
    let queries = queries.replace("\tdev\t", "\ttest\t");
    let queries: String = queries.split_inclusive('\n').take(4).collect();
    std::fs::write(folder.path().join("data/clir/queries.test.tsv"), queries).unwrap();
    let judgements = "q0 0 d0 1\nq1 0 d1 1\nq2 0 d2 1\nq3 0 d3 1\n";
    std::fs::write(folder.path().join("data/clir/qrels.test.txt"), judgements).unwrap();
    let tested = succeeds(&final_test());
    assert!(
        tested.contains("zero-shot") && tested.contains("psq"),
        "{tested}"
    );
    let ranking = run.join("final-test/trec/distilled.swa.run");
    let ranking = std::fs::read_to_string(ranking).unwrap();
    assert!(
        ranking.contains("q3 ") && !ranking.contains("q4 "),
        "{ranking}"
    );
    // Scored once: what was found is shown again, whatever judgements and students are by now.
    let report = std::fs::read_to_string(run.join("final-test/report.md")).unwrap();
    assert!(report.lines().next().unwrap().ends_with("(final test)"));
    std::fs::write(folder.path().join("data/clir/qrels.test.txt"), "").unwrap();
    let student = run.join("student");
    std::fs::rename(&student, run.join("elsewhere")).unwrap();
    assert_eq!(succeeds(&final_test()), report);
    std::fs::rename(run.join("elsewhere"), &student).unwrap();
    let with_another = ["final-test", "runs/run", "runs/another"];
    assert!(fails(&optical(folder.path(), &with_another)).contains("runs/another"));
}

#[test]
fn bad_input_is_named_and_leaves_nothing_behind() {
    let folder = prepared();
    let run_file = std::fs::read_to_string(folder.path().join("run.toml")).unwrap();
    let train = |from: &str, to: &str| {
        assert!(run_file.contains(from));
        std::fs::write(folder.path().join("bad.toml"), run_file.replace(from, to)).unwrap();
        fails(&optical(folder.path(), &["train", "bad.toml"]))
    };
    for (from, to, expected) in [
        ("steps = 30", "stepz = 30", "stepz"),
        (
            "epsilon = 0.05",
            "epsilon = 0.0",
            "objectives.alignment.plan.epsilon = 0, expected more than 0",
        ),
        (
            "student_weight = 0.9",
            "student_weight = 1.1",
            "student_weight = 1.1, expected 0 to 1",
        ),
        ("low = [\"swa\"]", "low = []", "languages.low is empty"),
        (
            "original = 0.1",
            "original = 1.1",
            "psq: original = 1.1, expected 0 to 1",
        ),
        (
            "name = \"psq\"",
            "name = \"bm25\"",
            "the name \"bm25\" is taken",
        ),
        (
            "swa = \"dictionary",
            "swh = \"dictionary",
            "translation.dictionary.swh is not a language",
        ),
        (
            "[\"Latin\"]",
            "[\"Roman\"]",
            "bitext_filter.languages.swa.scripts = Roman, expected Unicode's name of a script",
        ),
    ] {
        let error = train(from, to);
        assert!(
            error.contains(expected) && error.contains("bad.toml"),
            "{error}"
        );
    }
    assert!(
        !folder.path().join("runs").exists(),
        "a refused run file left a run folder"
    );
    let error = train("model = \"model\"", "model = \"nowhere\"");
    assert!(error.contains("nowhere is not a model's folder"), "{error}");
    let error = fails(&optical(folder.path(), &["search", "runs/none"]));
    assert!(error.contains("not a run folder"), "{error}");
}

#[test]
fn a_filter_is_tried_without_training_and_its_drops_are_reported() {
    let folder = prepared();
    let bitext = folder.path().join("bitext/swa.tsv");
    let mut text = std::fs::read_to_string(&bitext).unwrap();
    text += "water tree\tmaji вода вода\nsun\tjua\nsun\tjua\nfish\tFish!\nstar\n";
    std::fs::write(&bitext, text).unwrap();
    let error = fails(&optical(folder.path(), &["bitext", "--config", "run.toml"]));
    assert!(
        error.contains("swa.tsv:65: 1 columns, expected 2"),
        "{error}"
    );

    let run = std::fs::read_to_string(folder.path().join("run.toml")).unwrap();
    let run = run.replace("maximum_bad_share = 0.0", "maximum_bad_share = 0.1");
    std::fs::write(folder.path().join("run.toml"), run).unwrap();
    let arguments = ["bitext", "--config", "run.toml", "--sample", "2"];
    let shown = succeeds(&optical(folder.path(), &arguments));
    let header = shown.lines().next().unwrap();
    let columns = header
        .split("  ")
        .map(str::trim)
        .filter(|column| !column.is_empty());
    let columns: Vec<_> = columns.collect();
    assert_eq!(
        columns,
        [
            "Language",
            "bad lines",
            "read",
            "copy",
            "script",
            "duplicate",
            "kept"
        ]
    );
    for part in [
        "swa, bad line: ./bitext/swa.tsv:65: 1 columns, expected 2\n",
        "swa, script: ./bitext/swa.tsv:61\n  water tree\n  maji вода вода\n",
        "swa, copy: ./bitext/swa.tsv:64\n  fish\n  Fish!\n",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    assert!(!folder.path().join("runs").exists());

    succeeds(&optical(folder.path(), &["train", "run.toml"]));
    let run = folder.path().join("runs/run");
    let report = std::fs::read_to_string(run.join("report.md")).unwrap();
    assert!(report.contains("## Bitext\n"), "{report}");
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(run.join("bitext.json")).unwrap()).unwrap();
    let swahili = &json["languages"]["swa"];
    let dropped: u64 = swahili["dropped"]
        .as_object()
        .unwrap()
        .values()
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(swahili["read"], 64);
    assert_eq!(swahili["kept"].as_u64().unwrap() + dropped, 64);
    assert_eq!(swahili["bad_lines"], 1);
    assert_eq!(swahili["dropped"]["script"], 1);
}

#[test]
fn a_run_folder_belongs_to_one_version_of_its_run_file() {
    let folder = prepared();
    succeeds(&optical(folder.path(), &["train", "run.toml"]));
    let path = folder.path().join("run.toml");
    let changed = std::fs::read_to_string(&path)
        .unwrap()
        .replace("steps = 30", "steps = 31");
    std::fs::write(&path, changed).unwrap();
    let error = fails(&optical(folder.path(), &["train", "run.toml"]));
    assert!(error.contains("another version of the run file"), "{error}");
}

/// Every run file of the repository is one, the studies studies, and the teacher's file a teacher's.
#[test]
fn the_run_files_that_come_along_are_accepted() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let files = |folder: &Path| -> Vec<_> {
        let entries = std::fs::read_dir(folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.is_file()).collect()
    };
    let empty = tempfile::tempdir().unwrap();
    // Studies name their run file from where the program is started.
    std::fs::create_dir(empty.path().join("configs")).unwrap();
    for path in files(&configs) {
        let name = path.file_name().unwrap();
        std::fs::copy(&path, empty.path().join("configs").join(name)).unwrap();
    }
    let (runs, studies) = (files(&configs), files(&configs.join("studies")));
    let relevance = files(&configs.join("relevance"));
    assert!(!runs.is_empty() && !studies.is_empty() && !relevance.is_empty());
    for path in &relevance {
        let path = path.to_str().unwrap();
        let mine = ["mine", "--relevance", path, "--output", "negatives.jsonl"];
        let error = fails(&optical(empty.path(), &mine));
        assert!(error.contains("../shared/data"), "{error}");
    }
    for path in runs.iter().chain(&studies) {
        // What is missing first is the model, or a teacher's data: not a key.
        let teaches = path.ends_with("teacher.toml");
        let command = match path {
            _ if teaches => "teach",
            path if studies.contains(path) => "study",
            _ => "train",
        };
        let error = fails(&optical(
            empty.path(),
            &[command, path.to_str().unwrap(), "--offline"],
        ));
        assert!(
            !error.contains("run file")
                && !error.contains("study file")
                && !error.contains(&format!("{}:", path.display())),
            "{error}"
        );
        assert_eq!(teaches, error.contains("[[relevance]]"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn queries_go_through_an_external_translator_once() {
    let folder = prepared();
    let run_file = std::fs::read_to_string(folder.path().join("run.toml")).unwrap();
    let baselines = |command: &str| {
        let path = folder.path().join("command.toml");
        let text = format!("{run_file}[translation.command]\nswa = {command}\n");
        std::fs::write(path, text).unwrap();
        optical(folder.path(), &["baselines", "command.toml"])
    };
    let error = fails(&baselines(r#"["false"]"#));
    assert!(
        error.contains("translation.command.swa") && error.contains("`false` failed"),
        "{error}"
    );
    let error = fails(&baselines(r#"["no-such-translator"]"#));
    assert!(error.contains("another version of the run file"), "{error}");
    std::fs::remove_dir_all(folder.path().join("runs")).unwrap();

    let translating = r#"["sh", "-c", "echo called >> calls; sed s/jua/sun/g"]"#;
    let shown = succeeds(&baselines(translating));
    assert_eq!(shown, succeeds(&baselines(translating)));
    assert_eq!(
        std::fs::read_to_string(folder.path().join("calls")).unwrap(),
        "called\n"
    );
    let translated = folder
        .path()
        .join("runs/command/translation/command.swa.txt");
    let lines = std::fs::read_to_string(translated).unwrap();
    assert!(lines.contains("sun sun"), "{lines}");
    assert!(
        folder
            .path()
            .join("runs/command/trec/translator.swa.run")
            .is_file()
    );
}
