//! A soft token alignment: the transport plan of two sentences as a heat map.

use super::canvas::{Anchor, Area, Canvas, Drawing, FAINT_INK, RULE, Stroke, text, widths};
use super::scale::Scale;
use super::{LABEL_SIZE, MARGIN, TICK_SIZE, TITLE_SIZE, colour};
use crate::ReportError;
use crate::error::require_finite;

/// Turn of the column labels; at 45 degrees neighbours keep clear of each other down to
/// cells one and a half letters wide, and the head stays level enough to read.
const LABEL_TURN: f64 = 45.0;
const COLOUR_BAR: f64 = 14.0;
const COLOUR_STEPS: usize = 64;

/// A plan between the tokens of two sentences, and how to label it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alignment<'a> {
    /// Title over the picture.
    pub title: &'a str,
    /// What the rows are, such as `English`.
    pub row_title: &'a str,
    /// What the columns are, such as `Swahili`.
    pub column_title: &'a str,
    /// Tokens of the row side, from above.
    pub rows: &'a [&'a str],
    /// Tokens of the column side, from the left.
    pub columns: &'a [&'a str],
    /// Mass of each pair of tokens, `[rows, columns]`, row after row.
    pub plan: &'a [f64],
}

/// Draws a plan.
///
/// # Errors
/// If a side has no token, the plan is not `rows x columns` long, a mass is not finite or is
/// negative, or all masses are zero.
pub fn alignment(picture: &Alignment<'_>) -> Result<Drawing, ReportError> {
    let largest = check(picture)?;
    let (rows, columns) = (picture.rows.len(), picture.columns.len());
    let cell = (640.0 / rows.max(columns) as f64).clamp(15.0, 34.0);
    let label = text((cell * 0.62).clamp(9.5, 13.0));
    let row_labels = widths(picture.rows.iter().copied(), label)?;
    let column_labels = widths(picture.columns.iter().copied(), label)?;
    let rising = LABEL_TURN.to_radians();

    let row_gutter = row_labels.into_iter().fold(0.0, f64::max) + 10.0;
    let column_head = column_labels.iter().copied().fold(0.0, f64::max) * rising.sin() + 14.0;
    let grid = Area {
        x: MARGIN + LABEL_SIZE + 12.0 + row_gutter,
        y: MARGIN + TITLE_SIZE + 14.0 + LABEL_SIZE + 10.0 + column_head,
        width: cell * columns as f64,
        height: cell * rows as f64,
    };
    let bar = Area {
        x: grid.right() + 24.0,
        y: grid.y,
        width: COLOUR_BAR,
        height: grid.height.max(90.0),
    };
    let scale = Scale::exact((0.0, largest), (bar.bottom(), bar.y));
    let ticks = scale.ticks(5);
    let tick_widths = widths(
        ticks.iter().map(|(_, label)| label.as_str()),
        text(TICK_SIZE),
    )?;
    let bar_right = bar.right() + 8.0 + tick_widths.into_iter().fold(0.0, f64::max) + 22.0;
    // Column labels lean out to the right of the grid.
    let labels_right = (column_labels.iter().enumerate())
        .map(|(column, width)| grid.x + (column as f64 + 1.0) * cell + width * rising.cos())
        .fold(bar_right, f64::max);
    let title_right = MARGIN + widths([picture.title], text(TITLE_SIZE).bold())?[0];
    let mut canvas = Canvas::new(
        labels_right.max(title_right) + MARGIN,
        bar.bottom().max(grid.bottom()) + MARGIN,
        picture.title,
    );
    canvas.title(picture.title);
    let heading = text(LABEL_SIZE).bold();
    let head_y = MARGIN + TITLE_SIZE + 14.0 + LABEL_SIZE;
    canvas.text((grid.x, head_y), picture.column_title, heading);
    let side = (MARGIN + LABEL_SIZE, grid.y + grid.height / 2.0);
    canvas.text(
        side,
        picture.row_title,
        heading.anchor(Anchor::Middle).turn(-90.0),
    );

    let shift = cell.min(13.0 / 0.62) * 0.2;
    for (row, token) in picture.rows.iter().enumerate() {
        let y = grid.y + (row as f64 + 0.5) * cell + shift;
        canvas.text((grid.x - 8.0, y), token, label.anchor(Anchor::End));
    }
    for (column, token) in picture.columns.iter().enumerate() {
        let x = grid.x + (column as f64 + 0.5) * cell + shift;
        canvas.text((x, grid.y - 7.0), token, label.turn(-LABEL_TURN));
    }
    for (index, mass) in picture.plan.iter().enumerate() {
        let (row, column) = (index / columns, index % columns);
        let tile = Area {
            x: grid.x + column as f64 * cell + 0.5,
            y: grid.y + row as f64 * cell + 0.5,
            width: cell - 1.0,
            height: cell - 1.0,
        };
        canvas.rectangle(tile, &colour::heat(mass / largest));
    }
    draw_bar(&mut canvas, bar, scale, &ticks, bar_right);
    Ok(canvas.finish())
}

/// Checks the shape and all masses, and returns the largest.
fn check(picture: &Alignment<'_>) -> Result<f64, ReportError> {
    for (name, tokens) in [("rows", picture.rows), ("columns", picture.columns)] {
        if tokens.is_empty() {
            return Err(ReportError::Empty(format!(
                "the alignment's list of {name}"
            )));
        }
    }
    let what = "the alignment's plan".to_owned();
    let expected = picture.rows.len() * picture.columns.len();
    if picture.plan.len() != expected {
        return Err(ReportError::Length {
            what,
            found: picture.plan.len(),
            expected,
        });
    }
    require_finite(&what, picture.plan.iter().copied())?;
    if let Some((index, &value)) = picture
        .plan
        .iter()
        .enumerate()
        .find(|(_, mass)| **mass < 0.0)
    {
        return Err(ReportError::Domain {
            what,
            index,
            value,
            expected: "a mass of at least zero",
        });
    }
    let largest = picture.plan.iter().copied().fold(0.0, f64::max);
    if largest == 0.0 {
        return Err(ReportError::Empty(what));
    }
    Ok(largest)
}

fn draw_bar(canvas: &mut Canvas, bar: Area, scale: Scale, ticks: &[(f64, String)], right: f64) {
    let step = bar.height / COLOUR_STEPS as f64;
    for index in 0..COLOUR_STEPS {
        let share = (index as f64 + 0.5) / COLOUR_STEPS as f64;
        // A little overlap, so that no seam shows between the steps.
        let y = bar.bottom() - (index as f64 + 1.0) * step;
        let overlap = if index == 0 { 0.0 } else { 0.5 };
        canvas.rectangle(
            Area {
                y,
                height: step + overlap,
                ..bar
            },
            &colour::heat(share),
        );
    }
    canvas.frame(bar, Stroke::solid(RULE, 0.6));
    for (value, label) in ticks {
        let y = scale.place(*value);
        canvas.line(
            (bar.right(), y),
            (bar.right() + 4.0, y),
            Stroke::solid(RULE, 1.0),
        );
        let style = text(TICK_SIZE).fill(FAINT_INK);
        canvas.text((bar.right() + 8.0, y + TICK_SIZE * 0.36), label, style);
    }
    let style = text(TICK_SIZE)
        .anchor(Anchor::Middle)
        .fill(FAINT_INK)
        .turn(90.0);
    canvas.text(
        (right - 8.0, bar.y + bar.height / 2.0),
        "transported mass",
        style,
    );
}
