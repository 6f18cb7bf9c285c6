//! No silent failure: what says it has converged has, whatever the costs, weights and epsilon.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use optical_sinkhorn::{Batch, Real, Sinkhorn};

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Weights of mass one, drawn from a flat Dirichlet distribution, a few of them zero.
    fn weights(&mut self, length: usize) -> Vec<f64> {
        let mut weights: Vec<f64> = (0..length)
            .map(|_| {
                let weight = -self.uniform().max(1e-300).ln();
                if self.uniform() < 0.1 { 0.0 } else { weight }
            })
            .collect();
        weights[0] += 0.1;
        let mass: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= mass);
        weights
    }
}

/// Solves `count` random problems in the number format `T`; returns how many did not converge.
fn solve<T: Real>(count: usize, seed: u64, threshold: f64) -> usize {
    let mut random = Random(seed);
    let mut unsolved = 0;
    for problem in 0..count {
        let side = |random: &mut Random| 1 + (random.uniform() * 24.0) as usize;
        let (n, m) = (side(&mut random), side(&mut random));
        let epsilon = 10.0_f64.powf(-4.0 * random.uniform());
        let scale = 10.0_f64.powf(7.0 * random.uniform() - 3.0);
        let narrow = |values: Vec<f64>| values.into_iter().map(T::from_f64).collect::<Vec<T>>();
        let costs = narrow((0..n * m).map(|_| scale * random.uniform()).collect());
        let (a, b) = (narrow(random.weights(n)), narrow(random.weights(m)));
        let batch = Batch::padded(&costs, 1, n, m).unwrap();
        let batch = batch.with_weights(&a, &b).unwrap();
        let solver = Sinkhorn::new(epsilon * scale.min(1.0)).unwrap();
        let solution = solver
            .with_threshold(threshold)
            .solve_batch(&batch)
            .unwrap();
        let report = solution.reports()[0];
        if !report.converged() {
            unsolved += 1;
            continue;
        }
        let plan = solution.plan(0);
        let rows: f64 = (plan.chunks(m).zip(&a))
            .map(|(row, a)| (row.iter().sum::<f64>() - a.to_f64()).abs())
            .sum();
        let columns: f64 = (0..m)
            .map(|j| plan.iter().skip(j).step_by(m).sum::<f64>() - b[j].to_f64())
            .map(f64::abs)
            .sum();
        let what = format!("problem {problem}: {n} x {m}, epsilon {epsilon}, scale {scale}");
        assert!(
            rows + columns <= threshold * 1.0001,
            "{what}: {rows} + {columns}, {report:?}"
        );
        let gap = report.duality_gap.unwrap();
        // A unit of mass in the wrong place costs at most the spread of the potentials.
        assert!(
            gap <= 50.0 * threshold * (scale + 1.0),
            "{what}: {report:?}"
        );
        assert!(gap >= -1e-6 * (scale + 1.0), "{what}: {report:?}");
    }
    unsolved
}

#[test]
fn a_thousand_problems_are_solved_or_say_that_they_are_not() {
    assert!(solve::<f64>(500, 1, 1e-8) <= 2);
    assert!(solve::<f32>(500, 2, 1e-5) <= 2);
}

/// Minutes: `cargo test --release -p optical-sinkhorn --test robustness -- --ignored`.
#[test]
#[ignore = "takes minutes"]
fn a_hundred_thousand_problems_are_solved_or_say_that_they_are_not() {
    let unsolved = [solve::<f64>(50_000, 3, 1e-8), solve::<f32>(50_000, 4, 1e-5)];
    assert!(unsolved.iter().sum::<usize>() < 1_000, "{unsolved:?}");
}
