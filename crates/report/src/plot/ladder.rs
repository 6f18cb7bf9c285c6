//! Values over the logarithm of a size: lines told apart by shape, dash and the name at their end.

use super::canvas::{Anchor, Area, Canvas, Drawing, FAINT_INK, GRID, RULE, Stroke, text, widths};
use super::scale::{Scale, extent, rounded};
use super::{Axes, LABEL_SIZE, MARGIN, TICK_SIZE, TITLE_SIZE, colour};
use crate::ReportError;
use crate::error::require_finite;

const PLOT: (f64, f64) = (430.0, 280.0);
/// The least distance between the names of two lines.
const NAME_ROW: f64 = 14.0;

/// A line over sizes.
#[derive(Debug, Clone, PartialEq)]
pub struct Ladder {
    /// Written at its end.
    pub name: String,
    /// Size, value, and the interval of the value if it has one.
    pub points: Vec<(f64, f64, Option<[f64; 2]>)>,
    /// Its colour, shape and dashes: lines of one class look alike.
    pub class: usize,
}

/// Draws lines over a logarithmic axis, with a bar for each interval and a band where a line has one at
/// every point.
///
/// # Errors
/// If no line is given, a line has no points, a number is not finite, or a size is not positive.
pub fn ladder(lines: &[Ladder], axes: &Axes<'_>) -> Result<Drawing, ReportError> {
    if lines.is_empty() {
        return Err(ReportError::Empty("the list of lines".to_owned()));
    }
    for line in lines {
        if line.points.is_empty() {
            return Err(ReportError::Empty(format!("line {:?}", line.name)));
        }
        let name = format!("line {:?}", line.name);
        require_finite(&name, line.points.iter().map(|point| point.0.log10()))?;
        require_finite(&name, line.points.iter().flat_map(values))?;
    }
    let points = || lines.iter().flat_map(|line| &line.points);
    let sizes = extent(points().map(|point| point.0.log10()));
    let heights = rounded(extent(points().flat_map(values)), 5);
    let heights = Scale::exact(heights, (PLOT.1, 0.0));
    let ticks = heights.ticks(5);
    let labels = ticks.iter().map(|(_, label)| label.as_str());
    let gutter = widest(labels, TICK_SIZE)? + 10.0;
    let names = widest(lines.iter().map(|line| line.name.as_str()), TICK_SIZE)? + 18.0;
    let title = widths([axes.title], text(TITLE_SIZE).bold())?[0];
    let plot = Area {
        x: MARGIN + gutter,
        y: MARGIN + TITLE_SIZE + 38.0,
        width: PLOT.0.max(title - gutter - names),
        height: PLOT.1,
    };
    let pad = 0.05 * (sizes.1 - sizes.0);
    let across = Scale::exact((sizes.0 - pad, sizes.1 + pad), (plot.x, plot.right()));
    let place =
        |(size, value): (f64, f64)| (across.place(size.log10()), plot.y + heights.place(value));

    let mut canvas = Canvas::new(
        plot.right() + names + MARGIN,
        plot.bottom() + 62.0,
        axes.title,
    );
    canvas.title(axes.title);
    canvas.text((MARGIN, plot.y - 16.0), axes.y, text(LABEL_SIZE).bold());
    for (value, label) in ticks {
        let y = plot.y + heights.place(value);
        canvas.line((plot.x, y), (plot.right(), y), Stroke::solid(GRID, 1.0));
        let style = text(TICK_SIZE).anchor(Anchor::End).fill(FAINT_INK);
        canvas.text((plot.x - 6.0, y + 4.0), &label, style);
    }
    canvas.line(
        (plot.x, plot.bottom()),
        (plot.right(), plot.bottom()),
        Stroke::solid(RULE, 1.0),
    );
    let mut known: Vec<f64> = points().map(|point| point.0).collect();
    known.sort_unstable_by(f64::total_cmp);
    known.dedup();
    let mut free = f64::NEG_INFINITY;
    for size in known {
        let (x, label) = (across.place(size.log10()), short(size));
        canvas.line(
            (x, plot.bottom()),
            (x, plot.bottom() + 5.0),
            Stroke::solid(RULE, 1.0),
        );
        let half = widest([label.as_str()], TICK_SIZE)? / 2.0;
        if free < x - half {
            let style = text(TICK_SIZE).anchor(Anchor::Middle).fill(FAINT_INK);
            canvas.text((x, plot.bottom() + 18.0), &label, style);
            free = x + half + 6.0;
        }
    }
    let below = ((plot.x + plot.right()) / 2.0, plot.bottom() + 40.0);
    canvas.text(below, axes.x, text(LABEL_SIZE).anchor(Anchor::Middle));
    for line in lines {
        draw(&mut canvas, line, &place);
    }
    let mut ends: Vec<(f64, &Ladder)> = lines
        .iter()
        .map(|line| (place(last(line)).1, line))
        .collect();
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Names are moved down where they would lie on each other, then up from the foot.
    let mut rows: Vec<f64> = ends.iter().map(|end| end.0).collect();
    for at in 1..rows.len() {
        rows[at] = rows[at].max(rows[at - 1] + NAME_ROW);
    }
    let mut foot = plot.bottom() + 30.0;
    for row in rows.iter_mut().rev() {
        *row = row.min(foot);
        foot = *row - NAME_ROW;
    }
    for (row, (y, line)) in rows.into_iter().zip(ends) {
        let end = (place(last(line)).0 + 6.0, y);
        let name = (plot.right() + 10.0, row);
        canvas.line(
            end,
            (name.0 - 3.0, row),
            Stroke {
                opacity: 0.5,
                ..Stroke::solid(RULE, 0.7)
            },
        );
        canvas.text((name.0, row + 4.0), &line.name, text(TICK_SIZE));
    }
    Ok(canvas.finish())
}

