//! Axes: where a value stands, and which round numbers to write beside it.

use crate::numbers::thousands;

/// Maps values to places along one side of a plot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    spacing: Spacing,
    /// The ends in the values of a linear axis, or in the powers of ten of a logarithmic one.
    low: f64,
    high: f64,
    start: f64,
    end: f64,
}

/// What is equally far apart on an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spacing {
    /// Equal differences.
    Linear,
    /// Equal ratios.
    Logarithmic,
}

impl Scale {
    /// Runs from exactly `low` at `start` to `high` at `end`.
    pub(super) fn exact((low, high): (f64, f64), (start, end): (f64, f64)) -> Self {
        Self {
            spacing: Spacing::Linear,
            low,
            high,
            start,
            end,
        }
    }

    /// Runs by ratios from a power of ten clearly below `low` at `start`, so that the smallest bar can
    /// be seen, to one above `high` at `end`; both positive.
    pub(super) fn logarithmic((low, high): (f64, f64), (start, end): (f64, f64)) -> Self {
        let first = (low * 0.7).log10().floor();
        let last = (high.log10() - 1e-9).ceil();
        Self {
            spacing: Spacing::Logarithmic,
            low: first,
            high: last.max(first + 1.0),
            start,
            end,
        }
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        let value = match self.spacing {
            Spacing::Linear => value,
            Spacing::Logarithmic => value.log10(),
        };
        self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)
    }

    /// Returns round values within the range, with their labels: about `count` on a linear axis; on a
    /// logarithmic one at most `count` powers of ten, or few of them with twice and five times each.
    pub(super) fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        match self.spacing {
            Spacing::Linear => self.differences(count),
            Spacing::Logarithmic => self.powers(count),
        }
    }

    fn differences(&self, count: usize) -> Vec<(f64, String)> {
        let step = round_step((self.high - self.low) / count.max(1) as f64);
        let first = (self.low / step - 1e-9).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        let largest = self.low.abs().max(self.high.abs());
        (first..=last)
            .map(|index| index as f64 * step)
            .map(|value| (value, tick_label(value, step, largest)))
            .collect()
    }

    fn powers(&self, count: usize) -> Vec<(f64, String)> {
        let (first, last) = (self.low as i32, self.high as i32);
        let powers = (last - first) as usize;
        let steps: &[f64] = if powers <= 2 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0]
        };
        let stride = powers.div_ceil(count.saturating_sub(1).max(1)).max(1);
        (first..=last)
            .step_by(stride)
            .flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)))
            .filter(|value| *value <= 10_f64.powi(last) * 1.001)
            .map(|value| (value, three_digits(value, true)))
            .collect()
    }
}

/// Returns the smallest and largest of the values; a single value gets room on both sides.
pub(super) fn extent(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .into_iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
    if low < high {
        return (low, high);
    }
    let room = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
    (low - room, high + room)
}

/// Widens a range to the round values around it, so that the first and last tick are its ends.
pub(super) fn rounded((low, high): (f64, f64), count: usize) -> (f64, f64) {
    let step = round_step((high - low) / count.max(1) as f64);
    (
        (low / step + 1e-9).floor() * step,
        (high / step - 1e-9).ceil() * step,
    )
}

/// Returns the smallest of 1, 2, 2.5, 5 and 10 times a power of ten that is not below `rough`.
fn round_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0]
        .into_iter()
        .find(|step| rough <= step * power * (1.0 + 1e-9));
    step.unwrap_or(10.0) * power
}

fn tick_label(value: f64, step: f64, largest: f64) -> String {
    if value.abs() < step * 1e-6 {
        return "0".to_owned();
    }
    if !(1e-3..1e7).contains(&largest) {
        return scientific(value);
    }
    let decimals = (0..=9).find(|&digits| {
        let shifted = step * 10_f64.powi(digits);
        (shifted - shifted.round()).abs() < 1e-6 * shifted
    });
    let text = format!("{value:.*}", decimals.unwrap_or(9) as usize);
    let (digits, rest) = text
        .split_once('.')
        .map_or((text.as_str(), None), |(d, r)| (d, Some(r)));
    let whole = if 1e4 <= largest {
        thousands(digits)
    } else {
        digits.to_owned()
    };
    rest.map_or(whole.clone(), |rest| format!("{whole}.{rest}"))
        .replace('-', "−")
}

