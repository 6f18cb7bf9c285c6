//! Whether two systems differ by more than chance, over the same topics.

use std::collections::BTreeMap;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Up to this many topics that differ, the randomisation test goes through all signs.
const EXACT_TOPICS: usize = 15;
/// Two sums of differences closer than this, relative to the sum of their sizes, count as equal:
/// the sums of one set of numbers, added with other signs, differ in their last bits.
const TIE: f64 = 1e-12;

/// Why two systems cannot be compared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SignificanceError {
    /// A topic has a value of one system only.
    #[error("topic {0:?} has a value of only one of the two systems")]
    Topics(String),
    /// There are too few topics.
    #[error("{found} topics are too few; {needed} are needed")]
    TooFew {
        /// The number of topics.
        found: usize,
        /// The number needed.
        needed: usize,
    },
    /// A value is not finite.
    #[error("the value of topic {0:?} is not a finite number")]
    NotFinite(String),
    /// A setting is outside its domain.
    #[error("{0} = {1} is out of range")]
    Setting(&'static str, f64),
}

/// Differences of two systems by topic, in the order of the topics.
#[derive(Debug, Clone, PartialEq)]
pub struct Differences {
    values: Vec<f64>,
}

/// What a randomisation test found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Randomisation {
    /// The two-sided p-value.
    pub p: f64,
    /// Whether all signs were tried; otherwise a sample of them.
    pub exact: bool,
}

impl Differences {
    /// Subtracts a baseline from a system, topic by topic; positive means that the system is better.
    ///
    /// # Errors
    /// If the two have other topics, a value is not finite, or there is no topic.
    pub fn new(
        system: &BTreeMap<String, f64>,
        baseline: &BTreeMap<String, f64>,
    ) -> Result<Self, SignificanceError> {
        let alone = |a: &BTreeMap<String, f64>, b: &BTreeMap<String, f64>| {
            a.keys().find(|topic| !b.contains_key(*topic)).cloned()
        };
        if let Some(topic) = alone(system, baseline).or_else(|| alone(baseline, system)) {
            return Err(SignificanceError::Topics(topic));
        }
        let pairs = system.iter().zip(baseline.values());
        let values: Result<Vec<f64>, _> = pairs
            .map(|((topic, value), base)| {
                let difference = value - base;
                let finite = difference.is_finite().then_some(difference);
                finite.ok_or_else(|| SignificanceError::NotFinite(topic.clone()))
            })
            .collect();
        let values = values?;
        if values.is_empty() {
            return Err(SignificanceError::TooFew {
                found: 0,
                needed: 1,
            });
        }
        Ok(Self { values })
    }

    /// Joins the differences of several groups of topics, such as languages, so that each group counts
    /// once in the mean, however many topics it has: a value is scaled by its group's share.
    ///
    /// # Errors
    /// If there is no group.
    pub fn macro_mean(groups: &[Self]) -> Result<Self, SignificanceError> {
        let all: usize = groups.iter().map(|group| group.values.len()).sum();
        let values = groups.iter().flat_map(|group| {
            let scale = all as f64 / (groups.len() * group.values.len()) as f64;
            group.values.iter().map(move |value| value * scale)
        });
        let values: Vec<f64> = values.collect();
        if values.is_empty() {
            return Err(SignificanceError::TooFew {
                found: 0,
                needed: 1,
            });
        }
        Ok(Self { values })
    }

