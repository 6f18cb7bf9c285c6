//! What several tests need: studies from text, and analyses of them as JSON.
#![allow(clippy::unwrap_used, dead_code)]

use std::path::Path;

use optical_analysis::{Analysis, Groups, Settings, Study, Table, TableError, analyse};
use serde_json::Value;

pub const HEADER: &str = "method,size,seed,language,group,topic,value\n";

/// Reads a table from text, through a file named `study.csv`.
pub fn table(text: impl AsRef<[u8]>) -> Result<Table, TableError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study.csv");
    std::fs::write(&path, text).unwrap();
    Table::read(&path)
}

pub fn groups(low: &[&str], high: &[&str]) -> Groups {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Groups {
        low: owned(low),
        high: owned(high),
    }
}

/// Analyses a study given as text, with the groups `low` and `high`.
pub fn analysis(text: &str, settings: &Settings) -> Analysis {
    let table = table(text).unwrap();
    analyse(&Study::new(&table, &Groups::default()).unwrap(), settings)
}

pub fn json(analysis: &Analysis) -> Value {
    serde_json::from_str(&serde_json::to_string(analysis).unwrap()).unwrap()
}

/// Asserts that a number, printed with the digits of `printed`, is `printed`.
#[track_caller]
pub fn assert_printed(value: &Value, printed: &str) {
    let value = value.as_f64().unwrap();
    let digits = printed.split_once('.').unwrap().1.len();
    let found = format!("{:.digits$}", value.abs());
    let found = if printed.trim_start_matches('-').starts_with('.') {
        found[1..].to_owned()
    } else {
        found
    };
    assert_eq!(
        found.trim_start_matches('-'),
        printed.trim_start_matches('-'),
        "{value}"
    );
    assert_eq!(value < 0.0, printed.starts_with('-'), "{value}");
}

/// The public table of 76 languages, which is kept with the documents.
pub fn belebele() -> Table {
    Table::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scores/belebele.csv"))
        .unwrap()
}
