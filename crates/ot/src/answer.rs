//! What a method found, with its certificates.

use anyhow::{Context, ensure};
use optical_sinkhorn::{
    Assignment, CostMatrix, Error, ExactSolution, PartialSolution, Problem, ProximalPoint, Side,
    Sinkhorn, Solution,
};
use serde::Serialize;

use crate::question::{Method, Question};
use crate::weights::taking_part;

/// Default tolerance, as a share of the mass that is moved.
const TOLERANCE: f64 = 1e-9;

/// Default iterations at most.
const MAX_ITERATIONS: usize = 10_000;

/// Default first step of the proximal point method, as a share of the costs' spread.
const FIRST_STEP: f64 = 0.1;

/// A solution as other programs read it. What a method has not is left out.
#[derive(Debug, Default, Serialize)]
pub struct Answer {
    /// How it was solved.
    pub method: Method,
    /// `n` rows of `m` masses.
    pub plan: Vec<Vec<f64>>,
    /// Potentials of the rows, in units of the cost.
    pub f: Vec<f64>,
    /// Potentials of the columns.
    pub g: Vec<f64>,
    /// A derivative in the costs, `n` x `m`, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient: Option<Vec<Vec<f64>>>,
    /// What that is the derivative of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient_of: Option<&'static str>,
    /// Matched rows and columns, by `assignment`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<Vec<(usize, usize)>>,
    /// Sum of the matched costs, by `assignment`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// `<P, C>`.
    pub transport_cost: f64,
    /// `<P, C> + epsilon KL(P | a b^T)` and what missing marginals cost, by `sinkhorn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regularised_cost: Option<f64>,
    /// What the potentials prove: the least cost is no lower.
    pub dual_cost: f64,
    /// How far the cost is from the least at most; not finite where that is not known.
    pub duality_gap: f64,
    /// Sum of the plan.
    pub mass: f64,
    /// What one more unit of mass costs, by `partial`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mass_price: Option<f64>,
    /// L1 distance of the plan's sums from what they should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marginal_error: Option<f64>,
    /// Iterations done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iterations: Option<usize>,
    /// Whether the tolerance was met.
    pub converged: bool,
    /// `converged`, `max_iterations` or `unproven`.
    pub status: &'static str,
    /// What was done to the problem before it was solved.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Answer {
    /// Solves the problem that `question` states.
    pub fn to(question: &Question) -> anyhow::Result<Self> {
        question.check()?;
        let (problem, notes) = question.problem()?;
        let answer = match question.method {
            Method::Sinkhorn => sinkhorn(question, &problem),
            Method::Exact => {
                let solution = ExactSolution::of(&problem)?;
                let status = solved(solution.converged(), "unproven");
                Ok(unregularised(question, &problem, &solution, status))
            }
            Method::Ipot => ipot(question, &problem),
            Method::Assignment => assignment(question, &problem),
            Method::Partial => partial(question, &problem),
        };
        answer.map(|mut answer| {
            answer.notes.extend(notes);
            answer
        })
    }
}

fn sinkhorn(question: &Question, problem: &Problem) -> anyhow::Result<Answer> {
    let (solution, iterations, converged) = entropic(question, problem)?;
    let plan = solution.plan();
    let report = solution.report();
    ensure!(
        report.transport_cost.is_finite(),
        "the cost of the plan leaves the range of f64"
    );
    let (gradient, gradient_of) = match question.gradient() {
        Some((gradient, of)) => {
            let slope = solution.gradient(gradient)?;
            (Some(in_rows(&slope, problem)), Some(of))
        }
        None => (None, None),
    };
    Ok(Answer {
        method: question.method,
        gradient,
        gradient_of,
        f: solution.f().to_vec(),
        g: solution.g().to_vec(),
        transport_cost: report.transport_cost,
        regularised_cost: Some(report.regularised_cost),
        dual_cost: report.dual_cost,
        duality_gap: report.duality_gap.unwrap_or(f64::INFINITY),
        mass: total(&plan),
        plan: in_rows(&plan, problem),
        marginal_error: Some(report.marginal_error),
        iterations: Some(iterations),
        converged,
        status: solved(converged, "max_iterations"),
        ..Answer::default()
    })
}

