//! Pictures of the page.

use anyhow::Context;
use optical_analysis::SizeAnalysis;
use optical_report::plot::{Axes, Drawing, Ladder, ladder};

use crate::Source;
use crate::cells::Point;
use crate::sentences::Pair;

/// With more languages than this in one picture, their names cannot be read.
const MOST_LANGUAGES: usize = 16;

type Named = (String, Drawing);
type Interval = Option<[f64; 2]>;
type OfPoint = fn(&Point) -> f64;
/// A value of a size, with its interval.
type OfSize<'a> = &'a dyn Fn(&SizeAnalysis) -> (f64, Interval);

/// Draws means of languages, gaps and levels over size.
pub(crate) fn of_sizes(source: &Source<'_>) -> anyhow::Result<Vec<Named>> {
    let mut drawn = Vec::new();
    let pair = Pair::of(source);
    let shown = [("plain", Some(pair.plain)), ("distilled", pair.distilled)];
    for (name, method) in shown {
        let Some((method, found)) = method.and_then(|it| source.analysis.methods.get_key_value(it))
        else {
            continue;
        };
        let names: Vec<&String> = found
            .sizes
            .iter()
            .take(1)
            .flat_map(|it| it.languages.keys())
            .collect();
        let line = |name: &str, class, of: OfSize<'_>| over_sizes(name, class, &found.sizes, of);
        let lines: Vec<Ladder> = if names.len() <= MOST_LANGUAGES {
            let class = |name: &str| match source.study.side_of(name) {
                Some(true) => 1,
                Some(false) => 0,
                None => 2,
            };
            let of = |name: &&String| line(name, class(name), &|it| (it.languages[*name], None));
            names.iter().map(of).collect()
        } else {
            vec![
                line("high", 0, &|it| (it.high, it.interval.high)),
                line("low", 1, &|it| (it.low, it.interval.low)),
            ]
        };
        let (title, y) = match names.len() <= MOST_LANGUAGES {
            true => (
                "by language",
                "dots: high-resource, squares: low-resource, diamonds: shown only",
            ),
            false => ("by group", "means of groups, with 95 % intervals"),
        };
        let title = format!("{method}: {} {title}", source.measure);
        let y = format!("{} ({y})", source.measure);
        drawn.push((
            format!("languages-{name}"),
            draw(&lines, &title, "parameters", &y)?,
        ));
    }
    let of_methods = |of: OfSize<'_>| -> Vec<Ladder> {
        let methods = source.analysis.methods.iter().enumerate();
        methods
            .map(|(class, (name, found))| over_sizes(name, class, &found.sizes, of))
            .collect()
    };
    let lines = of_methods(&|it| (it.gap, it.interval.gap));
    let title = "The gap between high- and low-resource languages";
    drawn.push((
        "gap".to_owned(),
        draw(&lines, title, "parameters", "gap, 95 % intervals")?,
    ));
    let lines = of_methods(&|it| (it.low, it.interval.low));
    let title = "The low-resource languages";
    let y = format!("{}, 95 % intervals", source.measure);
    drawn.push(("low".to_owned(), draw(&lines, title, "parameters", &y)?));
    Ok(drawn)
}

/// Returns the line of a value over sizes.
fn over_sizes(name: &str, class: usize, sizes: &[SizeAnalysis], of: OfSize<'_>) -> Ladder {
    let points = sizes.iter().map(|it| {
        let (value, interval) = of(it);
        (it.size, value, interval)
    });
    Ladder {
        name: name.to_owned(),
        points: points.collect(),
        class,
    }
}

/// Draws level and gap over operations, with the front of what nothing beats.
pub(crate) fn of_cost(source: &Source<'_>, points: &[Point]) -> anyhow::Result<Vec<Named>> {
    let mut drawn = Vec::new();
    let kinds: [(&str, String, OfPoint); 2] = [
        (
            "cost-low",
            format!("{} of the low-resource languages", source.measure),
            |it| it.low,
        ),
        ("cost-gap", "gap".to_owned(), |it| it.gap),
    ];
    for (name, y, of) in kinds {
        let methods = source.analysis.methods.keys().enumerate();
        let mut lines: Vec<Ladder> = methods
            .map(|(class, method)| Ladder {
                name: method.clone(),
                points: points
                    .iter()
                    .filter(|it| it.method == *method)
                    .map(|it| (it.flops, of(it), None))
                    .collect(),
                class,
            })
            .collect();
        lines.retain(|line| !line.points.is_empty());
        for line in &mut lines {
            line.points.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        let front = points.iter().filter(|it| it.on_front(points));
        let mut front: Vec<_> = front.map(|it| (it.flops, of(it), None)).collect();
        front.sort_by(|a, b| a.0.total_cmp(&b.0));
        lines.push(Ladder {
            name: "Pareto front (rings)".to_owned(),
            points: front,
            class: 34,
        });
        let title = "What a query costs";
        drawn.push((
            name.to_owned(),
            draw(&lines, title, "floating-point operations a query", &y)?,
        ));
    }
    Ok(drawn)
}

fn draw(lines: &[Ladder], title: &str, x: &str, y: &str) -> anyhow::Result<Drawing> {
    let axes = Axes { title, x, y };
    ladder(lines, &axes).with_context(|| format!("picture {title:?}"))
}
