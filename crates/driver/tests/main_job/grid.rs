//! Grids of cells, and the tables that are made of them, whoever computed what and however often it was
//! stopped.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::setting::{command, fails, optical, prepare, succeeds};

const STUDY: &str = r#"
title = "A small grid"
run = "run.toml"
students = 2
keep_students = false
covariates = true
reference = "2-optical"

[set]
"distill.training.steps" = 6
"distill.training.optimiser.warm_up" = 2
"distill.training.checkpoint_every" = 2
"distill.training.instruments.every" = 3

[[grid]]
[[grid.factor]]
name = "layers"
values = [
    { name = "1", set = { "distill.layers" = 1 } },
    { name = "2", set = { "distill.layers" = 2 } },
]
[[grid.factor]]
name = "method"
values = [
    { name = "optical", description = "plans" },
    { name = "greedy", set = { "distill.objectives.alignment.plan" = { kind = "greedy" } } },
]

[[grid]]
students = 1
method = "again"
[[grid.factor]]
name = "control"
values = [{ name = "again", set = { "distill.layers" = 1 } }]
"#;

/// A study of a collection whose questions two languages ask, and one asks others.
fn set_up(folder: &Path) {
    prepare(folder);
    let path = |name: &str| folder.join(name);
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    let queries = read("data/clir/queries.dev.tsv");
    let of = |language: &str, start: &str| -> String {
        let lines = queries.lines().map(|line| {
            let line = line.replace("\tswa\t", &format!("\t{language}\t"));
            line.replacen('q', start, 1) + "\n"
        });
        lines.collect()
    };
    // The last question of Twi is another one in English.
    let other = of("twi", "q-twi-").replace("fish fish", "fish water");
    assert!(other.contains("fish water"));
    let all = [of("swa", "q-swa-"), of("kin", "q-kin-"), other].concat();
    std::fs::write(path("data/clir/queries.dev.tsv"), all).unwrap();
    let qrels = ["swa", "kin", "twi"]
        .map(|language| read("data/clir/qrels.dev.txt").replace('q', &format!("q-{language}-")));
    std::fs::write(path("data/clir/qrels.dev.txt"), qrels.concat()).unwrap();
    let run = read("run.toml");
    let asked = "split = \"dev\"\nlanguages = [\"swa\"]";
    assert!(run.contains(asked));
    let run = run.replace(
        asked,
        "split = \"dev\"\nlanguages = [\"swa\", \"kin\", \"twi\"]",
    );
    let run = run.replace(
        "high = []\ncontrol = []",
        "high = [\"kin\"]\ncontrol = [\"twi\"]",
    );
    std::fs::write(path("run.toml"), run).unwrap();
    std::fs::write(path("grid.toml"), STUDY).unwrap();
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    set_up(folder.path());
    folder
}

fn tables(folder: &Path) -> [String; 2] {
    ["study.csv", "cells.csv"]
        .map(|name| std::fs::read_to_string(folder.join("runs/grid").join(name)).unwrap())
}