/// Solves an entropic problem; also the iterations of all solves, and whether the tolerance is met.
fn entropic(question: &Question, problem: &Problem) -> anyhow::Result<(Solution, usize, bool)> {
    let epsilon = question
        .epsilon()
        .with_context(|| question.missing("epsilon"))?;
    let [rows, columns] = question.rho();
    let mut solver = Sinkhorn::new(epsilon)?.with_rho(rows, columns)?;
    let mut most = question.max_iterations()?.unwrap_or(MAX_ITERATIONS);
    solver = match question.fixed_iterations()? {
        Some(iterations) => {
            most = iterations;
            solver.with_fixed_iterations(iterations)
        }
        None => solver.with_max_iterations(most),
    };
    let tolerance = question.tolerance()?;
    let held = match (rows.is_infinite(), columns.is_infinite()) {
        (true, _) => total(problem.a()),
        (_, true) => total(problem.b()),
        _ => total(problem.a()).min(total(problem.b())),
    };
    let threshold = tolerance.unwrap_or(TOLERANCE * held);
    let mut solution = solver.with_threshold(threshold).solve(problem)?;
    let mut used = solution.iterations();
    if tolerance.is_some() || rows.is_infinite() || columns.is_infinite() {
        let converged = solution.converged();
        return Ok((solution, used, converged));
    }
    // Where both marginals may be missed, only a solve tells the mass that 1e-9 is a share of.
    loop {
        let threshold = TOLERANCE * total(&solution.plan());
        let converged = solution.marginal_error() <= threshold;
        if converged || used >= most {
            return Ok((solution, used, converged));
        }
        solver = solver
            .with_threshold(threshold)
            .with_max_iterations(most - used);
        solution = solver.solve_from(problem, solution.g())?;
        used += solution.iterations();
    }
}

fn ipot(question: &Question, problem: &Problem) -> anyhow::Result<Answer> {
    let beta = question.epsilon().unwrap_or_else(|| {
        let share = FIRST_STEP * spread(problem);
        // Equal costs leave any step; of costs too far apart the solver itself tells.
        if share > 0.0 && share.is_finite() {
            share
        } else {
            1.0
        }
    });
    ensure!(
        beta > 0.0 && beta.is_finite(),
        "epsilon = {beta} is not positive and finite"
    );
    let mut solver = ProximalPoint::new(beta)?;
    if let Some(tolerance) = question.tolerance()? {
        solver = solver.with_threshold(tolerance);
    }
    if let Some(iterations) = question.max_iterations()? {
        solver = solver.with_max_iterations(iterations);
    }
    let solution = solver.solve(problem)?;
    let most = question.max_iterations()?.unwrap_or(MAX_ITERATIONS);
    let otherwise = if solution.iterations() < most {
        "unproven"
    } else {
        "max_iterations"
    };
    let status = solved(solution.converged(), otherwise);
    Ok(unregularised(question, problem, &solution, status))
}

fn unregularised(
    question: &Question,
    problem: &Problem,
    solution: &ExactSolution,
    status: &'static str,
) -> Answer {
    Answer {
        method: question.method,
        plan: in_rows(solution.plan(), problem),
        f: solution.f().to_vec(),
        g: solution.g().to_vec(),
        transport_cost: solution.transport_cost(),
        dual_cost: solution.dual_cost(),
        duality_gap: solution.duality_gap(),
        mass: total(solution.plan()),
        marginal_error: Some(solution.marginal_error()),
        iterations: Some(solution.iterations()),
        converged: solution.converged(),
        status,
        ..Answer::default()
    }
}

fn partial(question: &Question, problem: &Problem) -> anyhow::Result<Answer> {
    let limit = total(problem.a()).min(total(problem.b()));
    let (mass, notes) = question.mass(limit)?;
    let solution = PartialSolution::of(problem, mass)?;
    Ok(Answer {
        method: question.method,
        plan: in_rows(solution.plan(), problem),
        f: solution.f().to_vec(),
        g: solution.g().to_vec(),
        transport_cost: solution.transport_cost(),
        dual_cost: solution.transport_cost() - solution.duality_gap(),
        duality_gap: solution.duality_gap(),
        mass: solution.mass(),
        mass_price: Some(solution.mass_price()),
        marginal_error: Some(solution.marginal_error()),
        iterations: Some(solution.iterations()),
        converged: solution.converged(),
        status: solved(solution.converged(), "unproven"),
        notes,
        ..Answer::default()
    })
}

