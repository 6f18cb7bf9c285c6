//! Numbers to the report: `report.md`, `results.json` and the table on the terminal.

use std::collections::BTreeMap;

use optical_distill::Event;
use optical_report::page::{
    BitextRow, Comparison, Fact, Figure, Instrument, LanguageResult, RunSummary, System,
};
use optical_report::{Align, Cell, Table};
use optical_retrieval::Measure;

use crate::experiment::comparison::{by_language, correct, low_resource};
use crate::experiment::scores::{Evaluations, MEASURES, Scores, scores_of, student_name};
use crate::run_file::RunFile;

/// The systems every run may have, in the order of the tables: name, description, whether a bound.
/// Those that `[translation]` names come behind `bm25`.
pub const SYSTEMS: [(&str, &str, bool); 7] = [
    ("bm25", "BM25 on the query as it is", false),
    (
        "translator",
        "BM25 on the query as an external program translates it",
        false,
    ),
    (
        "bm25-english",
        "BM25 on the query's human English version: an upper bound for translation",
        true,
    ),
    (
        "zero-shot-raw",
        "the encoder as it comes, on the query as it is",
        false,
    ),
    (
        "zero-shot",
        "the same encoder behind the head: what distillation starts from",
        false,
    ),
    ("distilled", "the student behind the same head", false),
    (
        "english",
        "the teacher on the query's human English version: an upper bound",
        true,
    ),
];

/// The systems that were evaluated, in the order of the tables.
pub fn systems(run: &RunFile, evaluated: impl Fn(&str) -> bool) -> Vec<System> {
    let mut systems: Vec<_> = SYSTEMS
        .iter()
        .map(|&(name, description, reference)| System {
            name: name.into(),
            description: description.into(),
            reference,
        })
        .collect();
    let translation = run
        .translation
        .iter()
        .flat_map(|settings| &settings.systems);
    let named = translation.map(|system| System {
        name: system.name.clone(),
        description: system.description(),
        reference: false,
    });
    systems.splice(1..1, named);
    systems.retain(|system| evaluated(&system.name));
    systems
}

/// Puts the page together, with tests of what was reached.
pub fn summary(
    run: &RunFile,
    evaluations: &Evaluations,
    bitext: Vec<BitextRow>,
    events: &[Event],
    facts: Vec<Fact>,
) -> anyhow::Result<RunSummary> {
    let systems = systems(run, |name| evaluations.contains_key(name));
    let distilled = scores_of(&evaluations["distilled"])?;
    let comparisons = by_language(run, &distilled, &scores_of(&evaluations["zero-shot"])?)?;
    let low_resource = against_all(run, &distilled, &systems, evaluations)?;
    let languages = run
        .classes()
        .into_iter()
        .map(|(language, class)| {
            let scores: BTreeMap<String, BTreeMap<String, f64>> = evaluations
                .iter()
                // Single students of several are in their mean.
                .filter(|(system, _)| systems.iter().any(|known| known.name == **system))
                .filter_map(|(system, by_language)| {
                    let evaluation = by_language.get(&language)?;
                    let scores = MEASURES.iter().filter_map(|name| {
                        let measure: Measure = name.parse().ok()?;
                        Some(((*name).to_owned(), evaluation.aggregate(measure)?))
                    });
                    Some((system.clone(), scores.collect()))
                })
                .collect();
            let queries = evaluations["distilled"]
                .get(&language)
                .map_or(0, |e| e.topics().len());
            let comparison = comparisons.get(&language).copied();
            LanguageResult {
                language,
                class,
                queries,
                scores,
                comparison,
            }
        })
        .collect();
    Ok(RunSummary {
        title: run.title.clone(),
        measure: MEASURES[0].into(),
        systems,
        baseline: "zero-shot".into(),
        candidate: "distilled".into(),
        languages,
        low_resource,
        significance: Some(format!(
            "paired two-sided randomisation test over the queries, {} permutations",
            run.significance.permutations
        )),
        bitext,
        instruments: instruments(events),
        figures: vec![
            Figure {
                path: "results.png".into(),
                caption: "MAP of every system in every language.".into(),
            },
            Figure {
                path: "training.png".into(),
                caption: "Loss and collapse instruments over the steps.".into(),
            },
            Figure {
                path: "alignment.png".into(),
                caption: format!(
                    "The transport plan of a held-out pair, English and {}.",
                    run.picture
                ),
            },
        ],
        notes: spread(run, evaluations).into_iter().collect(),
        facts,
    })
}

