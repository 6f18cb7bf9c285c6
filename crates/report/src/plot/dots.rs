//! Dots on a line: a row per system, a dot for each of its students, and a tick at their mean.

use super::canvas::{
    Anchor, Area, Canvas, Drawing, FAINT_INK, GRID, INK, RULE, Stroke, text, widths,
};
use super::scale::{Scale, extent, rounded};
use super::{LABEL_SIZE, MARGIN, TICK_SIZE, TITLE_SIZE, colour};
use crate::ReportError;
use crate::error::require_finite;

const PLOT_WIDTH: f64 = 420.0;
const ROW: f64 = 22.0;
const DOT: f64 = 3.6;
const TICK: f64 = 7.0;

/// The values of one system.
#[derive(Debug, Clone, PartialEq)]
pub struct DotRow {
    /// Written beside the line.
    pub name: String,
    /// A value per dot.
    pub values: Vec<f64>,
    /// Whether a line through all rows is drawn at its mean.
    pub reference: bool,
}

/// A chart of dots.
#[derive(Debug, Clone, PartialEq)]
pub struct DotChart {
    /// Title over the picture.
    pub title: String,
    /// What the axis is.
    pub x: String,
    /// The rows, from above.
    pub rows: Vec<DotRow>,
}

/// Draws the chart. The axis does not begin at zero.
///
/// # Errors
/// If there is no row or one without values, or a value is not finite.
pub fn dots(chart: &DotChart) -> Result<Drawing, ReportError> {
    check(chart)?;
    let all = chart.rows.iter().flat_map(|row| row.values.iter().copied());
    let names = chart.rows.iter().map(|row| row.name.as_str());
    let gutter = widths(names, text(TICK_SIZE))?
        .into_iter()
        .fold(0.0, f64::max)
        + 10.0;
    let means: Vec<(f64, String)> = chart.rows.iter().map(mean_of).collect();
    let labels = means.iter().map(|(_, label)| label.as_str());
    let numbers = widths(labels, text(TICK_SIZE))?
        .into_iter()
        .fold(0.0, f64::max)
        + 14.0;
    let title = widths([chart.title.as_str()], text(TITLE_SIZE).bold())?[0];
    let plot = Area {
        x: MARGIN + gutter,
        y: MARGIN + TITLE_SIZE + 40.0,
        width: PLOT_WIDTH.max(title - gutter - numbers),
        height: chart.rows.len() as f64 * ROW,
    };
    let scale = Scale::exact(rounded(extent(all), 6), (plot.x, plot.right()));
    let mut canvas = Canvas::new(
        plot.right() + numbers + MARGIN,
        plot.bottom() + 24.0 + MARGIN,
        &chart.title,
    );
    canvas.title(&chart.title);
    let axis = (MARGIN, plot.y - 16.0);
    canvas.text(axis, &chart.x, text(LABEL_SIZE).bold());
    for (value, label) in scale.ticks(6) {
        let x = scale.place(value);
        canvas.line((x, plot.y), (x, plot.bottom()), Stroke::solid(GRID, 1.0));
        let style = text(TICK_SIZE).anchor(Anchor::Middle).fill(FAINT_INK);
        canvas.text((x, plot.bottom() + 16.0), &label, style);
    }
    for (row, (mean, _)) in chart.rows.iter().zip(&means) {
        if row.reference {
            let x = scale.place(*mean);
            canvas.line((x, plot.y), (x, plot.bottom()), Stroke::solid(RULE, 1.0));
        }
    }
    for (index, (row, (mean, label))) in chart.rows.iter().zip(&means).enumerate() {
        let middle = plot.y + (index as f64 + 0.5) * ROW;
        let style = text(TICK_SIZE).anchor(Anchor::End);
        let style = if row.reference { style.bold() } else { style };
        canvas.text((plot.x - 8.0, middle + TICK_SIZE * 0.36), &row.name, style);
        for value in &row.values {
            canvas.dot((scale.place(*value), middle), DOT, colour::series(0));
        }
        let x = scale.place(*mean);
        let ends = ((x, middle - TICK), (x, middle + TICK));
        canvas.line(ends.0, ends.1, Stroke::solid(INK, 1.6));
        let style = text(TICK_SIZE).fill(FAINT_INK);
        canvas.text(
            (plot.right() + 10.0, middle + TICK_SIZE * 0.36),
            label,
            style,
        );
    }
    Ok(canvas.finish())
}

/// Checks the shape and all numbers.
fn check(chart: &DotChart) -> Result<(), ReportError> {
    if chart.rows.is_empty() {
        return Err(ReportError::Empty("the chart".to_owned()));
    }
    for row in &chart.rows {
        if row.values.is_empty() {
            return Err(ReportError::Empty(format!("row {:?}", row.name)));
        }
        require_finite(&row.name, row.values.iter().copied())?;
    }
    Ok(())
}

/// Returns the mean of a row, and how it is written.
fn mean_of(row: &DotRow) -> (f64, String) {
    let mean = row.values.iter().sum::<f64>() / row.values.len() as f64;
    (mean, format!("{mean:.3}").replace('-', "−"))
}
