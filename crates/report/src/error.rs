//! Why nothing was drawn or written.

use std::path::PathBuf;

/// Why a table, a picture or a page was refused, or could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// There is nothing to show.
    #[error("{0} is empty")]
    Empty(String),
    /// A number is NaN or infinite, so it has no place in a picture or a page.
    #[error("{what}: value {index} is {value}, expected a finite number")]
    NotFinite {
        /// Series, system or plan that holds the number.
        what: String,
        /// Position in it, from 0.
        index: usize,
        /// The number itself.
        value: f64,
    },
    /// Two lengths that belong together differ.
    #[error("{what}: {found} values, expected {expected}")]
    Length {
        /// Row, group or plan with the wrong length.
        what: String,
        /// Length found.
        found: usize,
        /// Length that the headers, labels or series ask for.
        expected: usize,
    },
    /// A value is outside its domain.
    #[error("{what}: value {index} is {value}, expected {expected}")]
    Domain {
        /// What holds the value.
        what: String,
        /// Position in it, from 0.
        index: usize,
        /// The value itself.
        value: f64,
        /// The domain, in words.
        expected: &'static str,
    },
    /// A language or a comparison names a system that the summary does not list.
    #[error("{place} names the system {system:?}, expected one of {expected:?}")]
    UnknownSystem {
        /// Language, or field of the summary, with the name.
        place: String,
        /// The name found.
        system: String,
        /// Names that the summary lists.
        expected: Vec<String>,
    },
    /// The picture's SVG could not be read back to be painted.
    #[error("the picture is not valid svg")]
    Svg(#[from] resvg::usvg::Error),
    /// The picture is too large to be held in memory.
    #[error("a picture of {width} x {height} pixels is too large to paint")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The painted picture could not be packed as PNG.
    #[error("the picture cannot be packed as png")]
    Png(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The summary could not be written as JSON.
    #[error("the summary cannot be written as json")]
    Json(#[from] serde_json::Error),
    /// The file could not be written beside its place or moved there.
    #[error("{} cannot be written", path.display())]
    Write {
        /// Where the file was to go.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Refuses the first number of `values` that is NaN or infinite.
pub(crate) fn require_finite(
    what: &str,
    values: impl IntoIterator<Item = f64>,
) -> Result<(), ReportError> {
    match values
        .into_iter()
        .enumerate()
        .find(|(_, value)| !value.is_finite())
    {
        Some((index, value)) => Err(ReportError::NotFinite {
            what: what.to_owned(),
            index,
            value,
        }),
        None => Ok(()),
    }
}
