//! An analysis as tables of words: whoever shows them chooses how.

use crate::analysis::{Analysis, MethodAnalysis};
use crate::mixed::MixedFit;

/// A table under a title; the first column has names, the others numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// What the table is about.
    pub title: String,
    /// One header for each column.
    pub headers: Vec<String>,
    /// Rows of as many cells; what is not defined is an en dash.
    pub rows: Vec<Vec<String>>,
}

impl Sheet {
    fn new(title: impl Into<String>, headers: &[&str]) -> Self {
        Self {
            title: title.into(),
            headers: headers.iter().map(|&header| header.to_owned()).collect(),
            rows: Vec::new(),
        }
    }
}

/// Returns the tables of an analysis: means, slopes, tests, models and power laws of each method, then
/// contrasts. Four decimals are given; [`Analysis`] has all digits.
#[must_use]
pub fn sheets(analysis: &Analysis) -> Vec<Sheet> {
    let methods = analysis.methods.iter();
    let mut sheets: Vec<Sheet> = methods.flat_map(|(name, it)| of_method(name, it)).collect();
    if !analysis.contrasts.is_empty() {
        sheets.push(contrasts(analysis));
    }
    sheets
}

fn of_method(name: &str, method: &MethodAnalysis) -> Vec<Sheet> {
    let mut sheets = vec![
        means(name, method),
        languages(name, method),
        slopes(name, method),
    ];
    sheets.push(tests(name, method));
    let fits = [("REML", &method.mixed.reml), ("ML", &method.mixed.ml)];
    sheets.extend(fits.into_iter().filter_map(|(likelihood, fit)| {
        let title = format!("{name}: mixed model, {likelihood}, slopes per decade");
        Some(mixed(title, fit.as_ref()?))
    }));
    sheets.push(power_laws(name, method));
    sheets
}

fn means(name: &str, method: &MethodAnalysis) -> Sheet {
    let title = format!("{name}: means and gaps, 95 % intervals");
    let mut sheet = Sheet::new(
        title,
        &["size", "low", "high", "gap", "relative gap", "log gap"],
    );
    sheet.rows.extend(method.sizes.iter().map(|size| {
        let spread = size.interval;
        vec![
            size.size.to_string(),
            with_interval(Some(size.low), spread.low),
            with_interval(Some(size.high), spread.high),
            with_interval(Some(size.gap), spread.gap),
            with_interval(size.relative_gap, spread.relative_gap),
            with_interval(size.log_gap, spread.log_gap),
        ]
    }));
    sheet
}

fn languages(name: &str, method: &MethodAnalysis) -> Sheet {
    let mut sheet = Sheet::new(format!("{name}: means of languages by size"), &["language"]);
    let sizes = method.sizes.iter().map(|size| size.size.to_string());
    sheet.headers.extend(sizes);
    let names = method.sizes.first().map(|size| size.languages.keys());
    sheet
        .rows
        .extend(names.into_iter().flatten().map(|language| {
            let means = method
                .sizes
                .iter()
                .map(|size| number(size.languages.get(language).copied()));
            std::iter::once(language.clone()).chain(means).collect()
        }));
    sheet
}

fn slopes(name: &str, method: &MethodAnalysis) -> Sheet {
    let title = format!("{name}: change per decade of size, 95 % intervals");
    let mut sheet = Sheet::new(title, &["low", "high", "gap", "relative gap", "log gap"]);
    let slope = method.slope;
    sheet.rows.push(vec![
        with_interval(slope.low, slope.low_interval),
        with_interval(slope.high, slope.high_interval),
        with_interval(slope.gap, slope.gap_interval),
        with_interval(slope.relative_gap, slope.relative_gap_interval),
        with_interval(slope.log_gap, slope.log_gap_interval),
    ]);
    sheet
}

