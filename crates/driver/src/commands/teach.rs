//! `optical teach`: a late-interaction teacher out of an encoder, on English relevance data.

use std::path::PathBuf;

use optical_experiment::{Opened, Teaching};

use crate::device::TrainingDevices;
use crate::named::NamedFile;
use crate::say::print;
use crate::site;

/// Train a teacher on English relevance data; the same command resumes after a stop
///
/// The teacher is a Hugging Face folder in the run folder, which a run file's `model` may name.
/// docs/relevance.md has an example of the file.
#[derive(Debug, clap::Args)]
pub struct TeachArgs {
    #[command(flatten)]
    file: NamedFile,
    /// The run folder [default: runs/NAME-OF-THE-FILE]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Download nothing: use the cache, or say what it lacks
    #[arg(long)]
    offline: bool,
    /// Train nothing and write nothing: find all that is wrong with the file and its data
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    devices: TrainingDevices,
}

/// Trains, and writes the teacher to the run folder.
pub fn run(args: &TeachArgs) -> anyhow::Result<()> {
    let (site, devices_fault) = site::training(args.devices, args.check, args.offline)?;
    let folder = args.file.folder(args.run.as_deref());
    let file = args.file.path();
    match Teaching::open(file, &folder, &site, devices_fault, args.check)? {
        Opened::Checked(lines) => print(lines),
        Opened::Ready(teaching) => {
            print(format_args!("teacher: {}\n", teaching.train()?.display()))
        }
    }
}
