//! Data sets: described by manifests, fetched into the cache.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use optical_corpus::fetch::{FetchError, FetchedDataset, Fetcher, Pip};
use optical_corpus::manifest::{Manifest, SHIPPED_FOLDER, Source, shipped};

use crate::host::Notice;
use crate::{Host, Store};

impl Store {
    /// Returns the files of the data set that a manifest describes, downloading them if need be;
    /// `asked` says whether to tell that they are there.
    ///
    /// # Errors
    /// If there is no such manifest, or the data cannot be had whole.
    pub fn data_set(&self, manifest: &Path, asked: bool) -> anyhow::Result<FetchedDataset> {
        let manifest = load(manifest)?;
        let name = manifest.name.as_str();
        let tell = |event: &_| {
            self.host.hear(Notice::Fetch {
                data_set: name,
                asked,
                event,
            });
        };
        let fetched = self.fetcher().fetch(&manifest, &mut |event| tell(&event));
        self.host.hear(Notice::Ended(name));
        fetched.map_err(|error| match error {
            FetchError::Offline { .. } => {
                anyhow::anyhow!("{error}; run `optical fetch {name}` where there is a network")
            }
            error => error.into(),
        })
    }

    /// Fetches the data sets of some manifests, each once.
    ///
    /// # Errors
    /// As [`data_set`](Self::data_set).
    pub fn data_sets<'a>(&self, manifests: impl Iterator<Item = &'a Path>) -> anyhow::Result<()> {
        let manifests: BTreeSet<&Path> = manifests.collect();
        for manifest in manifests {
            self.data_set(manifest, false)?;
        }
        Ok(())
    }

    /// Returns the name of a data set that the cache lacks, and the bytes of its files; `None` where it
    /// is there. Nothing is written.
    ///
    /// # Errors
    /// If there is no such manifest, or what is there is damaged.
    pub fn lacking(&self, manifest: &Path) -> anyhow::Result<Option<(String, u64)>> {
        let manifest = load(manifest)?;
        let offline = Self {
            offline: true,
            hub_token: None,
            host: Host::deaf(),
            cache: self.cache.clone(),
        };
        match offline.fetcher().fetch(&manifest, &mut |_| ()) {
            Ok(_) => Ok(None),
            Err(FetchError::Offline { .. }) => {
                let bytes = manifest.files.iter().map(|file| file.bytes).sum();
                Ok(Some((manifest.name, bytes)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Compares the checksums of a data set's files again.
    ///
    /// # Errors
    /// If a file is not what the manifest says.
    pub fn verify(&self, manifest: &Path, fetched: &FetchedDataset) -> anyhow::Result<()> {
        let manifest = load(manifest)?;
        let folder = &fetched.folder;
        manifest
            .verify(folder)
            .with_context(|| format!("delete {} and fetch again", folder.display()))?;
        let name = &manifest.name;
        self.host.say(format_args!("{name}: checksums agree"));
        Ok(())
    }

    fn fetcher(&self) -> Fetcher<Pip> {
        // Windows has no `python3` outside of its store.
        let python = if cfg!(windows) { "python" } else { "python3" };
        Fetcher {
            cache: self.cache.clone(),
            offline: self.offline,
            download: Pip {
                python: python.into(),
            },
        }
    }
}

pub(crate) fn load(path: &Path) -> anyhow::Result<Manifest> {
    Manifest::load(path).with_context(|| {
        let (path, known) = (path.display(), shipped().collect::<Vec<_>>().join(", "));
        format!("manifest {path} (those of {SHIPPED_FOLDER}/ that are compiled in: {known})")
    })
}

/// Lists the manifests of all data sets that pip can bring, in the order of their names: those of a
/// folder, or those of `datasets` and those that are compiled in.
///
/// # Errors
/// If a manifest cannot be read, or there is none to download.
pub fn downloadable(named: Option<&Path>) -> anyhow::Result<BTreeSet<PathBuf>> {
    let folder = named.unwrap_or(Path::new(SHIPPED_FOLDER));
    let mut manifests = BTreeSet::new();
    if named.is_none() {
        manifests.extend(shipped().map(|name| folder.join(format!("{name}.toml"))));
    }
    if named.is_some() || folder.exists() {
        let listed = || format!("folder of manifests {}", folder.display());
        for entry in std::fs::read_dir(folder).with_context(listed)? {
            let path = entry.with_context(listed)?.path();
            if path.extension().is_some_and(|it| it == "toml") {
                manifests.insert(path);
            }
        }
    }
    let mut found = BTreeSet::new();
    for path in manifests {
        if matches!(load(&path)?.source, Source::Pip(_)) {
            found.insert(path);
        }
    }
    anyhow::ensure!(
        !found.is_empty(),
        "there is no manifest to download in {}",
        folder.display()
    );
    Ok(found)
}
