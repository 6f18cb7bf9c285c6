//! Text to token ids, masks and kept tokens, and vocabulary pruning.
//!
//! A [`Tokenizer`] wraps a Hugging Face `tokenizer.json`. It puts the marker text of a query or a
//! document in front ([`Markers`]), adds the special tokens, cuts to a maximum length, and says for
//! every token whether it is *kept*: part of the text itself, so that it enters the transport cost
//! and the late interaction, or only a marker or special token that the encoder reads.
//!
//! [`prune`] drops vocabulary entries that never occur, which is what makes training a multilingual
//! encoder possible on a small machine.
//!
//! ```no_run
//! use optical_tokenize::{Markers, Role, Tokenizer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let markers = Markers { query: "query: ".into(), document: "passage: ".into() };
//! let tokenizer = Tokenizer::from_bytes(&std::fs::read("model/tokenizer.json")?, markers)?;
//! let batch = tokenizer.batch(&["Habari ya dunia"], Role::Query, 32)?;
//! assert_eq!(batch.ids.len(), batch.rows * batch.width);
//! # Ok(())
//! # }
//! ```

mod batch;
mod colbert;
mod merges;
mod prune;
mod tokenizer;

pub use batch::{TokenBatch, TokenSequence};
pub use colbert::Colbert;
pub use prune::{PruneError, Pruned, prune, single_character_pieces};
pub use tokenizer::{Markers, Role, TokenizeError, Tokenizer};
