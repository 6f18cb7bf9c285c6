//! `cells.csv`: numbers beside the values, by method, size, seed and language.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use optical_analysis::{Analysis, Groups, Sheet, Study, Table, analyse};
use optical_files::text;

use crate::Source;
use crate::tables::{number, parameters, sheet, with_interval};

/// Columns that say which row it is.
const KEYS: [&str; 5] = ["method", "size", "seed", "language", "group"];
/// What says how far rankings of a question and of its English version agree.
const CONSISTENCY: [&str; 2] = ["rankc", "overlap10"];

#[derive(Debug)]
struct Row {
    keys: [String; 5],
    size: f64,
    /// A number or nothing for each column.
    numbers: Vec<Option<f64>>,
}

/// The table `cells.csv`, with its columns of numbers.
#[derive(Debug)]
pub struct Cells {
    path: PathBuf,
    columns: Vec<String>,
    rows: Vec<Row>,
    compared: BTreeSet<String>,
}

/// A cell by its cost.
pub(crate) struct Point {
    pub(crate) method: String,
    pub(crate) size: f64,
    pub(crate) flops: f64,
    pub(crate) low: f64,
    pub(crate) gap: f64,
}

impl Point {
    /// Says whether no other is at least as good in all of cost, level and gap, and better in one.
    pub(crate) fn on_front(&self, points: &[Self]) -> bool {
        !points.iter().any(|it| {
            let is_level = it.flops <= self.flops && self.low <= it.low && it.gap <= self.gap;
            is_level && (it.flops, it.low, it.gap) != (self.flops, self.low, self.gap)
        })
    }
}

impl Cells {
    /// Reads the table; columns with a value that is not a number are passed over.
    ///
    /// # Errors
    /// If the file cannot be read, lacks a column that says which row it is, or a size is not a positive
    /// number: with the line.
    pub fn read(path: &Path, groups: &Groups) -> anyhow::Result<Self> {
        let at = || path.display().to_string();
        let mut reader = csv::Reader::from_reader(text::open(path)?);
        let header = reader.headers().with_context(at)?.clone();
        let place = |name: &str| header.iter().position(|it| it == name);
        let mut places = [0; 5];
        for (place_of, key) in places.iter_mut().zip(KEYS) {
            let Some(found) = place(key) else {
                bail!(
                    "{}:1: has no column {key}, expected {}",
                    path.display(),
                    KEYS.join(",")
                );
            };
            *place_of = found;
        }
        let mut rows = Vec::new();
        let others: Vec<usize> = (0..header.len())
            .filter(|it| !places.contains(it))
            .collect();
        let mut is_number = vec![true; others.len()];
        for record in reader.records() {
            let record = record.with_context(at)?;
            let line = record.position().map_or(0, csv::Position::line);
            let keys = places.map(|it| record.get(it).unwrap_or_default().to_owned());
            let size = keys[1]
                .parse()
                .ok()
                .filter(|it: &f64| 0.0 < *it && it.is_finite());
            let Some(size) = size else {
                bail!(
                    "{}:{line}: size {:?} is not a positive number",
                    path.display(),
                    keys[1]
                );
            };
            let mut numbers = Vec::new();
            for (&column, is_number) in others.iter().zip(&mut is_number) {
                let field = record.get(column).unwrap_or_default();
                let value = field.parse::<f64>().ok().filter(|it| it.is_finite());
                *is_number &= field.is_empty() || value.is_some();
                numbers.push(value);
            }
            rows.push(Row {
                keys,
                size,
                numbers,
            });
        }
        let columns = others.iter().map(|it| header[*it].to_owned());
        let named = |names: &[String], default: &str| match names {
            [] => vec![default.to_owned()],
            names => names.to_vec(),
        };
        let compared = named(&groups.low, "low")
            .into_iter()
            .chain(named(&groups.high, "high"));
        let mut cells = Self {
            path: path.to_owned(),
            columns: columns.collect(),
            rows,
            compared: compared.collect(),
        };
        for column in (0..is_number.len()).rev().filter(|it| !is_number[*it]) {
            cells.columns.remove(column);
            for row in &mut cells.rows {
                row.numbers.remove(column);
            }
        }
        Ok(cells)
    }

    /// The mean of a column in each cell, over the compared languages and their seeds.
    fn mean(&self, column: usize) -> BTreeMap<(&str, u64), (f64, f64)> {
        let mut sums: BTreeMap<(&str, u64), (f64, f64, f64)> = BTreeMap::new();
        for row in self
            .rows
            .iter()
            .filter(|row| self.compared.contains(&row.keys[4]))
        {
            let Some(value) = row.numbers[column] else {
                continue;
            };
            let key = (row.keys[0].as_str(), row.size.to_bits());
            let sum = sums.entry(key).or_insert((row.size, 0.0, 0.0));
            *sum = (sum.0, sum.1 + value, sum.2 + 1.0);
        }
        let means = sums.into_iter();
        means
            .map(|(key, (size, sum, count))| (key, (size, sum / count)))
            .collect()
    }