/// Writes at most three digits, such as `2.5e−5`.
fn scientific(value: f64) -> String {
    let text = format!("{value:.2e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{digits}e{power}").replace('-', "−")
}

/// Writes a positive number with three significant digits, or more before its point; `bare` leaves
/// out zeros at the end of a fraction.
pub(super) fn three_digits(value: f64, bare: bool) -> String {
    let decimals = (2.0 - value.log10().floor()).clamp(0.0, 12.0) as usize;
    // Rounding may carry into another digit: 9.999 is 10.0, not 10.00.
    let rounded: f64 = format!("{value:.decimals$}").parse().unwrap_or(value);
    let decimals = (2.0 - rounded.log10().floor()).clamp(0.0, 12.0) as usize;
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = if bare {
        fraction.trim_end_matches('0')
    } else {
        fraction
    };
    let whole = thousands(whole);
    if fraction.is_empty() {
        whole
    } else {
        format!("{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(range: (f64, f64), count: usize) -> Vec<String> {
        let scale = Scale::exact(range, (0.0, 1.0));
        scale
            .ticks(count)
            .into_iter()
            .map(|(_, label)| label)
            .collect()
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(
            labels((0.0, 0.1), 5),
            ["0", "0.02", "0.04", "0.06", "0.08", "0.10"]
        );
        assert_eq!(labels((-0.3, 0.3), 3), ["−0.2", "0", "0.2"]);
        assert_eq!(labels((0.0, 12_000.0), 3), ["0", "5,000", "10,000"]);
        assert_eq!(labels((0.0, 2.4e-5), 2), ["0", "2e−5"]);
        assert_eq!(labels((0.0, 1.0), 4), ["0", "0.25", "0.50", "0.75", "1.00"]);
    }

    #[test]
    fn a_rounded_range_ends_on_ticks() {
        assert_eq!(rounded((0.013, 0.094), 5), (0.0, 0.1));
        assert_eq!(rounded((-1.0, 1.0), 4), (-1.0, 1.0));
    }

    #[test]
    fn one_value_still_spans_a_range() {
        assert_eq!(extent([0.0]), (-1.0, 1.0));
        let (low, high) = extent([5.0, 5.0]);
        assert!(low < 5.0 && 5.0 < high);
    }

    #[test]
    fn places_run_from_start_to_end() {
        let scale = Scale::exact((2.0, 4.0), (100.0, 0.0));
        assert_eq!(
            [2.0, 2.5, 4.0].map(|value| scale.place(value)),
            [100.0, 75.0, 0.0]
        );
    }

    fn powers(range: (f64, f64)) -> Vec<String> {
        let scale = Scale::logarithmic(range, (0.0, 1.0));
        scale.ticks(7).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn equal_ratios_are_equally_far_apart() {
        let scale = Scale::logarithmic((2.0, 700.0), (100.0, 400.0));
        assert_eq!(
            [1.0, 10.0, 1000.0].map(|v| scale.place(v).round()),
            [100.0, 200.0, 400.0]
        );
        let step = scale.place(6.0) - scale.place(2.0);
        assert!((scale.place(90.0) - scale.place(30.0) - step).abs() < 1e-9);
    }

    #[test]
    fn the_smallest_value_is_clear_of_the_start() {
        let scale = Scale::logarithmic((1.0, 1.0), (0.0, 1.0));
        assert!(scale.place(1.0) >= 0.5);
        assert_eq!(powers((1.0, 1.0)), ["0.1", "0.2", "0.5", "1"]);
    }

    #[test]
    fn ticks_are_powers_of_ten_and_few() {
        assert_eq!(
            powers((0.2, 3_000.0)),
            ["0.1", "1", "10", "100", "1,000", "10,000"]
        );
        assert_eq!(
            powers((2e-6, 3e6)),
            ["0.000001", "0.001", "1", "1,000", "1,000,000"][..].to_vec()
        );
    }

    #[test]
    fn labels_have_three_digits() {
        let label = |value| three_digits(value, false);
        assert_eq!(
            [0.001_234, 0.168, 1.65, 9.999, 39.24, 100.4, 12_345.6].map(label),
            ["0.00123", "0.168", "1.65", "10.0", "39.2", "100", "12,346"]
        );
    }
}
