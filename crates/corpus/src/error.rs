//! What can go wrong while a corpus is read.

use std::path::{Path, PathBuf};

use optical_files::text::{LineFault, TextError};
use optical_files::trec::TrecError;

use crate::bitext::MOST_REPEATS;
use crate::filter::FilterError;
use crate::report::BadLine;

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
    /// A value of the run file's filter lies outside its domain.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The temporary file of the pairs cannot be made, written or read back.
    #[error("temporary file in {}", folder.display())]
    Temporary {
        /// Its folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
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
    /// A source is to be repeated never, or absurdly often.
    #[error("repeat = {0}, expected 1 to {MOST_REPEATS}")]
    Repeat(u32),
    /// A data set's manifest was refused.
    #[error("manifest {}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Why.
        source: crate::manifest::ManifestError,
    },
    /// The manifest belongs to another layout of data.
    #[error("manifest {} describes {found} data, expected {expected}", path.display())]
    WrongReader {
        /// The manifest.
        path: PathBuf,
        /// The layout that the source of the run file asks for.
        expected: &'static str,
        /// The layout that the manifest names.
        found: &'static str,
    },
    /// A data set that must be fetched first is not in the cache.
    #[error("{name} is not fetched: there is no {}", missing.display())]
    NotFetched {
        /// The data set.
        name: String,
        /// The file that is missing.
        missing: PathBuf,
    },
    /// A query to a SQLite file failed.
    #[error("{} is not the expected SQLite database", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// An edition of the manifest has no verse in the database.
    #[error("{} has no verse of edition '{edition}'", path.display())]
    EmptyEdition {
        /// The database.
        path: PathBuf,
        /// The edition's code.
        edition: String,
    },
    /// An edition's code is not in the manifest.
    #[error("there is no edition '{edition}', expected one of {known:?}")]
    UnknownEdition {
        /// The code as written.
        edition: String,
        /// The codes that exist.
        known: Vec<String>,
    },
    /// An edition was named for a language that it is not written in.
    #[error("edition '{edition}' is in {found}, not in {expected}")]
    EditionLanguage {
        /// The edition's code.
        edition: String,
        /// The language it was named for.
        expected: String,
        /// Its language by the manifest.
        found: String,
    },
    /// A book number outside the canon of 66 books.
    #[error("{} has a verse of book {book}, expected 1 to 66", path.display())]
    UnknownBook {
        /// The database.
        path: PathBuf,
        /// The number found.
        book: i64,
    },
    /// A cut asks for more queries than the data has.
    #[error("queries = {asked}, but only {found} verses qualify")]
    TooFewQueries {
        /// The number asked for.
        asked: usize,
        /// The number that qualifies.
        found: usize,
    },
    /// A cut asks for fewer documents than are relevant to its queries.
    #[error("documents = {asked}, but the queries have {relevant} relevant ones")]
    TooFewDocuments {
        /// The number asked for.
        asked: usize,
        /// The number of relevant documents.
        relevant: usize,
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
    /// A split of a collection has no query in a language.
    #[error("{} has no question in '{language}'", path.display())]
    NoQueries {
        /// The file of queries.
        path: PathBuf,
        /// The language asked for.
        language: String,
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

impl CorpusError {
    pub(crate) fn line(path: &Path, line: usize, problem: LineProblem) -> Self {
        Self::Line {
            path: path.to_owned(),
            line,
            problem,
        }
    }
}
