//! Random problems for property tests, and comparison within a tolerance.

use proptest::prelude::*;

use crate::{CostMatrix, Problem};

/// A problem in plain vectors, each of mass one.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub n: usize,
    pub m: usize,
    pub cost: Vec<f64>,
    pub a: Vec<f64>,
    pub b: Vec<f64>,
}

impl Case {
    pub(crate) fn problem(&self) -> Problem {
        let cost = CostMatrix::new(&self.cost, self.n, self.m).unwrap();
        Problem::new(cost, &self.a, &self.b).unwrap()
    }
}

/// Sizes from 1 to 9, costs in 0..1, uneven weights of which some are zero.
pub(crate) fn cases() -> impl Strategy<Value = Case> {
    (1..10_usize, 1..10_usize).prop_flat_map(|(n, m)| {
        let cost = prop::collection::vec(0.0..1.0_f64, n * m);
        (cost, weights(n), weights(m)).prop_map(move |(cost, a, b)| Case { n, m, cost, a, b })
    })
}

/// Problems of 20 to 24 rows with one clearly cheapest partner each and uneven weights.
pub(crate) fn hard_cases() -> impl Strategy<Value = Case> {
    (20..25_usize, 20..25_usize).prop_flat_map(|(n, m)| {
        let noise = prop::collection::vec(0.0..0.3_f64, n * m);
        (noise, weights(n), weights(m)).prop_map(move |(noise, a, b)| {
            let base = |cell: usize| {
                if (cell / m * 7 + 3) % m == cell % m {
                    0.1
                } else {
                    0.5
                }
            };
            let cost = noise
                .iter()
                .enumerate()
                .map(|(cell, noise)| base(cell) + noise)
                .collect();
            Case { n, m, cost, a, b }
        })
    })
}

/// Fails, naming the position, where two lists differ by more than an absolute tolerance.
#[track_caller]
pub(crate) fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (found - expected).abs();
        assert!(
            difference <= tolerance,
            "at {index}: {found}, expected {expected}"
        );
    }
}

fn weights(length: usize) -> impl Strategy<Value = Vec<f64>> {
    let weight = prop_oneof![1 => Just(0.0), 6 => 0.05..1.0_f64];
    (prop::collection::vec(weight, length), 0..length).prop_map(|(mut weights, kept)| {
        weights[kept] += 0.1;
        let mass: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / mass).collect()
    })
}
