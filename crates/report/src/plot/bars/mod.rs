//! Grouped bars: upright over one axis, or flat, each group over a logarithmic axis of its own.

mod flat;
mod upright;

use super::canvas::{Area, Canvas, Drawing, text, widths};
use super::{TICK_SIZE, colour};
use crate::ReportError;
use crate::error::require_finite;

const SWATCH: f64 = 11.0;
const CLASSLESS: &str = "#c4c4c4";

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Written beside a flat bar; an upright one goes by its class.
    pub name: String,
    /// How long it is; positive where the axis is logarithmic.
    pub value: f64,
    /// A thin line from the least to the largest of what `value` stands for.
    pub range: Option<(f64, f64)>,
    /// Which of the chart's classes it belongs to, from 0: its colour. Without one it is grey.
    pub class: Option<usize>,
}

/// Bars that stand together.
#[derive(Debug, Clone, PartialEq)]
pub struct BarGroup {
    /// Written below upright bars, and over flat ones.
    pub name: String,
    /// Neighbouring groups of one family stand over a common line with its name, where bars are
    /// upright; empty for none.
    pub family: String,
    /// The bars: flat ones from above, upright ones in the order of their classes.
    pub bars: Vec<Bar>,
}

/// How the bars of a chart stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarLayout {
    /// Upright, over one linear axis that holds zero: a bar per class in each group.
    Upright,
    /// Flat, each group over a logarithmic axis of its own: many contestants in many contests.
    Flat {
        /// Columns of groups at most; zero counts as one.
        columns: usize,
    },
}

/// A chart of grouped bars.
#[derive(Debug, Clone, PartialEq)]
pub struct BarChart {
    /// Title over the picture.
    pub title: String,
    /// What the lengths are, such as `MAP` or `milliseconds, logarithmic`.
    pub axis: String,
    /// Names in the legend, one per colour.
    pub classes: Vec<String>,
    /// Name in the legend of what has no class; empty for none.
    pub classless: String,
    /// The groups: from left to right, or downwards and then in the next column.
    pub groups: Vec<BarGroup>,
    /// How the bars stand.
    pub layout: BarLayout,
}

/// Draws grouped bars.
///
/// # Errors
/// If there is no bar, a flat group is empty, a bar's class is not one of the chart's, two upright
/// bars of a group are of one class, or a number is not finite, or not positive where the axis is
/// logarithmic.
pub fn bars(chart: &BarChart) -> Result<Drawing, ReportError> {
    check(chart)?;
    let legend = Legend::new(chart)?;
    match chart.layout {
        BarLayout::Upright => upright::draw(chart, &legend),
        BarLayout::Flat { columns } => flat::draw(chart, &legend, columns),
    }
}

/// Checks the shape and all numbers.
fn check(chart: &BarChart) -> Result<(), ReportError> {
    let upright = chart.layout == BarLayout::Upright;
    let is_empty = |group: &BarGroup| group.bars.is_empty();
    if chart.groups.is_empty() || upright && chart.groups.iter().all(is_empty) {
        return Err(ReportError::Empty("the chart".to_owned()));
    }
    for group in &chart.groups {
        let what = format!("group {:?}", group.name);
        if !upright && is_empty(group) {
            return Err(ReportError::Empty(what));
        }
        let ranges = group.bars.iter().filter_map(|bar| bar.range);
        require_finite(&what, group.bars.iter().map(|bar| bar.value))?;
        require_finite(&what, ranges.flat_map(|(least, largest)| [least, largest]))?;
        for (index, bar) in group.bars.iter().enumerate() {
            let refuse = |value, expected| ReportError::Domain {
                what: what.clone(),
                index,
                value,
                expected,
            };
            let (least, _) = bar.extent();
            if !upright && least <= 0.0 {
                return Err(refuse(least, "a positive number"));
            }
            if let Some(class) = bar.class.filter(|class| chart.classes.len() <= *class) {
                return Err(refuse(class as f64, "a class of the chart"));
            }
            let twin = |before: &Bar| before.class == bar.class;
            if upright && group.bars[..index].iter().any(twin) {
                return Err(refuse(bar.value, "one bar per class"));
            }
        }
    }
    Ok(())
}

impl Bar {
    /// Returns the least and the largest number that the bar shows.
    fn extent(&self) -> (f64, f64) {
        let (least, largest) = self.range.unwrap_or((self.value, self.value));
        (least.min(self.value), largest.max(self.value))
    }
}

fn fill(class: Option<usize>) -> &'static str {
    class.map_or(CLASSLESS, colour::series)
}

/// The names of the colours, in a line over the bars.
struct Legend<'a> {
    /// Name and colour, and where the swatch begins, from the legend's left.
    entries: Vec<(&'a str, &'static str, f64)>,
    width: f64,
}

impl<'a> Legend<'a> {
    fn new(chart: &'a BarChart) -> Result<Self, ReportError> {
        let classes = chart.classes.iter().enumerate();
        let mut named: Vec<_> = classes
            .map(|(index, name)| (name.as_str(), fill(Some(index))))
            .collect();
        if !chart.classless.is_empty() {
            named.push((&chart.classless, fill(None)));
        }
        let widths = widths(named.iter().map(|(name, _)| *name), text(TICK_SIZE))?;
        let (mut entries, mut start) = (Vec::new(), 0.0);
        for ((name, fill), width) in named.into_iter().zip(widths) {
            entries.push((name, fill, start));
            start += width + SWATCH + 6.0 + 18.0;
        }
        Ok(Self {
            entries,
            width: start,
        })
    }

    fn draw(&self, canvas: &mut Canvas, (left, top): (f64, f64)) {
        for (name, fill, start) in &self.entries {
            let x = left + start;
            let swatch = Area {
                x,
                y: top,
                width: SWATCH,
                height: SWATCH,
            };
            canvas.rectangle(swatch, fill);
            canvas.text((x + SWATCH + 6.0, top + 9.5), name, text(TICK_SIZE));
        }
    }
}
