//! The page of a study: many systems side by side, each against one of them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::tables::{DASH, largest, percent, probability, score_cell};
use super::{Comparison, Fact, ResourceClass, measure_title};
use crate::error::require_finite;
use crate::plot::{DotChart, DotRow};
use crate::write::{write_atomically, write_json};
use crate::{Align, Cell, ReportError, Table};

/// Everything the page of a study says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudySummary {
    /// Title of the page.
    pub title: String,
    /// The measure of all numbers, by trec_eval's name: `map`.
    pub measure: String,
    /// Languages in the order of the columns, with the mean each counts in.
    pub languages: Vec<(String, ResourceClass)>,
    /// Name of the system that the others are compared with.
    pub reference: String,
    /// Systems in the order of the rows.
    pub systems: Vec<StudiedSystem>,
    /// How the comparisons were made: test, number of permutations, correction and its family.
    pub significance: String,
    /// What a reader should know before trusting the numbers; a paragraph each.
    pub notes: Vec<String>,
    /// How the study was made.
    pub facts: Vec<Fact>,
}

/// One system of a study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudiedSystem {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Whether it is an upper bound: never set in bold.
    pub bound: bool,
    /// The measure by language, of each of its students; one where chance has no part in it.
    pub students: Vec<BTreeMap<String, f64>>,
    /// Cosine between tokens of one sentence at the end of training, in the mean over students.
    pub within_sentence_cosine: Option<f64>,
    /// Reference minus this system, over the topics of the low-resource languages.
    pub comparison: Option<Comparison>,
}

impl StudiedSystem {
    /// Returns the mean over students in a language.
    pub fn score(&self, language: &str) -> Option<f64> {
        let values = self.students.iter().map(|student| student.get(language));
        let values: Vec<f64> = values.map(Option::<&f64>::copied).collect::<Option<_>>()?;
        (!values.is_empty()).then(|| mean(&values))
    }
}

impl StudySummary {
    /// Checks that all numbers are finite and that the reference is among the systems.
    ///
    /// # Errors
    /// If a list is empty, the reference is unknown, or a number is not finite.
    pub fn check(&self) -> Result<(), ReportError> {
        if self.systems.is_empty() || self.languages.is_empty() {
            let what = "the study's list of systems or of languages";
            return Err(ReportError::Empty(what.to_owned()));
        }
        if !self.systems.iter().any(|it| it.name == self.reference) {
            return Err(ReportError::UnknownSystem {
                place: "reference".to_owned(),
                system: self.reference.clone(),
                expected: self.systems.iter().map(|it| it.name.clone()).collect(),
            });
        }
        for system in &self.systems {
            let values = system.students.iter().flat_map(BTreeMap::values).copied();
            require_finite(&system.name, values)?;
        }
        Ok(())
    }

    /// Returns each student's macro mean over the languages of a class; empty where one lacks a
    /// language, or the class has none.
    pub fn means(&self, system: &StudiedSystem, class: ResourceClass) -> Vec<f64> {
        let languages = self.languages.iter().filter(|(_, of)| *of == class);
        let languages: Vec<_> = languages.map(|(language, _)| language).collect();
        let student = |student: &BTreeMap<String, f64>| {
            let values = languages
                .iter()
                .map(|language| student.get(*language).copied());
            let values: Vec<f64> = values.collect::<Option<_>>()?;
            (!values.is_empty()).then(|| mean(&values))
        };
        let means: Option<Vec<f64>> = system.students.iter().map(student).collect();
        means.unwrap_or_default()
    }

