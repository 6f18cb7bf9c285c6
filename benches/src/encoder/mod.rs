//! The encoder beside PyTorch and onnxruntime: the same weights, the same batch, in turns.

pub mod case;
mod checkpoint;
mod ours;
mod peers;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use optical_report::{Align, Table};
use serde::{Deserialize, Serialize};

use self::case::{Case, Pass};
use self::peers::Peers;
pub use self::peers::Program;
use crate::environment::Environment;
use crate::results::write_whole;
use crate::solver::Seconds;

/// What ours is called.
const OURS: &str = "ours";

/// Largest difference between what two programs find, relative to the larger.
const TOLERANCE: f64 = 1e-3;

/// Runs once more what was prepared.
type Run<'a> = Box<dyn FnMut() -> anyhow::Result<Found> + 'a>;

/// What one run took and found: a product of the states, or the loss.
#[derive(Debug, Clone, Copy)]
struct Found {
    seconds: Seconds,
    value: f64,
}

/// All that was measured.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results {
    /// Where.
    pub environment: Environment,
    /// Beside what.
    pub programs: Vec<Program>,
    /// Case by case.
    pub cases: Vec<CaseResults>,
}

/// What one case gave.
#[derive(Debug, Serialize, Deserialize)]
pub struct CaseResults {
    /// Which.
    pub case: Case,
    /// Processor seconds of every round, by program.
    pub seconds: BTreeMap<String, Vec<f64>>,
    /// Why a program has none.
    pub unable: BTreeMap<String, String>,
}

/// Measures `cases`, `rounds` times each after a round that does not count; results are written to
/// `out` after each case. `says` is told what was measured.
///
/// # Errors
/// If ours fails, programs disagree, or `out` cannot be written.
pub fn measure(
    cases: &[Case],
    rounds: usize,
    python: Option<&Path>,
    out: &Path,
    mut says: impl FnMut(&str),
) -> anyhow::Result<Results> {
    let mut results = Results {
        environment: Environment::here(),
        programs: Vec::new(),
        cases: Vec::new(),
    };
    let mut peers: BTreeMap<usize, Peers> = BTreeMap::new();
    for &case in cases {
        let folder = tempfile::tempdir()?;
        checkpoint::write(folder.path(), case.hidden)?;
        if let Some(python) = python
            && !peers.contains_key(&case.threads)
        {
            peers.insert(case.threads, Peers::start(python, case.threads)?);
        }
        let mut runs = vec![(OURS.to_owned(), ours::prepare(case, folder.path())?)];
        let mut unable = BTreeMap::new();
        if let Some(peers) = peers.get(&case.threads) {
            results.programs.clone_from(&peers.programs);
            for Program { name, .. } in &peers.programs {
                match peers.prepare(name, case, folder.path()) {
                    Ok(run) => runs.push((name.clone(), run)),
                    Err(reason) => drop(unable.insert(name.clone(), format!("{reason:#}"))),
                }
            }
        }
        let seconds = turns(&mut runs, rounds).with_context(|| case.name())?;
        results.cases.push(CaseResults {
            case,
            seconds,
            unable,
        });
        write_whole(out, &serde_json::to_string_pretty(&results)?)?;
        says(&case.name());
    }
    Ok(results)
}

/// Every program in turn, round by round; they have to agree in each.
fn turns(
    runs: &mut [(String, Run<'_>)],
    rounds: usize,
) -> anyhow::Result<BTreeMap<String, Vec<f64>>> {
    let mut seconds: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for round in 0..=rounds {
        let mut expected = None;
        for (name, run) in &mut *runs {
            let found = run().with_context(|| name.clone())?;
            let value = found.value;
            let expected = *expected.get_or_insert(value);
            ensure!(
                (value - expected).abs() <= TOLERANCE * expected.abs().max(value.abs()),
                "{name} finds {value} in round {round}, {OURS} {expected}"
            );
            if round > 0 {
                let rounds = seconds.entry(name.clone()).or_default();
                rounds.push(found.seconds.processor);
            }
        }
    }
    Ok(seconds)
}

impl Results {
    /// A row a case: median milliseconds of ours, and what share of each peer's they are.
    ///
    /// # Errors
    /// If a row does not fit.
    pub fn table(&self) -> anyhow::Result<Table> {
        let mut columns = vec![
            ("hidden, texts x tokens".to_owned(), Align::Left),
            (format!("{OURS}, ms"), Align::Right),
        ];
        for Program { name, .. } in &self.programs {
            columns.push((format!("{name}, ms"), Align::Right));
            columns.push((format!("{OURS} / {name}"), Align::Right));
        }
        let mut table = Table::new(columns);
        for case in &self.cases {
            let median_of = |name: &str| Some(1e3 * median(case.seconds.get(name)?));
            let ours = median_of(OURS).context("a case without ours")?;
            let mut row = vec![case.case.name(), format!("{ours:.1}")];
            for Program { name, .. } in &self.programs {
                row.extend(match median_of(name) {
                    Some(theirs) => [format!("{theirs:.1}"), format!("{:.2}", ours / theirs)],
                    None => ["–".to_owned(), "–".to_owned()],
                });
            }
            table.push(row)?;
        }
        Ok(table)
    }

    /// Why programs have no time in a case that they were to run.
    pub fn unable(&self) -> impl Iterator<Item = String> {
        let training =
            |case: &Case, name: &str| case.pass != Pass::Forward && name == "onnxruntime";
        self.cases.iter().flat_map(move |results| {
            let case = results.case;
            let told = results
                .unable
                .iter()
                .filter(move |(name, _)| !training(&case, name));
            told.map(move |(name, reason)| format!("{}: {name}: {reason}", case.name()))
        })
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