/// Matches the rows and columns that have weight, in their own places.
fn assignment(question: &Question, problem: &Problem) -> anyhow::Result<Answer> {
    let rows = taking_part("a", problem.a(), question.is_decimal())?;
    let columns = taking_part("b", problem.b(), question.is_decimal())?;
    let (n, m) = (problem.a().len(), problem.b().len());
    let values: Vec<f64> = rows
        .iter()
        .flat_map(|i| {
            columns
                .iter()
                .map(move |j| problem.cost().values()[i * m + j])
        })
        .collect();
    let cost = CostMatrix::new(&values, rows.len(), columns.len())?;
    let matching = Assignment::of(&cost).map_err(|error| in_place(error, &rows, &columns))?;
    let pairs: Vec<_> = matching
        .pairs()
        .iter()
        .map(|&(row, column)| (rows[row], columns[column]))
        .collect();
    let mut plan = vec![vec![0.0; m]; n];
    pairs.iter().for_each(|&(i, j)| plan[i][j] = 1.0);
    let spread_out = |potentials: &[f64], places: &[usize], length: usize| {
        let mut all = vec![0.0; length];
        places
            .iter()
            .zip(potentials)
            .for_each(|(&place, potential)| all[place] = *potential);
        all
    };
    let mass = pairs.len() as f64;
    let proven = matching.converged();
    Ok(Answer {
        method: question.method,
        plan,
        f: spread_out(matching.f(), &rows, n),
        g: spread_out(matching.g(), &columns, m),
        pairs: Some(pairs),
        cost: Some(matching.cost()),
        transport_cost: matching.cost(),
        dual_cost: matching.cost() - matching.duality_gap(),
        duality_gap: matching.duality_gap(),
        mass,
        converged: proven,
        status: solved(proven, "unproven"),
        ..Answer::default()
    })
}

/// A refusal of the rows and columns that take part, by their own places.
fn in_place(error: Error, rows: &[usize], columns: &[usize]) -> Error {
    let Error::Blocked {
        side,
        places,
        mass,
        partners,
        room,
    } = error
    else {
        return error;
    };
    let (mine, theirs) = match side {
        Side::Rows => (rows, columns),
        Side::Columns => (columns, rows),
    };
    Error::Blocked {
        side,
        places: places.iter().map(|&place| mine[place]).collect(),
        mass,
        partners: partners.iter().map(|&place| theirs[place]).collect(),
        room,
    }
}

fn solved(converged: bool, otherwise: &'static str) -> &'static str {
    if converged { "converged" } else { otherwise }
}

/// Largest less smallest finite cost between positive weights.
fn spread(problem: &Problem) -> f64 {
    let rows = problem
        .cost()
        .rows()
        .zip(problem.a())
        .filter(|(_, a)| **a > 0.0);
    let cells = rows.flat_map(|(row, _)| row.iter().zip(problem.b()));
    let costs = cells.filter(|(cost, b)| **b > 0.0 && cost.is_finite());
    let costs = costs.map(|(cost, _)| *cost);
    let (least, most) = costs.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), cost| {
        (least.min(cost), most.max(cost))
    });
    most - least
}

fn total(masses: &[f64]) -> f64 {
    masses.iter().sum()
}

