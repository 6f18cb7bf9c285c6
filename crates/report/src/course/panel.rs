//! What `optical watch` shows: a few lines about a run.

use std::time::Duration;

use crate::sparkline;

use super::history::{Curve, History, Reading};

/// Characters that a trend is drawn in.
const TREND: usize = 32;

/// A run as seen from outside.
pub struct Panel<'a> {
    /// The run's name.
    pub name: &'a str,
    /// Its events so far.
    pub history: &'a History,
    /// The steps that the run file asks for, if it says so.
    pub steps: Option<u64>,
    /// Whether there will be no more.
    pub finished: bool,
    /// How long the run has told nothing.
    pub silence: Duration,
}

impl Panel<'_> {
    /// Writes all lines.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.headline()];
        // Quantities of each language, say, stand in one line: by the first and the last key.
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        let mut curves = Vec::new();
        for (name, curve) in self.history.curves() {
            let last = curve.values.last().copied().unwrap_or(f64::NAN);
            match (name.split_once('/'), name.rsplit_once('/')) {
                (Some((first, _)), Some((path, leaf))) => {
                    let of = path.strip_prefix(first).unwrap_or_default();
                    let (title, member) = match of.strip_prefix('/') {
                        Some(member) => (format!("{} {}", plain(first), plain(leaf)), member),
                        None => (plain(first), leaf),
                    };
                    let entry = format!("{member} {}", number(last));
                    match groups.iter_mut().find(|(known, _)| *known == title) {
                        Some((_, entries)) => entries.push(entry),
                        None => groups.push((title, vec![entry])),
                    }
                }
                _ => curves.push((plain(name), curve, last)),
            }
        }
        // Events are objects without an order; what is learned by comes first.
        curves.sort_by_key(|(name, ..)| name != "loss");
        let names = curves.iter().map(|(name, ..)| name);
        let names = names.chain(groups.iter().map(|(name, _)| name));
        let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
        for (name, curve, last) in &curves {
            lines.push(format!("{name:>width$}  {}", trend(curve, *last)));
        }
        for (name, entries) in &groups {
            lines.push(format!("{name:>width$}  {}", entries.join("   ")));
        }
        if let Some(step) = self.history.checkpoint {
            lines.push(format!(
                "{:>width$}  {}",
                "checkpoint",
                self.checkpoint(step)
            ));
        }
        lines
    }

    /// Where the run is, how fast it goes and how long it will.
    pub fn headline(&self) -> String {
        let History { step, .. } = *self.history;
        let mut parts = vec![match self.steps {
            Some(steps) => format!("{}: step {step} of {steps}", self.name),
            None => format!("{}: step {step}", self.name),
        }];
        let seconds = self.history.seconds_per_step();
        parts.extend(seconds.map(|seconds| format!("{} a step", brief(seconds))));
        if self.finished {
            let spent: f64 = self.history.seconds.iter().sum();
            parts.push(format!("finished, {} in steps", brief(spent)));
        } else {
            let left = self.steps.unwrap_or(step).saturating_sub(step);
            if let Some(seconds) = seconds.filter(|_| 0 < left) {
                parts.push(format!("{} left", brief(left as f64 * seconds)));
            }
            let usual = (20.0 * seconds.unwrap_or(0.0)).max(60.0);
            if usual < self.silence.as_secs_f64() {
                parts.push(format!(
                    "silent for {}: stopped, or busy with something else",
                    brief(self.silence.as_secs_f64())
                ));
            }
        }
        parts.join(", ")
    }

    fn checkpoint(&self, step: u64) -> String {
        let behind = self.history.step.saturating_sub(step);
        if self.finished {
            return format!("of step {step}");
        }
        let age = self.history.since_checkpoint + self.silence.as_secs_f64();
        format!("of step {step}, {behind} steps and {} ago", brief(age))
    }
}

/// An event in a line, for where nothing can be drawn.
pub fn line(reading: &Reading) -> String {
    let step = reading.step.map(|step| format!("step {step} "));
    let values: Vec<_> = (reading.values.iter())
        .map(|(name, value)| format!("{} {}", plain(name), number(*value)))
        .collect();
    let (step, event) = (step.unwrap_or_default(), plain(&reading.event));
    format!("{step}{event}: {}", values.join(", "))
}

