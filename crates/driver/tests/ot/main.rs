//! `optical ot solve` as other programs use it: problems in, answers out, by every method.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod archives;
mod asking;
mod fillers;
mod weights;

use serde_json::{Value, json};

use crate::archives::{arrays, reals};
use crate::asking::*;

/// Scaling rows and columns keeps the cross-ratio `k` of a 2 x 2 plan: a quadratic in the first cell.
fn first_cell(a: f64, b: f64, k: f64) -> f64 {
    let half = (1.0 - a - b + k * (a + b)) / 2.0;
    (half - (half * half - (k - 1.0) * k * a * b).sqrt()) / (k - 1.0)
}

#[test]
fn two_by_two_is_the_closed_form_whatever_the_mass_and_offset() {
    let (a, b, epsilon) = (0.3, 0.6, 0.3_f64);
    let p = first_cell(a, b, (1.2 / epsilon).exp());
    for (mass, offset) in [(1.0, 0.0), (5.0, 0.0), (1e-3, 0.0), (1.0, 1e6)] {
        let found = answer(&json!({
            "cost": [[0.1 + offset, 0.9 + offset], [0.6 + offset, 0.2 + offset]],
            "a": [mass * a, mass * (1.0 - a)],
            "b": [mass * b, mass * (1.0 - b)],
            "epsilon": epsilon,
        }));
        let plan = [[p, a - p], [b - p, 1.0 - a - b + p]].map(|row| row.map(|cell| mass * cell));
        assert_matrix(&found["plan"], &[&plan[0], &plan[1]], 1e-9 * mass);
        assert_eq!(found["method"], "sinkhorn");
        assert_eq!(
            (&found["converged"], &found["status"]),
            (&json!(true), &json!("converged"))
        );
        let cost = 0.1 * plan[0][0] + 0.9 * plan[0][1] + 0.6 * plan[1][0] + 0.2 * plan[1][1];
        let scale = mass * (1.0 + offset);
        assert_close(&found["transport_cost"], cost + mass * offset, 1e-9 * scale);
        assert_close(&found["mass"], mass, 1e-9 * mass);
        let gap = number(&found["regularised_cost"]) - number(&found["dual_cost"]);
        assert!(gap.abs() < 1e-9 * scale && number(&found["duality_gap"]).abs() < 1e-9 * mass);
    }
}

/// One cell of mass `p`: the derivative of the cost,
/// `c + epsilon log(p / (a b)) + r log(p / a) + s log(p / b)`, is zero.
#[test]
fn one_cell_with_free_marginals_is_the_closed_form() {
    let (c, a, b, epsilon) = (0.7, 2.0_f64, 0.5_f64, 0.1);
    for (rho, r, s) in [(json!([0.4, 1.5]), 0.4, 1.5), (json!(0.8), 0.8, 0.8)] {
        let logs = epsilon * (a * b).ln() + r * a.ln() + s * b.ln();
        let p = ((logs - c) / (epsilon + r + s)).exp();
        let found = answer(
            &json!({"cost": [[c]], "a": [a], "b": [b], "epsilon": epsilon, "rho": rho,
                "tolerance": 1e-13}),
        );
        assert_matrix(&found["plan"], &[&[p]], 1e-12);
        assert_close(&found["mass"], p, 1e-12);
        let divergence = |q: f64| p * (p / q).ln() - p + q;
        let cost = p * c + epsilon * divergence(a * b) + r * divergence(a) + s * divergence(b);
        assert_close(&found["regularised_cost"], cost, 1e-12);
        assert_close(&found["dual_cost"], cost, 1e-11);
    }
    // With the rows held, the plan is their weight.
    let held = json!({"cost": [[c]], "a": [a], "b": [b], "epsilon": epsilon, "rho": [null, 1.5]});
    assert_matrix(&answer(&held)["plan"], &[&[a]], 1e-9);
}

