//! Numbers to the report: `report.md`, `results.json` and the table on the terminal.

use std::collections::BTreeMap;

use optical_distill::Event;
use optical_evaluation::{BuiltIn, Evaluations, Scores, correct, scores_of, student_name};
use optical_report::page::{
    BitextRow, Comparison, Fact, Figure, Instrument, LanguageResult, RunSummary, System,
    measure_title,
};
use optical_report::{Align, Cell, Table};

use crate::{Experiment, RunFile};

/// Lists the systems that were evaluated, in the order of the tables.
pub fn systems(run: &RunFile, evaluated: impl Fn(&str) -> bool) -> Vec<System> {
    let built_in = BuiltIn::ALL.map(|system| System {
        name: system.name().into(),
        description: system.description().into(),
        reference: system.is_bound(),
    });
    let mut systems = Vec::from(built_in);
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
pub(crate) fn summary(
    experiment: &Experiment,
    evaluations: &Evaluations,
    bitext: Vec<BitextRow>,
    events: &[Event],
    facts: Vec<Fact>,
) -> anyhow::Result<RunSummary> {
    let Experiment { run, .. } = experiment;
    let first = experiment.first_measure();
    let systems = systems(run, |name| evaluations.contains_key(name));
    let distilled = &evaluations[BuiltIn::Distilled.name()];
    let start = scores_of(&evaluations[BuiltIn::ZeroShot.name()], first);
    let ours = scores_of(distilled, first);
    let comparisons = run.tests().by_language(&ours, &start)?;
    let low_resource = against_all(experiment, &ours, &systems, evaluations)?;
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
                    let scores = experiment.measures().iter().filter_map(|measure| {
                        Some((measure.to_string(), evaluation.aggregate(*measure)?))
                    });
                    Some((system.clone(), scores.collect()))
                })
                .collect();
            let queries = distilled.get(&language).map_or(0, |it| it.topics().len());
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
        measure: first.to_string(),
        systems,
        baseline: BuiltIn::ZeroShot.name().into(),
        candidate: BuiltIn::Distilled.name().into(),
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
                caption: format!(
                    "{} of every system in every language.",
                    measure_title(&first.to_string())
                ),
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
        notes: spread(experiment, evaluations).into_iter().collect(),
        facts,
    })
}

/// What was distilled against every other system but upper bounds, in the low-resource languages
/// together, with Holm's correction over the systems.
fn against_all(
    experiment: &Experiment,
    distilled: &Scores,
    systems: &[System],
    evaluations: &Evaluations,
) -> anyhow::Result<BTreeMap<String, Comparison>> {
    let (run, first) = (&experiment.run, experiment.first_measure());
    let mut comparisons = BTreeMap::new();
    for system in systems {
        if system.name == BuiltIn::Distilled.name() || system.reference {
            continue;
        }
        let theirs = scores_of(&evaluations[&system.name], first);
        let low = &run.languages.low;
        if let Some(comparison) = run.tests().together(low, distilled, &theirs)? {
            comparisons.insert(system.name.clone(), comparison);
        }
    }
    correct(comparisons.values_mut());
    Ok(comparisons)
}

/// How far students apart from each other by their seed alone differ, where there are several.
fn spread(experiment: &Experiment, evaluations: &Evaluations) -> Option<String> {
    let (run, first) = (&experiment.run, experiment.first_measure());
    let count = run.repetitions;
    if count == 1 {
        return None;
    }
    let students: Vec<_> = (0..count)
        .map(|repetition| evaluations.get(&student_name(BuiltIn::Distilled, repetition, count)))
        .collect::<Option<_>>()?;
    let languages = run.classes().into_iter().filter_map(|(language, _)| {
        let values = students
            .iter()
            .map(|student| student.get(&language)?.aggregate(first));
        let values: Vec<f64> = values.collect::<Option<_>>()?;
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares = values.iter().map(|value| (value - mean).powi(2));
        let deviation = (squares.sum::<f64>() / (count - 1) as f64).sqrt();
        Some(format!("{language} {mean:.4} ± {deviation:.4}"))
    });
    Some(format!(
        "Distilled is the mean of {count} students, seeds {} to {}; {} with its standard deviation over them: {}.",
        run.distill.training.seed,
        run.distill.training.seed + count as u64 - 1,
        measure_title(&first.to_string()),
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
            name: "effective partners per token".into(),
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

/// Makes the table of the first measure, of every system in every language.
pub(crate) fn table(experiment: &Experiment, evaluations: &Evaluations) -> anyhow::Result<Table> {
    let (run, first) = (&experiment.run, experiment.first_measure());
    let systems = systems(run, |name| evaluations.contains_key(name));
    let names = systems
        .iter()
        .map(|system| (system.name.as_str(), Align::Right));
    let title = measure_title(&first.to_string());
    let mut table = Table::new([(title.as_str(), Align::Left)].into_iter().chain(names));
    for (language, class) in run.classes() {
        let cells = systems.iter().map(|system| {
            let value = evaluations
                .get(&system.name)
                .and_then(|e| e.get(&language))
                .and_then(|e| e.aggregate(first));
            Cell::from(value.map_or("–".to_owned(), |value| format!("{value:.4}")))
        });
        let name = Cell::from(format!("{language} ({class:?})").to_lowercase());
        table.push([name].into_iter().chain(cells))?;
    }
    Ok(table)
}
