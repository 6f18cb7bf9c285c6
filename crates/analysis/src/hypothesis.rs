//! Hypotheses as data, written before a study is run, and what its values say of them.

use optical_retrieval::holm;
use serde::{Deserialize, Serialize};

use crate::Settings;
use crate::gap::{Means, Quantity, group_means, language_means};
use crate::line::Axis;
use crate::resample::{Varies, interval, of_languages, resample, varies};
use crate::study::{Method, Side, Study};

/// A corrected p below this decides.
pub const LEVEL: f64 = 0.05;

/// What a hypothesis says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Every compared language gains with size under `method`.
    Rises,
    /// The slope of `of` under `method` is between `-margin` and `margin` per decade of size.
    Equivalent,
    /// The low-resource slope of `method` is smaller than that of `than`.
    SmallerSlope,
    /// The low-resource mean of `method` at `size` is more than that of `than` at `than_size`, less `margin`.
    Level,
}

/// A size of a method.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum At {
    /// By its parameters.
    Parameters(f64),
    /// By its place among the sizes that the method has.
    End(End),
}

/// An end of the sizes of a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is what it is named after")]
pub enum End {
    Smallest,
    Largest,
}

/// A hypothesis, as a `[[hypothesis]]` table has it; each kind has its own keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hypothesis {
    /// Its short name, such as `H1`.
    pub id: String,
    /// What it says, in words.
    pub text: String,
    /// What it says, as a test.
    pub kind: Kind,
    /// The method that it is about.
    pub method: String,
    /// The method that it is compared with.
    pub than: Option<String>,
    /// The size of `method`.
    pub size: Option<At>,
    /// The size of `than`.
    pub than_size: Option<At>,
    /// What has the slope.
    pub of: Option<Quantity>,
    /// The largest difference that counts as none.
    pub margin: Option<f64>,
}

impl Hypothesis {
    /// Returns what is wrong, by key.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        use Kind::{Equivalent, Level, SmallerSlope};
        let keys = [
            ("than", self.than.is_some(), &[SmallerSlope, Level][..]),
            ("size", self.size.is_some(), &[Level]),
            ("than_size", self.than_size.is_some(), &[Level]),
            ("of", self.of.is_some(), &[Equivalent]),
            ("margin", self.margin.is_some(), &[Equivalent, Level]),
        ];
        let mut faults = Vec::new();
        for (key, is_there, kinds) in keys {
            match (is_there, kinds.contains(&self.kind)) {
                (true, false) => faults.push(format!("{key} is not a key of this kind")),
                (false, true) => faults.push(format!("{key} is missing, which this kind needs")),
                _ => {}
            }
        }
        let least = if self.kind == Equivalent {
            f64::MIN_POSITIVE
        } else {
            0.0
        };
        if let Some(margin) = self.margin.filter(|it| !(least..=1.0).contains(it)) {
            let expected = if self.kind == Equivalent {
                "more than 0"
            } else {
                "0"
            };
            faults.push(format!("margin = {margin}, expected {expected} to 1"));
        }
        for (key, at) in [("size", self.size), ("than_size", self.than_size)] {
            if let Some(At::Parameters(size)) = at
                && !(0.0 < size && size.is_finite())
            {
                faults.push(format!(
                    "{key} = {size}, expected a number of parameters above 0"
                ));
            }
        }
        if self.kind == SmallerSlope && self.than.as_ref() == Some(&self.method) {
            faults.push("than is the method itself, expected another one".to_owned());
        }
        faults
    }
}

/// Returns what is wrong with a family, each fault with the id of its hypothesis.
#[must_use]
pub fn faults(family: &[Hypothesis]) -> Vec<String> {
    let mut faults = Vec::new();
    for (place, hypothesis) in family.iter().enumerate() {
        let id = &hypothesis.id;
        if family[..place].iter().any(|it| it.id == *id) {
            faults.push(format!("two hypotheses have the id {id:?}"));
        }
        faults.extend(
            hypothesis
                .faults()
                .iter()
                .map(|it| format!("hypothesis {id:?}: {it}")),
        );
    }
    faults
}

