//! The last stage: numbers to `report.md`, `results.json` and the table on the terminal.

use optical_distill::Event;
use optical_report::page::Fact;

use crate::experiment::scores::Evaluations;
use crate::experiment::{Experiment, ExperimentData, filtering, pictures, summary};
use crate::say::print;

/// Tests, draws and writes what the systems of a run have reached.
pub fn write(
    experiment: &Experiment,
    data: &ExperimentData,
    evaluations: &Evaluations,
    events: &[Event],
    facts: Vec<Fact>,
) -> anyhow::Result<()> {
    let Experiment { run, folder, .. } = experiment;
    let rows = filtering::rows(&data.report);
    let mut page = summary::summary(run, evaluations, rows, events, facts)?;
    pictures::draw_results(&page, &folder.file("results"))?;
    page.figures
        .retain(|figure| folder.file(&figure.path).is_file());
    page.write_json(&folder.file("results.json"))?;
    page.write_markdown(&folder.file("report.md"))?;
    let (table, report) = (summary::table(run, evaluations)?, folder.file("report.md"));
    print(format_args!("{table}\nreport: {}\n", report.display()))
}
