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
    /// Something else is in the place of a file, since the file was never fetched.
    #[error("{path} is {reason}", path = .path.display())]
    Placeholder {
        /// The file.
        path: PathBuf,
        /// What it is, and what to do about it.
        reason: &'static str,
    },
    /// A folder has no file that every model has.
    #[error("{folder} is not a model's folder: it has no {name}", folder = .folder.display())]
    NoModel {
        /// The folder.
        folder: PathBuf,
        /// What is expected there.
        name: &'static str,
    },
    /// A folder has no `tokenizer.json`.
    #[error("{folder} has no tokenizer.json{hint}", folder = .folder.display(), hint = make_one(.instead))]
    NoTokenizer {
        /// The folder.
        folder: PathBuf,
        /// The tokenizer of another form that is there.
        instead: Option<&'static str>,
    },
    /// A text may have more tokens than the encoder has positions.
    #[error("{asked} tokens are more than the {most} that the encoder has positions for")]
    TooLong {
        /// The length asked for.
        asked: usize,
        /// The greatest there is.
        most: usize,
    },
    /// A folder makes one vector of a text in another way.
    #[error("{path}: {reason}", path = .path.display())]
    Pooling {
        /// The file that says so.
        path: PathBuf,
        /// What it says, and what was asked for.
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
    /// The model needs tensors that the file lacks.
    #[error("{path} has no tensor {name}{others}", path = .path.display(), others = others(.left))]
    Missing {
        /// The file.
        path: PathBuf,
        /// The tensor, or a list of them with the shapes expected.
        name: String,
        /// What it has beside those that were used, or nothing.
        left: String,
    },
    /// The file holds several encoders.
    #[error("{path} holds several encoders, whose tensors begin with {prefixes}; expected one", path = .path.display())]
    SeveralEncoders {
        /// The file.
        path: PathBuf,
        /// What stands before their names, separated by commas.
        prefixes: String,
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
    /// An encoder cannot do with some of its layers.
    #[error("layers {layers:?}: {reason}")]
    Layers {
        /// The layers asked for, counted from zero.
        layers: Vec<usize>,
        /// What was expected.
        reason: String,
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

/// Returns what to do where only another form of tokenizer is there.
fn make_one(instead: &Option<&'static str>) -> String {
    let hint = |form: &&str| {
        format!(
            ", only {form}: make one with transformers, \
             AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
        )
    };
    instead.as_ref().map(hint).unwrap_or_default()
}

/// Returns the tensors of a file that nobody asked for, where some are missing.
fn others(left: &str) -> String {
    if left.is_empty() {
        String::new()
    } else {
        format!("; it has others: {left}")
    }
}
