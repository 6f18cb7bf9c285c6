//! The numbers of a case, drawn from a fixed seed.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::case::{Case, Costs, Problems, Task, Weights};

const SEED: u64 = 20_261_123;

/// A case with its numbers, in double precision.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// What to solve.
    pub case: Case,
    /// Where costs come from.
    pub geometry: Geometry,
    /// Row weights, zero in padding: `[count, n]`.
    pub a: Vec<f64>,
    /// Column weights, likewise: `[count, m]`.
    pub b: Vec<f64>,
    /// Rows and columns of each problem; padding comes after them.
    pub sizes: Vec<(usize, usize)>,
}

/// Where costs come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Geometry {
    /// Costs, the same in single as in double precision, zero in padding: `[count, n, m]`.
    Costs(Vec<f64>),
    /// Vectors of length one whose cosine distances are the costs.
    Points {
        /// Those of the rows: `[n, dimensions]`.
        x: Vec<f64>,
        /// Those of the columns: `[m, dimensions]`.
        y: Vec<f64>,
    },
}

impl Input {
    /// Draws the numbers of a case; the same ones each time.
    #[must_use]
    pub fn of(case: Case) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(SEED);
        let problems = case.problems;
        let Problems { count, n, m, .. } = problems;
        if let Task::Points { .. } = case.task {
            let (x, y) = problems.vectors(&mut random, (n, m));
            let geometry = Geometry::Points {
                x: x.concat(),
                y: y.concat(),
            };
            let (a, b) = (uniform(n, n), uniform(m, m));
            let sizes = vec![(n, m)];
            return Self {
                case,
                geometry,
                a,
                b,
                sizes,
            };
        }
        let mut costs = Vec::with_capacity(count * n * m);
        let (mut a, mut b, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let size = match problems.weights {
                Weights::Ragged => (
                    random.random_range(n / 4..=n),
                    random.random_range(m / 4..=m),
                ),
                Weights::Uniform | Weights::Random => (n, m),
            };
            let (x, y) = problems.vectors(&mut random, size);
            for i in 0..n {
                costs.extend((0..m).map(|j| match (x.get(i), y.get(j)) {
                    // Both precisions solve the same problem.
                    (Some(x), Some(y)) => f64::from((1.0 - inner(x, y)) as f32),
                    _ => 0.0,
                }));
            }
            if problems.weights == Weights::Random {
                a.extend(masses(n, &mut random));
                b.extend(masses(m, &mut random));
            } else {
                a.extend(uniform(size.0, n));
                b.extend(uniform(size.1, m));
            }
            sizes.push(size);
        }
        Self {
            case,
            geometry: Geometry::Costs(costs),
            a,
            b,
            sizes,
        }
    }

    /// Costs, row weights and column weights of each problem, without padding and row by row.
    ///
    /// # Panics
    /// If the input is points.
    pub fn problems(&self) -> impl Iterator<Item = (Vec<f64>, &[f64], &[f64])> {
        let Geometry::Costs(costs) = &self.geometry else {
            panic!("{} has no costs", self.case.name());
        };
        let Problems { n, m, .. } = self.case.problems;
        self.sizes
            .iter()
            .enumerate()
            .map(move |(problem, &(rows, columns))| {
                let costs = costs[problem * n * m..][..n * m].chunks_exact(m);
                let kept = costs.take(rows).flat_map(|row| &row[..columns]).copied();
                (
                    kept.collect(),
                    &self.a[problem * n..][..rows],
                    &self.b[problem * m..][..columns],
                )
            })
    }
}

impl Problems {
    /// Vectors of length one of some rows and columns.
    fn vectors(
        &self,
        random: &mut impl Rng,
        (n, m): (usize, usize),
    ) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let mut draw = || gaussian(self.dimensions, random);
        let x: Vec<Vec<f64>> = (0..n).map(|_| draw()).collect();
        let y: Vec<Vec<f64>> = (0..m)
            .map(|j| match self.costs {
                Costs::Gaussian => draw(),
                Costs::Tokens => {
                    let copied = &x[j * n / m];
                    let noisy = copied.iter().zip(draw()).map(|(x, e)| x + 0.8 * e);
                    noisy.collect()
                }
            })
            .collect();
        // Token vectors share a direction, so that costs between strangers are not all one.
        let common = match self.costs {
            Costs::Gaussian => vec![0.0; self.dimensions],
            Costs::Tokens => draw().iter().map(|x| 0.7 * x).collect(),
        };
        let unit = |vector: Vec<f64>| -> Vec<f64> {
            let moved: Vec<f64> = vector.iter().zip(&common).map(|(x, c)| x + c).collect();
            let length = inner(&moved, &moved).sqrt();
            moved.iter().map(|x| x / length).collect()
        };
        (
            x.into_iter().map(unit).collect(),
            y.into_iter().map(unit).collect(),
        )
    }
}

