//! Query translation, word by word: the lexical way from a query in one language to documents in
//! another, and the baseline of every other way.
//!
//! A [`TranslationTable`] says what the words of a language mean in English, with probabilities. It
//! is estimated from bitext ([`ibm1`]), read from a dictionary ([`dictionary`]), or read from a file
//! of its own. [`QueryTranslation`] turns a query into terms for
//! [`Bm25Index::search_terms`](crate::Bm25Index::search_terms): probabilistic structured queries, or
//! the best few translations of each word.

pub mod dictionary;
pub mod ibm1;
mod query;
mod switch;
mod table;

use std::io;
use std::path::PathBuf;

use optical_files::text::TextError;

pub use self::query::{Combine, QueryTranslation, Unknown, Weights};
pub use self::switch::CodeSwitch;
pub use self::table::{Pruning, Translation, TranslationTable};

/// Why a table or a dictionary could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TranslationError {
    /// The file cannot be read as text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The file cannot be written.
    #[error("{}: cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not what the format asks for.
    #[error("{}:{line}: {found:?}, expected {expected}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The line as it is.
        found: String,
        /// What should stand there.
        expected: &'static str,
    },
}
