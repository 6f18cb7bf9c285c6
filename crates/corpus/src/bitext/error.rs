//! What can go wrong with bitext beyond the lines of its files.

use std::path::PathBuf;

use crate::report::BadLine;

/// Why bitext was refused as a whole, or cannot be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BitextError {
    /// A file has more bad lines than the run file allows.
    #[error(
        "{} has {bad} bad of {lines} lines, more than bitext_filter.maximum_bad_share = {allowed} allows: {}",
        path.display(), listed(first)
    )]
    BadLines {
        /// The file.
        path: PathBuf,
        /// Its number of lines, or of units.
        lines: usize,
        /// How many of them are bad.
        bad: usize,
        /// The share that is allowed.
        allowed: f64,
        /// The first bad lines.
        first: Vec<BadLine>,
    },
    /// The temporary file of the pairs cannot be made, written or read back.
    #[error("temporary file in {}", folder.display())]
    Temporary {
        /// Its folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A source is to be repeated never, or absurdly often.
    #[error("repeat = {found}, expected 1 to {most}")]
    Repeat {
        /// How often.
        found: u32,
        /// The most that is taken.
        most: u32,
    },
    /// A translation memory has no segment of a language.
    #[error("{} has no segment in '{tag}'; {}", path.display(), listed_tags(found))]
    NoLanguage {
        /// The file.
        path: PathBuf,
        /// The language tag asked for.
        tag: String,
        /// The tags that occur.
        found: Vec<String>,
    },
}

fn listed(lines: &[BadLine]) -> String {
    let lines: Vec<_> = lines.iter().map(BadLine::to_string).collect();
    lines.join("; ")
}

fn listed_tags(tags: &[String]) -> String {
    match tags {
        [] => "it has no segment at all".to_owned(),
        tags => format!("its language tags are {}", tags.join(", ")),
    }
}
