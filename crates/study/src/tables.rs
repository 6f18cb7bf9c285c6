//! `study.csv` and `cells.csv`: what is known of students, as tables that other programs read.
//!
//! Both follow from lines of scores and the study file alone, and hold no times: whichever machines made
//! the scores, and however often they were stopped, the tables are the same.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use optical_evaluation::Scores;
use optical_report::page::ResourceClass;
use serde_json::Value;

use crate::topics::without_language;
use crate::{Cell, StudentScores, Students};

/// Columns of `cells.csv` after those that say which cell, seed and language a row is of.
const COVARIATES: [&str; 12] = [
    "steps",
    "pairs",
    "rankc",
    "overlap10",
    "mate_mrr",
    "partners",
    "cosine",
    "fertility",
    "projection_r2",
    "tokens",
    "flops",
    "hub10",
];

/// The measure whose table is `study.csv`.
const AVERAGE_PRECISION: &str = "map";

/// Texts of tables, and whom they lack.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// By the name of the file.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Why some students are in none.
    pub(crate) left_out: BTreeSet<String>,
}

/// What rows are sorted by: method, size, seed, language, topic.
type Place = (String, u64, u64, String, String);

/// Makes the tables of cells, each with its fingerprint and the students known of it; `first` is what the
/// scores are of.
pub(crate) fn tables(first: &str, cells: &[(&Cell, &str, Students)]) -> anyhow::Result<Tables> {
    let parallel = parallel(cells.iter().flat_map(|(.., students)| students.values()));
    let mut tables = Tables::default();
    let mut values: BTreeMap<&str, BTreeMap<Place, [String; 2]>> = BTreeMap::new();
    let mut covariates: BTreeMap<Place, Vec<String>> = BTreeMap::new();
    // Whose rows are there: a cell may come from two grids.
    let mut known: BTreeMap<(&str, u64), &str> = BTreeMap::new();
    for (cell, fingerprint, students) in cells {
        for (number, student) in students {
            let Some(size) = size(student) else {
                tables.left_out.insert(format!(
                    "{}: scores of a former version, which did not write down the size of a student",
                    cell.label
                ));
                continue;
            };
            let owner = known.entry((&cell.method, size)).or_insert(fingerprint);
            if owner != fingerprint {
                tables.left_out.insert(format!(
                    "{}: another cell of method {} has a student of {size} parameters as well",
                    cell.label, cell.method
                ));
                continue;
            }
            let seed = cell.run.distill.training.seed + *number as u64;
            let measures = student
                .measures
                .iter()
                .map(|(name, scores)| (name.as_str(), scores));
            let measures = measures.chain([(first, &student.scores)]);
            let groups: BTreeMap<String, String> = (cell.run.classes().into_iter())
                .map(|(language, class)| (language, group(class).to_owned()))
                .collect();
            for (measure, scores) in measures {
                let rows = values.entry(measure).or_default();
                for (language, group) in &groups {
                    let at =
                        |topic: String| (cell.method.clone(), size, seed, language.clone(), topic);
                    for (topic, value) in scores.get(language).into_iter().flatten() {
                        let topic = match is_parallel(&parallel, student, language) {
                            true => without_language(topic, language),
                            false => topic.clone(),
                        };
                        rows.insert(at(topic), [group.clone(), value.to_string()]);
                    }
                    if measure == first && scores.contains_key(language) {
                        let mut row = vec![group.clone(), text(student.covariates.get("layers"))];
                        row.push(text(student.covariates.get("parameters")));
                        row.extend(COVARIATES.map(|name| covariate(student, name, language)));
                        covariates.insert(at(String::new()), row);
                    }
                }
            }
        }
    }
    if !values.is_empty() && !values.contains_key(AVERAGE_PRECISION) {
        let why = "all, as study.csv is of average precision, and measures lacks map";
        tables.left_out.insert(why.to_owned());
    }
    for (measure, rows) in values {
        let name = match measure {
            AVERAGE_PRECISION => "study.csv".to_owned(),
            _ => format!("study-{measure}.csv"),
        };
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record([
            "method", "size", "seed", "language", "group", "topic", "value",
        ])?;
        for ((method, size, seed, language, topic), [group, value]) in rows {
            let (size, seed) = (size.to_string(), seed.to_string());
            table.write_record([method, size, seed, language, group, topic, value])?;
        }
        tables.files.insert(name, finished(table)?);
    }
    let mut table = csv::Writer::from_writer(Vec::new());
    let columns = [
        "method",
        "size",
        "layers",
        "parameters",
        "seed",
        "language",
        "group",
    ];
    table.write_record(columns.iter().chain(&COVARIATES))?;
    for ((method, size, seed, language, _), row) in covariates {
        let [group, layers, parameters] = &row[..3] else {
            continue;
        };
        let (size, seed) = (size.to_string(), seed.to_string());
        let first = [&method, &size, layers, parameters, &seed, &language, group];
        table.write_record(first.into_iter().chain(&row[3..]))?;
    }
    tables
        .files
        .insert("cells.csv".to_owned(), finished(table)?);
    Ok(tables)
}

