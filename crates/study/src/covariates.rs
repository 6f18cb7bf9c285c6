//! What a study may ask about a student beside its scores: of the student itself, of its training, and of
//! each language. Those of a language are objects by its code.

use std::collections::BTreeMap;

use anyhow::Context;
use optical_corpus::collection::{Collection, Query};
use optical_distill::Event;
use optical_encoder::Outline;
use optical_evaluation::{Queries, fertility, query_cost};
use optical_experiment::{Experiment, RunSettings};
use optical_retrieval::{Run, ScorePrecision, hub_share, overlap, rank_consistency};
use optical_store::{Key, Reader};
use serde_json::{Map, Value, json};

use crate::topics::without_language;

/// Covariates by name.
pub(crate) type Covariates = BTreeMap<String, Value>;

/// The last steps whose effective partners are averaged: those of one batch say little.
const LAST_STEPS: usize = 20;

/// Measures what follows from a student and the queries alone: its size, and what queries cost it.
pub(crate) fn of_student(
    experiment: &Experiment,
    collection: &Collection,
    student: &Reader,
) -> anyhow::Result<Covariates> {
    let Outline {
        parameters,
        embeddings,
        config,
        ..
    } = Outline::read(&student.folder)?;
    let queries = experiment.asked(&collection.queries);
    let (mut tokens, mut flops, mut pieces) = (Map::new(), Map::new(), Map::new());
    for (language, queries) in &queries {
        let (model, settings) = (&student.model, &experiment.run.retrieval);
        let size = (parameters - embeddings) as u64;
        if let Some(cost) = query_cost(model, size, queries, settings)? {
            tokens.insert(language.clone(), rounded(cost.tokens));
            flops.insert(language.clone(), rounded(cost.operations));
        }
        let english = collection
            .english
            .get(language)
            .map_or(&[][..], Vec::as_slice);
        if let Some(found) = fertility(model, queries, english)? {
            pieces.insert(language.clone(), rounded(found));
        }
    }
    let found = [
        ("parameters", parameters.into()),
        ("embedding_parameters", embeddings.into()),
        ("layers", config.num_hidden_layers.into()),
        ("tokens", tokens.into()),
        ("flops", flops.into()),
        ("fertility", pieces.into()),
    ];
    Ok(found.map(|(name, value)| (name.to_owned(), value)).into())
}

/// Reads what a training says of itself.
pub(crate) fn of_training(run: &RunSettings, events: &[Event]) -> Covariates {
    let seconds = events.iter().map(|event| match event {
        Event::Step { seconds, .. } => *seconds,
        _ => 0.0,
    });
    let pairs = events.iter().find_map(|event| match event {
        Event::Prepared { pairs, .. } => Some(*pairs),
        _ => None,
    });
    let partners = events.iter().rev().filter_map(|event| match event {
        Event::Step {
            effective_partners, ..
        } => *effective_partners,
        _ => None,
    });
    let partners: Vec<f64> = partners.take(LAST_STEPS).collect();
    let partners = (!partners.is_empty())
        .then(|| rounded(partners.iter().sum::<f64>() / partners.len() as f64));
    let mates = events.iter().rev().find_map(|event| match event {
        Event::Instruments { reading, .. } => {
            let mates = reading.mates.iter();
            let found = mates.map(|(language, it)| (language.clone(), rounded(it.reciprocal_rank)));
            Some(Value::Object(found.collect()))
        }
        _ => None,
    });
    let known = [
        ("model", Some(Value::from(run.model.as_str()))),
        (
            "layers",
            Some(json!(run.distill.layers)).filter(Value::is_number),
        ),
        ("steps", Some(run.distill.training.steps.into())),
        ("pairs", pairs.map(Value::from)),
        (
            "training_seconds",
            Some((seconds.sum::<f64>().round() as u64).into()),
        ),
        ("partners", partners),
        ("mate_mrr", mates),
    ];
    let known = known.into_iter();
    known
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

/// Says of each language what it asks, by a hash that languages have in common whose questions are the
/// same: the same ids but for the code of the language, and the same English versions, or the same
/// relevant documents where there are none.
pub(crate) fn questions(experiment: &Experiment, collection: &Collection) -> Value {
    let mut relevant: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for judgement in collection.judgements.iter().filter(|it| 0 < it.grade) {
        relevant
            .entry(&judgement.query)
            .or_default()
            .push(&judgement.document);
    }
    let asked = experiment.asked(&collection.queries);
    let hashed = asked.iter().map(|(language, queries)| {
        let english = collection.english.get(language);
        let mut all: Vec<(String, Vec<&str>)> = (queries.iter().enumerate())
            .map(|(place, query)| {
                let english = english.and_then(|english| english.get(place));
                let mut is_asked = match english {
                    Some(english) => vec![english.text.as_str()],
                    None => relevant.get(query.id.as_str()).cloned().unwrap_or_default(),
                };
                is_asked.sort_unstable();
                (without_language(&query.id, language), is_asked)
            })
            .collect();
        all.sort();
        let mut key = Key::of("asked");
        for (id, is_asked) in all {
            key.add(id);
            key.add(is_asked.len().to_le_bytes());
            is_asked.into_iter().for_each(|it| key.add(it));
        }
        (language.clone(), Value::from(key.text()))
    });
    Value::Object(hashed.collect())
}

/// Holds a student's rankings of queries against its rankings of their human English versions.
pub(crate) fn consistency(
    queries: &Queries,
    rankings: &BTreeMap<String, Run>,
    english: &BTreeMap<String, Run>,
) -> anyhow::Result<Covariates> {
    let (mut consistent, mut shared) = (Map::new(), Map::new());
    for (language, english) in english {
        let theirs = rankings.get(language);
        let theirs = theirs.with_context(|| format!("{language} has no rankings"))?;
        let both = |query: &Query| [theirs, english].map(|run| documents(run, query));
        let rankings: Vec<_> = queries[language].iter().map(both).collect();
        let add = |into: &mut Map<String, Value>, of: &dyn Fn(&[Vec<&str>; 2]) -> Option<f64>| {
            let found: Vec<f64> = rankings.iter().filter_map(of).collect();
            if !found.is_empty() {
                let mean = found.iter().sum::<f64>() / found.len() as f64;
                into.insert(language.clone(), rounded(mean));
            }
        };
        add(&mut consistent, &|[one, other]| {
            rank_consistency(one, other)
        });
        add(&mut shared, &|[one, other]| overlap(one, other, 10));
    }
    Ok(BTreeMap::from([
        ("rankc".to_owned(), json!(consistent)),
        ("overlap10".to_owned(), json!(shared)),
    ]))
}

/// Says of each language how large a share of its questions finds the same document.
pub(crate) fn hubs(queries: &Queries, rankings: &BTreeMap<String, Run>) -> Value {
    let shares = rankings.iter().filter_map(|(language, run)| {
        let queries = queries.get(language)?.iter();
        let rankings: Vec<_> = queries.map(|query| documents(run, query)).collect();
        Some((language.clone(), rounded(hub_share(&rankings, 10)?)))
    });
    Value::Object(shares.collect())
}

/// The documents of a query, best first.
fn documents<'a>(run: &'a Run, query: &Query) -> Vec<&'a str> {
    let ranking = run.ranking(&query.id, ScorePrecision::F32).into_iter();
    ranking.map(|(document, _)| document).collect()
}

/// A number with six digits after the point.
fn rounded(value: f64) -> Value {
    Value::from((value * 1e6).round() / 1e6)
}
