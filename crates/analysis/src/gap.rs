//! Means of groups, and how far apart they are.

use serde::{Deserialize, Serialize};

use crate::study::{Cell, Side, Study};

/// The means of the two groups that are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Means {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// A number that follows from the means of the groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is what it is named after")]
pub enum Quantity {
    Low,
    High,
    Gap,
    RelativeGap,
    LogGap,
}

impl Means {
    /// Returns a quantity; not finite where it is not defined.
    pub(crate) fn of(&self, quantity: Quantity) -> f64 {
        let Self { low, high } = *self;
        match quantity {
            Quantity::Low => low,
            Quantity::High => high,
            Quantity::Gap => high - low,
            Quantity::RelativeGap => (high - low) / high,
            // Infinite or NaN where a mean is one.
            Quantity::LogGap => (1.0 - low).ln() - (1.0 - high).ln(),
        }
    }
}

/// The mean of each language in a cell, over topics of the mean over seeds.
pub(crate) fn language_means(cell: &Cell) -> Vec<f64> {
    let mean = |values: &Vec<f64>| crate::line::mean(values);
    cell.values.iter().map(mean).collect()
}

/// The unweighted means over the languages of each group.
pub(crate) fn group_means(study: &Study, languages: &[f64]) -> Means {
    let mean = |side| {
        let places = study.side(side);
        let values: Vec<f64> = places.into_iter().map(|place| languages[place]).collect();
        crate::line::mean(&values)
    };
    Means {
        low: mean(Side::Low),
        high: mean(Side::High),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors of 0.6 and 0.2: three times as many, so the log gap is ln 3.
    #[test]
    fn three_gaps_of_two_means() {
        let means = Means {
            low: 0.4,
            high: 0.8,
        };
        assert!((means.of(Quantity::Gap) - 0.4).abs() < 1e-15);
        assert!((means.of(Quantity::RelativeGap) - 0.5).abs() < 1e-15);
        assert!((means.of(Quantity::LogGap) - 3.0_f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn a_mean_of_one_has_no_log_gap() {
        for (low, high) in [(0.5, 1.0), (1.0, 0.5), (1.0, 1.0)] {
            assert!(!Means { low, high }.of(Quantity::LogGap).is_finite());
        }
    }
}
