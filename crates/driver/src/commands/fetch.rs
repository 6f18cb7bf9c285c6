//! `optical fetch`: bring data sets into the cache.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use optical_corpus::fetch::{FetchError, FetchEvent, FetchedDataset, Fetcher, Pip};
use optical_corpus::manifest::{Manifest, SHIPPED_FOLDER, Source, shipped};

use crate::say::say;

/// Bring data sets into the cache: download, compare checksums, unpack
#[derive(Debug, clap::Args)]
pub struct FetchArgs {
    /// Names of manifests, without `.toml`; all that can be downloaded if none is given
    names: Vec<String>,
    /// Download nothing: say what the cache lacks
    #[arg(long)]
    offline: bool,
    /// Compare the checksums of the cached files again
    #[arg(long)]
    verify: bool,
    /// Folder of the manifests [default: datasets, and what is compiled in for those not there]
    #[arg(long, value_name = "DIR")]
    datasets: Option<PathBuf>,
}

/// Fetches the data sets that the arguments name.
pub fn run(args: &FetchArgs, cache: &Path) -> anyhow::Result<()> {
    let folder = args.datasets.as_deref();
    let manifests = match args.names.is_empty() {
        true => downloadable(folder)?,
        false => {
            let folder = folder.unwrap_or(Path::new(SHIPPED_FOLDER));
            let names = args.names.iter();
            names
                .map(|name| folder.join(format!("{name}.toml")))
                .collect()
        }
    };
    for path in manifests {
        let fetched = fetch(&path, cache, args.offline, true)?;
        if args.verify {
            let manifest = load(&path)?;
            manifest
                .verify(&fetched.folder)
                .with_context(|| format!("delete {} and fetch again", fetched.folder.display()))?;
            say(format_args!("{}: checksums agree", manifest.name));
        }
    }
    Ok(())
}

/// Returns the files of the data set that a manifest describes, downloading them if need be; says
/// nothing where they are in the cache.
pub fn ensure(manifest_path: &Path, cache: &Path, offline: bool) -> anyhow::Result<FetchedDataset> {
    fetch(manifest_path, cache, offline, false)
}

fn fetch(
    manifest_path: &Path,
    cache: &Path,
    offline: bool,
    asked: bool,
) -> anyhow::Result<FetchedDataset> {
    let manifest = load(manifest_path)?;
    // Windows has no `python3` outside of its store.
    let python = if cfg!(windows) { "python" } else { "python3" };
    let fetcher = Fetcher {
        cache: cache.to_owned(),
        offline,
        download: Pip {
            python: python.into(),
        },
    };
    let mut progress = Progress::new(&manifest.name, asked);
    let fetched = fetcher.fetch(&manifest, &mut |event| progress.show(&event));
    progress.finish();
    fetched.map_err(|error| match error {
        FetchError::Offline { .. } => {
            anyhow::anyhow!(
                "{error}; run `optical fetch {}` where there is a network",
                manifest.name
            )
        }
        error => error.into(),
    })
}

/// The name of a data set that the cache lacks, and the bytes of its files; `None` where it is there.
/// Nothing is written.
pub fn lacking(manifest_path: &Path, cache: &Path) -> anyhow::Result<Option<(String, u64)>> {
    let manifest = load(manifest_path)?;
    let fetcher = Fetcher {
        cache: cache.to_owned(),
        offline: true,
        download: Pip {
            python: "python3".into(),
        },
    };
    match fetcher.fetch(&manifest, &mut |_| ()) {
        Ok(_) => Ok(None),
        Err(FetchError::Offline { .. }) => {
            let bytes = manifest.files.iter().map(|file| file.bytes).sum();
            Ok(Some((manifest.name, bytes)))
        }
        Err(error) => Err(error.into()),
    }
}

fn load(path: &Path) -> anyhow::Result<Manifest> {
    Manifest::load(path).with_context(|| {
        let (path, known) = (path.display(), shipped().collect::<Vec<_>>().join(", "));
        format!("manifest {path} (those of {SHIPPED_FOLDER}/ that are compiled in: {known})")
    })
}

/// The manifests of all data sets that pip can bring, in the order of their names: those of a folder,
/// or those of `datasets` and those that are compiled in.
fn downloadable(named: Option<&Path>) -> anyhow::Result<BTreeSet<PathBuf>> {
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

/// A bar on a terminal, a line for each stage otherwise.
struct Progress {
    name: String,
    bar: ProgressBar,
    drawn: bool,
    /// Whether to say so where nothing has to be done.
    asked: bool,
    stage: Option<String>,
}

impl Progress {
    fn new(name: &str, asked: bool) -> Self {
        let drawn = std::io::stderr().is_terminal();
        let bar = if drawn {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        Self {
            name: name.to_owned(),
            bar,
            drawn,
            asked,
            stage: None,
        }
    }

    fn show(&mut self, event: &FetchEvent) {
        match event {
            FetchEvent::Cached { folder } if self.asked => {
                self.line(&format!("in the cache, {}", folder.display()))
            }
            FetchEvent::Downloading { wheel } => self.begin(&format!("downloading {wheel}"), None),
            FetchEvent::Verifying { wheel } => self.begin(&format!("verifying {wheel}"), None),
            FetchEvent::Unpacking {
                path,
                written,
                bytes,
            } => {
                self.begin(&format!("unpacking {path}"), Some(*bytes));
                self.bar.set_position(*written);
            }
            FetchEvent::Fetched { folder } => {
                self.line(&format!("fetched into {}", folder.display()))
            }
            _ => {}
        }
    }

    /// Shows a stage once, however many events it has.
    fn begin(&mut self, stage: &str, bytes: Option<u64>) {
        if self.stage.as_deref() == Some(stage) {
            return;
        }
        self.stage = Some(stage.to_owned());
        if !self.drawn {
            return self.line(stage);
        }
        let template = match bytes {
            None => "{msg} {spinner} {elapsed}",
            Some(_) => "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        self.bar.set_message(format!("{}: {stage}", self.name));
        // Rates and times count from the beginning of the stage.
        self.bar.reset();
        self.bar.set_length(bytes.unwrap_or(0));
        self.bar.enable_steady_tick(Duration::from_millis(100));
    }

    fn line(&self, text: &str) {
        self.bar
            .suspend(|| say(format_args!("{}: {text}", self.name)));
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
