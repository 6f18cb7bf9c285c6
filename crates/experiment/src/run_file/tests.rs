#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use super::*;

const QUICKSTART: &str = include_str!("../../../../configs/quickstart.toml");

fn named(text: &str) -> anyhow::Result<RunFile> {
    RunFile::named("run.toml".as_ref(), text.to_owned())
}

/// The quickstart with one line in place of another.
fn with(line: &str, other: &str) -> RunFile {
    assert_eq!(QUICKSTART.matches(line).count(), 1, "{line}");
    named(&QUICKSTART.replace(line, other)).unwrap()
}

/// The quickstart with measures of its own.
fn measuring(measures: &str) -> RunFile {
    named(&format!("measures = {measures}\n{QUICKSTART}")).unwrap()
}

#[test]
fn text_table_and_values_make_the_same_run() {
    let configs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs");
    let files = std::fs::read_dir(configs).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|it| it == "toml"));
    let mut count = 0;
    for path in files {
        // A file of another kind is there, too.
        let Ok(run) = RunFile::read(&path) else {
            continue;
        };
        count += 1;
        let table: Table = run.text().parse().unwrap();
        let of_table = RunFile::of_table(&table).unwrap();
        let of_settings = RunFile::of_settings((*run).clone()).unwrap();
        for made in [of_table, of_settings] {
            assert_eq!(*made, *run, "{}", path.display());
            assert_eq!(
                made.fingerprint().unwrap(),
                run.fingerprint().unwrap(),
                "{}",
                path.display()
            );
            assert_eq!(made.path(), None);
            let again = named(made.text()).unwrap();
            assert_eq!(*again, *run, "{}", path.display());
        }
    }
    assert!(count >= 3, "{count} run files in {configs}");
}

#[test]
fn a_fingerprint_is_of_keys_and_values_alone() {
    let mut seen = BTreeSet::new();
    let fingerprint = |run: &RunFile| run.fingerprint().unwrap();
    let quickstart = named(QUICKSTART).unwrap();
    let same = fingerprint(&quickstart);
    assert_eq!(same.len(), 32);
    seen.insert(same.clone());
    let commented = named(&format!("# a comment\n\n{QUICKSTART}\n")).unwrap();
    let other_name = RunFile::named("b.toml".as_ref(), QUICKSTART.to_owned()).unwrap();
    let more = with("repetitions = 1", "repetitions = 3");
    let tested = format!(
        "{QUICKSTART}\n[final_test]\nformat = \"wiki-questions\"\nfolder = \"f\"\n\
         split = \"test\"\nlanguages = [\"swa\"]\n"
    );
    let tested = named(&tested).unwrap();
    assert_eq!(more.repetitions, 3);
    assert!(tested.final_test.is_some());
    for run in [commented, other_name, more, tested] {
        assert_eq!(fingerprint(&run), same);
    }
    for other in [
        with("Quickstart: Swahili", "Swahili"),
        with("epsilon = 1e-8", "epsilon = 1e-7"),
        measuring("[\"map\"]"),
        measuring("[\"recall_5\"]"),
    ] {
        assert!(seen.insert(fingerprint(&other)));
    }
}

#[test]
fn without_the_key_the_measures_are_the_first_ones() {
    let quickstart = named(QUICKSTART).unwrap();
    assert_eq!(quickstart.measures, None);
    let names = |run: &RunFile| {
        let measures = run.measured().unwrap();
        measures.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(names(&quickstart), MEASURES);
    let two = measuring("[\"recall_5\", \"map\"]");
    assert_eq!(names(&two), ["recall_5", "map"]);
}

#[test]
fn the_final_test_asks_other_questions_by_the_same_text() {
    let quickstart = named(QUICKSTART).unwrap();
    assert_eq!(quickstart.final_test(), None);
    let mut settings = (*quickstart).clone();
    settings.final_test = Some(settings.collection.clone().with_all_documents());
    let run = RunFile::of_settings(settings.clone()).unwrap();
    let test = run.final_test().unwrap();
    assert_eq!(Some(&test.collection), settings.final_test.as_ref());
    assert_ne!(test.collection, quickstart.collection);
    assert_eq!(test.final_test, None);
    assert_eq!(test.title, format!("{} (final test)", quickstart.title));
    assert_eq!(test.text(), run.text());
}

#[test]
fn keys_and_values_that_cannot_be_are_told_with_their_lines() {
    let error = |text: &str| format!("{:#}", named(text).unwrap_err());
    let unknown = error(&format!("tittle = \"T\"\n{QUICKSTART}"));
    assert!(unknown.contains("run.toml:1"), "{unknown}");
    assert!(unknown.contains("unknown field `tittle`"), "{unknown}");
    let missing = error(&QUICKSTART.replace("repetitions = 1", ""));
    assert!(missing.contains("missing field `repetitions`"), "{missing}");

    // All faults at once: of a file with their lines, of values without.
    let bad = QUICKSTART.replace("repetitions = 1", "repetitions = 0");
    let bad = bad.replace("permutations = 100000", "permutations = 0");
    let line_of = |key: &str| 1 + bad.lines().position(|it| it.starts_with(key)).unwrap();
    let of_file = named(&bad).unwrap().checked().unwrap_err().to_string();
    let of_values = RunFile::of_table(&bad.parse().unwrap()).unwrap_err();
    let of_values = of_values.to_string();
    for (key, name) in [
        ("repetitions", "repetitions = 0"),
        ("permutations", "significance.permutations = 0"),
    ] {
        let expected = format!("run.toml:{}: {name}", line_of(key));
        assert!(of_file.contains(&expected), "{of_file}");
        assert!(of_values.contains(name), "{of_values}");
    }
    assert!(!of_values.contains("run.toml"), "{of_values}");
    let error = measuring("[\"mop\"]").checked().unwrap_err().to_string();
    assert!(
        error.starts_with("run.toml:1: measures: measure mop"),
        "{error}"
    );
}
