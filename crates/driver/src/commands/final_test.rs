//! `optical final-test`: the questions that no choice was made by, scored once.

use std::path::PathBuf;

use anyhow::Context;
use optical_experiment::{Experiment, Findings, stages};

use crate::device::Backend;
use crate::say::print;
use crate::{console, site};

/// Score finished runs on the questions of their `final_test`, once
///
/// All systems of a run's report rank the collection of the run file's `final_test` table. What is
/// found stays in the folder `final-test` of the run; the same command shows it again, and resumes
/// after a stop.
#[derive(Debug, clap::Args)]
pub struct FinalTestArgs {
    /// The folders of finished runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Download nothing: use the cache, or say what it lacks
    #[arg(long)]
    offline: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value = "flex")]
    device: Backend,
}

/// Ranks, measures and reports, run by run; a report that is there is shown.
pub fn run(args: &FinalTestArgs) -> anyhow::Result<()> {
    let site = site::on(args.device, args.offline, console::listening()?)?;
    // A run that cannot be tested is named before hours go into another.
    let mut findings = Findings::default();
    let mut runs = Vec::new();
    for path in &args.runs {
        let Some(finished) = findings.take(Experiment::existing(path, &site)) else {
            continue;
        };
        let report = finished.folder.final_test().join("report.md");
        if findings.take(stages::check_tested(&finished)).is_some() && !report.is_file() {
            findings.within(&path.display().to_string());
            stages::check_final_test(&finished, &site, &mut findings);
            findings.within("");
        }
        runs.push((finished, report));
    }
    findings.told(&site.store.host)?;
    for (finished, report) in runs {
        if report.is_file() {
            let text = std::fs::read_to_string(&report);
            print(text.with_context(|| report.display().to_string())?)?;
        } else {
            let table = stages::final_test(&finished, &site)?;
            print(format_args!("{table}\nreport: {}\n", report.display()))?;
        }
    }
    Ok(())
}
