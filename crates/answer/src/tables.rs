//! Tables of the page.

use optical_analysis::{Analysis, Decision, Sheet, Verdict};

use crate::cells::Point;

pub(crate) fn sheet(title: &str, headers: &[&str], rows: Vec<Vec<String>>) -> Sheet {
    let headers = headers.iter().map(|&it| it.to_owned()).collect();
    Sheet {
        title: title.to_owned(),
        headers,
        rows,
    }
}

pub(crate) fn verdicts(verdicts: &[Verdict]) -> Sheet {
    let rows = verdicts.iter().map(|it| {
        let decision = match it.decision {
            Decision::Supported => "supported",
            Decision::Refuted => "refuted",
            Decision::Undecided => "undecided",
        };
        vec![
            format!("{}. {}", it.hypothesis.id, it.hypothesis.text),
            decision.to_owned(),
            with_interval(it.effect, it.interval),
            number(it.p_corrected),
            number(it.p_against),
            it.note.clone(),
        ]
    });
    let headers = [
        "hypothesis",
        "verdict",
        "effect",
        "corrected p",
        "of the opposite",
        "note",
    ];
    sheet("Written before the run", &headers, rows.collect())
}

pub(crate) fn slopes(analysis: &Analysis) -> Sheet {
    let rows = analysis.methods.iter().map(|(name, it)| {
        let slope = it.slope;
        vec![
            name.clone(),
            it.sizes.len().to_string(),
            with_interval(slope.gap, slope.gap_interval),
            with_interval(slope.relative_gap, slope.relative_gap_interval),
            with_interval(slope.log_gap, slope.log_gap_interval),
            with_interval(slope.low, slope.low_interval),
            with_interval(slope.high, slope.high_interval),
        ]
    });
    let headers = [
        "method",
        "sizes",
        "gap",
        "relative gap",
        "log gap",
        "low",
        "high",
    ];
    sheet("Change per tenfold size", &headers, rows.collect())
}

pub(crate) fn costs(points: &[Point]) -> Sheet {
    let rows = points.iter().map(|it| {
        vec![
            it.method.clone(),
            parameters(it.size),
            format!("{:.3e}", it.flops),
            number(Some(it.low)),
            number(Some(it.gap)),
            if it.on_front(points) { "yes" } else { "no" }.to_owned(),
        ]
    });
    let headers = [
        "method",
        "parameters",
        "FLOPs a query",
        "low",
        "gap",
        "Pareto front",
    ];
    let title = "No other is at once as cheap, as good in the low-resource languages and as small in the gap";
    sheet(title, &headers, rows.collect())
}

pub(crate) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"))
}

/// A signed number with its interval.
pub(crate) fn with_interval(value: Option<f64>, spread: Option<[f64; 2]>) -> String {
    // What rounds to zero has no sign.
    let signed = |value: f64| format!("{value:+.4}").replace("-0.0000", "+0.0000");
    match (value, spread) {
        (Some(value), Some([low, high])) => {
            format!("{} [{}, {}]", signed(value), signed(low), signed(high))
        }
        (Some(value), None) => format!("{} [no interval]", signed(value)),
        (None, _) => "–".to_owned(),
    }
}

/// A number of parameters in millions.
pub(crate) fn parameters(size: f64) -> String {
    match size {
        size if size < 1e5 => size.to_string(),
        size if size < 9.95e8 => format!("{:.1} M", size / 1e6),
        size => format!("{:.2} B", size / 1e9),
    }
}
