//! Every table and study that is refused, with its file and line or its names.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::Write;

use common::{HEADER, groups, table};
use optical_analysis::{Groups, Study, StudyFault, Table};
use proptest::prelude::*;

/// The message of a refused table, from the name of the file on.
fn refused(text: impl AsRef<[u8]>) -> String {
    let message = table(text).unwrap_err().to_string();
    let begin = message.rfind("study.csv").unwrap();
    message[begin..].to_owned()
}

fn rows(lines: &[&str]) -> String {
    format!("{HEADER}{}\n", lines.join("\n"))
}

#[test]
fn lines_are_refused_with_their_numbers() {
    let good = "m,1e6,1,deu,high,t1,0.5";
    let cases = [
        (
            "m,1e6,1,deu,high,t2,many",
            "study.csv:3: value \"many\" is not a number",
        ),
        (
            "m,1e6,1,deu,high,t2,NaN",
            "study.csv:3: value \"NaN\" is not a number",
        ),
        (
            "m,1e6,1,deu,high,t2,inf",
            "study.csv:3: value \"inf\" is not a number",
        ),
        (
            "m,1e6,1,deu,high,t2,",
            "study.csv:3: value \"\" is not a number",
        ),
        (
            "m,0,1,deu,high,t2,0.5",
            "study.csv:3: size \"0\" is not a positive number",
        ),
        (
            "m,-3,1,deu,high,t2,0.5",
            "study.csv:3: size \"-3\" is not a positive number",
        ),
        (
            "m,big,1,deu,high,t2,0.5",
            "study.csv:3: size \"big\" is not a positive number",
        ),
        (
            "m,1e6,1,deu,high,t2",
            "study.csv:3: has 6 fields, expected 7 as in the header",
        ),
        (",1e6,1,deu,high,t2,0.5", "study.csv:3: has an empty method"),
        ("m,1e6,1,,high,t2,0.5", "study.csv:3: has an empty language"),
        ("m,1e6,1,deu,,t2,0.5", "study.csv:3: has an empty group"),
        (
            "m,1e6,1,deu,high,,0.5",
            "study.csv:3: has no topic, and rows before it have one",
        ),
        (
            "m,1000000.0,1,deu,high,t1,0.7",
            "study.csv:3: repeats line 2: same method, size, seed, language and topic",
        ),
    ];
    for (line, message) in cases {
        assert_eq!(refused(rows(&[good, line])), message);
    }
    let topic_late = rows(&["m,1,1,deu,high,,0.5", "m,1,2,deu,high,t,0.5"]);
    assert_eq!(
        refused(topic_late),
        "study.csv:3: has a topic, and rows before it have none"
    );
    let mut bytes = rows(&[good]).into_bytes();
    bytes.extend(b"m,1e6,1,\xff,high,t1,0.5\n");
    assert_eq!(refused(bytes), "study.csv:3: is not UTF-8");
}

/// Of several repeated rows the first in the file is told, however they are sorted.
#[test]
fn the_first_repeated_line_is_told() {
    let text = rows(&[
        "z,1,1,deu,high,t,0.5",
        "a,1,1,deu,high,t,0.5",
        "z,1,1,deu,high,t,0.6",
        "a,1,1,deu,high,t,0.5",
    ]);
    assert!(refused(text).starts_with("study.csv:4: repeats line 2"));
}

#[test]
fn columns_are_refused_in_line_one() {
    let expected = "expected method,size,seed,language,group,topic,value";
    assert_eq!(
        refused("method,size,seed,language,topic,value\nm,1,1,deu,t,0.5\n"),
        format!("study.csv:1: has no column group, {expected}")
    );
    assert_eq!(
        refused("method,size,seed,language,group,topic,value,value\n"),
        "study.csv:1: has the column value twice"
    );
}

