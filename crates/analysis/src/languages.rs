//! Tests over languages: do the slopes of the high-resource ones differ from those of the low ones?
//!
//! A percentile bootstrap over few languages is too narrow. Welch's t, a permutation of labels and the
//! difference without each language in turn stand beside it.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use serde::Serialize;
use statrs::function::beta::checked_beta_reg;

use crate::line::{finite, mean};
use crate::resample::{Purpose, stream};

/// At most this many labelings are enumerated; where there are more, as many are drawn.
const LABELINGS: u64 = 20_000;

/// How the slopes of languages differ between the groups, high minus low, per decade of size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LanguageTests {
    /// Welch's t test; null with one size or a group of one language.
    pub welch: Option<Welch>,
    /// Two-sided p of the difference under permuted labels; null with one size.
    pub permutation_p: Option<f64>,
    /// The difference without a language; null where it is the only one of its group.
    pub leave_one_out: BTreeMap<String, Option<f64>>,
}

/// Welch's t test of two means with unequal variances.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Welch {
    /// High minus low.
    pub difference: f64,
    /// Standard error of the difference.
    pub se: f64,
    /// Difference over standard error; null where no language differs from its group.
    pub t: Option<f64>,
    /// Degrees of freedom after Satterthwaite.
    pub df: Option<f64>,
    /// Two-sided p.
    pub p: Option<f64>,
}

/// Compares the slopes of languages, given with their names.
pub(crate) fn tests(low: &[(&str, f64)], high: &[(&str, f64)], seed: u64) -> LanguageTests {
    let slopes = |side: &[(&str, f64)]| side.iter().map(|it| it.1).collect::<Vec<_>>();
    let (low_slopes, high_slopes) = (slopes(low), slopes(high));
    let (low_mean, high_mean) = (mean(&low_slopes), mean(&high_slopes));
    let without = |side: &[f64], place: usize| {
        let mut side = side.to_vec();
        side.remove(place);
        mean(&side)
    };
    let mut leave_one_out = BTreeMap::new();
    for (place, (name, _)) in low.iter().enumerate() {
        let difference = high_mean - without(&low_slopes, place);
        leave_one_out.insert((*name).to_owned(), finite(difference));
    }
    for (place, (name, _)) in high.iter().enumerate() {
        let difference = without(&high_slopes, place) - low_mean;
        leave_one_out.insert((*name).to_owned(), finite(difference));
    }
    LanguageTests {
        welch: welch(&low_slopes, &high_slopes),
        permutation_p: permutation(&low_slopes, &high_slopes, seed),
        leave_one_out,
    }
}

fn welch(low: &[f64], high: &[f64]) -> Option<Welch> {
    if low.len() < 2 || high.len() < 2 {
        return None;
    }
    // Mean, its squared standard error, and degrees of freedom.
    let moments = |values: &[f64]| {
        let (mean, count) = (mean(values), values.len() as f64);
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (mean, squares / (count - 1.0) / count, count - 1.0)
    };
    let ((low, low_error, low_df), (high, high_error, high_df)) = (moments(low), moments(high));
    let error = low_error + high_error;
    let difference = finite(high - low)?;
    let df = error.powi(2) / (low_error.powi(2) / low_df + high_error.powi(2) / high_df);
    let t = difference / error.sqrt();
    // P(|T| > t) is the regularised incomplete beta function of (df/2, 1/2) at df / (df + t^2).
    let p = checked_beta_reg(df / 2.0, 0.5, df / (df + t * t));
    Some(Welch {
        difference,
        se: error.sqrt(),
        t: finite(t),
        df: finite(df),
        p: p.ok().and_then(finite),
    })
}

/// The share of labelings whose means are as far apart as the observed ones.
fn permutation(low: &[f64], high: &[f64], seed: u64) -> Option<f64> {
    let mut slopes = [low, high].concat();
    if slopes.iter().any(|slope| !slope.is_finite()) {
        return None;
    }
    let (lows, all) = (low.len(), slopes.len());
    let total: f64 = slopes.iter().sum();
    let distance = |sum: f64| ((total - sum) / (all - lows) as f64 - sum / lows as f64).abs();
    // Sums of the same numbers in another order are ties, and rounding grows with the numbers.
    let scale = slopes.iter().fold(0.0_f64, |most, it| most.max(it.abs()));
    let bound = distance(low.iter().sum()) * (1.0 - 1e-12) - 1e-14 * scale;
    if let Some(labelings) = choose(all, lows) {
        let mut places: Vec<usize> = (0..lows).collect();
        let mut extreme = 0_u64;
        for _ in 0..labelings {
            let sum: f64 = places.iter().map(|&place| slopes[place]).sum();
            extreme += u64::from(bound <= distance(sum));
            next(&mut places, all);
        }
        return Some(extreme as f64 / labelings as f64);
    }
    let mut random = stream(seed, Purpose::Labels, 0);
    let mut extreme = 0_u64;
    for _ in 0..LABELINGS {
        let (drawn, _) = slopes.partial_shuffle(&mut random, lows);
        extreme += u64::from(bound <= distance(drawn.iter().sum()));
    }
    Some((1 + extreme) as f64 / (1 + LABELINGS) as f64)
}

