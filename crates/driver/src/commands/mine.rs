//! `optical mine`: documents that look relevant and are not, for training a teacher.

use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use optical_corpus::formats::relevance::judged::Judged;
use optical_corpus::relevance::RelevanceSource;
use optical_mining::{Method, Mining, ModelRanking, mine, source_of_file};
use optical_retrieval::{Bm25Settings, NegativeSettings};

use crate::device::EncodingDevice;
use crate::say::say;
use crate::{console, site};

/// Find hard negatives for queries with known relevant documents
///
/// Ranks all documents for each query, passes over the first ranks, drops those that score nearly as
/// high as the relevant document or more, and draws from what is left. Documents that are relevant to
/// the query, or to one with the same text, stay out, as do those with the same text as one. The
/// output has a line for each relevant document, as `format = "n-way"` reads them:
/// [query, relevant, negative, …], or with --scores [query, [relevant, score], [negative, score], …].
/// Where queries and documents have no ids of their own, it has texts, as `format = "tuples"` reads.
#[derive(Debug, clap::Args)]
pub struct MineArgs {
    /// A TOML file with one `[[relevance]]` table, as in a run file
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "queries",
        conflicts_with_all = ["queries", "positives", "documents"]
    )]
    relevance: Option<PathBuf>,
    /// Queries, instead of --relevance: id, tab, text, or JSON lines
    #[arg(long, value_name = "FILE", requires_all = ["positives", "documents"])]
    queries: Option<PathBuf>,
    /// Their judgements, in TREC's four columns
    #[arg(long, value_name = "FILE", requires = "queries")]
    positives: Option<PathBuf>,
    /// Documents: id, tab, text, or JSON lines
    #[arg(long, value_name = "FILE", requires = "queries")]
    documents: Option<PathBuf>,
    /// What ranks the documents
    #[arg(long, value_enum, default_value_t = Ranks::Bm25)]
    method: Ranks,
    /// The ranking model: a Hugging Face folder, "dataset:NAME" or "hub:OWNER/NAME"
    #[arg(long, required_if_eq("method", "model"))]
    model: Option<String>,
    /// Documents to look at for each query
    #[arg(long, value_name = "RANKS", default_value_t = 200)]
    depth: usize,
    /// Ranks to pass over at the top, not counting relevant documents
    #[arg(long, value_name = "RANKS", default_value_t = 10)]
    skip: usize,
    /// Negatives for each relevant document, at most
    #[arg(long, value_name = "COUNT", default_value_t = 8)]
    negatives: usize,
    /// The highest score of a negative, as a share of the relevant document's; "none" for any score
    #[arg(long, value_name = "SHARE", default_value = "0.95", value_parser = share, allow_negative_numbers = true)]
    max_score_share: Share,
    /// Seed of the draw
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the ranker's scores too
    #[arg(long)]
    scores: bool,
    /// The negatives
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// BM25's saturation of repeated words
    #[arg(long, default_value_t = 0.9, allow_negative_numbers = true)]
    k1: f32,
    /// BM25's discount of long documents
    #[arg(long, default_value_t = 0.4, allow_negative_numbers = true)]
    b: f32,
    /// The most tokens per query; the model's most if not given
    #[arg(long, value_name = "TOKENS")]
    query_length: Option<usize>,
    /// The most tokens per document; the model's most if not given
    #[arg(long, value_name = "TOKENS")]
    document_length: Option<usize>,
    #[command(flatten)]
    on: EncodingDevice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Ranks {
    /// Words in common
    Bm25,
    /// A late-interaction model
    Model,
}

#[derive(Debug, Clone, Copy)]
struct Share(Option<f32>);

fn share(text: &str) -> Result<Share, String> {
    if text == "none" {
        return Ok(Share(None));
    }
    match text.parse() {
        Ok(share) if 0.0 < share && share < f32::INFINITY => Ok(Share(Some(share))),
        _ => Err("expected a number above 0, or \"none\"".to_owned()),
    }
}

/// Runs `optical mine`.
///
/// # Errors
/// If a file or the model is refused, the output cannot be written, or somebody stops it.
pub fn run(args: &MineArgs) -> anyhow::Result<()> {
    for (name, value) in [
        ("--depth", args.depth),
        ("--negatives", args.negatives),
        ("--batch", args.on.batch),
    ] {
        ensure!(0 < value, "{name} 0, expected at least 1");
    }
    let files = [
        &args.relevance,
        &args.queries,
        &args.positives,
        &args.documents,
    ];
    let files: Vec<&Path> = files.into_iter().flatten().map(PathBuf::as_path).collect();
    site::not_over_input(&args.output, &files)?;
    let (skip, depth) = (args.skip, args.depth);
    ensure!(
        skip < depth,
        "--skip {skip} passes over all of --depth {depth}"
    );
    let settings = NegativeSettings {
        skip,
        count: args.negatives,
        max_score_share: args.max_score_share.0,
        seed: args.seed,
    };
    let mining = Mining {
        source: args.source()?,
        method: args.method(),
        depth,
        negatives: settings,
        scores: args.scores,
    };
    let site = site::on(args.on.device, args.on.offline, console::listening()?)?;
    let counts = mine(&mining, &args.output, &site)?;
    say(format_args!("{}: {counts}", args.output.display()));
    Ok(())
}

impl MineArgs {
    fn source(&self) -> anyhow::Result<RelevanceSource> {
        match (
            &self.relevance,
            &self.queries,
            &self.positives,
            &self.documents,
        ) {
            (Some(path), ..) => source_of_file(path),
            (None, Some(queries), Some(qrels), Some(documents)) => {
                Ok(RelevanceSource::Judged(Judged {
                    qrels: qrels.clone(),
                    queries: queries.clone(),
                    documents: documents.clone(),
                    run: None,
                }))
            }
            _ => bail!("give --relevance, or --queries, --positives and --documents"),
        }
    }

    fn method(&self) -> Method {
        match self.method {
            Ranks::Bm25 => Method::Bm25(Bm25Settings {
                k1: self.k1,
                b: self.b,
            }),
            Ranks::Model => Method::Model(ModelRanking {
                model: self.model.clone().unwrap_or_default(),
                query_length: self.query_length,
                document_length: self.document_length,
                tokens_per_batch: self.on.batch,
            }),
        }
    }
}
