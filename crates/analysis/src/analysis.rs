//! The answer of a study: every estimate, interval and test, as data.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use rayon::prelude::*;
use serde::Serialize;

use crate::contrasts::{Contrast, contrasts};
use crate::gap::{Means, Quantity, group_means, language_means};
use crate::languages::{LanguageTests, tests};
use crate::line::{Axis, finite};
use crate::mixed::{Mixed, mixed};
use crate::power_law::{GroupPowerLaw, PowerLaws, Sizes};
use crate::resample::{Varies, interval, resample, varies};
use crate::study::{Method, Side, Study};

/// How intervals and p-values are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Resamples of the bootstrap, and flips of signs.
    pub resamples: NonZeroUsize,
    /// What all random numbers follow from.
    pub seed: u64,
    /// Whether languages are drawn too, within the groups: for claims about languages not studied.
    pub random_languages: bool,
}

impl Settings {
    /// Takes the number of resamples and the seed; languages are not drawn. `None` without resamples.
    #[must_use]
    pub fn new(resamples: usize, seed: u64) -> Option<Self> {
        Some(Self {
            resamples: NonZeroUsize::new(resamples)?,
            seed,
            random_languages: false,
        })
    }
}

/// What follows from a study. Numbers that are not defined are null.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Analysis {
    /// Each method, by name.
    pub methods: BTreeMap<String, MethodAnalysis>,
    /// All pairs of methods, by name, at every size that both have, then in their slopes.
    pub contrasts: Vec<Contrast>,
}

/// What follows for one method.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodAnalysis {
    /// Each size, rising.
    pub sizes: Vec<SizeAnalysis>,
    /// Changes per decade of size.
    pub slope: Slopes,
    /// Whether slopes differ between the groups, with languages as units.
    pub languages: LanguageTests,
    /// The mixed model of the groups compared.
    pub mixed: Mixed,
    /// Power laws of the error.
    pub power_law: PowerLaws,
}

/// What follows for one method at one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SizeAnalysis {
    /// The size in parameters.
    pub size: f64,
    /// Mean of the low-resource languages.
    pub low: f64,
    /// Mean of the high-resource languages.
    pub high: f64,
    /// High minus low.
    pub gap: f64,
    /// The gap as a share of high; null where high is zero.
    pub relative_gap: Option<f64>,
    /// ln(1 - low) - ln(1 - high); null where a mean is one.
    pub log_gap: Option<f64>,
    /// Mean of each language, those of the control group among them.
    pub languages: BTreeMap<String, f64>,
    /// 95 % percentile intervals.
    pub interval: Intervals,
}

/// Intervals at one size; null where nothing is resampled or a resample has no such number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Intervals {
    /// Bounds the low-resource mean.
    pub low: Option<[f64; 2]>,
    /// Bounds the high-resource mean.
    pub high: Option<[f64; 2]>,
    /// Bounds the gap.
    pub gap: Option<[f64; 2]>,
    /// Bounds the relative gap.
    pub relative_gap: Option<[f64; 2]>,
    /// Bounds the log gap.
    pub log_gap: Option<[f64; 2]>,
}

/// Slopes per decade of size by ordinary least squares; null with one size, or where the series is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(
    missing_docs,
    reason = "each is the slope of what it is named after, or its interval"
)]
pub struct Slopes {
    pub gap: Option<f64>,
    pub gap_interval: Option<[f64; 2]>,
    pub relative_gap: Option<f64>,
    pub relative_gap_interval: Option<[f64; 2]>,
    pub log_gap: Option<f64>,
    pub log_gap_interval: Option<[f64; 2]>,
    pub low: Option<f64>,
    pub low_interval: Option<[f64; 2]>,
    pub high: Option<f64>,
    pub high_interval: Option<[f64; 2]>,
}

/// Analyses a study. The same study and settings give the same numbers with any number of threads.
#[must_use]
pub fn analyse(study: &Study, settings: &Settings) -> Analysis {
    let draws = resample(study, settings);
    let methods = study.methods.iter().enumerate().map(|(place, method)| {
        let draws: Vec<&[Means]> = draws.iter().map(|draw| &*draw[place]).collect();
        let analysis = analyse_method(study, method, &draws, settings);
        (method.name.clone(), analysis)
    });
    Analysis {
        methods: methods.collect(),
        contrasts: contrasts(study, settings, &draws),
    }
}