/// Row `i` reaches column `4 - i` for nothing, and every other at a price.
#[test]
fn unregularised_methods_find_a_permutation() {
    let cost: Vec<Vec<f64>> = (0..5)
        .map(|i| {
            let price = |j| {
                if i + j == 4 {
                    0.0
                } else {
                    1.0 + 0.1 * f64::from(3 * i + j)
                }
            };
            (0..5).map(price).collect()
        })
        .collect();
    let rows: Vec<Vec<f64>> = (0..5)
        .map(|i| (0..5).map(|j| if i + j == 4 { 0.2 } else { 0.0 }).collect())
        .collect();
    let plan: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
    for method in ["exact", "ipot"] {
        let found = answer(&json!({"cost": cost, "method": method}));
        assert_matrix(&found["plan"], &plan, 1e-8);
        assert_close(&found["transport_cost"], 0.0, 1e-8);
        assert_eq!(found["converged"], true);
        // The potentials prove it by themselves.
        let (f, g) = (&found["f"], &found["g"]);
        let sums = (0..5).map(|i| 0.2 * (number(&f[i]) + number(&g[i])));
        assert!(sums.sum::<f64>() > -1e-8);
        for (i, row) in cost.iter().enumerate() {
            for (j, cost) in row.iter().enumerate() {
                assert!(number(&f[i]) + number(&g[j]) <= cost + 1e-9);
            }
        }
    }
}

/// The least sum over all ways of giving rows different columns, by trying them all.
fn cheapest(cost: &[Vec<f64>], used: &[usize]) -> f64 {
    let Some(row) = cost.get(used.len()) else {
        return 0.0;
    };
    let free = (0..row.len()).filter(|j| !used.contains(j));
    free.map(|j| row[j] + cheapest(cost, &[used, &[j]].concat()))
        .fold(f64::INFINITY, f64::min)
}

