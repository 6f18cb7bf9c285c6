//! The last stage: numbers to `report.md` and `results.json`.

use optical_distill::Event;
use optical_evaluation::Evaluations;
use optical_report::page::{Fact, RunSummary};

use crate::{Experiment, ExperimentData, bitext, pictures, summary};

/// Tests, draws and writes what the systems of a run have reached.
pub fn write(
    experiment: &Experiment,
    data: &ExperimentData,
    evaluations: &Evaluations,
    events: &[Event],
    facts: Vec<Fact>,
) -> anyhow::Result<RunSummary> {
    let folder = &experiment.folder;
    let rows = bitext::rows(&data.report);
    let mut page = summary::summary(experiment, evaluations, rows, events, facts)?;
    pictures::draw_results(&page, &folder.file("results"))?;
    page.figures
        .retain(|figure| folder.file(&figure.path).is_file());
    page.write_json(&folder.file("results.json"))?;
    page.write_markdown(&folder.file("report.md"))?;
    Ok(page)
}
