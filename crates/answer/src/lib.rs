//! What a study of size says, as a page for people: three sentences, a verdict for each hypothesis,
//! pictures and tables, as Markdown with pictures beside it and as one HTML file that needs nothing else.
//!
//! Between `analysis`, which knows numbers and draws nothing, and `report`, which draws and knows no
//! study. Everything follows from the tables of a study, so that anybody can draw it again.

mod cells;
mod document;
mod pictures;
mod sentences;
mod tables;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use optical_analysis::{
    Analysis, Groups, Hypothesis, Settings, Study, Verdict, faults, sheets, verdicts,
};
use optical_files::{text, whole};

pub use crate::cells::Cells;
use crate::document::Document;

/// What a page is made of.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Title of the page.
    pub title: &'a str,
    /// What values are, such as `MAP`.
    pub measure: &'a str,
    /// The values.
    pub study: &'a Study,
    /// What follows from them.
    pub analysis: &'a Analysis,
    /// The groups compared, as the study was made with.
    pub groups: &'a Groups,
    /// How intervals are drawn, as the analysis was made with.
    pub settings: &'a Settings,
    /// What is known beside the values.
    pub cells: Option<&'a Cells>,
    /// What was claimed before the study was run.
    pub hypotheses: &'a [Hypothesis],
    /// What was not run, and why, a line each.
    pub missing: &'a [String],
}

/// A page and its pictures, by the names of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// `study.md`, `study.html` and a picture `study-NAME.svg` for each that the first shows.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Page {
    /// Writes the files into a folder, which is made if it is not there, and returns the path of the page.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        for (name, bytes) in &self.files {
            let path = folder.join(name);
            whole::write_in_folder(&path, bytes).with_context(|| path.display().to_string())?;
        }
        Ok(folder.join("study.html"))
    }
}

/// Reads the `[[hypothesis]]` tables of a TOML file; what else a study file has is passed over.
///
/// # Errors
/// If the file cannot be read, has no such table, or one is not sound.
pub fn hypotheses(path: &Path) -> anyhow::Result<Vec<Hypothesis>> {
    #[derive(serde::Deserialize)]
    struct File {
        hypothesis: Vec<Hypothesis>,
    }
    let text = text::read(path)?;
    let file: File = toml::from_str(&text).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |it| 1 + text[..it.start].matches('\n').count());
        anyhow::anyhow!("{}:{line}: {}", path.display(), error.message())
    })?;
    let faults = faults(&file.hypothesis);
    ensure!(
        faults.is_empty(),
        "{}: {}",
        path.display(),
        faults.join("; ")
    );
    Ok(file.hypothesis)
}

/// Makes the page.
///
/// # Errors
/// If a picture cannot be drawn.
pub fn page(source: &Source<'_>) -> anyhow::Result<Page> {
    let verdicts: Vec<Verdict> = verdicts(source.study, source.settings, source.hypotheses);
    let mut page = Document::new(source.title);
    for sentence in sentences::sentences(source) {
        page.paragraph(sentence);
    }
    page.paragraph(format!(
        "Intervals are 95 % percentile intervals of {} resamples of topics and seeds{}; a gap is the mean of \
         the high-resource languages less that of the low-resource ones; slopes are per tenfold size.",
        source.settings.resamples,
        if source.settings.random_languages { ", and of languages" } else { "" }
    ));
    if !verdicts.is_empty() {
        page.heading("Hypotheses");
        page.table(tables::verdicts(&verdicts));
        page.paragraph(
            "p is one-sided, the share of resamples that speak against the claim, by Holm's method over all \
             hypotheses; below .05 it is supported, and refuted where the p of its opposite is.",
        );
    }
    page.heading("Size, gap and level");
    for (name, drawing) in pictures::of_sizes(source)? {
        page.picture(name, drawing);
    }
    page.table(tables::slopes(source.analysis));
    if let Some(cells) = source.cells {
        let points = cells.points(source.analysis);
        if !points.is_empty() {
            page.heading("What a query costs");
            for (name, drawing) in pictures::of_cost(source, &points)? {
                page.picture(name, drawing);
            }
            page.table(tables::costs(&points));
        }
        page.heading("What else changes with size");
        for sentence in cells.consistency(source) {
            page.paragraph(sentence);
        }
        page.table(cells.means());
    }
    page.heading("What was not run");
    match source.missing {
        [] => page.paragraph("Nothing that is known of is missing."),
        missing => page.list(missing),
    }
    page.heading("All numbers");
    for sheet in sheets(source.analysis) {
        page.table(sheet);
    }
    Ok(Page {
        files: page.files()?,
    })
}