/// What was distilled against every other system but upper bounds, in the low-resource languages
/// together, with Holm's correction over the systems.
fn against_all(
    run: &RunFile,
    distilled: &Scores,
    systems: &[System],
    evaluations: &Evaluations,
) -> anyhow::Result<BTreeMap<String, Comparison>> {
    let mut comparisons = BTreeMap::new();
    for system in systems {
        if system.name == "distilled" || system.reference {
            continue;
        }
        let theirs = scores_of(&evaluations[&system.name])?;
        if let Some(comparison) = low_resource(run, distilled, &theirs)? {
            comparisons.insert(system.name.clone(), comparison);
        }
    }
    correct(comparisons.values_mut());
    Ok(comparisons)
}

/// How far students apart from each other by their seed alone differ, where there are several.
fn spread(run: &RunFile, evaluations: &Evaluations) -> Option<String> {
    let count = run.repetitions;
    if count == 1 {
        return None;
    }
    let map: Measure = MEASURES[0].parse().ok()?;
    let students: Vec<_> = (0..count)
        .map(|repetition| evaluations.get(&student_name(repetition, count)))
        .collect::<Option<_>>()?;
    let languages = run.classes().into_iter().filter_map(|(language, _)| {
        let values = students
            .iter()
            .map(|student| student.get(&language)?.aggregate(map));
        let values: Vec<f64> = values.collect::<Option<_>>()?;
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares = values.iter().map(|value| (value - mean).powi(2));
        let deviation = (squares.sum::<f64>() / (count - 1) as f64).sqrt();
        Some(format!("{language} {mean:.4} ± {deviation:.4}"))
    });
    Some(format!(
        "Distilled is the mean of {count} students, seeds {} to {}; MAP with its standard deviation over them: {}.",
        run.distill.training.seed,
        run.distill.training.seed + count as u64 - 1,
        languages.collect::<Vec<_>>().join(", ")
    ))
}

/// First and last value of everything watched.
fn instruments(events: &[Event]) -> Vec<Instrument> {
    let readings: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Instruments { reading, .. } => Some(reading),
            _ => None,
        })
        .collect();
    let partners: Vec<f64> = events
        .iter()
        .filter_map(|event| match event {
            Event::Step {
                effective_partners, ..
            } => *effective_partners,
            _ => None,
        })
        .collect();
    let (Some(first), Some(last)) = (readings.first(), readings.last()) else {
        return Vec::new();
    };
    let mut instruments = vec![Instrument {
        name: "cosine within a sentence".into(),
        first: first.within_sentence_cosine,
        last: last.within_sentence_cosine,
        teacher: Some(last.teacher_within_sentence_cosine),
    }];
    if let (Some(&first), Some(&last)) = (partners.first(), partners.last()) {
        instruments.push(Instrument {
            name: "effective partners a token".into(),
            first,
            last,
            teacher: None,
        });
    }
    for (language, last) in &last.mates {
        let first = first.mates.get(language).unwrap_or(last);
        for (name, first, last) in [
            ("MRR", first.reciprocal_rank, last.reciprocal_rank),
            ("margin", first.margin, last.margin),
        ] {
            instruments.push(Instrument {
                name: format!("mate retrieval {name}, {language}"),
                first,
                last,
                teacher: None,
            });
        }
    }
    instruments
}

/// MAP of every system in every language, for the terminal.
pub fn table(run: &RunFile, evaluations: &Evaluations) -> anyhow::Result<String> {
    let map: Measure = MEASURES[0].parse()?;
    let systems = systems(run, |name| evaluations.contains_key(name));
    let names = systems
        .iter()
        .map(|system| (system.name.as_str(), Align::Right));
    let mut table = Table::new([("MAP", Align::Left)].into_iter().chain(names));
    for (language, class) in run.classes() {
        let cells = systems.iter().map(|system| {
            let value = evaluations
                .get(&system.name)
                .and_then(|e| e.get(&language))
                .and_then(|e| e.aggregate(map));
            Cell::from(value.map_or("–".to_owned(), |value| format!("{value:.4}")))
        });
        let name = Cell::from(format!("{language} ({class:?})").to_lowercase());
        table.push([name].into_iter().chain(cells))?;
    }
    Ok(table.to_terminal())
}