    /// Returns the differences.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Returns the mean difference.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.values.iter().sum::<f64>() / self.values.len() as f64
    }

    /// Fisher's paired randomisation test of the mean difference, two-sided.
    ///
    /// If the systems do not differ, the sign of every topic's difference is a coin's. The p-value is
    /// the share of signs whose mean is at least as far from zero as the observed one: of all signs
    /// where at most 15 topics differ, otherwise of `samples` random ones together with the observed
    /// one (the `+1` that keeps a sampled p-value above zero and valid; Phipson and Smyth, 2010).
    ///
    /// # Errors
    /// If `samples` is zero.
    pub fn randomisation(
        &self,
        samples: u32,
        seed: u64,
    ) -> Result<Randomisation, SignificanceError> {
        if samples == 0 {
            return Err(SignificanceError::Setting("samples", 0.0));
        }
        // The sign of a zero changes nothing.
        let sizes: Vec<f64> = self
            .values
            .iter()
            .filter(|it| **it != 0.0)
            .map(|it| it.abs())
            .collect();
        let observed = self.values.iter().sum::<f64>().abs();
        let bound = observed - TIE * sizes.iter().sum::<f64>();
        // Bit i of the signs is that of the i-th size.
        let extreme = |signs: &mut dyn FnMut() -> u64| {
            let sum = |sum: f64, chunk: &[f64]| {
                let signs = signs();
                let signed = chunk.iter().enumerate();
                signed.fold(sum, |sum, (i, it)| {
                    if signs >> i & 1 == 1 {
                        sum - it
                    } else {
                        sum + it
                    }
                })
            };
            sizes.chunks(64).fold(0.0, sum).abs() >= bound
        };
        if sizes.len() <= EXACT_TOPICS {
            let all = 1_u64 << sizes.len();
            let count = (0..all).filter(|&signs| extreme(&mut || signs)).count();
            return Ok(Randomisation {
                p: count as f64 / all as f64,
                exact: true,
            });
        }
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let count = (0..samples)
            .filter(|_| extreme(&mut || random.next_u64()))
            .count();
        let p = (count as f64 + 1.0) / (f64::from(samples) + 1.0);
        Ok(Randomisation { p, exact: false })
    }

    /// Returns a percentile bootstrap interval of the mean difference.
    ///
    /// Topics are drawn with replacement `samples` times; of the means, the interval leaves out the
    /// share `1 - confidence`, half on each side.
    ///
    /// # Errors
    /// If `samples` is zero, `confidence` is not between 0 and 1, or there are fewer than two topics.
    pub fn bootstrap(
        &self,
        confidence: f64,
        samples: u32,
        seed: u64,
    ) -> Result<(f64, f64), SignificanceError> {
        let found = self.values.len();
        if found < 2 {
            return Err(SignificanceError::TooFew { found, needed: 2 });
        }
        if !(0.0 < confidence && confidence < 1.0) {
            return Err(SignificanceError::Setting("confidence", confidence));
        }
        if samples == 0 {
            return Err(SignificanceError::Setting("samples", 0.0));
        }
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut mean = || {
            let draws = self
                .values
                .iter()
                .map(|_| self.values[random.random_range(0..found)]);
            draws.sum::<f64>() / found as f64
        };
        let mut means: Vec<f64> = (0..samples).map(|_| mean()).collect();
        means.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - confidence) / 2.0;
        Ok((quantile(&means, tail), quantile(&means, 1.0 - tail)))
    }
}

/// Returns the quantile of sorted numbers, linear between neighbours.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = sorted[place.floor() as usize];
    let above = sorted[place.ceil() as usize];
    below + (above - below) * place.fract()
}

