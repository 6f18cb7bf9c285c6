//! The page of a run: what was reached, how surely, and how to reach it again.
//!
//! A [`RunSummary`] holds the numbers; [`RunSummary::write_markdown`] makes the page that people
//! read and [`RunSummary::write_json`] the file that programs read. Means, gaps and the headline
//! are computed here from the per-language numbers, so they cannot disagree with the tables.

mod chart;
mod markdown;
mod study;
mod tables;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use self::study::{StudiedSystem, StudySummary};
pub use self::tables::bitext_table;
use crate::ReportError;
use crate::error::require_finite;
use crate::write::{write_atomically, write_json};

/// Everything the page of a run says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSummary {
    /// Title of the page.
    pub title: String,
    /// The measure that headline, gap and bold cells are about, by trec_eval's name: `map`.
    pub measure: String,
    /// Systems in the order of the tables.
    pub systems: Vec<System>,
    /// Name of the system that the candidate is compared with: the encoder before distillation.
    pub baseline: String,
    /// Name of the system that the run made.
    pub candidate: String,
    /// Scores per language, in the order of the tables.
    pub languages: Vec<LanguageResult>,
    /// Candidate against other systems, by name, over the queries of all low-resource languages, each
    /// language with the same weight.
    pub low_resource: BTreeMap<String, Comparison>,
    /// How the comparisons were made: test and number of permutations.
    pub significance: Option<String>,
    /// What became of the sentence pairs, in the order of the table.
    pub bitext: Vec<BitextRow>,
    /// What was watched during training.
    pub instruments: Vec<Instrument>,
    /// Pictures, with paths relative to the page.
    pub figures: Vec<Figure>,
    /// What a reader should know before trusting the numbers; a paragraph each.
    pub notes: Vec<String>,
    /// How the run was made: command, seed, device, times, versions, hashes.
    pub facts: Vec<Fact>,
}

/// One system under comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// Name, as the scores use it: `zero-shot`.
    pub name: String,
    /// What it is, in a line under the table: `the teacher on the foreign query`.
    pub description: String,
    /// Whether it is an upper bound, such as the English query: never set in bold.
    pub reference: bool,
}

/// Which mean a language counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceClass {
    /// Few resources: the languages that the method is for.
    Low,
    /// Many resources: the languages that must not lose.
    High,
    /// Shown but in no mean: English, or a language that was never trained on.
    Control,
}

/// All numbers of one query language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageResult {
    /// Name of the language.
    pub language: String,
    /// Which mean it counts in.
    pub class: ResourceClass,
    /// Number of queries that the means are over.
    pub queries: usize,
    /// Mean per measure (trec_eval's names) of each system; a missing entry prints as a dash.
    pub scores: BTreeMap<String, BTreeMap<String, f64>>,
    /// Candidate against baseline on this language.
    pub comparison: Option<Comparison>,
}

/// A paired comparison of the candidate with another system.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Number of topics both were scored on.
    pub topics: usize,
    /// Mean of candidate minus the other.
    pub difference: f64,
    /// Two-sided p-value.
    pub p_value: f64,
    /// The same after Holm's correction for the number of languages, or of systems.
    pub corrected_p_value: f64,
}

/// What became of the sentence pairs of a language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BitextRow {
    /// Name of the language.
    pub language: String,
    /// Pairs found.
    pub read: usize,
    /// Pairs left out, by reason; the same reasons in every row. A reason that nowhere held has
    /// no column.
    pub dropped: Vec<(String, usize)>,
    /// Pairs that stayed.
    pub kept: usize,
    /// Lines that are not a pair, beside those found.
    pub bad_lines: usize,
}

/// A quantity watched during training, at its start and end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instrument {
    /// What it is: `cosine within a sentence`.
    pub name: String,
    /// At the first measurement.
    pub first: f64,
    /// At the last measurement.
    pub last: f64,
    /// The teacher's value, where there is one to hold it against.
    pub teacher: Option<f64>,
}

/// A picture on the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// Path relative to the page, with forward slashes.
    pub path: String,
    /// What it shows.
    pub caption: String,
}

