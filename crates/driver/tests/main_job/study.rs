//! Variants side by side.

use std::sync::LazyLock;

use crate::copy;
use crate::setting::{fails, optical, prepare, prepared, succeeds};

const STUDY: &str = r#"
title = "Three ways"
run = "run.toml"
students = 2
keep_students = false
reference = "plan"

[set]
"distill.training.steps" = 6
"distill.training.warm_up" = 2
"#;

const VARIANTS: &str = r#"
[[variant]]
name = "plan"
description = "as the run file has it"

[[variant]]
name = "passages"
description = "scores of passages; students read the documents"
[variant.set]
"distill.objectives" = { passages = { weight = 1.0, temperature = 0.1 } }
passages = { retrieved = 2, drawn = 1 }
"retrieval.documents" = "student"

[[variant]]
name = "attention"
[variant.set]
"distill.objectives.alignment.marginals" = "attention"
"bitext.0.repeat" = 3
"#;

/// The study of all variants, made once for all tests that ask it something; each gets a copy, and what
/// it said.
fn studied() -> (tempfile::TempDir, String) {
    static STUDIED: LazyLock<(tempfile::TempDir, String)> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let study = STUDY.replace("\"distill.training.warm_up\" = 2\n", "");
        std::fs::write(folder.path().join("ways.toml"), study + VARIANTS).unwrap();
        let shown = succeeds(&optical(folder.path(), &["study", "ways.toml"]));
        (folder, shown)
    });
    let folder = tempfile::tempdir().unwrap();
    copy(STUDIED.0.path(), folder.path());
    (folder, STUDIED.1.clone())
}

/// All variants, both students, a page; and again without anything to do but the page.
#[test]
fn variants_are_trained_and_compared_with_one_of_them() {
    let (folder, shown) = studied();
    let row = |name: &str| -> Vec<String> {
        let line = shown.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name}: {shown}"));
        line.split_whitespace().map(str::to_owned).collect()
    };
    for name in ["plan", "passages", "attention"] {
        assert_eq!(row(name)[1], "2", "{shown}");
    }
    assert_eq!(row("zero-shot-raw")[1], "1", "{shown}");
    let run = folder.path().join("runs/ways");
    let read = |path: &str| std::fs::read_to_string(run.join(path)).unwrap();
    let page = read("study.md");
    assert!(page.contains("Holm's correction over"), "{page}");
    let numbers: serde_json::Value = serde_json::from_str(&read("study.json")).unwrap();
    let systems = numbers["systems"].as_array().unwrap();
    let system = |name: &str| systems.iter().find(|it| it["name"] == name).unwrap();
    assert_eq!(system("plan")["comparison"], serde_json::Value::Null);
    assert_eq!(system("passages")["comparison"]["topics"], 6);
    assert!(!run.join("plan/student").exists() && !run.join("plan/checkpoints").exists());
    assert!(run.join("plan/repetition-2/metrics.jsonl").is_file());
    let pairs = |variant: &str| -> u64 {
        let events = read(&format!("{variant}/metrics.jsonl"));
        let mut events = events.lines().map(serde_json::from_str);
        let first: serde_json::Value = events.next().unwrap().unwrap();
        first["pairs"].as_u64().unwrap()
    };
    // A pair and its English sentence for retention; three times the pair, and the sentence once.
    assert_eq!(pairs("attention"), 2 * pairs("plan"));
    // A variant is a run file like any other, whose students follow from their seeds.
    let ranking = read("plan/trec/student-1.swa.run");
    let alone = optical(
        folder.path(),
        &["train", "runs/ways/plan/run.toml", "--run", "alone"],
    );
    succeeds(&alone);
    let alone = folder.path().join("alone/trec/distilled-1.swa.run");
    let rows = |text: &str| -> Vec<_> {
        let rows = text.lines().map(|row| row.rsplit_once(' ').unwrap().0);
        rows.map(str::to_owned).collect()
    };
    assert_eq!(
        rows(&ranking),
        rows(&std::fs::read_to_string(alone).unwrap())
    );

    let again = succeeds(&optical(folder.path(), &["study", "ways.toml"]));
    assert_eq!(shown, again);
    assert_eq!(page, read("study.md"));
}