fn trend(curve: &Curve, last: f64) -> String {
    let first = curve.values.first().copied().unwrap_or(f64::NAN);
    let line = sparkline(&curve.values, TREND);
    let last = number(last);
    match curve.values.len() {
        1 => format!("{line:TREND$}  {last:>9}  at step {}", curve.step),
        _ => format!("{line:TREND$}  {last:>9}  first {}", number(first)),
    }
}

fn plain(name: &str) -> String {
    name.replace(['_', '/'], " ")
}

/// A number in about four digits.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if (1e-3..1e4).contains(&size) => {
            let whole = size.log10().floor().max(0.0) as usize;
            format!("{value:.*}", 4_usize.saturating_sub(whole))
        }
        size if size.is_finite() => format!("{value:.2e}"),
        _ => value.to_string(),
    }
}

/// A time in its two largest units.
fn brief(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.2} s"),
        10..100 => format!("{whole} s"),
        100..6_000 => format!("{} min", (whole + 30) / 60),
        _ => format!("{} h {} min", whole / 3_600, whole % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn history(lines: &[&str]) -> History {
        let mut history = History::default();
        for line in lines {
            history.hear(&Reading::parse(line).unwrap());
        }
        history
    }

    fn panel(history: &History, steps: Option<u64>, finished: bool, silence: u64) -> Vec<String> {
        let panel = Panel {
            name: "runs/a",
            history,
            steps,
            finished,
            silence: Duration::from_secs(silence),
        };
        panel.lines()
    }

    #[test]
    fn a_run_is_shown_with_its_trends() {
        let history = history(&[
            r#"{"event":"step","step":1,"learning_rate":1e-5,"loss":0.5,"seconds":1.5}"#,
            r#"{"event":"checkpoint","step":1}"#,
            r#"{"event":"step","step":2,"learning_rate":2e-5,"loss":0.25,"seconds":2.5}"#,
            r#"{"event":"instruments","step":2,"cosine":0.75,"mates":{"hau":{"rank":0.5},"swa":{"rank":1}}}"#,
        ]);
        let gap = " ".repeat(30);
        let expected = [
            "runs/a: step 2 of 50, 2.00 s a step, 96 s left".to_owned(),
            format!("         loss  █▁{gap}     0.2500  first 0.5000"),
            format!("learning rate  ▁█{gap}    2.00e-5  first 1.00e-5"),
            format!("      seconds  ▁█{gap}     2.5000  first 1.5000"),
            format!("       cosine  ▅ {gap}     0.7500  at step 2"),
            "   mates rank  hau 0.5000   swa 1.0000".to_owned(),
            "   checkpoint  of step 1, 1 steps and 8 s ago".to_owned(),
        ];
        let shown = panel(&history, Some(50), false, 5);
        let trimmed = |lines: &[String]| lines.join("\n").replace("7.50 s ago", "8 s ago");
        assert_eq!(trimmed(&shown), trimmed(&expected));
    }

    #[test]
    fn an_end_and_a_silence_are_told() {
        let history = history(&[r#"{"event":"step","step":9,"seconds":150.0}"#]);
        let headline =
            |steps, finished, silence| panel(&history, steps, finished, silence).remove(0);
        assert_eq!(
            headline(Some(9), true, 9999),
            "runs/a: step 9 of 9, 3 min a step, finished, 3 min in steps"
        );
        assert_eq!(headline(None, false, 0), "runs/a: step 9, 3 min a step");
        let silent = headline(Some(10), false, 7_500);
        assert!(silent.contains("silent for 2 h 5 min"), "{silent}");
        assert_eq!(
            panel(&History::default(), None, false, 0),
            ["runs/a: step 0"]
        );
    }

    #[test]
    fn an_unknown_event_is_a_line_of_its_numbers() {
        let reading =
            Reading::parse(r#"{"event":"early_stop","step":3,"best":{"map":12345.0,"x":0}}"#);
        assert_eq!(
            line(&reading.unwrap()),
            "step 3 early stop: best map 1.23e4, best x 0"
        );
    }
}
