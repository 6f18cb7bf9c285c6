//! All solvers on one case, in turns.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::case::Case;
use crate::input::Input;
use crate::ours;
use crate::results::{CaseResults, SolverResult};
use crate::solver::{Measured, Run, Seconds, Solver};

/// A solver that has taken so long on a case is not asked again.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lets every solver that takes the case solve it once untimed, for compilation, caches and the
/// first touch of memory, and then once in each round, so that whatever else the machine does falls
/// on all of them. `says` is told who is at work.
///
/// # Errors
/// If our own solver cannot make the values that all are held against.
pub fn measure(
    case: Case,
    rounds: usize,
    solvers: &[Box<dyn Solver>],
    mut says: impl FnMut(&str),
) -> anyhow::Result<CaseResults> {
    says("reference");
    let input = Input::of(case);
    let expected = ours::reference(&input)?;
    let taking = solvers.iter().filter(|solver| solver.takes(&case));
    let mut turns: Vec<Turn<'_>> = taking.map(|solver| Turn::new(&**solver)).collect();
    for turn in &mut turns {
        says(&format!("{}: warm-up", turn.solver.about().name));
        turn.prepare(&input, &expected);
    }
    for round in 1..=rounds.max(1) {
        for turn in &mut turns {
            says(&format!(
                "{}: round {round} of {rounds}",
                turn.solver.about().name
            ));
            turn.take(&expected);
        }
    }
    Ok(CaseResults {
        name: case.name(),
        case,
        tolerance: case.tolerance(),
        solvers: turns.into_iter().map(|turn| turn.result(&case)).collect(),
    })
}

/// A solver, what it has done and how it continues.
struct Turn<'a> {
    solver: &'a dyn Solver,
    /// Solves once more; none after a failure.
    run: Option<Run<'a>>,
    seconds: Vec<Seconds>,
    error: f64,
    spent: Duration,
    unable: Option<String>,
}

impl<'a> Turn<'a> {
    fn new(solver: &'a dyn Solver) -> Self {
        Self {
            solver,
            run: None,
            seconds: Vec::new(),
            error: 0.0,
            spent: Duration::ZERO,
            unable: None,
        }
    }

    fn prepare(&mut self, input: &'a Input, expected: &[f64]) {
        match self.solver.prepare(input) {
            Ok(run) => self.run = Some(run),
            Err(reason) => self.unable = Some(format!("{reason:#}")),
        }
        self.solve(expected);
    }

    /// Runs and keeps the time.
    fn take(&mut self, expected: &[f64]) {
        if !self.seconds.is_empty() && PATIENCE <= self.spent {
            return;
        }
        let seconds = self.solve(expected);
        self.seconds.extend(seconds);
    }

    fn solve(&mut self, expected: &[f64]) -> Option<Seconds> {
        let run = self.run.as_mut()?;
        let began = Instant::now();
        let measured = run();
        self.spent += began.elapsed();
        let checked = measured
            .and_then(|Measured { seconds, values }| Ok((seconds, error(expected, &values)?)));
        match checked {
            Ok((seconds, error)) => {
                self.error = self.error.max(error);
                Some(seconds)
            }
            Err(reason) => {
                self.unable = Some(format!("{reason:#}"));
                self.run = None;
                None
            }
        }
    }

    fn result(self, case: &Case) -> SolverResult {
        let about = self.solver.about();
        match self.unable {
            Some(reason) => SolverResult::unable(about, reason),
            None => SolverResult::new(about, self.seconds, self.error, case.tolerance()),
        }
    }
}

