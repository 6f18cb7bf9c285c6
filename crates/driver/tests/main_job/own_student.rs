//! A student of its own: another tokenizer and width, an English stage, and what it is compared with.

use std::path::Path;

use optical_encoder::testing::tiny_checkpoint_of_width;

use crate::setting::{WORDS, fails, optical, prepared, succeeds};

const STUDENT: &str = r#"
[student]
model = "small"
layers = 1
weights = "pretrained"
[student.english]
texts = ["english.txt", { file = "english.jsonl", key = "query" }]
maximum_length = 16
frozen_layers = 0
frozen_vocabulary = false
[student.english.projection]
sentences = 40
ridge = 1e-3
turns = 4
[student.english.objectives.sentence]
weight = 1.0
pool = "mean"
[student.english.training]
seed = 1
steps = 12
batch_size = 8
parts = 2
accumulation = 1
dropout = false
precision = "single"
gradient_checkpointing = false
checkpoint_every = 5
[student.english.training.optimiser]
learning_rate = 2e-3
vocabulary_learning_rate = 2e-2
projection_learning_rate = 1e-3
layer_decay = 1.0
warm_up = 3
decay = "linear"
weight_decay = 0.01
beta_1 = 0.9
beta_2 = 0.999
epsilon = 1e-8
clip_norm = 1.0
[student.english.training.instruments]
every = 10
held_out = 4
"#;

/// The tiny run with a student half as wide, whose vocabulary lacks every second word.
pub fn with_student() -> tempfile::TempDir {
    let folder = prepared();
    let some: Vec<&str> = WORDS.into_iter().step_by(2).collect();
    let small = folder.path().join("small");
    tiny_checkpoint_of_width(4, &small, "xlm-roberta", &some, 9).unwrap();
    std::fs::write(folder.path().join("english.txt"), "star fish\n\nsun sun\n").unwrap();
    let objects = "{\"query\": \"water sun\"}\n";
    std::fs::write(folder.path().join("english.jsonl"), objects).unwrap();
    change(folder.path(), |text| {
        let text = text.replace("layers = 2\n", "teacher_reads = \"once\"\n");
        let rate = "projection_learning_rate = 1e-3\nlayer_decay";
        text.replacen("layer_decay", rate, 1) + STUDENT
    });
    folder
}

