//! Results as tables, for a terminal and for a Markdown page.

use optical_report::{Align, Cell, Table};

use crate::case::{Problems, Stop};
use crate::environment::{Environment, UNKNOWN};
use crate::results::{CaseResults, Results, SolverResult};
use crate::solver::Clock;
use crate::summary;

/// Letters of a reason that are shown.
const REASON: usize = 100;

/// Times of every solver on a case, and how many times ours (the first) is faster.
///
/// # Errors
/// If the table cannot be built.
pub fn case(results: &CaseResults) -> anyhow::Result<Table> {
    let (unit, per_unit) = unit(results);
    let mut table = Table::new([
        (results.name.clone(), Align::Left),
        ("ms".to_owned(), Align::Right),
        ("least … largest".to_owned(), Align::Right),
        ("clock".to_owned(), Align::Left),
        (unit.to_owned(), Align::Right),
        ("ours is faster".to_owned(), Align::Right),
        ("error of ⟨P, C⟩".to_owned(), Align::Right),
        (format!("within {:.0e}", results.tolerance), Align::Left),
    ]);
    let ours = results.solvers.first();
    for result in &results.solvers {
        let (Some(median), Some([least, largest])) = (result.median, result.spread) else {
            continue;
        };
        let faster = ours.and_then(|ours| ours.faster_than(result));
        table.push([
            Cell::from(result.solver.as_str()),
            Cell::from(milliseconds(median)),
            Cell::from(format!(
                "{} … {}",
                milliseconds(least),
                milliseconds(largest)
            )),
            Cell::from(clock(result)),
            Cell::from(format!("{:.3}", median * per_unit)),
            Cell::from(faster.map_or_else(String::new, |faster| format!("{faster:.2}"))),
            Cell::from(format!("{:.1e}", result.error)),
            Cell::from(if result.agrees { "yes" } else { "no" }),
        ])?;
    }
    Ok(table)
}

/// What the last but three columns of a case's table count in, and how many of it a second has.
fn unit(results: &CaseResults) -> (&'static str, f64) {
    let Problems { count, n, m, .. } = results.case.problems;
    match results.case.stop() {
        Some(Stop::Iterations(iterations)) => {
            let cells: usize = count * n * m;
            ("ns a cell and iteration", 1e9 / (cells * iterations) as f64)
        }
        Some(Stop::Tolerance(_)) | None => ("µs a problem", 1e6 / count as f64),
    }
}

/// A line for each solver that was unable to solve a case.
#[must_use]
pub fn unable(results: &CaseResults) -> Vec<String> {
    let reasons = results.solvers.iter().filter_map(|result| {
        let reason = result.unable.as_deref()?.lines().next().unwrap_or_default();
        let cut: String = reason.chars().take(REASON).collect();
        Some(format!("{} is unable: {cut}", result.solver))
    });
    reasons.collect()
}

pub(crate) fn clock(result: &SolverResult) -> &'static str {
    match result.clock {
        Clock::Processor => "processor",
        Clock::Wall => "wall",
    }
}

pub(crate) fn milliseconds(seconds: f64) -> String {
    format!("{:.3}", seconds * 1e3)
}

/// Returns the whole run as a page; `picture` is the file name of its picture.
///
/// # Errors
/// If a table cannot be built.
pub fn page(results: &Results, picture: &str) -> anyhow::Result<String> {
    let mut page = String::from("# Transport solvers side by side\n\n");
    page += &place(&results.environment);
    page += "\nTimes are medians of runs in turns: of the processor's time of one thread, or of time on \
             the wall where a device works. They go from costs in memory to the transport costs \
             ⟨P, C⟩ in memory. Errors are relative, against our solver in double precision, \
             converged to 1e-10; a solver whose error is not within the case's tolerance is not a best peer.\n";
    page += &format!("\n![Times of all solvers]({picture})\n\n## Summary\n\n");
    page += &summary::table(results)?.to_markdown();
    page += "\n## Cases\n";
    for found in &results.cases {
        page += &format!("\n{}", case(found)?.to_markdown());
        for line in unable(found) {
            page += &format!("\n{line}\n");
        }
    }
    page += "\n## Solvers\n\n";
    let mut table = Table::new(["solver", "device", "version"].map(|name| (name, Align::Left)));
    for solver in &results.solvers {
        table.push([
            solver.name.as_str(),
            solver.device.as_str(),
            solver.version.as_str(),
        ])?;
    }
    page += &table.to_markdown();
    Ok(page)
}

fn place(environment: &Environment) -> String {
    let Environment {
        optical,
        commit,
        rustc,
        libraries,
        processor,
        instructions,
        threads,
        load,
        platform,
        system,
        device,
        ..
    } = environment;
    let libraries: String = libraries
        .iter()
        .map(|(name, version)| format!(", {name} {version}"))
        .collect();
    let load = load.map_or_else(|| UNKNOWN.to_owned(), |load| format!("{load:.1}"));
    let mut text = format!(
        "- Processor: {processor}, {threads} threads, {instructions}, load {load} at the start\n\
         - System: {platform}, {system}\n\
         - Program: optical {optical}, commit {commit}, {rustc}{libraries}\n"
    );
    if let Some(device) = device {
        text += &format!(
            "- Device: {}, backend {}, driver {}, compiled for {}\n",
            device.name, device.backend, device.driver, device.target
        );
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::environment::DeviceInfo;
    use crate::results::tests::{about, results};
    use crate::solver::Form;

    /// A table without its padding.
    pub(crate) fn bare(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ratios_are_of_medians() {
        let results = results(&[
            ("ours", Form::Ours, &[0.004, 0.001, 0.002], 1e-7),
            ("other", Form::Log, &[0.05], 2e-4),
        ]);
        let text = bare(&case(&results.cases[0]).unwrap().to_markdown());
        for part in [
            "| ours | 2.000 | 1.000 … 4.000 | processor |",
            "| 1.00 | 1.0e-7 | yes |",
            "| other | 50.000 | 50.000 … 50.000 | processor |",
            "| 25.00 | 2.0e-4 | no |",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn the_unable_are_listed_by_their_first_line() {
        let mut results = results(&[("ours", Form::Ours, &[0.5], 1e-7)]);
        let peer = about("peer", Form::Log, "cpu");
        let long = format!("no {}\nand more", "o".repeat(200));
        results.cases[0]
            .solvers
            .push(SolverResult::unable(&peer, long));
        let lines = unable(&results.cases[0]);
        assert_eq!(lines, [format!("peer is unable: no {}", "o".repeat(97))]);
        assert_eq!(case(&results.cases[0]).unwrap().len(), 1);
    }

    #[test]
    fn a_page_names_place_picture_and_versions() {
        let mut results = results(&[("ours", Form::Ours, &[0.5], 1e-7)]);
        results.environment.device = Some(DeviceInfo {
            backend: "wgpu".to_owned(),
            name: "llvmpipe".to_owned(),
            target: "spirv".to_owned(),
            driver: "Mesa 22".to_owned(),
        });
        let page = page(&results, "bench-ot.png").unwrap();
        let processor = results.environment.processor.clone();
        for part in [
            "](bench-ot.png)",
            "llvmpipe, backend wgpu, driver Mesa 22, compiled for spirv",
            "| ours   | cpu    | 1.0     |",
            processor.as_str(),
            "## Summary",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
