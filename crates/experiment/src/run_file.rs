//! The run file: all that a run's result depends on, in one TOML file.

mod faults;
mod student;
mod translation;

use std::ops::Deref;
use std::path::{Path, PathBuf};

use anyhow::Context;
use optical_corpus::bitext::BitextSource;
use optical_corpus::collection::CollectionSource;
use optical_corpus::filter::FilterSettings;
use optical_corpus::shape::ShapeSettings;
use optical_distill::DistillSettings;
use optical_evaluation::{MEASURES, RetrievalSettings, Tests, measures};
use optical_report::page::ResourceClass;
use optical_retrieval::Measure;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use toml::Table;

use crate::{findings, places};

pub use self::student::{All, EnglishSettings, Layers, StudentSettings, Weights};
pub use self::translation::{CodeSwitching, TableSource, TranslationSettings, TranslationSystem};

const COLLECTION: &str = "[collection]";

/// A run's settings with the text that they were read from, which a run folder keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFile {
    settings: RunSettings,
    text: String,
    path: Option<PathBuf>,
    /// The table that the collection is from.
    collection_table: &'static str,
}

/// What a run file says, as written in `configs/*.toml`; relative paths begin where the program is
/// started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSettings {
    /// Title of the report.
    pub title: String,
    /// The teacher: `dataset:NAME`, `hub:OWNER/NAME`, or a Hugging Face folder.
    pub model: String,
    /// What the teacher reads, as far as languages are kept where it puts them; without the key, any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher_languages: Option<Vec<String>>,
    /// A student of its own; without the table, students begin as the teacher's copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub student: Option<StudentSettings>,
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
    /// What is measured, by trec_eval's names; the first is tested and drawn. Without the key, they are
    /// [`MEASURES`].
    pub measures: Option<Vec<String>>,
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

impl Deref for RunFile {
    type Target = RunSettings;

    fn deref(&self) -> &RunSettings {
        &self.settings
    }
}

impl RunFile {
    /// Reads and checks a run file.
    ///
    /// # Errors
    /// If it cannot be read, lacks a key or has another one, or a value is outside its domain: names
    /// file, line and key.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        Self::read(path)?.checked()
    }

    /// Reads a run file that has all keys and no others, whatever their values.
    ///
    /// # Errors
    /// If it cannot be read, lacks a key or has another one.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = optical_files::text::read(path)
            .with_context(|| format!("run file {}", path.display()))?;
        Self::named(path, text)
    }

    /// Reads the text of a run file, whatever its values; `path` is its name in errors.
    ///
    /// # Errors
    /// If it lacks a key or has another one.
    pub fn named(path: &Path, text: String) -> anyhow::Result<Self> {
        let settings =
            toml::from_str(&text).map_err(|error| places::of_toml(path, &text, &error))?;
        Ok(Self {
            settings,
            text,
            path: Some(path.to_owned()),
            collection_table: COLLECTION,
        })
    }

    /// Makes a run file of keys and values, as a study does.
    ///
    /// # Errors
    /// If a key is missing or unknown, or a value is outside its domain.
    pub fn of_table(table: &Table) -> anyhow::Result<Self> {
        let text = toml::to_string(table)?;
        let run = Self {
            settings: toml::from_str(&text)?,
            text,
            path: None,
            collection_table: COLLECTION,
        };
        run.checked()
    }

    /// Makes a run file of settings, which become its text.
    ///
    /// # Errors
    /// If a value is outside its domain.
    pub fn of_settings(settings: RunSettings) -> anyhow::Result<Self> {
        let text = toml::to_string(&settings)?;
        let run = Self {
            settings,
            text,
            path: None,
            collection_table: COLLECTION,
        };
        run.checked()
    }

    /// Returns the run file, if all values are in their domains.
    ///
    /// # Errors
    /// If one is not: names all of them, with file and line.
    pub fn checked(self) -> anyhow::Result<Self> {
        let place = |fault: String| match &self.path {
            Some(path) => places::placed(path, &self.text, &fault),
            None => fault,
        };
        findings::listed(self.faults().into_iter().map(place).collect())?;
        Ok(self)
    }

    /// Returns the text, as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the table that the collection is from, for errors.
    pub(crate) fn collection_table(&self) -> &'static str {
        self.collection_table
    }

    /// Returns the name of the file, if it was read from one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Returns what tells run files apart that give other numbers: a hash of all keys and values, but
    /// for `repetitions` and `[final_test]`.
    ///
    /// # Errors
    /// Never for a text that was read; the text is parsed again.
    pub fn fingerprint(&self) -> anyhow::Result<String> {
        let settings = toml::to_string(&says(&self.text)?)?;
        let digest = Sha256::digest(settings.as_bytes());
        Ok(digest[..16].iter().map(|it| format!("{it:02x}")).collect())
    }

    /// Returns the run that asks the questions of `[final_test]`, with the same text; `None` where the
    /// file has no such table.
    pub fn final_test(&self) -> Option<Self> {
        let mut run = self.clone();
        run.settings.collection = run.settings.final_test.take()?;
        run.collection_table = "[final_test]";
        run.settings.title.push_str(" (final test)");
        Some(run)
    }

    /// Returns the run over all documents of its collection's source, with the same text.
    pub fn with_all_documents(mut self) -> Self {
        self.settings.collection = self.settings.collection.with_all_documents();
        self
    }
}

/// Reads the keys and values of a run file's text, but for how many students there are to be and what
/// they are tested on.
pub(crate) fn says(text: &str) -> anyhow::Result<Table> {
    let mut table: Table = text.parse().context("run file")?;
    table.remove("repetitions");
    table.remove("final_test");
    Ok(table)
}

impl RunSettings {
    /// Returns all query languages with the class that each counts in.
    pub fn classes(&self) -> Vec<(String, ResourceClass)> {
        use ResourceClass::{Control, High, Low};
        let Languages { low, high, control } = &self.languages;
        [(low, Low), (high, High), (control, Control)]
            .into_iter()
            .flat_map(|(languages, class)| languages.iter().map(move |l| (l.clone(), class)))
            .collect()
    }

    /// Returns what is measured; the first measure is tested.
    ///
    /// # Errors
    /// If a name is not that of a measure.
    pub fn measured(&self) -> anyhow::Result<Vec<Measure>> {
        match &self.measures {
            Some(names) => measures(names),
            None => measures(&MEASURES),
        }
    }

    /// Returns how differences are tested.
    pub fn tests(&self) -> Tests {
        Tests {
            permutations: self.significance.permutations,
            seed: self.distill.training.seed,
        }
    }
}

#[cfg(test)]
mod tests;
