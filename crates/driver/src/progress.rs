//! Progress: a bar with rate and time left on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::say::say;

const BETWEEN_LINES: Duration = Duration::from_secs(20);

/// Progress through a known number of things.
#[derive(Debug)]
pub struct Progress {
    name: String,
    bar: ProgressBar,
    lines: Option<Lines>,
}

#[derive(Debug)]
struct Lines {
    began: Instant,
    printed: Instant,
    first: u64,
    total: u64,
}

impl Progress {
    /// Starts at `first` of `total`.
    pub fn new(name: &str, first: u64, total: u64) -> Self {
        let drawn = is_drawn();
        let bar = if drawn {
            ProgressBar::new(total)
        } else {
            ProgressBar::hidden()
        };
        let template = "{prefix:>18} {bar:30} {pos}/{len} {per_sec} {eta} left {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        bar.set_position(first);
        bar.reset_eta();
        let now = Instant::now();
        let lines = (!drawn).then_some(Lines {
            began: now,
            printed: now,
            first,
            total,
        });
        Self {
            name: name.to_owned(),
            bar,
            lines,
        }
    }

    /// What is being done.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reports that `position` things are done, with a word on how they go.
    pub fn at(&mut self, position: u64, message: &str) {
        self.bar.set_position(position);
        self.bar.set_message(message.to_owned());
        let Some(lines) = &mut self.lines else { return };
        if lines.printed.elapsed() < BETWEEN_LINES && position != lines.total {
            return;
        }
        lines.printed = Instant::now();
        let rate =
            position.saturating_sub(lines.first) as f64 / lines.began.elapsed().as_secs_f64();
        let left = lines.total.saturating_sub(position) as f64 / rate.max(1e-9);
        say(format_args!(
            "{}: {position}/{} {rate:.2}/s, {left:.0} s left {message}",
            self.name, lines.total
        ));
    }

    /// Prints a line that stays, above the bar where there is one.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| say(line));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Whether somebody reads standard error on a terminal.
pub fn is_drawn() -> bool {
    std::io::stderr().is_terminal()
}
