//! A logarithmic axis: equal ratios are equally far apart.

use super::scale::thousands;

/// More ticks than this stand too close to read.
const MOST_TICKS: usize = 7;

/// Maps positive values to places along one side of a plot, between two powers of ten.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LogScale {
    first: i32,
    last: i32,
    start: f64,
    end: f64,
}

impl LogScale {
    /// From a power of ten clearly below `low` at `start`, so that the smallest bar can be seen, to
    /// one above `high` at `end`; both positive.
    pub(super) fn around((low, high): (f64, f64), (start, end): (f64, f64)) -> Self {
        let first = (low * 0.7).log10().floor() as i32;
        let last = (high.log10() - 1e-9).ceil() as i32;
        Self {
            first,
            last: last.max(first + 1),
            start,
            end,
        }
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        let share = (value.log10() - f64::from(self.first)) / f64::from(self.last - self.first);
        self.start + share * (self.end - self.start)
    }

    /// Values to write along the axis, with their labels: powers of ten, with twice and five times
    /// them where there is room, or every second, third, ... of them where there is none.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let powers = (self.last - self.first) as usize;
        let steps: &[f64] = if powers <= 2 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0]
        };
        let stride = powers.div_ceil(MOST_TICKS - 1).max(1);
        (self.first..=self.last)
            .step_by(stride)
            .flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)))
            .filter(|value| *value <= 10_f64.powi(self.last) * 1.001)
            .map(|value| (value, three_digits(value, true)))
            .collect()
    }
}

/// A positive number with three significant digits, or more before its point; `bare` leaves out
/// zeros at the end of a fraction.
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

    fn labels(range: (f64, f64)) -> Vec<String> {
        let scale = LogScale::around(range, (0.0, 1.0));
        scale.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn equal_ratios_are_equally_far_apart() {
        let scale = LogScale::around((2.0, 700.0), (100.0, 400.0));
        assert_eq!(
            [1.0, 10.0, 1000.0].map(|v| scale.place(v).round()),
            [100.0, 200.0, 400.0]
        );
        let step = scale.place(6.0) - scale.place(2.0);
        assert!((scale.place(90.0) - scale.place(30.0) - step).abs() < 1e-9);
    }

    #[test]
    fn the_smallest_value_is_clear_of_the_start() {
        let scale = LogScale::around((1.0, 1.0), (0.0, 1.0));
        assert!(scale.place(1.0) >= 0.5);
        assert_eq!(labels((1.0, 1.0)), ["0.1", "0.2", "0.5", "1"]);
    }

    #[test]
    fn ticks_are_powers_of_ten_and_few() {
        assert_eq!(
            labels((0.2, 3_000.0)),
            ["0.1", "1", "10", "100", "1,000", "10,000"]
        );
        assert_eq!(
            labels((2e-6, 3e6)),
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