#[test]
fn files_without_rows_are_refused_by_name() {
    assert_eq!(refused(""), "study.csv is empty");
    assert_eq!(refused(HEADER), "study.csv has no rows");
    assert_eq!(refused("\n\n"), "study.csv has no rows");
}

/// Columns in another order, more of them, and a packed file give the same table.
#[test]
fn columns_have_any_order_and_files_may_be_packed() {
    let text = rows(&["m,8e7,1,deu,high,t1,0.5", "m,8e7,1,hau,low,t2,0.25"]);
    let other = "note,value,topic,group,language,seed,size,method\n\
        x,0.25,t2,low,hau,1,80000000,m\ny,0.5,t1,high,deu,1,80000000,m\n";
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let table = Table::read(&path).unwrap();
        Study::new(&table, &Groups::default()).unwrap()
    };
    let plain = read("plain.csv", text.as_bytes());
    assert_eq!(read("other.csv", other.as_bytes()), plain);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    assert_eq!(read("study.csv.gz", &packed.finish().unwrap()), plain);
}

fn fault(lines: &[&str], groups: &Groups) -> StudyFault {
    *Study::new(&table(rows(lines)).unwrap(), groups)
        .unwrap_err()
        .fault
}

/// Two methods at one size, two languages of two topics, two seeds.
fn whole() -> Vec<&'static str> {
    vec![
        "a,1,1,deu,high,t1,0.5",
        "a,1,1,deu,high,t2,0.5",
        "a,1,2,deu,high,t1,0.5",
        "a,1,2,deu,high,t2,0.5",
        "a,1,1,hau,low,u1,0.5",
        "a,1,2,hau,low,u1,0.5",
        "b,1,1,deu,high,t1,0.5",
        "b,1,1,deu,high,t2,0.5",
        "b,1,1,hau,low,u1,0.5",
    ]
}

#[test]
fn a_whole_study_is_taken() {
    let study = Study::new(&table(rows(&whole())).unwrap(), &Groups::default()).unwrap();
    assert!(study.left_out().is_empty());
}

#[test]
fn what_is_not_balanced_is_refused_by_name() {
    let default = Groups::default();
    let without = |place: usize| {
        let mut lines = whole();
        lines.remove(place);
        fault(&lines, &default).to_string()
    };
    assert_eq!(
        without(8),
        "method b at size 1 has no language hau, which other cells have"
    );
    assert_eq!(
        without(5),
        "method a at size 1 has no seed \"2\" in language hau, but in others"
    );
    assert_eq!(
        without(7),
        "method b at size 1 with seed \"1\" has no topic \"t2\" of language deu, which other cells or seeds have"
    );
    assert_eq!(
        without(2),
        "method a at size 1 with seed \"2\" has no topic \"t1\" of language deu, which other cells or seeds have"
    );
    let with = |line| {
        let mut lines = whole();
        lines.push(line);
        fault(&lines, &default).to_string()
    };
    assert_eq!(
        with("b,1,1,hau,low,u2,0.5"),
        "method a at size 1 with seed \"1\" has no topic \"u2\" of language hau, which other cells or seeds have"
    );
    assert_eq!(
        with("b,1,2,hau,high,u1,0.5"),
        "language hau is in the groups low and high"
    );
    let overlapping = [
        "a,1,1,deu,high,t1,0.5",
        "a,1,1,deu,high,t2,0.5",
        "a,1,1,hau,low,t2,0.5",
        "a,1,1,hau,low,t3,0.5",
    ];
    assert_eq!(
        fault(&overlapping, &default).to_string(),
        "languages deu and hau share the topic \"t2\", but not all topics: parallel languages have the same ones"
    );
}

#[test]
fn groups_are_refused_by_name() {
    let low_only = ["a,1,1,hau,low,u1,0.5", "a,1,1,eng,control,v1,0.5"];
    assert_eq!(
        fault(&low_only, &Groups::default()).to_string(),
        "has no row of group high, only of control, low"
    );
    assert!(matches!(
        fault(&whole(), &groups(&["unseen"], &[])),
        StudyFault::NoGroup { group, .. } if group == "unseen"
    ));
    assert_eq!(
        fault(&whole(), &groups(&["low", "high"], &["high"])),
        StudyFault::GroupTwice("high".to_owned())
    );
}

