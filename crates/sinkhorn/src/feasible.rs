//! Plans that meet their marginals, from plans that nearly do.

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

/// Gives a plan its marginals up to `rounding` without a cell that had no mass: what rows and columns
/// have too much or too little of moves along a tree of its heaviest cells. Nothing if these do not
/// have as much.
pub(crate) fn mend(plan: &mut [f64], a: &[f64], b: &[f64], rounding: f64) -> Option<()> {
    let (n, m) = (a.len(), b.len());
    let cell = |node: usize, other: usize| {
        let (row, column) = (node.min(other), node.max(other) - n);
        row * m + column
    };
    let lacks = |weights: &[f64], sums: Vec<f64>| -> Vec<f64> {
        weights
            .iter()
            .zip(sums)
            .map(|(weight, sum)| weight - sum)
            .collect()
    };
    let mut lack = lacks(a, row_sums(plan, m));
    lack.extend(lacks(b, column_sums(plan, m)));
    // Prim's method: the heaviest cell between a node and those in the tree, and the node there.
    let mut heaviest = vec![(0.0_f64, usize::MAX); n + m];
    let mut open: Vec<usize> = (0..n + m).collect();
    let mut joined = Vec::with_capacity(n + m);
    while !open.is_empty() {
        let weights = open.iter().map(|&node| heaviest[node].0).enumerate();
        let (at, _) = weights.max_by(|one, other| one.1.total_cmp(&other.1))?;
        let node = open.swap_remove(at);
        joined.push(node);
        for &other in open.iter().filter(|&&other| (other < n) != (node < n)) {
            let mass = plan[cell(node, other)];
            if mass > heaviest[other].0 {
                heaviest[other] = (mass, node);
            }
        }
    }
    for &node in joined.iter().rev() {
        let (_, above) = heaviest[node];
        let missing = lack[node];
        if above == usize::MAX {
            if missing.abs() > rounding {
                return None;
            }
            continue;
        }
        let mass = &mut plan[cell(node, above)];
        *mass += missing;
        if *mass < 0.0 {
            return None;
        }
        lack[above] -= missing;
    }
    Some(())
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
        fn mending_gives_a_plan_its_marginals_where_it_has_mass(
            case in cases(), noise in prop::collection::vec(-1e-6..1e-6_f64, 81)
        ) {
            let exact = crate::ExactSolution::of(&case.problem()).unwrap();
            let moved = exact.plan().iter().zip(&noise);
            let start: Vec<f64> = moved.map(|(mass, noise)| mass * (1.0 + noise)).collect();
            let mut plan = start.clone();
            if mend(&mut plan, &case.a, &case.b, 1e-5).is_some() {
                let same = plan.iter().zip(&start).all(|(mass, start)| {
                    *mass >= 0.0 && (*start > 0.0 || *mass == 0.0)
                });
                prop_assert!(same);
                let error = |sums: Vec<f64>, weights: &[f64]| -> f64 {
                    sums.iter().zip(weights).map(|(sum, weight)| (sum - weight).abs()).sum()
                };
                let rows = error(row_sums(&plan, case.m), &case.a);
                let columns = error(column_sums(&plan, case.m), &case.b);
                prop_assert!(rows + columns < 1e-5 * (case.n + case.m) as f64);
            } else {
                prop_assert!(exact.plan().iter().any(|mass| *mass > 0.0 && *mass < 1e-4));
            }
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
