//! From token vectors to ranked documents, and from ranked documents to numbers.
//!
//! [`ExactIndex`] scores every document by late interaction; vectors come in as slices, so that any
//! encoder can feed it. [`Bm25Index`] is the lexical baseline, and [`translation`] leads queries in
//! other languages to it. Rankings are collected in a [`Run`], which [`evaluate`] holds against
//! [`Qrels`] with `trec_eval`'s measures; [`significance`] says whether two evaluations differ by
//! more than chance. [`NegativeSettings`] draws from rankings what a teacher should learn to tell
//! from relevant documents; [`rank_consistency`] says whether a question finds the same in two languages.
//!
//! ```
//! use optical_retrieval::{ExactIndex, Index, Measure, Options, Qrels, Run, evaluate};
//!
//! let mut index = ExactIndex::new(2)?;
//! index.add("genesis-1-1", &[1.0, 0.0, 0.6, 0.8])?;
//! index.add("genesis-1-2", &[0.0, 1.0])?;
//!
//! let mut run = Run::new("optical");
//! run.insert("q1", index.search(&[0.8, 0.6], 10, &[])?)?;
//! let qrels = Qrels::from_judgements([("q1".into(), "genesis-1-2".into(), 1)])?;
//!
//! let evaluation = evaluate(&qrels, &run, &[Measure::RecipRank], &Options::default());
//! assert_eq!(evaluation.aggregate(Measure::RecipRank), Some(0.5));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bm25;
mod consistency;
mod hubs;
pub mod index;
pub mod measures;
mod negatives;
mod qrels;
mod ranking;
mod run;
pub mod significance;
pub mod translation;
mod trec;
mod words;

pub use self::bm25::{Bm25Error, Bm25Index, Bm25Settings, QueryTerm};
pub use self::consistency::{CONSISTENCY_DEPTH, overlap, rank_consistency};
pub use self::hubs::hub_share;
pub use self::index::{ExactIndex, Index, IndexError, QueryRef};
pub use self::measures::{Evaluation, Measure, MeasureError, Options, evaluate};
pub use self::negatives::{NegativeSettings, Negatives};
pub use self::qrels::{DuplicateJudgement, Qrels};
pub use self::ranking::Hit;
pub use self::run::{Run, RunError, ScorePrecision};
pub use self::significance::{Differences, Randomisation, SignificanceError, holm};
pub use self::trec::TrecError;
pub use self::words::{WORDS_REVISION, words};
