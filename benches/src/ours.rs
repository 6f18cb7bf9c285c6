//! Our solver on the processor.

use anyhow::{Context, bail};
use optical_sinkhorn::{Assignment, Batch, Cosine, CostMatrix, ExactSolution, Instructions};
use optical_sinkhorn::{Real, Sinkhorn};

use crate::case::{Case, Precision, Stop, Task, Weights};
use crate::input::{Geometry, Input};
use crate::solver::{About, Form, Run, Solver, timed};
use crate::threads::Threads;

/// Our solver, as far as one set of instructions takes it.
#[derive(Debug)]
pub struct Ours {
    about: About,
    /// The widest vector instructions for batches; without, what has no use for them.
    instructions: Option<Instructions>,
    threads: Threads,
}

impl Ours {
    /// With each set of instructions that this machine has, the widest first, on one thread; with
    /// the widest on all threads; and without any.
    ///
    /// # Errors
    /// If threads cannot be started.
    pub fn all() -> anyhow::Result<Vec<Self>> {
        let sets = [
            (Instructions::Avx512, "AVX-512"),
            (Instructions::Avx2, "AVX2"),
            (Instructions::Baseline, "baseline"),
        ];
        let here = Instructions::detected();
        let sets = sets.into_iter().filter(|(set, _)| *set <= here);
        let mut ours = sets
            .map(|(set, name)| Self::new(format!("ours, {name}"), Some(set), 1))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let most = Threads::most();
        if 1 < most {
            ours.push(Self::new(
                format!("ours, {most} threads"),
                Some(here),
                most,
            )?);
        }
        ours.push(Self::new("ours".to_owned(), None, 1)?);
        Ok(ours)
    }

    fn new(
        name: String,
        instructions: Option<Instructions>,
        threads: usize,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            about: About {
                name,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                device: "cpu".to_owned(),
                threads,
                form: Form::Ours,
            },
            instructions,
            threads: Threads::new(threads)?,
        })
    }
}

impl Solver for Ours {
    fn about(&self) -> &About {
        &self.about
    }

    fn takes(&self, case: &Case) -> bool {
        match case.task {
            // Threads share a batch, not a problem.
            Task::Entropic { .. } | Task::Unbalanced { .. } => {
                self.instructions.is_some() && (self.about.threads == 1 || 1 < case.problems.count)
            }
            Task::Exact | Task::Assignment => self.instructions.is_none(),
            Task::Points { .. } => self.instructions.is_some(),
        }
    }

    fn prepare<'a>(&'a self, input: &'a Input) -> anyhow::Result<Run<'a>> {
        let instructions = self.instructions.unwrap_or(Instructions::detected());
        match input.case.task {
            Task::Entropic { epsilon, stop } => {
                let solver = sinkhorn(epsilon, stop)?.with_instructions(instructions);
                Ok(self.batch(input, solver))
            }
            Task::Unbalanced { epsilon, rho, stop } => {
                let solver = sinkhorn(epsilon, stop)?.with_rho(rho, rho)?;
                Ok(self.batch(input, solver.with_instructions(instructions)))
            }
            Task::Exact => Ok(exact(input)),
            Task::Assignment => {
                let matrices = input.problems().map(|(costs, a, b)| {
                    let matrix = CostMatrix::new(&costs, a.len(), b.len());
                    matrix.context("costs of an assignment")
                });
                let matrices = matrices.collect::<anyhow::Result<Vec<_>>>()?;
                Ok(Box::new(move || {
                    timed(|| {
                        let costs = matrices.iter().map(|m| Ok(Assignment::of(m)?.cost()));
                        costs.collect()
                    })
                }))
            }
            Task::Points { epsilon, stop } => {
                let solver = sinkhorn(epsilon, stop)?.with_instructions(instructions);
                self.points(input, solver)
            }
        }
    }
}

fn sinkhorn(epsilon: f64, stop: Stop) -> anyhow::Result<Sinkhorn> {
    let solver = Sinkhorn::new(epsilon)?;
    Ok(match stop {
        Stop::Iterations(count) => solver.with_fixed_iterations(count),
        Stop::Tolerance(tolerance) => solver.with_threshold(tolerance),
    })
}

impl Ours {
    /// One batch, ragged where sizes differ.
    fn batch<'a>(&'a self, input: &'a Input, solver: Sinkhorn) -> Run<'a> {
        match input.case.problems.precision {
            Precision::F32 => self.batch_of(input, solver, |value| value as f32),
            Precision::F64 => self.batch_of(input, solver, |value| value),
        }
    }

    /// A problem of points, whose costs are never kept.
    fn points<'a>(&'a self, input: &'a Input, solver: Sinkhorn) -> anyhow::Result<Run<'a>> {
        match input.case.problems.precision {
            Precision::F32 => self.points_of(input, solver, |value| value as f32),
            Precision::F64 => self.points_of(input, solver, |value| value),
        }
    }

