//! The page of a run, word for word, and the JSON beside it.
#![allow(clippy::unwrap_used)]

mod kept;

use std::collections::BTreeMap;

use optical_report::ReportError;
use optical_report::page::{
    BitextRow, Comparison, Fact, Figure, Instrument, LanguageResult, ResourceClass, RunSummary,
    System, measure_title,
};

const SYSTEMS: [&str; 4] = ["bm25", "zero-shot", "distilled", "english"];

fn language(
    language: &str,
    class: ResourceClass,
    map: [f64; 4],
    comparison: Option<Comparison>,
) -> LanguageResult {
    let measures = |map: f64| {
        BTreeMap::from([
            ("map".to_owned(), map),
            ("ndcg_cut_10".to_owned(), map / 2.0),
        ])
    };
    LanguageResult {
        language: language.to_owned(),
        class,
        queries: 1250,
        scores: SYSTEMS
            .iter()
            .zip(map)
            .map(|(s, map)| ((*s).to_owned(), measures(map)))
            .collect(),
        comparison,
    }
}

fn row(language: &str, read: usize, dropped: [usize; 3], bad_lines: usize) -> BitextRow {
    let reasons = ["empty", "copy", "duplicate"].map(str::to_owned);
    BitextRow {
        language: language.to_owned(),
        read,
        dropped: reasons.into_iter().zip(dropped).collect(),
        kept: read - dropped.iter().sum::<usize>(),
        bad_lines,
    }
}

fn summary() -> RunSummary {
    let comparison = |difference, corrected_p_value| {
        let p_value = corrected_p_value / 2.0;
        Some(Comparison {
            topics: 1250,
            difference,
            p_value,
            corrected_p_value,
        })
    };
    let system = |name: &str, description: &str| System {
        name: name.to_owned(),
        description: description.to_owned(),
        reference: name == "english",
    };
    RunSummary {
        title: "A run".to_owned(),
        measure: "map".to_owned(),
        systems: vec![
            system("bm25", "the raw query"),
            system("zero-shot", ""),
            system("distilled", ""),
            system("english", "the English query, an upper bound"),
        ],
        baseline: "zero-shot".to_owned(),
        candidate: "distilled".to_owned(),
        languages: vec![
            language(
                "Swahili",
                ResourceClass::Low,
                [0.02, 0.08, 0.12, 0.13],
                comparison(0.04, 0.0),
            ),
            language(
                "Tagalog",
                ResourceClass::Low,
                [0.03, 0.06, 0.09, 0.13],
                comparison(0.03, 0.2),
            ),
            language(
                "German",
                ResourceClass::High,
                [0.01, 0.1, 0.1, 0.13],
                comparison(0.0, 1.0),
            ),
            language(
                "Spanish",
                ResourceClass::High,
                [0.01, 0.1, 0.11, 0.13],
                None,
            ),
            language(
                "Indonesian",
                ResourceClass::Control,
                [0.01, 0.09, 0.085, 0.13],
                None,
            ),
        ],
        low_resource: BTreeMap::from([
            ("bm25", comparison(0.08, 0.0)),
            ("zero-shot", comparison(0.035, 0.02)),
        ])
        .into_iter()
        .map(|(system, comparison)| (system.to_owned(), comparison.unwrap()))
        .collect(),
        significance: Some("paired randomisation test".to_owned()),
        bitext: vec![
            row("Swahili", 31102, [2, 0, 700], 3),
            row("Tagalog", 900, [0, 0, 5], 0),
        ],
        instruments: vec![Instrument {
            name: "cosine within a sentence".to_owned(),
            first: 0.31,
            last: 0.27,
            teacher: Some(0.26),
        }],
        figures: vec![Figure {
            path: "my loss.png".to_owned(),
            caption: "Loss.".to_owned(),
        }],
        notes: vec!["The query's own verse is left out of its ranking.".to_owned()],
        facts: vec![Fact::new("seed", 7), Fact::new("device", "2 cores")],
    }
}

#[test]
fn the_page_reads_as_expected() {
    kept::compare("report.md", &summary().to_markdown().unwrap());
}

#[test]
fn a_missing_score_is_a_dash_and_makes_no_mean() {
    let mut summary = summary();
    summary.languages[0].scores.remove("bm25");
    assert_eq!(summary.macro_mean("bm25", "map", ResourceClass::Low), None);
    let table = summary.effectiveness().unwrap().to_terminal();
    let row = table.lines().find(|line| line.starts_with("bm25")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(
        cells,
        [
            "bm25", "–", "0.030", "0.010", "0.010", "0.010", "–", "0.010"
        ]
    );
    assert!(!summary.gap().unwrap().to_markdown().contains("bm25"));
}

#[test]
fn one_language_alone_makes_a_page() {
    let mut summary = summary();
    summary.languages.truncate(1);
    summary.languages[0].comparison = None;
    let page = summary.to_markdown().unwrap();
    assert!(!page.contains("## Significance") && !page.contains("## Gap"));
    assert!(!page.contains("mean low"));
    assert!(
        summary
            .headline()
            .unwrap()
            .ends_with("against 0.080 (+50.0 %).")
    );
}

#[test]
fn files_hold_what_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let (page, json) = (
        folder.path().join("report.md"),
        folder.path().join("results.json"),
    );
    let mut summary = summary();
    summary.languages[0]
        .scores
        .get_mut("distilled")
        .unwrap()
        .insert("map".into(), 0.1 + 0.02);
    summary.write_markdown(&page).unwrap();
    summary.write_json(&json).unwrap();
    assert_eq!(
        std::fs::read_to_string(page).unwrap(),
        summary.to_markdown().unwrap()
    );
    let read: RunSummary = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(read, summary);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn bad_summaries_are_refused_and_leave_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.md");
    summary().write_markdown(&path).unwrap();
    let before = std::fs::read(&path).unwrap();
    let refused = |change: &dyn Fn(&mut RunSummary)| {
        let mut summary = summary();
        change(&mut summary);
        assert!(summary.write_json(&path).is_err());
        let error = summary.write_markdown(&path).unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), before);
        error.to_string()
    };
    let error = refused(&|summary| {
        summary.languages[1]
            .scores
            .get_mut("bm25")
            .unwrap()
            .insert("map".into(), f64::NAN);
    });
    assert_eq!(
        error,
        "bm25 of Tagalog: value 0 is NaN, expected a finite number"
    );
    let error = refused(&|summary| summary.candidate = "student".to_owned());
    assert!(error.starts_with("candidate names the system \"student\", expected one of"));
    let error = refused(&|summary| summary.languages.clear());
    assert_eq!(error, "the summary's list of languages is empty");
    let error = refused(&|summary| {
        if let Some(comparison) = &mut summary.languages[0].comparison {
            comparison.p_value = f64::INFINITY;
        }
    });
    assert_eq!(
        error,
        "comparison of Swahili: value 1 is inf, expected a finite number"
    );
}

#[test]
fn a_folder_in_the_place_of_the_page_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = summary().write_markdown(folder.path()).unwrap_err();
    assert!(matches!(error, ReportError::Write { .. }));
}

#[test]
fn measures_have_the_names_people_use() {
    let names = [
        "map",
        "ndcg_cut_10",
        "recall_100",
        "recip_rank_cut_10",
        "P_5",
        "P_x",
        "bpref",
    ];
    let titles = [
        "MAP",
        "nDCG@10",
        "Recall@100",
        "MRR@10",
        "P@5",
        "P_x",
        "bpref",
    ];
    assert_eq!(names.map(measure_title), titles);
}
