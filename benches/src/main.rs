//! `optical-bench`: measures transport solvers, ours and those of others, in one run.

// As `optical` prints: a reader who has seen enough ends this quietly, too.
#[path = "../../crates/driver/src/say.rs"]
mod say;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Parser;
use optical_benches::backend::Backend;
use optical_benches::case::Case;
use optical_benches::cases;
use optical_benches::compare::compare;
use optical_benches::environment::Environment;
use optical_benches::ours::Ours;
use optical_benches::results::{Results, write_whole};
use optical_benches::solver::Solver;
use optical_benches::{peers, picture, summary, tables, turns};
use say::{print, say};

/// Measures the rooms of the workspace, alone and beside the programs people use today
#[derive(Parser)]
#[command(name = "optical-bench", bin_name = "cargo xtask bench", version)]
enum Bench {
    /// Transport solvers: the same problems through ours and, where given, through others.
    ///
    /// Solvers take turns, so that whatever else the machine does falls on all of them. Times are
    /// processor time of one thread, or time on the wall for a device. Errors are of <P, C>,
    /// against ours in double precision. docs/benchmarks.md tells more.
    Ot(OtArgs),
    /// Encoders: a forward pass and a step of training, ours and those of a Python's PyTorch and
    /// onnxruntime, with the same random weights and the same batch, in turns. Times are processor
    /// time of all threads.
    #[cfg(feature = "encoder")]
    Encoder(EncoderArgs),
    /// Sets two result files of transport solvers side by side.
    Compare {
        /// The first result file.
        a: PathBuf,
        /// The second result file.
        b: PathBuf,
    },
}

#[derive(clap::Args)]
struct OtArgs {
    /// A Python with any of POT, OTT-JAX, GeomLoss, torch and SciPy
    #[arg(long, value_name = "PYTHON")]
    peers: Option<PathBuf>,
    /// Measure our tensor solver on this backend as well
    #[arg(long, value_name = "NAME")]
    backend: Option<Backend>,
    /// Timed runs of every solver on every case, after one that is not
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Only cases whose name contains this; may be given more than once
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// List the cases, and do nothing else
    #[arg(long)]
    list: bool,
    /// The result file; tables and pictures are written beside it
    #[arg(long, value_name = "FILE", default_value = "runs/bench-ot.json")]
    out: PathBuf,
}

#[cfg(feature = "encoder")]
#[derive(clap::Args)]
struct EncoderArgs {
    /// A Python with torch and transformers, and onnxruntime and onnx
    #[arg(long, value_name = "PYTHON")]
    peers: Option<PathBuf>,
    /// Timed rounds of every case, after one that is not
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Only cases whose name contains this; may be given more than once
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// The result file
    #[arg(long, value_name = "FILE", default_value = "runs/bench-encoder.json")]
    out: PathBuf,
}

