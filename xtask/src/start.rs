//! Starts `optical` through cargo, in the folder the user is in.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};

use crate::root;

/// Builds `optical` and starts one of its commands.
///
/// On Unix this process becomes cargo, which becomes `optical`: Ctrl-C then reaches only the
/// program that knows how to stop, and the terminal comes back when its checkpoint is written.
pub(crate) fn optical(command: &str, mut arguments: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let mut cargo = cargo();
    cargo.args([
        "run",
        "--release",
        "--package",
        "optical-driver",
        "--bin",
        "optical",
    ]);
    cargo.arg("--manifest-path").arg(root().join("Cargo.toml"));
    if let Some(backend) = take_option(&mut arguments, "--backend")? {
        cargo.arg("--features").arg(backend);
    }
    cargo.args(["--", command]).args(arguments);
    keep_pages(&mut cargo);
    run(cargo).context("cargo cannot be started")
}

/// Training frees and asks for the same large buffers at every step: giving their pages back to the
/// kernel in between cost 13 % of the processor's time.
fn keep_pages(command: &mut Command) {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        command.env("MIMALLOC_PURGE_DELAY", "-1");
    }
}

/// Builds the benchmarks with what the arguments ask for, and starts one.
pub(crate) fn bench(arguments: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let mut cargo = cargo();
    cargo.args(["run", "--release", "--package", "optical-benches"]);
    cargo.arg("--no-default-features");
    cargo.arg("--manifest-path").arg(root().join("Cargo.toml"));
    let features = bench_features(&arguments)?;
    cargo.arg("--features").arg(features.join(","));
    cargo.arg("--").args(arguments);
    keep_pages(&mut cargo);
    run(cargo).context("cargo cannot be started")
}

/// The cargo features of the benchmarks that arguments ask for, which are passed on all the same.
fn bench_features(arguments: &[OsString]) -> anyhow::Result<Vec<String>> {
    let mut arguments = arguments.to_vec();
    let backend = take_option(&mut arguments, "--backend")?;
    let peers = take_option(&mut arguments, "--peers")?;
    // Each benchmark is built without what the others need.
    if arguments.first().is_some_and(|name| name == "encoder") {
        return Ok(vec!["encoder".to_owned()]);
    }
    let backend = backend.map(|backend| backend.to_string_lossy().into_owned());
    Ok(std::iter::once("threads".to_owned())
        .chain(backend)
        .chain(peers.map(|_| "peers".to_owned()))
        .collect())
}

/// Takes `name VALUE` or `name=VALUE` out of the arguments, wherever it stands: clap would leave
/// an option that follows one it does not know to `optical`.
fn take_option(arguments: &mut Vec<OsString>, name: &str) -> anyhow::Result<Option<OsString>> {
    let value_of = |argument: &OsString| {
        Some(
            argument
                .to_str()?
                .strip_prefix(name)?
                .strip_prefix('=')?
                .to_owned(),
        )
    };
    if let Some(position) = arguments.iter().position(|argument| argument == name) {
        if arguments.len() <= position + 1 {
            bail!("{name} needs a value");
        }
        let value = arguments.remove(position + 1);
        arguments.remove(position);
        return Ok(Some(value));
    }
    let Some(position) = arguments
        .iter()
        .position(|argument| value_of(argument).is_some())
    else {
        return Ok(None);
    };
    Ok(value_of(&arguments.remove(position)).map(OsString::from))
}

/// The cargo that started this program.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

#[cfg(unix)]
fn run(mut command: Command) -> std::io::Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(command.exec())
}

#[cfg(not(unix))]
fn run(mut command: Command) -> std::io::Result<ExitCode> {
    let code = command
        .status()?
        .code()
        .and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn take(line: &str) -> (Option<OsString>, Vec<OsString>) {
        let mut arguments = line.split_whitespace().map(OsString::from).collect();
        (take_option(&mut arguments, "--backend").unwrap(), arguments)
    }

    #[test]
    fn an_option_is_taken_wherever_it_stands() {
        let rest: Vec<OsString> = ["--offline", "--steps", "10"].map(OsString::from).to_vec();
        for line in [
            "--backend wgpu --offline --steps 10",
            "--offline --backend wgpu --steps 10",
            "--offline --steps 10 --backend=wgpu",
        ] {
            assert_eq!(take(line), (Some("wgpu".into()), rest.clone()), "{line}");
        }
        assert_eq!(take("--offline --steps 10"), (None, rest));
    }

    #[test]
    fn benchmarks_are_built_with_what_they_are_asked_for() {
        let features = |line: &str| {
            let arguments: Vec<_> = line.split_whitespace().map(OsString::from).collect();
            bench_features(&arguments).unwrap()
        };
        assert_eq!(features("ot --rounds 1"), ["threads"]);
        assert_eq!(
            features("ot --peers=python3 --backend wgpu"),
            ["threads", "wgpu", "peers"]
        );
        assert_eq!(features("compare a.json b.json"), ["threads"]);
        assert_eq!(features("encoder --peers=python3"), ["encoder"]);
    }

    #[test]
    fn an_option_without_its_value_is_an_error() {
        let error = take_option(&mut vec!["--backend".into()], "--backend").unwrap_err();
        assert_eq!(error.to_string(), "--backend needs a value");
    }
}
