//! A tiny model, bitext, collection and run file, and the program in their folder.

use std::path::Path;
use std::process::{Command, Output};

use optical_encoder::testing::tiny_checkpoint;

pub const WORDS: [&str; 12] = [
    "maji", "moto", "nyota", "jua", "mti", "samaki", "water", "fire", "star", "sun", "tree", "fish",
];

/// Words by their numbers among the six of a language that begins at `offset`.
fn text(offset: usize, words: &[usize]) -> String {
    let words: Vec<_> = words.iter().map(|word| WORDS[offset + word % 6]).collect();
    words.join(" ")
}

/// A model, bitext, a collection and a run file below `folder`.
pub fn prepare(folder: &Path) {
    tiny_checkpoint(&folder.join("model"), "bert", &WORDS, 5).unwrap();
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let pairs: String = (0..60)
        .map(|i| {
            let words: Vec<usize> = (0..2 + i % 4).map(|j| i / 3 + j * (1 + i / 10)).collect();
            format!("{}\t{}\n", text(6, &words), text(0, &words))
        })
        .collect();
    write("bitext/swa.tsv", pairs);
    let documents: String = (0..6)
        .map(|i| {
            let text = text(6, &[i, i, i + 1]);
            format!("{{\"id\": \"d{i}\", \"source\": \"made\", \"title\": \"{}\", \"text\": \"{text}\"}}\n", WORDS[6 + i])
        })
        .collect();
    write("data/clir/docs.jsonl", documents);
    let queries: String = (0..6)
        .map(|i| {
            format!(
                "q{i}\tswa\tdev\t{}\t{}\n",
                text(0, &[i, i]),
                text(6, &[i, i])
            )
        })
        .collect();
    write("data/clir/queries.dev.tsv", queries);
    write(
        "data/clir/qrels.dev.txt",
        (0..6).map(|i| format!("q{i} 0 d{i} 1\n")).collect(),
    );
    // Places in dictd's base 64: the entry of `jua` begins at A (0) and has J (9) letters.
    write("dictionary/swh-eng.index", "jua\tA\tJ\n".into());
    write("dictionary/swh-eng.dict", "jua\n sun\n".into());
    write(
        "run.toml",
        r#"
title = "Six words"
model = "model"
picture = "swa"
repetitions = 1 # students, each with a seed of its own
[languages]
low = ["swa"]
high = []
control = []
[[bitext]]
format = "tsv"
file = "bitext/{language}.tsv"
languages = ["swa"]
[bitext_filter]
seed = 1
minimum_characters = 1
maximum_characters = 100
minimum_letter_share = 0.5
minimum_script_share = 0.5
maximum_length_ratio = 4.0
drop_copies = true
pairs_per_language = 0
maximum_bad_share = 0.0
languages.swa = { scripts = ["Latin"], length = 1.0 }
[collection]
format = "wiki-questions"
folder = "data/clir"
split = "dev"
languages = ["swa"]
[distill]
maximum_length = 16
layers = 2
frozen_layers = 0
frozen_vocabulary = false
student_weight = 0.9
bitext = { swa = 0.8 }
retention = { eng = 0.2 }
[distill.sampling]
size_exponent = 0.0 # of the number of pairs, in the shares of bitext
batches = "by-length"
[distill.objectives.alignment]
weight = 1.0
tokens = "content"
space = "head"
cost = "cosine"
marginals = "uniform"
[distill.objectives.alignment.plan]
kind = "sinkhorn"
epsilon = 0.05
unit = "cost"
start = 0.05
annealing = 0
iterations = 20
gradient = "detached"
[distill.training]
seed = 1
steps = 30
batch_size = 8
parts = 2
accumulation = 1
dropout = false
precision = "single"
gradient_checkpointing = false
checkpoint_every = 10
[distill.training.optimiser]
learning_rate = 2e-3
vocabulary_learning_rate = 2e-2
layer_decay = 1.0
warm_up = 3
decay = "linear"
weight_decay = 0.01
beta_1 = 0.9
beta_2 = 0.999
epsilon = 1e-8
clip_norm = 1.0
[distill.head]
exponent = 0.3
sentences = 20
documents = 6
[distill.training.instruments]
every = 10
held_out = 4
[retrieval]
documents = "teacher"
query_length = 16
document_length = 16
tokens_per_batch = 64
depth = 10
bm25_k1 = 0.9
bm25_b = 0.4
[significance]
permutations = 1000
[translation.ibm1]
iterations = 5
direction = "both"
minimum_probability = 1e-3
[translation.dictionary]
swa = "dictionary/swh-eng"
[[translation.systems]]
name = "psq"
table = "ibm1"
translations = 4
minimum_probability = 1e-2
cumulative_probability = 0.97
weights = "probability"
combine = "expectation"
original = 0.1
unknown = "keep"
[[translation.systems]]
name = "first-sense"
table = "dictionary"
translations = 1
minimum_probability = 0.0
cumulative_probability = 1.0
weights = "uniform"
combine = "separate"
original = 0.0
unknown = "drop"
"#
        .into(),
    );
}

/// A folder of its own with what [`prepare`] makes.
pub fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    folder
}

/// Changes the tokenizer of the model below `folder`.
pub fn change_tokenizer(folder: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let path = folder.join("model/tokenizer.json");
    let mut json = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut json);
    std::fs::write(&path, json.to_string()).unwrap();
}

/// Makes the tokenizer of the model below `folder` take characters without width away, as the
/// normalisers of large models do.
pub fn normalise(folder: &Path) {
    change_tokenizer(folder, |json| {
        json["normalizer"] = serde_json::json!({"type": "Replace",
            "pattern": {"Regex": "[\u{200b}\u{200d}\u{ad}]"}, "content": ""});
    });
}

/// The program in `folder`.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_optical"));
    command
        .args(arguments)
        .current_dir(folder)
        .env("OPTICAL_CACHE", folder.join("cache"));
    command
}

/// Runs the program in `folder`.
pub fn optical(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

/// What a program that succeeds printed.
pub fn succeeds(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a program that fails said.
pub fn fails(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8(output.stderr.clone()).unwrap()
}