/// Another machine continues from the scores alone, and has nothing to train.
#[test]
fn scores_are_enough_for_the_page_of_another_machine() {
    let (folder, shown) = studied();
    let scores = std::fs::read_to_string(folder.path().join("runs/ways/scores.jsonl")).unwrap();
    let elsewhere = prepared();
    std::fs::copy(
        folder.path().join("ways.toml"),
        elsewhere.path().join("ways.toml"),
    )
    .unwrap();
    let known = elsewhere.path().join("scores.jsonl");
    let there = |scores: &str| {
        std::fs::write(&known, scores).unwrap();
        let arguments = ["study", "ways.toml", "--scores", "scores.jsonl"];
        optical(elsewhere.path(), &arguments)
    };
    // Lines of two machines may stand in one file.
    assert_eq!(shown, succeeds(&there(&format!("{scores}{scores}"))));
    assert!(!elsewhere.path().join("runs/ways/plan").exists());
    for (from, to, expected) in [
        ("{\"student\"", "{\"pupil\"", "scores.jsonl, line 3"),
        ("\"map\"", "\"mop\"", "measure = \"mop\""),
        ("[0.", "[0.5,0.", "values of"),
    ] {
        assert!(scores.contains(from), "{from}: {scores}");
        let error = fails(&there(&scores.replace(from, to)));
        assert!(error.contains(expected), "{error}");
    }
    // Neither has another study, whatever it calls its variants.
    let study = std::fs::read_to_string(folder.path().join("ways.toml")).unwrap();
    let renamed = study.replace("name = \"attention\"", "name = \"weighted\"");
    assert_ne!(study, renamed);
    std::fs::write(elsewhere.path().join("ways.toml"), renamed).unwrap();
    assert!(succeeds(&there(&scores)).contains("weighted"));
    assert!(!elsewhere.path().join("runs/ways/weighted").exists());
}

#[test]
fn a_page_is_of_the_scores_that_are_there() {
    let (folder, _) = studied();
    let scores = std::fs::read_to_string(folder.path().join("runs/ways/scores.jsonl")).unwrap();
    let elsewhere = prepared();
    let known = elsewhere.path().join("scores.jsonl");
    let study = std::fs::read_to_string(folder.path().join("ways.toml")).unwrap();
    let renamed = study.replace("name = \"attention\"", "name = \"weighted\"");
    std::fs::write(elsewhere.path().join("ways.toml"), renamed).unwrap();
    // The page is to be had of a part, if what the others are compared with is in it.
    let page = |scores: &str, arguments: &[&str]| {
        std::fs::write(&known, scores).unwrap();
        let study = ["study", "ways.toml", "--scores", "scores.jsonl"];
        optical(elsewhere.path(), &[&study, arguments].concat())
    };
    let without_line = |part: &str| -> String {
        let lines = scores.lines().filter(|line| !line.contains(part));
        lines.map(|line| format!("{line}\n")).collect()
    };
    let without = |name: &str| without_line(&format!("\"variant\":\"{name}\""));
    let shown = succeeds(&page(&without("passages"), &["--page"]));
    assert!(
        shown.contains("weighted") && !shown.contains("passages"),
        "{shown}"
    );
    // One line of other questions than the rest.
    let other = scores.replacen("\"questions\":\"", "\"questions\":\"other", 1);
    assert_ne!(other, scores);
    for (scores, arguments, expected) in [
        // Those of today's questions are taken, and there are none.
        (
            other.clone(),
            ["--page", "--offline"],
            "no scores yet of what is not trained",
        ),
        (
            without("plan"),
            ["--page", "--offline"],
            "plan has no student yet",
        ),
        (
            without("plan"),
            ["--only", "weighted"],
            "plan has no student yet",
        ),
        (
            without_line("{\"untrained\""),
            ["--page", "--offline"],
            "no scores yet of what is not trained",
        ),
        (
            scores.clone(),
            ["--only", "attention"],
            "expected one of plan, passages, weighted",
        ),
    ] {
        let error = fails(&page(&scores, &arguments));
        assert!(error.contains(expected), "{error}");
    }
    // Which questions are today's is not known where the data are not there.
    let data = elsewhere.path().join("data");
    std::fs::rename(&data, elsewhere.path().join("gone")).unwrap();
    let error = fails(&page(&other, &["--page", "--offline"]));
    let expected = "the scores are of different questions";
    assert!(error.contains(expected), "{error}");
    std::fs::rename(elsewhere.path().join("gone"), &data).unwrap();
    let shown = succeeds(&page(&without("passages"), &["--only", "weighted,plan"]));
    assert!(!shown.contains("passages"), "{shown}");
    assert!(!elsewhere.path().join("runs/ways/passages").exists());
    // Scores of other settings stay in the file, and the student is trained.
    let settings = scores.split("{\"student\"").nth(1).unwrap();
    let settings = settings.split("\"settings\":\"").nth(1).unwrap();
    let settings = settings.split('"').next().unwrap();
    let others = scores.replacen(settings, "0", 1);
    succeeds(&page(&others, &[]));
    let found = std::fs::read_to_string(&known).unwrap();
    assert_eq!(found.lines().count(), others.lines().count() + 1, "{found}");
    assert!(found.contains("\"settings\":\"0\""), "{found}");
}

