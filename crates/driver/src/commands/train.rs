//! `optical train`: the main job, from the run file to the report.

use std::path::PathBuf;

use optical_experiment::{Opened, Start, stages};

use crate::device::TrainingDevices;
use crate::named::NamedRunFile;
use crate::say::print;
use crate::site;

/// Distil, index, evaluate and report, as a run file says; the same command resumes after a stop
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    #[command(flatten)]
    file: NamedRunFile,
    /// The run folder [default: runs/NAME-OF-RUN-FILE]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Begin from the last checkpoint of another run of the same data, model and settings, in a folder
    /// of its own: for other learning rates after a training that failed, or more steps
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Download nothing: use the cache, or say what it lacks
    #[arg(long)]
    offline: bool,
    /// Train nothing and write nothing: find all that is wrong with the run file and its data, and say
    /// what the run takes of time, memory and disk
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    devices: TrainingDevices,
}

/// Runs all stages; a stage whose result is there is skipped.
pub fn run(args: &TrainArgs) -> anyhow::Result<()> {
    let run = args.file.read()?;
    let (site, devices_fault) = site::training(args.devices, args.check, args.offline)?;
    let folder = args.file.folder(args.run.as_deref());
    let start = Start {
        run,
        folder: folder.clone(),
        site: &site,
        devices_fault,
        check_only: args.check,
        encodes: true,
    };
    match start.open()? {
        Opened::Checked(lines) => print(lines),
        Opened::Ready(started) => {
            let table = stages::train(*started, args.from.as_deref())?;
            let report = folder.join("report.md");
            print(format_args!("{table}\nreport: {}\n", report.display()))
        }
    }
}
