//! A study with topics and seeds: the schema of its answer, plain computations of the same numbers, and
//! the same answer whatever the threads and the order of rows.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use common::{HEADER, analysis, json};
use optical_analysis::{Settings, sheets};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

const SIZES: [f64; 4] = [2e6, 7e6, 2.1e7, 8.5e7];
const LANGUAGES: [(&str, &str, &str); 6] = [
    ("hau", "low", "p"),
    ("ibo", "low", "p"),
    ("twi", "low", "q"),
    ("deu", "high", "p"),
    ("spa", "high", "r"),
    ("eng", "control", "s"),
];
const TOPICS: usize = 7;

/// Methods `a` (three seeds) and `b` (two seeds; not at the second size): hau, ibo and deu are parallel.
fn rows() -> Vec<(String, f64)> {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let mut rows = Vec::new();
    for (method, seeds, lift) in [("a", 3, 0.02), ("b", 2, 0.05)] {
        for (place, size) in SIZES.iter().enumerate() {
            if method == "b" && place == 1 {
                continue;
            }
            for (number, (language, group, set)) in LANGUAGES.iter().enumerate() {
                for seed in 0..seeds {
                    for topic in 0..TOPICS {
                        let noise: f64 = random.random_range(-0.1..0.1);
                        let value = 0.3 + 0.08 * number as f64 + lift * place as f64 + noise;
                        let row = format!("{method},{size},{seed},{language},{group},{set}{topic}");
                        rows.push((row, value));
                    }
                }
            }
        }
    }
    rows
}

fn text(rows: &[(String, f64)]) -> String {
    let lines = rows.iter().map(|(row, value)| format!("{row},{value}\n"));
    HEADER.to_owned() + &lines.collect::<String>()
}

fn settings() -> Settings {
    Settings::new(200, 4).unwrap()
}