    /// The means of all columns.
    pub(crate) fn means(&self) -> Sheet {
        let mut rows: BTreeMap<(&str, u64), Vec<String>> = BTreeMap::new();
        for row in &self.rows {
            let first = vec![row.keys[0].clone(), parameters(row.size)];
            rows.insert((&row.keys[0], row.size.to_bits()), first);
        }
        for column in 0..self.columns.len() {
            let means = self.mean(column);
            for (key, row) in &mut rows {
                let value = means.get(key).map(|it| it.1);
                row.push(match value {
                    Some(value) if 1e5 <= value.abs() => format!("{value:.3e}"),
                    value => number(value),
                });
            }
        }
        let headers = ["method", "size"].into_iter();
        let headers: Vec<&str> = headers
            .chain(self.columns.iter().map(String::as_str))
            .collect();
        let title = "Means over the compared languages and their seeds";
        sheet(title, &headers, rows.into_values().collect())
    }

    /// The cells whose operations a query are known.
    pub(crate) fn points(&self, analysis: &Analysis) -> Vec<Point> {
        let column = self.columns.iter().position(|it| it == "flops");
        let flops = column.map(|it| self.mean(it)).unwrap_or_default();
        let mut points = Vec::new();
        for (method, found) in &analysis.methods {
            for it in &found.sizes {
                let known = flops.get(&(method.as_str(), it.size.to_bits()));
                if let Some((size, flops)) = known.copied().filter(|it| 0.0 < it.1) {
                    let (method, low, gap) = (method.clone(), it.low, it.gap);
                    points.push(Point {
                        method,
                        size,
                        flops,
                        low,
                        gap,
                    });
                }
            }
        }
        points
    }

    /// Tests whether size raises accuracy and not consistency: slopes of both, with their intervals.
    pub(crate) fn consistency(&self, source: &Source<'_>) -> Vec<String> {
        let mut said = Vec::new();
        for name in CONSISTENCY {
            let Some(column) = self.columns.iter().position(|it| it == name) else {
                continue;
            };
            let found = match self.analysed(column, source) {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(error) => {
                    said.push(format!("{name} is not tested: {error:#}."));
                    continue;
                }
            };
            for (method, it) in found
                .methods
                .iter()
                .filter(|(_, it)| it.slope.low.is_some())
            {
                let Some(level) = source.analysis.methods.get(method).map(|it| it.slope) else {
                    continue;
                };
                let side = |group: &str, level: [Option<f64>; 1], spread, own, own_spread| {
                    format!(
                        "in the {group}-resource languages the {} {} ({}) and {name} {} ({})",
                        source.measure,
                        direction(spread),
                        with_interval(level[0], spread),
                        direction(own_spread),
                        with_interval(own, own_spread)
                    )
                };
                let low = side(
                    "low",
                    [level.low],
                    level.low_interval,
                    it.slope.low,
                    it.slope.low_interval,
                );
                let high = side(
                    "high",
                    [level.high],
                    level.high_interval,
                    it.slope.high,
                    it.slope.high_interval,
                );
                let verdict = match [level.low_interval, it.slope.low_interval].map(direction) {
                    ["rises", "rises"] => "size raises both accuracy and consistency",
                    ["rises", "falls"] => "size raises accuracy and lowers consistency",
                    ["rises", _] => {
                        "size raises accuracy, and that it raises consistency is not shown"
                    }
                    _ => "that size raises accuracy is not shown",
                };
                said.push(format!("{method}, per tenfold size: {low}; {high}. In the low-resource ones, {verdict}."));
            }
        }
        said
    }

    /// Analyses a column as values without topics, in the languages that have it in every cell.
    fn analysed(&self, column: usize, source: &Source<'_>) -> anyhow::Result<Option<Analysis>> {
        let with = |row: &&Row| row.numbers[column].is_some();
        let cells: BTreeSet<_> = self
            .rows
            .iter()
            .filter(with)
            .map(|row| &row.keys[..3])
            .collect();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for row in self.rows.iter().filter(with) {
            *counts.entry(&row.keys[3]).or_default() += 1;
        }
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record(KEYS.iter().chain(&["topic", "value"]))?;
        let mut groups = BTreeSet::new();
        for row in self.rows.iter().filter(with) {
            if counts[row.keys[3].as_str()] == cells.len() {
                groups.insert(row.keys[4].as_str());
                let value = row.numbers[column].unwrap_or_default().to_string();
                table.write_record(row.keys.iter().map(String::as_str).chain(["", &value]))?;
            }
        }
        if !self.compared.iter().all(|it| groups.contains(it.as_str())) {
            return Ok(None);
        }
        let table = table
            .into_inner()
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        let study = Study::new(&Table::of(&self.path, &table[..])?, source.groups)?;
        Ok(Some(analyse(&study, source.settings)))
    }
}

/// What an interval of a slope says.
fn direction(interval: Option<[f64; 2]>) -> &'static str {
    match interval {
        Some([low, _]) if 0.0 < low => "rises",
        Some([_, high]) if high < 0.0 => "falls",
        _ => "is not known to change",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_has_what_nothing_beats() {
        let point = |flops, low, gap| Point {
            method: String::new(),
            size: 1.0,
            flops,
            low,
            gap,
        };
        // The third costs as much as the second, and is worse in both.
        let points = [
            point(1.0, 0.2, 0.5),
            point(2.0, 0.4, 0.3),
            point(2.0, 0.3, 0.4),
            point(9.0, 0.4, 0.2),
        ];
        let front: Vec<bool> = points.iter().map(|it| it.on_front(&points)).collect();
        assert_eq!(front, [true, true, false, true]);
    }
}
