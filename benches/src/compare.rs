//! Two runs side by side, on two machines or before and after a change.

use optical_report::{Align, Cell, Table};

use crate::results::{CaseResults, Results, SolverResult};
use crate::tables::milliseconds;

/// What two runs have in common, and what only one of them has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Each case and solver that both have, with how many times B is faster.
    pub table: Table,
    /// What only one of them has, or could do, a line each.
    pub differences: Vec<String>,
}

/// Sets two runs side by side. Cases are the same if all their numbers are, solvers if their names
/// are; versions may differ, which is what one may want to compare.
///
/// # Errors
/// If the table cannot be built.
pub fn compare(a: &Results, b: &Results) -> anyhow::Result<Comparison> {
    let mut table = Table::new([
        ("case", Align::Left),
        ("solver", Align::Left),
        ("A, ms", Align::Right),
        ("B, ms", Align::Right),
        ("B is faster", Align::Right),
    ]);
    let mut differences = places(a, b);
    for one in &a.cases {
        let Some(other) = case_of(b, one) else {
            continue;
        };
        for left in &one.solvers {
            let right = solver_of(other, left);
            let faster = right.and_then(|right| right.faster_than(left));
            let medians = (left.median, right.and_then(|right| right.median), faster);
            if let (Some(before), Some(after), Some(faster)) = medians {
                table.push([
                    Cell::from(one.name.as_str()),
                    Cell::from(left.solver.as_str()),
                    Cell::from(milliseconds(before)),
                    Cell::from(milliseconds(after)),
                    Cell::from(format!("{faster:.2}")),
                ])?;
            }
        }
        for (which, one, other) in [("A", one, other), ("B", other, one)] {
            differences.extend(alone(which, one, other));
        }
    }
    for (which, one, other) in [("A", a, b), ("B", b, a)] {
        let missing = one
            .cases
            .iter()
            .filter(|case| case_of(other, case).is_none());
        differences.extend(missing.map(|case| format!("only {which} has the case {}", case.name)));
    }
    Ok(Comparison { table, differences })
}

/// What solvers have times in one run's case and not in the other's.
fn alone(which: &str, one: &CaseResults, other: &CaseResults) -> Option<String> {
    let timed = one.solvers.iter().filter(|solver| solver.median.is_some());
    let missing = timed.filter(|solver| {
        let same = solver_of(other, solver);
        same.is_none_or(|same| same.median.is_none())
    });
    let names: Vec<&str> = missing.map(|solver| solver.solver.as_str()).collect();
    let solvers = names.join("; ");
    (!names.is_empty()).then(|| format!("{}: only {which} has times of {solvers}", one.name))
}

fn case_of<'a>(results: &'a Results, wanted: &CaseResults) -> Option<&'a CaseResults> {
    results.cases.iter().find(|found| found.case == wanted.case)
}

fn solver_of<'a>(case: &'a CaseResults, wanted: &SolverResult) -> Option<&'a SolverResult> {
    case.solvers
        .iter()
        .find(|found| found.solver == wanted.solver)
}

/// What differs between the places of two runs.
fn places(a: &Results, b: &Results) -> Vec<String> {
    let device = |results: &Results| {
        let device = results.environment.device.as_ref();
        device.map_or_else(
            || "none".to_owned(),
            |device| {
                format!(
                    "{} ({}, driver {})",
                    device.name, device.backend, device.driver
                )
            },
        )
    };
    let (left, right) = (&a.environment, &b.environment);
    let pairs = [
        ("processor", left.processor.clone(), right.processor.clone()),
        ("commit", left.commit.clone(), right.commit.clone()),
        ("compiler", left.rustc.clone(), right.rustc.clone()),
        ("device", device(a), device(b)),
    ];
    let differing = pairs.into_iter().filter(|(_, left, right)| left != right);
    let mut lines: Vec<String> = differing
        .map(|(what, left, right)| format!("{what}: {left} in A, {right} in B"))
        .collect();
    for one in &a.solvers {
        let same = b.solvers.iter().find(|other| other.name == one.name);
        if let Some(other) = same.filter(|other| other.version != one.version) {
            let (left, right) = (&one.version, &other.version);
            lines.push(format!("{}: {left} in A, {right} in B", one.name));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cases;
    use crate::results::tests::{about, results};
    use crate::solver::Form;

    fn bare(table: &Table) -> String {
        let text = table.to_markdown();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn two_runs_are_compared_case_by_case() {
        let a = results(&[("ours", Form::Ours, &[0.5], 1e-7)]);
        let b = results(&[("ours", Form::Ours, &[0.25], 1e-7)]);
        let compared = compare(&a, &b).unwrap();
        let text = bare(&compared.table);
        assert!(
            text.ends_with("| ours | 500.000 | 250.000 | 2.00 |"),
            "{text}"
        );
        assert!(
            compared.differences.is_empty(),
            "{:?}",
            compared.differences
        );
    }

    #[test]
    fn what_only_one_has_is_said() {
        let mut a = results(&[
            ("ours", Form::Ours, &[0.5], 1e-7),
            ("old", Form::Log, &[0.5], 1e-7),
            ("weak", Form::Log, &[0.5], 1e-7),
        ]);
        let mut b = results(&[
            ("ours", Form::Ours, &[0.5], 1e-7),
            ("new", Form::Log, &[0.5], 1e-7),
        ]);
        let weak = about("weak", Form::Log, "cpu");
        b.cases[0]
            .solvers
            .push(SolverResult::unable(&weak, "tired".to_owned()));
        for (results, index) in [(&mut a, 1), (&mut b, 2)] {
            let case = cases::all()[index];
            results.cases.push(CaseResults {
                name: case.name(),
                case,
                tolerance: case.tolerance(),
                solvers: Vec::new(),
            });
        }
        b.environment.processor = "another".to_owned();
        b.solvers[0].version = "2.0".to_owned();
        let compared = compare(&a, &b).unwrap();
        let first = cases::all()[0].name();
        let expected = [
            format!("processor: {} in A, another in B", a.environment.processor),
            "ours: 1.0 in A, 2.0 in B".to_owned(),
            format!("{first}: only A has times of old; weak"),
            format!("{first}: only B has times of new"),
            format!("only A has the case {}", cases::all()[1].name()),
            format!("only B has the case {}", cases::all()[2].name()),
        ];
        assert_eq!(compared.differences, expected);
        assert_eq!(compared.table.len(), 1);
    }

    /// The same shape with another number in it is another case.
    #[test]
    fn cases_that_differ_in_a_number_are_not_compared() {
        let a = results(&[("ours", Form::Ours, &[0.5], 1e-7)]);
        let mut b = a.clone();
        b.cases[0].case.problems.dimensions += 1;
        let compared = compare(&a, &b).unwrap();
        assert!(compared.table.is_empty());
        assert_eq!(compared.differences.len(), 2);
    }
}
