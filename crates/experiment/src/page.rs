//! The last stage: numbers to `report.md`, `results.json` and a table.

use optical_distill::Event;
use optical_evaluation::Evaluations;
use optical_report::page::Fact;

use crate::{Experiment, ExperimentData, bitext, pictures, summary};

/// Tests, draws and writes what the systems of a run have reached; returns the table of the first
/// measure.
pub fn write(
    experiment: &Experiment,
    data: &ExperimentData,
    evaluations: &Evaluations,
    events: &[Event],
    facts: Vec<Fact>,
) -> anyhow::Result<String> {
    let folder = &experiment.folder;
    let rows = bitext::rows(&data.report);
    let mut page = summary::summary(experiment, evaluations, rows, events, facts)?;
    pictures::draw_results(&page, &folder.file("results"))?;
    page.figures
        .retain(|figure| folder.file(&figure.path).is_file());
    page.write_json(&folder.file("results.json"))?;
    page.write_markdown(&folder.file("report.md"))?;
    summary::table(experiment, evaluations)
}
