//! The page of a study, word for word.
#![allow(clippy::unwrap_used)]

mod kept;

use std::collections::BTreeMap;

use optical_report::ReportError;
use optical_report::page::{Comparison, Fact, ResourceClass, StudiedSystem, StudySummary};
use optical_report::plot::dots;

fn system(name: &str, students: &[[f64; 3]], corrected: Option<f64>) -> StudiedSystem {
    let student = |values: &[f64; 3]| -> BTreeMap<String, f64> {
        let languages = ["swa", "tgl", "deu"].map(str::to_owned);
        languages.into_iter().zip(*values).collect()
    };
    StudiedSystem {
        name: name.to_owned(),
        description: String::new(),
        bound: name == "english",
        students: students.iter().map(student).collect(),
        within_sentence_cosine: (1 < students.len()).then_some(0.65),
        comparison: corrected.map(|corrected_p_value| Comparison {
            topics: 12,
            difference: 0.1,
            p_value: corrected_p_value / 2.0,
            corrected_p_value,
        }),
    }
}

fn study() -> StudySummary {
    let class = [ResourceClass::Low, ResourceClass::Low, ResourceClass::High];
    let languages = ["swa", "tgl", "deu"].map(str::to_owned);
    StudySummary {
        title: "Plans".to_owned(),
        measure: "map".to_owned(),
        languages: languages.into_iter().zip(class).collect(),
        reference: "plan".to_owned(),
        systems: vec![
            system("zero-shot", &[[0.2, 0.3, 0.6]], Some(0.00002)),
            system("english", &[[0.9, 0.9, 0.9]], None),
            StudiedSystem {
                description: "as in the paper".to_owned(),
                ..system("plan", &[[0.4, 0.5, 0.6], [0.5, 0.6, 0.5]], None)
            },
            system("greedy", &[[0.4, 0.4, 0.7], [0.4, 0.4, 0.7]], Some(0.04)),
        ],
        significance: "a test".to_owned(),
        notes: Vec::new(),
        facts: vec![Fact::new("run file", "run.toml")],
    }
}

#[test]
fn the_page_reads_as_expected() {
    kept::compare("study.md", &study().to_markdown().unwrap());
}

#[test]
fn the_picture_has_a_dot_for_each_student() {
    let mut chart = study().dots();
    assert_eq!(chart.rows.len(), 4);
    assert_eq!(chart.rows[2].values, [0.45, 0.55]);
    let drawing = dots(&chart).unwrap();
    let drawn = drawing.svg();
    assert_eq!(drawn.matches("<circle").count(), 6, "{drawn}");
    for name in [
        "zero-shot",
        "greedy",
        "0.500",
        "MAP, mean of the low-resource languages",
    ] {
        assert!(drawn.contains(name), "{name}");
    }
    chart.rows[1].values.clear();
    let error = dots(&chart).unwrap_err();
    assert!(error.to_string().contains("english"), "{error}");
}

#[test]
fn what_is_missing_or_unknown_is_refused() {
    let mut study = study();
    study.systems[3].students[1].remove("tgl");
    let greedy = &study.systems[3];
    assert_eq!(greedy.score("tgl"), None);
    assert!(study.means(greedy, ResourceClass::Low).is_empty());
    assert!(study.to_markdown().unwrap().contains("greedy"));
    study.reference = "exact".to_owned();
    let error = study.table().unwrap_err();
    assert!(
        matches!(error, ReportError::UnknownSystem { .. }),
        "{error}"
    );
    study.reference = "plan".to_owned();
    study.systems[0].students[0].insert("swa".to_owned(), f64::NAN);
    let error = study.to_markdown().unwrap_err().to_string();
    assert!(error.contains("zero-shot"), "{error}");
}