/// The number of ways to choose, where it is at most [`LABELINGS`].
fn choose(all: usize, some: usize) -> Option<u64> {
    let some = some.min(all - some) as u64;
    // After each factor the product is a binomial coefficient itself, and they rise.
    (0..some).try_fold(1_u64, |ways, step| {
        let ways = ways * (all as u64 - step) / (step + 1);
        (ways <= LABELINGS).then_some(ways)
    })
}

/// Turns a choice of places, in rising order, into the next one.
fn next(places: &mut [usize], all: usize) {
    let count = places.len();
    let movable = (0..count).rev().find(|&it| places[it] < all - count + it);
    if let Some(first) = movable {
        let begin = places[first] + 1;
        for (place, value) in places[first..].iter_mut().zip(begin..) {
            *place = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts, of the six labelings of 1, 2, 4 and 8 the observed one and its mirror image are the farthest;
    /// with one against three, 8 alone is farther than 1 alone.
    #[test]
    fn few_labels_are_enumerated() {
        assert_eq!(permutation(&[1.0, 2.0], &[4.0, 8.0], 1), Some(2.0 / 6.0));
        assert_eq!(permutation(&[1.0], &[2.0, 4.0, 8.0], 1), Some(2.0 / 4.0));
        assert_eq!(permutation(&[0.1; 3], &[0.1; 4], 1), Some(1.0));
        assert_eq!(permutation(&[f64::NAN], &[0.1], 1), None);
    }

    #[test]
    fn labelings_are_counted() {
        assert_eq!(choose(10, 5), Some(252));
        assert_eq!(choose(10, 10), Some(1));
        assert_eq!(choose(20_000, 1), Some(20_000));
        assert_eq!(choose(20_001, 20_000), None);
        assert_eq!(choose(76, 48), None);
        let mut places = vec![0, 1, 2];
        let mut seen = std::collections::BTreeSet::from([places.clone()]);
        for _ in 1..35 {
            next(&mut places, 7);
            seen.insert(places.clone());
        }
        assert_eq!(seen.len(), 35);
    }

    /// Nine against nine have 48,620 labelings; enumerating them here says what the drawn ones approach.
    #[test]
    fn drawn_labels_come_close_to_the_enumeration() {
        let value = |i: i32| f64::from(i * i % 19) / 19.0;
        let low: Vec<f64> = (0..9).map(value).collect();
        let high: Vec<f64> = (9..18).map(|i| value(i) + 0.15).collect();
        let all = [low.clone(), high.clone()].concat();
        let distance = |bits: u32| {
            let sum = |one| {
                (0..18)
                    .filter(move |i| bits >> i & 1 == one)
                    .map(|i| all[i as usize])
            };
            (sum(0).sum::<f64>() / 9.0 - sum(1).sum::<f64>() / 9.0).abs()
        };
        let observed = distance(0x1ff);
        let halves = (0..1_u32 << 18).filter(|bits| bits.count_ones() == 9);
        let extreme = halves
            .filter(|&bits| observed - 1e-12 <= distance(bits))
            .count();
        let exact = extreme as f64 / 48_620.0;
        let drawn = permutation(&low, &high, 3).unwrap_or_default();
        // Four standard errors of 20,000 draws.
        let tolerance = 4.0 * (exact * (1.0 - exact) / 20_000.0).sqrt();
        assert!((drawn - exact).abs() < tolerance, "{drawn} against {exact}");
        assert_eq!(permutation(&low, &high, 3), Some(drawn));
    }

    /// Variances 1 and 4 of three and two: error 1/3 + 2, difference 5, t = 5 / sqrt(7/3),
    /// df = (7/3)^2 / ((1/3)^2 / 2 + 2^2 / 1) = 5.444 / 4.0556.
    #[test]
    fn welch_worked_by_hand() {
        let high = [7.0 - 2.0_f64.sqrt(), 7.0 + 2.0_f64.sqrt()];
        let Some(found) = welch(&[1.0, 2.0, 3.0], &high) else {
            panic!("two groups of two languages have a test")
        };
        assert!((found.difference - 5.0).abs() < 1e-12);
        assert!((found.t.unwrap_or_default() - 5.0 / (7.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!((found.df.unwrap_or_default() - (49.0 / 9.0) / (1.0 / 18.0 + 4.0)).abs() < 1e-12);
        assert_eq!(welch(&[1.0], &[1.0, 2.0]), None);
    }

    #[test]
    fn a_language_alone_in_its_group_cannot_be_left_out() {
        let found = tests(&[("a", 0.5)], &[("b", 1.0), ("c", 2.0)], 1);
        assert_eq!(found.leave_one_out["a"], None);
        assert_eq!(found.leave_one_out["b"], Some(1.5));
        assert_eq!(found.leave_one_out["c"], Some(0.5));
    }
}
