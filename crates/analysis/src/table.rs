//! Reads the rows of a study: a CSV with a header, by the names of its columns.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use csv::{ErrorKind, StringRecord};
use optical_files::text::{self, TextError};

/// The columns that are read, in any order; others are ignored.
pub const COLUMNS: [&str; 7] = [
    "method", "size", "seed", "language", "group", "topic", "value",
];

/// Why a file was refused as a table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The file cannot be opened as text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A line is not a row of the table.
    #[error("{}:{line}: {fault}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: u64,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// There is a header and nothing below it, or not even a header.
    #[error("{} has no rows", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
    },
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineFault {
    /// The header lacks a column.
    #[error("has no column {0}, expected method,size,seed,language,group,topic,value")]
    Missing(&'static str),
    /// The header has a column twice.
    #[error("has the column {0} twice")]
    Twice(&'static str),
    /// The line has more or fewer fields than the header.
    #[error("has {found} fields, expected {expected} as in the header")]
    Fields {
        /// Fields of this line.
        found: u64,
        /// Fields of the header.
        expected: u64,
    },
    /// The line is not UTF-8.
    #[error("is not UTF-8")]
    Encoding,
    /// The line cannot be read, for example since packed data end early.
    #[error("cannot be read: {0}")]
    Read(String),
    /// A name is empty.
    #[error("has an empty {0}")]
    Empty(&'static str),
    /// The value is not a finite number.
    #[error("value {0:?} is not a number")]
    Value(String),
    /// The size is not a positive, finite number.
    #[error("size {0:?} is not a positive number")]
    Size(String),
    /// Some rows have a topic and some have none.
    #[error("has {}, and rows before it have {}", if *.0 { "a topic" } else { "no topic" }, if *.0 { "none" } else { "one" })]
    Topic(bool),
    /// The row is there already.
    #[error("repeats line {0}: same method, size, seed, language and topic")]
    Duplicate(u64),
}

/// A value of one seed, in one language, for one topic; names are places in [`Table::names`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row {
    pub(crate) method: u32,
    pub(crate) size: f64,
    pub(crate) seed: u32,
    pub(crate) language: u32,
    pub(crate) group: u32,
    pub(crate) topic: u32,
    pub(crate) value: f64,
    line: u64,
}

impl Row {
    /// What no two rows may have in common; sizes are positive, so their bits have their order.
    fn key(&self) -> (u32, u64, u32, u32, u32) {
        let size = self.size.to_bits();
        (self.method, size, self.language, self.seed, self.topic)
    }
}

/// The rows of a study, sorted by method, size, language, seed and topic, names as bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    path: PathBuf,
    names: Vec<String>,
    rows: Vec<Row>,
}

impl Table {
    /// Reads a CSV file, which may be packed with gzip or zstd whatever its name.
    ///
    /// Sizes are numbers of parameters, values are in the unit of the measure (average precision, for
    /// example, from 0 to 1); everything else is a name. Empty lines are passed over.
    ///
    /// # Errors
    /// If the file cannot be read or has no rows; with its line if the header lacks a column or has it
    /// twice, if a line has another number of fields, a value is not a finite number, a size is not
    /// positive, a method, language or group is empty, topics are given in some rows only, or a row is
    /// there twice.
    pub fn read(path: &Path) -> Result<Self, TableError> {
        Self::of(path, text::open(path)?)
    }

    /// Reads the same from text that is at hand; errors call it `path`.
    ///
    /// # Errors
    /// If the text is refused, as by [`Table::read`].
    pub fn of(path: &Path, text: impl std::io::Read) -> Result<Self, TableError> {
        let refused = |line, fault| {
            let path = path.to_owned();
            TableError::Line { path, line, fault }
        };
        let mut reader = csv::Reader::from_reader(text);
        let header = reader
            .headers()
            .map_err(|error| from_csv(path, &error, 1))?;
        if header.is_empty() {
            let path = path.to_owned();
            return Err(TableError::NoRows { path });
        }
        let columns = columns(header).map_err(|fault| refused(1, fault))?;
        let mut names = Names::default();
        let mut rows: Vec<Row> = Vec::new();
        let mut record = StringRecord::new();
        loop {
            let next = reader.position().line();
            let more = reader.read_record(&mut record);
            if !more.map_err(|error| from_csv(path, &error, next))? {
                break;
            }
            let line = record.position().map_or(next, csv::Position::line);
            let row = row(&record, &columns, line, &mut names);
            let row = row.map_err(|fault| refused(line, fault))?;
            rows.push(row);
        }
        let (order, names) = names.sorted();
        let Some(first) = rows.first() else {
            let path = path.to_owned();
            return Err(TableError::NoRows { path });
        };
        let is_empty = |row: &Row| names[order[row.topic as usize] as usize].is_empty();
        let without_topics = is_empty(first);
        if let Some(row) = rows.iter().find(|row| is_empty(row) != without_topics) {
            return Err(refused(row.line, LineFault::Topic(without_topics)));
        }
        for row in &mut rows {
            for name in [
                &mut row.method,
                &mut row.seed,
                &mut row.language,
                &mut row.group,
                &mut row.topic,
            ] {
                *name = order[*name as usize];
            }
        }
        rows.sort_by_key(|row| (row.key(), row.line));
        let twins = rows
            .windows(2)
            .filter(|pair| pair[0].key() == pair[1].key());
        if let Some(pair) = twins.min_by_key(|pair| pair[1].line) {
            return Err(refused(pair[1].line, LineFault::Duplicate(pair[0].line)));
        }
        Ok(Self {
            path: path.to_owned(),
            names,
            rows,
        })
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Says whether there is no row, which [`Table::read`] refuses.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn name(&self, place: u32) -> &str {
        &self.names[place as usize]
    }
}

/// Names, each with a number by which it was seen first.
#[derive(Default)]
struct Names {
    numbers: HashMap<String, u32>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        // A table of more than 2^32 distinct names does not fit into memory.
        let number = self.numbers.len() as u32;
        self.numbers.insert(name.to_owned(), number);
        number
    }

    /// Returns the sorted names, and for each number the place of its name among them.
    fn sorted(self) -> (Vec<u32>, Vec<String>) {
        let mut names: Vec<(String, u32)> = self.numbers.into_iter().collect();
        names.sort();
        let mut order = vec![0; names.len()];
        for (place, (_, number)) in (0_u32..).zip(&names) {
            order[*number as usize] = place;
        }
        (order, names.into_iter().map(|(name, _)| name).collect())
    }
}

/// Finds the place of each column of [`COLUMNS`].
fn columns(header: &StringRecord) -> Result<[usize; 7], LineFault> {
    let mut places = [0; 7];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let mut found = header
            .iter()
            .enumerate()
            .filter(|(_, name)| *name == column);
        let (at, _) = found.next().ok_or(LineFault::Missing(column))?;
        if found.next().is_some() {
            return Err(LineFault::Twice(column));
        }
        *place = at;
    }
    Ok(places)
}

