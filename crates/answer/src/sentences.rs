//! The three sentences that a page begins with.

use optical_analysis::{At, Contrast, End, Hypothesis, Kind, MethodAnalysis, verdicts};

use crate::Source;
use crate::tables::{parameters, with_interval};

/// What the page is about: the method that is not distilled, and the one that is.
pub(crate) struct Pair<'a> {
    pub(crate) plain: &'a str,
    pub(crate) distilled: Option<&'a str>,
}

impl<'a> Pair<'a> {
    /// Takes the methods from the hypotheses that compare two, else `zero-shot` and `optical`, else the
    /// method of most sizes and the other one, if there is just one.
    pub(crate) fn of(source: &Source<'a>) -> Self {
        let methods = &source.analysis.methods;
        let known = |name: &str| methods.get_key_value(name).map(|(name, _)| name.as_str());
        let claimed = source.hypotheses.iter().find_map(|it| {
            let plain = known(it.than.as_deref()?)?;
            Some(Self {
                plain,
                distilled: known(&it.method).filter(|it| *it != plain),
            })
        });
        claimed.unwrap_or_else(|| {
            let most = methods.iter().rev().max_by_key(|(_, it)| it.sizes.len());
            let most = most.map_or("", |(name, _)| name.as_str());
            let plain = known("zero-shot").unwrap_or(most);
            let mut others = methods.keys().map(String::as_str).filter(|it| *it != plain);
            let other = (methods.len() == 2).then(|| others.next()).flatten();
            Self {
                plain,
                distilled: known("optical").filter(|it| *it != plain).or(other),
            }
        })
    }
}

pub(crate) fn sentences(source: &Source<'_>) -> Vec<String> {
    let Pair { plain, distilled } = Pair::of(source);
    let Some(method) = source.analysis.methods.get(plain) else {
        return Vec::new();
    };
    let mut said = vec![of_size(plain, method)];
    match distilled {
        Some(distilled) => {
            said.push(of_method(source, plain, distilled));
            said.push(of_small(source, plain, distilled));
        }
        None => said.push(format!(
            "What distillation does, and what a small distilled student is beside a large one that is not, is \
             not said here: no method was named to hold against {plain}."
        )),
    }
    said
}

fn of_size(plain: &str, method: &MethodAnalysis) -> String {
    let sizes = &method.sizes;
    let (Some(first), Some(last), Some(slope)) = (sizes.first(), sizes.last(), method.slope.gap)
    else {
        return format!("{plain} has one size: what size does to the gap is not known.");
    };
    format!(
        "Under {plain}, the gap changes by {} per tenfold size ({} sizes, {} to {} parameters), the \
         low-resource mean by {} and the high-resource mean by {}.",
        with_interval(Some(slope), method.slope.gap_interval),
        sizes.len(),
        parameters(first.size),
        parameters(last.size),
        with_interval(method.slope.low, method.slope.low_interval),
        with_interval(method.slope.high, method.slope.high_interval),
    )
}

fn of_method(source: &Source<'_>, plain: &str, distilled: &str) -> String {
    let pair = |it: &&Contrast| {
        (it.a == plain && it.b == distilled || it.a == distilled && it.b == plain)
            && it.size.is_some()
    };
    let shared: Vec<&Contrast> = source.analysis.contrasts.iter().filter(pair).collect();
    let (Some(first), Some(last)) = (shared.first(), shared.last()) else {
        return format!("{distilled} and {plain} share no size: what it does is not known.");
    };
    let said = |it: &Contrast| {
        let turned = |value: f64, spread: Option<[f64; 2]>| match it.a == distilled {
            true => with_interval(Some(value), spread),
            false => with_interval(Some(-value), spread.map(|[low, high]| [-high, -low])),
        };
        format!(
            "at {} parameters it changes the low-resource mean by {} (corrected p {:.4}) and the gap by {}",
            parameters(it.size.unwrap_or_default()),
            turned(it.low_difference, it.low_difference_interval),
            it.p_corrected,
            turned(it.gap_difference, it.gap_difference_interval)
        )
    };
    match shared.len() {
        1 => format!("{distilled} against {plain}: {}.", said(first)),
        _ => format!(
            "{distilled} against {plain}: {}, and {}.",
            said(first),
            said(last)
        ),
    }
}

fn of_small(source: &Source<'_>, plain: &str, distilled: &str) -> String {
    let claimed = source.hypotheses.iter().find(|it| it.kind == Kind::Level);
    let claim = claimed.cloned().unwrap_or_else(|| Hypothesis {
        id: "level".to_owned(),
        text: String::new(),
        kind: Kind::Level,
        method: distilled.to_owned(),
        than: Some(plain.to_owned()),
        size: Some(At::End(End::Smallest)),
        than_size: Some(At::End(End::Largest)),
        of: None,
        margin: Some(0.0),
    });
    let size = |method: &str, at: Option<At>| {
        let sizes = source.analysis.methods.get(method).map(|it| &it.sizes);
        let end = sizes.and_then(|it| match at {
            Some(At::End(End::Smallest)) => it.first(),
            _ => it.last(),
        });
        match at {
            Some(At::Parameters(size)) => parameters(size),
            _ => end.map_or_else(String::new, |it| parameters(it.size)),
        }
    };
    let than = claim.than.as_deref().unwrap_or(plain);
    let (small, large) = (size(&claim.method, claim.size), size(than, claim.than_size));
    let found = verdicts(source.study, source.settings, std::slice::from_ref(&claim));
    let [found] = &found[..] else {
        return String::new();
    };
    if found.effect.is_none() {
        return format!(
            "{} with {small} parameters beside {than} with {large}: {}.",
            claim.method, found.note
        );
    }
    format!(
        "In the low-resource languages, {} with {small} parameters differs by {} from {than} with {large}.",
        claim.method,
        with_interval(found.effect, found.interval)
    )
}