fn change(folder: &Path, change: impl Fn(String) -> String) {
    let path = folder.join("run.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, change(text)).unwrap();
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn it_learns_english_first_and_is_searched_like_any_other() {
    let folder = with_student();
    let folder = folder.path();
    let told = succeeds(&optical(folder, &["train", "run.toml"]));
    for system in ["zero-shot-raw", "teacher", "zero-shot ", "distilled"] {
        assert!(told.contains(system), "{system}: {told}");
    }
    let run = folder.join("runs/run");
    let note: serde_json::Value = serde_json::from_str(&read(&run.join("english.json"))).unwrap();
    let turns = note["projection"].as_array().unwrap();
    assert!(!turns.is_empty() && turns[0]["r_squared"].as_f64().unwrap() < 1.0);
    // One map leads from four dimensions to the teacher's eight.
    let dense: serde_json::Value =
        serde_json::from_str(&read(&run.join("student/1_Dense/config.json"))).unwrap();
    assert_eq!(
        (&dense["in_features"], &dense["out_features"]),
        (&4.into(), &8.into())
    );
    // Documents are the teacher's, and read by its tokenizer.
    let found = succeeds(&optical(folder, &["search", "runs/run", "--query", "maji"]));
    assert!(found.contains("d0") && found.contains('→'), "{found}");
    let aligned = optical(
        folder,
        &["align", "water fire", "maji moto", "--run", "runs/run"],
    );
    assert!(succeeds(&aligned).contains("transport cost"));

    // Another run that begins alike finds the stage, and what the teacher has read.
    let cached = |kind: &str| {
        std::fs::read_dir(folder.join("cache").join(kind))
            .unwrap()
            .count()
    };
    let before = [cached("students"), cached("states")];
    let written = std::fs::metadata(run.join("student/model.safetensors")).unwrap();
    std::fs::remove_dir_all(run.join("checkpoints")).unwrap();
    std::fs::rename(&run, folder.join("runs/first")).unwrap();
    succeeds(&optical(folder, &["train", "run.toml"]));
    assert_eq!([cached("students"), cached("states")], before);
    let again = std::fs::read(run.join("student/model.safetensors")).unwrap();
    let first = std::fs::read(folder.join("runs/first/student/model.safetensors")).unwrap();
    assert_eq!(written.len(), again.len() as u64);
    assert!(first == again, "the same numbers, whoever made the stage");

    // What it begins with is another student by the seed, and random weights are others again.
    change(folder, |text| {
        text.replace("\"pretrained\"", "\"random\"")
            .replace("steps = 30", "steps = 0")
    });
    succeeds(&optical(
        folder,
        &["train", "run.toml", "--run", "runs/random"],
    ));
    assert_eq!(cached("students"), before[0] + 1);
    let random = folder.join("runs/random/trec");
    // Without steps of its own, it is the zero-shot student, and without any the projection alone.
    let lines = |name: &str| read(&random.join(format!("{name}.swa.run"))).replace(name, "");
    assert_eq!(lines("zero-shot"), lines("distilled"));
    change(folder, |text| text.replace("steps = 12", "steps = 0"));
    succeeds(&optical(
        folder,
        &["train", "run.toml", "--run", "runs/closed"],
    ));
    assert_eq!(cached("students"), before[0] + 2);

    // Where each language's mean is the English one, its queries are others; the teacher's are not.
    change(folder, |text| {
        text.replace("[retrieval]\n", "[retrieval]\nlanguage_shift = 5\n")
    });
    succeeds(&optical(
        folder,
        &["train", "run.toml", "--run", "runs/shifted"],
    ));
    let [closed, shifted] = ["closed", "shifted"].map(|run| folder.join("runs").join(run));
    let ranking = |run: &Path, name: &str| read(&run.join(format!("trec/{name}.swa.run")));
    assert!(ranking(&closed, "distilled") != ranking(&shifted, "distilled"));
    assert_eq!(ranking(&closed, "teacher"), ranking(&shifted, "teacher"));
}

#[test]
fn what_does_not_go_together_is_told_before_anything_is_made() {
    let refused = |from: &str, to: &str, expected: &str| {
        let folder = with_student();
        change(folder.path(), |text| {
            assert!(text.contains(from), "{from}");
            text.replacen(from, to, 1)
        });
        let told = fails(&optical(folder.path(), &["train", "run.toml"]));
        assert!(told.contains(expected), "{expected}: {told}");
        assert!(!folder.path().join("runs").exists(), "{expected}");
    };
    refused(
        "teacher_reads = \"once\"",
        "layers = 2",
        "distill.layers = 2: a student of its own has student.layers instead",
    );
    refused(
        "\nlayers = 1",
        "\nlayers = 3",
        "student.layers = 3, expected at least 1 and at most 2",
    );
    refused(
        "\nlayers = 1",
        "\nlayers = [1, 0]",
        "student.layers = [1, 0]: expected each layer once",
    );
    refused("\nlayers = 1", "\nlayers = \"some\"", "run.toml:");
    refused(
        "english.txt",
        "nowhere.txt",
        "student.english.texts: nowhere.txt",
    );
    refused(
        "key = \"query\"",
        "key = \"text\"",
        "student.english.texts: english.jsonl:1: ",
    );
    refused(
        "[retrieval]\n",
        "[retrieval]\nlanguage_shift = 0\n",
        "retrieval.language_shift = 0, expected at least 1",
    );
    refused(
        "turns = 4",
        "turns = 0",
        "student.english.projection.turns = 0, expected at least 1",
    );
    refused(
        "pool = \"mean\"\n[student.english.training]\nseed = 1",
        "pool = \"mean\"\n[student.english.training]\nseed = 1\nstopping = { metric = \"mates\", patience = 1 }",
        "student.english.training.stopping",
    );
    refused(
        "[student.english.objectives.sentence]\nweight = 1.0",
        "[student.english.objectives.sentence]\nweight = 0.0",
        "student.english.objectives.sentence.weight = 0",
    );
    refused("model = \"small\"", "model = \"smaller\"", "smaller");
    refused(
        "title = \"Six words\"",
        "title = \"Six words\"\nteacher_languages = [\"swa\"]",
        "distill.retention.eng: the teacher does not read it (teacher_languages)",
    );
    // And where students begin as the teacher's copy.
    let folder = prepared();
    change(folder.path(), |text| text.replace("layers = 2\n", ""));
    let told = fails(&optical(folder.path(), &["train", "run.toml"]));
    assert!(told.contains("distill.layers is missing"), "{told}");
    change(folder.path(), |text| {
        text.replace("frozen_layers", "layers = 2\nfrozen_layers")
            .replace("layer_decay", "projection_learning_rate = 1.0\nlayer_decay")
    });
    let told = fails(&optical(folder.path(), &["train", "run.toml"]));
    assert!(
        told.contains("only a student with a [student] table"),
        "{told}"
    );
}
