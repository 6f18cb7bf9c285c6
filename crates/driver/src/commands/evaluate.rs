//! `optical evaluate`: the numbers of a run, as `trec_eval` gives them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::ensure;
use clap::ValueEnum;
use optical_retrieval::{Evaluation, Measure, Options, Qrels, Run, ScorePrecision, evaluate};
use serde_json::{Map, Value};

use crate::say::print;

/// Evaluates a TREC run against TREC qrels, with `trec_eval`'s measures and conventions.
///
/// Documents are ordered by score, equal scores by document id, descending as bytes. A topic counts
/// if it is in both files; none in common is an error. Both files may be packed with gzip or zstd;
/// blank lines and lines that begin with # are passed over, as trec_eval 10 does.
#[derive(Debug, clap::Args)]
pub struct EvaluateArgs {
    /// Judgements: topic, iteration, document, grade
    qrels: PathBuf,
    /// Retrieved documents: topic, Q0, document, rank, score, tag; words after the tag are ignored
    run: PathBuf,
    /// A measure such as `map`, `ndcg_cut_10` or `recall_100`, a group such as `P`, or the set
    /// `official` or `all_trec`; may be repeated
    ///
    /// AP, nDCG@10, R@100, RR@10 and their like are understood too. Output names are trec_eval's.
    #[arg(
        short,
        long = "measure",
        value_name = "MEASURE",
        default_value = "official"
    )]
    measures: Vec<String>,
    /// Print the values of each topic too
    #[arg(short = 'q', long)]
    per_topic: bool,
    /// Average over all topics of the qrels; those the run lacks have an empty ranking
    #[arg(short, long)]
    complete_topics: bool,
    /// The lowest grade that counts as relevant
    #[arg(
        short = 'l',
        long,
        value_name = "GRADE",
        default_value_t = 1,
        value_parser = clap::value_parser!(i32).range(0..)
    )]
    relevance_level: i32,
    /// Remove documents without a judgement from the rankings
    #[arg(short = 'J', long)]
    judged_only: bool,
    /// Look at this many documents of each ranking
    #[arg(short = 'M', long, value_name = "COUNT")]
    max_docs: Option<usize>,
    /// Print {topic: {measure: value}, "all": {…}} with all digits, null where a value is undefined
    #[arg(long)]
    json: bool,
    /// The precision in which scores are compared: f32 as trec_eval 9, f64 as trec_eval 10
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    score_precision: Precision,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Precision {
    F32,
    F64,
}

/// Reads both files, evaluates and prints.
pub fn run(args: &EvaluateArgs) -> anyhow::Result<()> {
    let mut measures = BTreeSet::new();
    for name in &args.measures {
        measures.extend(Measure::parse(name)?);
    }
    let measures: Vec<_> = measures.into_iter().collect();
    let qrels = Qrels::read(&args.qrels)?;
    let run = Run::read(&args.run)?;
    let options = Options {
        complete_topics: args.complete_topics,
        relevance_level: args.relevance_level,
        judged_only: args.judged_only,
        max_docs: args.max_docs,
        score_precision: match args.score_precision {
            Precision::F32 => ScorePrecision::F32,
            Precision::F64 => ScorePrecision::F64,
        },
    };
    let names = (args.run.display(), args.qrels.display());
    ensure!(!run.is_empty(), "{} retrieves nothing", names.0);
    ensure!(
        run.topics().any(|topic| qrels.contains(topic)),
        "{} and {} have no topic in common",
        names.0,
        names.1
    );
    let evaluation = evaluate(&qrels, &run, &measures, &options);
    let taken = args.json && evaluation.topics().any(|(topic, _)| topic == "all");
    ensure!(
        !taken,
        "a topic is named \"all\", which in JSON stands for all topics"
    );
    let official = args.measures.iter().any(|name| name == "official");
    let text = if args.json {
        json(&evaluation)
    } else {
        table(&evaluation, official.then_some(run.tag()), args.per_topic)
    };
    print(text)
}

fn table(evaluation: &Evaluation, tag: Option<&str>, per_topic: bool) -> String {
    let mut text = String::new();
    let mut line = |name: &str, topic: &str, value: &str| {
        text.push_str(&format!("{name:<22}\t{topic}\t{value}\n"));
    };
    for (topic, values) in evaluation.topics().filter(|_| per_topic) {
        let measures = evaluation.measures().iter().zip(values);
        for (measure, value) in measures.filter(|(measure, _)| measure.is_per_topic()) {
            line(&measure.to_string(), topic, &rounded(*measure, *value));
        }
    }
    if let Some(tag) = tag {
        line("runid", "all", tag);
    }
    for (measure, value) in evaluation.measures().iter().zip(evaluation.aggregates()) {
        line(&measure.to_string(), "all", &rounded(*measure, *value));
    }
    text
}

fn rounded(measure: Measure, value: Option<f64>) -> String {
    match value {
        None => format!("{:>6}", "nan"),
        Some(value) if measure.is_count() => format!("{value:.0}"),
        Some(value) => format!("{value:6.4}"),
    }
}

fn json(evaluation: &Evaluation) -> String {
    let object = |values: &[Option<f64>], of_topic: bool| {
        let named = evaluation
            .measures()
            .iter()
            .zip(values)
            .map(|(measure, &value)| {
                let value = value.filter(|_| !of_topic || *measure != Measure::GmMap);
                (measure.to_string(), number(*measure, value))
            });
        Value::Object(named.collect())
    };
    let topics = evaluation
        .topics()
        .map(|(topic, values)| (topic.to_owned(), object(values, true)));
    let mut all: Map<String, Value> = topics.collect();
    all.insert("all".to_owned(), object(evaluation.aggregates(), false));
    format!("{}\n", Value::Object(all))
}

fn number(measure: Measure, value: Option<f64>) -> Value {
    match value {
        None => Value::Null,
        // Counts are far below 2^53.
        Some(count) if measure.is_count() => Value::from(count as u64),
        Some(value) => Value::from(value),
    }
}
