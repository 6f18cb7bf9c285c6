//! Why a distillation stopped.

use std::path::PathBuf;

use optical_corpus::error::CorpusError;
use optical_encoder::EncoderError;
use optical_tokenize::TokenizeError;

use crate::settings::SettingsError;

/// Why a distillation could not begin or resume.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DistillError {
    /// A student of its own does not lead into the teacher's states.
    #[error(
        "the student's projection has the shape {found:?}, expected {expected:?}: from its states to the teacher's"
    )]
    Projection {
        /// Width of its input and output, where there is one.
        found: Option<[usize; 2]>,
        /// Width of the student's states and of the teacher's.
        expected: [usize; 2],
    },
    /// A file of the teacher's states is of something else.
    #[error(
        "{path}: states of {} sentences, {} wide, expected {} and {}; delete it to read them anew",
        .found.0, .found.1, .expected.0, .expected.1, path = .path.display()
    )]
    Targets {
        /// The file.
        path: PathBuf,
        /// Its sentences, and the width of its vectors.
        found: (usize, usize),
        /// Those of the training.
        expected: (usize, usize),
    },
    /// Texts have different numbers of passages.
    #[error("a text has {found} passages, expected {expected} as of those before it")]
    PassageCount {
        /// Passages of the text.
        found: usize,
        /// Passages of the first text.
        expected: usize,
    },
    /// An objective scores passages, and there are none.
    #[error("distill.objectives.passages needs training texts with passages")]
    NoPassages,
    /// A value of the run file is outside its domain.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A model could not be read, written or used.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// A sentence could not be tokenized.
    #[error(transparent)]
    Tokenize(#[from] TokenizeError),
    /// A pair of the bitext cannot be read.
    #[error(transparent)]
    Bitext(#[from] CorpusError),
    /// The temporary file of the tokens cannot be made, written or read back.
    #[error("temporary file of tokens in {}", folder.display())]
    TokenFile {
        /// Its folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The student of a checkpoint was made for other texts.
    #[error(
        "the checkpoint's vocabulary lacks {piece:?}: the bitext has changed since the run began"
    )]
    MissingPiece {
        /// An entry of the teacher's vocabulary that the texts use.
        piece: String,
    },
    /// Nothing is left to train on.
    #[error("no sentence pair has both sides within {maximum_length} tokens")]
    NoPairs {
        /// The limit of the run file.
        maximum_length: usize,
    },
    /// Nothing is left to teach with.
    #[error("no query has a document, or none has scores of {candidates}")]
    NoExamples {
        /// Documents of a query in a step.
        candidates: usize,
    },
    /// The loss or the gradient is no longer a number: the learning rate is too high. The last
    /// checkpoint is kept.
    #[error("{what} is {value} at step {step}")]
    NotFinite {
        /// The loss or the gradient norm.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The step.
        step: u64,
    },
    /// The run stops by development queries, and nobody judged them.
    #[error("distill.stopping.metric is \"development\", but there is no development collection")]
    NoJudge,
    /// Costs that no plan can be made for.
    #[error("no plan: {0}")]
    Plan(String),
    /// A checkpoint cannot be read or written.
    #[error("checkpoint {path}: {reason}", path = .path.display())]
    Checkpoint {
        /// Its folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The device failed.
    #[error("the device failed: {0}")]
    Device(String),
}
