//! Scores to the page of a study.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use optical_evaluation::{Scores, correct};
use optical_experiment::{Experiment, systems};
use optical_report::page::{Fact, StudiedSystem, StudySummary};

use crate::{Cell, Students, StudyFile};

/// Makes a page of what is known so far: cells that have a student, in the languages of the reference's
/// run file.
pub fn summary(
    study: &StudyFile,
    cells: &[Cell],
    experiment: &Experiment,
    untrained: &BTreeMap<String, Scores>,
    students: &[Students],
) -> anyhow::Result<StudySummary> {
    let run = &experiment.run;
    let mut rows = Vec::new();
    let mut means: Vec<Scores> = Vec::new();
    for system in systems(run, |name| untrained.contains_key(name)) {
        let scores = &untrained[&system.name];
        rows.push(StudiedSystem {
            name: system.name,
            description: system.description,
            bound: system.reference,
            students: vec![by_language(scores)],
            within_sentence_cosine: None,
            comparison: None,
        });
        means.push(scores.clone());
    }
    let compared_with = &cells[study.reference(cells)].name;
    for (cell, students) in cells.iter().zip(students) {
        if students.is_empty() {
            continue;
        }
        let cosines: Option<Vec<f64>> = students
            .values()
            .map(|student| student.within_sentence_cosine)
            .collect();
        let each: Vec<_> = students.values().map(|student| &student.scores).collect();
        rows.push(StudiedSystem {
            name: cell.name.clone(),
            description: cell.description.clone(),
            bound: false,
            students: each.iter().map(|scores| by_language(scores)).collect(),
            within_sentence_cosine: cosines
                .map(|cosines| cosines.iter().sum::<f64>() / cosines.len() as f64),
            comparison: None,
        });
        means.push(mean(&each)?);
    }
    let reference = rows.iter().position(|row| row.name == *compared_with);
    let reference = means[reference.context("the reference has no row")?].clone();
    for (row, scores) in rows.iter_mut().zip(&means) {
        if row.name != *compared_with && !row.bound {
            let low = &run.languages.low;
            row.comparison = run.tests().together(low, &reference, scores)?;
        }
    }
    correct(rows.iter_mut().filter_map(|row| row.comparison.as_mut()));
    let compared = rows.iter().filter(|row| row.comparison.is_some()).count();
    let significance = format!(
        "paired two-sided randomisation test of {} against each other system, over the topics of the low-resource \
         languages, of which each language has the same weight, a topic's value being the mean over students; \
         {} permutations, Holm's correction over {} comparisons. p knows the chance of topics, not that of \
         students, which ± shows",
        compared_with, run.significance.permutations, compared
    );
    let training = &run.distill.training;
    Ok(StudySummary {
        title: study.title.clone(),
        measure: experiment.first_measure().to_string(),
        languages: run.classes(),
        reference: compared_with.clone(),
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

/// Takes the mean over topics.
fn by_language(scores: &Scores) -> BTreeMap<String, f64> {
    let languages = scores.iter();
    languages
        .map(|(language, topics)| {
            let sum: f64 = topics.values().sum();
            (language.clone(), sum / topics.len() as f64)
        })
        .collect()
}

/// Takes the mean of students, topic by topic.
fn mean(students: &[&Scores]) -> anyhow::Result<Scores> {
    let mut sum = students[0].clone();
    for student in &students[1..] {
        ensure!(
            sum.keys().eq(student.keys()),
            "students differ in their languages"
        );
        for (sum, other) in sum.values_mut().zip(student.values()) {
            ensure!(
                sum.keys().eq(other.keys()),
                "students differ in their topics, and cannot be averaged"
            );
            for (sum, value) in sum.values_mut().zip(other.values()) {
                *sum += value;
            }
        }
    }
    let count = students.len() as f64;
    for value in sum.values_mut().flat_map(BTreeMap::values_mut) {
        *value /= count;
    }
    Ok(sum)
}
