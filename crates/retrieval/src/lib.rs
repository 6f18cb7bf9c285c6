//! From token vectors to ranked documents, and from ranked documents to numbers.
//!
//! [`ExactIndex`] scores every document by late interaction. Vectors come in as slices, so that
//! any encoder can feed it.
//!
//! ```
//! use optical_retrieval::{ExactIndex, Index};
//!
//! let mut index = ExactIndex::new(2)?;
//! index.add("genesis-1-1", &[1.0, 0.0, 0.6, 0.8])?;
//! index.add("genesis-1-2", &[0.0, 1.0])?;
//! let hits = index.search(&[0.8, 0.6], 10, &[])?;
//! assert_eq!(hits[0].id, "genesis-1-1");
//! # Ok::<(), optical_retrieval::IndexError>(())
//! ```

mod atomic;
pub mod index;
mod ranking;

pub use self::index::{ExactIndex, Index, IndexError, QueryRef};
pub use self::ranking::Hit;
