//! Contrasts of methods: differences of gaps and of low-resource means, with corrected p-values.

use optical_retrieval::holm;
use rand::Rng;
use rayon::prelude::*;
use serde::Serialize;

use crate::Settings;
use crate::gap::{Means, Quantity, group_means, language_means};
use crate::line::Axis;
use crate::resample::{Purpose, Varies, interval, stream, varies};
use crate::study::{Cell, Method, Side, Study};

/// How two methods differ, `a` minus `b`, at a size or in their slopes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contrast {
    /// The method that comes first by name.
    pub a: String,
    /// The other one.
    pub b: String,
    /// The size in parameters; null where slopes per decade are compared.
    pub size: Option<f64>,
    /// Difference of gaps, or of their slopes.
    pub gap_difference: f64,
    /// 95 % interval of `gap_difference`; null where nothing is resampled.
    pub gap_difference_interval: Option<[f64; 2]>,
    /// Difference of the low-resource means, or of their slopes.
    pub low_difference: f64,
    /// 95 % interval of `low_difference`; null where nothing is resampled.
    pub low_difference_interval: Option<[f64; 2]>,
    /// Two-sided p of `low_difference` under random signs of topics, or of languages without topics.
    pub p: f64,
    /// The same by Holm's method, over all contrasts at sizes or over all of slopes.
    pub p_corrected: f64,
}

/// What a contrast takes from one method: weights of its cells, one at a size, all of them for a slope.
struct Weighting(Vec<(usize, f64)>);

impl Weighting {
    fn size(method: &Method, size: f64) -> Option<Self> {
        let place = method.cells.iter().position(|cell| cell.size == size)?;
        Some(Self(vec![(place, 1.0)]))
    }

    /// The slope is a weighted sum, which ordinary least squares has in closed form.
    fn slope(method: &Method) -> Option<Self> {
        let count = method.cells.len();
        let axis = Axis::new(method.cells.iter().map(|cell| cell.size));
        let unit = |place| (0..count).map(move |it| f64::from(u8::from(it == place)));
        let weights = (0..count).map(|place| (place, axis.slope(unit(place))));
        (1 < count).then(|| Self(weights.collect()))
    }

    fn of(&self, value: impl Fn(usize) -> f64) -> f64 {
        self.0
            .iter()
            .map(|&(cell, weight)| weight * value(cell))
            .sum()
    }
}

/// Compares all methods that share a size or both have slopes. `draws` is what `resample` gives.
pub(crate) fn contrasts(
    study: &Study,
    settings: &Settings,
    draws: &[Vec<Vec<Means>>],
) -> Vec<Contrast> {
    let mut jobs = Vec::new();
    for a in 0..study.methods.len() {
        for b in a + 1..study.methods.len() {
            let (first, second) = (&study.methods[a], &study.methods[b]);
            for cell in &first.cells {
                if let Some(other) = Weighting::size(second, cell.size)
                    && let Some(own) = Weighting::size(first, cell.size)
                {
                    jobs.push((a, b, Some(cell.size), own, other));
                }
            }
            if let Some(own) = Weighting::slope(first)
                && let Some(other) = Weighting::slope(second)
            {
                jobs.push((a, b, None, own, other));
            }
        }
    }
    let of_cells = |value: &dyn Fn(&Cell) -> Vec<f64>| -> Vec<Vec<Vec<f64>>> {
        let methods = study.methods.iter();
        methods
            .map(|method| method.cells.iter().map(value).collect())
            .collect()
    };
    let units = of_cells(&|cell| units(study, cell));
    let means = of_cells(&|cell| {
        let means = group_means(study, &language_means(cell));
        vec![means.of(Quantity::Gap), means.low]
    });
    let mut contrasts: Vec<Contrast> = jobs
        .into_par_iter()
        .map(|(a, b, size, of_a, of_b)| {
            let difference = |value: &dyn Fn(usize, usize) -> f64| {
                of_a.of(|it| value(a, it)) - of_b.of(|it| value(b, it))
            };
            let varying = |(method, weighting): (usize, &Weighting)| {
                let cells = weighting
                    .0
                    .iter()
                    .map(|&(cell, _)| &study.methods[method].cells[cell]);
                let varying = cells.map(|cell| varies(study, cell, settings));
                varying.fold(Varies::default(), Varies::or)
            };
            let varying = varying((a, &of_a)).or(varying((b, &of_b)));
            let spread = |quantity| {
                let draws = draws.iter();
                let values =
                    draws.map(|draw| difference(&|method, cell| draw[method][cell].of(quantity)));
                varying.allows(quantity).then(|| interval(values)).flatten()
            };
            let count = units[a].first().map_or(0, Vec::len);
            let units: Vec<f64> = (0..count)
                .map(|unit| difference(&|method, cell| units[method][cell][unit]))
                .collect();
            Contrast {
                a: study.methods[a].name.clone(),
                b: study.methods[b].name.clone(),
                size,
                gap_difference: difference(&|method, cell| means[method][cell][0]),
                gap_difference_interval: spread(Quantity::Gap),
                low_difference: difference(&|method, cell| means[method][cell][1]),
                low_difference_interval: spread(Quantity::Low),
                p: sign_flips(&units, settings),
                p_corrected: 1.0,
            }
        })
        .collect();
    for slopes in [false, true] {
        let mut family: Vec<&mut Contrast> = contrasts
            .iter_mut()
            .filter(|contrast| contrast.size.is_none() == slopes)
            .collect();
        let corrected = holm(&family.iter().map(|contrast| contrast.p).collect::<Vec<_>>());
        for (contrast, p) in family.iter_mut().zip(corrected) {
            contrast.p_corrected = p;
        }
    }
    contrasts
}

