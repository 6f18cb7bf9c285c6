//! Other programs, asked over a pipe by a Python script that stays alive between the runs.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::cases::Case;
use crate::measure::Measured;

/// The script that knows the peers.
const SCRIPT: &str = include_str!("../peers/ot.py");

/// A running Python with the peers that it has.
#[derive(Debug)]
pub struct Peers {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Names of the solvers, each with the version of its library.
    pub solvers: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Question<'a> {
    #[serde(flatten)]
    case: &'a Case,
    /// A file of doubles.
    values: &'a Path,
    solver: &'a str,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Measured { seconds: f64, values: Vec<f64> },
    Unable { unable: String },
}

impl Peers {
    /// Starts `python` with one thread for every library.
    ///
    /// # Errors
    /// If it cannot be started or does not answer.
    pub fn start(python: &Path) -> anyhow::Result<Self> {
        let one = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"].map(|n| (n, "1"));
        let mut child = Command::new(python)
            .args(["-c", SCRIPT])
            .envs(one)
            .env(
                "XLA_FLAGS",
                "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", python.display()))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else {
            bail!("{} has no pipes", python.display());
        };
        let mut peers = Self {
            child,
            input,
            output: BufReader::new(output),
            solvers: Vec::new(),
        };
        peers.solvers = serde_json::from_str(&peers.line()?).context("the list of peers")?;
        Ok(peers)
    }

    /// Lets a peer solve a case whose values lie in a file; `None` where it cannot, with the reason.
    ///
    /// # Errors
    /// If Python ends or answers nonsense.
    pub fn solve(
        &mut self,
        case: &Case,
        values: &Path,
        solver: &str,
    ) -> anyhow::Result<Result<Measured, String>> {
        let question = Question {
            case,
            values,
            solver,
        };
        writeln!(self.input, "{}", serde_json::to_string(&question)?)?;
        let line = self.line()?;
        match serde_json::from_str(&line).with_context(|| format!("{solver} answered {line:?}"))? {
            Answer::Measured { seconds, values } => Ok(Ok(Measured { seconds, values })),
            Answer::Unable { unable } => Ok(Err(unable)),
        }
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("python ended: {}", self.child.wait()?);
        }
        Ok(line)
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // A child that has ended already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