/// What the values say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is what it is named after")]
pub enum Decision {
    Supported,
    Refuted,
    Undecided,
}

/// A hypothesis with what the values say of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// What was claimed.
    pub hypothesis: Hypothesis,
    /// What follows.
    pub decision: Decision,
    /// The slope, or the difference, that it is about; of the language with the smallest slope for
    /// [`Kind::Rises`].
    pub effect: Option<f64>,
    /// 95 % percentile interval of `effect`.
    pub interval: Option<[f64; 2]>,
    /// One-sided p of the claim; null where nothing is resampled or values are missing.
    pub p: Option<f64>,
    /// The same by Holm's method over all hypotheses, those without a p counted as one.
    pub p_corrected: Option<f64>,
    /// p of the opposite claim, by Holm's method over all hypotheses.
    pub p_against: Option<f64>,
    /// Which values are missing, or which language the effect is of.
    pub note: String,
}

/// An effect with its resamples, or why there is none.
#[derive(Default)]
struct Found {
    effect: Option<f64>,
    interval: Option<[f64; 2]>,
    p: Option<f64>,
    against: Option<f64>,
    note: String,
}

impl Found {
    fn missing(note: String) -> Self {
        Self {
            note,
            ..Self::default()
        }
    }

    /// Tests whether an effect is above `floor` and, where there is one, below `ceiling`.
    fn between(effect: f64, draws: Option<Vec<f64>>, [floor, ceiling]: [f64; 2]) -> Self {
        let effect = crate::line::finite(effect);
        let interval = draws
            .as_ref()
            .and_then(|draws| interval(draws.iter().copied()));
        let (Some(draws), Some(_)) = (draws, interval) else {
            return Self {
                effect,
                interval,
                ..Self::default()
            };
        };
        let below = share(&draws, |it| it <= floor);
        let above = share(&draws, |it| it >= ceiling);
        // The opposite is to be below the one bound or above the other: twice the smaller p.
        let sides = if floor.is_finite() && ceiling.is_finite() {
            2.0
        } else {
            1.0
        };
        let not_below = share(&draws, |it| it >= floor);
        let not_above = share(&draws, |it| it <= ceiling);
        let open = |bound: f64, p: f64| if bound.is_finite() { p } else { 1.0 };
        let against = open(floor, not_below).min(open(ceiling, not_above));
        let none = |bound: f64, p: f64| if bound.is_finite() { p } else { 0.0 };
        Self {
            effect,
            interval,
            p: Some(none(floor, below).max(none(ceiling, above))),
            against: Some((sides * against).min(1.0)),
            note: String::new(),
        }
    }
}

/// The share of resamples that speak against a claim, the observed values counted as one.
fn share(draws: &[f64], speaks: impl Fn(f64) -> bool) -> f64 {
    let count = draws.iter().filter(|it| speaks(**it)).count();
    (1 + count) as f64 / (1 + draws.len()) as f64
}

/// Says of each hypothesis what the study's values say, by the resamples that intervals come from.
#[must_use]
pub fn verdicts(study: &Study, settings: &Settings, family: &[Hypothesis]) -> Vec<Verdict> {
    let draws = match family.iter().any(|it| it.kind != Kind::Rises) {
        true => resample(study, settings),
        false => Vec::new(),
    };
    let found: Vec<Found> = family
        .iter()
        .map(|it| judge(study, settings, &draws, it))
        .collect();
    let corrected = |p: &dyn Fn(&Found) -> Option<f64>| {
        holm(
            &found
                .iter()
                .map(|it| p(it).unwrap_or(1.0))
                .collect::<Vec<_>>(),
        )
    };
    let (p, against) = (corrected(&|it| it.p), corrected(&|it| it.against));
    let judged = family.iter().zip(&found).zip(p.into_iter().zip(against));
    judged
        .map(|((hypothesis, found), (p, against))| Verdict {
            hypothesis: hypothesis.clone(),
            decision: match (found.p, found.against) {
                (Some(_), _) if p < LEVEL => Decision::Supported,
                (_, Some(_)) if against < LEVEL => Decision::Refuted,
                _ => Decision::Undecided,
            },
            effect: found.effect,
            interval: found.interval,
            p: found.p,
            p_corrected: found.p.map(|_| p),
            p_against: found.against.map(|_| against),
            note: found.note.clone(),
        })
        .collect()
}

