//! What is solved: problems of one shape, and what to do with them.

use serde::{Deserialize, Serialize};

/// Problems, and how they are solved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// The problems.
    #[serde(flatten)]
    pub problems: Problems,
    /// What to do with each of them.
    pub task: Task,
}

/// Problems of one shape, drawn from a fixed seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Problems {
    /// Number of problems.
    pub count: usize,
    /// Rows of each; of the largest where they differ.
    pub n: usize,
    /// Columns of each; of the largest where they differ.
    pub m: usize,
    /// Dimensions of the vectors behind the costs.
    pub dimensions: usize,
    /// How rows and columns are alike.
    pub costs: Costs,
    /// Weights of the rows and columns.
    pub weights: Weights,
    /// Number format that solvers are given.
    pub precision: Precision,
}

/// How rows and columns are alike. Costs are cosine distances of vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Costs {
    /// Independent Gaussian vectors: costs are nearly constant, which is easy.
    Gaussian,
    /// Columns are noisy copies of rows, as between the tokens of a sentence and of its translation.
    Tokens,
}

/// Weights of rows and columns; each side has mass one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weights {
    /// All equal.
    Uniform,
    /// Uniform, but each problem has a size of its own, at least a quarter of the shape's. What takes
    /// no ragged batch is given padding of zero weight.
    Ragged,
    /// Each side of each problem random.
    Random,
}

/// A number format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single.
    F32,
    /// Double.
    F64,
}

/// What is asked for: the transport cost `<P, C>` of each problem's plan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Task {
    /// The plan of least `<P, C> + epsilon KL(P | a b^T)`.
    Entropic {
        /// Regularisation.
        epsilon: f64,
        /// When to stop.
        stop: Stop,
    },
    /// The same, with both marginals relaxed at `rho KL(P 1 | a)` and `rho KL(P^T 1 | b)`.
    Unbalanced {
        /// Regularisation.
        epsilon: f64,
        /// Strength of both marginals.
        rho: f64,
        /// When to stop.
        stop: Stop,
    },
    /// The same as `Entropic`, from vectors alone: no matrix of costs may be kept.
    Points {
        /// Regularisation.
        epsilon: f64,
        /// When to stop.
        stop: Stop,
    },
    /// The plan of least `<P, C>`.
    Exact,
    /// The matching of rows and columns with the least sum of costs.
    Assignment,
}

/// When a solver stops.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// After this many full iterations, none of them accelerated.
    Iterations(usize),
    /// At this L1 marginal error, or what the solver takes for it.
    Tolerance(f64),
}

impl Case {
    /// A short name, such as `256x32x32 f32 eps 0.1, 50 its`.
    #[must_use]
    pub fn name(&self) -> String {
        let Problems { count, n, m, .. } = self.problems;
        let shape = match (count, self.problems.weights) {
            (1, _) => format!("{n}x{m}"),
            (_, Weights::Ragged) => format!("{count} of {}..{n}x{}..{m}", n / 4, m / 4),
            _ => format!("{count}x{n}x{m}"),
        };
        let precision = match self.problems.precision {
            Precision::F32 => "f32",
            Precision::F64 => "f64",
        };
        let random = match self.problems.weights {
            Weights::Random => ", random weights",
            Weights::Uniform | Weights::Ragged => "",
        };
        let task = match self.task {
            Task::Entropic { epsilon, stop } => format!("eps {epsilon}, {}", stop.name()),
            Task::Unbalanced { epsilon, rho, stop } => {
                format!("eps {epsilon} rho {rho}, {}", stop.name())
            }
            Task::Points { epsilon, stop } => {
                let dimensions = self.problems.dimensions;
                format!("points in {dimensions} d, eps {epsilon}, {}", stop.name())
            }
            Task::Exact => "exact".to_owned(),
            Task::Assignment => "assignment".to_owned(),
        };
        format!("{shape} {precision} {task}{random}")
    }

    /// When an iterative solver stops.
    #[must_use]
    pub fn stop(&self) -> Option<Stop> {
        match self.task {
            Task::Entropic { stop, .. }
            | Task::Unbalanced { stop, .. }
            | Task::Points { stop, .. } => Some(stop),
            Task::Exact | Task::Assignment => None,
        }
    }

    /// Returns the largest relative error of `<P, C>` with which an answer counts as one: far above rounding,
    /// and above what a marginal error of the tolerances used leaves, far below what a wrong or
    /// unfinished plan has.
    #[must_use]
    pub fn tolerance(&self) -> f64 {
        match (self.task, self.problems.precision) {
            (Task::Exact | Task::Assignment, Precision::F64) => 1e-9,
            (_, Precision::F64) => 1e-5,
            (_, Precision::F32) => 1e-4,
        }
    }
}

impl Task {
    /// Its name in files and towards other programs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Entropic { .. } => "entropic",
            Self::Unbalanced { .. } => "unbalanced",
            Self::Points { .. } => "points",
            Self::Exact => "exact",
            Self::Assignment => "assignment",
        }
    }
}

impl Stop {
    fn name(self) -> String {
        match self {
            Self::Iterations(count) => format!("{count} its"),
            Self::Tolerance(tolerance) => format!("to {tolerance:.0e}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cases;

    /// Other programs and older files rely on these words.
    #[test]
    fn a_case_is_written_flat_with_its_task_inside() {
        let case = Case {
            problems: Problems {
                count: 2,
                n: 3,
                m: 4,
                dimensions: 128,
                costs: Costs::Tokens,
                weights: Weights::Ragged,
                precision: Precision::F32,
            },
            task: Task::Unbalanced {
                epsilon: 0.1,
                rho: 1.0,
                stop: Stop::Tolerance(5e-6),
            },
        };
        let expected = serde_json::json!({
            "count": 2, "n": 3, "m": 4, "dimensions": 128,
            "costs": "tokens", "weights": "ragged", "precision": "f32",
            "task": { "kind": "unbalanced", "epsilon": 0.1, "rho": 1.0, "stop": { "tolerance": 5e-6 } },
        });
        assert_eq!(serde_json::to_value(case).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Case>(expected).unwrap(), case);
    }

    #[test]
    fn kinds_are_the_words_of_files() {
        for case in cases::all() {
            let written = serde_json::to_value(case.task).unwrap();
            assert_eq!(written["kind"], case.task.kind());
        }
    }
}