#[test]
fn a_grid_becomes_tables_whoever_computes_it() {
    let whole = folder();
    let output = optical(whole.path(), &["study", "grid.toml"]);
    let shown = succeeds(&output);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        shown.lines().any(|line| line.starts_with("2-greedy")),
        "{shown}"
    );
    // Five cells, one of which is another one: eight students in all.
    assert_eq!(said.matches(", student ").count(), 8, "{said}");
    assert!(!whole.path().join("runs/grid/again").exists());
    let [study, cells] = tables(whole.path());
    let mut lines = study.lines();
    assert_eq!(
        lines.next(),
        Some("method,size,seed,language,group,topic,value")
    );
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 9 * 3 * 6);
    let sorted = rows.windows(2).all(|two| two[0][0] <= two[1][0]);
    assert!(sorted && rows[0][0] == "again", "{study}");
    let of = |method: &str, size: &str, seed: &str| -> Vec<Vec<&str>> {
        let rows = rows.iter().filter(|row| row[..3] == [method, size, seed]);
        rows.map(|row| row[3..].to_vec()).collect()
    };
    let size = rows[0][1];
    assert_eq!(of("again", size, "1"), of("optical", size, "1"));
    // Languages that ask the same share their topics, and the third has its own.
    let first = of("optical", size, "1");
    let topics = |language: &str| -> Vec<&str> {
        let rows = first.iter().filter(|row| row[0] == language);
        rows.map(|row| row[2]).collect()
    };
    assert_eq!(topics("swa"), ["q-0", "q-1", "q-2", "q-3", "q-4", "q-5"]);
    assert_eq!(topics("kin"), topics("swa"));
    assert_eq!(topics("twi")[0], "q-twi-0");

    let mut lines = cells
        .lines()
        .map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let rows: Vec<_> = lines.collect();
    assert_eq!(rows.len(), 9 * 3);
    let column = |name: &str| header.iter().position(|it| *it == name).unwrap();
    for row in &rows {
        let number = |name: &str| -> f64 { row[column(name)].parse().unwrap() };
        assert!(number("size") < number("parameters"), "{row:?}");
        assert_eq!(number("fertility"), 1.0);
        for name in ["rankc", "overlap10"] {
            assert!((0.0..=1.0).contains(&number(name)), "{row:?}");
        }
        // Two words between two marks; the head of the tiny model has two heads and sixteen states.
        assert_eq!(number("tokens"), 4.0);
        assert!(number("flops") > 2.0 * number("size") * 4.0, "{row:?}");
        assert_eq!(
            row[column("mate_mrr")].is_empty(),
            row[column("language")] != "swa"
        );
        assert_eq!(
            number("layers"),
            if row[column("size")] == size {
                1.0
            } else {
                2.0
            }
        );
        assert!(number("cosine").abs() <= 1.0 && row[column("projection_r2")].is_empty());
    }
    // Students of other seeds are others, and so are the rankings of two languages.
    let cosines: Vec<&str> = rows
        .iter()
        .step_by(3)
        .map(|row| row[column("cosine")])
        .collect();
    assert_eq!(cosines[0], cosines[3 + 2], "{cells}");
    assert_ne!(cosines[3 + 2], cosines[3 + 3], "{cells}");
    assert!(
        rows.iter().any(|row| row[column("rankc")] != "1"),
        "{cells}"
    );

    let again = optical(whole.path(), &["analyse", "runs/grid/study.csv", "--json"]);
    assert!(succeeds(&again).contains("\"optical\""));
    // Three machines have a share each, and their scores stand in one file in whatever order.
    let shares: Vec<String> = (1..=3)
        .map(|number| {
            let share = folder();
            let share_of = format!("{number}/3");
            let shown = succeeds(&optical(
                share.path(),
                &["study", "grid.toml", "--shard", &share_of],
            ));
            // The reference is the third cell.
            assert_eq!(shown.contains("share"), number != 3, "{shown}");
            std::fs::read_to_string(share.path().join("runs/grid/scores.jsonl")).unwrap()
        })
        .collect();
    for order in [[0, 1, 2], [2, 0, 1]] {
        let joined = folder();
        let scores: String = order.iter().map(|place| shares[*place].as_str()).collect();
        std::fs::write(joined.path().join("all.jsonl"), scores).unwrap();
        let study = ["study", "grid.toml", "--scores", "all.jsonl"];
        assert_eq!(succeeds(&optical(joined.path(), &study)), shown);
        assert_eq!(tables(joined.path()), tables(whole.path()));
        assert!(!joined.path().join("runs/grid/2-optical").exists());
    }
}

#[test]
fn shares_that_are_none_and_names_that_are_no_cells_are_refused() {
    let folder = folder();
    for (arguments, expected) in [
        (["--shard", "4/3"], "\"4/3\" is not a share, expected I/N"),
        (["--shard", "0/3"], "expected I/N with I from 1 to N"),
        (
            ["--only", "3-optical"],
            "expected one of 1-optical, 1-greedy, 2-optical, 2-greedy, again",
        ),
    ] {
        let error = fails(&optical(
            folder.path(),
            &[&["study", "grid.toml"][..], &arguments].concat(),
        ));
        assert!(error.contains(expected), "{error}");
        assert!(!folder.path().join("runs").exists());
    }
    let checked = succeeds(&optical(folder.path(), &["study", "grid.toml", "--check"]));
    assert!(checked.contains("4 cells can be trained"), "{checked}");
}

/// Starts the study again and again, and kills it after a while, then lets it end.
fn killed(kills: u32) {
    let whole = folder();
    let start = Instant::now();
    succeeds(&optical(whole.path(), &["study", "grid.toml"]));
    let takes = start.elapsed();
    let broken = folder();
    // A walk over a quarter of the time that it takes, by a sequence that is the same in every run.
    let mut state = 12_345_u64;
    let mut interrupted = 0;
    for _ in 0..kills {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let share = (state >> 33) as f64 / f64::from(1_u32 << 31);
        let mut process = command(broken.path(), &["study", "grid.toml"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_secs_f64(0.25 * share * takes.as_secs_f64()));
        interrupted += u32::from(process.try_wait().unwrap().is_none());
        process.kill().unwrap();
        process.wait().unwrap();
    }
    assert!(0 < interrupted, "nothing was interrupted");
    succeeds(&optical(broken.path(), &["study", "grid.toml"]));
    assert_eq!(tables(broken.path()), tables(whole.path()));
}

#[test]
fn a_study_that_was_killed_gives_the_same_tables() {
    killed(4);
}

#[test]
#[ignore = "takes a minute"]
fn a_study_that_was_killed_twenty_times_gives_the_same_tables() {
    killed(20);
}