/// One line of how the run was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// What it is: `seed`.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl Fact {
    /// Creates a fact, in its own words.
    pub fn new(name: impl Into<String>, value: impl ToString) -> Self {
        Self {
            name: name.into(),
            value: value.to_string(),
        }
    }
}

impl RunSummary {
    /// Checks that there is something to report, that names agree and that all numbers are finite.
    ///
    /// # Errors
    /// If a list is empty, a name is unknown, or a number is not finite.
    pub fn check(&self) -> Result<(), ReportError> {
        if self.systems.is_empty() {
            return Err(ReportError::Empty(
                "the summary's list of systems".to_owned(),
            ));
        }
        if self.languages.is_empty() {
            return Err(ReportError::Empty(
                "the summary's list of languages".to_owned(),
            ));
        }
        self.require_known("baseline", &self.baseline)?;
        self.require_known("candidate", &self.candidate)?;
        for language in &self.languages {
            for (system, measures) in &language.scores {
                self.require_known(&language.language, system)?;
                let what = format!("{} of {}", system, language.language);
                require_finite(&what, measures.values().copied())?;
            }
            if let Some(comparison) = language.comparison {
                comparison.check(&language.language)?;
            }
        }
        for (system, comparison) in &self.low_resource {
            self.require_known("a comparison", system)?;
            comparison.check(system)?;
        }
        for instrument in &self.instruments {
            let values = [instrument.first, instrument.last]
                .into_iter()
                .chain(instrument.teacher);
            require_finite(&format!("instrument {}", instrument.name), values)?;
        }
        Ok(())
    }

    /// Writes the page.
    ///
    /// # Errors
    /// As [`RunSummary::check`], or if the file cannot be written.
    pub fn write_markdown(&self, path: &Path) -> Result<(), ReportError> {
        write_atomically(path, self.to_markdown()?.as_bytes())
    }

    /// Writes all numbers in full precision, as an indented JSON object.
    ///
    /// # Errors
    /// As [`RunSummary::check`], or if the file cannot be written.
    pub fn write_json(&self, path: &Path) -> Result<(), ReportError> {
        self.check()?;
        write_json(path, self)
    }

    /// Returns the macro mean over the languages of a class: each language counts once, however
    /// many queries it has. `None` if the class is empty, or a language of it lacks the number.
    pub fn macro_mean(&self, system: &str, measure: &str, class: ResourceClass) -> Option<f64> {
        let members = self
            .languages
            .iter()
            .filter(|language| language.class == class);
        let values: Vec<f64> = members
            .map(|language| language.score(system, measure))
            .collect::<Option<_>>()?;
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }

    fn require_known(&self, place: &str, system: &str) -> Result<(), ReportError> {
        if self.systems.iter().any(|known| known.name == system) {
            return Ok(());
        }
        Err(ReportError::UnknownSystem {
            place: place.to_owned(),
            system: system.to_owned(),
            expected: self
                .systems
                .iter()
                .map(|known| known.name.clone())
                .collect(),
        })
    }
}

impl Comparison {
    fn check(&self, of: &str) -> Result<(), ReportError> {
        let values = [self.difference, self.p_value, self.corrected_p_value];
        require_finite(&format!("comparison of {of}"), values)
    }
}

impl LanguageResult {
    /// Returns a system's mean of a measure over this language's queries.
    pub fn score(&self, system: &str, measure: &str) -> Option<f64> {
        self.scores.get(system)?.get(measure).copied()
    }
}

/// Writes as people do a measure that trec_eval calls `name`.
pub fn measure_title(name: &str) -> String {
    match name {
        "map" => return "MAP".to_owned(),
        "recip_rank" => return "MRR".to_owned(),
        "Rprec" => return "R-precision".to_owned(),
        _ => {}
    }
    let prefixes = [
        ("map_cut_", "MAP"),
        ("ndcg_cut_", "nDCG"),
        ("recall_", "Recall"),
        ("recip_rank_cut_", "MRR"),
        ("P_", "P"),
        ("judged_", "Judged"),
    ];
    let cut = prefixes.iter().find_map(|(prefix, title)| {
        let depth = name.strip_prefix(prefix)?;
        depth
            .parse::<u32>()
            .ok()
            .map(|depth| format!("{title}@{depth}"))
    });
    cut.unwrap_or_else(|| name.to_owned())
}
