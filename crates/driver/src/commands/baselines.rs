//! `optical baselines`: the systems of a run file that need no encoder, in seconds.

use std::path::PathBuf;

use anyhow::Context;
use burn::tensor::Device;

use crate::experiment::check::{Reach, Start, Started};
use crate::experiment::lexical::Lexical;
use crate::experiment::{run_folder, scores, summary};
use crate::run_file::RunFile;

/// Rank and score the systems of a run file that need no encoder: BM25 and query translation
///
/// They are ranked as `train` ranks them, in the same folder: train goes on from there.
#[derive(Debug, clap::Args)]
pub struct BaselinesArgs {
    /// The run file
    #[arg(default_value = "configs/quickstart.toml")]
    config: PathBuf,
    /// The run folder [default: runs/NAME-OF-RUN-FILE]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Download nothing: use the cache, or say what it lacks
    #[arg(long)]
    offline: bool,
}

/// Makes tables, rankings and scores; what is there is read back.
pub fn run(args: &BaselinesArgs) -> anyhow::Result<()> {
    // No tensor is made.
    let device = Device::default();
    let (run, text) = RunFile::read(&args.config)?;
    let start = Start {
        file: &args.config,
        run,
        text,
        folder: run_folder(&args.config, args.run.as_deref()),
        reach: Reach::of(false, args.offline),
        encodes: false,
    };
    let started = start.open(&Ok(vec![device]))?;
    let Started {
        experiment,
        text,
        mut data,
    } = started.context("the run was not opened")?;
    data.say()?;
    experiment.folder.create(&text)?;
    let queries = experiment.asked(&data.collection.queries);
    let english = experiment.asked(&data.collection.english);
    let lexical = Lexical::prepare(&experiment, &mut data)?;
    let systems = lexical.systems(&queries, &english);
    let evaluations = scores::evaluate_systems(&experiment, &data.collection, &systems)?;
    println!("{}", summary::table(&experiment.run, &evaluations)?);
    Ok(())
}