/// The shares of the low-resource mean that change their signs together: topics, which parallel
/// languages have in common, or languages where there are no topics.
fn units(study: &Study, cell: &Cell) -> Vec<f64> {
    let low = study.side(Side::Low);
    let count = low.len() as f64;
    if !study.has_topics {
        let means = language_means(cell);
        return low.iter().map(|&place| means[place] / count).collect();
    }
    let mut sets: Vec<Vec<f64>> = study
        .topics
        .iter()
        .map(|&topics| vec![0.0; topics])
        .collect();
    for place in low {
        let set = &mut sets[study.languages[place].topics];
        let share = (count * set.len() as f64 * cell.seeds as f64).recip();
        for seed in cell.values[place].chunks_exact(set.len()) {
            for (unit, value) in set.iter_mut().zip(seed) {
                *unit += share * value;
            }
        }
    }
    sets.concat()
}

/// The p-value of a sum under random signs of its terms, two-sided, with the observed one counted.
fn sign_flips(units: &[f64], settings: &Settings) -> f64 {
    // A term of zero has no sign.
    let units: Vec<f64> = units.iter().copied().filter(|unit| *unit != 0.0).collect();
    let sum = |signs: &mut dyn FnMut() -> u64| {
        let chunks = units.chunks(64);
        let signed = chunks.map(|chunk| {
            let signs = signs();
            let terms = chunk.iter().enumerate();
            let terms =
                terms.map(|(bit, unit)| f64::from_bits(unit.to_bits() ^ (signs >> bit & 1) << 63));
            terms.sum::<f64>()
        });
        signed.sum::<f64>().abs()
    };
    let bound = sum(&mut || 0) * (1.0 - 1e-12);
    // The same signs for every contrast, so that one more leaves the others as they were.
    let mut random = stream(settings.seed, Purpose::Flips, 0);
    let flips = (0..settings.resamples.get()).filter(|_| bound <= sum(&mut || random.next_u64()));
    (1 + flips.count()) as f64 / (1 + settings.resamples.get()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts, of the 16 signs of 1, 2, 4 and -1, whose sum is 6, those of 1 + 2 + 4 + 1, 1 + 2 + 4 - 1 and
    /// -1 + 2 + 4 + 1 and their opposites reach it: p approaches 6/16.
    #[test]
    fn flips_approach_the_enumeration() {
        let settings = Settings::new(20_000, 5).expect("more than none");
        let p = sign_flips(&[1.0, 2.0, 0.0, 4.0, -1.0], &settings);
        // Four standard errors.
        let tolerance = 4.0 * (0.375_f64 * 0.625 / 20_000.0).sqrt();
        assert!((p - 0.375).abs() < tolerance, "{p}");
    }

    #[test]
    fn no_difference_has_p_one() {
        let settings = Settings::new(10, 5).expect("more than none");
        assert_eq!(sign_flips(&[0.0; 7], &settings), 1.0);
        assert_eq!(sign_flips(&[], &settings), 1.0);
    }
}