fn finished(table: csv::Writer<Vec<u8>>) -> anyhow::Result<Vec<u8>> {
    table
        .into_inner()
        .map_err(|error| anyhow::anyhow!("{error}"))
        .context("a table")
}

/// What a class of languages is called in a column.
fn group(class: ResourceClass) -> &'static str {
    match class {
        ResourceClass::Low => "low",
        ResourceClass::High => "high",
        ResourceClass::Control => "control",
    }
}

/// Parameters of a student but for its embeddings.
fn size(student: &StudentScores) -> Option<u64> {
    let number = |name: &str| student.covariates.get(name)?.as_u64();
    number("parameters")?.checked_sub(number("embedding_parameters")?)
}

/// A covariate of a language, or of the student where it has the same for all.
fn covariate(student: &StudentScores, name: &str, language: &str) -> String {
    if name == "cosine" {
        let cosine = student.within_sentence_cosine;
        return cosine.map_or_else(String::new, |it| it.to_string());
    }
    match student.covariates.get(name) {
        Some(Value::Object(by_language)) => text(by_language.get(language)),
        value => text(value),
    }
}

/// A number in as few digits as say it; nothing where it is not known.
fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::Number(number)) => match number.as_f64() {
            Some(value) if number.is_f64() => value.to_string(),
            _ => number.to_string(),
        },
        _ => String::new(),
    }
}

/// What a student says of the questions of a language: the same for languages that ask the same.
fn questions<'a>(student: &'a StudentScores, language: &str) -> Option<&'a str> {
    student.covariates.get("questions")?.get(language)?.as_str()
}

/// Finds the questions that several languages ask.
fn parallel<'a>(students: impl Iterator<Item = &'a StudentScores>) -> BTreeSet<String> {
    let mut languages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for student in students {
        for language in Scores::keys(&student.scores) {
            if let Some(asked) = questions(student, language) {
                languages
                    .entry(asked.to_owned())
                    .or_default()
                    .insert(language.clone());
            }
        }
    }
    let several = languages.into_iter().filter(|(_, by)| 1 < by.len());
    several.map(|(asked, _)| asked).collect()
}

