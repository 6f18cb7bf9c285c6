//! Draws one picture of each kind into a folder, to look at after a change of the drawing code:
//! `cargo run -p optical-report --example gallery -- FOLDER`. All numbers are made up.

use std::error::Error;
use std::path::PathBuf;

use optical_report::plot::{
    Alignment, Axes, Bar, BarChart, BarGroup, BarLayout, DotChart, DotRow, Panel, Series,
    SeriesStyle, alignment, bars, curves, dots, panels,
};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: gallery FOLDER")?);
    std::fs::create_dir_all(&folder)?;

    // A decay with a ripple that never repeats: the look of a loss, without random numbers.
    let ripple = |step: u32| (f64::from(step) * 2.399).sin() * (f64::from(step) * 0.731).cos();
    let decay = |rate: f64| {
        move |step: u32| 0.12 + 0.21 * (-f64::from(step) / rate).exp() + 0.02 * ripple(step)
    };
    let points = |every: usize, height: &dyn Fn(u32) -> f64| -> Vec<(f64, f64)> {
        (0..=12_000)
            .step_by(every)
            .map(|step| (f64::from(step), height(step)))
            .collect()
    };
    let loss = Series::new("training pairs", points(5, &decay(2_000.0)))
        .with_style(SeriesStyle::Smoothed(50));
    let retention = Series::new("retention pairs", points(5, &|s| 0.5 * decay(4_000.0)(s)))
        .with_style(SeriesStyle::Smoothed(50));
    let mate = Series::new("Swahili", points(500, &|s| 1.0 - 0.5 * decay(3_000.0)(s)));
    let mate_low = Series::new("Tagalog", points(500, &|s| 0.97 - 0.7 * decay(3_500.0)(s)));
    let mate_high = Series::new("German", points(500, &|s| 0.99 - 0.1 * decay(3_500.0)(s)));
    let partners = Series::new("student", points(500, &|s| 2.0 + 3.0 * decay(1_500.0)(s)));
    let cosine = Series::new("student", points(500, &|s| 0.2 + 0.4 * decay(900.0)(s)));
    let teacher = Series::new("teacher", vec![(0.0, 0.253), (12_000.0, 0.253)])
        .with_style(SeriesStyle::Reference);
    let rate = Series::new(
        "rate",
        points(100, &|s| 2e-4 * (1.0 - f64::from(s) / 12_000.0)),
    );

    let row = |name: &str, values: &[f64], reference| DotRow {
        name: name.to_owned(),
        values: values.to_vec(),
        reference,
    };
    let chart = DotChart {
        title: "Plans between tokens".to_owned(),
        x: "MAP, mean of the low-resource languages".to_owned(),
        rows: vec![
            row("zero-shot", &[0.591], false),
            row("transport plan", &[0.636, 0.641, 0.632], true),
            row("greedy pairs", &[0.628, 0.631, 0.634], false),
            row("softmax of the costs", &[0.571, 0.582, 0.566], false),
        ],
    };
    dots(&chart)?.save(&folder.join("dots"))?;

    let axes = Axes {
        title: "Transport loss",
        x: "step",
        y: "loss",
    };
    curves(std::slice::from_ref(&loss), &axes)?.save(&folder.join("loss"))?;
    let axes = Axes {
        title: "Learning rate",
        x: "step",
        y: "learning rate",
    };
    curves(&[rate], &axes)?.save(&folder.join("rate"))?;
    let training = [
        Panel {
            y: "loss (transport cost)",
            series: &[loss, retention],
        },
        Panel {
            y: "mate reciprocal rank, held-out pairs",
            series: &[mate, mate_low, mate_high],
        },
        Panel {
            y: "cosine within a sentence",
            series: &[cosine, teacher],
        },
        Panel {
            y: "effective partners of a token",
            series: &[partners],
        },
    ];
    panels("Training of the student", "step", &training)?.save(&folder.join("training"))?;

    let (low, high) = ("low-resource", "high-resource");
    let bar = |(class, value): (usize, f64)| Bar {
        name: String::new(),
        value,
        range: None,
        class: Some(class),
    };
    let group = |name: &str, family: &str, values: [f64; 4]| BarGroup {
        name: name.to_owned(),
        family: family.to_owned(),
        bars: values.into_iter().enumerate().map(bar).collect(),
    };
    let mut groups = vec![
        group("Swahili", low, [0.021, 0.076, 0.108, 0.131]),
        group("Tagalog", low, [0.034, 0.070, 0.094, 0.131]),
        group("Yorùbá (ẹ ọ ṣ ń)", low, [0.012, 0.031, 0.062, 0.131]),
        group("German", high, [0.015, 0.095, 0.107, 0.131]),
        group("Русский", high, [0.001, 0.099, 0.105, 0.131]),
        group("Indonesian", "", [0.017, 0.088, 0.104, 0.131]),
    ];
    groups[4].bars.remove(0);
    let systems = ["BM25, raw query", "zero-shot", "distilled", "English query"];
    let chart = BarChart {
        title: "Retrieval of English documents, by query language".to_owned(),
        axis: "MAP".to_owned(),
        classes: systems.map(str::to_owned).to_vec(),
        classless: String::new(),
        groups,
        layout: BarLayout::Upright,
    };
    bars(&chart)?.save(&folder.join("bars"))?;
    solvers(&folder.join("flat-bars"))?;

    soft_alignment(
        &folder.join("alignment"),
        "Swahili",
        "In the beginning God created the heaven and the earth .",
        "Hapo mwanzo Mungu ali umba mbingu na nchi .",
        &[1.0, 1.2, 0.5, 2.0, 3.2, 4.5, 4.8, 5.0, 6.0, 7.0, 8.0],
    )?;
    soft_alignment(
        &folder.join("alignment-wide"),
        "Yorùbá, Русский, العربية",
        "Lord , have mercy",
        "Olúwa ṣàánú fún wa ẹ̀mí ọ̀rọ̀ ń lọ Господи помилуй нас الرب الرحمن ɓera ƙarfi ẹlẹ́gbẹ́ antidisestablishment",
        &[0.0, 4.0, 8.5, 14.0],
    )?;
    let text = (0..40)
        .map(|n| format!("token{n}"))
        .collect::<Vec<_>>()
        .join(" ");
    let path: Vec<f64> = (0..40).map(f64::from).collect();
    soft_alignment(
        &folder.join("alignment-long"),
        "Foreign",
        &text,
        &text,
        &path,
    )?;
    soft_alignment(
        &folder.join("alignment-small"),
        "Kinyarwanda",
        "yes",
        "yego",
        &[0.0],
    )?;
    Ok(())
}

