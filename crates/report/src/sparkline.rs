//! A curve in one line of text.

/// The heights that one character can have.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws `values` from left to right in at most `width` characters, from the lowest to the highest.
///
/// Each character is the mean of an equal part of the values. What is not a number is left out; a
/// curve that is flat is at half the height.
pub fn sparkline(values: &[f64], width: usize) -> String {
    let values: Vec<f64> = (values.iter().copied())
        .filter(|value| value.is_finite())
        .collect();
    let columns = width.min(values.len());
    let means: Vec<f64> = (0..columns)
        .map(|column| {
            let part = |column: usize| column * values.len() / columns;
            let part = &values[part(column)..part(column + 1)];
            part.iter().sum::<f64>() / part.len() as f64
        })
        .collect();
    let lowest = means.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let top = (BARS.len() - 1) as f64;
    let bar = |&mean: &f64| {
        let height = if lowest < highest {
            (mean - lowest) / (highest - lowest) * top
        } else {
            top / 2.0
        };
        BARS[height.round() as usize]
    };
    means.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::sparkline;

    #[test]
    fn a_curve_goes_from_its_lowest_to_its_highest() {
        assert_eq!(sparkline(&[7.0, 3.0, 0.0, 1.0], 10), "█▄▁▂");
        // Means of 1, 2 and of 3, 30, 30: parts differ by one at most.
        assert_eq!(sparkline(&[1.0, 2.0, 3.0, 30.0, 30.0], 2), "▁█");
        assert_eq!(sparkline(&[5.0; 3], 10), "▅▅▅");
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        assert_eq!(sparkline(&[f64::NAN, 1.0, f64::INFINITY, 2.0], 10), "▁█");
        assert_eq!(sparkline(&[f64::NAN], 10), "");
        assert_eq!(sparkline(&[1.0, 2.0], 0), "");
    }
}
