//! How long the tests of each crate took, by what cargo prints.

use std::fmt::{self, Display, Formatter};

/// Seconds by crate, in the order in which cargo tests them.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<(String, f64)>);

impl Times {
    /// Takes in a line of `cargo test`.
    pub(crate) fn hear(&mut self, line: &str) {
        let line = plain(line);
        let line = line.trim();
        if let Some(name) = line.strip_prefix("Doc-tests ") {
            // The documentation comes after all crates.
            self.begin(name);
        } else if let Some((_, file)) = line
            .strip_prefix("Running unittests ")
            .and_then(|rest| rest.split_once("/deps/"))
        {
            self.begin(file.rsplit_once('-').map_or(file, |(name, _)| name));
        } else if let Some((_, seconds)) = line.split_once("; finished in ")
            && let Ok(seconds) = seconds.trim_end_matches('s').parse::<f64>()
            && let Some((_, sum)) = self.0.last_mut()
        {
            *sum += seconds;
        }
    }

    fn begin(&mut self, name: &str) {
        let name = name.replace('_', "-");
        let known = self.0.iter().position(|(known, _)| *known == name);
        let entry = known.map_or((name, 0.0), |place| self.0.remove(place));
        self.0.push(entry);
    }
}

/// A line without colours.
fn plain(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text += part.split_once('m').map_or("", |(_, rest)| rest);
    }
    text
}

impl Display for Times {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "seconds of tests by crate:")?;
        let mut times: Vec<_> = self.0.iter().collect();
        times.sort_by(|a, b| b.1.total_cmp(&a.1));
        for (name, seconds) in times {
            write!(f, "\n{seconds:>8.1}  {name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_crate_whose_tests_run() {
        let mut times = Times::default();
        for line in [
            "   Compiling optical-files v0.1.0",
            "\u{1b}[1m\u{1b}[92m     Running\u{1b}[0m unittests src/lib.rs (target/debug/deps/optical_files-0a1b)",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.50s",
            "     Running tests/round.rs (target/debug/deps/round-0a1b)",
            "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.25s",
            "     Running unittests src/main.rs (target/debug/deps/optical-77)",
            "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 9.00s",
            "   Doc-tests optical_files",
            "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.25s",
        ] {
            times.hear(line);
        }
        let expected = "seconds of tests by crate:\n     9.0  optical\n     2.0  optical-files";
        assert_eq!(times.to_string(), expected);
    }
}
