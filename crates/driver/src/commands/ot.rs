//! `optical ot`: solves transport problems given as JSON.

use std::io::Write;

use anyhow::{Context, ensure};
use optical_sinkhorn::{CostMatrix, Problem, Sinkhorn, Solution};
use serde::{Deserialize, Serialize};

/// Solve optimal-transport problems on their own.
#[derive(Debug, clap::Args)]
pub struct OtArgs {
    #[command(subcommand)]
    command: OtCommand,
}

#[derive(Debug, clap::Subcommand)]
enum OtCommand {
    Solve(SolveArgs),
}

/// Solve one entropic problem read from standard input.
///
/// The problem is a JSON object: "cost" (a list of rows), "a" and "b" (row and column weights;
/// uniform if null or absent), "epsilon", "tolerance" (L1 marginal error, 1e-9 if absent) and
/// "max_iterations" (10000 if absent). The plan is P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon),
/// and the regularised cost <P, C> + epsilon KL(P | a b^T).
#[derive(Debug, clap::Args)]
struct SolveArgs {
    /// Print the solution as one JSON object, in full precision.
    #[arg(long)]
    json: bool,
}

/// Runs `optical ot`.
///
/// # Errors
/// If standard input is not a problem that can be solved.
pub fn run(args: &OtArgs) -> anyhow::Result<()> {
    let OtCommand::Solve(solve) = &args.command;
    let text = std::io::read_to_string(std::io::stdin()).context("standard input")?;
    let answer = Answer::to(&text).context("standard input")?;
    let text = if solve.json {
        serde_json::to_string(&answer).context("the solution")? + "\n"
    } else {
        answer.table()
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("standard output")
}

/// A problem as other programs write it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    cost: Vec<Vec<f64>>,
    a: Option<Vec<f64>>,
    b: Option<Vec<f64>>,
    epsilon: f64,
    tolerance: Option<f64>,
    max_iterations: Option<usize>,
}

impl Question {
    fn problem(&self) -> anyhow::Result<Problem> {
        let n = self.cost.len();
        let m = self.cost.first().map_or(0, Vec::len);
        for (i, row) in self.cost.iter().enumerate() {
            ensure!(
                row.len() == m,
                "cost[{i}] has {} values, cost[0] has {m}",
                row.len()
            );
        }
        let cost = CostMatrix::new(&self.cost.concat(), n, m)?;
        let uniform = |length: usize| vec![1.0 / length as f64; length];
        let a = self.a.clone().unwrap_or_else(|| uniform(n));
        let b = self.b.clone().unwrap_or_else(|| uniform(m));
        Ok(Problem::new(cost, &a, &b)?)
    }

    fn solver(&self) -> anyhow::Result<Sinkhorn> {
        let mut solver = Sinkhorn::new(self.epsilon)?;
        if let Some(tolerance) = self.tolerance {
            ensure!(tolerance >= 0.0, "tolerance = {tolerance} is negative");
            solver = solver.with_threshold(tolerance);
        }
        if let Some(max_iterations) = self.max_iterations {
            ensure!(
                max_iterations > 0,
                "max_iterations = 0 leaves nothing to do"
            );
            solver = solver.with_max_iterations(max_iterations);
        }
        Ok(solver)
    }
}

/// A solution as other programs read it.
#[derive(Debug, Serialize)]
struct Answer {
    plan: Vec<Vec<f64>>,
    f: Vec<f64>,
    g: Vec<f64>,
    transport_cost: f64,
    regularised_cost: f64,
    iterations: usize,
    marginal_error: f64,
    converged: bool,
}

impl Answer {
    /// Solves the problem that `text` states.
    fn to(text: &str) -> anyhow::Result<Self> {
        let question: Question =
            serde_json::from_str(text).context("not a transport problem in JSON")?;
        let problem = question.problem()?;
        let solution: Solution = question.solver()?.solve(&problem)?;
        let plan = solution.plan(&problem);
        Ok(Self {
            plan: plan
                .chunks(problem.b().len())
                .map(<[f64]>::to_vec)
                .collect(),
            f: solution.f().to_vec(),
            g: solution.g().to_vec(),
            transport_cost: solution.transport_cost(&problem),
            regularised_cost: solution.regularised_cost(&problem),
            iterations: solution.iterations(),
            marginal_error: solution.marginal_error(),
            converged: solution.converged(),
        })
    }

