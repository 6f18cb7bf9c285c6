//! A run from its run file to its report: one file a stage.

pub mod data;
pub mod folder;
pub mod index;
pub mod pictures;
pub mod ranking;
pub mod scores;
pub mod summary;

pub use data::ExperimentData;
pub use folder::RunFolder;
