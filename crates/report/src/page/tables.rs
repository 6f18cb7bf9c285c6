//! The tables of a run, for its page and for the terminal.

use std::collections::BTreeSet;

use super::{BitextRow, Comparison, LanguageResult, ResourceClass, RunSummary, measure_title};
use crate::numbers::thousands;
use crate::{Align, Cell, ReportError, Table};

pub(super) const DASH: &str = "–";

impl RunSummary {
    /// Returns the main table: a row per system, a column per language and per mean of a class, in
    /// the summary's own measure. The best of each column is set off, upper bounds aside.
    ///
    /// # Errors
    /// As [`RunSummary::check`].
    pub fn effectiveness(&self) -> Result<Table, ReportError> {
        self.check()?;
        let means: Vec<ResourceClass> = [ResourceClass::Low, ResourceClass::High]
            .into_iter()
            .filter(|class| 1 < self.languages.iter().filter(|l| l.class == *class).count())
            .collect();
        let headers = (self
            .languages
            .iter()
            .map(|language| language.language.clone()))
        .chain(means.iter().map(|class| format!("mean {}", class.word())));
        let mut table = Table::new(
            std::iter::once(("System".to_owned(), Align::Left))
                .chain(headers.map(|header| (header, Align::Right))),
        );
        let row = |system: &str| -> Vec<Option<f64>> {
            (self
                .languages
                .iter()
                .map(|language| language.score(system, &self.measure)))
            .chain(
                means
                    .iter()
                    .map(|class| self.macro_mean(system, &self.measure, *class)),
            )
            .collect()
        };
        let systems = self.systems.iter().filter(|system| !system.reference);
        let best = largest(systems.map(|system| row(&system.name)));
        for system in &self.systems {
            let cells = row(&system.name)
                .into_iter()
                .enumerate()
                .map(|(column, score)| {
                    let leads =
                        !system.reference && score.is_some() && best.get(column) == Some(&score);
                    score_cell(score, leads)
                });
            table.push(std::iter::once(Cell::from(system.name.as_str())).chain(cells))?;
        }
        Ok(table)
    }

    /// Lists every measure: a row per language and system.
    ///
    /// # Errors
    /// As [`RunSummary::check`].
    pub fn all_measures(&self) -> Result<Table, ReportError> {
        self.check()?;
        let measures: BTreeSet<&str> = (self.languages.iter().flat_map(|l| l.scores.values()))
            .flat_map(|measures| measures.keys().map(String::as_str))
            .collect();
        // The summary's own measure leads, the others follow by name.
        let mut measures: Vec<&str> = measures.into_iter().collect();
        measures.sort_by_key(|name| *name != self.measure);
        let words = ["Language", "Resources"].map(|header| (header.to_owned(), Align::Left));
        let mut table = Table::new(
            words
                .into_iter()
                .chain([
                    ("Queries".to_owned(), Align::Right),
                    ("System".to_owned(), Align::Left),
                ])
                .chain(
                    measures
                        .iter()
                        .map(|name| (measure_title(name), Align::Right)),
                ),
        );
        for language in &self.languages {
            let scored = self
                .systems
                .iter()
                .filter(|s| language.scores.contains_key(&s.name));
            for system in scored {
                let head = [
                    Cell::from(language.language.as_str()),
                    language.class.word().into(),
                    thousands(&language.queries.to_string()).into(),
                    system.name.as_str().into(),
                ];
                let scores = measures
                    .iter()
                    .map(|name| score_cell(language.score(&system.name, name), false));
                table.push(head.into_iter().chain(scores))?;
            }
        }
        Ok(table)
    }

    /// Compares candidate and baseline per language, in the summary's own measure; empty if no
    /// language was compared.
    ///
    /// # Errors
    /// As [`RunSummary::check`].
    pub fn significance_table(&self) -> Result<Table, ReportError> {
        self.check()?;
        let mut table = comparison_table("Language", &self.baseline, &self.candidate);
        for language in &self.languages {
            let Some(comparison) = language.comparison else {
                continue;
            };
            let scores = [&self.baseline, &self.candidate]
                .map(|system| language.score(system, &self.measure));
            table.push(comparison_row(&language.language, comparison, scores))?;
        }
        Ok(table)
    }