#[test]
fn assignment_is_the_best_of_all_matchings() {
    let cost: Vec<Vec<f64>> = (0..4_u32)
        .map(|i| {
            (0..6_u32)
                .map(|j| f64::from((7 * i * i + 11 * j + i * j * j) % 13))
                .collect()
        })
        .collect();
    let least = cheapest(&cost, &[]);
    let found = answer(&json!({"cost": cost, "method": "assignment"}));
    assert_close(&found["cost"], least, 1e-12);
    assert_close(&found["transport_cost"], least, 1e-12);
    let pairs = found["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 4);
    let mut sum = 0.0;
    for pair in pairs {
        let (i, j) = (
            pair[0].as_u64().unwrap() as usize,
            pair[1].as_u64().unwrap() as usize,
        );
        sum += cost[i][j];
        assert_eq!(found["plan"][i][j], 1.0);
    }
    assert_close(&found["cost"], sum, 1e-12);
    let ones = found["plan"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row.as_array().unwrap());
    assert_eq!(ones.map(number).sum::<f64>(), 4.0);
}

/// Half the mass goes where it costs nothing; a little more has to pay the next price.
#[test]
fn partial_transport_moves_the_cheapest_mass() {
    let question =
        |mass: f64| json!({"cost": [[0.0, 5.0], [2.0, 0.75]], "method": "partial", "mass": mass});
    let half = answer(&question(0.5));
    assert_matrix(&half["plan"], &[&[0.5, 0.0], &[0.0, 0.0]], 1e-12);
    assert_close(&half["transport_cost"], 0.0, 1e-12);
    let more = answer(&question(0.6));
    assert_matrix(&more["plan"], &[&[0.5, 0.0], &[0.0, 0.1]], 1e-12);
    assert_close(&more["transport_cost"], 0.075, 1e-12);
    assert_close(&more["mass"], 0.6, 1e-12);
    assert_close(&more["mass_price"], 0.75, 1e-12);
    assert_close(&more["dual_cost"], 0.075, 1e-12);
}

/// What has no weight may cost anything, by any name, and changes nothing.
#[test]
fn masked_rows_and_columns_take_no_part() {
    let bare = json!([[0.1, 0.8], [0.7, 0.2], [0.3, 0.5]]);
    let masked = |nothing: &str| {
        format!("[[0.1, {nothing}, 0.8], [0.7, {nothing}, 0.2], [0.3, 1, 0.5], [{nothing}, 0, 2]]")
    };
    for (method, keys) in [
        ("sinkhorn", r#""epsilon": 0.05, "#),
        ("sinkhorn", r#""epsilon": 0.05, "rho": [1, null], "#),
        ("sinkhorn", r#""epsilon": 0.05, "fixed_iterations": 7, "#),
        ("exact", ""),
        ("ipot", r#""epsilon": 2, "#),
        ("partial", r#""mass": 0.4, "#),
        ("assignment", ""),
    ] {
        let question = |cost: &str, a: &str, b: &str| {
            format!(r#"{{{keys}"method": "{method}", "cost": {cost}, "a": {a}, "b": {b}}}"#)
        };
        let thirds = "[0.3333333333333333, 0.3333333333333333, 0.3333333333333333]";
        let whole = solve(
            question(&bare.to_string(), thirds, "[0.5, 0.5]").as_bytes(),
            &["--json"],
        );
        let whole: Value = serde_json::from_slice(&whole.stdout).unwrap();
        for nothing in ["null", "\"NaN\"", "\"inf\"", "\"-inf\"", "NaN", "-Infinity"] {
            let weights = thirds.replace(']', ", 0]");
            let text = question(&masked(nothing), &weights, "[0.5, 0, 0.5]");
            let output = solve(text.as_bytes(), &["--json"]);
            let told = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{text}: {told}");
            let found: Value = serde_json::from_slice(&output.stdout).unwrap();
            for key in ["transport_cost", "dual_cost", "mass"] {
                assert_close(&found[key], number(&whole[key]), 1e-12);
            }
            for i in 0..3 {
                assert_eq!(found["plan"][i][0], whole["plan"][i][0]);
                assert_eq!(found["plan"][i][1], 0.0);
                assert_eq!(found["plan"][i][2], whole["plan"][i][1]);
            }
            assert_eq!(found["plan"][3], json!([0.0, 0.0, 0.0]));
            let potentials =
                [&found["f"], &found["g"]].map(|side| side.as_array().unwrap().clone());
            assert!(potentials.concat().iter().all(Value::is_number));
        }
    }
}

#[test]
fn a_list_is_answered_in_its_order_and_each_as_if_alone() {
    let questions = json!([
        {"cost": [[0.1, 0.8, 0.6], [0.7, 0.2, 0.9]], "epsilon": 1e-4},
        {"cost": [[3.0]], "method": "exact"},
        {"cost": [[2.0, 2.0], [2.0, 2.0]], "epsilon": 0.5, "a": [1.5, 0.5], "b": [0.25, 1.75]},
        {"cost": [[1.0, 2.0, 3.0]], "method": "assignment"},
    ]);
    let found = answer(&questions);
    assert_eq!(found.as_array().unwrap().len(), 4);
    for (question, found) in questions
        .as_array()
        .unwrap()
        .iter()
        .zip(found.as_array().unwrap())
    {
        assert_eq!(&answer(question), found);
    }
    // Equal costs leave the product of the weights.
    assert_matrix(
        &found[2]["plan"],
        &[&[0.1875, 1.3125], &[0.0625, 0.4375]],
        1e-12,
    );
    assert_eq!(answer(&json!([])), json!([]));
}

#[test]
fn errors_name_the_problem_the_key_and_the_place() {
    for (question, expected) in [
        (
            r#"{"cost": [[1]]}"#,
            "missing field `epsilon`: method sinkhorn needs it",
        ),
        (
            r#"{"cost": [[1, 2], [3, null]], "epsilon": 1}"#,
            "cost[1][1] = NaN is not finite",
        ),
        (
            r#"{"cost": [[1, "two"]], "epsilon": 1}"#,
            "cost[0][1]: invalid value: string \"two\"",
        ),
        (
            r#"{"cost": [[1]], "method": "emd"}"#,
            "`sinkhorn`, `exact`, `assignment`",
        ),
        (
            r#"{"cost": [[1]], "method": "exact", "rho": 1}"#,
            "rho does not apply to method exact: it is for sinkhorn",
        ),
        ("{\"cost\": [[1]],\n \"epsilon\": }", "line 2 column 13"),
        (
            r#"[{"cost": [[1]], "epsilon": 1}, {"cost": [[1]], "epsilon": -1}]"#,
            "problem 1: epsilon = -1 is not positive",
        ),
        (
            r#"[{"cost": [[1]], "epsilon": 1}, {"cost": [[1]], "epsilon": "1"}]"#,
            "problem 1: epsilon: invalid type: string \"1\"",
        ),
        ("PK\u{3}\u{4}", "not a NumPy archive"),
        ("", "standard input is empty"),
    ] {
        for format in ["text", "json", "npz"] {
            let told = refusal(question.as_bytes(), &["--format", format]);
            assert!(
                told.contains(expected) && told.starts_with("error: "),
                "{told}"
            );
        }
    }
    let told = refusal(b"", &["--input", "no/such.json"]);
    assert!(told.contains("no/such.json cannot be read"), "{told}");
}

#[test]
fn text_shows_one_problem_whole_and_a_batch_as_a_table() {
    let one = r#"{"cost": [[0.0, 5.0], [2.0, 0.75]], "method": "partial", "mass": 0.6}"#;
    let output = solve(one.as_bytes(), &[]);
    assert_eq!(
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .filter(|line| !line.starts_with("duality gap"))
            .take(3)
            .collect::<Vec<_>>(),
        [
            "transport cost    0.075000000",
            "mass              0.600000000",
            "mass price        0.750000000",
        ]
    );
    let list = format!("[{one}, {one}]");
    let table = String::from_utf8(solve(list.as_bytes(), &[]).stdout).unwrap();
    assert_eq!(table.lines().count(), 4);
    assert!(
        table.lines().nth(3).unwrap().contains("1  partial"),
        "{table}"
    );
    let plans = String::from_utf8(solve(list.as_bytes(), &["--plans"]).stdout).unwrap();
    assert!(
        plans.starts_with(&table) && plans.contains("\nproblem 1\n"),
        "{plans}"
    );
}

/// Where the cross-ratio of a 2 x 2 plan moves, all four cells move alike: with
/// `k = exp((c01 + c10 - c00 - c11) / epsilon)`, raising `c00` or `c11` by `h` is raising `log k` by
/// `-h / epsilon`, and raising one of the others the opposite.
#[test]
fn gradients_are_those_of_the_values_they_name() {
    let (a, b, epsilon) = (0.3, 0.6, 0.3_f64);
    let costs = [0.1, 0.9, 0.6, 0.2];
    let plan = |costs: [f64; 4]| {
        let k = ((costs[1] + costs[2] - costs[0] - costs[3]) / epsilon).exp();
        let p = first_cell(a, b, k);
        [p, a - p, b - p, 1.0 - a - b + p]
    };
    let cost = |costs: [f64; 4]| {
        plan(costs)
            .iter()
            .zip(costs)
            .map(|(p, c)| p * c)
            .sum::<f64>()
    };
    let slope = [0, 1, 2, 3].map(|cell| {
        let moved = |h: f64| {
            let mut costs = costs;
            costs[cell] += h;
            cost(costs)
        };
        (moved(1e-5) - moved(-1e-5)) / 2e-5
    });
    let weights = plan(costs);
    for (gradient, of, expected) in [
        ("envelope", "regularised_cost", weights),
        (
            "detached",
            "transport_cost with the plan held fixed",
            weights,
        ),
        ("implicit", "transport_cost", slope),
        ("unrolled", "transport_cost after fixed_iterations", slope),
    ] {
        let mut question = json!({
            "cost": [costs[..2], costs[2..]],
            "a": [a, 1.0 - a],
            "b": [b, 1.0 - b],
            "epsilon": epsilon,
            "gradient": gradient,
        });
        if gradient == "unrolled" {
            question["fixed_iterations"] = json!(200);
        }
        let found = answer(&question);
        assert_eq!(found["gradient_of"], of);
        assert_matrix(&found["gradient"], &[&expected[..2], &expected[2..]], 1e-8);
        // Padding changes nothing, and has a slope of zero.
        question["cost"] = json!([[costs[0], null, costs[1]], [costs[2], null, costs[3]]]);
        question["b"] = json!([b, 0.0, 1.0 - b]);
        let padded = answer(&question);
        for i in 0..2 {
            let row = [expected[2 * i], 0.0, expected[2 * i + 1]];
            assert_matrix(&json!([padded["gradient"][i]]), &[&row], 1e-8);
        }
    }
    let output = solve(
        json!({"cost": [[1.0, 2.0]], "epsilon": 1.0, "gradient": "envelope"})
            .to_string()
            .as_bytes(),
        &["--format", "npz"],
    );
    let (header, values) = &arrays(&output.stdout)["gradient"];
    assert!(header.contains("'shape': (1, 2), "));
    assert!(
        reals(values)
            .iter()
            .all(|slope| (slope - 0.5).abs() < 1e-12)
    );
}
