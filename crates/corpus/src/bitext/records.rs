//! What every reader of bitext is given and gives.

use std::path::{Path, PathBuf};

/// A sentence in English and in another language.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SentencePair {
    /// The English sentence.
    pub english: String,
    /// The same sentence in the other language.
    pub foreign: String,
    /// The other language, by its ISO 639-3 code.
    pub language: String,
    /// How often training sees it in one round through its language: [`super::BitextSource::repeat`].
    pub repeat: u32,
}

/// Where relative paths of a run file begin, and where fetched data are.
#[derive(Debug, Clone)]
pub struct DataRoots {
    /// Folder that relative paths of sources are resolved against.
    pub base: PathBuf,
    /// The cache that [`crate::fetch::Fetcher`] fills; temporary files are there, too.
    pub cache: PathBuf,
}

impl DataRoots {
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }

    pub(crate) fn named(&self, name: &str) -> PathBuf {
        self.base.join(name)
    }
}
