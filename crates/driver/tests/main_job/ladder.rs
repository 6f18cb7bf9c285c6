//! The ladder of the hub's checkpoints, with tiny ones of the same families in their place.

use std::path::Path;

use crate::copy;
use crate::own_student::with_student;
use crate::setting::{fails, optical, succeeds};

/// The hub's name of every student in the study, and a tiny checkpoint of its family.
const STUDENTS: [(&str, &str); 11] = [
    ("intfloat/multilingual-e5-small", "minilm"),
    ("intfloat/multilingual-e5-base", "xlm-roberta"),
    ("intfloat/multilingual-e5-large", "xlm-roberta"),
    (
        "nreimers/mMiniLMv2-L6-H384-distilled-from-XLMR-Large",
        "xlm-roberta",
    ),
    ("microsoft/Multilingual-MiniLM-L12-H384", "minilm"),
    ("FacebookAI/xlm-roberta-base", "xlm-roberta"),
    ("FacebookAI/xlm-roberta-large", "xlm-roberta"),
    ("google-bert/bert-base-multilingual-cased", "bert"),
    ("microsoft/mdeberta-v3-base", "deberta-v2"),
    ("jhu-clsp/mmBERT-small", "modernbert"),
    ("jhu-clsp/mmBERT-base", "modernbert"),
];

/// The study of the repository, of one student a cell and few steps, and a run of six words.
fn set_up() -> tempfile::TempDir {
    let folder = with_student();
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let mut study = std::fs::read_to_string(configs.join("studies/ladder.toml")).unwrap();
    let mut replace = |from: &str, to: &str| {
        assert!(study.contains(from), "{from}");
        study = study.replace(from, to);
    };
    replace("configs/size.toml", "run.toml");
    replace("students = 5", "students = 1");
    replace("steps\" = 2000", "steps\" = 4");
    replace("hub:lightonai/mLateOn", "teacher");
    let checkpoints = Path::new(env!("CARGO_MANIFEST_DIR")).join("../encoder/tests/fixtures");
    let bring =
        |family: &str, name: &str| copy(&checkpoints.join(family), &folder.path().join(name));
    bring("colbert-pylate-modernbert", "teacher");
    for (name, family) in STUDENTS {
        let (_, short) = name.split_once('/').unwrap();
        replace(&format!("hub:{name}\""), &format!("{short}\""));
        bring(family, short);
    }
    assert!(!study.contains("\"hub:"), "{study}");
    std::fs::write(folder.path().join("ladder.toml"), study).unwrap();
    folder
}

#[test]
fn what_every_rung_takes_is_said_before_it_is_climbed() {
    let folder = set_up();
    let study = |more: &[&str]| {
        let arguments = [&["study", "ladder.toml"], more].concat();
        optical(folder.path(), &arguments)
    };
    let shown = succeeds(&study(&["--check", "--flops", "1e9"]));
    let rows: Vec<Vec<&str>> = (shown.lines())
        .map(|line| line.split_whitespace().collect())
        .collect();
    let row = |name: &str| rows.iter().find(|row| row.first() == Some(&name)).unwrap();
    assert!(shown.contains("22 cells can be trained"), "{shown}");
    let (small, optical_small) = (row("e5-small-zero-shot"), row("e5-small-optical"));
    // Parameters, without words, operations, pairs, students.
    assert_eq!(small[1..6], optical_small[1..6], "{shown}");
    assert_eq!(small[5], "1", "{shown}");
    assert!(!folder.path().join("runs").exists());
    let refused = fails(&study(&["--check", "--flops", "fast"]));
    assert!(refused.contains("as in 20e12"), "{refused}");

    // A rung of each family.
    let only =
        "e5-base-zero-shot,e5-base-optical,mbert-optical,mdeberta-optical,mmbert-small-optical";
    let told = succeeds(&study(&["--only", only]));
    for cell in only.split(',') {
        assert!(
            told.lines().any(|line| line.starts_with(cell)),
            "{cell}: {told}"
        );
    }

    // What they began with stays until all of the study is done.
    let stages = || {
        let kept = std::fs::read_dir(folder.path().join("cache/students")).unwrap();
        kept.filter(|it| it.as_ref().unwrap().path().is_dir())
            .count()
    };
    assert_eq!(stages(), 4);
    succeeds(&study(&[]));
    assert_eq!(stages(), 0);

    std::fs::remove_dir_all(folder.path().join("runs")).unwrap();
    std::fs::remove_dir_all(folder.path().join("mdeberta-v3-base")).unwrap();
    let refused = fails(&study(&["--check"]));
    assert!(
        refused.contains("mdeberta-v3-base is not a model's folder")
            && refused.contains("mdeberta-zero-shot"),
        "{refused}"
    );
}
