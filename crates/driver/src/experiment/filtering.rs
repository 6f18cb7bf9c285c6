//! What the filter did to the bitext: the table, and `bitext.json` for programs.

use optical_corpus::report::{BitextReport, DropReason};
use optical_report::Table;
use optical_report::page::{BitextRow, bitext_table};

use crate::experiment::RunFolder;
use crate::write::write;

/// Pairs left out that `bitext.json` shows for each language and reason.
pub const EXAMPLES: usize = 5;

/// The rows of the table, a language each.
pub fn rows(report: &BitextReport) -> Vec<BitextRow> {
    let rows = report.languages.iter().map(|(language, counts)| BitextRow {
        language: language.clone(),
        read: counts.read,
        dropped: DropReason::ALL
            .map(|reason| (reason.name().to_owned(), counts.of(reason)))
            .into(),
        kept: counts.kept,
        bad_lines: counts.bad_lines,
    });
    rows.collect()
}

/// The table of a report.
pub fn table(report: &BitextReport) -> anyhow::Result<Table> {
    Ok(bitext_table(&rows(report))?)
}

/// Writes counts, examples and bad lines as a JSON object.
pub fn write_json(folder: &RunFolder, report: &BitextReport) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(report)? + "\n";
    write(&folder.file("bitext.json"), json.as_bytes())
}
