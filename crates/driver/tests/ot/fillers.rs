//! Fillers and forbidden cells as people write them, each input with the value that is right.

use serde_json::{Value, json};

use crate::asking::*;

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_filler_in_the_first_cell_spoils_nothing() {
    let cost = "[[1e20, 2, 1e20, 1, 5, 2], [8, 1, 4, 1e20, 6, 4], [4, 2, 1e20, 6, 6, 5],
        [1e20, 4, 8, 8, 3, 1e20], [1e20, 1, 7, 6, 1e20, 3], [3, 2, 1e20, 1, 2, 1e20]]";
    for (method, least) in [("exact", 2.5), ("ipot", 2.5), ("assignment", 15.0)] {
        let found = answer(&json!({"cost": read(cost), "method": method}));
        assert_close(&found["transport_cost"], least, 1e-7 * least);
        assert_close(&found["dual_cost"], least, 1e-7 * least);
        assert_eq!(found["status"], "converged");
    }
    let part = answer(&json!({"cost": read(cost), "method": "partial", "mass": 1.0}));
    assert_close(&part["transport_cost"], 2.5, 1e-12);
    assert_eq!(part["status"], "converged");
}

#[test]
fn nor_does_one_elsewhere() {
    let cost = "[[0.516, 0.785, 0.529, 0.499], [0.381, 0.582, 0.533, 0.421],
        [0.947, 0.829, 1e12, 0.997], [0.411, 0.972, 1e12, 1e12]]";
    let found = answer(&json!({"cost": read(cost), "method": "exact"}));
    assert_close(&found["transport_cost"], 0.5475, 1e-12);
    assert_eq!(found["status"], "converged");

    let cost = "[[0.45, 1e7, 1e7, 0.2, 1e7, 0.35], [1e7, 0.35, 0.85, 0.95, 1e7, 1e7],
        [0.6, 0.05, 0.95, 1e7, 0.7, 0.65], [0.85, 1e7, 0.15, 0.05, 0.65, 0.8],
        [0.5, 1e7, 0.4, 1e7, 0.1, 0.4], [0.15, 1e7, 1e7, 0.65, 0.8, 0.9]]";
    let found = answer(&json!({"cost": read(cost), "method": "ipot"}));
    assert_close(&found["transport_cost"], 1.55 / 6.0, 1e-8);
    assert_eq!(found["status"], "converged");
}

/// A filler that has to be used is part of the cost.
#[test]
fn a_filler_without_alternative_is_paid() {
    let cost = json!([[1e20, 1e20], [0.25, 0.5]]);
    let found = answer(&json!({"cost": cost, "method": "exact"}));
    assert_close(&found["transport_cost"], 0.5e20, 1e5);
}

