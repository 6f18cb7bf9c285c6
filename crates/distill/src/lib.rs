//! Distils a frozen teacher into a student for new languages, by optimal transport on bitext.
//!
//! The teacher reads the English sentence, the student its translation; the plan of least transport
//! cost between the two sets of token vectors is a soft alignment, and the student learns to put
//! its tokens where the plan sends them ([`objectives::alignment`]). Retention pairs keep it from
//! forgetting what the teacher knew ([`pairs`]). A falling loss proves nothing: [`instruments`]
//! tell a collapsing run from a good one while it runs.
//!
//! [`distil`] is the whole loop: it reports [`Event`]s, writes checkpoints, and resumes from them.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//!
//! use burn::tensor::Device;
//! use optical_distill::{
//!     Beginning, DistillError, DistillSettings, Event, TokenizedPairs, TrainingData, TrainingText,
//!     distil,
//! };
//! use optical_encoder::Model;
//!
//! # fn show(settings: &DistillSettings, device: Device) -> Result<(), DistillError> {
//! let teacher = Model::load("model".as_ref(), &device)?;
//! let texts = [Ok::<_, DistillError>(TrainingText::retention("Good morning.", "eng"))];
//! let (tokenizers, length) = ([&teacher.tokenizer; 2], settings.maximum_length);
//! let pairs = TokenizedPairs::write(texts, tokenizers, length, "temporary".as_ref())?;
//! let data = TrainingData { pairs: &pairs, held_out: &[], passages: None, targets: None };
//! let head = teacher.head_or_identity();
//! let from = (&teacher, Beginning::Copy);
//! distil(settings, from, &head, data, "checkpoints".as_ref(), &[device], &mut |event: &Event| {
//!     if let Event::Step { step: 100, .. } = event { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
//! })?;
//! # Ok(())
//! # }
//! ```

mod checkpoint;
mod distillation;
mod error;
mod events;
mod head;
pub mod instruments;
mod late_interaction;
mod learner;
pub mod objectives;
mod optimiser;
pub mod order;
pub mod pairs;
mod passages;
pub mod projection;
mod rounds;
mod scalars;
mod seat;
pub mod settings;
mod state;
mod step;
mod stopping;
mod targets;
mod task;
pub mod teaching;
pub mod tokenized;
mod training;
mod warnings;

pub use checkpoint::{CheckpointFolder, Momentum, Progress};
pub use distillation::{Beginning, TrainingData, distil};
pub use error::DistillError;
pub use events::{Event, Observer, Outcome, Terms};
pub use head::estimate_head;
pub use learner::{Learner, Learns, Projection};
pub use optimiser::{Optimiser, schedule};
pub use pairs::TrainingText;
pub use passages::{PassageBatch, Passages};
pub use settings::DistillSettings;
pub use targets::{TargetStates, Targets};
pub use tokenized::TokenizedPairs;
