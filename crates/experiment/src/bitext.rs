//! The bitext of a run, and what the filter did to it: the table, and `bitext.json` for programs.

use std::path::Path;

use anyhow::Context;
use optical_corpus::bitext::{Bitext, BitextSource};
use optical_corpus::report::{BitextReport, DropReason};
use optical_report::Table;
use optical_report::page::{BitextRow, bitext_table};
use optical_store::write_json as write_file;

use crate::site::roots;
use crate::{Findings, RunFile, RunFolder};

/// Pairs left out that `bitext.json` shows for each language and reason.
pub const EXAMPLES: usize = 5;

/// Reads the bitext, with `examples` of what is left out for each language and reason; if it cannot be
/// read, finds what is wrong with each of its sources.
pub fn read_bitext(
    run: &RunFile,
    cache: &Path,
    temporary: &Path,
    examples: usize,
    findings: &mut Findings,
) -> Option<(Bitext, BitextReport)> {
    let filter = &run.bitext_filter;
    let read = |sources: &[BitextSource]| {
        let read = Bitext::read_below(sources, filter, &roots(cache), examples, temporary);
        read.context("[[bitext]]")
    };
    match read(&run.bitext) {
        Ok(read) => Some(read),
        // What is wrong with the filter was found with the settings.
        Err(_) if !filter.faults().is_empty() => None,
        Err(error) => {
            for source in &run.bitext {
                findings.take(read(std::slice::from_ref(source)));
            }
            findings.problem(format!("{error:#}"));
            None
        }
    }
}

/// Makes the rows of the table, one per language.
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

/// Makes the table of a report.
///
/// # Errors
/// If a row does not fit.
pub fn table(report: &BitextReport) -> anyhow::Result<Table> {
    Ok(bitext_table(&rows(report))?)
}

/// Writes counts, examples and bad lines to `bitext.json`.
///
/// # Errors
/// If it cannot be written.
pub fn write_json(folder: &RunFolder, report: &BitextReport) -> anyhow::Result<()> {
    write_file(&folder.file("bitext.json"), report)
}
