//! `optical baselines`: the systems of a run file that need no encoder, in seconds.

use std::path::PathBuf;

use anyhow::Context;
use burn::tensor::Device;

use crate::experiment::check::{Reach, Start, Started};
use crate::experiment::inputs::Inputs;
use crate::experiment::lexical::Lexical;
use crate::experiment::{scores, summary};
use crate::named::NamedRunFile;
use crate::say::print;

/// Rank and score the systems of a run file that need no encoder: BM25 and query translation
///
/// They are ranked as `train` ranks them, in the same folder: train goes on from there.
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
    // No tensor is made.
    let device = Device::default();
    let (run, text) = args.file.read()?;
    let start = Start {
        file: args.file.path(),
        run,
        text,
        folder: args.file.folder(args.run.as_deref()),
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
    Inputs::of_students(&experiment.run, &data).note(&experiment.folder)?;
    let queries = experiment.asked(&data.collection.queries);
    let english = experiment.asked(&data.collection.english);
    let lexical = Lexical::prepare(&experiment, &mut data)?;
    let systems = lexical.systems(&queries, &english);
    let evaluations = scores::evaluate_systems(&experiment, &data.collection, &systems)?;
    print(summary::table(&experiment.run, &evaluations)? + "\n")
}
