//! Results as one picture: a group of bars for each case, a bar for each solver.

use std::path::Path;

use optical_report::ReportError;
use optical_report::plot::{Bar, BarChart, BarGroup, BarLayout, Picture, bars};

use crate::results::{CaseResults, Results, SolverResult};
use crate::solver::Form;

/// Colours, by form.
const CLASSES: [&str; 4] = ["ours", "log domain", "kernel form, unstable", "exact"];

/// Draws all cases and writes `stem.png` and `stem.svg`.
///
/// # Errors
/// If nothing was measured, or a file cannot be written.
pub fn draw(results: &Results, stem: &Path) -> Result<Picture, ReportError> {
    let environment = &results.environment;
    let device = environment.device.as_ref();
    let device = device.map_or_else(String::new, |device| format!(" and {}", device.name));
    let chart = BarChart {
        title: format!("Transport solvers on {}{device}", environment.processor),
        axis: "milliseconds, logarithmic: processor time of one thread, or time on the wall for a \
            device; median, and line from least to largest"
            .to_owned(),
        classes: CLASSES.map(str::to_owned).to_vec(),
        classless: "too large an error".to_owned(),
        groups: results.cases.iter().filter_map(group).collect(),
        layout: BarLayout::Flat { columns: 3 },
    };
    bars(&chart)?.save(stem)
}

/// Ours in their order, then the others from fast to slow; none if nothing was measured.
fn group(case: &CaseResults) -> Option<BarGroup> {
    let mut solvers: Vec<&SolverResult> = case.solvers.iter().collect();
    solvers.sort_by(|a, b| {
        let key = |solver: &SolverResult| match solver.form {
            Form::Ours => 0.0,
            _ => solver.median.unwrap_or(f64::INFINITY),
        };
        key(a).total_cmp(&key(b))
    });
    let bars: Vec<Bar> = solvers.into_iter().filter_map(bar).collect();
    (!bars.is_empty()).then(|| BarGroup {
        name: case.name.clone(),
        family: String::new(),
        bars,
    })
}

fn bar(result: &SolverResult) -> Option<Bar> {
    let class = match result.form {
        Form::Ours => 0,
        Form::Log => 1,
        Form::Kernel => 2,
        Form::Exact => 3,
    };
    Some(Bar {
        name: result.solver.clone(),
        value: result.median? * 1e3,
        range: result
            .spread
            .map(|[least, largest]| (least * 1e3, largest * 1e3)),
        class: result.agrees.then_some(class),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::results::tests::{about, results};

    #[test]
    fn peers_are_ordered_by_time_and_coloured_by_form() {
        let mut results = results(&[
            ("ours, wide", Form::Ours, &[0.9], 1e-7),
            ("ours, narrow", Form::Ours, &[0.5], 1e-7),
            ("slow", Form::Log, &[0.3, 0.2, 0.4], 1e-7),
            ("quick", Form::Kernel, &[0.1], 1e-7),
            ("wrong", Form::Log, &[0.2], 1e-2),
        ]);
        let unable = SolverResult::unable(&about("x", Form::Log, "cpu"), String::new());
        results.cases[0].solvers.push(unable);
        let group = group(&results.cases[0]).unwrap();
        let bars: Vec<_> = group
            .bars
            .iter()
            .map(|bar| (bar.name.as_str(), bar.class))
            .collect();
        let expected = [
            ("ours, wide", Some(0)),
            ("ours, narrow", Some(0)),
            ("quick", Some(2)),
            ("wrong", None),
            ("slow", Some(1)),
        ];
        assert_eq!(bars, expected);
        assert_eq!(group.bars[4].range, Some((200.0, 400.0)));
        let folder = tempfile::tempdir().unwrap();
        let picture = draw(&results, &folder.path().join("bench-ot")).unwrap();
        assert!(picture.png.is_file() && picture.svg.is_file());
    }

    #[test]
    fn nothing_measured_is_no_picture() {
        let folder = tempfile::tempdir().unwrap();
        let error = draw(&results(&[]), &folder.path().join("x")).unwrap_err();
        assert_eq!(error.to_string(), "the chart is empty");
    }
}
