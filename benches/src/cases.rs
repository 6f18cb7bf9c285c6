//! Seeded transport problems of the kinds that retrieval and distillation meet.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Dimensions of the vectors behind the costs.
const DIMENSIONS: usize = 128;

/// What kind of costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Costs {
    /// Cosine distance of independent Gaussian vectors: nearly constant, easy.
    Gaussian,
    /// Cosine distance of noisy copies of the same vectors, fewer on one side: as between the tokens
    /// of a sentence and of its translation.
    Tokens,
}

/// When a solver stops.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// After this many full iterations.
    Iterations(usize),
    /// At this L1 marginal error, or what the solver takes for it.
    Tolerance(f64),
}

/// The number format of the costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single.
    F32,
    /// Double.
    F64,
}

/// Problems of one shape, and how they are solved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Kind of costs.
    pub costs: Costs,
    /// Number of problems.
    pub count: usize,
    /// Rows of each.
    pub n: usize,
    /// Columns of each.
    pub m: usize,
    /// Number format.
    pub precision: Precision,
    /// Regularisation.
    pub epsilon: f64,
    /// When to stop.
    pub stop: Stop,
}

impl Case {
    /// A short name, such as `256x32x32 f32 eps 0.1, 50 its`.
    #[must_use]
    pub fn name(&self) -> String {
        let precision = match self.precision {
            Precision::F32 => "f32",
            Precision::F64 => "f64",
        };
        let stop = match self.stop {
            Stop::Iterations(count) => format!("{count} its"),
            Stop::Tolerance(tolerance) => format!("to {tolerance:.0e}"),
        };
        let Self {
            count,
            n,
            m,
            epsilon,
            ..
        } = self;
        format!("{count}x{n}x{m} {precision} eps {epsilon}, {stop}")
    }

    /// The costs, problem by problem and row by row.
    #[must_use]
    pub fn values(&self) -> Vec<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(20_261_123);
        (0..self.count)
            .flat_map(|_| self.problem(&mut random))
            .collect()
    }

    fn problem(&self, random: &mut ChaCha8Rng) -> Vec<f64> {
        let rows: Vec<Vec<f64>> = (0..self.n).map(|_| gaussian(random)).collect();
        let columns: Vec<Vec<f64>> = (0..self.m)
            .map(|j| match self.costs {
                Costs::Gaussian => gaussian(random),
                Costs::Tokens => {
                    let noise = gaussian(random);
                    let copied = &rows[j * self.n / self.m];
                    copied
                        .iter()
                        .zip(&noise)
                        .map(|(x, e)| x + 0.8 * e)
                        .collect()
                }
            })
            .collect();
        // Token vectors share a direction, so that costs between strangers are not all one.
        let common = match self.costs {
            Costs::Gaussian => vec![0.0; DIMENSIONS],
            Costs::Tokens => gaussian(random).iter().map(|x| 0.7 * x).collect(),
        };
        let unit = |vector: &Vec<f64>| -> Vec<f64> {
            let moved: Vec<f64> = vector.iter().zip(&common).map(|(x, c)| x + c).collect();
            let length = moved.iter().map(|x| x * x).sum::<f64>().sqrt();
            moved.iter().map(|x| x / length).collect()
        };
        let rows: Vec<_> = rows.iter().map(unit).collect();
        let columns: Vec<_> = columns.iter().map(unit).collect();
        let cosine = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        rows.iter()
            .flat_map(|x| columns.iter().map(move |y| 1.0 - cosine(x, y)))
            // Both precisions solve the same problem.
            .map(|cost| f64::from(cost as f32))
            .collect()
    }
}

/// A vector of independent, nearly normal numbers: sums of twelve uniform ones.
fn gaussian(random: &mut ChaCha8Rng) -> Vec<f64> {
    (0..DIMENSIONS)
        .map(|_| (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0)
        .collect()
}

/// The cases of `bench ot`.
#[must_use]
pub fn all() -> Vec<Case> {
    let fixed = |count, n, m, precision| Case {
        costs: Costs::Gaussian,
        count,
        n,
        m,
        precision,
        epsilon: 0.1,
        stop: Stop::Iterations(50),
    };
    let mut cases = Vec::new();
    for precision in [Precision::F32, Precision::F64] {
        cases.extend([
            fixed(256, 32, 32, precision),
            fixed(64, 128, 128, precision),
            fixed(1024, 32, 32, precision),
        ]);
    }
    cases.push(fixed(1, 1024, 1024, Precision::F32));
    cases.push(fixed(1, 4096, 4096, Precision::F32));
    for (count, n, m) in [(512, 32, 28), (64, 128, 112)] {
        cases.extend([0.1, 0.05, 0.02, 0.01].map(|epsilon| Case {
            costs: Costs::Tokens,
            count,
            n,
            m,
            precision: Precision::F32,
            epsilon,
            stop: Stop::Tolerance(5e-6),
        }));
    }
    cases
}
