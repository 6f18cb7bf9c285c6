//! Products with the plan, and gradients.

use proptest::prelude::*;

use super::*;
use crate::testing::assert_close;
use crate::{PointCost, Side, Sinkhorn};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn products_are_those_with_the_dense_plan(case in cases(), seed in 0.3..3.0_f64) {
        for kind in KINDS {
            let mass: f64 = case.a.iter().sum();
            let solver = Sinkhorn::new(0.1).unwrap().with_threshold(1e-11 * mass);
            let cost = case.cost(kind);
            let found = solver.solve_points(&*cost, &case.a, &case.b).unwrap();
            let problem = case.dense(kind);
            let plan = solver.solve(&problem).unwrap().plan();
            let (n, m, d) = (case.a.len(), case.b.len(), case.d);
            let values = |count: usize| -> Vec<f64> {
                (0..count).map(|index| (index as f64 * seed).sin()).collect()
            };
            let tolerance = 1e-8 * mass;

            let v = values(m);
            let rows = |v: &[f64]| -> Vec<f64> {
                let rows = plan.chunks(m);
                rows.map(|row| row.iter().zip(v).map(|(p, v)| p * v).sum()).collect()
            };
            assert_close(&found.apply(&v).unwrap(), &rows(&v), tolerance);

            let u = values(n);
            let column = |j: usize| (0..n).map(|i| plan[i * m + j] * u[i]).sum();
            let columns: Vec<f64> = (0..m).map(column).collect();
            assert_close(&found.apply_transpose(&u).unwrap(), &columns, tolerance);

            let moved = found.barycentric_projection(&case.y, d).unwrap();
            let sums = rows(&vec![1.0; m]);
            for k in 0..d {
                let coordinate: Vec<f64> = case.y.iter().skip(k).step_by(d).copied().collect();
                for (i, product) in rows(&coordinate).into_iter().enumerate() {
                    let expected = if case.a[i] > 0.0 { product / sums[i] } else { 0.0 };
                    prop_assert!((moved[i * d + k] - expected).abs() < 1e-7);
                }
            }
        }
    }
}

/// Twelve points against ten in three dimensions, with one weight of zero on each side.
fn small() -> Case {
    let values = |count: usize, shift: f64| -> Vec<f64> {
        (0..count)
            .map(|index| (index as f64 * 1.7 + shift).sin() + 0.1 * shift)
            .collect()
    };
    let weights = |count: usize, shift: f64| -> Vec<f64> {
        let mut weights: Vec<f64> = values(count, shift).iter().map(|w| w.abs() + 0.2).collect();
        weights[3] = 0.0;
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| 1.5 * weight / sum).collect()
    };
    Case {
        d: 3,
        x: values(36, 0.5),
        y: values(30, 1.2),
        a: weights(12, 0.4),
        b: weights(10, 2.0),
    }
}

fn regularised_cost(case: &Case, kind: Kind, solver: &Sinkhorn) -> f64 {
    let cost = case.cost(kind);
    let found = solver.solve_points(&*cost, &case.a, &case.b).unwrap();
    assert!(found.report().converged());
    found.report().regularised_cost
}

fn gradients<T: Real>(
    cost: &impl PointCost<T>,
    a: &[T],
    b: &[T],
    solver: &Sinkhorn,
) -> [Vec<f64>; 2] {
    let found = solver.solve_points(cost, a, b).unwrap();
    [Side::Rows, Side::Columns].map(|side| {
        let gradient = found.gradient(side);
        gradient.iter().map(|value| value.to_f64()).collect()
    })
}

fn gradients_of<T: Real>(
    kind: Kind,
    (x, y, d): (&[T], &[T], usize),
    (a, b): (&[T], &[T]),
    solver: &Sinkhorn,
) -> [Vec<f64>; 2] {
    match kind {
        Kind::Cosine => gradients(&Cosine::new(x, y, d).unwrap(), a, b, solver),
        Kind::SquaredEuclidean => gradients(&SquaredEuclidean::new(x, y, d).unwrap(), a, b, solver),
        Kind::Dot => gradients(&Dot::new(x, y, d).unwrap(), a, b, solver),
    }
}

#[test]
fn gradients_are_finite_differences() {
    let case = small();
    for rho in [[f64::INFINITY; 2], [0.7, 2.0], [f64::INFINITY, 0.5]] {
        let solver = Sinkhorn::new(0.2).unwrap().with_threshold(1e-12);
        let solver = solver.with_rho(rho[0], rho[1]).unwrap();
        for kind in KINDS {
            let points = (case.x.as_slice(), case.y.as_slice(), case.d);
            let found = gradients_of(kind, points, (&case.a, &case.b), &solver);
            let step = 1e-5;
            let difference = |change: &dyn Fn(&mut Case, f64)| {
                let [above, below] = [step, -step].map(|step| {
                    let mut changed = case.clone();
                    change(&mut changed, step);
                    regularised_cost(&changed, kind, &solver)
                });
                (above - below) / (2.0 * step)
            };
            let expected: Vec<f64> = (0..case.x.len())
                .map(|k| difference(&|case, step| case.x[k] += step))
                .collect();
            assert_close(&found[0], &expected, 1e-8);
            assert_eq!(found[0][9..12], [0.0; 3]);
            let expected: Vec<f64> = (0..case.y.len())
                .map(|k| difference(&|case, step| case.y[k] += step))
                .collect();
            assert_close(&found[1], &expected, 1e-8);
        }
    }
}

#[test]
fn gradients_in_single_precision_are_those_in_double() {
    let single = small().single();
    let case = single.wide();
    let solver = Sinkhorn::new(0.2).unwrap().with_threshold(2e-6);
    for kind in KINDS {
        let points = (case.x.as_slice(), case.y.as_slice(), case.d);
        let expected = gradients_of(kind, points, (&case.a, &case.b), &solver);
        let points = (single.x.as_slice(), single.y.as_slice(), single.d);
        let found = gradients_of(kind, points, (&single.a, &single.b), &solver);
        for (found, expected) in found.iter().zip(&expected) {
            assert_close(found, expected, 2e-5);
        }
    }
}
