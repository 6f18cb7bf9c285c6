//! `optical bitext`: what a run's filter makes of its bitext, without training.

use anyhow::Context;
use optical_corpus::report::{BitextCounts, DropReason, Example};
use optical_experiment::{Findings, bitext_table, read_bitext};

use crate::named::NamedRunFile;
use crate::say::print;
use crate::{console, site};

/// Read and filter a run's bitext, and say what is left out and why
#[derive(Debug, clap::Args)]
pub struct BitextArgs {
    #[command(flatten)]
    file: NamedRunFile,
    /// Show N of the pairs left out, for each language and reason, drawn by seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    sample: usize,
    /// Download nothing: use the cache, or say what it lacks
    #[arg(long)]
    offline: bool,
}

/// Prints the counts of every language, its bad lines and, if asked, what was left out.
pub fn run(args: &BitextArgs) -> anyhow::Result<()> {
    let run = args.file.read()?.checked()?;
    let store = site::store(args.offline, console::unheard())?;
    let sources = run.bitext.iter();
    store.data_sets(sources.filter_map(|source| source.layout.manifest()))?;
    let mut findings = Findings::default();
    let read = read_bitext(&run, &store.cache, &store.cache, args.sample, &mut findings);
    findings.told(&store.host)?;
    let (_, report) = read.context("[[bitext]] was not read")?;
    let mut text = bitext_table(&report)?.to_terminal();
    for (language, counts) in &report.languages {
        text += &remarks(language, counts);
    }
    print(text)
}

fn remarks(language: &str, counts: &BitextCounts) -> String {
    let mut text = String::new();
    if let Some(length) = counts.median_length {
        text += &format!("\n{language}: {length:.2} characters for one of English, the median\n");
    }
    for line in &counts.first_bad_lines {
        text += &format!("{language}, bad line: {line}\n");
    }
    for reason in DropReason::ALL {
        for example in counts.examples.get(&reason).into_iter().flatten() {
            let Example {
                file,
                line,
                english,
                foreign,
            } = example;
            let reason = reason.name();
            text += &format!("{language}, {reason}: {file}:{line}\n  {english}\n  {foreign}\n");
        }
    }
    text
}
