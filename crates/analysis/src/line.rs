//! Straight lines over the logarithm of size.

/// Sizes as a regression sees them: log10, around their mean.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    centred: Vec<f64>,
    /// Sum of squares around the mean, in decades squared.
    pub(crate) spread: f64,
}

/// A line fitted by least squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    /// The value at the mean of log10 size, which is the mean of the values.
    pub(crate) mean: f64,
    /// The change per decade of size.
    pub(crate) slope: f64,
    /// Residual sum of squares.
    pub(crate) residual: f64,
}

impl Axis {
    /// Takes distinct, positive sizes.
    pub(crate) fn new(sizes: impl IntoIterator<Item = f64>) -> Self {
        let mut centred: Vec<f64> = sizes.into_iter().map(f64::log10).collect();
        let mean = mean(&centred);
        centred.iter_mut().for_each(|x| *x -= mean);
        let spread = centred.iter().map(|x| x * x).sum();
        Self { centred, spread }
    }

    /// Returns the number of sizes.
    pub(crate) fn len(&self) -> usize {
        self.centred.len()
    }

    /// Returns the change of `values` per decade, of ordinary least squares; NaN with one size.
    pub(crate) fn slope(&self, values: impl IntoIterator<Item = f64>) -> f64 {
        let products = self.centred.iter().zip(values).map(|(x, y)| x * y);
        products.sum::<f64>() / self.spread
    }

    /// Returns the line through `values`; its slope is NaN with one size.
    pub(crate) fn line(&self, values: &[f64]) -> Line {
        let (mean, slope) = (mean(values), self.slope(values.iter().copied()));
        let residuals = self.centred.iter().zip(values);
        let residuals = residuals.map(|(x, y)| (y - mean - slope * x).powi(2));
        Line {
            mean,
            slope,
            residual: residuals.sum(),
        }
    }
}

/// Returns the mean, NaN of nothing.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Returns a number that is one, for outputs where what is not defined is null.
pub(crate) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At x = -1, 0 and 1 (sizes 1, 10 and 100), y = 1, 2, 6: slope 5/2, mean 3, residuals 1/2, -1, 1/2.
    #[test]
    fn three_points_worked_by_hand() {
        let line = Axis::new([1.0, 10.0, 100.0]).line(&[1.0, 2.0, 6.0]);
        assert!((line.slope - 2.5).abs() < 1e-14);
        assert!((line.mean - 3.0).abs() < 1e-14);
        assert!((line.residual - 1.5).abs() < 1e-14);
    }

    #[test]
    fn one_size_has_no_slope() {
        assert!(Axis::new([7.0]).slope([0.3]).is_nan());
    }
}