fn found() -> Value {
    json(&analysis(&text(&rows()), &settings()))
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

fn set<const N: usize>(names: [&'static str; N]) -> BTreeSet<&'static str> {
    BTreeSet::from(names)
}

#[test]
fn the_answer_has_the_schema() {
    let found = found();
    assert_eq!(keys(&found), set(["contrasts", "methods"]));
    let method = &found["methods"]["a"];
    let parts = ["languages", "mixed", "power_law", "sizes", "slope"];
    assert_eq!(keys(method), set(parts));
    let quantities = ["gap", "high", "log_gap", "low", "relative_gap"];
    for size in method["sizes"].as_array().unwrap() {
        let expected: BTreeSet<&str> = set(quantities)
            .union(&set(["interval", "languages", "size"]))
            .copied()
            .collect();
        assert_eq!(keys(size), expected);
        assert_eq!(keys(&size["interval"]), set(quantities));
        assert_eq!(
            keys(&size["languages"]),
            set(["deu", "eng", "hau", "ibo", "spa", "twi"])
        );
        for quantity in quantities {
            let [low, high] = [0, 1].map(|end| size["interval"][quantity][end].as_f64().unwrap());
            let value = size[quantity].as_f64().unwrap();
            assert!(
                low < value && value < high,
                "{quantity}: {low} {value} {high}"
            );
        }
    }
    let slopes: Vec<String> = quantities
        .iter()
        .flat_map(|it| [(*it).to_owned(), format!("{it}_interval")])
        .collect();
    assert_eq!(
        keys(&method["slope"]),
        slopes.iter().map(String::as_str).collect()
    );
    let languages = &method["languages"];
    assert_eq!(
        keys(languages),
        set(["leave_one_out", "permutation_p", "welch"])
    );
    assert_eq!(
        keys(&languages["welch"]),
        set(["df", "difference", "p", "se", "t"])
    );
    assert_eq!(
        keys(&languages["leave_one_out"]),
        set(["deu", "hau", "ibo", "spa", "twi"])
    );
    assert_eq!(keys(&method["mixed"]), set(["ml", "reml"]));
    let laws = &method["power_law"];
    assert_eq!(
        keys(laws),
        set(["deu", "eng", "hau", "high", "ibo", "low", "spa", "twi"])
    );
    let law = ["alpha", "delta", "identified", "rss", "scale"];
    assert_eq!(keys(&laws["hau"]), set(law));
    let group: BTreeSet<&str> = set(law).union(&set(["alpha_interval"])).copied().collect();
    assert_eq!(keys(&laws["low"]), group);
    let contrasts = found["contrasts"].as_array().unwrap();
    let sizes: Vec<Option<f64>> = contrasts.iter().map(|it| it["size"].as_f64()).collect();
    assert_eq!(
        sizes,
        [Some(SIZES[0]), Some(SIZES[2]), Some(SIZES[3]), None]
    );
    let expected = [
        "a",
        "b",
        "gap_difference",
        "gap_difference_interval",
        "low_difference",
        "low_difference_interval",
        "p",
        "p_corrected",
        "size",
    ];
    assert_eq!(keys(&contrasts[0]), set(expected));
}

/// The mean over languages of means over all values, from the rows themselves.
fn plain_mean(method: &str, size: f64, group: &str) -> f64 {
    let rows = rows();
    let of_language = |language: &str| {
        let start = format!("{method},{size},");
        let part = format!(",{language},");
        let values: Vec<f64> = rows
            .iter()
            .filter(|(row, _)| row.starts_with(&start) && row.contains(&part))
            .map(|(_, value)| *value)
            .collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    let languages: Vec<f64> = LANGUAGES
        .iter()
        .filter(|(_, its, _)| *its == group)
        .map(|(language, ..)| of_language(language))
        .collect();
    languages.iter().sum::<f64>() / languages.len() as f64
}

/// The slope as covariance over variance, by raw sums.
fn plain_slope(sizes: &[f64], value: impl Fn(f64) -> f64) -> f64 {
    let (mut x, mut y, mut xx, mut xy) = (0.0, 0.0, 0.0, 0.0);
    for &size in sizes {
        let (at, value) = (size.log10(), value(size));
        (x, y, xx, xy) = (x + at, y + value, xx + at * at, xy + at * value);
    }
    let count = sizes.len() as f64;
    (xy - x * y / count) / (xx - x * x / count)
}

#[track_caller]
fn assert_close(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap();
    assert!(
        (found - expected).abs() < 1e-12,
        "{found} against {expected}"
    );
}

#[test]
fn slopes_and_contrasts_are_those_of_a_plain_computation() {
    let found = found();
    let gap = |method, size| plain_mean(method, size, "high") - plain_mean(method, size, "low");
    let slope = &found["methods"]["a"]["slope"];
    assert_close(&slope["gap"], plain_slope(&SIZES, |size| gap("a", size)));
    assert_close(
        &slope["low"],
        plain_slope(&SIZES, |size| plain_mean("a", size, "low")),
    );
    let relative = |size| gap("a", size) / plain_mean("a", size, "high");
    assert_close(&slope["relative_gap"], plain_slope(&SIZES, relative));
    let log =
        |size| ((1.0 - plain_mean("a", size, "low")) / (1.0 - plain_mean("a", size, "high"))).ln();
    assert_close(&slope["log_gap"], plain_slope(&SIZES, log));
    let of_b = [SIZES[0], SIZES[2], SIZES[3]];
    for (contrast, size) in found["contrasts"].as_array().unwrap().iter().zip(of_b) {
        assert_close(&contrast["gap_difference"], gap("a", size) - gap("b", size));
        let low = plain_mean("a", size, "low") - plain_mean("b", size, "low");
        assert_close(&contrast["low_difference"], low);
    }
    let slopes = &found["contrasts"][3];
    let b = plain_slope(&of_b, |size| gap("b", size));
    assert_close(
        &slopes["gap_difference"],
        plain_slope(&SIZES, |size| gap("a", size)) - b,
    );
    let low = |method, sizes: &[f64]| plain_slope(sizes, |size| plain_mean(method, size, "low"));
    assert_close(
        &slopes["low_difference"],
        low("a", &SIZES) - low("b", &of_b),
    );
}

/// Three contrasts at sizes and one of slopes: the families are corrected apart.
#[test]
fn p_values_are_corrected_by_family() {
    let found = found();
    let contrasts = found["contrasts"].as_array().unwrap();
    assert_eq!(contrasts[3]["p"], contrasts[3]["p_corrected"]);
    let least = contrasts[..3].iter().min_by(|a, b| {
        a["p"]
            .as_f64()
            .unwrap()
            .total_cmp(&b["p"].as_f64().unwrap())
    });
    let least = least.unwrap();
    let expected = (3.0 * least["p"].as_f64().unwrap()).min(1.0);
    assert_close(&least["p_corrected"], expected);
}

#[test]
fn threads_and_the_order_of_rows_change_nothing() {
    let mut random_languages = settings();
    random_languages.random_languages = true;
    for settings in [settings(), random_languages] {
        let with = |threads, text: &str| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let found = pool.install(|| analysis(text, &settings));
            serde_json::to_string(&found).unwrap()
        };
        let one = with(1, &text(&rows()));
        assert_eq!(with(2, &text(&rows())), one);
        let mut turned = rows();
        turned.reverse();
        assert_eq!(with(2, &text(&turned)), one);
    }
}

#[test]
fn another_seed_draws_others() {
    let intervals = |seed| {
        let found = json(&analysis(
            &text(&rows()),
            &Settings::new(200, seed).unwrap(),
        ));
        found["methods"]["a"]["slope"]["gap_interval"].clone()
    };
    assert_ne!(intervals(1), intervals(2));
}

/// Parallel languages share every draw: where their values differ by a constant, the gap of every
/// resample of topics is that constant.
#[test]
fn parallel_languages_share_their_draws() {
    let study = |deu: &str| {
        let mut text = HEADER.to_owned();
        for (place, size) in SIZES.iter().enumerate() {
            for topic in 0..9 {
                let value = 0.1 + 0.05 * f64::from(topic * topic % 7) + 0.02 * place as f64;
                text.push_str(&format!("m,{size},1,hau,low,t{topic},{value}\n"));
                text.push_str(&format!(
                    "m,{size},1,deu,high,{deu}{topic},{}\n",
                    value + 0.25
                ));
            }
        }
        json(&analysis(&text, &settings()))["methods"]["m"]["sizes"][0]["interval"]["gap"].take()
    };
    let width = |gap: &Value| gap[1].as_f64().unwrap() - gap[0].as_f64().unwrap();
    assert!(width(&study("t")).abs() < 1e-12);
    assert!(0.05 < width(&study("u")));
}

/// With one seed and no topics nothing is resampled: every interval is null, the tests stay.
#[test]
fn intervals_are_null_where_nothing_is_resampled() {
    let mut text = HEADER.to_owned();
    for (place, size) in SIZES.iter().enumerate() {
        for (number, (language, group, _)) in LANGUAGES.iter().enumerate() {
            let value = 0.2 + 0.1 * number as f64 + 0.03 * (place * (number + 1) % 5) as f64;
            text.push_str(&format!("m,{size},1,{language},{group},,{value}\n"));
        }
    }
    let found = json(&analysis(&text, &settings()));
    let method = &found["methods"]["m"];
    let intervals = method["sizes"][2]["interval"].as_object().unwrap();
    assert!(intervals.values().all(Value::is_null));
    assert!(method["slope"]["gap_interval"].is_null());
    assert!(method["languages"]["welch"]["p"].is_f64());
}

#[test]
fn one_size_has_no_slope_and_no_model() {
    let mut rows = rows();
    rows.retain(|(row, _)| row.starts_with(&format!("a,{},", SIZES[2])));
    let found = json(&analysis(&text(&rows), &settings()));
    let method = &found["methods"]["a"];
    assert!(
        method["slope"]
            .as_object()
            .unwrap()
            .values()
            .all(Value::is_null)
    );
    assert!(method["languages"]["welch"].is_null());
    assert!(method["languages"]["permutation_p"].is_null());
    assert!(method["mixed"]["reml"].is_null() && method["mixed"]["ml"].is_null());
    assert!(
        method["power_law"]
            .as_object()
            .unwrap()
            .values()
            .all(Value::is_null)
    );
    assert_eq!(found["contrasts"], serde_json::json!([]));
}

/// The tables have a cell for every header, and the numbers of the answer.
#[test]
fn tables_are_whole() {
    let analysis = analysis(&text(&rows()), &settings());
    let sheets = sheets(&analysis);
    for sheet in &sheets {
        assert!(!sheet.rows.is_empty(), "{}", sheet.title);
        for row in &sheet.rows {
            assert_eq!(row.len(), sheet.headers.len(), "{}", sheet.title);
        }
    }
    let gap = analysis.methods["a"].sizes[0].gap;
    assert_eq!(sheets[0].title, "a: means and gaps, 95 % intervals");
    assert_eq!(sheets[0].rows[0][0], "2000000");
    assert!(sheets[0].rows[0][3].starts_with(&format!("{gap:.4} [")));
    let last = sheets.last().unwrap();
    assert_eq!(last.rows[3][..2], ["a - b", "per decade"]);
}

/// One topic, by which two languages differ alike: parallel, it has one sign, and every flip is as far
/// from zero; else the two signs agree in half of all flips. Without topics languages are the units.
#[test]
fn parallel_topics_change_their_signs_together() {
    let p = |of_hau: &str, of_ibo: &str| {
        let mut text = HEADER.to_owned();
        for (method, value) in [("a", 0.5), ("b", 0.3)] {
            for (language, topic) in [("hau", of_hau), ("ibo", of_ibo)] {
                text.push_str(&format!("{method},1,1,{language},low,{topic},{value}\n"));
            }
            let topic = if of_hau.is_empty() { "" } else { "h" };
            text.push_str(&format!("{method},1,1,deu,high,{topic},0.9\n"));
        }
        let found = json(&analysis(&text, &Settings::new(4_000, 2).unwrap()));
        found["contrasts"][0]["p"].as_f64().unwrap()
    };
    assert_eq!(p("t", "t"), 1.0);
    for share in [p("t", "u"), p("", "")] {
        // Four standard errors of 4,000 flips.
        assert!((share - 0.5).abs() < 0.032, "{share}");
    }
}