fn tests(name: &str, method: &MethodAnalysis) -> Sheet {
    let title = format!("{name}: slopes of languages, high - low per decade");
    let mut sheet = Sheet::new(title, &["test", "difference", "se", "t", "df", "p"]);
    let tests = &method.languages;
    if let Some(welch) = tests.welch {
        let mut row = vec!["Welch".to_owned()];
        row.extend(
            [
                Some(welch.difference),
                Some(welch.se),
                welch.t,
                welch.df,
                welch.p,
            ]
            .map(number),
        );
        sheet.rows.push(row);
    }
    let row = |name: String, difference, p| {
        let mut row = vec![name];
        row.extend([difference, None, None, None, p].map(number));
        row
    };
    sheet
        .rows
        .push(row("permutation".to_owned(), None, tests.permutation_p));
    let without = tests.leave_one_out.iter();
    let without = without.map(|(language, it)| row(format!("without {language}"), *it, None));
    sheet.rows.extend(without);
    sheet
}

fn mixed(title: String, fit: &MixedFit) -> Sheet {
    let mut sheet = Sheet::new(title, &["term", "estimate", "se"]);
    let mut row = |name: String, value, error| {
        sheet
            .rows
            .push(vec![name, number(Some(value)), number(error)]);
    };
    row(
        "intercept".to_owned(),
        fit.intercept,
        Some(fit.intercept_se),
    );
    row("slope".to_owned(), fit.slope, Some(fit.slope_se));
    for (group, it) in &fit.groups {
        let (intercept, slope) = (it.intercept_difference_se, it.slope_difference_se);
        row(
            format!("{group}: intercept"),
            it.intercept_difference,
            Some(intercept),
        );
        row(format!("{group}: slope"), it.slope_difference, Some(slope));
    }
    let last = fit.log_likelihood.map(|it| ("log-likelihood", it));
    let names = ["sigma2", "d11", "d12", "d22"];
    let values = [fit.sigma2, fit.d[0], fit.d[1], fit.d[2]];
    for (name, value) in names.into_iter().zip(values).chain(last) {
        row(name.to_owned(), value, None);
    }
    sheet
}

fn power_laws(name: &str, method: &MethodAnalysis) -> Sheet {
    let title = format!("{name}: 1 - mean = (A/N)^alpha + delta");
    let mut sheet = Sheet::new(title, &["of", "alpha", "A", "delta", "rss", "identified"]);
    let laws = &method.power_law;
    let groups = [("low", laws.low), ("high", laws.high)];
    let groups = groups.map(|(name, law)| {
        (
            name,
            law.map(|it| it.fit),
            law.and_then(|it| it.alpha_interval),
        )
    });
    let languages = laws
        .languages
        .iter()
        .map(|(name, law)| (&**name, *law, None));
    for (name, law, spread) in groups.into_iter().chain(languages) {
        sheet.rows.push(vec![
            name.to_owned(),
            with_interval(law.map(|it| it.alpha), spread),
            law.map_or_else(dash, |it| format!("{:.3e}", it.scale)),
            number(law.map(|it| it.delta)),
            law.map_or_else(dash, |it| format!("{:.3e}", it.rss)),
            law.map_or_else(dash, |it| {
                if it.identified { "yes" } else { "no" }.to_owned()
            }),
        ]);
    }
    sheet
}

fn contrasts(analysis: &Analysis) -> Sheet {
    let headers = ["a - b", "size", "gap", "low", "p", "corrected p"];
    let mut sheet = Sheet::new("contrasts of methods, 95 % intervals", &headers);
    sheet.rows.extend(analysis.contrasts.iter().map(|it| {
        vec![
            format!("{} - {}", it.a, it.b),
            it.size
                .map_or_else(|| "per decade".to_owned(), |size| size.to_string()),
            with_interval(Some(it.gap_difference), it.gap_difference_interval),
            with_interval(Some(it.low_difference), it.low_difference_interval),
            number(Some(it.p)),
            number(Some(it.p_corrected)),
        ]
    }));
    sheet
}

fn dash() -> String {
    "–".to_owned()
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(dash, |value| format!("{value:.4}"))
}

fn with_interval(value: Option<f64>, spread: Option<[f64; 2]>) -> String {
    match spread {
        Some([low, high]) => format!("{} [{low:.4}, {high:.4}]", number(value)),
        None => number(value),
    }
}
