//! Power laws with a floor: E(N) = (A / N)^α + δ of the error E = 1 - mean, with α > 0 and δ ≥ 0.
//!
//! With α given, (A / N)^α is a multiple of N^-α, so that multiple and floor are a linear least-squares
//! problem with two bounds; what is left is a search over α alone (variable projection).

use std::collections::BTreeMap;

use serde::Serialize;

/// The exponents that are searched, and in how many steps of equal ratio before bisection.
const EXPONENTS: (f64, f64) = (1e-4, 30.0);
const STEPS: i32 = 200;

/// Halvings of the bracket of the exponent: more than a double has digits.
const HALVINGS: usize = 60;

/// A fit of the power law.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PowerLaw {
    /// The exponent α.
    pub alpha: f64,
    /// The scale A, in parameters.
    pub scale: f64,
    /// The floor δ, an error; zero where the bound holds it.
    pub delta: f64,
    /// Residual sum of squares.
    pub rss: f64,
    /// Whether the floor is told apart from the curve: six sizes or more, and a floor above zero.
    pub identified: bool,
}

/// The fit of a group, with the interval of its exponent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GroupPowerLaw {
    /// The fit.
    #[serde(flatten)]
    pub fit: PowerLaw,
    /// 95 % percentile interval of the exponent, where a resample whose error does not fall counts as
    /// zero; null where nothing is resampled, and where the error of a resample falls in a step.
    pub alpha_interval: Option<[f64; 2]>,
}

/// The fits of a method; each is null with fewer than three sizes, and where no exponent fits best:
/// where the error does not fall with size, or falls in a step after the first size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PowerLaws {
    /// Fits the low-resource group's mean.
    pub low: Option<GroupPowerLaw>,
    /// Fits the high-resource group's mean.
    pub high: Option<GroupPowerLaw>,
    /// Fits each language's mean.
    #[serde(flatten)]
    pub languages: BTreeMap<String, Option<PowerLaw>>,
}

/// Sizes as powers are taken of them: logarithms around their mean.
pub(crate) struct Sizes {
    logs: Vec<f64>,
    /// The geometric mean.
    centre: f64,
}

/// The best multiple and floor of an exponent.
struct Projection {
    multiple: f64,
    floor: f64,
    rss: f64,
    /// Derivative of `rss` by the exponent, which the envelope theorem gives.
    gradient: f64,
}

impl Sizes {
    pub(crate) fn new(sizes: impl IntoIterator<Item = f64>) -> Self {
        let mut logs: Vec<f64> = sizes.into_iter().map(f64::ln).collect();
        let mean = crate::line::mean(&logs);
        logs.iter_mut().for_each(|it| *it -= mean);
        let centre = mean.exp();
        Self { logs, centre }
    }

    /// Fits the errors, one for each size.
    pub(crate) fn fit(&self, errors: &[f64]) -> Option<PowerLaw> {
        let alpha = self.exponent(errors);
        let projection = self.project(alpha, errors);
        let scale = self.centre * projection.multiple.powf(alpha.recip());
        let fits = alpha.is_finite() && 0.0 < alpha && scale.is_finite();
        fits.then_some(PowerLaw {
            alpha,
            scale,
            delta: projection.floor,
            rss: projection.rss,
            identified: 6 <= errors.len() && 0.0 < projection.floor,
        })
    }

    /// Returns the best exponent: zero where errors do not fall, infinite where they fall in a step,
    /// NaN with fewer than three sizes.
    pub(crate) fn exponent(&self, errors: &[f64]) -> f64 {
        if errors.len() < 3 || !errors.iter().all(|error| error.is_finite()) {
            return f64::NAN;
        }
        let (first, last) = EXPONENTS;
        let at = |step| first * (last / first).powf(f64::from(step) / f64::from(STEPS));
        let (mut best, mut least) = (0, f64::INFINITY);
        for step in 0..=STEPS {
            let rss = self.project(at(step), errors).rss;
            if rss < least {
                (best, least) = (step, rss);
            }
        }
        let (mut below, mut above) = (at((best - 1).max(0)), at((best + 1).min(STEPS)));
        let (start, end) = (self.project(first, errors), self.project(last, errors));
        // A multiple of zero is a constant, which is all there is left of errors that rise.
        if self.project(at(best), errors).multiple <= 0.0 || best == 0 && 0.0 <= start.gradient {
            return 0.0;
        }
        if best == STEPS && end.gradient <= 0.0 {
            return f64::INFINITY;
        }
        for _ in 0..HALVINGS {
            let middle = 0.5 * (below + above);
            if self.project(middle, errors).gradient < 0.0 {
                below = middle;
            } else {
                above = middle;
            }
        }
        0.5 * (below + above)
    }