#[test]
fn more_students_can_be_had_later() {
    let (folder, _) = studied();
    let run = folder.path().join("runs/ways");
    let read = |path: &str| std::fs::read_to_string(run.join(path)).unwrap();
    let ranking = read("plan/trec/student-1.swa.run");
    let more = std::fs::read_to_string(folder.path().join("ways.toml")).unwrap();
    let more = more.replace("students = 2", "students = 3");
    std::fs::write(folder.path().join("ways.toml"), more).unwrap();
    let shown = succeeds(&optical(folder.path(), &["study", "ways.toml"]));
    assert!(
        shown
            .lines()
            .any(|line| line.starts_with("plan") && line.contains(" 3 ")),
        "{shown}"
    );
    assert_eq!(ranking, read("plan/trec/student-1.swa.run"));
    // What is wrong with today's data is found, whatever scores there are.
    let documents = folder.path().join("data/clir/docs.jsonl");
    let text = std::fs::read_to_string(&documents).unwrap();
    std::fs::write(&documents, text.replace("\"d5\"", "\"d 5\"")).unwrap();
    let error = fails(&optical(folder.path(), &["study", "ways.toml", "--check"]));
    assert!(error.contains("docs.jsonl:6"), "{error}");
}

/// Of other data, of a former version that said nothing of them, and by other words.
#[test]
fn scores_are_used_for_what_they_are_of() {
    let folder = prepared();
    let study = STUDY.replace("students = 2", "students = 1");
    let study = study.replace("\"distill.training.warm_up\" = 2\n", "");
    let study = study + "[[variant]]\nname = \"plan\"\n";
    std::fs::write(folder.path().join("ways.toml"), &study).unwrap();
    let first = succeeds(&optical(folder.path(), &["study", "ways.toml"]));
    let scores = std::fs::read_to_string(folder.path().join("runs/ways/scores.jsonl")).unwrap();
    let elsewhere = |scores: &str, water: &str, arguments: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        std::fs::write(folder.path().join("ways.toml"), &study).unwrap();
        std::fs::write(folder.path().join("known.jsonl"), scores).unwrap();
        let documents = folder.path().join("data/clir/docs.jsonl");
        let text = std::fs::read_to_string(&documents).unwrap();
        std::fs::write(documents, text.replacen("water", water, 1)).unwrap();
        let known = ["study", "ways.toml", "--scores", "known.jsonl"];
        let output = optical(folder.path(), &[&known, arguments].concat());
        let said = String::from_utf8(output.stderr.clone()).unwrap();
        let known = std::fs::read_to_string(folder.path().join("known.jsonl")).unwrap();
        let trained = folder.path().join("runs/ways/plan/metrics.jsonl").exists();
        (succeeds(&output), said, known, trained)
    };
    let (shown, _, known, trained) = elsewhere(&scores, "water", &[]);
    assert!(shown == first && known == scores && !trained);
    let (_, said, known, trained) = elsewhere(&scores, "fish", &[]);
    let expected = "are not used: plan, student 1: documents, questions";
    assert!(said.contains(expected) && trained, "{said}");
    // Scores of both stand side by side, and each is used for its own data.
    assert!(scores.lines().all(|line| known.contains(line)), "{known}");
    assert_eq!(known.lines().count(), 2 * scores.lines().count() - 1);
    for (water, is_first) in [("water", true), ("fish", false)] {
        let (shown, _, both, trained) = elsewhere(&known, water, &[]);
        assert!(both == known && !trained && (shown == first) == is_first);
        assert_eq!(elsewhere(&known, water, &["--page"]).0, shown);
    }
    // As a former version wrote it.
    let mut old = String::new();
    for line in scores.lines() {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        for kind in ["untrained", "student"] {
            if let Some(of) = line.get_mut(kind) {
                assert!(of.as_object_mut().unwrap().remove("inputs").is_some());
            }
        }
        old += &format!("{line}\n");
    }
    let (shown, said, _, trained) = elsewhere(&old, "fish", &[]);
    assert!(shown == first && !trained, "{said}");
    let words = scores.split("\"words\":").nth(1).unwrap();
    let words = words.split(',').next().unwrap();
    let others = old.replace(&format!("\"words\":{words}"), "\"words\":0");
    let (shown, said, _, _) = elsewhere(&others, "water", &["--page"]);
    assert!(
        shown.contains("zero-shot") && !shown.contains("bm25"),
        "{shown}"
    );
    assert!(said.contains("what ranks by words is left out"), "{said}");
    let (shown, _, known, trained) = elsewhere(&others, "water", &[]);
    assert!(shown == first && !trained);
    assert!(known.contains(&format!("\"words\":{words}")), "{known}");
}

