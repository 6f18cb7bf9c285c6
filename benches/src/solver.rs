//! What a solver is to the benchmark, and what one run of it gives.

use std::time::Instant;

use cpu_time::ProcessTime;
use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::input::Input;

/// A solver that can be measured.
pub trait Solver {
    /// What it is.
    fn about(&self) -> &About;

    /// Whether it solves such cases at all; where it should but fails, [`prepare`](Self::prepare)
    /// or the run says why.
    fn takes(&self, case: &Case) -> bool;

    /// Makes ready, outside all timing: numbers in the solver's own format, on its own device.
    ///
    /// # Errors
    /// If it cannot solve this input.
    fn prepare<'a>(&'a self, input: &'a Input) -> anyhow::Result<Run<'a>>;
}

/// Solves the input that it was prepared for, once more at each call.
pub type Run<'a> = Box<dyn FnMut() -> anyhow::Result<Measured> + 'a>;

/// What a solver is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its name; no other solver of a run has it.
    pub name: String,
    /// Versions of its libraries.
    pub version: String,
    /// Where it computes: `cpu`, or a backend such as `wgpu` or `cuda`.
    pub device: String,
    /// Threads of the processor that it uses.
    pub threads: usize,
    /// What it works on.
    pub form: Form,
}

/// What a solver works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// One of ours.
    Ours,
    /// Potentials in the log domain: as stable as ours.
    Log,
    /// A matrix of exponentials, which underflow where epsilon is small.
    Kernel,
    /// No regularisation.
    Exact,
}

impl About {
    /// Returns the clock that counts: a device works while the processor waits, and threads work side by side.
    #[must_use]
    pub fn clock(&self) -> Clock {
        if self.device == "cpu" && self.threads == 1 {
            Clock::Processor
        } else {
            Clock::Wall
        }
    }
}

/// How a run is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// Time of the processor, of all threads together: the machine's other work does not count.
    Processor,
    /// Time on the wall.
    Wall,
}

/// What one run of a solver took and found.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// How long it took, from the costs in memory to the values in memory.
    pub seconds: Seconds,
    /// `<P, C>` of every problem.
    pub values: Vec<f64>,
}

/// How long a run took, by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// Time of the processor, in seconds.
    pub processor: f64,
    /// Time on the wall, in seconds.
    pub wall: f64,
}

impl Seconds {
    /// Returns the time by one clock.
    #[must_use]
    pub fn by(&self, clock: Clock) -> f64 {
        match clock {
            Clock::Processor => self.processor,
            Clock::Wall => self.wall,
        }
    }
}

/// Times a solve within this process.
///
/// # Errors
/// As the solve.
pub fn timed(solve: impl FnOnce() -> anyhow::Result<Vec<f64>>) -> anyhow::Result<Measured> {
    let (processor, wall) = (ProcessTime::now(), Instant::now());
    let values = solve()?;
    let seconds = Seconds {
        processor: processor.elapsed().as_secs_f64(),
        wall: wall.elapsed().as_secs_f64(),
    };
    Ok(Measured { seconds, values })
}
