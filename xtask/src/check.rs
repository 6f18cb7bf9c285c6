//! All that a change has to pass, cheapest first, up to the first failure.

use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Instant;

use anyhow::{Context, bail};

use crate::architecture;
use crate::say;
use crate::start::cargo;
use crate::times::Times;

/// One check that is a single call of cargo.
struct Step {
    name: &'static str,
    arguments: &'static [&'static str],
    /// Variables that this step alone sees.
    environment: &'static [(&'static str, &'static str)],
}

const STEPS: &[Step] = &[
    Step {
        name: "formatting",
        arguments: &["fmt", "--all", "--check"],
        environment: &[],
    },
    Step {
        name: "optical-sinkhorn without features",
        arguments: &[
            "check",
            "--package",
            "optical-sinkhorn",
            "--no-default-features",
        ],
        environment: &[],
    },
    Step {
        name: "lints",
        arguments: &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
        environment: &[],
    },
    Step {
        name: "documentation",
        arguments: &["doc", "--workspace", "--no-deps"],
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
    },
    // Without a list of targets, cargo runs the examples in the documentation as well.
    Step {
        name: "tests",
        arguments: &["test", "--workspace"],
        // The same random cases every time: whether a change passes is not a matter of luck. A plain
        // `cargo test` draws others.
        environment: &[("PROPTEST_RNG_SEED", "20")],
    },
];

/// What needs the backends for graphics processors.
const GPU_STEPS: &[Step] = &[
    Step {
        name: "kernels and the main job on Vulkan",
        arguments: &[
            "test",
            "--profile",
            "gpu",
            "--package",
            "optical-sinkhorn",
            "--package",
            "optical-driver",
            "--features",
            "optical-sinkhorn/wgpu,optical-driver/wgpu",
            "--lib",
            "--test",
            "main_job",
            "--",
            "burn::",
            "devices::",
        ],
        environment: &[],
    },
    Step {
        name: "types of the CUDA build",
        arguments: &[
            "check",
            "--profile",
            "gpu",
            "--package",
            "optical-driver",
            "--package",
            "optical-benches",
            "--features",
            "optical-driver/cuda,optical-benches/cuda",
        ],
        // Without it, the build of CubeCL downloads a compiler for kernels, which no check needs.
        environment: &[("DOCS_RS", "1")],
    },
];

/// Runs every check in `root`, on graphics processors too if asked to, and says how long each took.
pub(crate) fn all(root: &Path, gpu: bool) -> anyhow::Result<()> {
    let start = Instant::now();
    timed("architecture", || architecture::check(root))?;
    let gpu_steps: &[Step] = if gpu { GPU_STEPS } else { &[] };
    for step in STEPS.iter().chain(gpu_steps) {
        timed(step.name, || run(step, root))?;
    }
    say(format_args!(
        "all checks passed in {:.1} s",
        start.elapsed().as_secs_f64()
    ));
    Ok(())
}

fn run(step: &Step, root: &Path) -> anyhow::Result<()> {
    let line = step.arguments.join(" ");
    let mut command = cargo();
    command
        .args(step.arguments)
        .envs(step.environment.iter().copied())
        .current_dir(root);
    let started = || format!("cargo {line} cannot be started");
    let status = match step.arguments.first() {
        Some(&"test") => tested(command).with_context(started)?,
        _ => command.status().with_context(started)?,
    };
    if !status.success() {
        bail!("cargo {line}: {status}");
    }
    Ok(())
}

/// Runs tests, passes on what they print, and says how long those of each crate took.
fn tested(mut command: Command) -> anyhow::Result<ExitStatus> {
    if std::io::stderr().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let (reader, writer) = std::io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn()?;
    // The command holds the pipe's other end: without this, the reading would never end.
    drop(command);
    let mut times = Times::default();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? != 0 {
        // The tests are run to their end, whether somebody reads or not.
        let _ = std::io::stdout().lock().write_all(&line);
        times.hear(&String::from_utf8_lossy(&line));
        line.clear();
    }
    say(times);
    Ok(child.wait()?)
}

fn timed(name: &str, check: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    say(format_args!("── {name}"));
    let start = Instant::now();
    check().with_context(|| format!("{name} failed"))?;
    say(format_args!(
        "── {name}: passed in {:.1} s\n",
        start.elapsed().as_secs_f64()
    ));
    Ok(())
}