#[test]
fn forbidden_cells_are_avoided_by_every_method_and_name() {
    for infinity in ["\"inf\"", "\"Infinity\"", "\"+inf\"", "Infinity"] {
        for (method, keys, least) in [
            ("assignment", "", 3.0),
            ("exact", "", 1.5),
            ("ipot", "", 1.5),
            ("partial", r#""mass": 0.5, "#, 0.5),
            ("sinkhorn", r#""epsilon": 0.05, "#, 1.5),
        ] {
            let text = format!(
                r#"{{{keys}"cost": [[{infinity}, 1], [2, {infinity}]], "method": "{method}"}}"#
            );
            let output = solve(text.as_bytes(), &["--json"]);
            let told = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{text}: {told}");
            let found: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_close(&found["transport_cost"], least, 1e-8);
            assert_eq!(found["status"], "converged", "{text}");
            assert_eq!(
                (&found["plan"][0][0], &found["plan"][1][1]),
                (&json!(0.0), &json!(0.0))
            );
            assert!(number(&found["duality_gap"]).abs() < 1e-8, "{found}");
        }
    }
    // Where no plan does without, the crowd is named, in its own places.
    let text = r#"{"cost": [[1, 1, 1], [1, "inf", 2], [1, "inf", 4], [3, "inf", 5]],
        "a": [0, 0.25, 0.25, 0.25], "b": [0.25, 0.25, 0.25], "#;
    for (keys, told) in [
        (
            r#""method": "exact"}"#,
            "column 1 takes 0.25, but has no finite cost to any row",
        ),
        (
            r#""epsilon": 0.1}"#,
            "column 1 takes 0.25, but has no finite cost to any row",
        ),
        (
            r#""method": "ipot"}"#,
            "column 1 takes 0.25, but has no finite cost to any row",
        ),
        (
            r#""method": "assignment"}"#,
            "rows 1, 2 and 3 send 3, but at finite costs only with columns 0 and 2, which take 2",
        ),
        (r#""method": "partial", "mass": 0.6}"#, "column 1 takes"),
    ] {
        let found = refusal(format!("{text}{keys}").as_bytes(), &[]);
        assert!(found.contains(told), "{keys}: {found}");
    }
    let told = refusal(
        br#"{"cost": [[0, 1], [2, "-inf"]], "method": "exact"}"#,
        &[],
    );
    assert!(told.contains("cost[1][1] = -inf is not finite"), "{told}");
}

#[test]
fn potentials_exceed_no_cost_even_without_weights() {
    let cost = [[0.0, 5.0], [5.0, -100.0]];
    let found = answer(&json!({"cost": cost, "a": [1, 0], "b": [1, 0], "method": "exact"}));
    for (i, row) in cost.iter().enumerate() {
        for (j, cost) in row.iter().enumerate() {
            assert!(
                number(&found["f"][i]) + number(&found["g"][j]) <= *cost,
                "{found}"
            );
        }
    }
    assert_close(&found["dual_cost"], 0.0, 0.0);
}

/// The least sum over `count` pairs of rows and columns: how often each filler is used, the largest
/// first, then hundredths.
fn least(costs: &[[i64; 4]], n: usize, row: usize, used: usize, count: u32) -> Option<[i64; 4]> {
    if count == 0 {
        return Some([0; 4]);
    }
    if row == n {
        return None;
    }
    let skipped = least(costs, n, row + 1, used, count);
    let free = (0..n).filter(|column| used >> column & 1 == 0);
    let taken = free.filter_map(|column| {
        let rest = least(costs, n, row + 1, used | 1 << column, count - 1)?;
        let cost = costs[row * n + column];
        Some(std::array::from_fn(|place| cost[place] + rest[place]))
    });
    taken.chain(skipped).min()
}

#[test]
fn random_problems_are_right_or_unproven() {
    let mut state = 9_u64;
    let mut below = |count: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % count
    };
    let (mut questions, mut expected) = (Vec::new(), Vec::new());
    for fillers in [[1e12, 1e9, 1e6], [1e300, 1e150, 1e20], [1e200, 1e18, 1e7]] {
        for _ in 0..25 {
            let n = 2 + below(4) as usize;
            let costs: Vec<[i64; 4]> = (0..n * n)
                .map(|_| {
                    let mut cost = [0; 4];
                    match below(7) {
                        filler @ 0..3 => cost[filler as usize] = 1,
                        _ => cost[3] = below(400) as i64 - 100,
                    }
                    cost
                })
                .collect();
            let value = |cost: &[i64; 4]| -> f64 {
                let fillers = cost
                    .iter()
                    .zip(fillers)
                    .map(|(count, filler)| *count as f64 * filler);
                fillers.sum::<f64>() + cost[3] as f64 / 100.0
            };
            let rows: Vec<Vec<f64>> = costs
                .chunks(n)
                .map(|row| row.iter().map(value).collect())
                .collect();
            let part = 1 + below(n as u64) as u32;
            let share = 1.0 / n as f64;
            for (method, count, unit) in [
                ("exact", n as u32, share),
                ("ipot", n as u32, share),
                ("assignment", n as u32, 1.0),
                ("partial", part, share),
            ] {
                let mut question = json!({"cost": rows, "method": method});
                if method == "partial" {
                    question["mass"] = json!(f64::from(count) * unit);
                }
                questions.push(question);
                let least = least(&costs, n, 0, 0, count).unwrap();
                let parts = least.map(|part| part as f64 * unit);
                let fillers = parts
                    .iter()
                    .zip(fillers)
                    .map(|(count, filler)| count * filler);
                expected.push(fillers.sum::<f64>() + parts[3] / 100.0);
            }
        }
    }
    let found = answer(&Value::Array(questions.clone()));
    let mut proven = 0;
    for ((question, found), expected) in questions
        .iter()
        .zip(found.as_array().unwrap())
        .zip(expected)
    {
        if found["converged"] == false {
            assert!(found["status"] != "converged", "{question} {found}");
            continue;
        }
        proven += 1;
        let cells = question["cost"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|row| row.as_array().unwrap());
        let plan = found["plan"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|row| row.as_array().unwrap());
        let used = cells.zip(plan).filter(|(_, mass)| number(mass) > 0.0);
        let size: f64 = used
            .map(|(cost, mass)| number(cost).abs() * number(mass))
            .sum();
        let distance = (number(&found["transport_cost"]) - expected).abs();
        assert!(
            distance <= 1e-7 * size.max(1e-9),
            "{expected}: {question} {found}"
        );
    }
    assert!(proven > 280, "{proven}");
}

#[test]
fn a_cost_that_is_no_number_is_no_answer() {
    for (keys, told) in [
        (r#""epsilon": 1"#, "the cost of the plan leaves the range"),
        (
            r#""method": "exact""#,
            "the costs or their sum leave the range",
        ),
        (
            r#""method": "ipot""#,
            "the costs or their sum leave the range",
        ),
        (
            r#""method": "partial", "mass": 4"#,
            "the costs or their sum leave the range",
        ),
    ] {
        let text = format!(r#"{{"cost": [[1e308, 1e308]], "a": [5], "b": [1, 4], {keys}}}"#);
        let found = refusal(text.as_bytes(), &[]);
        assert!(found.contains(told), "{found}");
    }
}