/// Times over five powers of ten, in groups of different sizes.
fn solvers(stem: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let bar = |name: &str, value: f64, class: usize| Bar {
        name: name.to_owned(),
        value,
        range: Some((0.9 * value, 1.3 * value)),
        class: (class < 3).then_some(class),
    };
    let ours = [bar("ours", 1.64, 0), bar("ours, baseline", 9.99, 0)];
    let others = [
        bar("log domain, batched", 34.2, 1),
        bar("log domain, one by one", 12_310.0, 1),
        bar("kernel form", 8.3, 2),
        bar("quick and wrong", 1.2, 3),
    ];
    let group = |name: &str, bars: &[&[Bar]]| BarGroup {
        name: name.to_owned(),
        family: String::new(),
        bars: bars.concat(),
    };
    let chart = BarChart {
        title: "Optimal transport, by problem and solver".to_owned(),
        axis: "milliseconds, logarithmic: shorter is faster".to_owned(),
        classes: ["ours", "others", "others, unstable"]
            .map(str::to_owned)
            .to_vec(),
        classless: "wrong".to_owned(),
        groups: vec![
            group("256x32x32 f32 eps 0.1, 50 iterations", &[&ours, &others]),
            group("assignment 1024", &[&ours[..1], &others[2..3]]),
            group(
                "64x128x128 f64 eps 0.1, 50 iterations",
                &[&ours, &others[..1]],
            ),
        ],
        layout: BarLayout::Flat { columns: 2 },
    };
    bars(&chart)?.save(stem)?;
    Ok(())
}

/// Mass falls off on both sides of `path`, the column that each row belongs to.
fn soft_alignment(
    stem: &std::path::Path,
    language: &str,
    english: &str,
    foreign: &str,
    path: &[f64],
) -> Result<(), Box<dyn Error>> {
    let rows: Vec<&str> = english.split(' ').collect();
    let columns: Vec<&str> = foreign.split(' ').collect();
    let mass = |row: usize, column: usize| (-(path[row] - column as f64).powi(2) / 0.6).exp();
    let plan: Vec<f64> = (0..rows.len())
        .flat_map(|row| {
            let total: f64 = (0..columns.len()).map(|column| mass(row, column)).sum();
            let share = total * rows.len() as f64;
            (0..columns.len()).map(move |column| mass(row, column) / share)
        })
        .collect();
    let picture = Alignment {
        title: "Soft alignment of a verse",
        row_title: "English",
        column_title: language,
        rows: &rows,
        columns: &columns,
        plan: &plan,
    };
    alignment(&picture)?.save(stem)?;
    Ok(())
}
