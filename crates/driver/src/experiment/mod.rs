//! A run from its run file to its report: one file a stage.

pub mod data;
pub mod filtering;
pub mod folder;
pub mod index;
pub mod pictures;
pub mod provenance;
pub mod ranking;
pub mod scores;
pub mod summary;
pub mod teaching;

use std::path::PathBuf;

use burn::tensor::Device;

pub use data::ExperimentData;
pub use folder::RunFolder;

use crate::interrupt::Interrupt;
use crate::run_file::RunFile;

/// What every stage of a run looks at.
#[derive(Debug)]
pub struct Experiment {
    /// What to do.
    pub run: RunFile,
    /// Where results lie.
    pub folder: RunFolder,
    /// Where downloads, models and document indexes lie.
    pub cache: PathBuf,
    /// Where tensors are computed.
    pub device: Device,
    /// Whether somebody asked to stop.
    pub interrupt: Interrupt,
}
