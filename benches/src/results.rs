//! What a run found, and its file.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::environment::Environment;
use crate::solver::{About, Clock, Form, Seconds};

/// What a result file says it is.
const FORMAT: &str = "optical bench ot";

/// Version of the file's layout; files of another are refused.
const VERSION: u64 = 2;

/// All that one run of `bench ot` found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    format: String,
    version: u64,
    /// Where it ran, and on what.
    pub environment: Environment,
    /// The solvers.
    pub solvers: Vec<About>,
    /// The cases, each with every solver that takes it.
    pub cases: Vec<CaseResults>,
}

/// One case by all solvers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseResults {
    /// Name of the case.
    pub name: String,
    /// The case.
    pub case: Case,
    /// Largest relative error of `<P, C>` with which an answer counts.
    pub tolerance: f64,
    /// The solvers, ours first.
    pub solvers: Vec<SolverResult>,
}

/// One solver on one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SolverResult {
    /// Name of the solver.
    pub solver: String,
    /// What it works on.
    pub form: Form,
    /// The clock that counts.
    pub clock: Clock,
    /// Times of every run, in order; none if it was unable.
    pub runs: Vec<Seconds>,
    /// Median of the runs by the clock that counts, in seconds.
    pub median: Option<f64>,
    /// Least and largest of them.
    pub spread: Option<[f64; 2]>,
    /// Largest relative error of `<P, C>` against ours, converged in double precision.
    pub error: f64,
    /// Whether the error is within the case's tolerance.
    pub agrees: bool,
    /// Why there are no runs.
    pub unable: Option<String>,
}

impl Results {
    /// Of an environment, without a case so far.
    #[must_use]
    pub fn new(environment: Environment, solvers: Vec<About>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            environment,
            solvers,
            cases: Vec::new(),
        }
    }

    /// Reads a result file.
    ///
    /// # Errors
    /// If it cannot be read, or is not a result file of this version.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let read = || {
            let bytes = std::fs::read(path)?;
            let value: serde_json::Value = serde_json::from_slice(&bytes).context("is not JSON")?;
            if value["format"] != FORMAT {
                bail!("is not a result of this version of bench ot: its format is not {FORMAT:?}");
            }
            if value["version"] != VERSION {
                let found = &value["version"];
                bail!("has version {found} of the format, expected {VERSION}");
            }
            Ok(serde_json::from_value(value)?)
        };
        read().with_context(|| format!("result file {}", path.display()))
    }

    /// Writes the result file, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        write_whole(path, &text)
    }
}

impl SolverResult {
    /// Of runs with this largest error, within a case's tolerance or not.
    #[must_use]
    pub fn new(about: &About, runs: Vec<Seconds>, error: f64, tolerance: f64) -> Self {
        let clock = about.clock();
        let ends = runs.iter().map(|run| run.by(clock));
        let (least, largest) = ends.fold((f64::INFINITY, 0.0_f64), |(least, largest), run| {
            (least.min(run), largest.max(run))
        });
        Self {
            solver: about.name.clone(),
            form: about.form,
            clock,
            median: median(&runs, clock),
            spread: (!runs.is_empty()).then_some([least, largest]),
            runs,
            error,
            // What is not a number is not agreement.
            agrees: error <= tolerance,
            unable: None,
        }
    }

    /// Of a solver that could not.
    #[must_use]
    pub fn unable(about: &About, reason: String) -> Self {
        Self {
            agrees: false,
            unable: Some(reason),
            ..Self::new(about, Vec::new(), 0.0, 0.0)
        }
    }

    /// How many times this solver is faster than another: by processor time if both are measured so,
    /// otherwise both by the clock on the wall.
    #[must_use]
    pub fn faster_than(&self, other: &Self) -> Option<f64> {
        let both = (self.clock, other.clock);
        let clock = match both {
            (Clock::Processor, Clock::Processor) => Clock::Processor,
            _ => Clock::Wall,
        };
        Some(median(&other.runs, clock)? / median(&self.runs, clock)?)
    }
}

fn median(runs: &[Seconds], clock: Clock) -> Option<f64> {
    let mut seconds: Vec<f64> = runs.iter().map(|run| run.by(clock)).collect();
    seconds.sort_by(f64::total_cmp);
    let upper = *seconds.get(seconds.len() / 2)?;
    let lower = *seconds.get((seconds.len() - 1) / 2)?;
    Some(lower.midpoint(upper))
}

