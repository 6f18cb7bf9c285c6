//! Grouped bars: systems side by side, language by language.

use std::path::Path;

use super::canvas::{Anchor, Area, Canvas, FAINT_INK, GRID, Picture, RULE, Stroke, text, widths};
use super::scale::{Scale, extent, rounded};
use super::{LABEL_SIZE, MARGIN, TICK_SIZE, TITLE_SIZE, colour};
use crate::ReportError;
use crate::error::require_finite;

const PLOT_HEIGHT: f64 = 260.0;
const BAR_WIDTH: f64 = 23.0;
const VALUE_SIZE: f64 = 8.5;
const GROUP_GAP: f64 = 22.0;

/// The bars of one language.
#[derive(Debug, Clone, PartialEq)]
pub struct BarGroup {
    /// Written below the bars.
    pub name: String,
    /// Neighbouring groups of one class stand over a common line with its name; empty for none.
    pub class: String,
    /// One value per system; `None` where it has none.
    pub values: Vec<Option<f64>>,
}

/// A chart of grouped bars.
#[derive(Debug, Clone, PartialEq)]
pub struct BarChart {
    /// Title over the picture.
    pub title: String,
    /// What the heights are, such as `MAP`.
    pub y: String,
    /// Names in the legend, one per bar of a group.
    pub systems: Vec<String>,
    /// The groups, from left to right.
    pub groups: Vec<BarGroup>,
}

/// Draws grouped bars and writes `stem.png` and `stem.svg`.
///
/// # Errors
/// If there is no system or no group, a group does not have one value per system, a value is not
/// finite, or a file cannot be written.
pub fn bars(chart: &BarChart, stem: &Path) -> Result<Picture, ReportError> {
    let (low, high) = check(chart)?;
    let scale = Scale::exact(
        rounded((low.min(0.0), high.max(0.0)), 5),
        (PLOT_HEIGHT, 0.0),
    );
    let ticks = scale.ticks(5);
    let tick_widths = widths(
        ticks.iter().map(|(_, label)| label.as_str()),
        text(TICK_SIZE),
    )?;
    let gutter = tick_widths.into_iter().fold(0.0, f64::max) + 10.0;
    let names = widths(
        chart.groups.iter().map(|group| group.name.as_str()),
        text(LABEL_SIZE),
    )?;
    let classes = chart.groups.iter().map(|group| group.class.as_str());
    let classes = widths(classes, text(TICK_SIZE))?;
    let inside = chart.systems.len() as f64 * BAR_WIDTH;
    let group_width = names.into_iter().chain(classes).fold(inside, f64::max) + GROUP_GAP;

    let legend = legend_starts(&chart.systems)?;
    let title_width = widths([chart.title.as_str()], text(TITLE_SIZE).bold())?[0];
    let plot_width = (group_width * chart.groups.len() as f64)
        .max(legend[chart.systems.len()])
        .max(title_width - gutter)
        .max(280.0);
    let group_width = plot_width / chart.groups.len() as f64;
    let plot = Area {
        x: MARGIN + gutter,
        y: MARGIN + TITLE_SIZE + 66.0,
        width: plot_width,
        height: PLOT_HEIGHT,
    };
    let with_classes = chart.groups.iter().any(|group| !group.class.is_empty());
    let foot = if with_classes { 52.0 } else { 28.0 };
    let mut canvas = Canvas::new(
        plot.right() + MARGIN,
        plot.bottom() + foot + MARGIN / 2.0,
        &chart.title,
    );
    canvas.title(&chart.title);
    for (index, (name, x)) in chart.systems.iter().zip(legend).enumerate() {
        let (left, top) = (plot.x + x, MARGIN + TITLE_SIZE + 14.0);
        canvas.rectangle(
            Area {
                x: left,
                y: top,
                width: 11.0,
                height: 11.0,
            },
            colour::series(index),
        );
        canvas.text((left + 17.0, top + 9.5), name, text(TICK_SIZE));
    }
    canvas.text((MARGIN, plot.y - 16.0), &chart.y, text(LABEL_SIZE).bold());
    for (value, label) in ticks {
        let y = plot.y + scale.place(value);
        canvas.line((plot.x, y), (plot.right(), y), Stroke::solid(GRID, 1.0));
        let style = text(TICK_SIZE).anchor(Anchor::End).fill(FAINT_INK);
        canvas.text((plot.x - 8.0, y + TICK_SIZE * 0.36), &label, style);
    }
    let zero = plot.y + scale.place(0.0);
    for (index, group) in chart.groups.iter().enumerate() {
        let middle = plot.x + (index as f64 + 0.5) * group_width;
        for (system, value) in group.values.iter().enumerate() {
            let Some(value) = *value else { continue };
            let x = middle - inside / 2.0 + system as f64 * BAR_WIDTH;
            let y = plot.y + scale.place(value);
            let bar = Area {
                x: x + 1.0,
                y: y.min(zero),
                width: BAR_WIDTH - 2.0,
                height: (y - zero).abs(),
            };
            canvas.rectangle(bar, colour::series(system));
            let label_y = if value < 0.0 {
                y + VALUE_SIZE + 2.0
            } else {
                y - 3.5
            };
            let style = text(VALUE_SIZE).anchor(Anchor::Middle).fill(FAINT_INK);
            canvas.text((x + BAR_WIDTH / 2.0, label_y), &value_label(value), style);
        }
        let style = text(LABEL_SIZE).anchor(Anchor::Middle);
        canvas.text((middle, plot.bottom() + 19.0), &group.name, style);
    }
    canvas.line(
        (plot.x, zero),
        (plot.right(), zero),
        Stroke::solid(RULE, 1.0),
    );
    draw_classes(&mut canvas, chart, plot, group_width);
    canvas.save(stem)
}

