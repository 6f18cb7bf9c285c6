//! Systems, what they rank, how good that is by language, and which differences are more than chance.
//!
//! [`System`]s rank queries; [`Evaluator::rankings`] keeps what they rank as TREC runs and
//! [`Evaluator::evaluate`] measures it; [`Tests`] compare the measures.

mod comparison;
mod cost;
mod ranking;
mod scores;
mod settings;
mod systems;

use std::path::Path;

use burn::tensor::Device;
use optical_retrieval::Measure;
use optical_store::Host;

pub use self::comparison::{Tests, correct};
pub use self::cost::{QueryCost, fertility, query_cost};
pub use self::ranking::{Asked, Queries, System};
pub use self::scores::{
    Evaluations, Scores, join_students, judgements, measure, measures, rounded, scores_of,
    student_name,
};
pub use self::settings::{DocumentReader, MEASURES, RetrievalSettings};
pub use self::systems::BuiltIn;

/// Ranks and measures in a folder, which has `trec/SYSTEM.LANGUAGE.run`, `trec/LANGUAGE.qrels` and the
/// keys of these.
#[derive(Debug, Clone, Copy)]
pub struct Evaluator<'a> {
    /// Where rankings are kept.
    pub folder: &'a Path,
    /// How texts are cut, and how many documents are kept.
    pub settings: &'a RetrievalSettings,
    /// What is measured; the first measure is tested.
    pub measures: &'a [Measure],
    /// Where queries are encoded.
    pub device: &'a Device,
    /// Whoever hears of it.
    pub host: &'a Host,
}