/// What a hypothesis takes from one method: the weights of its sizes.
type Weights = (usize, Vec<f64>);

fn judge(
    study: &Study,
    settings: &Settings,
    draws: &[Vec<Vec<Means>>],
    hypothesis: &Hypothesis,
) -> Found {
    let margin = hypothesis.margin.unwrap_or_default();
    let than = hypothesis.than.as_deref().unwrap_or(&hypothesis.method);
    let judged = || -> Result<Found, String> {
        let own = place(study, &hypothesis.method)?;
        let differs = |own: Weights, other: Weights, sign: f64, floor: f64| {
            // NaN and infinity do not come from low-resource means.
            let of = |means: &dyn Fn(usize, usize) -> f64, (method, weights): &Weights| {
                let terms = weights
                    .iter()
                    .enumerate()
                    .filter(|(_, weight)| **weight != 0.0);
                terms
                    .map(|(cell, weight)| weight * means(*method, cell))
                    .sum::<f64>()
            };
            let difference =
                |means: &dyn Fn(usize, usize) -> f64| sign * (of(means, &own) - of(means, &other));
            let means = |method: usize, cell: usize| {
                let cell = &study.methods[method].cells[cell];
                group_means(study, &language_means(cell)).low
            };
            let of_draw =
                |draw: &Vec<Vec<Means>>| difference(&|method, cell| draw[method][cell].low);
            let all = [own.0, other.0].map(|it| varying(study, settings, &study.methods[it]));
            let drawn = all[0].or(all[1]).allows(Quantity::Low);
            let drawn = drawn.then(|| draws.iter().map(of_draw).collect());
            Found::between(difference(&means), drawn, [floor, f64::INFINITY])
        };
        match hypothesis.kind {
            Kind::Rises => rises(study, settings, own),
            Kind::Equivalent => {
                let quantity = hypothesis.of.unwrap_or(Quantity::Gap);
                let method = &study.methods[own];
                let axis = sizes(method)?;
                let slope = |means: &[Means]| axis.slope(means.iter().map(|it| it.of(quantity)));
                let cells = method.cells.iter();
                let means: Vec<Means> = cells
                    .map(|cell| group_means(study, &language_means(cell)))
                    .collect();
                let drawn = varying(study, settings, method).allows(quantity);
                let drawn = drawn.then(|| draws.iter().map(|it| slope(&it[own])).collect());
                Ok(Found::between(slope(&means), drawn, [-margin, margin]))
            }
            Kind::SmallerSlope => {
                let other = place(study, than)?;
                let weights = |method: usize| -> Result<Weights, String> {
                    let axis = sizes(&study.methods[method])?;
                    let count = axis.len();
                    let unit = |at| (0..count).map(move |it| f64::from(u8::from(it == at)));
                    Ok((method, (0..count).map(|at| axis.slope(unit(at))).collect()))
                };
                let mut found = differs(weights(own)?, weights(other)?, -1.0, 0.0);
                found.effect = found.effect.map(std::ops::Neg::neg);
                found.interval = found.interval.map(|[low, high]| [-high, -low]);
                Ok(found)
            }
            Kind::Level => {
                let other = place(study, than)?;
                let at = |method: usize, size: Option<At>| -> Result<Weights, String> {
                    let wanted = cell(&study.methods[method], size)?;
                    let cells = 0..study.methods[method].cells.len();
                    Ok((
                        method,
                        cells.map(|it| f64::from(u8::from(it == wanted))).collect(),
                    ))
                };
                let (own, other) = (at(own, hypothesis.size)?, at(other, hypothesis.than_size)?);
                Ok(differs(own, other, 1.0, -margin))
            }
        }
    };
    judged().unwrap_or_else(Found::missing)
}

