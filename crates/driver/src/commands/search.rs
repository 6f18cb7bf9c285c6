//! `optical search`: type a query in any language the student knows, read English documents.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Context;
use optical_corpus::bitext::DataRoots;
use optical_encoder::Model;
use optical_retrieval::Index;

use crate::device::Backend;
use crate::experiment::index::{document_indexes, own_index};
use crate::experiment::ranking::encode_queries;
use crate::experiment::{Experiment, RunFolder};
use crate::interrupt::Interrupt;
use crate::run_file::RunFile;
use crate::{cache, model_source};

/// Ask a finished run's index: type a query, read English documents
#[derive(Debug, clap::Args)]
pub struct SearchArgs {
    /// The run folder
    #[arg(default_value = "runs/quickstart")]
    run: PathBuf,
    /// One query, instead of lines from standard input
    #[arg(long)]
    query: Option<String>,
    /// Documents to show
    #[arg(short = 'k', long, default_value_t = 5)]
    count: usize,
    /// Where to compute
    #[arg(long, value_enum, default_value = "flex")]
    device: Backend,
}

/// Answers queries until the input ends.
pub fn run(args: &SearchArgs) -> anyhow::Result<()> {
    let folder = RunFolder::existing(&args.run)?;
    let (run, _) = RunFile::load(&folder.run_file())?;
    let experiment = Experiment {
        run,
        folder,
        cache: cache::folder()?,
        device: args.device.open()?,
        interrupt: Interrupt::listen()?,
    };
    let Experiment {
        run,
        folder,
        cache,
        device,
        ..
    } = &experiment;
    let student = Model::load(&folder.student(), device)
        .with_context(|| format!("{} has no finished student", args.run.display()))?;
    let head = student.head_or_identity();
    let roots = DataRoots {
        base: ".".into(),
        cache: cache.clone(),
    };
    let collection = run.collection.load(&roots)?;
    let documents = &collection.documents;
    let own = own_index(&experiment, &student, &folder.student(), documents)?;
    let index = match own {
        Some(index) => index,
        None => {
            let teacher_folder = model_source::folder(&run.model, cache, true)?;
            let teacher = Model::load(&teacher_folder, device)?;
            document_indexes(&experiment, &teacher, &teacher_folder, &[&head], documents)?.remove(0)
        }
    };
    let answer = |query: &str| -> anyhow::Result<()> {
        let vectors =
            encode_queries(&student, &head, &[query], run.retrieval.queries(), device)?.remove(0);
        anyhow::ensure!(!vectors.is_empty(), "the query has no word");
        for (rank, hit) in index.search(&vectors, args.count, &[])?.iter().enumerate() {
            let document = collection
                .documents
                .iter()
                .find(|document| document.id == hit.id);
            let text = document
                .map(|document| document.full_text())
                .unwrap_or_default();
            println!("{:>2}. {:7.3}  {}  {text}", rank + 1, hit.score, hit.id);
        }
        Ok(())
    };
    if let Some(query) = &args.query {
        return answer(query);
    }
    let prompted = std::io::stdin().is_terminal();
    let mut lines = std::io::stdin().lock().lines();
    loop {
        if prompted {
            print!("query> ");
            std::io::stdout().flush()?;
        }
        let Some(line) = lines.next() else {
            return Ok(());
        };
        let line = line?;
        if let Err(error) = answer(line.trim()) {
            eprintln!("error: {error:#}");
        }
    }
}
