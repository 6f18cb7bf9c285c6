//! Evaluations to the page of a study.

use std::collections::BTreeMap;

use anyhow::Context;
use optical_report::page::{Comparison, Fact, ResourceClass, StudiedSystem, StudySummary};
use optical_retrieval::significance::Differences;
use optical_retrieval::{Evaluation, Measure, holm};

use super::file::StudyFile;
use super::variant::{Results, Setting};
use crate::experiment::scores::{Evaluations, MEASURES};
use crate::experiment::summary::systems;
use crate::run_file::RunFile;

/// Evaluations by language.
type Evaluated = BTreeMap<String, Evaluation>;

/// What is known so far, as a page.
pub fn summary(
    study: &StudyFile,
    settings: &[Setting],
    frozen: &Evaluations,
    results: &[Results],
) -> anyhow::Result<StudySummary> {
    let map: Measure = MEASURES[0].parse()?;
    let run = &settings[study.reference()].experiment.run;
    let mut rows = Vec::new();
    let mut means: Vec<Evaluated> = Vec::new();
    for system in systems(run, frozen) {
        let evaluations = &frozen[&system.name];
        rows.push(StudiedSystem {
            name: system.name,
            description: system.description,
            bound: system.reference,
            students: vec![scores(evaluations, map)],
            within_sentence_cosine: None,
            comparison: None,
        });
        means.push(evaluations.clone());
    }
    for (variant, results) in study.variants.iter().zip(results) {
        let students = &results.students;
        let cosines: Option<Vec<f64>> = students
            .iter()
            .map(|student| student.within_sentence_cosine)
            .collect();
        rows.push(StudiedSystem {
            name: variant.name.clone(),
            description: variant.description.clone(),
            bound: false,
            students: students
                .iter()
                .map(|student| scores(&student.evaluations, map))
                .collect(),
            within_sentence_cosine: cosines
                .map(|cosines| cosines.iter().sum::<f64>() / cosines.len() as f64),
            comparison: None,
        });
        let each: Vec<_> = students
            .iter()
            .map(|student| &student.evaluations)
            .collect();
        means.push(mean(&each)?);
    }
    let reference = rows.iter().position(|row| row.name == study.reference);
    let reference = means[reference.context("the reference has no row")?].clone();
    let mut compared = Vec::new();
    for (row, evaluated) in rows.iter_mut().zip(&means) {
        if row.name != study.reference && !row.bound {
            row.comparison = compare(run, &reference, evaluated, map)?;
            compared.extend(row.comparison.as_mut());
        }
    }
    let p_values: Vec<f64> = compared.iter().map(|it| it.p_value).collect();
    for (comparison, corrected) in compared.iter_mut().zip(holm(&p_values)) {
        comparison.corrected_p_value = corrected;
    }
    let significance = format!(
        "paired two-sided randomisation test of {} against each other system, over the topics of the low-resource \
         languages, of which each language has the same weight, a topic's value being the mean over students; \
         {} permutations, Holm's correction over {} comparisons",
        study.reference,
        run.significance.permutations,
        p_values.len()
    );
    let training = &run.distill.training;
    Ok(StudySummary {
        title: study.title.clone(),
        measure: MEASURES[0].into(),
        languages: run.classes(),
        reference: study.reference.clone(),
        systems: rows,
        significance,
        notes: Vec::new(),
        facts: vec![
            Fact::new("run file", study.run.display()),
            Fact::new("steps of the reference", training.steps),
            Fact::new("first seed", training.seed),
            Fact::new("version", env!("CARGO_PKG_VERSION")),
        ],
    })
}

fn scores(evaluated: &Evaluated, map: Measure) -> BTreeMap<String, f64> {
    let languages = evaluated.iter();
    languages
        .filter_map(|(language, evaluation)| Some((language.clone(), evaluation.aggregate(map)?)))
        .collect()
}

/// The mean of students, topic by topic.
fn mean(students: &[&Evaluated]) -> anyhow::Result<Evaluated> {
    let languages = students[0].keys().map(|language| {
        let each: Vec<_> = students.iter().map(|of| of[language].clone()).collect();
        let mean = Evaluation::mean(&each);
        let mean = mean.with_context(|| format!("{language}: students differ in their topics"))?;
        Ok((language.clone(), mean))
    });
    languages.collect()
}

/// The reference against another system in the low-resource languages; `None` where the other does
/// not read one of them.
fn compare(
    run: &RunFile,
    reference: &Evaluated,
    other: &Evaluated,
    map: Measure,
) -> anyhow::Result<Option<Comparison>> {
    let mut languages = Vec::new();
    for (language, class) in run.classes() {
        if class != ResourceClass::Low {
            continue;
        }
        let Some(other) = other.get(&language) else {
            return Ok(None);
        };
        let reference = reference[&language].per_topic(map);
        languages.push(Differences::new(&reference, &other.per_topic(map))?);
    }
    let differences = Differences::macro_mean(&languages)?;
    let seed = run.distill.training.seed;
    let p_value = differences
        .randomisation(run.significance.permutations, seed)?
        .p;
    Ok(Some(Comparison {
        topics: differences.values().len(),
        difference: differences.mean(),
        p_value,
        corrected_p_value: p_value,
    }))
}