/// Corrects p-values of a family of tests by Holm's step-down method, in the order given.
///
/// The smallest of `n` is multiplied by `n`, the next by `n - 1`, and so on; none falls below its
/// predecessor or exceeds one. The probability of any false rejection stays below the level, whatever
/// the dependence between the tests (Holm, 1979).
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut corrected = vec![0.0; p_values.len()];
    let mut least = 0.0_f64;
    for (rank, place) in order.into_iter().enumerate() {
        let factor = (p_values.len() - rank) as f64;
        least = least.max((p_values[place] * factor).min(1.0));
        corrected[place] = least;
    }
    corrected
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn topics(values: &[f64]) -> BTreeMap<String, f64> {
        (0..)
            .map(|number| format!("q{number:03}"))
            .zip(values.iter().copied())
            .collect()
    }

    fn differences(values: &[f64]) -> Differences {
        Differences::new(&topics(values), &topics(&vec![0.0; values.len()])).unwrap()
    }

    /// Of the eight signs of 1, 2 and 4, only the two with equal signs reach 7; of 1, 2 and -4, whose
    /// sum is -1, all eight do, since no sum of the three is smaller.
    #[test]
    fn few_topics_are_enumerated() {
        let p = |values: &[f64]| differences(values).randomisation(1, 0).unwrap();
        assert_eq!(
            p(&[1.0, 2.0, 4.0]),
            Randomisation {
                p: 0.25,
                exact: true
            }
        );
        assert_eq!(p(&[1.0, 2.0, -4.0]).p, 1.0);
        assert_eq!(p(&[1.0, 2.0, 4.0, 0.0, 0.0]).p, 0.25);
        // 0.1 + 0.2 is not 0.3 in floating point, but |0.1 + 0.2 - 0.3| = 0 is a tie with all.
        assert_eq!(p(&[0.1, 0.2, -0.3]).p, 1.0);
    }

    /// Two languages of one and of three topics: the mean is that of the languages' means.
    #[test]
    fn a_group_counts_once_whatever_its_size() {
        let groups = [differences(&[0.8]), differences(&[0.1, 0.2, 0.3])];
        let joined = Differences::macro_mean(&groups).unwrap();
        assert!((joined.mean() - 0.5).abs() < 1e-12);
        // Alone, the large difference outweighs all the others, and they each other's: of sixteen
        // signs, only the two with equal signs reach the sum.
        assert_eq!(joined.randomisation(1, 0).unwrap().p, 0.125);
        assert_eq!(Differences::macro_mean(&groups[1..]).unwrap(), groups[1]);
        let none = Differences::macro_mean(&[]);
        assert!(matches!(none, Err(SignificanceError::TooFew { .. })));
    }

    #[test]
    fn identical_systems_do_not_differ() {
        let values = topics(&[0.25; 40]);
        let same = Differences::new(&values, &values).unwrap();
        assert_eq!(same.randomisation(100, 1).unwrap().p, 1.0);
        assert_eq!(same.bootstrap(0.95, 100, 1).unwrap(), (0.0, 0.0));
    }

    /// Sixteen topics are sampled; their exact p-value comes from the same sums, enumerated here.
    #[test]
    fn a_sample_comes_close_to_the_enumeration() {
        let values: Vec<f64> = (0..16)
            .map(|i| f64::from(i * i % 17) / 17.0 - 0.3)
            .collect();
        let observed = values.iter().sum::<f64>().abs();
        let sum = |signs: u32| -> f64 {
            let signed = values.iter().enumerate();
            signed
                .map(|(i, it)| if signs >> i & 1 == 1 { -it } else { *it })
                .sum()
        };
        let count = (0..1 << 16)
            .filter(|&signs| sum(signs).abs() >= observed - 1e-12)
            .count();
        let exact = count as f64 / 65536.0;
        let sampled = differences(&values).randomisation(40_000, 7).unwrap();
        assert!(!sampled.exact);
        // Four standard errors of a sample of 40,000.
        let tolerance = 4.0 * (exact * (1.0 - exact) / 40_000.0).sqrt();
        assert!(
            (sampled.p - exact).abs() < tolerance,
            "{} against {exact}",
            sampled.p
        );
        assert_eq!(
            differences(&values).randomisation(40_000, 7).unwrap(),
            sampled
        );
    }

    #[test]
    fn a_sampled_p_value_is_never_zero() {
        let p = differences(&[1.0; 60]).randomisation(99, 3).unwrap().p;
        assert_eq!(p, 0.01);
    }

    /// p-values 0.01, 0.04, 0.03, 0.005: 0.005 x 4, 0.01 x 3, 0.03 x 2, then 0.04 x 1 raised to 0.06.
    #[test]
    fn holm_steps_down() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (value, expected) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((value - expected).abs() < 1e-15, "{corrected:?}");
        }
        assert_eq!(holm(&[0.6, 0.9]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    /// The mean of 200 differences of 0.1 ± 1 is normal: sd 1 / sqrt(200) = 0.0707.
    #[test]
    fn the_bootstrap_interval_is_the_normal_one_for_many_topics() {
        let values: Vec<f64> = (0..200)
            .map(|i| if i % 2 == 0 { 1.1 } else { -0.9 })
            .collect();
        let (low, high) = differences(&values).bootstrap(0.95, 20_000, 5).unwrap();
        assert!((low - (0.1 - 1.96 * 0.0707)).abs() < 0.01, "{low}");
        assert!((high - (0.1 + 1.96 * 0.0707)).abs() < 0.01, "{high}");
        let wider = differences(&values).bootstrap(0.99, 20_000, 5).unwrap();
        assert!(wider.0 < low && high < wider.1);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let (two, three) = (topics(&[0.1, 0.2]), topics(&[0.1, 0.2, 0.3]));
        let missing = Err(SignificanceError::Topics("q002".into()));
        assert_eq!(Differences::new(&two, &three), missing);
        assert_eq!(Differences::new(&three, &two), missing);
        let none = topics(&[]);
        assert!(matches!(
            Differences::new(&none, &none),
            Err(SignificanceError::TooFew { .. })
        ));
        let nan = topics(&[f64::NAN, 0.1]);
        assert_eq!(
            Differences::new(&nan, &two),
            Err(SignificanceError::NotFinite("q000".into()))
        );
        let few = differences(&[0.1]);
        assert!(few.bootstrap(0.95, 10, 0).is_err());
        assert!(differences(&[0.1, 0.2]).bootstrap(1.0, 10, 0).is_err());
        assert!(few.randomisation(0, 0).is_err());
    }

    proptest! {
        #[test]
        fn the_test_has_no_direction(values in proptest::collection::vec(-1.0_f64..1.0, 1..30)) {
            let other: Vec<f64> = values.iter().map(|value| -value).collect();
            let p = differences(&values).randomisation(200, 9).unwrap();
            prop_assert_eq!(differences(&other).randomisation(200, 9).unwrap(), p);
            prop_assert!(0.0 < p.p && p.p <= 1.0);
        }

        #[test]
        fn corrected_values_keep_their_order(values in proptest::collection::vec(0.0_f64..=1.0, 1..12)) {
            let corrected = holm(&values);
            for (i, j) in (0..values.len()).flat_map(|i| (0..values.len()).map(move |j| (i, j))) {
                prop_assert!(values[i] > values[j] || corrected[i] <= corrected[j]);
            }
            for (value, corrected) in values.iter().zip(corrected) {
                prop_assert!(*value <= corrected && corrected <= 1.0);
            }
        }
    }
}
