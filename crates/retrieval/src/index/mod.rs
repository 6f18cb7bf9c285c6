//! Indexes of documents that are each a list of token vectors.
//!
//! A document's score for a query is late interaction's MaxSim: for every query vector the largest
//! dot product with any vector of the document, summed over the query vectors (Khattab and Zaharia,
//! ColBERT, SIGIR 2020, equation 3). With unit vectors that is a sum of cosines.

mod exact;
mod file;
mod kernel;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use self::exact::ExactIndex;
use crate::ranking::Hit;

/// Why an index refused a document, a query or a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The vectors of a document cannot be used.
    #[error("vectors of document {id:?}")]
    Document {
        /// The document's id.
        id: String,
        /// What is wrong with its vectors.
        source: VectorError,
    },
    /// The vectors of a query cannot be used.
    #[error("vectors of query {position} (counted from 0)")]
    Query {
        /// The query's place in the call.
        position: usize,
        /// What is wrong with its vectors.
        source: VectorError,
    },
    /// The id already names another document of this index.
    #[error("document {0:?} is already in the index")]
    Duplicate(String),
    /// Vectors need at least one dimension.
    #[error("an index needs at least one dimension")]
    NoDimensions,
    /// The file cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("{}: cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not an index, or is damaged.
    #[error("{}: {fault}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: FileFault,
    },
}

/// Why a list of token vectors was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VectorError {
    /// There is no vector at all.
    #[error("there is no vector")]
    Empty,
    /// The values do not fill whole vectors.
    #[error("{values} values do not fill vectors of {dims} dimensions")]
    Ragged {
        /// The number of values given.
        values: usize,
        /// The dimensions of the index.
        dims: usize,
    },
    /// A value is not a finite number within the range of half precision.
    #[error(
        "value {value} of vector {token}, dimension {dimension} (counted from 0) is not within ±65504"
    )]
    OutOfRange {
        /// The vector's place.
        token: usize,
        /// The place of the value in its vector.
        dimension: usize,
        /// The value.
        value: f32,
    },
}

/// What is wrong with an index file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FileFault {
    /// The file does not begin as an index does.
    #[error("is not an index file")]
    Foreign,
    /// The file was written in a format that this version does not read.
    #[error("is in format {found}, this version reads format {known}")]
    Format {
        /// The format of the file.
        found: u32,
        /// The format that can be read.
        known: u32,
    },
    /// The file does not have the length that its header states.
    #[error("has {found} bytes where its header states {stated}: it is truncated or damaged")]
    Length {
        /// The length of the file.
        found: u64,
        /// The length that follows from the header.
        stated: u64,
    },
    /// The content does not have the checksum that was stored with it.
    #[error("does not have the checksum stored in it: it is damaged")]
    Checksum,
    /// The content contradicts itself.
    #[error("is damaged: {0}")]
    Content(&'static str),
}

/// One query of [`Index::search_many`].
#[derive(Debug, Clone, Copy, Default)]
pub struct QueryRef<'a> {
    /// The query's token vectors, `[tokens, dims]`, row by row.
    pub vectors: &'a [f32],
    /// Ids of documents to leave out of the ranking; ids that the index lacks are passed over.
    pub excluded: &'a [&'a str],
}

/// Documents as token vectors, searched by MaxSim.
///
/// What is made of them is up to the implementation, which is named where an index is made; everything
/// else takes a `&dyn Index`, or what [`open`] returns.
pub trait Index: std::fmt::Debug + Send + Sync {
    /// Adds a document.
    ///
    /// `vectors` has shape `[tokens, dims]`, row by row, with at least one token.
    ///
    /// # Errors
    /// If the vectors are empty, ragged or out of range, or the id is already in the index.
    fn add(&mut self, id: &str, vectors: &[f32]) -> Result<(), IndexError>;

