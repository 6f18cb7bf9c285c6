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
//! use optical_corpus::bitext::{Bitext, BitextSource, DataRoots};
//! use optical_corpus::filter::FilterSettings;
//!
//! let folder = tempfile::tempdir()?;
//! std::fs::write(folder.path().join("swa.tsv"), "Good morning.\tHabari za asubuhi.\n")?;
//!
//! let source: BitextSource = toml::from_str(
//!     "format = 'tsv'
//!      file = '{language}.tsv'
//!      languages = ['swa']",
//! )?;
//! let filter: FilterSettings = toml::from_str(
//!     "seed = 1
//!      minimum_characters = 1
//!      maximum_characters = 1000
//!      minimum_letter_share = 0.5
//!      minimum_script_share = 0.5
//!      maximum_length_ratio = 4.0
//!      drop_copies = true
//!      pairs_per_language = 0
//!      maximum_bad_share = 0.0
//!      languages.swa = { scripts = ['Latin'], length = 1.0 }",
//! )?;
//! let roots = DataRoots { base: folder.path().into(), cache: folder.path().into() };
//! let (mut bitext, report) = Bitext::read(&[source], &filter, &roots, 0)?;
//! let pairs: Vec<_> = bitext.pairs()?.collect::<Result<_, _>>()?;
//! assert_eq!(pairs[0].foreign, "Habari za asubuhi.");
//! assert_eq!(report.languages["swa"].kept, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod bitext;
pub mod checksum;
pub mod collection;
pub mod draw;
pub mod error;
pub mod fetch;
pub mod filter;
pub mod formats;
mod intake;
mod letters;
pub mod manifest;
mod pair_file;
pub mod relevance;
pub mod report;
pub mod shape;
pub mod soundness;
pub mod split;
#[cfg(test)]
mod testing;