/// Checks the shape and all numbers, and returns the range of the values.
fn check(chart: &BarChart) -> Result<(f64, f64), ReportError> {
    if chart.systems.is_empty() {
        return Err(ReportError::Empty("the chart's list of systems".to_owned()));
    }
    if chart
        .groups
        .iter()
        .all(|group| group.values.iter().all(Option::is_none))
    {
        return Err(ReportError::Empty("the chart".to_owned()));
    }
    for group in &chart.groups {
        let what = format!("group {:?}", group.name);
        let (found, expected) = (group.values.len(), chart.systems.len());
        if found != expected {
            return Err(ReportError::Length {
                what,
                found,
                expected,
            });
        }
        require_finite(&what, group.values.iter().map(|value| value.unwrap_or(0.0)))?;
    }
    Ok(extent(
        chart
            .groups
            .iter()
            .flat_map(|group| &group.values)
            .filter_map(|value| *value),
    ))
}

/// Where each name of the legend starts, from the plot's left; last, where the legend ends.
fn legend_starts(systems: &[String]) -> Result<Vec<f64>, ReportError> {
    let mut starts = vec![0.0];
    for (index, width) in widths(systems.iter().map(String::as_str), text(TICK_SIZE))?
        .into_iter()
        .enumerate()
    {
        starts.push(starts[index] + width + 17.0 + 18.0);
    }
    Ok(starts)
}

/// Draws a line with the class's name under each stretch of groups that share one.
fn draw_classes(canvas: &mut Canvas, chart: &BarChart, plot: Area, group_width: f64) {
    let mut start = 0;
    for stretch in chart.groups.chunk_by(|a, b| a.class == b.class) {
        let left = plot.x + start as f64 * group_width + GROUP_GAP / 2.0;
        let right = plot.x + (start + stretch.len()) as f64 * group_width - GROUP_GAP / 2.0;
        start += stretch.len();
        if stretch[0].class.is_empty() {
            continue;
        }
        let y = plot.bottom() + 29.0;
        canvas.line((left, y), (right, y), Stroke::solid(RULE, 1.0));
        let style = text(TICK_SIZE).anchor(Anchor::Middle).fill(FAINT_INK);
        canvas.text(((left + right) / 2.0, y + 15.0), &stretch[0].class, style);
    }
}

/// Three decimals without the leading zero below one, fewer above: it has to fit over a bar.
fn value_label(value: f64) -> String {
    let text = match value.abs() {
        size if size < 0.9995 => format!("{value:.3}").replacen("0.", ".", 1),
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    };
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_labels_fit_over_a_bar() {
        let labels = [0.1084, -0.0204, 0.99961, 9.994, 99.94, 1234.5].map(value_label);
        assert_eq!(labels, [".108", "−.020", "1.00", "9.99", "99.9", "1234"]);
    }
}