    /// The numbers a reader wants first, then the plan with its potentials around it.
    fn table(&self) -> String {
        let outcome = if self.converged {
            "converged"
        } else {
            "not converged"
        };
        let mut text = format!(
            "transport cost    {:.9}\nregularised cost  {:.9}\n{outcome} after {} iterations, marginal error {:.1e}\n\n",
            self.transport_cost, self.regularised_cost, self.iterations, self.marginal_error
        );
        let number = |value: &f64| format!("{value:>11.6}");
        text += &format!(
            "{:>11} |{}\n",
            "f \\ g",
            self.g.iter().map(number).collect::<String>()
        );
        text += &format!("{}+{}\n", "-".repeat(12), "-".repeat(11 * self.g.len()));
        for (f, row) in self.f.iter().zip(&self.plan) {
            text += &format!(
                "{} |{}\n",
                number(f),
                row.iter().map(number).collect::<String>()
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn refusal(text: &str) -> String {
        format!("{:#}", Answer::to(text).unwrap_err())
    }

    #[test]
    fn absent_and_null_weights_are_uniform() {
        let cost = "[[0.1, 0.8, 0.6], [0.7, 0.2, 0.9]]";
        let bare = Answer::to(&format!(r#"{{"cost": {cost}, "epsilon": 0.1}}"#)).unwrap();
        let null = Answer::to(&format!(
            r#"{{"cost": {cost}, "a": null, "b": null, "epsilon": 0.1}}"#
        ))
        .unwrap();
        assert_eq!(bare.plan, null.plan);
        assert!(bare.converged && bare.marginal_error <= 1e-9);
        for row in &bare.plan {
            assert!((row.iter().sum::<f64>() - 0.5).abs() < 1e-9);
        }
    }

    #[test]
    fn iterations_that_run_out_are_an_answer() {
        let text = r#"{"cost": [[0, 1], [1, 0.5]], "a": [0.2, 0.8], "epsilon": 0.05,
            "tolerance": 1e-12, "max_iterations": 1}"#;
        let answer = Answer::to(text).unwrap();
        assert!(!answer.converged && answer.iterations == 1 && answer.marginal_error > 1e-12);
    }

    #[test]
    fn refusals_name_the_key_or_the_line() {
        for (text, expected) in [
            (
                r#"{"cost": [[1, 2], [3]], "epsilon": 1}"#,
                "cost[1] has 1 values, cost[0] has 2",
            ),
            (
                r#"{"cost": [], "epsilon": 1}"#,
                "0 x 0 cost matrix is empty",
            ),
            (r#"{"cost": [[1]]}"#, "missing field `epsilon`"),
            (
                r#"{"cost": [[1]], "epsilon": 1, "reg": 2}"#,
                "unknown field `reg`",
            ),
            ("{\"cost\": [[1]],\n\"epsilon\": }", "line 2"),
            (
                r#"{"cost": [[1]], "epsilon": 0}"#,
                "epsilon = 0 is not positive",
            ),
            (
                r#"{"cost": [[1]], "epsilon": 1, "tolerance": -1}"#,
                "tolerance = -1 is negative",
            ),
            (
                r#"{"cost": [[1]], "epsilon": 1, "max_iterations": 0}"#,
                "max_iterations = 0",
            ),
            (
                r#"{"cost": [[1]], "a": [1, 0], "epsilon": 1}"#,
                "a has 2 weights, the cost needs 1",
            ),
            (
                r#"{"cost": [[1, 2]], "b": [1.5, -0.5], "epsilon": 1}"#,
                "b[1] = -0.5 is negative",
            ),
            (
                r#"{"cost": [[1]], "a": [2], "epsilon": 1}"#,
                "a sums to 2 but b to 1",
            ),
        ] {
            let message = refusal(text);
            assert!(message.contains(expected), "{message}");
        }
    }
}
