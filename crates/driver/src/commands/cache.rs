//! `optical cache`: what was fetched and made for later runs, and how it goes.

use std::time::Duration;

use anyhow::ensure;
use optical_report::{Align, Table};
use optical_store::{Entry, Kind};

use crate::say::{print, say};
use crate::{console, site};

const DAY: u64 = 24 * 60 * 60;

/// Show or clear what was fetched and made for later runs
///
/// Data sets, models and document vectors are kept in $OPTICAL_CACHE, or else in `optical` in the
/// platform's cache folder. What is missing is fetched or made again.
#[derive(Debug, clap::Args)]
pub struct CacheArgs {
    #[command(subcommand)]
    command: CacheCommand,
}

#[derive(Debug, clap::Subcommand)]
enum CacheCommand {
    /// List the entries with their sizes and ages
    List,
    /// Remove entries
    Clear(ClearArgs),
}

#[derive(Debug, clap::Args)]
#[group(id = "what", required = true, multiple = true)]
struct ClearArgs {
    /// Remove entries of this kind
    #[arg(long = "kind", value_enum, value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<Which>,
    /// Remove entries that were written more than DAYS days ago
    #[arg(long, value_name = "DAYS")]
    older_than: Option<u64>,
    /// Remove all entries
    #[arg(long, conflicts_with_all = ["kinds", "older_than"])]
    all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// Data sets, as fetched
    Datasets,
    /// Models, converted or downloaded
    Models,
    /// Document vectors: those of models, documents or settings that have changed are not used again
    Indexes,
    /// What students of their own begin with: the ends of their English stages
    Students,
    /// States of training sentences that a teacher has read once
    States,
    /// What is left of downloaded models beside the models themselves
    Downloads,
}

impl Which {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::DataSet => Self::Datasets,
            Kind::Model => Self::Models,
            Kind::Index => Self::Indexes,
            Kind::Student => Self::Students,
            Kind::States => Self::States,
            Kind::Download => Self::Downloads,
        }
    }
}

/// Lists or removes entries.
pub fn run(args: &CacheArgs) -> anyhow::Result<()> {
    let store = site::store(true, console::unheard())?;
    let entries = store.contents()?;
    let args = match &args.command {
        CacheCommand::List => return print(listed(&entries)?),
        CacheCommand::Clear(args) => args,
    };
    let (mut count, mut bytes, mut left) = (0, 0, Vec::new());
    for entry in entries.iter().filter(|entry| args.covers(entry)) {
        match store.remove(entry) {
            Ok(true) => (count, bytes) = (count + 1, bytes + entry.bytes),
            Ok(false) => left.push(format!("{} is in use", entry.path.display())),
            Err(error) => left.push(format!("{error:#}")),
        }
    }
    say(format_args!(
        "{count} entries removed, {} MB",
        bytes.div_ceil(1_000_000)
    ));
    ensure!(left.is_empty(), "{}", left.join("\n"));
    Ok(())
}

impl ClearArgs {
    fn covers(&self, entry: &Entry) -> bool {
        let of_kind = self.kinds.is_empty() || self.kinds.contains(&Which::of(entry.kind));
        let old = |days: u64| Duration::from_secs(days.saturating_mul(DAY)) < entry.age();
        of_kind && self.older_than.is_none_or(old)
    }
}

/// One line per entry, and their sum.
fn listed(entries: &[Entry]) -> anyhow::Result<String> {
    let mut table = Table::new([
        ("entry", Align::Left),
        ("MB", Align::Right),
        ("days", Align::Right),
    ]);
    let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
    for entry in entries {
        let days = entry.age().as_secs() / DAY;
        let path = entry.path.display().to_string();
        table.push([path, megabytes(entry.bytes), days.to_string()])?;
    }
    let all = entries.iter().map(|entry| entry.bytes).sum();
    table.push(["all".to_owned(), megabytes(all), String::new()])?;
    Ok(table.to_terminal())
}
