//! Curves over training: one panel, or several that share their horizontal axis.

use super::canvas::{Anchor, Area, Canvas, Drawing, FAINT_INK, GRID, RULE, Stroke, text, widths};
use super::scale::{Scale, extent, rounded};
use super::{LABEL_SIZE, MARGIN, TICK_SIZE, TITLE_SIZE, colour};
use crate::ReportError;
use crate::error::require_finite;

const PLOT_HEIGHT: f64 = 230.0;
const WIDTH_ALONE: f64 = 680.0;
const WIDTH_IN_PAIR: f64 = 480.0;
/// Height of the tick labels and the axis's name below a plot, and the space to the next.
const FOOT: f64 = 58.0;
/// Room right of a plot for the half of the last tick label that leaves it.
const OVERHANG: f64 = 22.0;
const LEGEND_ROW: f64 = 18.0;
const SWATCH: f64 = 22.0;
/// A longer series is thinned to its extremes: more points than this cannot be told apart.
const MOST_POINTS: usize = 2000;
/// A series up to this long shows its points, so that nobody reads a line as dense data.
const MOST_DOTS: usize = 40;

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeriesStyle {
    /// A line; a short series shows its points too.
    Line,
    /// A dashed grey line: what the other series are held against.
    Reference,
    /// The points as a pale line, and over it the mean of each point with the `n - 1` before it.
    Smoothed(usize),
}

/// One named curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name in the legend.
    pub name: String,
    /// Horizontal and vertical value of each point, in drawing order.
    pub points: Vec<(f64, f64)>,
    /// How it is drawn.
    pub style: SeriesStyle,
}

impl Series {
    /// Creates a plain line.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.into(),
            points,
            style: SeriesStyle::Line,
        }
    }

    /// Returns the same points in another style.
    #[must_use]
    pub fn with_style(self, style: SeriesStyle) -> Self {
        Self { style, ..self }
    }

    fn label(&self) -> String {
        match self.style {
            SeriesStyle::Smoothed(window) if 1 < window => {
                format!("{} (mean of {window})", self.name)
            }
            _ => self.name.clone(),
        }
    }
}

/// What a single plot says beside its curves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axes<'a> {
    /// Title over the picture.
    pub title: &'a str,
    /// What runs to the right, such as `step`.
    pub x: &'a str,
    /// What runs upwards, such as `loss`.
    pub y: &'a str,
}

/// One plot among several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Panel<'a> {
    /// What runs upwards; written over the plot.
    pub y: &'a str,
    /// Its curves.
    pub series: &'a [Series],
}

/// Draws curves in one plot.
///
/// # Errors
/// If there is no series, or a series has no point or a number that is not finite.
pub fn curves(series: &[Series], axes: &Axes<'_>) -> Result<Drawing, ReportError> {
    panels(axes.title, axes.x, &[Panel { y: axes.y, series }])
}

