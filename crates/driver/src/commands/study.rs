//! `optical study`: variants of a run file side by side, with several students each.

use std::path::PathBuf;

use optical_study::{Options, Outcome, Shard, run as run_study};

use crate::device::TrainingDevices;
use crate::named::NamedFile;
use crate::say::print;
use crate::site;

/// Compare variants of a run file, with several students each; the same command resumes after a stop
///
/// The first students of all variants come first, then the second ones: after each, the page is
/// written anew with what there is.
#[derive(Debug, clap::Args)]
pub struct StudyArgs {
    #[command(flatten)]
    file: NamedFile,
    /// The study's folder [default: runs/NAME-OF-STUDY-FILE]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Scores so far, read and written: what another machine or study has left here is not computed
    /// again, if its run file says the same
    /// [default: scores.jsonl in the study's folder]
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,
    /// Train students of these variants and cells only; the page has what is there of the others
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Train students of the I-th of N shares of the cells only, as another machine does the others
    #[arg(long, value_name = "I/N", conflicts_with = "page")]
    shard: Option<Shard>,
    /// Train and rank nothing: write the page of the scores that are there
    #[arg(long, conflicts_with = "only")]
    page: bool,
    /// Download nothing: use the cache, or say what it lacks
    #[arg(long)]
    offline: bool,
    /// Train nothing and write nothing: find all that is wrong with the variants and their data
    #[arg(long, conflicts_with = "page")]
    check: bool,
    /// With --check: say how long it takes where so many floating-point operations are made a second, as
    /// in 20e12; those of this machine are measured without it
    #[arg(long, value_name = "NUMBER", requires = "check", value_parser = speed)]
    flops: Option<f64>,
    #[command(flatten)]
    devices: TrainingDevices,
}

/// Trains what is missing, and writes the page.
pub fn run(args: &StudyArgs) -> anyhow::Result<()> {
    let (site, findings) = site::training(args.devices, args.check, args.offline)?;
    findings.told_problems()?;
    let options = Options {
        scores: args.scores.clone(),
        only: args.only.clone(),
        shard: args.shard,
        page: args.page,
        check_only: args.check,
        flops: args.flops,
    };
    let folder = args.file.folder(args.run.as_deref());
    match run_study(args.file.path(), &folder, &site, &options)? {
        Outcome::Said(line) => print(line),
        Outcome::Written { summary, page } => {
            let table = summary.table()?.to_terminal();
            print(format_args!("{table}\nstudy: {}\n", page.display()))
        }
    }
}

/// A number of operations a second.
fn speed(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number, as in 20e12")?;
    match 0.0 < number && number.is_finite() {
        true => Ok(number),
        false => Err("expected a number above 0".to_owned()),
    }
}
