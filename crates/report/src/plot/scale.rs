//! Axes: where a value stands, and which round numbers to write beside it.

/// Maps values to places along one side of a plot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// From exactly `low` at `start` to `high` at `end`.
    pub(super) fn exact((low, high): (f64, f64), (start, end): (f64, f64)) -> Self {
        Self {
            low,
            high,
            start,
            end,
        }
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)
    }

    /// Round values within the range, with their labels; about `count` of them.
    pub(super) fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        let step = round_step((self.high - self.low) / count.max(1) as f64);
        let first = (self.low / step - 1e-9).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        let largest = self.low.abs().max(self.high.abs());
        (first..=last)
            .map(|index| index as f64 * step)
            .map(|value| (value, tick_label(value, step, largest)))
            .collect()
    }
}

/// Smallest and largest of the values; a single value gets room on both sides.
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

/// The smallest of 1, 2, 2.5, 5 and 10 times a power of ten that is not below `rough`.
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

/// At most three digits, such as `2.5e−5`.
fn scientific(value: f64) -> String {
    let text = format!("{value:.2e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{digits}e{power}").replace('-', "−")
}

/// Groups the digits of a whole number by threes.
pub(crate) fn thousands(digits: &str) -> String {
    let (sign, digits) = digits
        .strip_prefix('-')
        .map_or(("", digits), |rest| ("-", rest));
    let mut out = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if 0 < index && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
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

    #[test]
    fn digits_are_grouped_by_threes() {
        assert_eq!(
            ["7", "123", "31102", "-1234567"].map(thousands),
            ["7", "123", "31,102", "-1,234,567"]
        );
    }
}
