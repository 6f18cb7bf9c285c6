//! What holds for all bytes: they are solved or refused, and archives say what was written.
#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Write};
use std::path::Path;

use optical_ot::{Format, Questions, solve};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const FORMATS: [Format; 3] = [Format::Text, Format::Json, Format::Npz];

/// Words of problems, right ones and others, from which texts are put together.
const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"cost\"",
    "\"a\"",
    "\"b\"",
    "\"epsilon\"",
    "\"method\"",
    "\"mass\"",
    "\"rho\"",
    "\"tolerance\"",
    "\"max_iterations\"",
    "\"exact\"",
    "\"ipot\"",
    "\"partial\"",
    "\"assignment\"",
    "\"sinkhorn\"",
    "\"inf\"",
    "NaN",
    "-Infinity",
    "null",
    "true",
    "0",
    "1",
    "-1",
    "1e308",
    "1e-320",
    "0.25",
    "[[0, 1], [1, 0.5]]",
    "[[]]",
    "[0.5, 0.5]",
    "\u{feff}",
    " ",
    "\n",
    "é",
    "18446744073709551616",
];

/// An archive as NumPy writes one, of headers and bytes.
fn archive(arrays: &[(String, String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, header, values) in arrays {
        archive.start_file(format!("{name}.npy"), stored).unwrap();
        archive.write_all(b"\x93NUMPY\x02\x00").unwrap();
        archive
            .write_all(&(header.len() as u32).to_le_bytes())
            .unwrap();
        archive.write_all(header.as_bytes()).unwrap();
        archive.write_all(values).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn header(kind: &str, across: bool, shape: &str) -> String {
    let across = if across { "True" } else { "False" };
    format!("{{'descr': '{kind}', 'fortran_order': {across}, 'shape': {shape}, }}\n")
}

fn real(shape: &str, values: &[f64]) -> (String, Vec<u8>) {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    (header("<f8", false, shape), bytes.collect())
}

fn ask(input: &[u8]) {
    for format in FORMATS {
        if let Err(error) = solve(Path::new("problem"), input, format, true) {
            assert!(format!("{error:#}").starts_with("problem"), "{error:#}");
        }
    }
}

/// A right archive of a right problem.
fn right() -> Vec<u8> {
    let entries = [
        ("cost", real("(2, 2)", &[0.0, 1.0, 1.0, 0.5])),
        ("a", real("(2,)", &[0.25, 0.75])),
        ("epsilon", real("()", &[0.5])),
    ];
    let named = entries.map(|(name, (header, values))| (name.to_owned(), header, values));
    archive(&named)
}

proptest! {
    #[test]
    fn any_bytes_are_solved_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        ask(&bytes);
        ask(&[b"PK\x03\x04", &bytes[..]].concat());
        ask(&[b"\x1f\x8b", &bytes[..]].concat());
    }

    #[test]
    fn any_text_is_solved_or_refused(words in prop::collection::vec(select(WORDS), 0..24)) {
        ask(words.concat().as_bytes());
        ask(format!("{{\"cost\": [[0, 1], [1, 0.5]], {}}}", words.concat()).as_bytes());
    }

    #[test]
    fn any_spoiled_archive_is_solved_or_refused(
        places in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
        length in any::<Index>(),
    ) {
        let mut bytes = right();
        for (place, value) in places {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        ask(&bytes);
        bytes.truncate(length.index(bytes.len()));
        ask(&bytes);
    }

    #[test]
    fn any_header_is_solved_or_refused(
        name in select(vec!["cost", "a", "b", "epsilon", "rho", "method", "other"]),
        kind in select(vec![
            "<f8", ">f4", "|b1", "<i8", "|u1", ">u8", "<U1", "<U4611686018427387905", "|O", "<é8", "é",
            "<f", "", "<U0", "<f18446744073709551615",
        ]),
        across in any::<bool>(),
        shape in select(vec![
            "()", "(2,)", "(2, 2)", "(1, 2, 2)", "(0,)", "(0, 2)", "(0, 0, 0)", "(2, 0)", "(-1,)",
            "(1152921504606846976, 0)", "(9223372036854775807, 9223372036854775807)", "(1, 1, 1, 1)",
            "(", "(2", "(1152921504606846976, 0, 0)",
        ]),
        values in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let cost = real("(2, 2)", &[0.0, 1.0, 1.0, 0.5]);
        let other = (header(kind, across, shape), values);
        let entries = [("cost", cost), (name, other)];
        // Two of one name cannot be written.
        let from = usize::from(name == "cost");
        let named = entries[from..].iter();
        let named: Vec<_> = named
            .map(|(name, (header, values))| ((*name).to_owned(), header.clone(), values.clone()))
            .collect();
        ask(&archive(&named));
    }

    /// Costs, weights and epsilon of a batch, in either order of indices, are read as they were
    /// written: the answers are those of the problems in JSON.
    #[test]
    fn archives_say_what_was_written(
        (batch, n, m) in (1..4_usize, 1..5_usize, 1..5_usize),
        numbers in prop::collection::vec(0.01..1.0_f64, 64),
        across in any::<bool>(),
    ) {
        let costs = &numbers[..batch * n * m];
        let mut values = costs.to_vec();
        if across {
            for (at, value) in values.iter_mut().enumerate() {
                let (k, i, j) = (at % batch, at / batch % n, at / batch / n);
                *value = costs[(k * n + i) * m + j];
            }
        }
        let (_, values) = real("", &values);
        let (of_epsilon, epsilon) = real("()", &[0.5]);
        let written = archive(&[
            ("cost".to_owned(), header("<f8", across, &format!("({batch}, {n}, {m})")), values),
            ("epsilon".to_owned(), of_epsilon, epsilon),
        ]);
        let problems = costs.chunks(n * m).map(|costs| {
            let rows: Vec<Vec<f64>> = costs.chunks(m).map(<[f64]>::to_vec).collect();
            serde_json::json!({"cost": rows, "epsilon": 0.5})
        });
        let problems = serde_json::Value::Array(problems.collect()).to_string();
        let from = |bytes: &[u8]| solve(Path::new("problem"), bytes, Format::Json, false).unwrap();
        prop_assert_eq!(from(&written), from(problems.as_bytes()));
        // And an answer in an archive is an archive.
        let answer = solve(Path::new("problem"), &written, Format::Npz, false).unwrap();
        prop_assert!(answer.starts_with(b"PK\x03\x04"));
        let unread = Questions::read(Path::new("answer"), &answer).unwrap_err();
        prop_assert!(unread.to_string().starts_with("answer"));
    }
}