fn inner(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// Independent, nearly normal numbers: sums of twelve uniform ones.
fn gaussian(length: usize, random: &mut impl Rng) -> Vec<f64> {
    (0..length)
        .map(|_| (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0)
        .collect()
}

/// Mass one on the first `size` of `length` places.
fn uniform(size: usize, length: usize) -> Vec<f64> {
    let weight = |place| if place < size { 1.0 / size as f64 } else { 0.0 };
    (0..length).map(weight).collect()
}

/// Random weights of mass one, none of them near zero.
fn masses(length: usize, random: &mut impl Rng) -> Vec<f64> {
    let weights: Vec<f64> = (0..length).map(|_| random.random_range(0.1..1.0)).collect();
    let mass: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / mass).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Precision, Stop};

    fn case(costs: Costs, weights: Weights) -> Case {
        Case {
            problems: Problems {
                count: 9,
                n: 8,
                m: 5,
                dimensions: 16,
                costs,
                weights,
                precision: Precision::F32,
            },
            task: Task::Exact,
        }
    }

    #[test]
    fn weights_have_mass_one_and_padding_none() {
        for weights in [Weights::Uniform, Weights::Ragged, Weights::Random] {
            let input = Input::of(case(Costs::Tokens, weights));
            for (side, length) in [(&input.a, 8), (&input.b, 5)] {
                for weights in side.chunks_exact(length) {
                    assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                }
            }
            for ((costs, a, b), size) in input.problems().zip(&input.sizes) {
                assert_eq!((a.len(), b.len()), *size);
                assert_eq!(costs.len(), a.len() * b.len());
                assert!(a.iter().chain(b).all(|weight| *weight > 0.0));
                assert!(costs.iter().all(|cost| *cost > 0.0 && *cost < 2.0));
                assert!(costs.iter().all(|cost| f64::from(*cost as f32) == *cost));
            }
        }
    }

    #[test]
    fn ragged_problems_differ_in_size() {
        let input = Input::of(case(Costs::Gaussian, Weights::Ragged));
        assert!(input.sizes.iter().any(|size| *size != input.sizes[0]));
        assert!(
            input
                .sizes
                .iter()
                .all(|(n, m)| (2..=8).contains(n) && (1..=5).contains(m))
        );
    }

    /// A column is a copy of some row, so its least cost is far below that of strangers.
    #[test]
    fn tokens_have_mates() {
        let least = |costs| {
            let input = Input::of(case(costs, Weights::Uniform));
            let (costs, ..) = input.problems().next().unwrap_or_default();
            let columns = (0..5).map(|j| costs.iter().skip(j).step_by(5));
            let minima = columns.map(|column| column.fold(f64::INFINITY, |a, b| a.min(*b)));
            minima.sum::<f64>() / 5.0
        };
        assert!(2.0 * least(Costs::Tokens) < least(Costs::Gaussian));
    }

    #[test]
    fn the_same_case_has_the_same_numbers() {
        let case = case(Costs::Tokens, Weights::Ragged);
        assert_eq!(Input::of(case), Input::of(case));
    }

    #[test]
    fn points_have_length_one() {
        let mut case = case(Costs::Gaussian, Weights::Uniform);
        case.problems.count = 1;
        case.task = Task::Points {
            epsilon: 0.1,
            stop: Stop::Iterations(10),
        };
        let Geometry::Points { x, y } = Input::of(case).geometry else {
            panic!("no points");
        };
        assert_eq!((x.len(), y.len()), (8 * 16, 5 * 16));
        for point in x.chunks_exact(16).chain(y.chunks_exact(16)) {
            assert!((inner(point, point) - 1.0).abs() < 1e-12);
        }
    }
}
