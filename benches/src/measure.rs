//! One timed run of our solver.

use anyhow::Context;
use cpu_time::ProcessTime;
use optical_sinkhorn::{Batch, Instructions, Real, Sinkhorn};

use crate::cases::{Case, Precision, Stop};

/// What one run of a solver took and found.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Processor time, in seconds, from the costs in memory to the values.
    pub seconds: f64,
    /// `<P, C>` of every problem.
    pub values: Vec<f64>,
}

/// The costs of a case in its number format.
#[derive(Debug)]
pub enum Stored {
    /// Single.
    F32(Vec<f32>),
    /// Double.
    F64(Vec<f64>),
}

impl Stored {
    /// Converts the values of a case.
    #[must_use]
    pub fn new(case: &Case, values: &[f64]) -> Self {
        match case.precision {
            Precision::F32 => Self::F32(values.iter().map(|&value| value as f32).collect()),
            Precision::F64 => Self::F64(values.to_vec()),
        }
    }

    /// Solves the case with at most these instructions.
    ///
    /// # Errors
    /// If the solver refuses a problem.
    pub fn solve(&self, case: &Case, instructions: Instructions) -> anyhow::Result<Measured> {
        match self {
            Self::F32(costs) => solve(case, costs, instructions),
            Self::F64(costs) => solve(case, costs, instructions),
        }
    }
}

fn solve<T: Real>(
    case: &Case,
    costs: &[T],
    instructions: Instructions,
) -> anyhow::Result<Measured> {
    let solver = Sinkhorn::new(case.epsilon)?.with_instructions(instructions);
    let solver = match case.stop {
        Stop::Iterations(count) => solver.with_fixed_iterations(count),
        Stop::Tolerance(tolerance) => solver.with_threshold(tolerance),
    };
    let began = ProcessTime::now();
    let batch = Batch::padded(costs, case.count, case.n, case.m)?;
    let solution = solver.solve_batch(&batch).context("our own solver")?;
    let seconds = began.elapsed().as_secs_f64();
    if let Stop::Tolerance(_) = case.stop {
        let failed = solution.reports().iter().position(|r| !r.converged());
        anyhow::ensure!(failed.is_none(), "problem {failed:?} did not converge");
    }
    Ok(Measured {
        seconds,
        values: solution
            .reports()
            .iter()
            .map(|r| r.transport_cost)
            .collect(),
    })
}
