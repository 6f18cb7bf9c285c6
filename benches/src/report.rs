//! Results as one JSON file and as tables.

use optical_report::{Align, Cell, Table};
use serde::{Deserialize, Serialize};

use crate::cases::{Case, Stop};

/// All that one run of `bench ot` found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// Where it ran.
    pub machine: Machine,
    /// Solvers with the versions of their libraries.
    pub solvers: Vec<(String, String)>,
    /// The cases, each with every solver that could do it.
    pub cases: Vec<CaseResults>,
}

/// The machine of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Model of the processor.
    pub processor: String,
    /// Its architecture and the operating system.
    pub platform: String,
    /// Threads it runs at once.
    pub threads: usize,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn here() -> Self {
        let unknown = || "unknown".to_owned();
        let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = text
            .lines()
            .find_map(|line| line.strip_prefix("model name"));
        let model = model.map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned());
        Self {
            processor: model.unwrap_or_else(unknown),
            platform: format!("{} {}", std::env::consts::ARCH, std::env::consts::OS),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// One case by all solvers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseResults {
    /// The case.
    pub case: Case,
    /// The solvers, ours first.
    pub solvers: Vec<SolverResult>,
}

/// One solver on one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SolverResult {
    /// Name of the solver.
    pub solver: String,
    /// Processor seconds of every run, in order.
    pub seconds: Vec<f64>,
    /// Largest relative error of `<P, C>` against our solver in double precision.
    pub error: f64,
    /// Why there are no runs.
    pub unable: Option<String>,
}

impl SolverResult {
    /// Median of the runs.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        let mut seconds = self.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied()
    }
}

impl CaseResults {
    /// Times of every solver, and how many times ours (the first) is faster.
    ///
    /// # Errors
    /// If the table cannot be built.
    pub fn table(&self) -> anyhow::Result<Table> {
        let mut table = Table::new([
            (self.case.name(), Align::Left),
            ("CPU ms".to_owned(), Align::Right),
            ("least … largest".to_owned(), Align::Right),
            (self.unit().to_owned(), Align::Right),
            ("ours is faster".to_owned(), Align::Right),
            ("error of ⟨P, C⟩".to_owned(), Align::Right),
        ]);
        let ours = self.solvers.first().and_then(SolverResult::median);
        for result in &self.solvers {
            let Some(median) = result.median() else {
                let reason = result.unable.clone().unwrap_or_default();
                let reason: String = reason.chars().take(40).collect();
                let dashes = [""; 4].map(Cell::from);
                let name = Cell::from(result.solver.as_str());
                table.push([name, Cell::from(reason)].into_iter().chain(dashes))?;
                continue;
            };
            let (least, largest) = result
                .seconds
                .iter()
                .fold((f64::INFINITY, 0.0_f64), |(a, b), &s| (a.min(s), b.max(s)));
            table.push([
                Cell::from(result.solver.as_str()),
                Cell::from(format!("{:.3}", median * 1e3)),
                Cell::from(format!("{:.3} … {:.3}", least * 1e3, largest * 1e3)),
                Cell::from(format!("{:.3}", self.per_unit(median))),
                Cell::from(ours.map_or_else(String::new, |ours| format!("{:.1}", median / ours))),
                Cell::from(format!("{:.1e}", result.error)),
            ])?;
        }
        Ok(table)
    }

    fn unit(&self) -> &'static str {
        match self.case.stop {
            Stop::Iterations(_) => "ns a cell and iteration",
            Stop::Tolerance(_) => "µs a problem",
        }
    }

    fn per_unit(&self, seconds: f64) -> f64 {
        let Case { count, n, m, .. } = self.case;
        match self.case.stop {
            Stop::Iterations(iterations) => seconds * 1e9 / (count * n * m * iterations) as f64,
            Stop::Tolerance(_) => seconds * 1e6 / count as f64,
        }
    }
}

/// Sets two runs side by side: for each case and solver of both, how many times B is faster.
///
/// # Errors
/// If the table cannot be built.
pub fn compare(a: &Results, b: &Results) -> anyhow::Result<Table> {
    let mut table = Table::new([
        ("case", Align::Left),
        ("solver", Align::Left),
        ("A, CPU ms", Align::Right),
        ("B, CPU ms", Align::Right),
        ("B is faster", Align::Right),
    ]);
    for one in &a.cases {
        let Some(other) = b.cases.iter().find(|other| other.case == one.case) else {
            continue;
        };
        for result in &one.solvers {
            let same = other.solvers.iter().find(|o| o.solver == result.solver);
            let medians = (result.median(), same.and_then(SolverResult::median));
            if let (Some(left), Some(right)) = medians {
                table.push([
                    Cell::from(one.case.name()),
                    Cell::from(result.solver.as_str()),
                    Cell::from(format!("{:.3}", left * 1e3)),
                    Cell::from(format!("{:.3}", right * 1e3)),
                    Cell::from(format!("{:.2}", left / right)),
                ])?;
            }
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cases::all;

    /// A row of a table without its padding.
    fn bare(table: &Table) -> String {
        let text = table.to_markdown();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn results(seconds: &[f64]) -> Results {
        let solver = |name: &str, factor: f64| SolverResult {
            solver: name.into(),
            seconds: seconds.iter().map(|s| s * factor).collect(),
            error: 1e-7,
            unable: None,
        };
        Results {
            machine: Machine::here(),
            solvers: vec![("ours".into(), "0.1.0".into())],
            cases: vec![CaseResults {
                case: all()[0],
                solvers: vec![solver("ours", 1.0), solver("other", 20.0)],
            }],
        }
    }

    #[test]
    fn ratios_are_of_medians() {
        let table = results(&[0.004, 0.001, 0.002]).cases[0].table().unwrap();
        let text = bare(&table);
        assert!(text.contains("| 2.000 | 1.000 … 4.000 |"), "{text}");
        assert!(text.contains("| 20.0 |"), "{text}");
    }

    #[test]
    fn results_survive_their_file() {
        let results = results(&[0.5]);
        let text = serde_json::to_string(&results).unwrap();
        assert_eq!(serde_json::from_str::<Results>(&text).unwrap(), results);
    }

    #[test]
    fn two_machines_are_compared_case_by_case() {
        let text = bare(&compare(&results(&[0.5]), &results(&[0.25])).unwrap());
        assert!(text.contains("| 500.000 | 250.000 | 2.00 |"), "{text}");
    }
}
