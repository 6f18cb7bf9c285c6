//! The cases of `bench ot`.

use crate::case::{Case, Costs, Precision, Problems, Stop, Task, Weights};

/// Dimensions of the vectors behind matrices of costs.
const DIMENSIONS: usize = 128;

/// Single problems of `n` rows and `m` columns with uniform weights, in single precision.
fn problems(count: usize, n: usize, m: usize) -> Problems {
    Problems {
        count,
        n,
        m,
        dimensions: DIMENSIONS,
        costs: Costs::Gaussian,
        weights: Weights::Uniform,
        precision: Precision::F32,
    }
}

fn double(problems: Problems) -> Problems {
    Problems {
        precision: Precision::F64,
        ..problems
    }
}

fn entropic(problems: Problems, epsilon: f64, stop: Stop) -> Case {
    let task = Task::Entropic { epsilon, stop };
    Case { problems, task }
}

/// All of them, in the order in which they are measured.
#[must_use]
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    let fifty = Stop::Iterations(50);
    for precision in [Precision::F32, Precision::F64] {
        for (count, n, m) in [(256, 32, 32), (64, 128, 128), (1024, 32, 32)] {
            let problems = Problems {
                precision,
                ..problems(count, n, m)
            };
            cases.push(entropic(problems, 0.1, fifty));
        }
    }
    for n in [1024, 4096] {
        cases.push(entropic(problems(1, n, n), 0.1, fifty));
    }
    for (count, n, m) in [(512, 32, 28), (64, 128, 112)] {
        let tokens = Problems {
            costs: Costs::Tokens,
            ..problems(count, n, m)
        };
        let to = Stop::Tolerance(5e-6);
        cases.extend([0.1, 0.05, 0.02, 0.01].map(|epsilon| entropic(tokens, epsilon, to)));
    }
    let ragged = Problems {
        weights: Weights::Ragged,
        ..problems(1024, 32, 32)
    };
    let tokens = Problems {
        costs: Costs::Tokens,
        ..ragged
    };
    cases.push(entropic(ragged, 0.1, fifty));
    cases.push(entropic(tokens, 0.05, Stop::Tolerance(5e-6)));
    cases.push(Case {
        problems: double(problems(256, 32, 32)),
        task: Task::Unbalanced {
            epsilon: 0.1,
            rho: 1.0,
            // Relaxed marginals converge more slowly: fifty leave an error of 1e-4.
            stop: Stop::Iterations(100),
        },
    });
    let exact = |problems| Case {
        problems: double(problems),
        task: Task::Exact,
    };
    cases.push(exact(problems(256, 32, 32)));
    cases.push(exact(Problems {
        weights: Weights::Random,
        ..problems(1, 1024, 1024)
    }));
    cases.push(Case {
        problems: double(problems(1, 1024, 1024)),
        task: Task::Assignment,
    });
    cases.push(Case {
        problems: Problems {
            dimensions: 64,
            ..problems(1, 8192, 8192)
        },
        task: Task::Points {
            epsilon: 0.1,
            stop: Stop::Iterations(10),
        },
    });
    cases
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_cases_share_a_name() {
        let names: HashSet<String> = all().iter().map(Case::name).collect();
        assert_eq!(names.len(), all().len());
    }

    #[test]
    fn names_say_what_is_solved() {
        let names: Vec<String> = all().iter().map(Case::name).collect();
        for name in [
            "256x32x32 f32 eps 0.1, 50 its",
            "4096x4096 f32 eps 0.1, 50 its",
            "512x32x28 f32 eps 0.01, to 5e-6",
            "1024 of 8..32x8..32 f32 eps 0.1, 50 its",
            "256x32x32 f64 eps 0.1 rho 1, 100 its",
            "1024x1024 f64 exact, random weights",
            "1024x1024 f64 assignment",
            "8192x8192 f32 points in 64 d, eps 0.1, 10 its",
        ] {
            assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
        }
    }
}