    /// Compares the candidate with every other system in the low-resource languages together, in
    /// the summary's own measure; empty if none was compared.
    ///
    /// # Errors
    /// As [`RunSummary::check`].
    pub fn low_resource_table(&self) -> Result<Table, ReportError> {
        self.check()?;
        let mut table = comparison_table("System", "Mean low", &self.candidate);
        for system in &self.systems {
            if let Some(&comparison) = self.low_resource.get(&system.name) {
                let scores = [&system.name, &self.candidate]
                    .map(|system| self.macro_mean(system, &self.measure, ResourceClass::Low));
                table.push(comparison_row(&system.name, comparison, scores))?;
            }
        }
        Ok(table)
    }

    /// Returns the distance between the means of high- and low-resource languages, per system;
    /// empty if a class has no language.
    ///
    /// # Errors
    /// As [`RunSummary::check`].
    pub fn gap(&self) -> Result<Table, ReportError> {
        self.check()?;
        let mut table = Table::new([
            ("System", Align::Left),
            ("Mean high", Align::Right),
            ("Mean low", Align::Right),
            ("Gap", Align::Right),
            ("Low / high", Align::Right),
        ]);
        for system in &self.systems {
            let mean = |class| self.macro_mean(&system.name, &self.measure, class);
            if let (Some(high), Some(low)) = (mean(ResourceClass::High), mean(ResourceClass::Low)) {
                let share = if high == 0.0 {
                    DASH.to_owned()
                } else {
                    format!("{:.1} %", 100.0 * low / high)
                };
                table.push([
                    Cell::from(system.name.as_str()),
                    score_cell(Some(high), false),
                    score_cell(Some(low), false),
                    signed(high - low).into(),
                    share.into(),
                ])?;
            }
        }
        Ok(table)
    }

    /// Returns what was watched during training: first and last value, and the teacher's.
    ///
    /// # Errors
    /// As [`RunSummary::check`].
    pub fn instrument_table(&self) -> Result<Table, ReportError> {
        self.check()?;
        let numbers = ["Start", "End", "Teacher"].map(|header| (header, Align::Right));
        let mut table = Table::new(std::iter::once(("Instrument", Align::Left)).chain(numbers));
        for instrument in &self.instruments {
            table.push([
                Cell::from(instrument.name.as_str()),
                score_cell(Some(instrument.first), false),
                score_cell(Some(instrument.last), false),
                score_cell(instrument.teacher, false),
            ])?;
        }
        Ok(table)
    }

    /// Returns one or two sentences: what the candidate reached, over what, and how surely.
    ///
    /// # Errors
    /// As [`RunSummary::check`].
    pub fn headline(&self) -> Result<String, ReportError> {
        self.check()?;
        let measure = measure_title(&self.measure);
        let parts: Vec<String> = [ResourceClass::Low, ResourceClass::High]
            .into_iter()
            .filter_map(|class| {
                let before = self.macro_mean(&self.baseline, &self.measure, class)?;
                let after = self.macro_mean(&self.candidate, &self.measure, class)?;
                let names: Vec<&str> = self.members(class).map(|l| l.language.as_str()).collect();
                let relative = percent((after - before) / before);
                let class = class.word();
                Some(format!(
                    "{measure} {after:.3} on the {class}-resource languages ({}) against \
                     {before:.3} ({relative})",
                    names.join(", ")
                ))
            })
            .collect();
        let (candidate, baseline) = (&self.candidate, &self.baseline);
        if parts.is_empty() {
            return Ok(format!("{candidate} against {baseline}, per language."));
        }
        let mut text = format!(
            "{candidate} against {baseline}, macro means: {}.",
            parts.join("; ")
        );
        let compared: Vec<_> = self
            .members(ResourceClass::Low)
            .filter_map(|language| language.comparison)
            .collect();
        if !compared.is_empty() {
            let sure = compared
                .iter()
                .filter(|c| 0.0 < c.difference && c.corrected_p_value < 0.05);
            text += &format!(
                " The gain has a corrected p below 0.05 in {} of {} low-resource languages.",
                sure.count(),
                compared.len()
            );
        }
        Ok(text)
    }

