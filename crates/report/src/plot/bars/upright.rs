//! Upright bars over one linear axis: systems side by side, language by language.

use super::super::canvas::{
    Anchor, Area, Canvas, Drawing, FAINT_INK, GRID, INK, RULE, Stroke, text, widths,
};
use super::super::scale::{Scale, extent, rounded};
use super::super::{LABEL_SIZE, MARGIN, TICK_SIZE, TITLE_SIZE};
use super::{Bar, BarChart, Legend, fill};
use crate::ReportError;

const PLOT_HEIGHT: f64 = 260.0;
const BAR_WIDTH: f64 = 23.0;
const VALUE_SIZE: f64 = 8.5;
const GROUP_GAP: f64 = 22.0;

pub(super) fn draw(chart: &BarChart, legend: &Legend<'_>) -> Result<Drawing, ReportError> {
    let bars = || chart.groups.iter().flat_map(|group| &group.bars);
    let shown = bars().flat_map(|bar| {
        let (least, largest) = bar.extent();
        [least, largest]
    });
    let (low, high) = extent(shown);
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
    let families = chart.groups.iter().map(|group| group.family.as_str());
    let families = widths(families, text(TICK_SIZE))?;
    // What has no class comes after all classes.
    let place = |bar: &Bar| bar.class.unwrap_or(chart.classes.len());
    let places = bars()
        .map(|bar| place(bar) + 1)
        .fold(chart.classes.len(), usize::max);
    let inside = places as f64 * BAR_WIDTH;
    let group_width = names.into_iter().chain(families).fold(inside, f64::max) + GROUP_GAP;

    let title_width = widths([chart.title.as_str()], text(TITLE_SIZE).bold())?[0];
    let plot_width = (group_width * chart.groups.len() as f64)
        .max(legend.width)
        .max(title_width - gutter)
        .max(280.0);
    let group_width = plot_width / chart.groups.len() as f64;
    let plot = Area {
        x: MARGIN + gutter,
        y: MARGIN + TITLE_SIZE + 66.0,
        width: plot_width,
        height: PLOT_HEIGHT,
    };
    let with_families = chart.groups.iter().any(|group| !group.family.is_empty());
    let foot = if with_families { 52.0 } else { 28.0 };
    let mut canvas = Canvas::new(
        plot.right() + MARGIN,
        plot.bottom() + foot + MARGIN / 2.0,
        &chart.title,
    );
    canvas.title(&chart.title);
    legend.draw(&mut canvas, (plot.x, MARGIN + TITLE_SIZE + 14.0));
    canvas.text(
        (MARGIN, plot.y - 16.0),
        &chart.axis,
        text(LABEL_SIZE).bold(),
    );
    for (value, label) in ticks {
        let y = plot.y + scale.place(value);
        canvas.line((plot.x, y), (plot.right(), y), Stroke::solid(GRID, 1.0));
        let style = text(TICK_SIZE).anchor(Anchor::End).fill(FAINT_INK);
        canvas.text((plot.x - 8.0, y + TICK_SIZE * 0.36), &label, style);
    }
    let zero = plot.y + scale.place(0.0);
    for (index, group) in chart.groups.iter().enumerate() {
        let middle = plot.x + (index as f64 + 0.5) * group_width;
        for bar in &group.bars {
            let x = middle - inside / 2.0 + place(bar) as f64 * BAR_WIDTH;
            let y = plot.y + scale.place(bar.value);
            let area = Area {
                x: x + 1.0,
                y: y.min(zero),
                width: BAR_WIDTH - 2.0,
                height: (y - zero).abs(),
            };
            canvas.rectangle(area, fill(bar.class));
            let centre = x + BAR_WIDTH / 2.0;
            // The number stands clear of the bar and of the line of its range.
            let (least, largest) = bar.extent();
            let label_y = if bar.value < 0.0 {
                plot.y + scale.place(least) + VALUE_SIZE + 2.0
            } else {
                plot.y + scale.place(largest) - 3.5
            };
            if let Some((least, largest)) = bar.range {
                let ends = [least, largest].map(|end| (centre, plot.y + scale.place(end)));
                canvas.line(ends[0], ends[1], Stroke::solid(INK, 1.0));
            }
            let style = text(VALUE_SIZE).anchor(Anchor::Middle).fill(FAINT_INK);
            canvas.text((centre, label_y), &value_label(bar.value), style);
        }
        let style = text(LABEL_SIZE).anchor(Anchor::Middle);
        canvas.text((middle, plot.bottom() + 19.0), &group.name, style);
    }
    canvas.line(
        (plot.x, zero),
        (plot.right(), zero),
        Stroke::solid(RULE, 1.0),
    );
    draw_families(&mut canvas, chart, plot, group_width);
    Ok(canvas.finish())
}

/// Draws a line with the family's name under each stretch of groups that share one.
fn draw_families(canvas: &mut Canvas, chart: &BarChart, plot: Area, group_width: f64) {
    let mut start = 0;
    for stretch in chart.groups.chunk_by(|a, b| a.family == b.family) {
        let left = plot.x + start as f64 * group_width + GROUP_GAP / 2.0;
        let right = plot.x + (start + stretch.len()) as f64 * group_width - GROUP_GAP / 2.0;
        start += stretch.len();
        if stretch[0].family.is_empty() {
            continue;
        }
        let y = plot.bottom() + 29.0;
        canvas.line((left, y), (right, y), Stroke::solid(RULE, 1.0));
        let style = text(TICK_SIZE).anchor(Anchor::Middle).fill(FAINT_INK);
        canvas.text(((left + right) / 2.0, y + 15.0), &stretch[0].family, style);
    }
}

/// Writes three decimals without the leading zero below one, fewer above: it has to fit over a bar.
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
