//! `optical search`: type a query in any language the student knows, read English documents.

mod answer;
mod lines;

use std::io::IsTerminal;

use anyhow::{Context, ensure};
use optical_corpus::collection::Document;
use optical_encoder::{Head, Model};
use optical_retrieval::{ExactIndex, Index};
use optical_tokenize::Role;

use self::answer::{Answer, Found, Read, matches};
use self::lines::Lines;
use crate::device::Backend;
use crate::experiment::data::roots;
use crate::experiment::index::{document_indexes, own_index};
use crate::experiment::inputs::Inputs;
use crate::experiment::ranking::encode_queries;
use crate::experiment::space::Teacher;
use crate::experiment::{Experiment, RunFolder};
use crate::interrupt::Interrupt;
use crate::named::NamedRun;
use crate::run_file::{RetrievalSettings, RunFile};
use crate::say::{print, say};
use crate::{cache, key};

/// Ask a finished run's index: type a query, read English documents
///
/// Each answer has rank, score, document id and text; below it are the words of the query with the
/// words of the document that they were matched with.
#[derive(Debug, clap::Args)]
pub struct SearchArgs {
    #[command(flatten)]
    run: NamedRun,
    /// One query, instead of a query a line from standard input
    #[arg(long)]
    query: Option<String>,
    /// Documents to show
    #[arg(short = 'k', long, value_name = "DOCUMENTS", default_value_t = 5, value_parser = at_least_one)]
    count: usize,
    /// Search all documents of the collection's source, not only the run's; they are encoded the first
    /// time, which takes minutes, and are in the cache afterwards
    #[arg(long)]
    all: bool,
    /// Print a JSON object a query: rank, score, id, text and matches of each document, with the
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
    let folder = RunFolder::existing(args.run.path())?;
    let (mut run, _) = RunFile::load(&folder.run_file())?;
    if args.all {
        run.collection = run.collection.with_all_documents();
    }
    let experiment = Experiment {
        run,
        folder,
        cache: cache::folder()?,
        device: args.device.open()?,
        interrupt: Interrupt::listen()?,
        any_device: true,
    };
    let searcher = Searcher::open(&experiment)?;
    let answer = |query: &str| -> anyhow::Result<String> {
        let answer = searcher.answer(query, args.count)?;
        match args.json {
            true => Ok(serde_json::to_string(&answer)? + "\n"),
            false => Ok(answer.lines(std::io::stdout().is_terminal())),
        }
    };
    if let Some(query) = &args.query {
        return print(answer(query.trim())?);
    }
    experiment.interrupt.at_once();
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

/// All that an answer needs.
struct Searcher<'a> {
    experiment: &'a Experiment,
    student: Model,
    head: Head,
    documents: Vec<Document>,
    index: ExactIndex,
}

impl<'a> Searcher<'a> {
    fn open(experiment: &'a Experiment) -> anyhow::Result<Self> {
        let Experiment {
            run,
            folder,
            cache,
            device,
            ..
        } = experiment;
        let student = Model::load(&folder.student(), device).with_context(|| {
            format!(
                "{} has no finished student",
                experiment.folder.path().display()
            )
        })?;
        let head = student.head_or_identity();
        let documents = run.collection.load(&roots(cache)).context("[collection]")?;
        let documents = documents.documents;
        let student_key = key::of_model(&folder.student())?;
        let index = match own_index(experiment, &student, &student_key, &documents)? {
            Some(kept) => kept.index,
            None => {
                let Teacher { model, key } = Teacher::load(experiment, true)?;
                Inputs::default().with_model(&key).check(folder)?;
                let mut kept = document_indexes(experiment, &model, &key, &[&head], &documents)?;
                kept.remove(0).index
            }
        };
        Ok(Self {
            experiment,
            student,
            head,
            documents,
            index,
        })
    }

    /// The best documents for a query, and which words they were found by.
    fn answer(&self, query: &str, count: usize) -> anyhow::Result<Answer> {
        let RetrievalSettings {
            query_length,
            document_length,
            ..
        } = self.experiment.run.retrieval;
        let encode = self.experiment.run.retrieval.queries();
        let device = &self.experiment.device;
        let texts = [query];
        let vectors = encode_queries(&self.student, &self.head, &texts, encode, device)?.remove(0);
        ensure!(
            !vectors.is_empty(),
            "the query {query:?} has no word that the model reads"
        );
        // The student's tokenizer is the teacher's, and so reads documents as the index has them.
        let tokenizer = &self.student.tokenizer;
        let asked = Read {
            text: query,
            spans: tokenizer.kept_spans(query, Role::Query, query_length)?,
        };
        let hits = self.index.search(&vectors, count, &[])?;
        let found = hits.into_iter().enumerate().map(|(place, hit)| {
            let mut documents = self.documents.iter();
            let document = documents.find(|document| document.id == hit.id);
            let text = document.map(Document::full_text).unwrap_or_default();
            let read = Read {
                text: &text,
                spans: tokenizer.kept_spans(&text, Role::Document, document_length)?,
            };
            let partners = self.index.partners(&vectors, &hit.id)?.unwrap_or_default();
            Ok(Found {
                rank: place + 1,
                matches: matches(&asked, &read, &partners),
                hit: hit.into(),
                text,
            })
        });
        Ok(Answer {
            query: query.to_owned(),
            found: found.collect::<anyhow::Result<_>>()?,
        })
    }
}