/// Writes a file beside its place and renames it, in a folder that is made if need be.
///
/// # Errors
/// If it cannot be written.
pub fn write_whole(path: &Path, text: &str) -> anyhow::Result<()> {
    let write = || {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(folder)?;
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            // Temporary files are private by default; a result is to be shared.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(path).map_err(|error| error.error)?;
        std::io::Result::Ok(())
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cases;

    pub(crate) fn about(name: &str, form: Form, device: &str) -> About {
        About {
            name: name.to_owned(),
            version: "1.0".to_owned(),
            device: device.to_owned(),
            threads: 1,
            form,
        }
    }

    /// Runs of this number of processor seconds, and twice as many on the wall.
    pub(crate) fn runs(seconds: &[f64]) -> Vec<Seconds> {
        let run = |processor: &f64| Seconds {
            processor: *processor,
            wall: 2.0 * processor,
        };
        seconds.iter().map(run).collect()
    }

    /// Returns the first case by solvers of these names, forms, processor times and errors.
    pub(crate) fn results(solvers: &[(&str, Form, &[f64], f64)]) -> Results {
        let case = cases::all()[0];
        let abouts: Vec<About> = solvers
            .iter()
            .map(|(name, form, ..)| about(name, *form, "cpu"))
            .collect();
        let found = abouts.iter().zip(solvers);
        let found = found.map(|(about, (_, _, seconds, error))| {
            SolverResult::new(about, runs(seconds), *error, case.tolerance())
        });
        let case = CaseResults {
            name: case.name(),
            case,
            tolerance: case.tolerance(),
            solvers: found.collect(),
        };
        let mut results = Results::new(Environment::here(), abouts);
        results.cases.push(case);
        results
    }

    #[test]
    fn medians_are_of_the_clock_that_counts() {
        let odd = [0.4, 0.1, 0.2];
        let here = SolverResult::new(&about("a", Form::Log, "cpu"), runs(&odd), 0.0, 1e-4);
        assert_eq!((here.median, here.spread), (Some(0.2), Some([0.1, 0.4])));
        let even = [0.4, 0.1, 0.2, 0.3];
        let there = SolverResult::new(&about("b", Form::Ours, "cuda"), runs(&even), 0.0, 1e-4);
        assert_eq!((there.median, there.spread), (Some(0.5), Some([0.2, 0.8])));
        // On the wall 0.4 against 0.5.
        assert_eq!(there.faster_than(&here), Some(0.8));
        assert_eq!(here.faster_than(&here), Some(1.0));
    }

    #[test]
    fn what_is_wrong_or_not_a_number_does_not_agree() {
        let agrees = |error| {
            let about = about("a", Form::Log, "cpu");
            SolverResult::new(&about, runs(&[0.1]), error, 1e-4).agrees
        };
        assert!(agrees(1e-5));
        assert!(!agrees(2e-4) && !agrees(f64::NAN));
        let unable = SolverResult::unable(&about("a", Form::Log, "cpu"), "no reason".to_owned());
        assert!(!unable.agrees && unable.median.is_none() && unable.spread.is_none());
    }

    #[test]
    fn results_survive_their_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/results.json");
        let results = results(&[("ours", Form::Ours, &[0.5], 1e-7)]);
        results.write(&path).unwrap();
        assert_eq!(Results::read(&path).unwrap(), results);
    }

    #[test]
    fn files_of_another_kind_or_version_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.json");
        let refused = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let error = format!("{:#}", Results::read(&path).unwrap_err());
            error
                .strip_prefix(&format!("result file {}: ", path.display()))
                .unwrap()
                .to_owned()
        };
        let version_1 = r#"{"machine": {}, "solvers": [], "cases": []}"#;
        assert_eq!(
            refused(version_1),
            "is not a result of this version of bench ot: its format is not \"optical bench ot\""
        );
        assert_eq!(
            refused(r#"{"format": "optical bench ot", "version": 3}"#),
            "has version 3 of the format, expected 2"
        );
        assert!(refused("{").starts_with("is not JSON: EOF while parsing"));
        assert!(
            refused(r#"{"format": "optical bench ot", "version": 2}"#).starts_with("missing field")
        );
    }
}