/// A language `low` would stand beside the group's power law under the same key.
#[test]
fn names_that_are_keys_of_the_answer_are_refused() {
    let language = ["a,1,1,low,low,u1,0.5", "a,1,1,deu,high,v1,0.5"];
    assert_eq!(
        fault(&language, &Groups::default()).to_string(),
        "language low has a name that is a key of the answer: give it another one"
    );
    let group = ["a,1,1,hau,slope,u1,0.5", "a,1,1,deu,high,v1,0.5"];
    assert_eq!(
        fault(&group, &groups(&["slope"], &[])).to_string(),
        "group slope has a name that is a key of the answer: give it another one"
    );
}

/// A group that nobody named is left out, whatever is in it; `control` too once groups are named.
#[test]
fn other_groups_are_left_out() {
    let mut lines = whole();
    lines.push("a,1,7,eng,control,t1,0.5");
    lines.push("b,1,7,zul,other,t9,0.5");
    let table = table(rows(&lines)).unwrap();
    let named = Study::new(&table, &groups(&["low"], &[])).unwrap();
    assert_eq!(named.left_out(), ["control", "other"]);
    let error = Study::new(&table, &Groups::default()).unwrap_err();
    assert!(
        matches!(*error.fault, StudyFault::Overlap { .. }),
        "{error}"
    );
}

fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("0.5".to_owned()),
        Just("1".to_owned()),
        Just("low".to_owned()),
        Just("high".to_owned()),
        Just(String::new()),
        Just("\"a\nb\"".to_owned()),
        "[a-c\",.eE0-9-]{0,4}",
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(table) = table(&bytes) {
            prop_assert!(!table.is_empty());
        }
    }

    /// Lines of plausible fields come as far as an analysis.
    #[test]
    fn any_lines_are_analysed_or_refused(
        lines in prop::collection::vec(prop::collection::vec(field(), 7), 0..6),
        end in prop::collection::vec(any::<u8>(), 0..5),
    ) {
        let lines: Vec<String> = lines.iter().map(|line| line.join(",")).collect();
        let mut bytes = format!("{HEADER}{}\n", lines.join("\n")).into_bytes();
        bytes.extend(end);
        if let Ok(table) = table(&bytes) {
            prop_assert!(!table.is_empty());
            if let Ok(study) = Study::new(&table, &Groups::default()) {
                let settings = optical_analysis::Settings::new(5, 1).unwrap();
                let found = common::json(&optical_analysis::analyse(&study, &settings));
                prop_assert!(found["methods"].is_object());
            }
        }
    }

    /// Whole studies of any values and sizes are analysed without a panic, and every number is finite
    /// or null.
    #[test]
    fn any_values_are_analysed(
        values in prop::collection::vec(prop_oneof![0.0..=1.0_f64, Just(1.0), Just(0.0), -1e300..1e300_f64], 24),
        step in 1.0001..1e4_f64,
    ) {
        let mut text = HEADER.to_owned();
        for (place, value) in values.iter().enumerate() {
            let (size, rest) = (step.powi(place as i32 / 6), place % 6);
            let (language, topic) = (["hau", "ibo", "deu"][rest / 2], rest % 2);
            let group = if language == "deu" { "high" } else { "low" };
            text.push_str(&format!("m,{size},1,{language},{group},{topic},{value}\n"));
        }
        let settings = optical_analysis::Settings::new(5, 1).unwrap();
        let found = common::json(&common::analysis(&text, &settings));
        prop_assert_eq!(found["methods"]["m"]["sizes"].as_array().map(Vec::len), Some(4));
    }
}
