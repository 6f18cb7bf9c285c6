//! What can go wrong with the Bible: its manifest, its database, and cuts of it.

use std::path::PathBuf;

use crate::manifest::ManifestError;

/// Why the Bible was refused, or what is asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BibleError {
    /// A data set's manifest was refused.
    #[error("manifest {}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Why.
        source: ManifestError,
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
}