/// Tests whether the slope of every compared language is above zero: the claim is as sure as it is for the
/// least sure one, so that its p is the largest; the opposite, that one falls, is Holm's smallest.
fn rises(study: &Study, settings: &Settings, method: usize) -> Result<Found, String> {
    let cells = &study.methods[method].cells;
    let axis = sizes(&study.methods[method])?;
    let draws = of_languages(study, settings, method);
    let means: Vec<Vec<f64>> = cells.iter().map(language_means).collect();
    let compared = |it: &usize| study.languages[*it].side != Side::Shown;
    let places = (0..study.languages.len()).filter(compared);
    let each: Vec<(usize, Found)> = places
        .map(|place| {
            let slope = |cells: &Vec<Vec<f64>>| axis.slope(cells.iter().map(|cell| cell[place]));
            let topics = study.topics[study.languages[place].topics];
            let drawn = 1 < topics || cells.iter().any(|cell| 1 < cell.seeds);
            let drawn = drawn.then(|| draws.iter().map(slope).collect());
            (
                place,
                Found::between(slope(&means), drawn, [0.0, f64::INFINITY]),
            )
        })
        .collect();
    let p = |p: &dyn Fn(&Found) -> Option<f64>| {
        each.iter()
            .map(|(_, it)| p(it))
            .collect::<Option<Vec<f64>>>()
    };
    let (towards, against) = (p(&|it| it.p), p(&|it| it.against));
    let sure = towards
        .as_ref()
        .map(|p| holm(p).iter().filter(|it| **it < LEVEL).count());
    let least = each.iter().min_by(|a, b| {
        a.1.effect
            .partial_cmp(&b.1.effect)
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let Some((place, least)) = least else {
        return Err("no language is compared".to_owned());
    };
    let note = format!("least in {}", study.languages[*place].name);
    Ok(Found {
        effect: least.effect,
        interval: least.interval,
        p: towards.map(|p| p.into_iter().fold(0.0, f64::max)),
        against: against.map(|p| holm(&p).into_iter().fold(1.0, f64::min)),
        note: match sure {
            Some(sure) => format!(
                "{note}; {sure} of {} languages gain, each corrected p < {LEVEL}",
                each.len()
            ),
            None => note,
        },
    })
}

fn varying(study: &Study, settings: &Settings, method: &Method) -> Varies {
    let cells = method
        .cells
        .iter()
        .map(|cell| varies(study, cell, settings));
    cells.fold(Varies::default(), Varies::or)
}

fn place(study: &Study, method: &str) -> Result<usize, String> {
    let known = study.methods.iter().position(|it| it.name == method);
    known.ok_or_else(|| {
        let names: Vec<&str> = study.methods.iter().map(|it| &*it.name).collect();
        format!("there is no method {method}, only {}", names.join(", "))
    })
}

fn sizes(method: &Method) -> Result<Axis, String> {
    match method.cells.len() {
        1 => Err(format!(
            "{} has one size, expected two or more",
            method.name
        )),
        _ => Ok(Axis::new(method.cells.iter().map(|cell| cell.size))),
    }
}

fn cell(method: &Method, at: Option<At>) -> Result<usize, String> {
    let size = match at {
        Some(At::Parameters(size)) => size,
        Some(At::End(End::Smallest)) => return Ok(0),
        Some(At::End(End::Largest)) | None => return Ok(method.cells.len() - 1),
    };
    let known = method.cells.iter().position(|cell| cell.size == size);
    known.ok_or_else(|| {
        let sizes: Vec<String> = method.cells.iter().map(|it| it.size.to_string()).collect();
        format!(
            "{} has no size {size}, only {}",
            method.name,
            sizes.join(", ")
        )
    })
}
