//! A run from its run file to its report: one file a stage.

pub mod check;
pub mod comparison;
pub mod continuation;
pub mod data;
pub mod development;
pub mod filtering;
pub mod findings;
pub mod folder;
pub mod index;
pub mod inputs;
pub mod keys;
pub mod lexical;
pub mod metrics;
pub mod page;
pub mod passages;
pub mod pictures;
pub mod provenance;
pub mod ranking;
pub mod scores;
pub mod space;
pub mod summary;
pub mod teaching;
pub mod translator;
pub mod watcher;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use optical_corpus::collection::Query;

pub use data::ExperimentData;
pub use folder::RunFolder;

use crate::cache;
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
    /// Whether document vectors that another kind of device has made are good enough.
    pub any_device: bool,
}

impl Experiment {
    /// The experiment of a run file and its text, in the folder `path`.
    pub fn new(
        run: RunFile,
        text: &str,
        path: &Path,
        device: Device,
        interrupt: Interrupt,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            folder: RunFolder::of(path, text)?,
            cache: cache::folder()?,
            device,
            interrupt,
            any_device: false,
            run,
        })
    }

    /// The queries of the run file's languages.
    pub fn asked(&self, all: &BTreeMap<String, Vec<Query>>) -> BTreeMap<String, Vec<Query>> {
        let languages = self.run.classes().into_iter();
        languages
            .filter_map(|(language, _)| Some((language.clone(), all.get(&language)?.clone())))
            .collect()
    }
}
