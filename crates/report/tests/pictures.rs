//! What each kind of picture leaves on disk, and what is refused.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use optical_report::ReportError;
use optical_report::plot::{
    Alignment, Axes, BarChart, BarGroup, LogBar, LogBarChart, LogBarGroup, Panel, Picture, Series,
    SeriesStyle, alignment, bars, curves, log_bars, panels,
};
use resvg::{tiny_skia::Pixmap, usvg};

const AXES: Axes<'_> = Axes {
    title: "Loss & <more>",
    x: "step",
    y: "loss",
};

/// Checks both files of a picture and returns the SVG's text and the share of painted pixels.
fn check(picture: &Picture) -> (String, f64) {
    let svg = std::fs::read_to_string(&picture.svg).unwrap();
    let size = usvg::Tree::from_str(&svg, &usvg::Options::default())
        .unwrap()
        .size();
    let png = std::fs::read(&picture.png).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    let pixels = Pixmap::decode_png(&png).unwrap();
    let twice = |units: f32| (units * 2.0).round() as u32;
    assert_eq!(
        (pixels.width(), pixels.height()),
        (twice(size.width()), twice(size.height()))
    );
    let painted = pixels
        .pixels()
        .iter()
        .filter(|pixel| pixel.red() < 250 || pixel.green() < 250);
    let share = painted.count() as f64 / pixels.pixels().len() as f64;
    (svg, share)
}

/// The place of a rectangle.
fn position(rectangle: &str) -> (f64, f64) {
    let number = |name: &str| {
        let after = rectangle.split(&format!(" {name}=\"")).nth(1).unwrap();
        after.split('"').next().unwrap().parse().unwrap()
    };
    (number("x"), number("y"))
}

/// Names of the files in a folder: nothing half-written may stay behind.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn falling(name: &str, points: u32) -> Series {
    let points = (0..points).map(|x| (f64::from(x), 1.0 / (1.0 + f64::from(x))));
    Series::new(name, points.collect())
}

#[test]
fn curves_leave_a_png_and_an_svg_with_their_labels() {
    let folder = tempfile::tempdir().unwrap();
    let series = [
        falling("distilled", 20),
        falling("zero-shot", 5_000).with_style(SeriesStyle::Smoothed(25)),
        falling("teacher", 2).with_style(SeriesStyle::Reference),
    ];
    let picture = curves(&series, &AXES, &folder.path().join("loss.v2")).unwrap();
    assert_eq!(files(folder.path()), ["loss.v2.png", "loss.v2.svg"]);
    let (svg, painted) = check(&picture);
    assert!(0.005 < painted && painted < 0.5, "{painted}");
    let labels = [
        "Loss &amp; &lt;more&gt;",
        ">step<",
        ">loss<",
        ">distilled<",
        ">zero-shot (mean of 25)<",
    ];
    for label in labels {
        assert!(svg.contains(label), "{label}");
    }
}

#[test]
fn panels_share_their_horizontal_axis() {
    let folder = tempfile::tempdir().unwrap();
    let (long, short) = ([falling("a", 1_001)], [falling("b", 11)]);
    let both = [
        Panel {
            y: "first",
            series: &long,
        },
        Panel {
            y: "second",
            series: &short,
        },
    ];
    let (svg, _) = check(&panels("Training", "step", &both, &folder.path().join("t")).unwrap());
    assert!(svg.contains(">first<") && svg.contains(">second<"));
    assert_eq!(svg.matches(">1000<").count(), 2);
}

#[test]
fn the_same_numbers_make_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let draw = |name: &str| {
        let picture = curves(&[falling("a", 9)], &AXES, &folder.path().join(name)).unwrap();
        (
            std::fs::read(picture.png).unwrap(),
            std::fs::read(picture.svg).unwrap(),
        )
    };
    assert_eq!(draw("first"), draw("second"));
}

