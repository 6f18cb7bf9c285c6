//! Plans that meet their marginals, from plans that nearly do.

use std::collections::VecDeque;

/// Makes a plan meet those marginals that are given; one of them alone by scaling, and where there
/// is nothing to scale, by a share of the other side's weights.
pub(crate) fn meet(plan: &mut [f64], (a, held_a): (&[f64], bool), (b, held_b): (&[f64], bool)) {
    if held_a && held_b {
        round(plan, a, b);
    } else if held_a {
        let mass: f64 = b.iter().sum();
        for (row, a) in plan.chunks_exact_mut(b.len()).zip(a) {
            let sum: f64 = row.iter().sum();
            if sum > 0.0 {
                row.iter_mut().for_each(|cell| *cell *= a / sum);
            } else {
                row.iter_mut()
                    .zip(b)
                    .for_each(|(cell, b)| *cell = a * b / mass);
            }
        }
    } else if held_b {
        let mass: f64 = a.iter().sum();
        let sums = column_sums(plan, b.len());
        for (row, a) in plan.chunks_exact_mut(b.len()).zip(a) {
            for (cell, (sum, b)) in row.iter_mut().zip(sums.iter().zip(b)) {
                *cell = if *sum > 0.0 {
                    *cell * b / sum
                } else {
                    a * b / mass
                };
            }
        }
    }
}

/// Gives a plan its marginals at the least change in mass: what rows and columns have too much of is
/// scaled down, what is then missing is spread as a product (Altschuler, Weed and Rigollet 2017,
/// "Near-linear time approximation algorithms for optimal transport via Sinkhorn iteration",
/// algorithm 2).
pub(crate) fn round(plan: &mut [f64], a: &[f64], b: &[f64]) {
    shrink(plan, a, b);
    let columns: Vec<f64> = b
        .iter()
        .zip(column_sums(plan, b.len()))
        .map(|(b, sum)| (b - sum).max(0.0))
        .collect();
    let missing: f64 = columns.iter().sum();
    if missing > 0.0 {
        for (row, a) in plan.chunks_exact_mut(b.len()).zip(a) {
            let share = (a - row.iter().sum::<f64>()).max(0.0) / missing;
            for (mass, column) in row.iter_mut().zip(&columns) {
                *mass += share * column;
            }
        }
    }
}

/// Scales rows and columns down that have more than their weights.
fn shrink(plan: &mut [f64], a: &[f64], b: &[f64]) {
    let shrink = |weight: f64, sum: f64| if sum > weight { weight / sum } else { 1.0 };
    for (row, &a) in plan.chunks_exact_mut(b.len()).zip(a) {
        let scale = shrink(a, row.iter().sum());
        row.iter_mut().for_each(|mass| *mass *= scale);
    }
    let scales: Vec<f64> = b
        .iter()
        .zip(column_sums(plan, b.len()))
        .map(|(&b, sum)| shrink(b, sum))
        .collect();
    for row in plan.chunks_exact_mut(b.len()) {
        for (mass, scale) in row.iter_mut().zip(&scales) {
            *mass *= scale;
        }
    }
}

/// Gives a plan its marginals up to `rounding` with mass on `wanted` cells only: what rows and columns
/// have too much of is scaled down, and what is then missing moves along shortest paths on which wanted
/// cells gain as much as others lose. Nothing if there are none.
pub(crate) fn mend(
    plan: &mut [f64],
    a: &[f64],
    b: &[f64],
    wanted: impl Fn(usize) -> bool,
    rounding: f64,
) -> Option<()> {
    let (n, m) = (a.len(), b.len());
    let trace = 1e-15 * a.iter().sum::<f64>();
    shrink(plan, a, b);
    let lacks = |weights: &[f64], sums: Vec<f64>| -> Vec<f64> {
        let sides = weights.iter().zip(sums);
        sides.map(|(weight, sum)| (weight - sum).max(0.0)).collect()
    };
    let mut lack_a = lacks(a, row_sums(plan, m));
    let mut lack_b = lacks(b, column_sums(plan, m));
    let mut left = 8 * (n + m);
    for (row, lack) in lack_a.iter_mut().enumerate() {
        while *lack > trace {
            left = left.checked_sub(1)?;
            let Some(path) = route(plan, m, row, &wanted, |j| lack_b[j] > trace, trace) else {
                if *lack > rounding {
                    return None;
                }
                break;
            };
            // Cells that gain and that lose take turns.
            let losing = path.iter().skip(1).step_by(2).map(|&cell| plan[cell]);
            let end = path[path.len() - 1] % m;
            let amount = losing.fold(lack.min(lack_b[end]), f64::min);
            for (place, &cell) in path.iter().enumerate() {
                plan[cell] += if place % 2 == 0 { amount } else { -amount };
            }
            *lack -= amount;
            lack_b[end] -= amount;
        }
    }
    Some(())
}

