//! Documents that look relevant and are not: hard negatives for training a teacher.
//!
//! [`mine`] ranks all documents for each query, passes over the first ranks, drops what scores nearly
//! as high as the relevant document, and draws from what is left.

mod output;
mod questions;
mod ranker;

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use anyhow::{Context, ensure};
use optical_corpus::relevance::RelevanceSource;
use optical_experiment::Site;
use optical_retrieval::{Bm25Settings, NegativeSettings};

use self::output::Output;
use self::questions::Questions;
use self::ranker::Ranker;

pub use self::questions::source_of_file;
pub use self::ranker::ModelRanking;

/// Queries that are ranked together.
const CHUNK: usize = 256;

/// What ranks the documents.
#[derive(Debug, Clone)]
pub enum Method {
    /// Words in common.
    Bm25(Bm25Settings),
    /// A late-interaction model.
    Model(ModelRanking),
}

/// What is mined, and how.
#[derive(Debug, Clone)]
pub struct Mining {
    /// Queries, their relevant documents, and all documents.
    pub source: RelevanceSource,
    /// What ranks them.
    pub method: Method,
    /// The number of documents to look at for each query.
    pub depth: usize,
    /// How negatives are drawn from a ranking.
    pub negatives: NegativeSettings,
    /// Whether the ranker's scores are written too.
    pub scores: bool,
}

/// Mines negatives into a file, which has a line for each relevant document and appears when it is
/// whole.
///
/// # Errors
/// If a file or the model is refused, the output cannot be written, or somebody stops it.
pub fn mine(mining: &Mining, output: &Path, site: &Site) -> anyhow::Result<Counts> {
    let (settings, host) = (&mining.negatives, &site.store.host);
    let questions = Questions::of(&mining.source, host)?;
    ensure!(
        !questions.pairs.is_empty(),
        "there is no query with a relevant document"
    );
    let named = || output.display().to_string();
    // Before anything takes long, so that a file that cannot be written is told of at once.
    let mut file = Output::create(output, questions.has_ids, mining.scores).with_context(named)?;
    let ranker = match &mining.method {
        Method::Bm25(settings) => Ranker::bm25(&questions.documents, *settings)?,
        Method::Model(model) => Ranker::model(model, &questions, site)?,
    };
    let mut counts = Counts::default();
    let progress = host.progress("mine", 0, questions.pairs.len() as u64);
    for pairs in questions.pairs.chunks(CHUNK) {
        host.check()?;
        for ((query, positive), ranked) in pairs.iter().zip(ranker.rank(pairs, mining.depth)?) {
            let is_relevant = |id: &str| questions.is_relevant(query, id);
            let drawn = settings.draw(&query.id, &ranked.hits, ranked.positive, is_relevant);
            counts.add(settings.count, drawn.hits.len(), drawn.too_high);
            if !drawn.hits.is_empty() {
                let positive = (positive, ranked.positive);
                file.write(query, positive, &drawn.hits, &questions)
                    .with_context(named)?;
            }
        }
        progress.at(counts.pairs, "");
    }
    drop(progress);
    file.finish().with_context(named)?;
    Ok(counts)
}

/// What became of the pairs of a query and a relevant document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub pairs: u64,
    /// Those with fewer negatives than asked for.
    pub short: u64,
    /// Those with none.
    pub without: u64,
    /// Negatives that were drawn.
    pub negatives: u64,
    /// Documents that scored too high.
    pub too_high: u64,
}

impl Counts {
    fn add(&mut self, wanted: usize, found: usize, too_high: usize) {
        self.pairs += 1;
        self.short += u64::from(0 < found && found < wanted);
        self.without += u64::from(found == 0);
        self.negatives += found as u64;
        self.too_high += too_high as u64;
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            pairs,
            short,
            without,
            negatives,
            too_high,
        } = self;
        write!(
            f,
            "{negatives} negatives for {} of {pairs} relevant documents, fewer than asked for in {short}; \
             {without} left out without any; {too_high} candidates scored too high",
            pairs - without
        )
    }
}
