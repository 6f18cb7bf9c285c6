//! The Rust crate `wass`: one problem after the other, in the log domain and in single precision.

use anyhow::bail;
use ndarray::{Array1, Array2};

use crate::case::{Case, Precision, Stop, Task};
use crate::input::Input;
use crate::solver::{About, Form, Run, Solver, timed};

/// Iterations after which a problem that has not met its tolerance counts as unsolved.
const MOST_ITERATIONS: usize = 20_000;

/// The log-domain solvers of `wass`.
#[derive(Debug)]
pub struct Wass {
    about: About,
}

impl Wass {
    /// Of the version in the lock file.
    #[must_use]
    pub fn new(version: &str) -> Self {
        Self {
            about: About {
                name: "wass log".to_owned(),
                version: format!("wass {version}"),
                device: "cpu".to_owned(),
                threads: 1,
                form: Form::Log,
            },
        }
    }
}

impl Solver for Wass {
    fn about(&self) -> &About {
        &self.about
    }

    fn takes(&self, case: &Case) -> bool {
        let single = case.problems.precision == Precision::F32;
        single && matches!(case.task, Task::Entropic { .. })
    }

    fn prepare<'a>(&'a self, input: &'a Input) -> anyhow::Result<Run<'a>> {
        let single = |values: &[f64]| values.iter().map(|value| *value as f32).collect();
        let problems = input.problems().map(|(costs, a, b)| {
            let costs = Array2::from_shape_vec((a.len(), b.len()), single(&costs))?;
            Ok((
                Array1::from_vec(single(a)),
                Array1::from_vec(single(b)),
                costs,
            ))
        });
        let problems: Vec<_> = problems.collect::<anyhow::Result<_>>()?;
        let task = input.case.task;
        Ok(Box::new(move || {
            timed(|| {
                let values = problems
                    .iter()
                    .map(|(a, b, costs)| value(task, a, b, costs));
                values.collect()
            })
        }))
    }
}

fn value(task: Task, a: &Array1<f32>, b: &Array1<f32>, costs: &Array2<f32>) -> anyhow::Result<f64> {
    let value = match task {
        Task::Entropic { epsilon, stop } => match stop {
            Stop::Iterations(count) => wass::sinkhorn_log(a, b, costs, epsilon as f32, count).1,
            Stop::Tolerance(tolerance) => {
                // It looks at the largest error of a row or column, we at their sum.
                let largest = tolerance as f32 / a.len().max(b.len()) as f32;
                let (epsilon, most) = (epsilon as f32, MOST_ITERATIONS);
                wass::sinkhorn_log_with_convergence(a, b, costs, epsilon, most, largest)?.1
            }
        },
        _ => bail!("only entropic problems are taken"),
    };
    Ok(f64::from(value))
}
