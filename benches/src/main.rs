//! `optical-bench`: measures transport solvers, ours and those of others, in one run.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool reports to its terminal"
)]

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use optical_benches::cases::{self, Case};
use optical_benches::measure::Stored;
use optical_benches::peers::Peers;
use optical_benches::report::{CaseResults, Machine, Results, SolverResult, compare};
use optical_sinkhorn::Instructions;

/// Measures the rooms of the workspace, alone and beside the programs people use today
#[derive(Parser)]
#[command(name = "optical-bench", bin_name = "cargo xtask bench", version)]
enum Bench {
    /// Transport solvers: the same problems through ours and, where given, through others.
    ///
    /// Solvers take turns, so that whatever else the machine does falls on all of them. Times are
    /// processor time of one thread. Errors are of <P, C>, against ours in double precision.
    Ot(OtArgs),
    /// Sets two result files side by side.
    Compare {
        /// The first result file.
        a: PathBuf,
        /// The second result file.
        b: PathBuf,
    },
}

#[derive(clap::Args)]
struct OtArgs {
    /// A Python with any of POT and torch, OTT-JAX and jax
    #[arg(long, value_name = "PYTHON")]
    peers: Option<PathBuf>,
    /// Runs of every solver on every case
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Only cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// The result file
    #[arg(long, value_name = "FILE", default_value = "runs/bench-ot.json")]
    out: PathBuf,
}

fn main() -> anyhow::Result<()> {
    match Bench::parse() {
        Bench::Ot(args) => ot(&args),
        Bench::Compare { a, b } => {
            println!("{}", compare(&read(&a)?, &read(&b)?)?.to_terminal());
            Ok(())
        }
    }
}

fn read(path: &Path) -> anyhow::Result<Results> {
    let read = || anyhow::Ok(serde_json::from_slice(&std::fs::read(path)?)?);
    read().with_context(|| format!("result file {}", path.display()))
}

fn ot(args: &OtArgs) -> anyhow::Result<()> {
    let mut peers = args.peers.as_deref().map(Peers::start).transpose()?;
    let ours: Vec<(String, Instructions)> = [
        ("ours, AVX-512", Instructions::Avx512),
        ("ours, AVX2", Instructions::Avx2),
        ("ours, baseline", Instructions::Baseline),
    ]
    .into_iter()
    .filter(|(_, instructions)| *instructions <= Instructions::detected())
    .map(|(name, instructions)| (name.to_owned(), instructions))
    .collect();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let mut solvers: Vec<_> = ours
        .iter()
        .map(|(n, _)| (n.clone(), version.clone()))
        .collect();
    solvers.extend(peers.iter().flat_map(|peers| peers.solvers.clone()));
    let mut results = Results {
        machine: Machine::here(),
        solvers,
        cases: Vec::new(),
    };
    println!(
        "{}, {}",
        results.machine.processor, results.machine.platform
    );
    let wanted = |case: &Case| {
        args.only
            .as_ref()
            .is_none_or(|text| case.name().contains(text))
    };
    for case in cases::all().into_iter().filter(wanted) {
        let case = measure(case, args.rounds, &ours, peers.as_mut())?;
        println!("\n{}", case.table()?.to_terminal());
        results.cases.push(case);
    }
    write(&args.out, &results).with_context(|| format!("result file {}", args.out.display()))?;
    println!("results: {}", args.out.display());
    Ok(())
}

/// All solvers in turn, round by round.
fn measure(
    case: Case,
    rounds: usize,
    ours: &[(String, Instructions)],
    mut peers: Option<&mut Peers>,
) -> anyhow::Result<CaseResults> {
    let values = case.values();
    let exact = Stored::F64(values.clone())
        .solve(&case, Instructions::detected())?
        .values;
    let error = |found: &[f64]| {
        let errors = exact.iter().zip(found).map(|(e, f)| (f / e - 1.0).abs());
        errors.fold(0.0, f64::max)
    };
    let mut file = tempfile::NamedTempFile::new()?;
    for value in &values {
        file.write_all(&value.to_le_bytes())?;
    }
    file.flush()?;
    let stored = Stored::new(&case, &values);
    let others = peers
        .iter()
        .flat_map(|peers| peers.solvers.iter().map(|(n, _)| n.clone()));
    let names = ours.iter().map(|(name, _)| name.clone()).chain(others);
    let mut solvers: Vec<SolverResult> = names
        .map(|solver| SolverResult {
            solver,
            seconds: Vec::new(),
            error: 0.0,
            unable: None,
        })
        .collect();
    for round in 0..rounds.max(1) {
        for (index, result) in solvers.iter_mut().enumerate() {
            if result.unable.is_some() {
                continue;
            }
            eprint!("\r{}: round {} of {rounds} ", case.name(), round + 1);
            let measured = match (ours.get(index), &mut peers) {
                (Some((_, instructions)), _) => Ok(stored.solve(&case, *instructions)?),
                (None, Some(peers)) => peers.solve(&case, file.path(), &result.solver)?,
                (None, None) => continue,
            };
            match measured {
                Ok(measured) => {
                    result.seconds.push(measured.seconds);
                    result.error = result.error.max(error(&measured.values));
                }
                Err(reason) => result.unable = Some(reason),
            }
        }
    }
    eprintln!();
    Ok(CaseResults { case, solvers })
}

fn write(path: &Path, results: &Results) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer_pretty(&mut file, results)?;
    file.persist(path)?;
    Ok(())
}
