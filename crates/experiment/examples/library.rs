//! Trains, reports, searches and measures by library calls alone, with progress of its own:
//! `cargo run --release --package optical-experiment --example library`.
//!
//! The model, the sentence pairs and the documents are made up, so that it takes seconds and needs no
//! network; with others, only `run_file` changes.
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
use optical_experiment::{Experiment, Findings, Opened, RunFile, Searcher, Site, Start, stages};
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
    pub reported: Option<f64>,
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
    let store = Store {
        cache: folder.join("cache"),
        offline: true,
        hub_token: None,
        host,
    };
    let site = Site::new(store, Device::flex());

    let start = Start {
        // A run file from values; `RunFile::load` reads one from a file.
        run: run_file(folder)?,
        folder: folder.join("run"),
        site: &site,
        check_only: false,
        encodes: true,
    };
    let Opened::Ready(started) = start.open(Findings::default())? else {
        anyhow::bail!("only checked");
    };
    let report = stages::train(*started, None)?;

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
        table: report.scored.table.to_terminal(),
        reported: report.summary.languages[0].score("distilled", "map"),
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
    for (number, title) in ENGLISH.iter().enumerate() {
        let english = text(&ENGLISH, &[number, number + 1]);
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

/// The quickstart's run file with other data and smaller sizes.
fn run_file(folder: &Path) -> anyhow::Result<RunFile> {
    let mut table: toml::Table = include_str!("../../../configs/quickstart.toml").parse()?;
    let folder = folder.display();
    let changes = format!(
        r#"
title = "Six words"
model = '{folder}/model'
measures = ["map", "recall_5"]
languages = {{ low = ["swa"], high = [], control = [] }}
bitext = [{{ format = "tsv", file = '{folder}/{{language}}.tsv', languages = ["swa"] }}]
collection = {{ format = "wiki-questions", folder = '{folder}', split = "dev", languages = ["swa"] }}
bitext_filter.languages = {{ swa = {{ scripts = ["Latin"], length = 1.0 }} }}
distill.layers = 2
distill.maximum_length = 16
distill.bitext = {{ swa = 0.8 }}
distill.retention = {{ eng = 0.2 }}
distill.head = {{ exponent = 0.3, sentences = 20, documents = 6 }}
distill.training.steps = 60
distill.training.batch_size = 8
distill.training.checkpoint_every = 30
distill.training.instruments = {{ every = 30, held_out = 4 }}
distill.training.optimiser.learning_rate = 2e-3
distill.training.optimiser.warm_up = 3
retrieval.query_length = 16
retrieval.document_length = 16
"#
    );
    change(&mut table, changes.parse()?);
    RunFile::of_table(&table)
}

/// Puts values in the place of others; of tables whose values are tables, only the inner ones.
fn change(table: &mut toml::Table, changes: toml::Table) {
    const REPLACED: [&str; 6] = [
        "languages",
        "collection",
        "head",
        "instruments",
        "bitext",
        "retention",
    ];
    for (key, value) in changes {
        match (table.get_mut(&key), value) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(changes))
                if !REPLACED.contains(&&*key) =>
            {
                change(inner, changes);
            }
            (_, value) => drop(table.insert(key, value)),
        }
    }
}