fn is_parallel(parallel: &BTreeSet<String>, student: &StudentScores, language: &str) -> bool {
    questions(student, language).is_some_and(|asked| parallel.contains(asked))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::StudyFile;

    const RUN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/quickstart.toml");

    /// Two variants of one method and another one.
    fn cells() -> Vec<Cell> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("study.toml");
        let variants = [("b", "plan", 6), ("c", "plan", 2), ("a", "other", 6)];
        let variants = variants.map(|(name, method, layers)| {
            format!("[[variant]]\nname = '{name}'\nmethod = '{method}'\nset.'distill.layers' = {layers}\n")
        });
        let head = format!(
            "title = 'T'\nrun = '{RUN}'\nkeep_students = false\nstudents = 2\nreference = 'a'\n"
        );
        std::fs::write(&path, head + &variants.concat()).unwrap();
        StudyFile::load(&path).unwrap().1
    }

    /// A student of two languages, whose questions are the same if `asks` are.
    fn student(value: f64, size: Option<u64>, asks: [&str; 2]) -> StudentScores {
        let of = |language: &str, value: f64| {
            let topics = [
                (format!("q-{language}-1"), value),
                (format!("q-{language}-2"), 0.1),
            ];
            (language.to_owned(), BTreeMap::from(topics))
        };
        let mut covariates = BTreeMap::from([
            (
                "questions".to_owned(),
                json!({"swa": asks[0], "deu": asks[1]}),
            ),
            ("rankc".to_owned(), json!({"swa": 0.25})),
            ("training_seconds".to_owned(), json!(17)),
            ("pairs".to_owned(), json!(1200)),
        ]);
        if let Some(size) = size {
            covariates.insert("parameters".to_owned(), json!(size + 5));
            covariates.insert("embedding_parameters".to_owned(), json!(5));
        }
        StudentScores {
            scores: Scores::from([of("swa", value), of("deu", 1.0)]),
            measures: BTreeMap::from([("recall_5".to_owned(), Scores::from([of("swa", 1.0)]))]),
            covariates,
            within_sentence_cosine: Some(0.5),
            inputs: None,
        }
    }

    fn made(cells: &[(&Cell, &str, Students)]) -> (BTreeMap<String, String>, BTreeSet<String>) {
        let Tables { files, left_out } = tables("map", cells).unwrap();
        let text = |text| String::from_utf8(text).unwrap();
        let files = files.into_iter().map(|(name, bytes)| (name, text(bytes)));
        (files.collect(), left_out)
    }

    #[test]
    fn rows_are_sorted_by_number_and_topics_are_shared_where_questions_are() {
        let cells = cells();
        let plan = Students::from([
            (1, student(1e-7, Some(10), ["x", "x"])),
            (0, student(1.0 / 3.0, Some(10), ["x", "x"])),
        ]);
        let small = Students::from([(0, student(0.5, Some(9), ["x", "y"]))]);
        let known = [(&cells[0], "fb", plan), (&cells[1], "fc", small)];
        let (files, left_out) = made(&known);
        let expected = "method,size,seed,language,group,topic,value\n\
                        plan,9,1,deu,high,q-deu-1,1\nplan,9,1,deu,high,q-deu-2,0.1\n\
                        plan,9,1,swa,low,q-1,0.5\nplan,9,1,swa,low,q-2,0.1\n\
                        plan,10,1,deu,high,q-1,1\nplan,10,1,deu,high,q-2,0.1\n\
                        plan,10,1,swa,low,q-1,0.3333333333333333\nplan,10,1,swa,low,q-2,0.1\n\
                        plan,10,2,deu,high,q-1,1\nplan,10,2,deu,high,q-2,0.1\n\
                        plan,10,2,swa,low,q-1,0.0000001\nplan,10,2,swa,low,q-2,0.1\n";
        assert_eq!(files["study.csv"], expected);
        assert_eq!(files["study-recall_5.csv"].lines().count(), 1 + 3 * 2);
        let rows: Vec<&str> = files["cells.csv"].lines().collect();
        assert_eq!(
            rows[..3],
            [
                "method,size,layers,parameters,seed,language,group,steps,pairs,rankc,overlap10,mate_mrr,partners,\
                 cosine,fertility,projection_r2,tokens,flops,hub10",
                "plan,9,,14,1,deu,high,,1200,,,,,0.5,,,,,",
                "plan,9,,14,1,swa,low,,1200,0.25,,,,0.5,,,,,",
            ]
        );
        assert_eq!(left_out, BTreeSet::new());
        // The order in which cells come changes nothing.
        let [one, other] = known;
        assert_eq!(made(&[other, one]).0, files);
    }

    #[test]
    fn students_without_a_size_and_of_one_that_is_taken_are_left_out() {
        let cells = cells();
        let one = |size| Students::from([(0, student(0.5, size, ["x", "y"]))]);
        let (files, left_out) = made(&[
            (&cells[0], "f", one(Some(10))),
            (&cells[1], "g", one(Some(10))),
            (&cells[2], "f", one(Some(10))),
            (&cells[2], "h", one(None)),
        ]);
        // The same students under another method are rows of their own.
        assert_eq!(files["study.csv"].lines().count(), 1 + 2 * 4);
        let left_out: Vec<String> = left_out.into_iter().collect();
        assert!(
            left_out[0].starts_with("variant a: scores of a former version"),
            "{left_out:?}"
        );
        assert!(
            left_out[1].starts_with("variant c: another cell of method plan"),
            "{left_out:?}"
        );
    }
}
