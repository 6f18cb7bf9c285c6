//! Trains, reports, searches and measures by library calls alone, with progress of its own:
//! `cargo run --release --package optical-experiment --example library`.
//!
//! The model, the sentence pairs and the documents are made up, so that it takes seconds and needs no
//! network; with others, only the texts in `run_file` change.
#![allow(
    clippy::print_stdout,
    missing_docs,
    reason = "a program, not a library"
)]

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::Device;
use optical_encoder::testing::tiny_checkpoint;
use optical_experiment::{Experiment, Opened, Reach, RunFile, Searcher, Site, Start, stages};
use optical_retrieval::{Options, Qrels, Run, evaluate};
use optical_store::{Host, Notice, Store};

const SWAHILI: [&str; 6] = ["maji", "moto", "nyota", "jua", "mti", "samaki"];
const ENGLISH: [&str; 6] = ["water", "fire", "star", "sun", "tree", "fish"];

fn main() -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join("optical-library-example");
    let found = run(&folder)?;
    println!("{}", found.table);
    println!("{}", found.answer);
    println!("MAP by its own call: {:.4}", found.map);
    println!("heard of: {}", found.heard.join(", "));
    Ok(())
}

/// What the program found.
pub struct Outcome {
    pub table: String,
    pub answer: String,
    pub map: f64,
    pub heard: Vec<String>,
}

/// Makes a run in `folder`, or reads back what is there.
pub fn run(folder: &Path) -> anyhow::Result<Outcome> {
    make_data(folder)?;
    // Progress: a program may draw it, count it, or send it somewhere.
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let keeps = heard.clone();
    // True stops the work at its next step; the same calls resume it.
    let stop = Arc::new(AtomicBool::new(false));
    let host = Host::new(stop, move |notice| {
        if let Notice::Ended(name) = notice {
            let mut heard = keeps.lock().unwrap_or_else(PoisonError::into_inner);
            heard.push(name.to_owned());
        }
    });
    let site = Site {
        store: Store {
            cache: folder.join("cache"),
            offline: true,
            host,
        },
        devices: vec![Device::flex()],
        backend: "flex".into(),
        command: "examples/library.rs".into(),
        temporary: folder.to_owned(),
        programs: Default::default(),
    };

    // A run file from values; `RunFile::load` reads one from a file.
    let table: toml::Table = run_file(folder).parse()?;
    let start = Start {
        run: RunFile::of_table(&table)?,
        folder: folder.join("run"),
        site: &site,
        devices_fault: None,
        reach: Reach::Cache,
        encodes: true,
    };
    let Opened::Ready(started) = start.open()? else {
        anyhow::bail!("only checked");
    };
    let table = stages::train(*started, None)?;

    let experiment = Experiment::existing(&folder.join("run"), &site)?;
    let answer = Searcher::open(&experiment)?.answer("samaki", 1)?;
    let answer = answer.lines(|word| format!("[{word}]"));

    // What was ranked is in TREC's formats, and measured by any name that trec_eval knows.
    let trec = folder.join("run/trec");
    let qrels = Qrels::read(&trec.join("swa.qrels"))?;
    let ranking = Run::read(&trec.join("distilled.swa.run"))?;
    let measure = "map".parse()?;
    let evaluation = evaluate(&qrels, &ranking, &[measure], &Options::default());
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Outcome {
        table,
        answer,
        map: evaluation.aggregate(measure).unwrap_or_default(),
        heard: heard.clone(),
    })
}

/// Writes a tiny model, sentence pairs, documents, queries and judgements.
fn make_data(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let words: Vec<&str> = SWAHILI.into_iter().chain(ENGLISH).collect();
    tiny_checkpoint(&folder.join("model"), "bert", &words, 5)?;
    let text = |words: &[&str; 6], places: &[usize]| {
        let words = places.iter().map(|place| words[place % 6]);
        words.collect::<Vec<_>>().join(" ")
    };
    let pairs = (0..60).map(|number| {
        let places = (0..2 + number % 4).map(|place| number / 3 + place * (1 + number / 10));
        let places: Vec<usize> = places.collect();
        format!("{}\t{}\n", text(&ENGLISH, &places), text(&SWAHILI, &places))
    });
    std::fs::write(folder.join("swa.tsv"), pairs.collect::<String>())?;
    let (mut documents, mut queries, mut judgements) =
        (String::new(), String::new(), String::new());
    for number in 0..6 {
        let (title, english) = (ENGLISH[number], text(&ENGLISH, &[number, number + 1]));
        documents += &format!(
            "{{\"id\": \"d{number}\", \"source\": \"made\", \"title\": \"{title}\", \"text\": \"{english}\"}}\n"
        );
        let query = [text(&SWAHILI, &[number]), text(&ENGLISH, &[number])];
        queries += &format!("q{number}\tswa\tdev\t{}\t{}\n", query[0], query[1]);
        judgements += &format!("q{number} 0 d{number} 1\n");
    }
    std::fs::write(folder.join("docs.jsonl"), documents)?;
    std::fs::write(folder.join("queries.dev.tsv"), queries)?;
    std::fs::write(folder.join("qrels.dev.txt"), judgements)?;
    Ok(())
}

fn run_file(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"
title = "Six words"
model = '{folder}/model'
picture = "swa"
repetitions = 1
measures = ["map", "recall_5"]
languages = {{ low = ["swa"], high = [], control = [] }}
[[bitext]]
format = "tsv"
file = '{folder}/{{language}}.tsv'
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
languages.swa = {{ scripts = ["Latin"], length = 1.0 }}
[collection]
format = "wiki-questions"
folder = '{folder}'
split = "dev"
languages = ["swa"]
[distill]
maximum_length = 16
layers = 2
frozen_layers = 0
frozen_vocabulary = false
student_weight = 0.9
bitext = {{ swa = 0.8 }}
retention = {{ eng = 0.2 }}
head = {{ exponent = 0.3, sentences = 20, documents = 6 }}
sampling = {{ size_exponent = 0.0, batches = "by-length" }}
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
steps = 60
batch_size = 8
parts = 2
accumulation = 1
dropout = false
precision = "single"
gradient_checkpointing = false
checkpoint_every = 30
instruments = {{ every = 30, held_out = 4 }}
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
"#
    )
}