fn analyse_method(
    study: &Study,
    method: &Method,
    draws: &[&[Means]],
    settings: &Settings,
) -> MethodAnalysis {
    let cells: Vec<Vec<f64>> = method.cells.iter().map(language_means).collect();
    let means: Vec<Means> = cells.iter().map(|cell| group_means(study, cell)).collect();
    let varying: Vec<Varies> = method
        .cells
        .iter()
        .map(|cell| varies(study, cell, settings))
        .collect();
    let sizes = method.cells.iter().enumerate().map(|(place, cell)| {
        let of = |quantity| means[place].of(quantity);
        let spread = |quantity| {
            let values = draws.iter().map(|draw| draw[place].of(quantity));
            varying[place]
                .allows(quantity)
                .then(|| interval(values))
                .flatten()
        };
        let languages = study.languages.iter().zip(&cells[place]);
        SizeAnalysis {
            size: cell.size,
            low: of(Quantity::Low),
            high: of(Quantity::High),
            gap: of(Quantity::Gap),
            relative_gap: finite(of(Quantity::RelativeGap)),
            log_gap: finite(of(Quantity::LogGap)),
            languages: languages
                .map(|(it, mean)| (it.name.clone(), *mean))
                .collect(),
            interval: Intervals {
                low: spread(Quantity::Low),
                high: spread(Quantity::High),
                gap: spread(Quantity::Gap),
                relative_gap: spread(Quantity::RelativeGap),
                log_gap: spread(Quantity::LogGap),
            },
        }
    });
    let sizes = sizes.collect();
    let varying = varying.into_iter().fold(Varies::default(), Varies::or);
    let axis = Axis::new(method.cells.iter().map(|cell| cell.size));
    let of_language = |place: usize| cells.iter().map(|cell| cell[place]).collect::<Vec<f64>>();
    let side = |side| {
        let languages = study.side(side).into_iter();
        let slope = |it: usize| (&*study.languages[it].name, axis.slope(of_language(it)));
        languages.map(slope).collect::<Vec<_>>()
    };
    let groups: Vec<_> = study
        .groups
        .iter()
        .map(|group| {
            let languages = study.languages.iter().enumerate();
            let languages = languages.filter(|(_, language)| language.group == *group);
            let lines = languages.map(|(place, _)| axis.line(&of_language(place)));
            (&**group, lines.collect())
        })
        .collect();
    MethodAnalysis {
        sizes,
        slope: slopes(&axis, &means, draws, varying),
        languages: tests(&side(Side::Low), &side(Side::High), settings.seed),
        mixed: mixed(&axis, &groups),
        power_law: power_laws(study, method, &cells, &means, draws, varying),
    }
}

fn slopes(axis: &Axis, means: &[Means], draws: &[&[Means]], varying: Varies) -> Slopes {
    let slope = |means: &[Means], quantity| axis.slope(means.iter().map(|it| it.of(quantity)));
    let of = |quantity| finite(slope(means, quantity));
    let spread = |quantity| {
        let values = draws.iter().map(|draw| slope(draw, quantity));
        varying.allows(quantity).then(|| interval(values)).flatten()
    };
    Slopes {
        gap: of(Quantity::Gap),
        gap_interval: spread(Quantity::Gap),
        relative_gap: of(Quantity::RelativeGap),
        relative_gap_interval: spread(Quantity::RelativeGap),
        log_gap: of(Quantity::LogGap),
        log_gap_interval: spread(Quantity::LogGap),
        low: of(Quantity::Low),
        low_interval: spread(Quantity::Low),
        high: of(Quantity::High),
        high_interval: spread(Quantity::High),
    }
}

fn power_laws(
    study: &Study,
    method: &Method,
    cells: &[Vec<f64>],
    means: &[Means],
    draws: &[&[Means]],
    varying: Varies,
) -> PowerLaws {
    let sizes = Sizes::new(method.cells.iter().map(|cell| cell.size));
    let errors = |means: &[Means], quantity| -> Vec<f64> {
        means.iter().map(|it| 1.0 - it.of(quantity)).collect()
    };
    let group = |quantity| {
        let fit = sizes.fit(&errors(means, quantity))?;
        let exponents = || -> Vec<f64> {
            let draws = draws.par_iter();
            draws
                .map(|draw| sizes.exponent(&errors(draw, quantity)))
                .collect()
        };
        Some(GroupPowerLaw {
            fit,
            alpha_interval: varying
                .allows(quantity)
                .then(|| interval(exponents()))
                .flatten(),
        })
    };
    let languages = study.languages.iter().enumerate().map(|(place, language)| {
        let errors: Vec<f64> = cells.iter().map(|cell| 1.0 - cell[place]).collect();
        (language.name.clone(), sizes.fit(&errors))
    });
    PowerLaws {
        low: group(Quantity::Low),
        high: group(Quantity::High),
        languages: languages.collect(),
    }
}
