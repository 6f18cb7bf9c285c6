//! What each kind of picture shows and leaves on disk, and what is refused.
#![allow(clippy::unwrap_used)]

mod kept;

use std::path::Path;

use optical_report::ReportError;
use optical_report::plot::{
    Alignment, Axes, Bar, BarChart, BarGroup, BarLayout, DotChart, DotRow, Drawing, Panel, Series,
    SeriesStyle, alignment, bars, curves, dots, panels,
};
use resvg::{tiny_skia::Pixmap, usvg};

const AXES: Axes<'_> = Axes {
    title: "Loss & <more>",
    x: "step",
    y: "loss",
};

/// Checks the PNG of a picture and returns the SVG and the share of painted pixels.
fn check(drawing: &Drawing) -> (String, f64) {
    let svg = drawing.svg();
    let size = usvg::Tree::from_str(svg, &usvg::Options::default())
        .unwrap()
        .size();
    let png = drawing.png().unwrap();
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
    (svg.to_owned(), share)
}

fn compare(name: &str, drawing: &Drawing) {
    kept::compare(&format!("{name}.svg"), drawing.svg());
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
    let drawing = curves(&series, &AXES).unwrap();
    let picture = drawing.save(&folder.path().join("loss.v2")).unwrap();
    assert_eq!(files(folder.path()), ["loss.v2.png", "loss.v2.svg"]);
    assert_eq!(
        std::fs::read(picture.svg).unwrap(),
        drawing.svg().as_bytes()
    );
    assert_eq!(std::fs::read(picture.png).unwrap(), drawing.png().unwrap());
    let (svg, painted) = check(&drawing);
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
    let drawing = panels("Training", "step", &both).unwrap();
    let (svg, _) = check(&drawing);
    assert!(svg.contains(">first<") && svg.contains(">second<"));
    assert_eq!(svg.matches(">1000<").count(), 2);
}

#[test]
fn curves_are_drawn_as_they_were() {
    let series = [
        falling("distilled", 9),
        falling("zero-shot", 60).with_style(SeriesStyle::Smoothed(5)),
        falling("teacher", 2).with_style(SeriesStyle::Reference),
    ];
    let both = [&series[..], &series[..1]].map(|series| Panel { y: "loss", series });
    compare("panels", &panels("Training", "step", &both).unwrap());
}

#[test]
fn dots_are_drawn_as_they_were() {
    let row = |name: &str, values: &[f64], reference| DotRow {
        name: name.to_owned(),
        values: values.to_vec(),
        reference,
    };
    let chart = DotChart {
        title: "Plans".to_owned(),
        x: "MAP".to_owned(),
        rows: vec![
            row("zero-shot", &[0.21], false),
            row("plan", &[0.31, 0.36, 0.29], true),
        ],
    };
    compare("dots", &dots(&chart).unwrap());
}

#[test]
fn the_same_numbers_make_the_same_files() {
    let draw = || curves(&[falling("a", 9)], &AXES).unwrap();
    assert_eq!(draw(), draw());
    assert_eq!(draw().png().unwrap(), draw().png().unwrap());
}