fn in_rows(cells: &[f64], problem: &Problem) -> Vec<Vec<f64>> {
    cells
        .chunks(problem.b().len())
        .map(<[f64]>::to_vec)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn answer(text: &str) -> anyhow::Result<Answer> {
        Answer::to(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn iterations_that_run_out_are_an_answer() {
        let text = r#"{"cost": [[0, 1], [1, 0.5]], "a": [0.2, 0.8], "epsilon": 0.05,
            "tolerance": 1e-12, "max_iterations": 1}"#;
        let found = answer(text).unwrap();
        assert_eq!((found.converged, found.status), (false, "max_iterations"));
        assert_eq!(found.iterations, Some(1));
        assert!(found.marginal_error.unwrap() > 1e-12);
    }

    /// One row update from potentials of zero: rows have their weights, columns do not yet.
    #[test]
    fn fixed_iterations_are_plain_ones() {
        let (a, b, epsilon) = ([0.2, 0.8], [0.5, 0.5], 0.5_f64);
        let cost = [[0.0, 1.0], [1.0, 0.5]];
        let text = r#"{"cost": [[0, 1], [1, 0.5]], "a": [0.2, 0.8], "epsilon": 0.5,
            "fixed_iterations": 1}"#;
        let found = answer(text).unwrap();
        for (i, row) in found.plan.iter().enumerate() {
            let kernel = [0, 1].map(|j| b[j] * (-cost[i][j] / epsilon).exp());
            for (j, mass) in row.iter().enumerate() {
                let expected = a[i] * kernel[j] / (kernel[0] + kernel[1]);
                assert!((mass - expected).abs() < 1e-15);
            }
        }
    }

    /// At a billion times the mass, 1e-9 of it is asked of the marginals, and reached.
    #[test]
    fn the_default_tolerance_is_a_share_of_the_mass() {
        for mass in [1e-9, 1.0, 1e9] {
            let text = format!(
                r#"{{"cost": [[0, 1, 0.3], [1, 0.5, 0.7]], "a": [{}, {}], "b": [{}, {}, {}],
                    "epsilon": 0.02}}"#,
                0.25 * mass,
                0.75 * mass,
                0.5 * mass,
                0.25 * mass,
                0.25 * mass
            );
            let found = answer(&text).unwrap();
            assert!(found.converged, "{found:?}");
            let columns = [0, 1, 2].map(|j| (found.plan[0][j] + found.plan[1][j]) / mass);
            let error: f64 = columns
                .iter()
                .zip([0.5, 0.25, 0.25])
                .map(|(sum, b)| (sum - b).abs())
                .sum();
            assert!(error < 1e-9, "{error}");
        }
    }

    /// One cell of mass `p` at cost `c`: `(epsilon + 2 r) log p = -c` for weights of one.
    #[test]
    fn so_it_is_where_the_mass_is_found() {
        let (epsilon, r) = (0.1, 0.05);
        for cost in [10.0_f64, -5.0] {
            let text = format!(r#"{{"cost": [[{cost}]], "epsilon": {epsilon}, "rho": {r}}}"#);
            let found = answer(&text).unwrap();
            let expected = (-cost / (epsilon + 2.0 * r)).exp();
            assert!(found.converged, "{found:?}");
            assert!(
                (found.mass / expected - 1.0).abs() < 2e-9,
                "{found:?} {expected}"
            );
        }
    }

    #[test]
    fn proximal_steps_start_where_the_costs_say() {
        for (cost, least) in [("[[3, 3], [3, 3]]", 3.0), ("[[0, 1000], [1000, 1]]", 0.5)] {
            let found = answer(&format!(r#"{{"cost": {cost}, "method": "ipot"}}"#)).unwrap();
            assert!(
                found.converged && (found.transport_cost - least).abs() < 1e-6,
                "{found:?}"
            );
        }
        let text = r#"{"cost": [[1]], "method": "ipot", "epsilon": 0}"#;
        let message = answer(text).unwrap_err().to_string();
        assert_eq!(message, "epsilon = 0 is not positive and finite");
    }

    #[test]
    fn a_matching_takes_rows_whole() {
        let text =
            r#"{"cost": [[1, 5], [2, 9], [0, 0]], "method": "assignment", "a": [0.3, 0.3, 0]}"#;
        let found = answer(text).unwrap();
        assert_eq!(found.pairs, Some(vec![(0, 1), (1, 0)]));
        assert_eq!(
            (found.cost, found.dual_cost, found.mass),
            (Some(7.0), 7.0, 2.0)
        );
        let message = answer(&text.replace("0.3, 0]", "0.2, 0]"))
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with("a[1] = 0.2 but a[0] = 0.3: method assignment"),
            "{message}"
        );
    }
}