/// Heads differ, documents do not: the teacher reads them once.
#[test]
fn documents_are_read_once_for_the_heads_of_all_variants() {
    let folder = prepared();
    let mut study = STUDY.replace("students = 2", "students = 1");
    study = study.replace("\"distill.training.warm_up\" = 2\n", "");
    for (name, exponent) in [("plan", "0.5"), ("centred", "0.0"), ("whitened", "1.0")] {
        let variant =
            format!("name = \"{name}\"\nset = {{ \"distill.head.exponent\" = {exponent} }}");
        study += &format!("[[variant]]\n{variant}\n");
    }
    std::fs::write(folder.path().join("heads.toml"), study).unwrap();
    let output = optical(folder.path(), &["study", "heads.toml"]);
    succeeds(&output);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("encode documents: 6/6").count(), 1, "{said}");
    // Three heads, and the encoder without one.
    let indexes = folder.path().join("cache/indexes");
    assert_eq!(std::fs::read_dir(indexes).unwrap().count(), 4);
}

#[test]
fn a_study_that_cannot_be_is_refused_with_its_variant() {
    let folder = prepared();
    let refused = |study: &str| {
        std::fs::write(folder.path().join("bad.toml"), study).unwrap();
        let error = fails(&optical(folder.path(), &["study", "bad.toml"]));
        assert!(!folder.path().join("runs").exists());
        error
    };
    let study = format!("{STUDY}{VARIANTS}");
    let error = refused(&study);
    assert!(
        error.contains("variant plan") && error.contains("warm_up"),
        "{error}"
    );
    for (from, to, expected) in [
        ("reference = \"plan\"", "reference = \"plam\"", "\"plam\""),
        ("run = \"run.toml\"", "run = \"no.toml\"", "no.toml"),
        ("students = 2", "students = 0", "students = 0"),
        ("name = \"attention\"", "name = \"plan\"", "called plan"),
        ("name = \"attention\"", "name = \"../up\"", "\"../up\""),
        (
            "\"distill.training.warm_up\" = 2",
            "\"distill.training.steps.more\" = 2",
            "steps is not a table",
        ),
        (
            "\"distill.training.warm_up\" = 2\n",
            "passages = { retrieved = 1, drawn = 1 }\n",
            "go together",
        ),
    ] {
        assert!(study.contains(from), "{from}");
        let error = refused(&study.replace(from, to));
        assert!(error.contains(expected), "{error}");
    }
}
