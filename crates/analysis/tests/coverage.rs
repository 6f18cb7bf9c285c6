//! How often 95 % intervals cover the truth, on studies whose truth is known.
#![allow(clippy::unwrap_used)]

mod common;

use common::{HEADER, table};
use optical_analysis::{Groups, Settings, Study, analyse};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

const SIZES: [f64; 3] = [1e6, 1e7, 1e8];
const TOPICS: usize = 20;
/// The slopes per decade of the means of the two groups.
const SLOPES: [f64; 2] = [0.08, 0.05];

/// A number of mean zero and standard deviation one: the sum of twelve uniform ones.
fn normal(random: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| random.random_range(-0.5..0.5)).sum()
}

/// A study of two languages a group: topics differ in level and slope, seeds of a cell move all of its
/// languages, and every value has noise.
fn study(number: u64, seeds: usize) -> Study {
    let mut random = ChaCha8Rng::seed_from_u64(number);
    let languages = [("hau", 0), ("ibo", 0), ("deu", 1), ("spa", 1)];
    let effects: Vec<Vec<[f64; 2]>> = languages
        .iter()
        .map(|_| {
            (0..TOPICS)
                .map(|_| [0.15 * normal(&mut random), 0.03 * normal(&mut random)])
                .collect()
        })
        .collect();
    let mut text = HEADER.to_owned();
    for (place, size) in SIZES.iter().enumerate() {
        for seed in 0..seeds {
            let of_seed = [0.008, 0.004].map(|sd| sd * normal(&mut random));
            for ((language, side), effects) in languages.iter().zip(&effects) {
                let group = ["low", "high"][*side];
                for (topic, [level, slope]) in effects.iter().enumerate() {
                    let value =
                        0.3 + level + (SLOPES[*side] + slope) * place as f64 + of_seed[*side];
                    let value = value + 0.05 * normal(&mut random);
                    text.push_str(&format!(
                        "m,{size},{seed},{language},{group},{language}{topic},{value}\n"
                    ));
                }
            }
        }
    }
    Study::new(&table(text).unwrap(), &Groups::default()).unwrap()
}

/// Of the intervals of all studies, the shares that cover the slopes of low, high and the gap, and the
/// gap at the second size.
fn coverage(studies: u64, study: impl Fn(u64) -> Study + Sync) -> [f64; 4] {
    let settings = Settings::new(400, 1).unwrap();
    let covered = (0..studies).into_par_iter().map(|number| {
        let found = analyse(&study(number), &settings).methods["m"].clone();
        let (slope, gap) = (found.slope, found.sizes[1].interval.gap);
        let pairs = [
            (slope.low_interval, SLOPES[0]),
            (slope.high_interval, SLOPES[1]),
            (slope.gap_interval, SLOPES[1] - SLOPES[0]),
            (gap, SLOPES[1] - SLOPES[0]),
        ];
        pairs.map(|(spread, truth)| {
            let [low, high] = spread.unwrap();
            u32::from(low <= truth && truth <= high)
        })
    });
    let counts = covered.reduce(|| [0; 4], |a, b| [0, 1, 2, 3].map(|it| a[it] + b[it]));
    counts.map(|count| f64::from(count) / studies as f64)
}

#[test]
fn intervals_of_ten_seeds_cover_the_truth() {
    let found = coverage(1_000, |number| study(number, 10));
    for share in found {
        assert!((0.93..=0.97).contains(&share), "{found:?}");
    }
}

/// A study whose only randomness is that of seeds: one value a language, no topics.
fn study_of_seeds(number: u64, seeds: usize) -> Study {
    let mut random = ChaCha8Rng::seed_from_u64(number);
    let mut text = HEADER.to_owned();
    for (place, size) in SIZES.iter().enumerate() {
        for seed in 0..seeds {
            for (side, (language, group)) in [("hau", "low"), ("deu", "high")].iter().enumerate() {
                let value = 0.3 + SLOPES[side] * place as f64 + 0.02 * normal(&mut random);
                text.push_str(&format!("m,{size},{seed},{language},{group},,{value}\n"));
            }
        }
    }
    Study::new(&table(text).unwrap(), &Groups::default()).unwrap()
}

/// Where seeds alone vary, intervals of few seeds are too narrow: a resample of n has (n - 1) / n of
/// the variance.
#[test]
fn intervals_of_few_seeds_are_too_narrow() {
    let [three, five, ten] =
        [3, 5, 10].map(|seeds| coverage(300, |number| study_of_seeds(number, seeds))[2]);
    assert!(
        three < five && five < ten && ten < 0.95,
        "{three} {five} {ten}"
    );
    assert!(0.8 < three, "{three}");
}
