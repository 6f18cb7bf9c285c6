//! Tables, for a Markdown page and for a terminal, from one description.

use unicode_width::UnicodeWidthStr;

use crate::ReportError;

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// One cell; the best of its group is set off (bold in Markdown, a star in a terminal).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// What the cell says.
    pub text: String,
    /// Whether it is set off.
    pub best: bool,
}

impl Cell {
    /// Creates a cell that is set off.
    pub fn best(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            best: true,
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            best: false,
        }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, best: false }
    }
}

/// A table: headers, the side each column stands on, and rows of that many cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    headers: Vec<String>,
    alignment: Vec<Align>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Creates a table without rows.
    pub fn new<H: Into<String>>(columns: impl IntoIterator<Item = (H, Align)>) -> Self {
        let (headers, alignment) = columns
            .into_iter()
            .map(|(header, align)| (header.into(), align))
            .unzip();
        Self {
            headers,
            alignment,
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`ReportError::Length`] if it does not have one cell per column.
    pub fn push<C: Into<Cell>>(
        &mut self,
        row: impl IntoIterator<Item = C>,
    ) -> Result<(), ReportError> {
        let row: Vec<Cell> = row.into_iter().map(Into::into).collect();
        if row.len() != self.headers.len() {
            return Err(ReportError::Length {
                what: format!("table row {}", self.rows.len()),
                found: row.len(),
                expected: self.headers.len(),
            });
        }
        self.rows.push(row);
        Ok(())
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Says whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns a Markdown table whose source is aligned too; ends with a line feed.
    pub fn to_markdown(&self) -> String {
        let cell = |cell: &Cell| match (one_line(&cell.text).replace('|', r"\|"), cell.best) {
            (text, true) if !text.is_empty() => format!("**{text}**"),
            (text, _) => text,
        };
        let headers = self
            .headers
            .iter()
            .map(|header| one_line(header).replace('|', r"\|"));
        let grid = self.grid(headers.collect(), cell);
        let widths = widths(&grid, 3);
        let rule: Vec<String> = (widths.iter().zip(&self.alignment))
            .map(|(&width, align)| match align {
                Align::Left => "-".repeat(width),
                Align::Right => "-".repeat(width - 1) + ":",
            })
            .collect();
        let mut out = String::new();
        for (index, row) in grid.iter().enumerate() {
            out += &format!("| {} |\n", self.pad(row, &widths).join(" | "));
            if index == 0 {
                out += &format!("| {} |\n", rule.join(" | "));
            }
        }
        out
    }

    /// Returns plain aligned text under a ruled header; ends with a line feed.
    pub fn to_terminal(&self) -> String {
        // A column with a star keeps a place for it in every row, so that numbers stay in line.
        let starred: Vec<bool> = (0..self.headers.len())
            .map(|column| self.rows.iter().any(|row| row[column].best))
            .collect();
        let headers = (self.headers.iter().zip(&starred))
            .map(|(header, &starred)| one_line(header) + if starred { " " } else { "" });
        let mut grid = self.grid(headers.collect(), |cell| one_line(&cell.text));
        for (row, cells) in grid.iter_mut().skip(1).zip(&self.rows) {
            for ((text, cell), _) in row
                .iter_mut()
                .zip(cells)
                .zip(&starred)
                .filter(|(_, starred)| **starred)
            {
                text.push(if cell.best { '*' } else { ' ' });
            }
        }
        let widths = widths(&grid, 0);
        let mut out = String::new();
        for (index, row) in grid.iter().enumerate() {
            out += self.pad(row, &widths).join("  ").trim_end();
            out.push('\n');
            if index == 0 {
                let rule: Vec<String> = widths.iter().map(|&width| "─".repeat(width)).collect();
                out += &rule.join("──");
                out.push('\n');
            }
        }
        out
    }

    fn grid(&self, headers: Vec<String>, cell: impl Fn(&Cell) -> String) -> Vec<Vec<String>> {
        let rows = self.rows.iter().map(|row| row.iter().map(&cell).collect());
        std::iter::once(headers).chain(rows).collect()
    }

    fn pad(&self, row: &[String], widths: &[usize]) -> Vec<String> {
        (row.iter().zip(widths).zip(&self.alignment))
            .map(|((text, width), align)| {
                let space = " ".repeat(width - text.width());
                match align {
                    Align::Left => format!("{text}{space}"),
                    Align::Right => format!("{space}{text}"),
                }
            })
            .collect()
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn widths(grid: &[Vec<String>], least: usize) -> Vec<usize> {
    let columns = grid.first().map_or(0, Vec::len);
    (0..columns)
        .map(|column| {
            grid.iter()
                .map(|row| row[column].width())
                .max()
                .unwrap_or(0)
                .max(least)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([
            ("System", Align::Left),
            ("Swahili", Align::Right),
            ("Yorùbá", Align::Right),
        ]);
        table
            .push(["bm25".into(), Cell::from("0.020"), Cell::from("0.031")])
            .unwrap();
        table
            .push(["distilled | ours".into(), Cell::best("0.108"), "–".into()])
            .unwrap();
        table
    }

    #[test]
    fn markdown_is_aligned_escaped_and_bold() {
        assert_eq!(
            table().to_markdown(),
            "| System            |   Swahili | Yorùbá |\n\
             | ----------------- | --------: | -----: |\n\
             | bm25              |     0.020 |  0.031 |\n\
             | distilled \\| ours | **0.108** |      – |\n"
        );
    }

    #[test]
    fn terminal_keeps_numbers_in_line() {
        assert_eq!(
            table().to_terminal(),
            "System            Swahili   Yorùbá\n\
             ──────────────────────────────────\n\
             bm25                0.020    0.031\n\
             distilled | ours    0.108*       –\n"
        );
    }

    #[test]
    fn wide_letters_take_two_places() {
        let mut table = Table::new([("a", Align::Left), ("b", Align::Left)]);
        table.push(["日本", "x"]).unwrap();
        table.push(["kiswahili", "y"]).unwrap();
        assert!(table.to_terminal().contains("日本       x\n"));
    }

    #[test]
    fn a_short_row_is_refused() {
        let error = table().push(["only"]).unwrap_err();
        assert_eq!(error.to_string(), "table row 2: 1 values, expected 3");
    }

    #[test]
    fn line_breaks_cannot_break_a_row() {
        let mut table = Table::new([("a", Align::Left)]);
        table.push(["one\ntwo"]).unwrap();
        assert_eq!(table.to_markdown().lines().count(), 3);
    }
}
