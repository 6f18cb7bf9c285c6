//! `optical fetch`: bring data sets into the cache.

use std::path::{Path, PathBuf};

use optical_corpus::manifest::SHIPPED_FOLDER;
use optical_store::downloadable;

use crate::{console, site};

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
pub fn run(args: &FetchArgs) -> anyhow::Result<()> {
    let store = site::store(args.offline, console::unheard())?;
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
    for manifest in manifests {
        let fetched = store.data_set(&manifest, true)?;
        if args.verify {
            store.verify(&manifest, &fetched)?;
        }
    }
    Ok(())
}