/// Largest relative error of as many numbers as are expected.
fn error(expected: &[f64], found: &[f64]) -> anyhow::Result<f64> {
    let (wanted, count) = (expected.len(), found.len());
    ensure!(wanted == count, "{count} answers to {wanted} problems");
    let mut largest = 0.0_f64;
    for (problem, (expected, found)) in expected.iter().zip(found).enumerate() {
        ensure!(
            found.is_finite(),
            "the answer to problem {problem} is {found}"
        );
        largest = largest.max((found / expected - 1.0).abs());
    }
    Ok(largest)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::cell::Cell;

    use anyhow::bail;

    use super::*;
    use crate::case::{Costs, Precision, Problems, Stop, Task, Weights};
    use crate::ours::Ours;
    use crate::results::tests::about;
    use crate::solver::{About, Form};

    fn case(weights: Weights, precision: Precision, task: Task) -> Case {
        Case {
            problems: Problems {
                count: 3,
                n: 7,
                m: 5,
                dimensions: 16,
                costs: Costs::Tokens,
                weights,
                precision,
            },
            task,
        }
    }

    /// Every task on small problems.
    fn small() -> Vec<Case> {
        let (epsilon, rho) = (0.1, 1.0);
        let fifty = Stop::Iterations(50);
        let stop = Stop::Tolerance(1e-6);
        let single = |weights, task| case(weights, Precision::F32, task);
        let double = |weights, task| case(weights, Precision::F64, task);
        vec![
            single(Weights::Uniform, Task::Entropic { epsilon, stop }),
            double(
                Weights::Uniform,
                Task::Entropic {
                    epsilon,
                    stop: fifty,
                },
            ),
            single(
                Weights::Ragged,
                Task::Entropic {
                    epsilon,
                    stop: fifty,
                },
            ),
            double(Weights::Random, Task::Entropic { epsilon, stop }),
            double(Weights::Random, Task::Unbalanced { epsilon, rho, stop }),
            double(Weights::Random, Task::Exact),
            double(Weights::Uniform, Task::Assignment),
        ]
    }

    #[test]
    fn ours_solve_every_task_and_agree() {
        let ours = Ours::all().unwrap().into_iter();
        let solvers: Vec<Box<dyn Solver>> = ours.map(|ours| Box::new(ours) as _).collect();
        for case in small() {
            let results = measure(case, 2, &solvers, |_| ()).unwrap();
            assert!(!results.solvers.is_empty(), "{}", results.name);
            for solver in &results.solvers {
                assert_eq!(solver.unable, None, "{}", results.name);
                assert!(solver.agrees, "{}: {solver:?}", results.name);
                assert_eq!(solver.runs.len(), 2);
            }
        }
    }

    /// Answers with the wrong values, and from some run on not at all.
    struct Odd {
        about: About,
        values: Vec<f64>,
        runs: Cell<usize>,
        last: usize,
    }

    impl Solver for Odd {
        fn about(&self) -> &About {
            &self.about
        }

        fn takes(&self, case: &Case) -> bool {
            case.task == Task::Exact
        }

        fn prepare<'a>(&'a self, _: &'a Input) -> anyhow::Result<Run<'a>> {
            Ok(Box::new(|| {
                self.runs.set(self.runs.get() + 1);
                if self.last < self.runs.get() {
                    bail!("tired");
                }
                crate::solver::timed(|| Ok(self.values.clone()))
            }))
        }
    }

    fn odd(values: Vec<f64>, last: usize) -> Box<dyn Solver> {
        let about = about("odd", Form::Exact, "cpu");
        let runs = Cell::new(0);
        Box::new(Odd {
            about,
            values,
            runs,
            last,
        })
    }

    #[test]
    fn wrong_answers_are_marked_and_failures_are_named() {
        let exact = case(Weights::Uniform, Precision::F64, Task::Exact);
        let expected = ours::reference(&Input::of(exact)).unwrap();
        let mut wrong = expected.clone();
        wrong[1] *= 1.001;
        let solvers = [odd(expected.clone(), 9), odd(wrong, 9)];
        let results = measure(exact, 3, &solvers, |_| ()).unwrap();
        let agrees: Vec<bool> = results.solvers.iter().map(|solver| solver.agrees).collect();
        assert_eq!(agrees, [true, false]);
        assert!((results.solvers[1].error - 1e-3).abs() < 1e-9);
        // The warm-up is not a round.
        assert_eq!(results.solvers[0].runs.len(), 3);

        let results = measure(exact, 3, &[odd(expected, 2)], |_| ()).unwrap();
        assert_eq!(results.solvers[0].unable.as_deref(), Some("tired"));
        assert!(results.solvers[0].runs.is_empty());
    }

    #[test]
    fn only_those_that_take_a_case_are_asked() {
        let results = measure(small()[0], 1, &[odd(Vec::new(), 0)], |_| ()).unwrap();
        assert!(results.solvers.is_empty());
    }

    #[test]
    fn errors_are_relative_and_of_as_many_numbers() {
        assert_eq!(error(&[1.0, 2.0], &[1.0, 3.0]).unwrap(), 0.5);
        let refused = |found: &[f64]| error(&[1.0, 2.0], found).unwrap_err().to_string();
        assert_eq!(refused(&[1.0]), "1 answers to 2 problems");
        assert_eq!(refused(&[1.0, f64::NAN]), "the answer to problem 1 is NaN");
    }
}
