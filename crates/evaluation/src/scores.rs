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

/// Names the student of a repetition among the systems of a kind; alone, it is that system itself.
pub fn student_name(kind: BuiltIn, repetition: usize, repetitions: usize) -> String {
    match repetitions {
        1 => kind.name().to_owned(),
        _ => format!("{}-{}", kind.name(), repetition + 1),
    }
}

/// Adds the system of a kind: of several students, the mean of their values topic by topic.
///
/// # Errors
/// If students have other topics.
pub fn join_students(
    evaluations: &mut Evaluations,
    kind: BuiltIn,
    repetitions: usize,
) -> anyhow::Result<()> {
    if repetitions == 1 {
        return Ok(());
    }
    let names: Vec<_> = (0..repetitions)
        .map(|repetition| student_name(kind, repetition, repetitions))
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
    evaluations.insert(kind.name().to_owned(), joined);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use optical_corpus::collection::Judgement;
    use optical_retrieval::Hit;

    use super::*;

    fn judgement(query: &str, document: &str, grade: i32) -> Judgement {
        Judgement {
            query: query.to_owned(),
            document: document.to_owned(),
            grade,
        }
    }

    fn query(id: &str) -> Query {
        Query {
            id: id.to_owned(),
            text: "maji".to_owned(),
            language: "swa".to_owned(),
            own_document: None,
            origin: None,
        }
    }

    /// What a run of one topic each finds, first first; each topic's relevant document is `d1`.
    fn evaluated(rankings: &[(&str, &[&str])]) -> BTreeMap<String, Evaluation> {
        let judged = rankings.iter();
        let judged = judged.map(|(topic, _)| ((*topic).to_owned(), "d1".to_owned(), 1));
        let qrels = Qrels::from_judgements(judged).unwrap();
        let mut run = Run::new("test");
        for (topic, documents) in rankings {
            let hits = documents.iter().enumerate().map(|(place, id)| Hit {
                id: (*id).to_owned(),
                score: -(place as f32),
            });
            run.insert(topic, hits).unwrap();
        }
        let measures = measures(&["map"]).unwrap();
        BTreeMap::from([("swa".to_owned(), measure(&qrels, &run, &measures))])
    }

    /// Average precision of one relevant document is one over its rank.
    #[test]
    fn students_are_joined_topic_by_topic() {
        let first = evaluated(&[("q1", &["d1"]), ("q2", &["d2", "d1"])]);
        let second = evaluated(&[("q1", &["d2", "d3", "d4", "d1"]), ("q2", &[])]);
        let mut evaluations = Evaluations::from([
            ("distilled-1".to_owned(), first.clone()),
            ("distilled-2".to_owned(), second),
        ]);
        join_students(&mut evaluations, BuiltIn::Distilled, 2).unwrap();
        let joined = &evaluations["distilled"]["swa"];
        let map = "map".parse().unwrap();
        let expected = [("q1", (1.0 + 0.25) / 2.0), ("q2", 0.5 / 2.0)];
        let expected = expected.map(|(topic, value)| (topic.to_owned(), value));
        assert_eq!(joined.per_topic(map), BTreeMap::from(expected));
        assert_eq!(joined.aggregate(map), Some((0.625 + 0.25) / 2.0));
        assert_eq!(evaluations.len(), 3);

        let other = evaluated(&[("q1", &["d1"]), ("q3", &["d1"])]);
        evaluations.insert("distilled-2".to_owned(), other);
        let error = join_students(&mut evaluations, BuiltIn::Distilled, 2).unwrap_err();
        assert_eq!(error.to_string(), "swa: students differ in their topics");

        // One student is the distilled system itself.
        let mut alone = Evaluations::from([(student_name(BuiltIn::Distilled, 0, 1), first)]);
        join_students(&mut alone, BuiltIn::Distilled, 1).unwrap();
        assert_eq!(alone.keys().collect::<Vec<_>>(), ["distilled"]);
    }

    #[test]
    fn judgements_of_other_queries_stay_out() {
        let collection = Collection {
            judgements: vec![
                judgement("q1", "d1", 2),
                judgement("q10", "d1", 1),
                judgement("q1", "d2", 0),
            ],
            ..Collection::default()
        };
        let qrels = judgements(&collection, &[query("q1"), query("q2")]).unwrap();
        assert_eq!(qrels.topics().collect::<Vec<_>>(), ["q1"]);
        assert_eq!(qrels.grade("q1", "d1"), Some(2));
        assert_eq!(qrels.grade("q1", "d2"), Some(0));
    }

    #[test]
    fn a_query_that_finds_nothing_counts_as_zero() {
        let map = "map".parse().unwrap();
        let found = evaluated(&[("q1", &["d1"]), ("q2", &[])]);
        assert_eq!(found["swa"].aggregate(map), Some(0.5));
        assert_eq!(found["swa"].value("q2", map), Some(0.0));
    }

    #[test]
    fn what_is_rounded_is_read_back_as_the_same() {
        let scores = |value| {
            let topics = BTreeMap::from([("q1".to_owned(), value)]);
            Scores::from([("swa".to_owned(), topics)])
        };
        assert_eq!(rounded(scores(1.0 / 3.0)), scores(0.333_333));
        assert_eq!(rounded(scores(2.0 / 3.0)), scores(0.666_667));
        let error = measures(&["map", "mop"]).unwrap_err();
        assert_eq!(error.to_string(), "measure mop");
    }
}
