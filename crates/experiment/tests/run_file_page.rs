//! The page of the run file has every key that the run files of this repository have.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use toml::Value;

/// A language's code, in the place of which the page has `CODE`.
fn is_code(key: &str) -> bool {
    !["low", "key"].contains(&key)
        && key.len() == 3
        && key.chars().all(|it| it.is_ascii_lowercase())
}

/// Adds the keys of all values below `value`, with dots.
fn keys(path: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                let key = if is_code(key) { "CODE" } else { key };
                let path = [path, key].join(".");
                keys(path.trim_start_matches('.'), value, found);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_table) => {
            for item in items {
                keys(path, item, found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

#[test]
fn every_key_of_a_run_file_has_a_row() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/run-file.md")).unwrap();
    let rows: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let (mut found, mut files) = (BTreeSet::new(), 0);
    for entry in std::fs::read_dir(root.join("configs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            keys("", &Value::Table(text.parse().unwrap()), &mut found);
            files += 1;
        }
    }
    assert!(4 <= files && 80 < found.len(), "{files} files: {found:?}");
    // Tables of the same kind are described once.
    let row = |key: &str| {
        let kinds = [
            ("final_test.", "collection."),
            ("development.", "collection."),
            ("teach.training.", "distill.training."),
            ("student.english.training.", "distill.training."),
            ("student.english.objectives.", "distill.objectives."),
        ];
        let mut same = kinds.iter();
        same.find_map(|(table, of)| Some([of, key.strip_prefix(table)?].concat()))
    };
    let has = |key: &String| {
        rows.contains(key.as_str()) || row(key).is_some_and(|it| rows.contains(&*it))
    };
    let missing: Vec<_> = found.iter().filter(|key| !has(key)).collect();
    assert!(missing.is_empty(), "docs/run-file.md lacks {missing:?}");
}
