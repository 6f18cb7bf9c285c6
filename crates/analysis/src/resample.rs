//! Bootstrap of topics, seeds and, where asked for, languages.
//!
//! One resample draws topics once for all languages that are parallel, in every cell; seeds once per
//! cell for all of its languages; languages once within each compared group. Draws are counted, so that
//! the mean of a resample is a weighted mean of the values in their places.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::Settings;
use crate::gap::{Means, Quantity};
use crate::study::{Cell, Side, Study};

/// What a stream of random numbers is for: a new purpose leaves the others as they were.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Topics = 1,
    Seeds = 2,
    Languages = 3,
    Flips = 4,
    Labels = 5,
}

/// Returns the random numbers of one purpose and item, whatever else is drawn and on which thread.
pub(crate) fn stream(seed: u64, purpose: Purpose, item: usize) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(((purpose as u64) << 48) | item as u64);
    random
}

/// What varies between resamples in a cell: intervals of anything else are null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Varies {
    low: bool,
    high: bool,
}

impl Varies {
    /// Says whether a quantity can differ between resamples.
    pub(crate) fn allows(self, quantity: Quantity) -> bool {
        match quantity {
            Quantity::Low => self.low,
            Quantity::High => self.high,
            Quantity::Gap | Quantity::RelativeGap | Quantity::LogGap => self.low || self.high,
        }
    }

    /// Returns what varies in either of two.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            low: self.low || other.low,
            high: self.high || other.high,
        }
    }
}

/// Says what varies in a cell.
pub(crate) fn varies(study: &Study, cell: &Cell, settings: &Settings) -> Varies {
    let side = |side| {
        let languages = study.side(side);
        let mut sets = languages.iter().map(|&it| study.languages[it].topics);
        cell.seeds > 1
            || sets.any(|set| study.topics[set] > 1)
            || settings.random_languages && languages.len() > 1
    };
    Varies {
        low: side(Side::Low),
        high: side(Side::High),
    }
}

/// The means of every cell in every resample: `[resample][method][size]`.
pub(crate) fn resample(study: &Study, settings: &Settings) -> Vec<Vec<Vec<Means>>> {
    let sides = [Side::Low, Side::High].map(|side| study.side(side));
    let numbers = 0..settings.resamples.get();
    let numbers = numbers.into_par_iter();
    numbers
        .map(|number| one(study, settings, &sides, number))
        .collect()
}

/// The means of each language of a method in every resample, by the same draws of topics and seeds:
/// `[resample][size][language]`.
pub(crate) fn of_languages(
    study: &Study,
    settings: &Settings,
    method: usize,
) -> Vec<Vec<Vec<f64>>> {
    let one = |number| {
        let mut random = stream(settings.seed, Purpose::Topics, number);
        let topics = study.topics.iter();
        let topics: Vec<Vec<f64>> = topics.map(|&it| weights(it, &mut random)).collect();
        let mut random = stream(settings.seed, Purpose::Seeds, number);
        for cell in study.methods[..method].iter().flat_map(|it| &it.cells) {
            weights(cell.seeds, &mut random);
        }
        let cells = study.methods[method].cells.iter();
        let mean = |cell: &Cell| {
            let seeds = weights(cell.seeds, &mut random);
            let languages = study.languages.iter().zip(&cell.values);
            languages
                .map(|(language, values)| weighted(values, &seeds, &topics[language.topics]))
                .collect()
        };
        cells.map(mean).collect()
    };
    (0..settings.resamples.get())
        .into_par_iter()
        .map(one)
        .collect()
}