#[test]
fn an_alignment_holds_every_token_and_a_tile_per_pair() {
    let folder = tempfile::tempdir().unwrap();
    let (rows, columns) = (["In", "the", "beginning"], ["Hapo", "mwánzo ẹọṣń"]);
    let picture = Alignment {
        title: "Genesis 1:1",
        row_title: "English",
        column_title: "Swahili",
        rows: &rows,
        columns: &columns,
        plan: &[0.25, 0.05, 0.1, 0.1, 0.0, 0.5],
    };
    let (svg, painted) = check(&alignment(&picture, &folder.path().join("plan")).unwrap());
    assert!(0.1 < painted, "{painted}");
    for token in rows
        .iter()
        .chain(&columns)
        .chain(&["Genesis 1:1", "English", "Swahili"])
    {
        assert!(svg.contains(&format!(">{token}<")), "{token}");
    }
    // The largest mass is the brightest tile, in the last row and column; left of it, in the same
    // row, is the empty pair.
    let place = |colour: &str| {
        let mut tiles = svg.lines().filter(|line| line.contains(colour));
        let tile = position(tiles.next().unwrap());
        assert_eq!(tiles.next(), None, "{colour}");
        tile
    };
    let (brightest, darkest) = (place("#fde725"), place("#440154"));
    assert_eq!(brightest.1, darkest.1);
    // A small picture has the widest cells, 34; places are written with two decimals.
    assert!((brightest.0 - darkest.0 - 34.0).abs() < 0.02);
}