fn row(
    record: &StringRecord,
    columns: &[usize; 7],
    line: u64,
    names: &mut Names,
) -> Result<Row, LineFault> {
    // The reader refuses records of other lengths than the header's.
    let [method, size, seed, language, group, topic, value] =
        columns.map(|column| record.get(column).unwrap_or_default());
    for (name, column) in [(method, "method"), (language, "language"), (group, "group")] {
        if name.is_empty() {
            return Err(LineFault::Empty(column));
        }
    }
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    Ok(Row {
        method: names.number(method),
        size: number(size)
            .filter(|size| 0.0 < *size)
            .ok_or_else(|| LineFault::Size(size.to_owned()))?,
        seed: names.number(seed),
        language: names.number(language),
        group: names.number(group),
        topic: names.number(topic),
        value: number(value).ok_or_else(|| LineFault::Value(value.to_owned()))?,
        line,
    })
}

/// Gives an error of the CSV reader its file and line.
fn from_csv(path: &Path, error: &csv::Error, reached: u64) -> TableError {
    let line = error.position().map_or(reached, csv::Position::line);
    let fault = match error.kind() {
        ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => LineFault::Fields {
            found: *len,
            expected: *expected_len,
        },
        ErrorKind::Utf8 { .. } => LineFault::Encoding,
        _ => LineFault::Read(error.to_string()),
    };
    let path = path.to_owned();
    TableError::Line { path, line, fault }
}
