//! How many times ours is faster, one line per case.

use optical_report::{Align, Cell, Table};

use crate::case::{Case, Task};
use crate::results::{CaseResults, Results, SolverResult};
use crate::solver::{About, Clock, Form};
use crate::tables::{clock, milliseconds};

/// The solver that a library's users would take for a case.
type Choice = fn(&Case) -> Option<&'static str>;

/// Libraries that every case is measured against.
const ANCHORS: [(&str, Choice); 3] = [
    ("POT", |case| match case.task {
        Task::Entropic { .. } => Some("POT solve_batch log"),
        Task::Unbalanced { .. } => Some("POT sinkhorn_unbalanced loop"),
        Task::Points { .. } => Some("POT empirical_sinkhorn2 lazy"),
        Task::Exact => Some("POT emd2 loop"),
        Task::Assignment => None,
    }),
    ("OTT", |case| match case.task {
        Task::Entropic { .. } | Task::Unbalanced { .. } => Some("OTT vmap jit log"),
        Task::Points { .. } => Some("OTT PointCloud online"),
        Task::Exact | Task::Assignment => None,
    }),
    ("wass", |case| match case.task {
        Task::Entropic { .. } | Task::Unbalanced { .. } => Some("wass log"),
        Task::Points { .. } | Task::Exact | Task::Assignment => None,
    }),
];

/// For each case our fastest solver on one thread and each of ours on a device, with how many
/// times it is faster than the stable solvers of some libraries and than the best peer of any form.
/// What does not agree is left out.
///
/// # Errors
/// If the table cannot be built.
pub fn table(results: &Results) -> anyhow::Result<Table> {
    let mut columns = vec![
        ("case", Align::Left),
        ("solver", Align::Left),
        ("ms", Align::Right),
        ("clock", Align::Left),
    ];
    columns.extend(ANCHORS.map(|(library, _)| (library, Align::Right)));
    columns.extend([("best peer", Align::Right), ("which is", Align::Left)]);
    let mut table = Table::new(columns);
    for case in &results.cases {
        for ours in ours(results, case) {
            let times = |peer: Option<&SolverResult>| {
                let faster = peer.and_then(|peer| ours.faster_than(peer));
                faster.map_or_else(|| "–".to_owned(), |faster| format!("{faster:.1}x"))
            };
            let best = best_peer(case, ours);
            let mut row = vec![
                Cell::from(case.name.as_str()),
                Cell::from(ours.solver.as_str()),
                Cell::from(ours.median.map_or_else(String::new, milliseconds)),
                Cell::from(clock(ours)),
            ];
            row.extend(ANCHORS.map(|(_, anchor)| {
                let name = anchor(&case.case);
                let peer = name.and_then(|name| named(results, case, name));
                Cell::from(times(peer))
            }));
            row.push(Cell::best(times(best)));
            row.push(Cell::from(best.map_or("–", |best| best.solver.as_str())));
            table.push(row)?;
        }
    }
    Ok(table)
}

/// Ours that agree: the fastest on one thread of the processor, and all on a device.
fn ours<'a>(results: &Results, case: &'a CaseResults) -> Vec<&'a SolverResult> {
    let ours = case
        .solvers
        .iter()
        .filter(|solver| solver.form == Form::Ours && solver.agrees && solver.median.is_some());
    let (here, mut chosen): (Vec<&SolverResult>, Vec<&SolverResult>) =
        ours.partition(|solver| device(results, solver) == "cpu");
    let here = here
        .into_iter()
        .filter(|solver| solver.clock == Clock::Processor);
    let fastest = here.min_by(|a, b| {
        let median = |solver: &SolverResult| solver.median.unwrap_or(f64::INFINITY);
        median(a).total_cmp(&median(b))
    });
    chosen.splice(0..0, fastest);
    chosen
}

/// Returns the fastest solver of others that agrees.
fn best_peer<'a>(case: &'a CaseResults, ours: &SolverResult) -> Option<&'a SolverResult> {
    let peers = case
        .solvers
        .iter()
        .filter(|solver| solver.form != Form::Ours && solver.agrees);
    let timed = peers.filter_map(|peer| Some((peer, ours.faster_than(peer)?)));
    let best = timed.min_by(|(_, a), (_, b)| a.total_cmp(b));
    best.map(|(peer, _)| peer)
}

/// A solver by its name on the processor, on whatever device it is, if it agrees.
fn named<'a>(results: &Results, case: &'a CaseResults, name: &str) -> Option<&'a SolverResult> {
    case.solvers.iter().find(|solver| {
        let there = format!("{name}, {}", device(results, solver));
        solver.agrees && (solver.solver == name || solver.solver == there)
    })
}

fn device<'a>(results: &'a Results, solver: &SolverResult) -> &'a str {
    let of = |about: &&About| about.name == solver.solver;
    let about = results.solvers.iter().find(of);
    about.map_or("cpu", |about| about.device.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::results::tests::{about, results, runs};

    fn lines(results: &Results) -> Vec<String> {
        let text = table(results).unwrap().to_markdown();
        let bare = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        text.lines().skip(2).map(bare).collect()
    }

    #[test]
    fn ours_is_set_beside_libraries_and_the_best_peer() {
        let results = results(&[
            ("ours, AVX-512", Form::Ours, &[0.002], 1e-7),
            ("ours, AVX2", Form::Ours, &[0.001], 1e-7),
            ("POT solve_batch log", Form::Log, &[0.020], 1e-7),
            ("POT solve_batch kernel", Form::Kernel, &[0.004], 1e-7),
            ("quick and wrong", Form::Log, &[0.0001], 1e-3),
        ]);
        let expected = "| 256x32x32 f32 eps 0.1, 50 its | ours, AVX2 | 1.000 | processor | 20.0x | – | – \
                        | **4.0x** | POT solve_batch kernel |";
        assert_eq!(lines(&results), [expected]);
    }

    /// Two times of the wall for each of the processor, so 40 ms against 5 on the device.
    #[test]
    fn a_device_is_compared_on_the_wall() {
        let mut results = results(&[
            ("ours", Form::Ours, &[0.002], 1e-7),
            ("OTT vmap jit log", Form::Log, &[0.020], 1e-7),
        ]);
        let device = about("ours, wgpu", Form::Ours, "wgpu");
        let result = SolverResult::new(&device, runs(&[0.0025]), 1e-7, 1e-4);
        results.cases[0].solvers.push(result);
        results.solvers.push(device);
        let lines = lines(&results);
        assert_eq!(lines.len(), 2);
        assert!(
            lines[0].contains("| ours | 2.000 | processor | – | 10.0x | – |"),
            "{lines:?}"
        );
        assert!(
            lines[1].contains("| ours, wgpu | 5.000 | wall | – | 8.0x | – |"),
            "{lines:?}"
        );
    }

    #[test]
    fn a_library_is_found_on_its_device() {
        let mut results = results(&[("ours", Form::Ours, &[0.001], 1e-7)]);
        let there = about("POT solve_batch log, cuda", Form::Log, "cuda");
        results.cases[0]
            .solvers
            .push(SolverResult::new(&there, runs(&[0.003]), 1e-7, 1e-4));
        results.solvers.push(there);
        assert!(
            lines(&results)[0].contains("| processor | 3.0x |"),
            "{:?}",
            lines(&results)
        );
    }

    #[test]
    fn without_peers_there_is_none_to_beat() {
        let lines = lines(&results(&[("ours", Form::Ours, &[0.001], 1e-7)]));
        assert!(lines[0].ends_with("| – | – | – | **–** | – |"), "{lines:?}");
    }
}
