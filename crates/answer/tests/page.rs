//! Pages of small studies, as files.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use optical_analysis::{Groups, Hypothesis, Settings, Study, Table, analyse};
use optical_answer::{Cells, Source, hypotheses, page};

/// Methods at three sizes in two languages, with two seeds and five topics; `optical` has a smaller gap.
fn values(methods: &[&str]) -> String {
    let mut text = "method,size,seed,language,group,topic,value\n".to_owned();
    for method in methods {
        for (x, size) in ["1000000", "10000000", "100000000"].into_iter().enumerate() {
            for (language, group) in [("hau", "low"), ("deu", "high")] {
                for (seed, topic) in [1, 2]
                    .into_iter()
                    .flat_map(|seed| (1..6).map(move |it| (seed, it)))
                {
                    let lift = if *method == "optical" && group == "low" {
                        0.2
                    } else {
                        0.0
                    };
                    let high = if group == "high" { 0.3 } else { 0.0 };
                    let noise = f64::from(seed * topic % 5) / 100.0;
                    let value = 0.2 + lift + high + noise + 0.1 * x as f64;
                    text +=
                        &format!("{method},{size},{seed},{language},{group},q{topic},{value}\n");
                }
            }
        }
    }
    text
}

/// A row for each seed and language; consistency falls by 0.1 a decade, and a query of `optical` costs ten
/// times as much.
fn cells() -> String {
    let mut text = "method,size,seed,language,group,rankc,flops,note\n".to_owned();
    for (method, cost) in [("optical", 10.0), ("zero-shot", 1.0)] {
        for (x, size) in [1e6, 1e7, 1e8].into_iter().enumerate() {
            for (seed, (language, group)) in [1, 2]
                .into_iter()
                .flat_map(|seed| [(seed, ("hau", "low")), (seed, ("deu", "high"))])
            {
                let rankc = 0.9 - 0.1 * x as f64 + 0.001 * f64::from(seed);
                let flops = cost * size;
                text +=
                    &format!("{method},{size},{seed},{language},{group},{rankc},{flops},words\n");
            }
        }
    }
    text
}

const CLAIMS: &str = r#"
title = "what else a study file has"
[[hypothesis]]
id = "H2"
text = "The gap stays <as it is>."
kind = "equivalent"
method = "zero-shot"
of = "gap"
margin = 0.05
[[hypothesis]]
id = "H4"
text = "Small is level."
kind = "level"
method = "optical"
size = 1_000_000
than = "zero-shot"
than_size = "largest"
margin = 0.0
"#;

fn made(
    values: &str,
    cells: Option<&Path>,
    claims: &[Hypothesis],
    missing: &[String],
) -> BTreeMap<String, String> {
    let study = Table::of(Path::new("study.csv"), values.as_bytes()).unwrap();
    let groups = Groups::default();
    let study = Study::new(&study, &groups).unwrap();
    let settings = Settings::new(200, 1).unwrap();
    let cells = cells.map(|it| Cells::read(it, &groups).unwrap());
    let source = Source {
        title: "Size & gap",
        measure: "MAP",
        study: &study,
        analysis: &analyse(&study, &settings),
        groups: &groups,
        settings: &settings,
        cells: cells.as_ref(),
        hypotheses: claims,
        missing,
    };
    let files = page(&source).unwrap().files.into_iter();
    files
        .map(|(name, bytes)| (name, String::from_utf8(bytes).unwrap()))
        .collect()
}

fn written(name: &str, text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn a_page_says_sentences_verdicts_costs_and_what_is_missing() {
    let (_claims_folder, path) = written("study.toml", CLAIMS);
    let claims = hypotheses(&path).unwrap();
    let (_folder, cells) = written("cells.csv", &cells());
    let missing = ["12-optical: 0 of 5 students".to_owned()];
    let files = made(
        &values(&["zero-shot", "optical"]),
        Some(&cells),
        &claims,
        &missing,
    );
    // Columns are as wide as their widest cell.
    let markdown: Vec<&str> = files["study.md"]
        .split(' ')
        .filter(|it| !it.is_empty())
        .collect();
    let markdown = markdown.join(" ");
    for part in [
        "Under zero-shot, the gap changes by +0.0000 [",
        "optical against zero-shot: at 1.0 M parameters it changes the low-resource mean by +0.2000 [+0.19",
        "and the gap by -0.2000",
        "optical with 1.0 M parameters differs by +0.0000 [",
        "| H2. The gap stays <as it is>. | supported | +0.0000",
        "| H4. Small is level. | undecided |",
        "size raises accuracy and lowers consistency",
        "- 12-optical: 0 of 5 students",
    ] {
        assert!(markdown.contains(part), "{part}\n{markdown}");
    }
    // What costs ten times as much is as good as the cheap one ten times as large, and has less of a gap.
    let costs: Vec<&str> = markdown
        .lines()
        .filter(|line| line.ends_with("| yes |") || line.ends_with("| no |"))
        .collect();
    assert!(
        costs
            .iter()
            .any(|it| it.starts_with("| zero-shot | 1.0 M | 1.000e6") && it.ends_with("yes |")),
        "{costs:?}"
    );
    assert!(markdown.contains("![gap](study-gap.svg)") && files.contains_key("study-gap.svg"));
}

#[test]
fn the_html_needs_no_other_file_and_no_script() {
    let (_claims_folder, path) = written("study.toml", CLAIMS);
    let files = made(
        &values(&["zero-shot", "optical"]),
        None,
        &hypotheses(&path).unwrap(),
        &[],
    );
    let html = &files["study.html"];
    assert!(
        html.contains("Size &amp; gap") && html.contains("&lt;as it is&gt;"),
        "{html}"
    );
    assert_eq!(
        html.matches("<svg").count(),
        files.keys().filter(|it| it.ends_with(".svg")).count()
    );
    for outside in ["<script", "src=", "href=", "@import", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(
        !html
            .replace("http://www.w3.org/2000/svg", "")
            .contains("http")
    );
}

#[test]
fn one_method_at_one_size_has_a_page_that_says_what_is_not_known() {
    let text = values(&["m"]);
    let lines: Vec<&str> = text
        .lines()
        .filter(|it| !it.contains(",10000000,") && !it.contains(",100000000,"))
        .collect();
    let files = made(&lines.join("\n"), None, &[], &[]);
    let markdown = &files["study.md"];
    assert!(
        markdown.contains("m has one size: what size does to the gap is not known"),
        "{markdown}"
    );
    assert!(
        markdown.contains("no method was named to hold against m"),
        "{markdown}"
    );
}

#[test]
fn bad_hypotheses_and_cells_are_refused_by_file_and_line() {
    let refused = |text: &str| {
        let (_folder, path) = written("h.toml", text);
        format!("{:#}", hypotheses(&path).unwrap_err())
    };
    let unknown = refused(&CLAIMS.replace("margin = 0.0\n", "margin = 0.0\nmargins = 2\n"));
    assert!(
        unknown.contains("h.toml:") && unknown.contains("margins"),
        "{unknown}"
    );
    let lacking = refused(&CLAIMS.replace("margin = 0.05\n", ""));
    assert!(
        lacking.contains("hypothesis \"H2\": margin is missing"),
        "{lacking}"
    );
    let (_folder, path) = written(
        "cells.csv",
        "method,size,seed,language,group\nm,none,1,hau,low\n",
    );
    let error = Cells::read(&path, &Groups::default());
    let error = format!("{:#}", error.unwrap_err());
    assert!(
        error.ends_with("cells.csv:2: size \"none\" is not a positive number"),
        "{error}"
    );
}