/// As the driver has it: the system's own gives the large buffers of every op back.
#[cfg(feature = "encoder")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let outcome = match Bench::parse() {
        Bench::Ot(args) => ot(&args),
        #[cfg(feature = "encoder")]
        Bench::Encoder(args) => encoder(&args),
        Bench::Compare { a, b } => side_by_side(&a, &b),
    };
    match outcome {
        Err(error) if !error.chain().any(|cause| cause.is::<say::SeenEnough>()) => {
            say(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

#[cfg(feature = "encoder")]
fn encoder(args: &EncoderArgs) -> anyhow::Result<()> {
    use optical_benches::encoder::case::Case;
    let wanted = |case: &Case| {
        let name = case.name();
        args.only.is_empty() || args.only.iter().any(|text| name.contains(text))
    };
    let cases: Vec<Case> = Case::all().into_iter().filter(wanted).collect();
    ensure!(!cases.is_empty(), "no case has {:?} in its name", args.only);
    let python = args.peers.as_deref();
    let results =
        optical_benches::encoder::measure(&cases, args.rounds.max(1), python, &args.out, |case| {
            say(format_args!("{case}: measured"))
        })?;
    print(format_args!(
        "{}, {}\n",
        results.environment.processor, results.environment.system
    ))?;
    for program in &results.programs {
        print(format_args!("{}: {}\n", program.name, program.version))?;
    }
    print(format_args!("\n{}\n", results.table()?.to_terminal()))?;
    for line in results.unable() {
        print(line + "\n")?;
    }
    print(format_args!("{}\n", args.out.display()))
}

fn side_by_side(a: &Path, b: &Path) -> anyhow::Result<()> {
    let compared = compare(&Results::read(a)?, &Results::read(b)?)?;
    print(format_args!("{}\n", compared.table.to_terminal()))?;
    for line in compared.differences {
        print(format_args!("{line}\n"))?;
    }
    Ok(())
}

fn ot(args: &OtArgs) -> anyhow::Result<()> {
    let wanted = |case: &Case| {
        let name = case.name();
        args.only.is_empty() || args.only.iter().any(|text| name.contains(text))
    };
    let cases: Vec<Case> = cases::all().into_iter().filter(wanted).collect();
    ensure!(
        !cases.is_empty(),
        "no case has {:?} in its name; --list lists them",
        args.only
    );
    if args.list {
        let names: Vec<_> = cases.iter().map(Case::name).collect();
        return print(names.join("\n") + "\n");
    }

    let mut environment = Environment::here();
    let solvers = solvers(args, &mut environment)?;
    print(format_args!(
        "{}, {}\n",
        environment.processor, environment.system
    ))?;
    if let Some(device) = &environment.device {
        print(format_args!(
            "{}, {}, driver {}\n",
            device.name, device.backend, device.driver
        ))?;
    }
    let drawn = std::io::stderr().is_terminal();
    let about = solvers.iter().map(|solver| solver.about().clone());
    let mut results = Results::new(environment, about.collect());
    for case in cases {
        let name = case.name();
        let found = turns::measure(case, args.rounds, &solvers, |who| {
            if drawn {
                let _ = write!(std::io::stderr(), "\r\x1b[K{name}: {who} ");
            }
        });
        if drawn {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        } else {
            say(format_args!("{name}: measured"));
        }
        let found = found.with_context(|| name.clone())?;
        let mut text = format!("\n{}\n", tables::case(&found)?.to_terminal());
        for line in tables::unable(&found) {
            text += &format!("{line}\n");
        }
        print(text)?;
        results.cases.push(found);
        // A long run that is broken off leaves what it has found.
        results.write(&args.out)?;
    }
    print(format_args!(
        "\n{}\n",
        summary::table(&results)?.to_terminal()
    ))?;
    show(&results, &args.out)
}

/// Everything that is to be measured; a device goes into `environment`.
fn solvers(args: &OtArgs, environment: &mut Environment) -> anyhow::Result<Vec<Box<dyn Solver>>> {
    let boxed = |ours| -> Box<dyn Solver> { Box::new(ours) };
    let mut solvers: Vec<Box<dyn Solver>> = Ours::all()?.into_iter().map(boxed).collect();
    if let Some(backend) = args.backend {
        let (device, on_device) = backend.open()?;
        environment.device = Some(device);
        solvers.extend(on_device);
    }
    #[cfg(feature = "peers")]
    solvers.push(Box::new(optical_benches::wass_crate::Wass::new(
        environment.library("wass"),
    )));
    if let Some(python) = &args.peers {
        let device = if args.backend == Some(Backend::Cuda) {
            "cuda"
        } else {
            "cpu"
        };
        for peer in peers::start(python, device)? {
            solvers.push(Box::new(peer));
        }
    }
    Ok(solvers)
}

/// Writes the page and the pictures beside the result file.
fn show(results: &Results, out: &Path) -> anyhow::Result<()> {
    let stem = out.with_extension("");
    let picture = picture::draw(results, &stem)?;
    let name = picture
        .png
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let page = out.with_extension("md");
    write_whole(&page, &tables::page(results, &name)?)?;
    for path in [out, &page, &picture.png, &picture.svg] {
        print(format_args!("{}\n", path.display()))?;
    }
    Ok(())
}