    /// Returns a row per system: every language, the means of the classes with their standard
    /// deviation over students, and how far below the reference the system is.
    ///
    /// # Errors
    /// As [`StudySummary::check`].
    pub fn table(&self) -> Result<Table, ReportError> {
        self.check()?;
        let classes = [ResourceClass::Low, ResourceClass::High];
        let mut headers = vec![
            ("System".to_owned(), Align::Left),
            ("students".to_owned(), Align::Right),
        ];
        headers
            .extend((self.languages.iter()).map(|(language, _)| (language.clone(), Align::Right)));
        headers.extend(classes.map(|class| (format!("mean {}", class.word()), Align::Right)));
        headers.push((format!("low, against {}", self.reference), Align::Right));
        headers.push(("p, corrected".to_owned(), Align::Right));
        headers.push(("cosine within a sentence".to_owned(), Align::Right));
        let mut table = Table::new(headers);
        let scores = |system: &StudiedSystem| -> Vec<Option<f64>> {
            let languages = self.languages.iter();
            let languages = languages.map(|(language, _)| system.score(language));
            let means = classes.map(|class| {
                let means = self.means(system, class);
                (!means.is_empty()).then(|| mean(&means))
            });
            languages.chain(means).collect()
        };
        let best = largest(
            self.systems
                .iter()
                .filter(|system| !system.bound)
                .map(scores),
        );
        let low = |system: &StudiedSystem| self.means(system, ResourceClass::Low);
        let reference = self.systems.iter().find(|it| it.name == self.reference);
        let reference = reference.map(low).unwrap_or_default();
        for system in &self.systems {
            let mut row = vec![
                Cell::from(system.name.as_str()),
                Cell::from(system.students.len().to_string()),
            ];
            for (column, score) in scores(system).into_iter().enumerate() {
                let leads = !system.bound && score.is_some() && best[column] == score;
                let mut cell = score_cell(score, leads);
                if let Some(class) = column.checked_sub(self.languages.len())
                    && let Some(deviation) = deviation(&self.means(system, classes[class]))
                {
                    cell.text += &format!(" ± {deviation:.3}");
                }
                row.push(cell);
            }
            let own = low(system);
            let change = if system.name == self.reference || own.is_empty() || reference.is_empty()
            {
                DASH.to_owned()
            } else {
                percent(mean(&own) / mean(&reference) - 1.0)
            };
            row.push(change.into());
            let corrected = system
                .comparison
                .map(|it| probability(it.corrected_p_value));
            row.push(corrected.unwrap_or_else(|| DASH.to_owned()).into());
            row.push(score_cell(system.within_sentence_cosine, false));
            table.push(row)?;
        }
        Ok(table)
    }

    /// Means over the low-resource languages: a row per system that has all of them, a dot per student.
    pub fn dots(&self) -> DotChart {
        let rows = self.systems.iter().map(|system| DotRow {
            name: system.name.clone(),
            values: self.means(system, ResourceClass::Low),
            reference: system.name == self.reference,
        });
        DotChart {
            title: self.title.clone(),
            x: format!(
                "{}, mean of the low-resource languages",
                measure_title(&self.measure)
            ),
            rows: rows.filter(|row| !row.values.is_empty()).collect(),
        }
    }

    /// Returns the page in Markdown.
    ///
    /// # Errors
    /// As [`StudySummary::check`].
    pub fn to_markdown(&self) -> Result<String, ReportError> {
        let mut page = format!("# {}\n\n", self.title);
        page += &format!("{} of every system.\n\n", measure_title(&self.measure));
        page += &self.table()?.to_markdown();
        page += "\n![Means of the low-resource languages](study.png)\n\n*A dot is a student, a tick the mean of a system's.*\n";
        page += "\nBold: best of the column, upper bounds aside. Means are macro means: every language counts once; \
                 ± is the standard deviation over students with other seeds.\n\n";
        page += &format!("p: {}.\n\n", self.significance);
        let described = self.systems.iter().filter(|it| !it.description.is_empty());
        for system in described {
            page += &format!("- **{}**: {}\n", system.name, system.description);
        }
        for note in &self.notes {
            page += &format!("\n{note}\n");
        }
        if !self.facts.is_empty() {
            page += "\n## How it was made\n\n";
        }
        let mut facts = Table::new([("Fact", Align::Left), ("Value", Align::Left)]);
        for fact in &self.facts {
            facts.push([fact.name.as_str(), fact.value.as_str()])?;
        }
        if !facts.is_empty() {
            page += &facts.to_markdown();
        }
        Ok(page)
    }

    /// Writes the page.
    ///
    /// # Errors
    /// As [`StudySummary::check`], or if the file cannot be written.
    pub fn write_markdown(&self, path: &Path) -> Result<(), ReportError> {
        write_atomically(path, self.to_markdown()?.as_bytes())
    }

    /// Writes all numbers in full precision, as an indented JSON object.
    ///
    /// # Errors
    /// As [`StudySummary::check`], or if the file cannot be written.
    pub fn write_json(&self, path: &Path) -> Result<(), ReportError> {
        self.check()?;
        write_json(path, self)
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Returns the sample's standard deviation, of two values and more.
fn deviation(values: &[f64]) -> Option<f64> {
    let freedom = values.len().checked_sub(1).filter(|&freedom| 0 < freedom)?;
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / freedom as f64).sqrt())
}
