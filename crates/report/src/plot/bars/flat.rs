//! Flat bars, each group over a logarithmic axis of its own.

use super::super::canvas::{
    Anchor, Area, Canvas, Drawing, FAINT_INK, GRID, INK, RULE, Stroke, text, widths,
};
use super::super::scale::{Scale, three_digits};
use super::super::{LABEL_SIZE, MARGIN, TICK_SIZE, TITLE_SIZE};
use super::{Bar, BarChart, BarGroup, Legend, fill};
use crate::ReportError;

const PLOT_WIDTH: f64 = 250.0;
const NAME_SIZE: f64 = 10.5;
const VALUE_SIZE: f64 = 9.5;
const ROW: f64 = 15.0;
const BAR_HEIGHT: f64 = 10.0;
/// From a group's top to its first bar.
const HEAD: f64 = LABEL_SIZE + 10.0;
/// From a group's last bar to the next group: the numbers of the axis, and space.
const FOOT: f64 = 42.0;
const COLUMN_GAP: f64 = 36.0;
/// More ticks than this stand too close to read.
const MOST_TICKS: usize = 7;

pub(super) fn draw(
    chart: &BarChart,
    legend: &Legend<'_>,
    count: usize,
) -> Result<Drawing, ReportError> {
    let layout = Layout::of(chart)?;
    let columns = columns(&chart.groups, count);
    let lengths = columns.iter().map(|groups| groups.iter().map(height).sum());
    let length = lengths.fold(0.0, f64::max);
    let width = columns.len() as f64 * (layout.column + COLUMN_GAP) - COLUMN_GAP;
    let title_width = widths([chart.title.as_str()], text(TITLE_SIZE).bold())?[0];
    let top = MARGIN + TITLE_SIZE + 66.0;
    let mut canvas = Canvas::new(
        width.max(legend.width).max(title_width) + 2.0 * MARGIN,
        top + length,
        &chart.title,
    );
    canvas.title(&chart.title);
    let below = (MARGIN, MARGIN + TITLE_SIZE + 16.0);
    canvas.text(below, &chart.axis, text(TICK_SIZE).fill(FAINT_INK));
    legend.draw(&mut canvas, (MARGIN, MARGIN + TITLE_SIZE + 29.0));
    for (column, groups) in columns.into_iter().enumerate() {
        let left = MARGIN + column as f64 * (layout.column + COLUMN_GAP);
        let mut y = top;
        for group in groups {
            draw_group(&mut canvas, group, layout.gutter, (left, y));
            y += height(group);
        }
    }
    Ok(canvas.finish())
}

/// What depends on the widths of the texts.
struct Layout {
    /// Room for the bars' names.
    gutter: f64,
    /// A whole column, from the names to the longest bar's number.
    column: f64,
}

impl Layout {
    fn of(chart: &BarChart) -> Result<Self, ReportError> {
        let bars = || chart.groups.iter().flat_map(|group| &group.bars);
        let widest = |widths: Vec<f64>| widths.into_iter().fold(0.0, f64::max);
        let names = widths(bars().map(|bar| bar.name.as_str()), text(NAME_SIZE))?;
        let values: Vec<String> = bars().map(|bar| three_digits(bar.value, false)).collect();
        let values = widths(values.iter().map(String::as_str), text(VALUE_SIZE))?;
        let headings = chart.groups.iter().map(|group| group.name.as_str());
        let headings = widths(headings, text(LABEL_SIZE).bold())?;
        let gutter = widest(names) + 8.0;
        Ok(Self {
            gutter,
            column: (gutter + PLOT_WIDTH + widest(values) + 8.0).max(widest(headings)),
        })
    }
}

fn height(group: &BarGroup) -> f64 {
    HEAD + group.bars.len() as f64 * ROW + FOOT
}