/// Returns the cells of a shortest path from a row to a column that is `open`, over wanted cells that lead to
/// columns and over cells with more than a trace of mass that lead back to rows.
fn route(
    plan: &[f64],
    m: usize,
    row: usize,
    wanted: impl Fn(usize) -> bool,
    open: impl Fn(usize) -> bool,
    trace: f64,
) -> Option<Vec<usize>> {
    let n = plan.len() / m;
    let (mut row_before, mut column_before) = (vec![n; m], vec![m; n]);
    let mut rows = VecDeque::from([row]);
    while let Some(from) = rows.pop_front() {
        for column in (0..m).filter(|column| wanted(from * m + column)) {
            if row_before[column] < n {
                continue;
            }
            row_before[column] = from;
            if open(column) {
                let (mut path, mut at) = (vec![from * m + column], from);
                while at != row {
                    let back = column_before[at];
                    path.extend([at * m + back, row_before[back] * m + back]);
                    at = row_before[back];
                }
                path.reverse();
                return Some(path);
            }
            for other in (0..n).filter(|other| plan[other * m + column] > trace) {
                if other != row && column_before[other] == m {
                    column_before[other] = column;
                    rows.push_back(other);
                }
            }
        }
    }
    None
}

pub(crate) fn column_sums(plan: &[f64], m: usize) -> Vec<f64> {
    let mut sums = vec![0.0; m];
    for row in plan.chunks_exact(m) {
        for (sum, mass) in sums.iter_mut().zip(row) {
            *sum += mass;
        }
    }
    sums
}

/// Row sums of a plan of `m` columns.
pub(crate) fn row_sums(plan: &[f64], m: usize) -> Vec<f64> {
    plan.chunks_exact(m).map(|row| row.iter().sum()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{assert_close, cases};

    proptest! {
        #[test]
        fn rounding_gives_any_plan_its_marginals(case in cases(), noise in 0.1..3.0_f64) {
            let mut plan: Vec<f64> = case.cost.iter().map(|cost| noise * cost).collect();
            round(&mut plan, &case.a, &case.b);
            prop_assert!(plan.iter().all(|mass| *mass >= 0.0));
            assert_close(&column_sums(&plan, case.m), &case.b, 1e-14);
            let rows: Vec<f64> = plan.chunks(case.m).map(|row| row.iter().sum()).collect();
            assert_close(&rows, &case.a, 1e-14);
        }

        #[test]
        fn mending_gives_a_plan_its_marginals_on_wanted_cells(
            case in cases(), noise in prop::collection::vec(-1e-6..1e-6_f64, 81)
        ) {
            let exact = crate::ExactSolution::of(&case.problem()).unwrap();
            let moved = exact.plan().iter().zip(&noise);
            let mut plan: Vec<f64> = moved.map(|(mass, noise)| mass * (1.0 + noise)).collect();
            // A tree that no mass has to leave.
            let wanted = |cell: usize| exact.plan()[cell] > 0.0;
            prop_assert!(mend(&mut plan, &case.a, &case.b, wanted, 1e-5).is_some());
            prop_assert!(plan.iter().enumerate().all(|(cell, mass)| *mass >= 0.0
                && (wanted(cell) || *mass == 0.0)));
            assert_close(&row_sums(&plan, case.m), &case.a, 1e-14);
            assert_close(&column_sums(&plan, case.m), &case.b, 1e-14);
        }

        #[test]
        fn one_marginal_is_met_alone(case in cases(), noise in 0.1..3.0_f64) {
            for held_a in [true, false] {
                let mut plan: Vec<f64> = case.cost.iter().map(|cost| noise * cost).collect();
                plan[..case.m].fill(0.0);
                meet(&mut plan, (&case.a, held_a), (&case.b, !held_a));
                if held_a {
                    assert_close(&row_sums(&plan, case.m), &case.a, 1e-14);
                } else {
                    assert_close(&column_sums(&plan, case.m), &case.b, 1e-14);
                }
            }
        }
    }
}
