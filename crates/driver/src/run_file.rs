//! The run file: all that a run's result depends on, in one TOML file.

pub mod faults;
mod translation;

use std::path::Path;

use anyhow::Context;
use optical_corpus::bitext::BitextSource;
use optical_corpus::collection::CollectionSource;
use optical_corpus::filter::FilterSettings;
use optical_corpus::shape::ShapeSettings;
use optical_distill::DistillSettings;
use optical_encoder::EncodeSettings;
use optical_tokenize::Role;
use serde::{Deserialize, Serialize};

use crate::experiment::findings;

pub use self::translation::{CodeSwitching, TableSource, TranslationSettings};

/// A run, as written in `configs/*.toml`; relative paths begin where the program is started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFile {
    /// Title of the report.
    pub title: String,
    /// The teacher: `dataset:NAME`, `hub:OWNER/NAME`, or a Hugging Face folder.
    pub model: String,
    /// Languages by how much text the web has of them.
    pub languages: Languages,
    /// Where sentence pairs come from.
    pub bitext: Vec<BitextSource>,
    /// What the pairs have to be like.
    pub bitext_filter: FilterSettings,
    /// What of them is joined, or made like queries; without the table, they stay as they are.
    pub bitext_shape: Option<ShapeSettings>,
    /// Queries, documents and judgements.
    pub collection: CollectionSource,
    /// What students are judged by while they are trained, where `distill.training.stopping` asks for
    /// it; the low-resource languages need queries in it.
    pub development: Option<CollectionSource>,
    /// What a finished run is scored on once, by `final-test`; its languages are those of `languages`.
    pub final_test: Option<CollectionSource>,
    /// The distillation.
    pub distill: DistillSettings,
    /// Students that are distilled, with seeds from `distill.training.seed` on; their values are
    /// averaged topic by topic.
    pub repetitions: usize,
    /// Encoding and searching.
    pub retrieval: RetrievalSettings,
    /// Translating queries for BM25; without the table, none are.
    pub translation: Option<TranslationSettings>,
    /// Which words of `distill.code_switched`'s sentences are foreign, by a table of `[translation]`.
    pub code_switching: Option<CodeSwitching>,
    /// Which documents each training sentence is scored with; goes with `distill.objectives.passages`.
    pub passages: Option<PassageChoice>,
    /// Testing differences.
    pub significance: SignificanceSettings,
    /// The language whose soft alignment is drawn.
    pub picture: String,
}

/// Query languages of the evaluation, by ISO 639-3 code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Languages {
    /// Few resources: what the method is for.
    pub low: Vec<String>,
    /// Many resources: what must not be lost.
    pub high: Vec<String>,
    /// Evaluated, but in no mean: English, or a language that is not trained on.
    pub control: Vec<String>,
}

/// Encoding and searching.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrievalSettings {
    /// Whose vectors documents are found by.
    pub documents: DocumentReader,
    /// Tokens a query may have.
    pub query_length: usize,
    /// Tokens a document may have; the rest is cut.
    pub document_length: usize,
    /// Tokens that go through the encoder at once.
    pub tokens_per_batch: usize,
    /// Documents a run keeps for each query.
    pub depth: usize,
    /// BM25's saturation of repeated words.
    pub bm25_k1: f32,
    /// BM25's discount of long documents.
    pub bm25_b: f32,
}

/// Whose vectors documents are found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DocumentReader {
    /// The frozen teacher's: one index serves every student.
    Teacher,
    /// Each student's own: one encoder for queries and documents, and an index of its own.
    Student,
}

impl RetrievalSettings {
    /// How queries are cut and batched.
    pub fn queries(&self) -> EncodeSettings {
        EncodeSettings {
            role: Role::Query,
            maximum_length: self.query_length,
            tokens_per_batch: self.tokens_per_batch,
        }
    }

    /// How documents are cut and batched.
    pub fn documents(&self) -> EncodeSettings {
        EncodeSettings {
            role: Role::Document,
            maximum_length: self.document_length,
            tokens_per_batch: self.tokens_per_batch,
        }
    }
}

/// The documents of the collection that a training sentence is scored with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassageChoice {
    /// BM25's best for what the teacher reads.
    pub retrieved: usize,
    /// Others, drawn at random.
    pub drawn: usize,
}

/// The paired randomisation test between zero-shot and distilled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignificanceSettings {
    /// Random sign vectors tried, where there are too many to try all.
    pub permutations: u32,
}

impl RunFile {
    /// Reads and checks a run file; returns it with its text.
    pub fn load(path: &Path) -> anyhow::Result<(Self, String)> {
        let (run, text) = Self::read(path)?;
        let place = |fault: String| faults::placed(path, &text, &fault);
        findings::listed(run.faults().into_iter().map(place).collect())?;
        Ok((run, text))
    }

    /// Reads a run file that has all keys and no others, whatever their values; returns it with its
    /// text.
    pub fn read(path: &Path) -> anyhow::Result<(Self, String)> {
        let text = optical_files::text::read(path)
            .with_context(|| format!("run file {}", path.display()))?;
        let run = toml::from_str(&text).map_err(|error| faults::of_toml(path, &text, &error))?;
        Ok((run, text))
    }

    /// Reads and checks the text of a run file.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let run: Self = toml::from_str(text)?;
        findings::listed(run.faults())?;
        Ok(run)
    }

    /// All query languages with the class each counts in.
    pub fn classes(&self) -> Vec<(String, optical_report::page::ResourceClass)> {
        use optical_report::page::ResourceClass::{Control, High, Low};
        let Languages { low, high, control } = &self.languages;
        [(low, Low), (high, High), (control, Control)]
            .into_iter()
            .flat_map(|(languages, class)| languages.iter().map(move |l| (l.clone(), class)))
            .collect()
    }
}