    /// Returns the best `k` documents of each query, best first; ties by id, descending. A query
    /// without a vector, as a text without tokens has it, finds nothing.
    ///
    /// # Errors
    /// If the vectors of a query are ragged or out of range.
    fn search_many(&self, queries: &[QueryRef<'_>], k: usize) -> Result<Vec<Vec<Hit>>, IndexError>;

    /// Returns the best `k` documents of one query; see [`Index::search_many`].
    ///
    /// # Errors
    /// Fails as [`Index::search_many`] does.
    fn search(&self, query: &[f32], k: usize, excluded: &[&str]) -> Result<Vec<Hit>, IndexError> {
        let vectors = query;
        let mut rankings = self.search_many(&[QueryRef { vectors, excluded }], k)?;
        Ok(rankings.pop().unwrap_or_default())
    }

    /// Returns the score of one document for a query's token vectors, as a search gives it; `None` if
    /// the id is not in the index.
    ///
    /// # Errors
    /// If the vectors of the query are empty, ragged or out of range.
    fn score(&self, query: &[f32], id: &str) -> Result<Option<f32>, IndexError>;

    /// Returns for each vector of a query the place of the document's vector with the largest dot
    /// product, which is its term of the score; `None` if the id is not in the index.
    ///
    /// # Errors
    /// Fails as [`Index::score`] does.
    fn partners(&self, query: &[f32], id: &str) -> Result<Option<Vec<usize>>, IndexError> {
        check_query(0, query, self.dims())?;
        let Some(document) = self.vectors(id) else {
            return Ok(None);
        };
        let best = |query: &[f32]| {
            let products = document.chunks(self.dims()).map(|document| {
                let terms = query.iter().zip(document);
                terms.map(|(a, b)| a * b).sum::<f32>()
            });
            let best = products.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
            best.map_or(0, |(place, _)| place)
        };
        Ok(Some(query.chunks(self.dims()).map(best).collect()))
    }

    /// Returns the token vectors of a document, one after the other, as far as the index keeps them;
    /// `None` if the id is not in the index.
    fn vectors(&self, id: &str) -> Option<Vec<f32>>;

    /// Whether a document is in the index.
    fn contains(&self, id: &str) -> bool;

    /// Returns the ids of all documents, in the order in which they were added.
    fn ids(&self) -> Box<dyn Iterator<Item = &str> + '_>;

    /// Returns the number of documents.
    fn len(&self) -> usize;

    /// Whether there is no document.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the dimensions of a vector.
    fn dims(&self) -> usize;

    /// Writes the index to one file, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    fn save(&self, path: &Path) -> Result<(), IndexError>;
}

/// Reads an index that [`Index::save`] wrote, of whatever kind the file says.
///
/// # Errors
/// If the file cannot be read, is not an index, is truncated, or is damaged.
pub fn open(path: &Path) -> Result<Box<dyn Index>, IndexError> {
    // There is one kind so far; another one will begin with other bytes.
    Ok(Box::new(ExactIndex::load(path)?))
}

/// Checks the vectors of a document as [`Index::add`] does, and returns how many there are: what is
/// encoded for hours should not be refused in the end.
///
/// # Errors
/// If the vectors are empty, ragged or out of range.
pub fn check_document(id: &str, vectors: &[f32], dims: usize) -> Result<usize, IndexError> {
    check_vectors(vectors, dims).map_err(|source| IndexError::Document {
        id: id.to_owned(),
        source,
    })
}

/// Checks the vectors of the query at a place of a call.
fn check_query(position: usize, vectors: &[f32], dims: usize) -> Result<(), IndexError> {
    let checked = check_vectors(vectors, dims).map(|_| ());
    checked.map_err(|source| IndexError::Query { position, source })
}

/// Checks a list of token vectors and returns how many there are.
fn check_vectors(vectors: &[f32], dims: usize) -> Result<usize, VectorError> {
    if vectors.is_empty() {
        return Err(VectorError::Empty);
    }
    if !vectors.len().is_multiple_of(dims) {
        return Err(VectorError::Ragged {
            values: vectors.len(),
            dims,
        });
    }
    // Queries are held to half precision's range too: no sum of products can then overflow.
    let range = half::f16::MIN.to_f32()..=half::f16::MAX.to_f32();
    match vectors.iter().position(|value| !range.contains(value)) {
        None => Ok(vectors.len() / dims),
        Some(at) => Err(VectorError::OutOfRange {
            token: at / dims,
            dimension: at % dims,
            value: vectors[at],
        }),
    }
}
