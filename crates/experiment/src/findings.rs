//! What was found wrong, all of it, and told at once.

use std::path::{Path, PathBuf};

use anyhow::bail;
use optical_store::Host;

use crate::places;

/// Things of a kind that are named; the others are counted.
const NAMED: usize = 5;

/// What keeps a run from being made, and what its user should know.
#[derive(Debug, Default)]
pub struct Findings {
    problems: Vec<String>,
    warnings: Vec<String>,
    /// What is said in front of each.
    scope: String,
    /// The file that keys stand in, and its text.
    file: Option<(PathBuf, String)>,
}

impl Findings {
    /// Says `scope` in front of what is found from here on.
    pub fn within(&mut self, scope: &str) {
        self.scope = match scope {
            "" => String::new(),
            scope => format!("{scope}: "),
        };
    }

    /// Says on which line of `text`, the content of `file`, the key of a fault stands.
    pub fn within_file(&mut self, file: &Path, text: &str) {
        self.file = Some((file.to_owned(), text.to_owned()));
    }

    /// Adds a value that keeps the run from being made; the fault begins with its key.
    pub fn fault(&mut self, fault: impl std::fmt::Display) {
        let fault = fault.to_string();
        match &self.file {
            Some((file, text)) => self.problem(places::placed(file, text, &fault)),
            None => self.problem(fault),
        }
    }

    /// Adds what keeps the run from being made; once is enough.
    pub fn problem(&mut self, problem: impl std::fmt::Display) {
        let problem = format!("{}{problem}", self.scope);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Adds what the run can be made with.
    pub fn warn(&mut self, warning: impl std::fmt::Display) {
        let warning = format!("{}{warning}", self.scope);
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Returns what a step has given; its error is a problem.
    pub fn take<T>(&mut self, result: anyhow::Result<T>) -> Option<T> {
        result
            .map_err(|error| self.problem(format!("{error:#}")))
            .ok()
    }

    /// Adds all that was found elsewhere as what the run can be made with.
    pub fn only_warn_of(&mut self, others: Self) {
        for found in others.problems.into_iter().chain(others.warnings) {
            self.warn(found);
        }
    }

    /// Adds problems of one kind, the first by name.
    pub fn problems<T: std::fmt::Display>(&mut self, all: &[T]) {
        for problem in all.iter().take(NAMED) {
            self.problem(problem);
        }
        if let Some(more) = all.len().checked_sub(NAMED + 1) {
            self.problem(format!("… and {} more like these", more + 1));
        }
    }

    /// What the run can be made with.
    #[cfg(test)]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Tells whether nothing keeps the run from being made.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    /// Ends with the problems, if there are any, without the warnings, which were told before.
    ///
    /// # Errors
    /// If there is a problem.
    pub fn told_problems(self) -> anyhow::Result<()> {
        listed(self.problems)
    }

    /// Tells the warnings, and ends with the problems, if there are any.
    ///
    /// # Errors
    /// If there is a problem.
    pub fn told(self, host: &Host) -> anyhow::Result<()> {
        for warning in &self.warnings {
            host.say(format_args!("warning: {warning}"));
        }
        listed(self.problems)
    }
}

/// Makes an error of all problems, one per line; none is not an error.
pub fn listed(mut problems: Vec<String>) -> anyhow::Result<()> {
    match problems.len() {
        0 => Ok(()),
        1 => bail!(problems.remove(0)),
        count => bail!("{count} problems:\n  {}", problems.join("\n  ")),
    }
}

/// Lists some things by name, and how many others there are.
pub fn named<T: std::fmt::Display>(things: &[T]) -> String {
    let first: Vec<_> = things.iter().take(NAMED).map(T::to_string).collect();
    match things.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn all_problems_are_told_once_and_a_single_one_stands_alone() {
        let mut findings = Findings::default();
        findings.warn("w");
        findings.problem("a");
        findings.problem("a");
        assert!(!findings.is_sound());
        assert_eq!(findings.told(&Host::deaf()).unwrap_err().to_string(), "a");
        let mut findings = Findings::default();
        findings.within("variant x");
        assert_eq!(findings.take::<()>(Err(anyhow::anyhow!("no"))), None);
        findings.problems(&[1, 2, 3, 4, 5, 6, 7]);
        let error = findings.told(&Host::deaf()).unwrap_err().to_string();
        assert!(
            error.starts_with("7 problems:\n  variant x: no\n  variant x: 1\n"),
            "{error}"
        );
        assert!(
            error.ends_with("variant x: … and 2 more like these"),
            "{error}"
        );
        Findings::default().told(&Host::deaf()).unwrap();
    }

    #[test]
    fn many_are_counted() {
        assert_eq!(named(&["a", "b"]), "a, b");
        assert_eq!(named(&[1, 2, 3, 4, 5, 6, 7]), "1, 2, 3, 4, 5 and 2 more");
    }
}