#[test]
fn a_bar_is_as_high_as_its_value() {
    let folder = tempfile::tempdir().unwrap();
    let group = |name: &str, values: [Option<f64>; 2]| BarGroup {
        name: name.to_owned(),
        class: "low".to_owned(),
        values: values.to_vec(),
    };
    let chart = BarChart {
        title: "MAP".to_owned(),
        y: "MAP".to_owned(),
        systems: vec!["zero-shot".to_owned(), "distilled".to_owned()],
        groups: vec![
            group("Swahili", [Some(0.05), Some(0.1)]),
            group("Tagalog", [None, Some(0.2)]),
        ],
    };
    let (svg, painted) = check(&bars(&chart, &folder.path().join("bars")).unwrap());
    assert!(0.02 < painted, "{painted}");
    assert!(
        [">Swahili<", ">Tagalog<", ">low<", ">.050<"]
            .iter()
            .all(|label| svg.contains(label))
    );
    // Bars are 21 wide; the plot is 260 high and ends at 0.2.
    let heights: Vec<f64> = (svg.lines().filter(|line| line.contains("width=\"21.00\"")))
        .map(|line| {
            line.split("height=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
        })
        .map(|height| height.parse().unwrap())
        .collect();
    assert_eq!(heights, [65.0, 130.0, 260.0]);
}

fn log_chart(values: &[f64]) -> LogBarChart {
    let bar = |(index, value): (usize, &f64)| LogBar {
        name: format!("solver {index}"),
        value: *value,
        range: None,
        class: Some(index),
    };
    LogBarChart {
        title: "Times".to_owned(),
        x: "milliseconds".to_owned(),
        classes: vec!["ours".to_owned(), "others".to_owned()],
        classless: "broken".to_owned(),
        groups: vec![LogBarGroup {
            name: "256x32x32".to_owned(),
            bars: values.iter().enumerate().map(bar).collect(),
        }],
        columns: 3,
    }
}

#[test]
fn a_bar_on_a_logarithmic_axis_is_as_long_as_its_logarithm() {
    let folder = tempfile::tempdir().unwrap();
    let mut chart = log_chart(&[2.0, 200.0]);
    chart.groups[0].bars[1].range = Some((100.0, 1000.0));
    let (svg, painted) = check(&log_bars(&chart, &folder.path().join("times")).unwrap());
    assert!(0.01 < painted, "{painted}");
    for label in [
        "256x32x32",
        "solver 0",
        "2.00",
        "200",
        "1,000",
        "others",
        "broken",
    ] {
        assert!(svg.contains(&format!(">{label}<")), "{label}");
    }
    // From 1 to 1000 on 250: two decades are 166.67 apart.
    let widths: Vec<f64> = (svg.lines().filter(|line| line.contains("height=\"10.00\"")))
        .map(|line| {
            line.split("width=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
        })
        .map(|width| width.parse().unwrap())
        .collect();
    assert!(
        (widths[0] - 250.0 * 2.0_f64.log10() / 3.0).abs() < 0.01,
        "{widths:?}"
    );
    assert!(
        (widths[1] - widths[0] - 250.0 * 2.0 / 3.0).abs() < 0.02,
        "{widths:?}"
    );
}

#[test]
fn what_has_no_logarithm_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |chart: &LogBarChart| {
        let error = log_bars(chart, &folder.path().join("bad")).unwrap_err();
        error.to_string()
    };
    assert_eq!(
        refused(&log_chart(&[1.0, 0.0])),
        "group \"256x32x32\": value 1 is 0, expected a positive number"
    );
    assert_eq!(
        refused(&log_chart(&[1.0, f64::NAN])),
        "group \"256x32x32\": value 1 is NaN, expected a finite number"
    );
    assert_eq!(
        refused(&log_chart(&[1.0, 1.0, 1.0])),
        "group \"256x32x32\": value 2 is 2, expected a class of the chart"
    );
    assert_eq!(refused(&log_chart(&[])), "group \"256x32x32\" is empty");
    let mut chart = log_chart(&[1.0]);
    chart.groups.clear();
    assert_eq!(refused(&chart), "the chart is empty");
    assert!(files(folder.path()).is_empty());
}

#[test]
fn letters_of_the_languages_are_painted_and_differ() {
    let folder = tempfile::tempdir().unwrap();
    let painted: Vec<Vec<u8>> = ["ẹ", "ọ", "ṣ", "ń", "ɓ", "ƙ", "Ж", "ب", "\u{fffe}"]
        .iter()
        .map(|letter| {
            let picture = Alignment {
                title: "",
                row_title: "",
                column_title: "",
                rows: &[letter],
                columns: &[""],
                plan: &[1.0],
            };
            std::fs::read(alignment(&picture, &folder.path().join("l")).unwrap().png).unwrap()
        })
        .collect();
    for (index, picture) in painted.iter().enumerate() {
        assert!(
            !painted[..index].contains(picture),
            "letter {index} looks like one before it"
        );
    }
}

#[test]
fn numbers_that_cannot_be_drawn_are_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let stem = folder.path().join("bad");
    let broken = Series::new("distilled", vec![(0.0, 1.0), (1.0, f64::NAN)]);
    let error = curves(&[broken], &AXES, &stem).unwrap_err();
    assert_eq!(
        error.to_string(),
        "series \"distilled\" of panel \"loss\": value 1 is NaN, expected a finite number"
    );
    let empty = curves(&[Series::new("none", Vec::new())], &AXES, &stem).unwrap_err();
    assert_eq!(
        empty.to_string(),
        "series \"none\" of panel \"loss\" is empty"
    );
    assert!(matches!(
        curves(&[], &AXES, &stem),
        Err(ReportError::Empty(_))
    ));
    assert!(matches!(
        panels("", "", &[], &stem),
        Err(ReportError::Empty(_))
    ));

    let plan = |plan: &[f64]| {
        let tokens = ["a", "b"];
        let picture = Alignment {
            title: "",
            row_title: "",
            column_title: "",
            rows: &tokens,
            columns: &tokens[..1],
            plan,
        };
        alignment(&picture, &stem).unwrap_err().to_string()
    };
    assert_eq!(plan(&[0.5]), "the alignment's plan: 1 values, expected 2");
    assert_eq!(
        plan(&[0.5, f64::INFINITY]),
        "the alignment's plan: value 1 is inf, expected a finite number"
    );
    assert_eq!(
        plan(&[-0.1, 0.5]),
        "the alignment's plan: value 0 is -0.1, expected a mass of at least zero"
    );
    assert_eq!(plan(&[0.0, 0.0]), "the alignment's plan is empty");

    let group = BarGroup {
        name: "Swahili".into(),
        class: String::new(),
        values: vec![Some(0.1)],
    };
    let mut chart = BarChart {
        title: String::new(),
        y: String::new(),
        systems: vec!["a".into(), "b".into()],
        groups: vec![group],
    };
    let error = bars(&chart, &stem).unwrap_err();
    assert_eq!(error.to_string(), "group \"Swahili\": 1 values, expected 2");
    chart.groups.clear();
    assert_eq!(
        bars(&chart, &stem).unwrap_err().to_string(),
        "the chart is empty"
    );
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let stem = folder.path().join("nowhere/loss");
    let error = curves(&[falling("a", 3)], &AXES, &stem).unwrap_err();
    assert!(matches!(error, ReportError::Write { .. }), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("nowhere/loss.svg cannot be written")
    );
}
