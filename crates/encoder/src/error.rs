//! Why a checkpoint was refused.

use std::path::{Path, PathBuf};

use optical_files::text::TextError;
use optical_tokenize::TokenizeError;

/// Why a checkpoint could not be read, written or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncoderError {
    /// A file cannot be read or written.
    #[error("{path} cannot be {action}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A JSON file of the folder cannot be read as text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A JSON file of the folder is malformed or holds impossible values.
    #[error("{path}: {reason}", path = .path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the key and what was expected.
        reason: String,
    },
    /// A weights file is truncated or corrupt.
    #[error("{path} is not a weights file: {reason}", path = .path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The model needs a tensor that the file lacks.
    #[error("{path} has no tensor {name}", path = .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// The file has tensors that the model would ignore.
    #[error("{path} has tensors this model does not use: {names}", path = .path.display())]
    Unused {
        /// The file.
        path: PathBuf,
        /// Their names, separated by commas.
        names: String,
    },
    /// A tensor has another shape than the configuration says.
    #[error("{path}: tensor {name} has shape {found:?}, expected {expected:?}", path = .path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that the configuration implies.
        expected: Vec<usize>,
    },
    /// A tensor holds NaN or an infinity.
    #[error("{path}: tensor {name} holds {value} at position {index}", path = .path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Flat position of the value.
        index: usize,
        /// The value.
        value: f32,
    },
    /// The tokenizer is malformed or refused a text.
    #[error(transparent)]
    Tokenize(#[from] TokenizeError),
    /// The tokenizer's vocabulary does not fit the embedding.
    #[error("the tokenizer has {tokenizer} entries but the embedding has {rows} rows")]
    Vocabulary {
        /// Entries of the tokenizer.
        tokenizer: usize,
        /// Rows of the word embedding.
        rows: usize,
    },
    /// The device failed while results were read back.
    #[error("the device failed: {0}")]
    Device(String),
    /// Two models share no weights to interpolate between.
    #[error("the tuned model does not come from this one: it has {what}")]
    NotTunedFrom {
        /// What only the tuned one has.
        what: String,
    },
    /// Too little text to estimate what a head needs.
    #[error("{tokens} token vectors cannot span {dimensions} dimensions; give more text")]
    TooFewTokens {
        /// Vectors given.
        tokens: usize,
        /// Dimensions to span.
        dimensions: usize,
    },
}

impl EncoderError {
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            action: "read",
            source,
        }
    }

    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            action: "written",
            source,
        }
    }
}