fn draw(canvas: &mut Canvas, line: &Ladder, place: &impl Fn((f64, f64)) -> (f64, f64)) {
    let colour = colour::series(line.class);
    let stroke = Stroke {
        dashed: line.class % 2 == 1,
        ..Stroke::solid(colour, 1.8)
    };
    let bounds: Vec<_> = (line.points.iter())
        .filter_map(|(size, _, interval)| interval.map(|[low, high]| (*size, low, high)))
        .collect();
    if 1 < bounds.len() && bounds.len() == line.points.len() {
        let upper = bounds.iter().map(|it| place((it.0, it.2)));
        let lower = bounds.iter().rev().map(|it| place((it.0, it.1)));
        canvas.band(&upper.chain(lower).collect::<Vec<_>>(), colour);
    }
    for (size, low, high) in bounds {
        canvas.line(
            place((size, low)),
            place((size, high)),
            Stroke {
                opacity: 0.6,
                ..Stroke::solid(colour, 1.2)
            },
        );
    }
    let points: Vec<_> = line.points.iter().map(|it| place((it.0, it.1))).collect();
    if 1 < points.len() {
        canvas.curve(&points, stroke);
    }
    for (x, y) in points {
        // A shape of its own for each class: dot, square, diamond, triangle, ring.
        match line.class % 5 {
            0 => canvas.dot((x, y), 3.8, colour),
            1 => canvas.rectangle(
                Area {
                    x: x - 3.5,
                    y: y - 3.5,
                    width: 7.0,
                    height: 7.0,
                },
                colour,
            ),
            2 => canvas.shape(
                &[(x, y - 5.0), (x + 5.0, y), (x, y + 5.0), (x - 5.0, y)],
                colour,
            ),
            3 => canvas.shape(
                &[(x, y - 5.0), (x + 4.6, y + 3.6), (x - 4.6, y + 3.6)],
                colour,
            ),
            _ => {
                canvas.dot((x, y), 4.2, colour);
                canvas.dot((x, y), 2.2, "#ffffff");
            }
        }
    }
}

fn values(point: &(f64, f64, Option<[f64; 2]>)) -> impl Iterator<Item = f64> {
    let &(_, value, interval) = point;
    std::iter::once(value).chain(interval.into_iter().flatten())
}

/// The point furthest to the right.
fn last(line: &Ladder) -> (f64, f64) {
    let points = line.points.iter().map(|point| (point.0, point.1));
    points
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap_or_default()
}

fn widest<'a>(texts: impl IntoIterator<Item = &'a str>, size: f64) -> Result<f64, ReportError> {
    Ok(widths(texts, text(size))?.into_iter().fold(0.0, f64::max))
}

/// A number in two or three digits, with the letter of its thousands.
fn short(number: f64) -> String {
    let units = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")];
    let unit = units.into_iter().find(|(unit, _)| *unit <= number);
    let (number, letter) = unit.map_or((number, ""), |(unit, letter)| (number / unit, letter));
    let digits = usize::from(number < 9.95);
    let text = format!("{number:.digits$}");
    format!("{}{letter}", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let numbers = [80e6, 5_324_160.0, 1.72e9, 3.0, 999.0, 14e9];
        assert_eq!(
            numbers.map(short),
            ["80M", "5.3M", "1.7B", "3", "999", "14B"]
        );
    }

    #[test]
    fn a_size_of_zero_and_no_line_are_refused() {
        let axes = Axes {
            title: "t",
            x: "x",
            y: "y",
        };
        let line = Ladder {
            name: "a".to_owned(),
            points: vec![(0.0, 0.5, None)],
            class: 0,
        };
        assert!(ladder(&[line], &axes).is_err());
        assert!(ladder(&[], &axes).is_err());
    }

    /// Values 0.2 and 0.4 at sizes 1 and 100: the second is as far right of the first as the axis is wide,
    /// less its edges, and higher.
    #[test]
    fn what_is_larger_is_further_right_and_up_and_names_are_apart() {
        let axes = Axes {
            title: "t",
            x: "x",
            y: "y",
        };
        let of = |name: &str, class| Ladder {
            name: name.to_owned(),
            points: vec![(1.0, 0.2, Some([0.1, 0.3])), (100.0, 0.4, Some([0.3, 0.5]))],
            class,
        };
        let drawn = ladder(&[of("one", 0), of("other", 1)], &axes);
        let svg = drawn.map(|it| it.svg().to_owned()).unwrap_or_default();
        assert!(
            svg.contains("<circle") && svg.contains("stroke-dasharray") && svg.contains("<polygon")
        );
        let dots: Vec<Vec<f64>> = svg
            .lines()
            .filter(|line| line.starts_with("<circle"))
            .map(|line| {
                line.split('"')
                    .skip(1)
                    .step_by(2)
                    .take(2)
                    .filter_map(|it| it.parse().ok())
                    .collect()
            })
            .collect();
        assert!(
            dots[0][0] + 300.0 < dots[1][0] && dots[1][1] < dots[0][1],
            "{dots:?}"
        );
        let name = |name: &str| -> f64 {
            let line = svg
                .lines()
                .find(|line| line.ends_with(&format!(">{name}</text>")));
            line.and_then(|line| line.split('"').nth(3)?.parse().ok())
                .unwrap_or_default()
        };
        assert!(
            NAME_ROW - 0.1 <= (name("one") - name("other")).abs(),
            "{svg}"
        );
    }
}