    fn points_of<'a, T: Real>(
        &'a self,
        input: &'a Input,
        solver: Sinkhorn,
        convert: fn(f64) -> T,
    ) -> anyhow::Result<Run<'a>> {
        let Geometry::Points { x, y } = &input.geometry else {
            bail!("{} has no points", input.case.name());
        };
        let converted = |values: &[f64]| values.iter().copied().map(convert).collect::<Vec<T>>();
        let (x, y) = (converted(x), converted(y));
        let (a, b) = (converted(&input.a), converted(&input.b));
        let dimensions = input.case.problems.dimensions;
        let to_tolerance = matches!(input.case.stop(), Some(Stop::Tolerance(_)));
        let solve = move || {
            let cost = Cosine::new(&x, &y, dimensions)?;
            let solution = solver.solve_points(&cost, &a, &b)?;
            let report = solution.report();
            if to_tolerance && !report.converged() {
                bail!("the problem did not converge");
            }
            Ok(vec![report.transport_cost])
        };
        Ok(Box::new(move || self.threads.run(|| timed(&solve))))
    }

    fn batch_of<'a, T: Real>(
        &'a self,
        input: &'a Input,
        solver: Sinkhorn,
        convert: fn(f64) -> T,
    ) -> Run<'a> {
        let (mut costs, mut a, mut b) = (Vec::new(), Vec::new(), Vec::new());
        for (of_problem, rows, columns) in input.problems() {
            costs.extend(of_problem.into_iter().map(convert));
            a.extend(rows.iter().copied().map(convert));
            b.extend(columns.iter().copied().map(convert));
        }
        let uniform = input.case.problems.weights != Weights::Random;
        let to_tolerance = matches!(input.case.stop(), Some(Stop::Tolerance(_)));
        let solve = move || {
            let mut batch = Batch::ragged(&costs, &input.sizes)?;
            if !uniform {
                batch = batch.with_weights(&a, &b)?;
            }
            let solution = solver.solve_batch(&batch)?;
            let failed = solution.reports().iter().position(|r| !r.converged());
            if let (true, Some(problem)) = (to_tolerance, failed) {
                bail!("problem {problem} did not converge");
            }
            let costs = solution.reports().iter().map(|r| r.transport_cost);
            Ok(costs.collect())
        };
        Box::new(move || self.threads.run(|| timed(&solve)))
    }
}

/// Plans of least cost, one batch.
fn exact(input: &Input) -> Run<'_> {
    let (mut costs, mut a, mut b) = (Vec::new(), Vec::new(), Vec::new());
    for (of_problem, rows, columns) in input.problems() {
        costs.extend(of_problem);
        a.extend_from_slice(rows);
        b.extend_from_slice(columns);
    }
    Box::new(move || {
        timed(|| {
            let batch = Batch::ragged(&costs, &input.sizes)?.with_weights(&a, &b)?;
            let solutions = ExactSolution::of_batch(&batch)?;
            Ok(solutions.iter().map(|s| s.transport_cost()).collect())
        })
    })
}

/// `<P, C>` of every problem, converged far below what any solver is asked for.
///
/// # Errors
/// If a problem does not converge.
pub fn reference(input: &Input) -> anyhow::Result<Vec<f64>> {
    let stop = Stop::Tolerance(1e-10);
    let mut case = input.case;
    case.problems.precision = Precision::F64;
    case.task = match case.task {
        Task::Entropic { epsilon, .. } => Task::Entropic { epsilon, stop },
        Task::Unbalanced { epsilon, rho, .. } => Task::Unbalanced { epsilon, rho, stop },
        Task::Points { epsilon, .. } => Task::Points { epsilon, stop },
        task @ (Task::Exact | Task::Assignment) => task,
    };
    let input = Input {
        case,
        ..input.clone()
    };
    let ours = Ours::all()?.into_iter().find(|ours| ours.takes(&case));
    let ours = ours.with_context(|| format!("nothing of ours takes {}", case.name()))?;
    let found = ours.prepare(&input)?()?;
    Ok(found.values)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use optical_sinkhorn::Problem;

    use super::*;
    use crate::case::{Costs, Problems};

    fn one_by_one<'a>(
        input: &'a Input,
        solve: impl Fn(&Problem) -> anyhow::Result<f64> + 'a,
    ) -> anyhow::Result<Run<'a>> {
        let problems = input.problems().map(|(costs, a, b)| {
            let cost = CostMatrix::new(&costs, a.len(), b.len())?;
            Problem::new(cost, a, b)
        });
        let problems = problems.collect::<Result<Vec<_>, _>>()?;
        Ok(Box::new(move || {
            timed(|| problems.iter().map(&solve).collect())
        }))
    }

    /// A batch is solved with the weights of its input, whatever they are.
    #[test]
    fn a_batch_is_its_problems_one_by_one() {
        for weights in [Weights::Uniform, Weights::Ragged, Weights::Random] {
            let (epsilon, stop) = (0.1, Stop::Tolerance(1e-9));
            let case = Case {
                problems: Problems {
                    count: 4,
                    n: 9,
                    m: 6,
                    dimensions: 16,
                    costs: Costs::Tokens,
                    weights,
                    precision: Precision::F64,
                },
                task: Task::Entropic { epsilon, stop },
            };
            let input = Input::of(case);
            let solver = sinkhorn(epsilon, stop).unwrap();
            let solve = |problem: &Problem| Ok(solver.solve(problem)?.transport_cost());
            let one_by_one = one_by_one(&input, solve).unwrap()().unwrap();
            let found = reference(&input).unwrap();
            for (found, expected) in found.iter().zip(&one_by_one.values) {
                assert!((found / expected - 1.0).abs() < 1e-6, "{found} {expected}");
            }
        }
    }

    #[test]
    fn every_task_has_a_solver_of_ours() {
        for case in crate::cases::all() {
            let ours = Ours::all().unwrap();
            assert!(ours.iter().any(|ours| ours.takes(&case)), "{}", case.name());
        }
    }
}