    fn project(&self, alpha: f64, errors: &[f64]) -> Projection {
        let count = errors.len() as f64;
        let powers = || self.logs.iter().map(|log| (-alpha * log).exp());
        let (mut z, mut zz, mut e, mut ze) = (0.0, 0.0, 0.0, 0.0);
        for (power, error) in powers().zip(errors) {
            (z, zz, e, ze) = (z + power, zz + power * power, e + error, ze + power * error);
        }
        let (z_mean, e_mean) = (z / count, e / count);
        let mut multiple = (ze - z * e_mean) / (zz - z * z_mean);
        let mut floor = e_mean - multiple * z_mean;
        if floor < 0.0 {
            (multiple, floor) = (ze / zz, 0.0);
        }
        if multiple.is_nan() || multiple <= 0.0 {
            (multiple, floor) = (0.0, e_mean.max(0.0));
        }
        let (mut rss, mut gradient) = (0.0, 0.0);
        for ((power, error), log) in powers().zip(errors).zip(&self.logs) {
            let residual = error - floor - multiple * power;
            rss += residual * residual;
            gradient += 2.0 * multiple * residual * power * log;
        }
        Projection {
            multiple,
            floor,
            rss,
            gradient,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [f64; 8] = [8e7, 1.6e8, 3.3e8, 5.96e8, 1.72e9, 4.02e9, 7.57e9, 1.4e10];

    /// Fits of published results. These errors are rounded to five decimals, and A and δ are poorly
    /// determined: `tests/worked.rs` has the same fits of the unrounded errors, to the printed digits.
    #[test]
    fn published_curves_have_their_worked_fits() {
        let curves = [
            (
                [
                    0.24960, 0.20115, 0.14319, 0.10875, 0.07767, 0.06569, 0.05543, 0.05152,
                ],
                (3.668e6, 0.48598, 0.03086, 1.983e-4),
            ),
            (
                [
                    0.62966, 0.57204, 0.48358, 0.43347, 0.33551, 0.28877, 0.24938, 0.22158,
                ],
                (9.26e6, 0.20483, 0.0, 5.120e-4),
            ),
            (
                [
                    0.60483, 0.56311, 0.52203, 0.50734, 0.47299, 0.44918, 0.41594, 0.39625,
                ],
                (6.759e4, 0.11795, 0.16531, 3.192e-4),
            ),
            (
                [
                    0.61000, 0.57414, 0.54484, 0.52311, 0.48321, 0.46751, 0.43805, 0.41501,
                ],
                (4.221e4, 0.08521, 0.08118, 1.485e-4),
            ),
        ];
        for (errors, (scale, alpha, delta, rss)) in curves {
            let fit = Sizes::new(SIZES).fit(&errors).expect("these errors fall");
            assert_worked(&fit, scale, alpha, delta, rss);
            assert_eq!(fit.identified, 0.0 < delta);
        }
    }

    fn assert_worked(fit: &PowerLaw, scale: f64, alpha: f64, delta: f64, rss: f64) {
        assert!((fit.alpha - alpha).abs() < 2e-5, "{fit:?} against {alpha}");
        assert!((fit.delta - delta).abs() < 1e-4, "{fit:?} against {delta}");
        assert!((fit.rss / rss - 1.0).abs() < 1e-3, "{fit:?} against {rss}");
        assert!(
            (fit.scale / scale - 1.0).abs() < 1e-3,
            "{fit:?} against {scale}"
        );
    }

    #[test]
    fn exact_curves_are_found_again() {
        for (alpha, scale, delta) in [(0.3, 2e6, 0.05), (1.2, 4e7, 0.2), (0.08, 5e3, 0.0)] {
            let errors = SIZES.map(|size| (scale / size).powf(alpha) + delta);
            let fit = Sizes::new(SIZES).fit(&errors).expect("these errors fall");
            assert!((fit.alpha - alpha).abs() < 1e-6, "{fit:?}");
            assert!((fit.delta - delta).abs() < 1e-6, "{fit:?}");
            assert!((fit.scale / scale - 1.0).abs() < 1e-4, "{fit:?}");
        }
    }

    /// No neighbour of the fit on a fine grid of all three numbers is better.
    #[test]
    fn a_grid_finds_nothing_better() {
        let errors = [0.6, 0.48, 0.44, 0.36, 0.33, 0.30, 0.28, 0.285];
        let fit = Sizes::new(SIZES).fit(&errors).expect("these errors fall");
        for step in -20..=20 {
            for floor in -20..=20 {
                for shift in -20..=20 {
                    let alpha = fit.alpha * (1.0 + 0.002 * f64::from(step));
                    let delta = (fit.delta + 0.0005 * f64::from(floor)).max(0.0);
                    let scale = fit.scale * (1.0 + 0.002 * f64::from(shift));
                    let residual = |(size, error): (&f64, &f64)| {
                        (error - delta - (scale / size).powf(alpha)).powi(2)
                    };
                    let rss: f64 = SIZES.iter().zip(&errors).map(residual).sum();
                    assert!(fit.rss <= rss + 1e-15, "{alpha} {delta} {scale}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_power_law_has_no_fit() {
        let sizes = Sizes::new(SIZES);
        let rising = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];
        assert_eq!(sizes.fit(&rising), None);
        assert_eq!(sizes.exponent(&rising), 0.0);
        assert_eq!(sizes.fit(&[0.3; 8]), None);
        let step = [0.9, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3];
        assert_eq!(sizes.exponent(&step), f64::INFINITY);
        assert_eq!(sizes.fit(&step), None);
        assert_eq!(Sizes::new([1.0, 10.0]).fit(&[0.5, 0.4]), None);
    }
}
