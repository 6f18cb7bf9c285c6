//! A script of Python at the other end of a pipe, that answers a line with a line.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};

/// How long an answer may take; a program that iterates without end is ended.
const LONGEST: Duration = Duration::from_secs(300);

/// A running script; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Script {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Script {
    /// Starts `script` with this number of threads for every library; returns its first line, too.
    pub(crate) fn start(
        python: &Path,
        script: &Path,
        threads: usize,
        environment: &[(&str, &str)],
    ) -> anyhow::Result<(Self, String)> {
        let threads = threads.to_string();
        let libraries = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"];
        let mut child = Command::new(python)
            .arg(script)
            .envs(libraries.map(|name| (name, &threads)))
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", python.display()))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("{} has no pipes", python.display());
        };
        let (sender, lines) = channel();
        // Waits for lines, so that the one who asks need not wait for ever.
        thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            lines
                .map_while(|line| sender.send(line).ok())
                .for_each(drop);
        });
        let mut script = Self {
            child,
            input,
            lines,
        };
        let line = script.line()?;
        Ok((script, line))
    }

    /// Returns the answer to a question.
    pub(crate) fn ask(&mut self, question: &str) -> anyhow::Result<String> {
        // What has ended does not read; the line it does not write says so.
        let _ = writeln!(self.input, "{question}");
        self.line()
    }

    fn line(&mut self) -> anyhow::Result<String> {
        match self.lines.recv_timeout(LONGEST) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Disconnected) => bail!("python ended: {}", self.child.wait()?),
            Err(RecvTimeoutError::Timeout) => {
                bail!("no answer within {} s", LONGEST.as_secs())
            }
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // A child that has ended already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