    fn members(&self, class: ResourceClass) -> impl Iterator<Item = &LanguageResult> {
        self.languages
            .iter()
            .filter(move |language| language.class == class)
    }
}

impl ResourceClass {
    /// Returns the class in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::High => "high",
            Self::Control => "control",
        }
    }
}

/// Returns what became of sentence pairs: a row per language, a column per reason that somewhere
/// held.
///
/// # Errors
/// [`ReportError::Length`] if the rows do not have the same reasons.
pub fn bitext_table(rows: &[BitextRow]) -> Result<Table, ReportError> {
    let reasons = rows.first().map_or(&[][..], |row| &row.dropped);
    let mut columns: Vec<(String, Vec<usize>)> = Vec::new();
    let mut add = |name: &str, of: &dyn Fn(&BitextRow) -> usize| {
        let counts: Vec<usize> = rows.iter().map(of).collect();
        if name == "read" || name == "kept" || counts.iter().any(|&count| 0 < count) {
            columns.push((name.to_owned(), counts));
        }
    };
    add("bad lines", &|row| row.bad_lines);
    add("read", &|row| row.read);
    for (index, (reason, _)) in reasons.iter().enumerate() {
        add(reason, &|row| {
            row.dropped.get(index).map_or(0, |(_, count)| *count)
        });
    }
    add("kept", &|row| row.kept);
    let headers = columns.iter().map(|(name, _)| (name.clone(), Align::Right));
    let language = [("Language".to_owned(), Align::Left)];
    let mut table = Table::new(language.into_iter().chain(headers));
    for (index, row) in rows.iter().enumerate() {
        let counts = columns
            .iter()
            .map(|(_, counts)| thousands(&counts[index].to_string()));
        let cells = std::iter::once(row.language.clone()).chain(counts);
        table.push(cells)?;
    }
    Ok(table)
}

/// Returns a table of comparisons: what they are of, and the heads of another system's scores and
/// the candidate's.
fn comparison_table(of: &str, other: &str, own: &str) -> Table {
    let numbers = [
        "Topics",
        other,
        own,
        "Difference",
        "Relative",
        "p",
        "Corrected p",
    ];
    let numbers = numbers.map(|header| (header, Align::Right));
    Table::new(std::iter::once((of, Align::Left)).chain(numbers))
}

/// Returns a comparison of two scores, that of another system and the candidate's.
fn comparison_row(name: &str, comparison: Comparison, [other, own]: [Option<f64>; 2]) -> [Cell; 8] {
    let relative = other.map_or(DASH.to_owned(), |other| {
        percent(comparison.difference / other)
    });
    [
        name.into(),
        thousands(&comparison.topics.to_string()).into(),
        score_cell(other, false),
        score_cell(own, false),
        signed(comparison.difference).into(),
        relative.into(),
        probability(comparison.p_value).into(),
        probability(comparison.corrected_p_value).into(),
    ]
}

/// Returns the largest number of each column.
pub(super) fn largest(rows: impl Iterator<Item = Vec<Option<f64>>>) -> Vec<Option<f64>> {
    let larger = |(a, b): (Option<f64>, Option<f64>)| match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    };
    rows.reduce(|best, row| best.into_iter().zip(row).map(larger).collect())
        .unwrap_or_default()
}

pub(super) fn score_cell(score: Option<f64>, best: bool) -> Cell {
    let text = score.map_or(DASH.to_owned(), |score| {
        format!("{score:.3}").replace('-', "−")
    });
    Cell { text, best }
}

fn signed(value: f64) -> String {
    format!("{value:+.3}").replace('-', "−")
}

/// Writes a relative change; a dash where there is nothing to relate it to.
pub(super) fn percent(share: f64) -> String {
    if share.is_finite() {
        format!("{:+.1} %", 100.0 * share).replace('-', "−")
    } else {
        DASH.to_owned()
    }
}

pub(super) fn probability(p: f64) -> String {
    if p < 1e-4 {
        "< 0.0001".to_owned()
    } else {
        format!("{p:.4}")
    }
}
