//! Rankings to numbers.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use optical_corpus::collection::{Collection, Query};
use optical_retrieval::{Evaluation, Measure, Options, Qrels, Run, evaluate};

use crate::experiment::ranking::{Asked, runs};
use crate::experiment::{Experiment, RunFolder};

/// The measures of the report, the first of which is tested.
pub const MEASURES: [&str; 4] = ["map", "ndcg_cut_10", "recall_100", "recip_rank_cut_10"];

/// Evaluations by system and language.
pub type Evaluations = BTreeMap<String, BTreeMap<String, Evaluation>>;

/// Language → topic → value of the first measure, of one system.
pub type Scores = BTreeMap<String, BTreeMap<String, f64>>;

/// The first measure of evaluated rankings, by language.
pub fn scores_of(evaluations: &BTreeMap<String, Evaluation>) -> anyhow::Result<Scores> {
    let measure: Measure = MEASURES[0].parse()?;
    let languages = evaluations.iter();
    let languages =
        languages.map(|(language, evaluation)| (language.clone(), evaluation.per_topic(measure)));
    Ok(languages.collect())
}

/// Ranks what the systems are asked, and measures the rankings.
pub fn evaluate_systems(
    experiment: &Experiment,
    collection: &Collection,
    systems: &[Asked<'_>],
) -> anyhow::Result<Evaluations> {
    let mut evaluations = Evaluations::new();
    for asked in systems {
        let found = evaluate_runs(
            experiment,
            collection,
            asked.queries,
            runs(experiment, asked)?,
        )?;
        if !found.is_empty() {
            evaluations.insert(asked.name.to_owned(), found);
        }
    }
    Ok(evaluations)
}

/// Measures the rankings of one system, by language.
pub fn evaluate_runs(
    experiment: &Experiment,
    collection: &Collection,
    queries: &BTreeMap<String, Vec<Query>>,
    runs: BTreeMap<String, Run>,
) -> anyhow::Result<BTreeMap<String, Evaluation>> {
    let measured = runs.into_iter().map(|(language, ranking)| {
        let queries = &queries[&language];
        let qrels = qrels(collection, &language, queries, &experiment.folder)?;
        Ok((language, measure(&qrels, &ranking)?))
    });
    measured.collect()
}

/// Judgements of one language's queries, written beside its runs.
fn qrels(
    collection: &Collection,
    language: &str,
    queries: &[Query],
    folder: &RunFolder,
) -> anyhow::Result<Qrels> {
    let qrels = judgements(collection, queries)?;
    qrels.write(&folder.qrels(language))?;
    Ok(qrels)
}

/// The judgements of some queries.
pub fn judgements(collection: &Collection, queries: &[Query]) -> anyhow::Result<Qrels> {
    let ids: BTreeSet<&str> = queries.iter().map(|query| query.id.as_str()).collect();
    let theirs = collection.judgements.iter();
    let theirs = theirs.filter(|judgement| ids.contains(judgement.query.as_str()));
    let theirs = theirs.map(|judgement| {
        (
            judgement.query.clone(),
            judgement.document.clone(),
            judgement.grade,
        )
    });
    Ok(Qrels::from_judgements(theirs)?)
}

/// The name of a repetition's student among the systems; alone, it is the distilled one itself.
pub fn student_name(repetition: usize, repetitions: usize) -> String {
    if repetitions == 1 {
        "distilled".to_owned()
    } else {
        format!("distilled-{}", repetition + 1)
    }
}

/// Adds the system "distilled": of several students, the mean of their values topic by topic.
pub fn join_students(evaluations: &mut Evaluations, repetitions: usize) -> anyhow::Result<()> {
    if repetitions == 1 {
        return Ok(());
    }
    let names: Vec<_> = (0..repetitions)
        .map(|repetition| student_name(repetition, repetitions))
        .collect();
    let mut joined = BTreeMap::new();
    for language in evaluations[&names[0]].keys() {
        let each: Vec<Evaluation> = names
            .iter()
            .map(|name| evaluations[name][language].clone())
            .collect();
        let mean = Evaluation::mean(&each);
        let mean = mean.with_context(|| format!("{language}: students differ in their topics"))?;
        joined.insert(language.clone(), mean);
    }
    evaluations.insert("distilled".to_owned(), joined);
    Ok(())
}

/// Measures a run, counting queries that found nothing as zero.
fn measure(qrels: &Qrels, run: &Run) -> anyhow::Result<Evaluation> {
    let measures: Vec<Measure> = MEASURES
        .iter()
        .map(|name| name.parse().with_context(|| format!("measure {name}")))
        .collect::<Result<_, _>>()?;
    let options = Options {
        complete_topics: true,
        ..Options::default()
    };
    Ok(evaluate(qrels, run, &measures, &options))
}