/// Breaks the groups into at most `count` columns, none higher than need be.
fn columns(groups: &[BarGroup], count: usize) -> Vec<&[BarGroup]> {
    let broken = |limit: f64| {
        let mut columns = Vec::new();
        let (mut start, mut length) = (0, 0.0);
        for (index, group) in groups.iter().enumerate() {
            if start < index && limit < length + height(group) {
                columns.push(&groups[start..index]);
                (start, length) = (index, 0.0);
            }
            length += height(group);
        }
        columns.push(&groups[start..]);
        columns
    };
    // A column's height is that of some stretch of groups, and the least that suffices is wanted.
    let stretches = (0..groups.len()).flat_map(|start| {
        let heights = groups[start..].iter().map(height);
        heights.scan(0.0, |sum, height| {
            *sum += height;
            Some(*sum)
        })
    });
    let tallest = groups.iter().map(height).fold(0.0, f64::max);
    let fitting =
        stretches.filter(|limit| tallest <= *limit && broken(*limit).len() <= count.max(1));
    broken(fitting.fold(f64::INFINITY, f64::min))
}

fn draw_group(canvas: &mut Canvas, group: &BarGroup, gutter: f64, (left, top): (f64, f64)) {
    let shown = group.bars.iter().map(Bar::extent);
    let (low, high) = shown.fold((f64::INFINITY, 0.0_f64), |(low, high), bar| {
        (low.min(bar.0), high.max(bar.1))
    });
    let plot = Area {
        x: left + gutter,
        y: top + HEAD,
        width: PLOT_WIDTH,
        height: group.bars.len() as f64 * ROW,
    };
    let scale = Scale::logarithmic((low, high), (plot.x, plot.right()));
    canvas.text(
        (left, top + LABEL_SIZE),
        &group.name,
        text(LABEL_SIZE).bold(),
    );
    for (value, label) in scale.ticks(MOST_TICKS) {
        let x = scale.place(value);
        canvas.line((x, plot.y), (x, plot.bottom()), Stroke::solid(GRID, 1.0));
        let style = text(VALUE_SIZE).anchor(Anchor::Middle).fill(FAINT_INK);
        canvas.text((x, plot.bottom() + 13.0), &label, style);
    }
    for (index, bar) in group.bars.iter().enumerate() {
        let middle = plot.y + (index as f64 + 0.5) * ROW;
        let end = scale.place(bar.value);
        let style = text(NAME_SIZE).anchor(Anchor::End);
        canvas.text((plot.x - 6.0, middle + NAME_SIZE * 0.36), &bar.name, style);
        let area = Area {
            x: plot.x,
            y: middle - BAR_HEIGHT / 2.0,
            width: end - plot.x,
            height: BAR_HEIGHT,
        };
        canvas.rectangle(area, fill(bar.class));
        let mut reached = end;
        if let Some((least, largest)) = bar.range {
            let (least, largest) = (scale.place(least), scale.place(largest));
            canvas.line((least, middle), (largest, middle), Stroke::solid(INK, 1.0));
            reached = end.max(largest);
        }
        let label = three_digits(bar.value, false);
        let style = text(VALUE_SIZE).fill(FAINT_INK);
        canvas.text((reached + 4.0, middle + VALUE_SIZE * 0.36), &label, style);
    }
    canvas.line(
        (plot.x, plot.y),
        (plot.x, plot.bottom()),
        Stroke::solid(RULE, 1.0),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(bars: usize) -> BarGroup {
        let bar = Bar {
            name: String::new(),
            value: 1.0,
            range: None,
            class: None,
        };
        BarGroup {
            name: String::new(),
            family: String::new(),
            bars: vec![bar; bars],
        }
    }

    fn lengths(bars: &[usize], count: usize) -> Vec<usize> {
        let groups: Vec<_> = bars.iter().map(|bars| group(*bars)).collect();
        columns(&groups, count)
            .into_iter()
            .map(<[_]>::len)
            .collect()
    }

    #[test]
    fn columns_are_as_level_as_their_order_allows() {
        assert_eq!(lengths(&[3, 3, 3, 3], 2), [2, 2]);
        assert_eq!(lengths(&[20, 1, 1, 1], 2), [1, 3]);
        assert_eq!(lengths(&[1, 1, 20], 3), [2, 1]);
        assert_eq!(lengths(&[4, 4], 0), [2]);
        assert_eq!(lengths(&[4], 3), [1]);
    }
}
