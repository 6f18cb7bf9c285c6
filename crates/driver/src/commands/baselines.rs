//! `optical baselines`: the systems of a run file that need no encoder, in seconds.

use std::path::PathBuf;

use burn::tensor::Device;
use optical_experiment::{Opened, Start, stages};

use crate::device::Backend;
use crate::named::NamedRunFile;
use crate::say::print;
use crate::{console, site};

/// Rank and score the systems of a run file that need no encoder: BM25 and query translation
///
/// They are ranked as `train` ranks them, in the same folder: train resumes from there.
#[derive(Debug, clap::Args)]
pub struct BaselinesArgs {
    #[command(flatten)]
    file: NamedRunFile,
    /// The run folder [default: runs/NAME-OF-RUN-FILE]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Download nothing: use the cache, or say what it lacks
    #[arg(long)]
    offline: bool,
}

/// Makes tables, rankings and scores; what is there is read back.
pub fn run(args: &BaselinesArgs) -> anyhow::Result<()> {
    let run = args.file.read()?;
    // No tensor is made.
    let devices = vec![Device::default()];
    let site = site::of(devices, Backend::Flex, args.offline, console::listening()?)?;
    let start = Start {
        run,
        folder: args.file.folder(args.run.as_deref()),
        site: &site,
        devices_fault: None,
        check_only: false,
        encodes: false,
    };
    match start.open()? {
        Opened::Checked(lines) => print(lines),
        Opened::Ready(started) => print(stages::baselines(*started)? + "\n"),
    }
}
