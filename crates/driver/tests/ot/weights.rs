//! Weights as other programs round and shape them, and inputs that are nearly right.

use serde_json::{Value, json};

use crate::archives::{archive, bytes};
use crate::asking::*;

const COST: [[f64; 3]; 3] = [[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]];

#[test]
fn weights_of_single_precision_are_scaled_and_it_is_said() {
    let thirds = json!({"cost": COST, "epsilon": 0.1});
    let expected = answer(&thirds);
    let check = |found: &Value| {
        assert_close(
            &found["transport_cost"],
            number(&expected["transport_cost"]),
            1e-9,
        );
        assert_close(&found["mass"], 1.0, 1e-9);
        let note = found["notes"][0].as_str().unwrap();
        assert!(
            note.starts_with("a sums to ") && note.ends_with("they were scaled"),
            "{note}"
        );
    };
    for third in [0.33333334, f64::from(1.0_f32 / 3.0), 0.333, 0.33] {
        check(&answer(
            &json!({"cost": COST, "a": [third, third, third], "epsilon": 0.1}),
        ));
    }
    let single = |kind: &str, values: Vec<u8>| {
        let input = archive(&[
            ("cost", "<f8", "(3, 3)", bytes(&COST.concat())),
            ("a", kind, "(3,)", values),
            ("epsilon", "<f8", "()", bytes(&[0.1])),
        ]);
        solve(&input, &["--json"])
    };
    let output = single("<f4", [1.0_f32 / 3.0; 3].map(f32::to_le_bytes).concat());
    check(&serde_json::from_slice(&output.stdout).unwrap());
    // In an archive, digits are those of its type.
    let told = String::from_utf8(single("<f8", bytes(&[0.33; 3])).stderr).unwrap();
    assert!(told.contains("a sums to 0.99 but b to 1"), "{told}");
    let off = json!({"cost": COST, "a": [0.3, 0.3, 0.3], "epsilon": 0.1});
    let told = refusal(off.to_string().as_bytes(), &[]);
    assert!(
        told.contains("a sums to 0.8999999999999999 but b to 1"),
        "{told}"
    );
    // Nothing is said where nothing was done, and text says it too.
    assert!(expected.get("notes").is_none());
    let rounded = json!({"cost": COST, "a": [0.33333334, 0.33333334, 0.33333334], "epsilon": 0.1});
    let text = solve(rounded.to_string().as_bytes(), &[]).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("\nnote: a sums to 1.00000002, which is 1 but"),
        "{text}"
    );
    let list = json!([rounded]).to_string();
    let text = String::from_utf8(solve(list.as_bytes(), &[]).stdout).unwrap();
    assert!(text.contains("note: problem 0: a sums to"), "{text}");
    for (method, keys) in [("partial", json!(1.0)), ("assignment", Value::Null)] {
        let mut question = rounded.clone();
        question["a"] = json!([0.33333334, 0.33333334, 0.3333333]);
        question["method"] = json!(method);
        question["mass"] = keys;
        assert_close(&answer(&question)["transport_cost"], 0.0, 1e-7);
    }
}

/// Columns are held at 0.9 each, so rows, alike, have 0.9 too; cells differ by the cost of one.
#[test]
fn a_side_is_held_by_nan_or_infinity_in_an_archive() {
    for held in [f64::INFINITY, f64::NAN] {
        let input = archive(&[
            ("cost", "<f8", "(2, 2)", bytes(&[0.0, 1.0, 1.0, 0.0])),
            ("b", "<f8", "(2,)", bytes(&[0.9, 0.9])),
            ("epsilon", "<f8", "()", bytes(&[0.1])),
            ("rho", "<f8", "(2,)", bytes(&[1.0, held])),
        ]);
        let output = solve(&input, &["--json"]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{told}");
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let off = 0.9 / (1.0 + 10.0_f64.exp());
        assert_matrix(
            &found["plan"],
            &[&[0.9 - off, off], &[off, 0.9 - off]],
            1e-9,
        );
        assert_eq!(found["status"], "converged");
    }
}

#[test]
fn rows_and_columns_of_a_matrix_are_weights() {
    let plain = json!({"cost": [[0.1, 0.8], [0.7, 0.2]], "a": [0.3, 0.7], "epsilon": 0.1});
    let expected = answer(&plain);
    for a in [json!([[0.3], [0.7]]), json!([[0.3, 0.7]])] {
        let mut question = plain.clone();
        question["a"] = a;
        assert_eq!(answer(&question), expected);
    }
    let costs = [0.1, 0.8, 0.7, 0.2];
    for (a, epsilon) in [("(2, 1)", "(1,)"), ("(1, 2)", "()")] {
        let input = archive(&[
            ("cost", "<f8", "(2, 2)", bytes(&costs)),
            ("a", "<f8", a, bytes(&[0.3, 0.7])),
            ("epsilon", "<f8", epsilon, bytes(&[0.1])),
        ]);
        let output = solve(&input, &["--json"]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{told}");
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found, expected);
    }
    for shape in ["(3, 2, 1)", "(2, 1)", "(3, 1, 2)", "(1, 2)"] {
        let whole = shape.starts_with('3') || shape.starts_with("(3");
        let weights = if whole {
            [0.3, 0.7].repeat(3)
        } else {
            vec![0.3, 0.7]
        };
        let input = archive(&[
            ("cost", "<f8", "(3, 2, 2)", bytes(&costs.repeat(3))),
            ("a", "<f8", shape, bytes(&weights)),
            ("epsilon", "<f8", "()", bytes(&[0.1])),
        ]);
        let output = solve(&input, &["--json"]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{shape} {told}");
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found, json!([expected, expected, expected]));
    }
}

#[test]
fn what_is_nearly_a_problem_is_solved_or_named() {
    let marked = "\u{feff}{\"cost\": [[2.5]], \"method\": \"exact\"}";
    let output = solve(marked.as_bytes(), &["--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_close(&found["transport_cost"], 2.5, 0.0);
    let list = "\u{feff}[{\"cost\": [[2.5]], \"method\": \"exact\"}]";
    assert!(solve(list.as_bytes(), &["--json"]).status.success());

    let told = refusal(b"\x93NUMPY\x01\x00v\x00", &[]);
    assert!(told.contains("numpy.savez(\"problem.npz\""), "{told}");
    let packed = zstd::encode_all(marked.as_bytes(), 0).unwrap();
    assert!(solve(&packed, &["--json"]).status.success());
    let told = refusal(b"\x1f\x8b\x08\x00", &[]);
    assert!(told.contains("standard input"), "{told}");
    let told = refusal(b"BZh91AY&SY\x8e\x05\xe9\xd1", &[]);
    assert!(
        told.contains("standard input is packed with bzip2"),
        "{told}"
    );
    let overflow = r#"{"cost": [[-5000, -5000], [-5000, -5000]], "epsilon": 0.1, "rho": 1}"#;
    let told = refusal(overflow.as_bytes(), &[]);
    let expected = "the mass that moves leaves the range of f64: a cost of -5000 is too low for \
                    epsilon = 0.1 and rho = 1 for rows and 1 for columns";
    assert!(told.contains(expected), "{told}");
}
