//! The `optical` command: arguments, device choice, progress and printing; all else is in libraries.

mod commands;
mod console;
mod device;
mod fetching;
mod lines;
mod named;
mod progress;
mod say;
mod site;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

// Training allocates and frees large buffers at every operation; the system's allocator gives them
// back to the kernel each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Search English documents in languages the web forgot
#[derive(Debug, Parser)]
#[command(name = "optical", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring data sets into the cache
    Fetch(commands::fetch::FetchArgs),
    /// Read and filter a run's bitext, and say what is left out and why
    Bitext(commands::bitext::BitextArgs),
    /// Distil, index, evaluate and report, as a run file says
    Train(commands::train::TrainArgs),
    /// Rank and score what a run file compares with and needs no encoder
    Baselines(commands::baselines::BaselinesArgs),
    // A line here would hide the longer help of the arguments.
    Study(commands::study::StudyArgs),
    FinalTest(commands::final_test::FinalTestArgs),
    Teach(commands::teach::TeachArgs),
    Watch(commands::watch::WatchArgs),
    Mine(commands::mine::MineArgs),
    Encode(commands::encode::EncodeArgs),
    /// Ask a finished run's index in any of its languages
    Search(commands::search::SearchArgs),
    /// Measure a run against judgements, as trec_eval does
    Evaluate(commands::evaluate::EvaluateArgs),
    Analyse(commands::analyse::AnalyseArgs),
    /// Show the soft alignment of a sentence and its translation
    Align(commands::align::AlignArgs),
    /// Solve optimal transport problems
    Ot(commands::ot::OtArgs),
    Cache(commands::cache::CacheArgs),
    Completions(commands::completions::CompletionsArgs),
}

fn main() -> ExitCode {
    let result = match &Arguments::parse().command {
        Command::Fetch(args) => commands::fetch::run(args),
        Command::Bitext(args) => commands::bitext::run(args),
        Command::Train(args) => commands::train::run(args),
        Command::Baselines(args) => commands::baselines::run(args),
        Command::Study(args) => commands::study::run(args),
        Command::FinalTest(args) => commands::final_test::run(args),
        Command::Teach(args) => commands::teach::run(args),
        Command::Watch(args) => commands::watch::run(args),
        Command::Mine(args) => commands::mine::run(args),
        Command::Encode(args) => commands::encode::run(args),
        Command::Search(args) => commands::search::run(args),
        Command::Evaluate(args) => commands::evaluate::run(args),
        Command::Analyse(args) => commands::analyse::run(args),
        Command::Align(args) => commands::align::run(args),
        Command::Ot(args) => commands::ot::run(args),
        Command::Cache(args) => commands::cache::run(args),
        Command::Completions(args) => commands::completions::run(args, Arguments::command()),
    };
    match result {
        Err(error) if !error.chain().any(|cause| cause.is::<say::SeenEnough>()) => {
            say::say(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
