//! Starts cargo with the right features and arguments, and checks the house; nothing else.
//!
//! `cargo xtask train` is the main job, `cargo xtask test` all that a change has to pass.

mod architecture;
mod check;
mod start;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Starts the jobs of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    /// Fetch, distil, index, evaluate and report, as a run file says: the quickstart's if none is named.
    #[command(disable_help_flag = true)]
    Train(PassedOn),
    /// Rank and score the systems of a run file that need no encoder.
    #[command(disable_help_flag = true)]
    Baselines(PassedOn),
    /// Fetch data, and nothing else.
    #[command(disable_help_flag = true)]
    Fetch(PassedOn),
    /// Compare variants of a run file, with several students each.
    #[command(disable_help_flag = true)]
    Study(PassedOn),
    /// Score a finished run on the questions of its `final_test`, once.
    #[command(disable_help_flag = true)]
    FinalTest(PassedOn),
    /// Train a teacher on English relevance data.
    #[command(disable_help_flag = true)]
    Teach(PassedOn),
    /// Show how a run goes on, in the terminal or in TensorBoard.
    #[command(disable_help_flag = true)]
    Watch(PassedOn),
    /// Find hard negatives to train a teacher on.
    #[command(disable_help_flag = true)]
    Mine(PassedOn),
    /// Read and filter a run's bitext, and say what is left out and why.
    #[command(disable_help_flag = true)]
    Bitext(PassedOn),
    /// Turn texts into vectors.
    #[command(disable_help_flag = true)]
    Encode(PassedOn),
    /// Search an index: type a query, read documents.
    #[command(disable_help_flag = true)]
    Search(PassedOn),
    /// Score a run against relevance judgements.
    #[command(disable_help_flag = true)]
    Evaluate(PassedOn),
    /// Show the transport plan of a sentence pair.
    #[command(disable_help_flag = true)]
    Align(PassedOn),
    /// Solve a transport problem.
    #[command(disable_help_flag = true)]
    Ot(PassedOn),
    /// Measure solvers, ours and others, in one run; compare two such runs.
    ///
    /// `--backend NAME` compiles in flex, wgpu, vulkan, metal or cuda and measures there as well;
    /// `--peers PYTHON` compiles in the Rust crate among the others.
    #[command(disable_help_flag = true)]
    Bench(PassedOn),
    /// Check architecture, formatting, lints and documentation, and run all tests.
    Test {
        /// Also run the transport kernels on a Vulkan device, a software one if there is no other,
        /// and check the types of the CUDA build; both take minutes to compile
        #[arg(long)]
        gpu: bool,
    },
}

#[derive(Args)]
struct PassedOn {
    /// `--backend NAME` compiles in wgpu, vulkan, metal or cuda; all else is for `optical`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().job {
        Job::Train(passed_on) => start::optical("train", passed_on.arguments),
        Job::Baselines(passed_on) => start::optical("baselines", passed_on.arguments),
        Job::Fetch(passed_on) => start::optical("fetch", passed_on.arguments),
        Job::Study(passed_on) => start::optical("study", passed_on.arguments),
        Job::FinalTest(passed_on) => start::optical("final-test", passed_on.arguments),
        Job::Teach(passed_on) => start::optical("teach", passed_on.arguments),
        Job::Watch(passed_on) => start::optical("watch", passed_on.arguments),
        Job::Mine(passed_on) => start::optical("mine", passed_on.arguments),
        Job::Bitext(passed_on) => start::optical("bitext", passed_on.arguments),
        Job::Encode(passed_on) => start::optical("encode", passed_on.arguments),
        Job::Search(passed_on) => start::optical("search", passed_on.arguments),
        Job::Evaluate(passed_on) => start::optical("evaluate", passed_on.arguments),
        Job::Align(passed_on) => start::optical("align", passed_on.arguments),
        Job::Ot(passed_on) => start::optical("ot", passed_on.arguments),
        Job::Bench(passed_on) => start::bench(passed_on.arguments),
        Job::Test { gpu } => check::all(root(), gpu).map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        say(format_args!("error: {error:#}"));
        ExitCode::FAILURE
    })
}

/// Says a line on standard error, as `eprintln!` does, but without a panic where that is closed.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The folder of the workspace, wherever the command was typed.
fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_are_passed_on_in_order() {
        let line = "xtask evaluate qrels run -m map -q --json --backend cuda";
        let job = Cli::try_parse_from(line.split(' ')).unwrap().job;
        let Job::Evaluate(passed_on) = job else {
            panic!("{line}")
        };
        let expected = [
            "qrels",
            "run",
            "-m",
            "map",
            "-q",
            "--json",
            "--backend",
            "cuda",
        ];
        assert_eq!(passed_on.arguments, expected);
    }

    #[test]
    fn help_on_a_command_of_optical_is_for_optical() {
        let job = Cli::try_parse_from(["xtask", "ot", "--help"]).unwrap().job;
        let Job::Ot(passed_on) = job else {
            panic!("not ot")
        };
        assert_eq!(passed_on.arguments, ["--help"]);
    }

    #[test]
    fn a_flag_may_come_first() {
        let line = "xtask train --offline --config night.toml";
        let Job::Train(passed_on) = Cli::try_parse_from(line.split(' ')).unwrap().job else {
            panic!("{line}")
        };
        assert_eq!(passed_on.arguments, ["--offline", "--config", "night.toml"]);
    }
}
