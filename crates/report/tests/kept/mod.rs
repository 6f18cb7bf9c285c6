//! Pictures and pages to compare with, kept beside this file.
//!
//! Who changes them on purpose runs the tests with `KEEP` set, and looks at what was kept.
#![allow(clippy::unwrap_used)]

use std::path::Path;

/// Compares a text with the one kept under `name`, line by line to its end.
pub fn compare(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/kept")
        .join(name);
    if std::env::var_os("KEEP").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    let lines = found
        .split_inclusive('\n')
        .zip(expected.split_inclusive('\n'));
    for (index, (found, expected)) in lines.enumerate() {
        assert_eq!(found, expected, "line {} of {name}", index + 1);
    }
    assert_eq!(found.len(), expected.len(), "{name} ends elsewhere");
}
