//! The mixed model of language means: y = β0 + β1 x + β2 G + β3 x G + u + v x + e, x = log10 size.
//!
//! Every language has every size, so that the fit has a closed form (`docs/method.md`, "Size and the
//! gap"): intercepts and slopes of languages are their own least-squares lines, and what their scatter
//! has beyond the error of a line is the covariance of languages. x is centred: an intercept is the
//! value at its mean.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use nalgebra::{Matrix2, Vector2};
use serde::Serialize;

use crate::line::{Axis, Line, finite};

/// The model by two likelihoods; each is null with fewer than three sizes, with no more languages than
/// groups, or where `d` is not positive definite.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Mixed {
    /// Restricted maximum likelihood.
    pub reml: Option<MixedFit>,
    /// Maximum likelihood.
    pub ml: Option<MixedFit>,
}

/// A fit of the model. Slopes are per decade of size, intercepts at the mean of log10 size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MixedFit {
    /// Mean of the first high group.
    pub intercept: f64,
    /// Standard error of `intercept`.
    pub intercept_se: f64,
    /// Slope of the first high group.
    pub slope: f64,
    /// Standard error of `slope`.
    pub slope_se: f64,
    /// The other groups, against the first high one.
    #[serde(flatten)]
    pub groups: BTreeMap<String, GroupDifference>,
    /// Variance of the error.
    pub sigma2: f64,
    /// Covariance of the languages' intercepts and slopes: elements 11, 12 and 22.
    pub d: [f64; 3],
    /// Logarithm of the likelihood with all constants, for treatment coding; null without any error.
    pub log_likelihood: Option<f64>,
}

/// How a group differs from the first high one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GroupDifference {
    /// Difference of intercepts, this group minus high.
    pub intercept_difference: f64,
    /// Standard error of `intercept_difference`.
    pub intercept_difference_se: f64,
    /// Difference of slopes, this group minus high.
    pub slope_difference: f64,
    /// Standard error of `slope_difference`.
    pub slope_difference_se: f64,
}

/// Fits the model to the lines of languages, by group: the first group is the one others differ from.
pub(crate) fn mixed(axis: &Axis, groups: &[(&str, Vec<Line>)]) -> Mixed {
    let count = groups.iter().map(|(_, lines)| lines.len()).sum::<usize>();
    if axis.len() < 3 || count <= groups.len() {
        return Mixed::default();
    }
    let (sizes, languages) = (axis.len() as f64, count as f64);
    let residual: f64 = groups
        .iter()
        .flat_map(|it| &it.1)
        .map(|it| it.residual)
        .sum();
    let sigma2 = residual / (languages * (sizes - 2.0));
    let of_line = Matrix2::new(1.0 / sizes, 0.0, 0.0, 1.0 / axis.spread) * sigma2;
    let coefficients = |line: &Line| Vector2::new(line.mean, line.slope);
    let means: Vec<Vector2<f64>> = groups
        .iter()
        .map(|(_, lines)| lines.iter().map(coefficients).sum::<Vector2<f64>>() / lines.len() as f64)
        .collect();
    let scatter: Matrix2<f64> = groups
        .iter()
        .zip(&means)
        .flat_map(|((_, lines), mean)| lines.iter().map(move |line| coefficients(line) - mean))
        .map(|difference| difference * difference.transpose())
        .sum();
    let fit = |degrees: f64, restricted: bool| {
        // The covariance of languages' coefficients, of which D is what lines' errors leave.
        let total = scatter / degrees;
        let d = total - of_line;
        if !(0.0 < d[(0, 0)] && 0.0 < d.determinant()) {
            return None;
        }
        let determinant = total.determinant().ln();
        let errors = languages * (sizes - 2.0) * ((TAU * sigma2).ln() + 1.0);
        let lines = languages * (2.0 * TAU.ln() + determinant + (sizes * axis.spread).ln());
        let mut likelihood = -0.5 * (errors + lines + 2.0 * degrees);
        if restricted {
            // -1/2 ln |X' V^-1 X|, a block of n_g total^-1 for each group, and p/2 ln 2π.
            for (_, lines) in groups {
                likelihood += TAU.ln() - (lines.len() as f64).ln() + 0.5 * determinant;
            }
        }
        let variance = |group: usize| total / groups[group].1.len() as f64;
        let others = groups.iter().zip(&means).enumerate().skip(1);
        let others = others.map(|(place, ((name, _), mean))| {
            let (difference, variance) = (mean - means[0], variance(place) + variance(0));
            let difference = GroupDifference {
                intercept_difference: difference[0],
                intercept_difference_se: variance[(0, 0)].sqrt(),
                slope_difference: difference[1],
                slope_difference_se: variance[(1, 1)].sqrt(),
            };
            ((*name).to_owned(), difference)
        });
        Some(MixedFit {
            intercept: means[0][0],
            intercept_se: variance(0)[(0, 0)].sqrt(),
            slope: means[0][1],
            slope_se: variance(0)[(1, 1)].sqrt(),
            groups: others.collect(),
            sigma2,
            d: [d[(0, 0)], d[(0, 1)], d[(1, 1)]],
            log_likelihood: finite(likelihood),
        })
    };
    Mixed {
        reml: fit(languages - groups.len() as f64, true),
        ml: fit(languages, false),
    }
}