#[test]
fn an_alignment_holds_every_token_and_a_tile_per_pair() {
    let (rows, columns) = (["In", "the", "beginning"], ["Hapo", "mwánzo ẹọṣń"]);
    let picture = Alignment {
        title: "Genesis 1:1",
        row_title: "English",
        column_title: "Swahili",
        rows: &rows,
        columns: &columns,
        plan: &[0.25, 0.05, 0.1, 0.1, 0.0, 0.5],
    };
    let drawing = alignment(&picture).unwrap();
    compare("alignment", &drawing);
    let (svg, painted) = check(&drawing);
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

/// The numbers of an attribute in the elements that hold `what`.
fn attributes(svg: &str, name: &str, what: &str) -> Vec<f64> {
    let elements = svg.lines().filter(|line| line.contains(what));
    let after = elements.map(|line| line.split(&format!(" {name}=\"")).nth(1).unwrap());
    after
        .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
        .collect()
}

fn group(name: &str, bars: &[(usize, f64)]) -> BarGroup {
    let bar = |&(class, value): &(usize, f64)| Bar {
        name: format!("solver {class}"),
        value,
        range: None,
        class: Some(class),
    };
    BarGroup {
        name: name.to_owned(),
        family: "low".to_owned(),
        bars: bars.iter().map(bar).collect(),
    }
}

fn chart(layout: BarLayout, groups: Vec<BarGroup>) -> BarChart {
    BarChart {
        title: "MAP".to_owned(),
        axis: "higher is better".to_owned(),
        classes: vec!["zero-shot".to_owned(), "distilled".to_owned()],
        classless: String::new(),
        groups,
        layout,
    }
}

#[test]
fn an_upright_bar_is_as_high_as_its_value() {
    let groups = vec![
        group("Swahili", &[(0, 0.05), (1, 0.1)]),
        group("Tagalog", &[(1, 0.2)]),
    ];
    let drawing = bars(&chart(BarLayout::Upright, groups)).unwrap();
    compare("upright-bars", &drawing);
    let (svg, painted) = check(&drawing);
    assert!(0.02 < painted, "{painted}");
    for label in ["Swahili", "Tagalog", "low", ".050", "higher is better"] {
        assert!(svg.contains(&format!(">{label}<")), "{label}");
    }
    // Bars are 21 wide; the plot is 260 high and ends at 0.2.
    let heights = attributes(&svg, "height", "width=\"21.00\"");
    assert_eq!(heights, [65.0, 130.0, 260.0]);
}

#[test]
fn upright_bars_have_ranges_and_a_place_without_class() {
    let mut groups = vec![group("Swahili", &[(1, 0.1), (0, 0.05)])];
    groups[0].bars[0].range = Some((0.05, 0.2));
    groups[0].bars[1].class = None;
    let (svg, _) = check(&bars(&chart(BarLayout::Upright, groups)).unwrap());
    // The axis ends at 0.2, where the range does, and the classless bar stands last.
    let bars = "width=\"21.00\"";
    assert_eq!(attributes(&svg, "height", bars), [130.0, 65.0]);
    let left = attributes(&svg, "x", bars);
    assert!((left[1] - left[0] - 23.0).abs() < 0.02, "{left:?}");
    let range = "stroke=\"#222222\"";
    let ends = ["y1", "y2"].map(|end| attributes(&svg, end, range)[0]);
    assert!((ends[0] - ends[1] - 0.75 * 260.0).abs() < 0.02, "{ends:?}");
}

fn flat_chart(values: &[f64]) -> BarChart {
    let bars: Vec<_> = values.iter().copied().enumerate().collect();
    let mut chart = chart(
        BarLayout::Flat { columns: 3 },
        vec![group("256x32x32", &bars)],
    );
    chart.classless = "broken".to_owned();
    chart
}

#[test]
fn a_flat_bar_is_as_long_as_its_logarithm() {
    let mut chart = flat_chart(&[2.0, 200.0]);
    chart.groups[0].bars[1].range = Some((100.0, 1000.0));
    let drawing = bars(&chart).unwrap();
    compare("flat-bars", &drawing);
    let (svg, painted) = check(&drawing);
    assert!(0.01 < painted, "{painted}");
    for label in [
        "256x32x32",
        "solver 0",
        "2.00",
        "200",
        "1,000",
        "distilled",
        "broken",
    ] {
        assert!(svg.contains(&format!(">{label}<")), "{label}");
    }
    // From 1 to 1000 on 250: two decades are 166.67 apart.
    let widths = attributes(&svg, "width", "height=\"10.00\"");
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
fn bars_that_have_no_place_are_refused() {
    let refused = |chart: &BarChart| bars(chart).unwrap_err().to_string();
    assert_eq!(
        refused(&flat_chart(&[1.0, 0.0])),
        "group \"256x32x32\": value 1 is 0, expected a positive number"
    );
    assert_eq!(
        refused(&flat_chart(&[1.0, f64::NAN])),
        "group \"256x32x32\": value 1 is NaN, expected a finite number"
    );
    assert_eq!(
        refused(&flat_chart(&[1.0, 1.0, 1.0])),
        "group \"256x32x32\": value 2 is 2, expected a class of the chart"
    );
    assert_eq!(refused(&flat_chart(&[])), "group \"256x32x32\" is empty");
    let mut flat = flat_chart(&[1.0]);
    flat.groups.clear();
    assert_eq!(refused(&flat), "the chart is empty");
    let upright = |bars| chart(BarLayout::Upright, vec![group("Swahili", bars)]);
    assert_eq!(
        refused(&upright(&[(0, 1.0), (0, 0.5)])),
        "group \"Swahili\": value 1 is 0.5, expected one bar per class"
    );
    assert_eq!(
        refused(&upright(&[(2, 1.0)])),
        "group \"Swahili\": value 0 is 2, expected a class of the chart"
    );
    assert_eq!(refused(&upright(&[])), "the chart is empty");
}

#[test]
fn letters_of_the_languages_are_painted_and_differ() {
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
            alignment(&picture).unwrap().png().unwrap()
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
fn numbers_that_cannot_be_drawn_are_refused() {
    let broken = Series::new("distilled", vec![(0.0, 1.0), (1.0, f64::NAN)]);
    let error = curves(&[broken], &AXES).unwrap_err();
    assert_eq!(
        error.to_string(),
        "series \"distilled\" of panel \"loss\": value 1 is NaN, expected a finite number"
    );
    let empty = curves(&[Series::new("none", Vec::new())], &AXES).unwrap_err();
    assert_eq!(
        empty.to_string(),
        "series \"none\" of panel \"loss\" is empty"
    );
    assert!(matches!(curves(&[], &AXES), Err(ReportError::Empty(_))));
    assert!(matches!(panels("", "", &[]), Err(ReportError::Empty(_))));

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
        alignment(&picture).unwrap_err().to_string()
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
}

#[test]
fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let drawing = curves(&[falling("a", 3)], &AXES).unwrap();
    let error = drawing
        .save(&folder.path().join("nowhere/loss"))
        .unwrap_err();
    assert!(matches!(error, ReportError::Write { .. }), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("nowhere/loss.svg cannot be written")
    );
}
