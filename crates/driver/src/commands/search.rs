//! `optical search`: type a query in any language the student knows, read English documents.

use std::io::IsTerminal;
use std::sync::atomic::Ordering;

use anyhow::Context;
use console::Style;
use optical_experiment::{Experiment, Searcher};

use crate::console::{host, listen};
use crate::device::Backend;
use crate::lines::Lines;
use crate::named::NamedRun;
use crate::say::{print, say};
use crate::site;

/// Ask a finished run's index: type a query, read English documents
///
/// Each answer has rank, score, document id and text; below it are the words of the query with the
/// words of the document that they were matched with.
#[derive(Debug, clap::Args)]
pub struct SearchArgs {
    #[command(flatten)]
    run: NamedRun,
    /// One query, instead of one per line from standard input
    #[arg(long)]
    query: Option<String>,
    /// Documents to show
    #[arg(short = 'k', long, value_name = "DOCUMENTS", default_value_t = 5, value_parser = at_least_one)]
    count: usize,
    /// Search all documents of the collection's source, not only the run's; they are encoded the first
    /// time, which takes minutes, and are in the cache afterwards
    #[arg(long)]
    all: bool,
    /// Print a JSON object per query: rank, score, id, text and matches of each document, with the
    /// places of words in the text counted in characters
    #[arg(long)]
    json: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value = "flex")]
    device: Backend,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if 0 < count => Ok(count),
        _ => Err("expected a number of at least 1".to_owned()),
    }
}

/// Answers queries until the input ends.
pub fn run(args: &SearchArgs) -> anyhow::Result<()> {
    let stop = listen()?;
    let site = site::on(args.device, true, host(stop.clone()))?;
    let mut experiment = Experiment::existing(args.run.path(), &site)?;
    if args.all {
        experiment.run = experiment.run.with_all_documents();
    }
    let searcher = Searcher::open(&experiment)?;
    let bold = Style::new().bold();
    let bold = bold.force_styling(std::io::stdout().is_terminal());
    let answer = |query: &str| -> anyhow::Result<String> {
        let answer = searcher.answer(query, args.count)?;
        match args.json {
            true => Ok(serde_json::to_string(&answer)? + "\n"),
            false => Ok(answer.lines(|word| bold.apply_to(word).to_string())),
        }
    };
    if let Some(query) = &args.query {
        return print(answer(query.trim())?);
    }
    // From here on there is nothing left to keep: the first Ctrl-C ends the program.
    stop.store(true, Ordering::SeqCst);
    let mut lines = Lines::new(std::io::stdin().lock());
    loop {
        if std::io::stdin().is_terminal() {
            print("query> ")?;
        }
        match lines.next().context("standard input")? {
            None => return Ok(()),
            Some(Err(problem)) => say(format_args!("error: {problem}")),
            Some(Ok(query)) if query.is_empty() => {}
            Some(Ok(query)) => match answer(&query) {
                Ok(text) => print(text)?,
                Err(error) => say(format_args!("error: {error:#}")),
            },
        }
    }
}
