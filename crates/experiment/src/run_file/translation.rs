//! The `[translation]` table: queries led to English words, for BM25.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use optical_evaluation::BuiltIn;
use optical_retrieval::translation::ibm1::Ibm1Settings;
use optical_retrieval::translation::{Combine, Pruning, QueryTranslation, Unknown, Weights};
use serde::{Deserialize, Serialize};

/// Query translation; each part may be absent, and then takes no place in the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TranslationSettings {
    /// A table for every language of the run that has bitext, by IBM model 1.
    pub ibm1: Option<Ibm1Settings>,
    /// By language, a dictionary in dictd's format: the path without `.index` and `.dict.dz`.
    pub dictionary: Option<BTreeMap<String, PathBuf>>,
    /// By language, a program and its arguments: one query per line in, one translation per line out.
    pub command: Option<BTreeMap<String, Vec<String>>>,
    /// Systems that translate word by word.
    #[serde(default)]
    pub systems: Vec<TranslationSystem>,
}

/// A system that translates word by word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TranslationSystem {
    /// Its name in tables and files.
    pub name: String,
    /// Where translations come from.
    pub table: TableSource,
    /// The most translations of a word.
    pub translations: usize,
    /// Less probable translations are left out …
    pub minimum_probability: f64,
    /// … and those after the best ones that have this share of the probability.
    pub cumulative_probability: f64,
    /// How the translations of a word are weighted.
    pub weights: Weights,
    /// Whether they are one term, or one each.
    pub combine: Combine,
    /// The share of the word as it is beside its translations.
    pub original: f64,
    /// What becomes of a word without translations.
    pub unknown: Unknown,
}

/// How English sentences get words of another language, for `distill.code_switched`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeSwitching {
    /// Where words come from.
    pub table: TableSource,
    /// Less probable translations are not used.
    pub minimum_probability: f64,
    /// The share of the words of the table in a sentence that are replaced.
    pub words: f64,
}

/// Where translations of words come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableSource {
    /// `[translation.ibm1]`.
    Ibm1,
    /// `[translation.dictionary]`.
    Dictionary,
}

impl TranslationSystem {
    /// Returns how it makes terms of a query.
    pub fn query_translation(&self) -> QueryTranslation {
        QueryTranslation {
            prune: Pruning {
                minimum_probability: self.minimum_probability,
                cumulative_probability: self.cumulative_probability,
                translations: self.translations,
            },
            weights: self.weights,
            combine: self.combine,
            original: self.original,
            unknown: self.unknown,
        }
    }

    /// Returns what it does, for the report.
    pub fn description(&self) -> String {
        let table = match self.table {
            TableSource::Ibm1 => "IBM model 1 over the bitext",
            TableSource::Dictionary => "a dictionary",
        };
        let how = match self.combine {
            Combine::Expectation => "as one term of expected frequencies",
            Combine::Separate => "as terms of their own",
        };
        let number = self.translations;
        format!("BM25 on up to {number} translations of each word by {table}, {how}")
    }
}

impl TranslationSettings {
    /// Finds every value that is outside its domain; `languages` are those of the run.
    pub fn faults(&self, languages: &BTreeSet<String>) -> Vec<String> {
        let mut faults = Vec::new();
        let mut share = |key: &str, value: f64| {
            if !(0.0..=1.0).contains(&value) {
                faults.push(format!("translation.{key} = {value}, expected 0 to 1"));
            }
        };
        if let Some(ibm1) = &self.ibm1 {
            share("ibm1.minimum_probability", ibm1.minimum_probability);
        }
        for system in &self.systems {
            for (key, value) in [
                ("minimum_probability", system.minimum_probability),
                ("cumulative_probability", system.cumulative_probability),
                ("original", system.original),
            ] {
                share(&format!("systems, {}: {key}", system.name), value);
            }
        }
        if self.ibm1.as_ref().is_some_and(|ibm1| ibm1.iterations == 0) {
            faults.push("translation.ibm1.iterations = 0, expected at least 1".to_owned());
        }
        let dictionaries = self.dictionary.iter().flat_map(|it| it.keys());
        let dictionaries = dictionaries.map(|language| ("dictionary", language));
        let commands = self.command.iter().flat_map(|it| it.keys());
        let commands = commands.map(|language| ("command", language));
        for (key, language) in dictionaries.chain(commands) {
            if !languages.contains(language) {
                faults.push(format!(
                    "translation.{key}.{language} is not a language of [languages]"
                ));
            }
        }
        for (language, command) in self.command.iter().flatten() {
            if command.is_empty() {
                faults.push(format!(
                    "translation.command.{language} = [], expected a program and its arguments"
                ));
            }
        }
        faults.extend(self.faults_of_systems());
        faults
    }

    fn faults_of_systems(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut names: BTreeSet<&str> = BuiltIn::ALL.map(BuiltIn::name).into();
        for system in &self.systems {
            let name = system.name.as_str();
            let of_a_file = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if name.is_empty() || !name.chars().all(of_a_file) {
                faults.push(format!(
                    "translation.systems: name = {name:?}, expected lower-case letters, digits and hyphens"
                ));
            }
            if ["student-", "distilled-"]
                .iter()
                .any(|of| name.starts_with(of))
            {
                faults.push(format!(
                    "translation.systems: name = {name:?}, which is the name of a student"
                ));
            }
            if !names.insert(name) {
                faults.push(format!("translation.systems: the name {name:?} is taken"));
            }
            let (wanted, present) = match system.table {
                TableSource::Ibm1 => ("ibm1", self.ibm1.is_some()),
                TableSource::Dictionary => ("dictionary", self.dictionary.is_some()),
            };
            if !present {
                faults.push(format!(
                    "translation.systems, {name}: table = {wanted:?}, but there is no [translation.{wanted}]"
                ));
            }
            if system.translations == 0 {
                faults.push(format!(
                    "translation.systems, {name}: translations = 0, expected at least 1"
                ));
            }
        }
        faults
    }
}
