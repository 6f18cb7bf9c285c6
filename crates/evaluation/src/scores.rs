//! Rankings to numbers.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use optical_corpus::collection::{Collection, Query};
use optical_retrieval::{Evaluation, Measure, Options, Qrels, Run, evaluate};

use crate::ranking::{Asked, Queries};
use crate::{BuiltIn, Evaluator};

/// Evaluations by system and language.
pub type Evaluations = BTreeMap<String, BTreeMap<String, Evaluation>>;

/// Language → topic → value of a measure, of one system.
pub type Scores = BTreeMap<String, BTreeMap<String, f64>>;

/// Returns the measures of some names, as trec_eval has them.
///
/// # Errors
/// If one is not the name of a single measure.
pub fn measures<S: AsRef<str>>(names: &[S]) -> anyhow::Result<Vec<Measure>> {
    let measures = names.iter().map(AsRef::as_ref);
    measures
        .map(|name| name.parse().with_context(|| format!("measure {name}")))
        .collect()
}

/// Returns the topics' values of a measure, by language.
pub fn scores_of(evaluations: &BTreeMap<String, Evaluation>, measure: Measure) -> Scores {
    let languages = evaluations.iter();
    languages
        .map(|(language, evaluation)| (language.clone(), evaluation.per_topic(measure)))
        .collect()
}

/// Rounds scores to a multiple of a millionth: what is computed and what is read back are the same.
pub fn rounded(mut scores: Scores) -> Scores {
    for value in scores.values_mut().flat_map(BTreeMap::values_mut) {
        *value = (*value * 1e6).round() / 1e6;
    }
    scores
}

/// Measures a run, counting queries that found nothing as zero.
pub fn measure(qrels: &Qrels, run: &Run, measures: &[Measure]) -> Evaluation {
    let options = Options {
        complete_topics: true,
        ..Options::default()
    };
    evaluate(qrels, run, measures, &options)
}

/// Returns the judgements of some queries.
///
/// # Errors
/// If a document is judged twice.
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

impl Evaluator<'_> {
    /// Ranks what the systems are asked, and measures the rankings.
    ///
    /// # Errors
    /// If a ranking cannot be made or kept, or somebody stops it.
    pub fn evaluate(
        &self,
        collection: &Collection,
        systems: &[Asked<'_>],
    ) -> anyhow::Result<Evaluations> {
        let mut evaluations = Evaluations::new();
        for asked in systems {
            let rankings = self.rankings(asked)?;
            let found = self.measured(collection, asked.queries, rankings)?;
            if !found.is_empty() {
                evaluations.insert(asked.name.to_owned(), found);
            }
        }
        Ok(evaluations)
    }

    /// Measures the rankings of one system, by language; writes the judgements beside them.
    ///
    /// # Errors
    /// If the judgements cannot be written.
    pub fn measured(
        &self,
        collection: &Collection,
        queries: &Queries,
        rankings: BTreeMap<String, Run>,
    ) -> anyhow::Result<BTreeMap<String, Evaluation>> {
        let measured = rankings.into_iter().map(|(language, ranking)| {
            let qrels = judgements(collection, &queries[&language])?;
            qrels.write(&self.folder.join(format!("trec/{language}.qrels")))?;
            Ok((language, measure(&qrels, &ranking, self.measures)))
        });
        measured.collect()
    }
}

/// Names the student of a repetition among the systems; alone, it is the distilled one itself.
pub fn student_name(repetition: usize, repetitions: usize) -> String {
    let distilled = BuiltIn::Distilled.name();
    match repetitions {
        1 => distilled.to_owned(),
        _ => format!("{distilled}-{}", repetition + 1),
    }
}

/// Adds the distilled system: of several students, the mean of their values topic by topic.
///
/// # Errors
/// If students have other topics.
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
    evaluations.insert(BuiltIn::Distilled.name().to_owned(), joined);
    Ok(())
}
