//! Archives of NumPy, as questions and as answers; files.

use std::collections::HashMap;
use std::io::{Cursor, Read, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::asking::*;

/// The arrays of an archive by name, each its header and its bytes.
pub fn arrays(archive: &[u8]) -> HashMap<String, (String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut arrays = HashMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let name = file
            .name()
            .unwrap()
            .strip_suffix(".npy")
            .unwrap()
            .to_owned();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
        let end = 10 + usize::from(bytes[8]) + 256 * usize::from(bytes[9]);
        assert_eq!((end % 64, bytes[end - 1]), (0, b'\n'));
        let header = String::from_utf8(bytes[10..end].to_vec()).unwrap();
        arrays.insert(name, (header.trim_end().to_owned(), bytes[end..].to_vec()));
    }
    arrays
}

pub fn reals(bytes: &[u8]) -> Vec<f64> {
    let (values, rest) = bytes.as_chunks();
    assert!(rest.is_empty());
    values
        .iter()
        .map(|bytes| f64::from_le_bytes(*bytes))
        .collect()
}

#[test]
fn archives_hold_what_json_holds() {
    let questions = json!([
        {"cost": [[0.1, 0.8, 0.6], [0.7, 0.2, 0.9]], "epsilon": 0.1},
        {"cost": [[4.0, 1.0], [2.0, 0.0]], "method": "assignment"},
    ]);
    let expected = answer(&questions);
    let output = solve(questions.to_string().as_bytes(), &["--format", "npz"]);
    let found = arrays(&output.stdout);
    let descr = |kind: &str, shape: &str| {
        format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}")
    };
    let (header, plan) = &found["plan_0"];
    assert_eq!(header, &descr("<f8", "2, 3"));
    let rows: Vec<Vec<f64>> = reals(plan).chunks(3).map(<[f64]>::to_vec).collect();
    assert_eq!(json!(rows), expected[0]["plan"]);
    assert_eq!(found["g_0"].0, descr("<f8", "3,"));
    assert_eq!(json!(reals(&found["g_0"].1)), expected[0]["g"]);
    for key in [
        "transport_cost",
        "regularised_cost",
        "dual_cost",
        "marginal_error",
    ] {
        let (header, value) = &found[&format!("{key}_0")];
        assert_eq!(header, &descr("<f8", ""));
        assert_eq!(json!(reals(value)), json!([expected[0][key]]));
    }
    let iterations = expected[0]["iterations"].as_i64().unwrap();
    assert_eq!(
        found["iterations_0"],
        (descr("<i8", ""), iterations.to_le_bytes().to_vec())
    );
    assert_eq!(found["converged_0"], (descr("|b1", ""), vec![1]));
    let letters: Vec<u8> = "assignment"
        .bytes()
        .flat_map(|byte| [byte, 0, 0, 0])
        .collect();
    assert_eq!(found["method_1"], (descr("<U10", ""), letters));
    let pairs: Vec<u8> = [0_i64, 1, 1, 0]
        .iter()
        .flat_map(|at| at.to_le_bytes())
        .collect();
    assert_eq!(found["pairs_1"], (descr("<i8", "2, 2"), pairs));
    assert!(!found.contains_key("regularised_cost_1"));
    // One problem has no number.
    let alone = solve(questions[0].to_string().as_bytes(), &["--format", "npz"]);
    assert_eq!(&arrays(&alone.stdout)["plan"].1, plan);
}

/// An archive as NumPy writes one, of arrays given by kind, shape and bytes.
pub fn archive(arrays: &[(&str, &str, &str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, kind, shape, values) in arrays {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(format!("{name}.npy"), options).unwrap();
        let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
        let header = format!("{header:<117}\n");
        archive.write_all(b"\x93NUMPY\x01\x00\x76\x00").unwrap();
        archive.write_all(header.as_bytes()).unwrap();
        archive.write_all(values).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

pub fn bytes(values: &[f64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

#[test]
fn archives_are_asked_as_json_is() {
    let costs = [
        0.1,
        0.8,
        f64::NAN,
        0.7,
        0.2,
        f64::NAN,
        1.1,
        0.4,
        0.3,
        0.2,
        0.9,
        0.5,
    ];
    let weights = [0.25, 0.75, 0.0, 0.2, 0.3, 0.5];
    let input = archive(&[
        ("cost", "<f8", "(2, 2, 3)", bytes(&costs)),
        ("b", "<f8", "(2, 3)", bytes(&weights)),
        ("a", "<f8", "(2,)", bytes(&[0.4, 0.6])),
        ("epsilon", "<f8", "()", bytes(&[0.2])),
        (
            "max_iterations",
            "<i8",
            "()",
            500_i64.to_le_bytes().to_vec(),
        ),
    ]);
    let output = solve(&input, &["--json"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let shared = |cost: Value, b: Value| json!({"cost": cost, "a": [0.4, 0.6], "b": b, "epsilon": 0.2, "max_iterations": 500});
    let expected = answer(&json!([
        shared(
            json!([[0.1, 0.8, null], [0.7, 0.2, null]]),
            json!([0.25, 0.75, 0.0])
        ),
        shared(
            json!([[1.1, 0.4, 0.3], [0.2, 0.9, 0.5]]),
            json!([0.2, 0.3, 0.5])
        ),
    ]));
    assert_eq!(found, expected);

    let one = archive(&[
        (
            "cost",
            "<i4",
            "(1, 2)",
            [3_i32, 1]
                .iter()
                .flat_map(|cost| cost.to_le_bytes())
                .collect(),
        ),
        (
            "method",
            "<U5",
            "()",
            "exact".bytes().flat_map(|byte| [byte, 0, 0, 0]).collect(),
        ),
    ]);
    let found: Value = serde_json::from_slice(&solve(&one, &["--json"]).stdout).unwrap();
    assert_close(&found["transport_cost"], 2.0, 1e-12);

    let other = archive(&[
        ("cost", "<f8", "(1, 1, 2)", bytes(&[3.0, f64::NAN])),
        ("epsilon", "<f8", "()", bytes(&[0.2])),
    ]);
    let told = refusal(&other, &[]);
    assert!(told.contains("problem 0: cost[0][1] = NaN"), "{told}");
    let told = refusal(&archive(&[("reg", "<f8", "()", bytes(&[0.2]))]), &[]);
    assert!(told.contains("unknown field `reg`"), "{told}");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn files_are_read_and_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let [input, output] = ["in.json", "out.json"].map(|name| folder.path().join(name));
    let [from, to] = [&input, &output].map(|path| path.to_str().unwrap());
    std::fs::write(&input, r#"{"cost": [[2.5]], "method": "exact"}"#).unwrap();
    std::fs::write(&output, "old").unwrap();
    let done = solve(b"", &["--json", "--input", from, "--output", to]);
    assert!(done.status.success() && done.stdout.is_empty());
    let found: Value = serde_json::from_slice(&std::fs::read(&output).unwrap()).unwrap();
    assert_close(&found["transport_cost"], 2.5, 0.0);

    // What fails leaves what was there.
    std::fs::write(&input, r#"{"cost": [[null]], "method": "exact"}"#).unwrap();
    std::fs::write(&output, "old").unwrap();
    let told = refusal(b"", &["--json", "--input", from, "--output", to]);
    assert!(told.contains("in.json: cost[0][0] = NaN"), "{told}");
    assert_eq!(std::fs::read_to_string(&output).unwrap(), "old");
    assert_eq!(names(folder.path()), ["in.json", "out.json"]);
}