fn one(
    study: &Study,
    settings: &Settings,
    sides: &[Vec<usize>; 2],
    number: usize,
) -> Vec<Vec<Means>> {
    let mut random = stream(settings.seed, Purpose::Topics, number);
    let topics: Vec<Vec<f64>> = study
        .topics
        .iter()
        .map(|&count| weights(count, &mut random))
        .collect();
    let mut random = stream(settings.seed, Purpose::Languages, number);
    let languages = sides.each_ref().map(|side| {
        if settings.random_languages {
            weights(side.len(), &mut random)
        } else {
            vec![1.0 / side.len() as f64; side.len()]
        }
    });
    let mut random = stream(settings.seed, Purpose::Seeds, number);
    let cell = |cell: &Cell| {
        let seeds = weights(cell.seeds, &mut random);
        let [low, high] = [0, 1].map(|side| {
            let places = sides[side].iter().zip(&languages[side]);
            let drawn = places.filter(|(_, weight)| **weight != 0.0);
            drawn
                .map(|(&place, weight)| {
                    let topics = &topics[study.languages[place].topics];
                    weight * weighted(&cell.values[place], &seeds, topics)
                })
                .sum()
        });
        Means { low, high }
    };
    let mut cell = cell;
    let methods = study.methods.iter();
    methods
        .map(|method| method.cells.iter().map(&mut cell).collect())
        .collect()
}

/// Draws `count` of `count` things with replacement, and returns the share that each has.
fn weights(count: usize, random: &mut ChaCha8Rng) -> Vec<f64> {
    if count == 1 {
        return vec![1.0];
    }
    let mut counts = vec![0_u32; count];
    for _ in 0..count {
        counts[random.random_range(0..count)] += 1;
    }
    let share = |drawn| f64::from(drawn) / count as f64;
    counts.into_iter().map(share).collect()
}

/// The mean of `values`, one run of topics for each seed, by the weights of seeds and topics.
fn weighted(values: &[f64], seeds: &[f64], topics: &[f64]) -> f64 {
    let runs = values.chunks_exact(topics.len()).zip(seeds);
    let drawn = runs.filter(|(_, seed)| **seed != 0.0);
    drawn.map(|(run, seed)| seed * dot(run, topics)).sum()
}

/// A sum of products in eight lanes, which the compiler turns into vector instructions.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (a_whole, b_whole) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a_whole
        .remainder()
        .iter()
        .zip(b_whole.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a_whole.zip(b_whole) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// Returns the 95 % percentile interval, linear between neighbours as NumPy's; null where a resample
/// has no finite value.
pub(crate) fn interval(values: impl IntoIterator<Item = f64>) -> Option<[f64; 2]> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    // Infinite values and those that are none are sorted to the ends.
    let ends = [values.first()?, values.last()?];
    ends.into_iter()
        .all(|it| it.is_finite())
        .then(|| [percentile(&values, 0.025), percentile(&values, 0.975)])
}

/// Returns a percentile of sorted values, linear between neighbours.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.percentile([1, 2, 4, 8, 16], [2.5, 97.5])` is [1.1, 15.2]: places 0.1 and 3.9.
    #[test]
    fn percentiles_are_linear() {
        let [low, high] = interval([8.0, 1.0, 16.0, 2.0, 4.0]).unwrap_or_default();
        assert!((low - 1.1).abs() < 1e-14, "{low}");
        assert!((high - 15.2).abs() < 1e-14, "{high}");
        assert_eq!(interval([1.0, f64::NAN]), None);
        assert_eq!(interval([1.0, f64::NEG_INFINITY]), None);
        assert_eq!(interval([]), None);
    }

    /// Two seeds by three topics, seed 2 drawn twice, topics 1 and 3 drawn once and twice:
    /// (10 + 2 * 30) / 3.
    #[test]
    fn weights_are_those_of_the_draws() {
        let values = [1.0, 2.0, 3.0, 10.0, 20.0, 30.0];
        let mean = weighted(&values, &[0.0, 1.0], &[1.0 / 3.0, 0.0, 2.0 / 3.0]);
        assert!((mean - 70.0 / 3.0).abs() < 1e-13, "{mean}");
    }

    #[test]
    fn lanes_add_up_as_a_plain_sum() {
        let values: Vec<f64> = (0..21).map(|i| f64::from(i) * 0.5).collect();
        let plain: f64 = values.iter().map(|it| it * it).sum();
        assert!((dot(&values, &values) - plain).abs() < 1e-12);
    }
}
