//! Starts cargo with the right features and arguments, and checks the house; nothing else.
//!
//! `cargo xtask train` is the main job, `cargo xtask test` all that a change has to pass.

mod architecture;
mod check;
mod start;
mod times;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Starts the jobs of this workspace: `train`, the main job, and every other command of `optical`
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
#[command(
    after_help = "Commands of optical: train, baselines, study, final-test, search, align, evaluate, \
    encode, bitext, teach, mine, watch, fetch, ot, analyse, cache, completions"
)]
struct Cli {
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
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
    /// Any command of `optical`; `--backend NAME` compiles in wgpu, vulkan, metal or cuda.
    #[command(external_subcommand)]
    Optical(Vec<OsString>),
}

/// The commands of `optical`: another word is told before anything is built.
const COMMANDS: [&str; 17] = [
    "align",
    "analyse",
    "baselines",
    "bitext",
    "cache",
    "completions",
    "encode",
    "evaluate",
    "fetch",
    "final-test",
    "mine",
    "ot",
    "search",
    "study",
    "teach",
    "train",
    "watch",
];

#[derive(Args)]
struct PassedOn {
    /// What the benchmarks are given.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().job {
        Job::Bench(passed_on) => start::bench(passed_on.arguments),
        Job::Optical(words) => optical(words),
        Job::Test { gpu } => check::all(root(), gpu).map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        say(format_args!("error: {error:#}"));
        ExitCode::FAILURE
    })
}

/// Starts a command of `optical`.
fn optical(mut words: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let command = words.remove(0).to_string_lossy().into_owned();
    anyhow::ensure!(
        COMMANDS.contains(&&*command),
        "{command} is not a job; expected bench, test or a command of `optical`: {}",
        COMMANDS.join(", ")
    );
    start::optical(&command, words)
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

    fn words(line: &str) -> Vec<OsString> {
        let job = Cli::try_parse_from(line.split(' ')).unwrap().job;
        let Job::Optical(words) = job else {
            panic!("{line}")
        };
        words
    }

    #[test]
    fn what_follows_a_command_is_passed_on_in_order() {
        for line in [
            "evaluate qrels run -m map -q --json --backend cuda",
            "ot --help",
            "train --offline --config night.toml",
        ] {
            let expected: Vec<&str> = line.split(' ').collect();
            assert_eq!(words(&format!("xtask {line}")), expected);
        }
    }

    #[test]
    fn a_misspelt_command_is_told_before_anything_is_built() {
        let error = optical(words("xtask trian")).unwrap_err().to_string();
        assert!(error.starts_with("trian is not a job"), "{error}");
    }

    /// Every command of `optical` is a file among its commands.
    #[test]
    fn all_commands_of_optical_are_known() {
        let folder = root().join("crates/driver/src/commands");
        let files = std::fs::read_dir(folder).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let names = names.filter(|name| name != "mod.rs");
        let mut names: Vec<String> = names
            .map(|name| name.trim_end_matches(".rs").replace('_', "-"))
            .collect();
        names.sort();
        assert_eq!(names, COMMANDS);
    }
}
