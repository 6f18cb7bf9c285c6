//! The gap between high- and low-resource languages.

/// Mean effectiveness of two classes of languages, and what lies between them.
///
/// Every language counts once (a macro average), however many topics it has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// Mean over the high-resource languages.
    pub high: f64,
    /// Mean over the low-resource languages.
    pub low: f64,
}

impl Gap {
    /// Averages the values of one measure, one per language; `None` if a class has no language.
    #[must_use]
    pub fn new(high: &[f64], low: &[f64]) -> Option<Self> {
        let mean = |values: &[f64]| {
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        Some(Self {
            high: mean(high)?,
            low: mean(low)?,
        })
    }

    /// How much the high-resource languages are ahead, in units of the measure.
    #[must_use]
    pub fn absolute(&self) -> f64 {
        self.high - self.low
    }

    /// The absolute gap as a share of the high-resource mean; `None` if that mean is zero.
    #[must_use]
    pub fn relative(&self) -> Option<f64> {
        (self.high != 0.0).then(|| self.absolute() / self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Means 0.46 and 0.325.
    #[test]
    fn classes_of_different_size_are_averaged_apart() {
        let gap = Gap::new(&[0.45, 0.47, 0.46], &[0.33, 0.30, 0.36, 0.31]);
        let gap = gap.unwrap_or(Gap {
            high: 0.0,
            low: 0.0,
        });
        assert!((gap.absolute() - 0.135).abs() < 1e-12);
        let relative = gap.relative().unwrap_or(0.0);
        assert!((relative - 0.135 / 0.46).abs() < 1e-12);
    }

    #[test]
    fn a_class_without_languages_has_no_gap() {
        assert_eq!(Gap::new(&[], &[0.1]), None);
        assert_eq!(Gap::new(&[0.1], &[]), None);
        assert_eq!(
            Gap {
                high: 0.0,
                low: 0.0
            }
            .relative(),
            None
        );
    }
}