/// Draws plots in rows of two, over one range of horizontal values.
///
/// # Errors
/// If there is no panel, a panel has no series, a series has no point or a number that is not
/// finite.
pub fn panels(title: &str, x: &str, panels: &[Panel<'_>]) -> Result<Drawing, ReportError> {
    if panels.is_empty() {
        return Err(ReportError::Empty("the list of panels".to_owned()));
    }
    let range = check(panels)?;
    let columns = panels.len().min(2);
    let width = [WIDTH_ALONE, WIDTH_IN_PAIR][columns - 1];
    // One gutter for all, so that plots above each other begin on one line.
    let axes: Vec<Heights> = panels.iter().map(Heights::new).collect::<Result<_, _>>()?;
    let gutter = axes.iter().map(|axis| axis.gutter).fold(0.0, f64::max);
    let layouts: Vec<Layout> = (panels.iter().zip(axes))
        .map(|(panel, axis)| Layout::new(panel, axis, gutter, width))
        .collect::<Result<_, _>>()?;
    // Plots of one row stand on one line, however many rows their legends need.
    let heads: Vec<f64> = (layouts.chunks(columns))
        .map(|row| row.iter().map(Layout::head).fold(0.0, f64::max))
        .collect();

    let top = MARGIN + TITLE_SIZE + 18.0;
    let total = MARGIN * 2.0 + width * columns as f64 + MARGIN * (columns - 1) as f64;
    let height: f64 = heads.iter().map(|head| head + PLOT_HEIGHT + FOOT).sum();
    let mut canvas = Canvas::new(total, top + height + MARGIN / 2.0, title);
    canvas.title(title);
    let mut y = top;
    let rows = panels.chunks(columns).zip(layouts.chunks(columns));
    for ((panels, layouts), head) in rows.zip(heads) {
        for (column, (panel, layout)) in panels.iter().zip(layouts).enumerate() {
            let left = MARGIN + column as f64 * (width + MARGIN);
            let plot = Area {
                x: left + gutter,
                y: y + head,
                width: width - gutter - OVERHANG,
                height: PLOT_HEIGHT,
            };
            canvas.text((left, y + LABEL_SIZE), panel.y, text(LABEL_SIZE).bold());
            draw_axes(&mut canvas, layout, x, range, plot);
            draw_series(&mut canvas, panel, layout, range, plot);
            draw_legend(&mut canvas, panel, layout, (left, y));
        }
        y += head + PLOT_HEIGHT + FOOT;
    }
    Ok(canvas.finish())
}

/// Checks all numbers and returns the range of the horizontal ones.
fn check(panels: &[Panel<'_>]) -> Result<(f64, f64), ReportError> {
    for panel in panels {
        if panel.series.is_empty() {
            return Err(ReportError::Empty(format!("panel {:?}", panel.y)));
        }
        for series in panel.series {
            let name = format!("series {:?} of panel {:?}", series.name, panel.y);
            if series.points.is_empty() {
                return Err(ReportError::Empty(name));
            }
            require_finite(&name, series.points.iter().map(|point| point.0))?;
            require_finite(&name, series.points.iter().map(|point| point.1))?;
        }
    }
    let points = panels
        .iter()
        .flat_map(|panel| panel.series)
        .flat_map(|series| &series.points);
    Ok(extent(points.map(|point| point.0)))
}

/// The vertical axis of a panel: it decides how far from the left the plot begins.
struct Heights {
    scale: Scale,
    ticks: Vec<(f64, String)>,
    gutter: f64,
}

impl Heights {
    fn new(panel: &Panel<'_>) -> Result<Self, ReportError> {
        let points = panel.series.iter().flat_map(|series| &series.points);
        let (low, high) = extent(points.map(|point| point.1));
        // Zero belongs to a range that comes near it: heights are then comparable at a glance.
        let near_zero = 0.0 < low && low < 0.4 * high;
        let low = if near_zero { 0.0 } else { low };
        let scale = Scale::exact(rounded((low, high), 5), (PLOT_HEIGHT, 0.0));
        let ticks = scale.ticks(5);
        let labels = ticks.iter().map(|(_, label)| label.as_str());
        let widest = widths(labels, text(TICK_SIZE))?
            .into_iter()
            .fold(0.0, f64::max);
        Ok(Self {
            scale,
            ticks,
            gutter: widest + 10.0,
        })
    }
}

/// What of a panel depends on the widths of its texts.
struct Layout {
    heights: Heights,
    /// Name of each series, with its place in the legend: distance from the left, and row.
    legend: Vec<(String, f64, usize)>,
    legend_rows: usize,
}

impl Layout {
    fn new(
        panel: &Panel<'_>,
        heights: Heights,
        gutter: f64,
        width: f64,
    ) -> Result<Self, ReportError> {
        let names: Vec<String> = match panel.series {
            [only] if only.style == SeriesStyle::Line => Vec::new(),
            series => series.iter().map(Series::label).collect(),
        };
        let name_widths = widths(names.iter().map(String::as_str), text(TICK_SIZE))?;
        let (mut x, mut row) = (gutter, 0);
        let mut legend = Vec::new();
        for (name, name_width) in names.into_iter().zip(name_widths) {
            let needed = SWATCH + 6.0 + name_width;
            if gutter < x && width < x + needed {
                (x, row) = (gutter, row + 1);
            }
            legend.push((name, x, row));
            x += needed + 16.0;
        }
        let legend_rows = legend.last().map_or(0, |(_, _, row)| row + 1);
        Ok(Self {
            heights,
            legend,
            legend_rows,
        })
    }

    fn head(&self) -> f64 {
        LABEL_SIZE + 16.0 + self.legend_rows as f64 * LEGEND_ROW
    }
}

fn draw_axes(canvas: &mut Canvas, layout: &Layout, x_label: &str, range: (f64, f64), plot: Area) {
    for (value, label) in &layout.heights.ticks {
        let y = plot.y + layout.heights.scale.place(*value);
        canvas.line((plot.x, y), (plot.right(), y), Stroke::solid(GRID, 1.0));
        let style = text(TICK_SIZE).anchor(Anchor::End).fill(FAINT_INK);
        canvas.text((plot.x - 8.0, y + TICK_SIZE * 0.36), label, style);
    }
    let scale = Scale::exact(range, (plot.x, plot.right()));
    for (value, label) in scale.ticks(6) {
        let x = scale.place(value);
        canvas.line(
            (x, plot.bottom()),
            (x, plot.bottom() + 4.0),
            Stroke::solid(RULE, 1.0),
        );
        let style = text(TICK_SIZE).anchor(Anchor::Middle).fill(FAINT_INK);
        canvas.text((x, plot.bottom() + 17.0), &label, style);
    }
    canvas.line(
        (plot.x, plot.bottom()),
        (plot.right(), plot.bottom()),
        Stroke::solid(RULE, 1.0),
    );
    let below = (plot.x + plot.width / 2.0, plot.bottom() + 36.0);
    canvas.text(below, x_label, text(LABEL_SIZE).anchor(Anchor::Middle));
}

fn draw_series(
    canvas: &mut Canvas,
    panel: &Panel<'_>,
    layout: &Layout,
    range: (f64, f64),
    plot: Area,
) {
    let scale = Scale::exact(range, (plot.x, plot.right()));
    for (index, series) in panel.series.iter().enumerate() {
        let place = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            let places = points
                .iter()
                .map(|&(x, y)| (scale.place(x), plot.y + layout.heights.scale.place(y)));
            thinned(&places.collect::<Vec<_>>())
        };
        let stroke = stroke(index, series.style);
        match series.style {
            SeriesStyle::Smoothed(window) if 1 < window => {
                let pale = Stroke {
                    width: 1.0,
                    opacity: 0.3,
                    ..stroke
                };
                canvas.curve(&place(&series.points), pale);
                canvas.curve(&place(&trailing_mean(&series.points, window)), stroke);
            }
            _ => canvas.curve(&place(&series.points), stroke),
        }
        if series.style == SeriesStyle::Line && series.points.len() <= MOST_DOTS {
            for point in place(&series.points) {
                canvas.dot(point, 2.8, stroke.colour);
            }
        }
    }
}

fn draw_legend(canvas: &mut Canvas, panel: &Panel<'_>, layout: &Layout, (left, top): (f64, f64)) {
    for (index, (name, x, row)) in layout.legend.iter().enumerate() {
        let middle = top + LABEL_SIZE + 14.0 + *row as f64 * LEGEND_ROW;
        let start = left + x;
        let stroke = stroke(index, panel.series[index].style);
        canvas.line((start, middle), (start + SWATCH, middle), stroke);
        canvas.text(
            (start + SWATCH + 6.0, middle + TICK_SIZE * 0.36),
            name,
            text(TICK_SIZE),
        );
    }
}

fn stroke(index: usize, style: SeriesStyle) -> Stroke {
    match style {
        SeriesStyle::Reference => Stroke {
            dashed: true,
            ..Stroke::solid(RULE, 1.6)
        },
        SeriesStyle::Line | SeriesStyle::Smoothed(_) => Stroke::solid(colour::series(index), 2.0),
    }
}

/// Returns the mean of each value with up to `window - 1` values before it.
fn trailing_mean(points: &[(f64, f64)], window: usize) -> Vec<(f64, f64)> {
    (0..points.len())
        .map(|index| {
            let part = &points[(index + 1).saturating_sub(window)..=index];
            (
                points[index].0,
                part.iter().map(|point| point.1).sum::<f64>() / part.len() as f64,
            )
        })
        .collect()
}

/// Keeps the lowest and highest point of each stretch of a long series, in their order.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= MOST_POINTS {
        return points.to_vec();
    }
    let mut kept = Vec::with_capacity(MOST_POINTS);
    for stretch in points.chunks((2 * points.len()).div_ceil(MOST_POINTS)) {
        let by_height = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let ends = (
            stretch.iter().min_by(by_height),
            stretch.iter().max_by(by_height),
        );
        if let (Some(&low), Some(&high)) = ends {
            kept.extend(if low.0 <= high.0 {
                [low, high]
            } else {
                [high, low]
            });
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_trails_and_starts_short() {
        let points = [(0.0, 4.0), (1.0, 2.0), (2.0, 0.0), (3.0, 7.0)];
        let means: Vec<f64> = trailing_mean(&points, 2)
            .into_iter()
            .map(|point| point.1)
            .collect();
        assert_eq!(means, [4.0, 3.0, 1.0, 3.5]);
    }

    #[test]
    fn thinning_keeps_spikes_and_order() {
        let mut points: Vec<(f64, f64)> = (0..10_000).map(|x| (f64::from(x), 0.0)).collect();
        points[7_321].1 = 9.0;
        let kept = thinned(&points);
        assert!(kept.len() <= MOST_POINTS);
        assert!(kept.contains(&(7_321.0, 9.0)));
        assert!(kept.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    }
}
