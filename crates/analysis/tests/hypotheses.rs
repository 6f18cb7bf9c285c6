//! Verdicts on studies whose truth is known.
#![allow(clippy::unwrap_used)]

mod common;

use common::{HEADER, table};
use optical_analysis::{
    At, Decision, End, Groups, Hypothesis, Kind, Quantity, Settings, Study, Verdict, analyse,
    faults, verdicts,
};

/// Methods `a` and `b` at sizes 1, 10 and 100, whose low-resource languages gain by `slopes` a decade and
/// whose high-resource one by 0.1; topics differ by up to `spread` in their slopes.
fn study(slopes: [f64; 2], spread: f64) -> Study {
    let mut text = HEADER.to_owned();
    for (method, slope) in ["a", "b"].into_iter().zip(slopes) {
        for (x, size) in ["1", "10", "100"].into_iter().enumerate() {
            for (language, group, slope) in [
                ("hau", "low", slope),
                ("twi", "low", slope),
                ("deu", "high", 0.1),
            ] {
                for topic in 0..20 {
                    let own = spread * (f64::from(topic) / 19.0 - 0.5);
                    let value = 0.3 + x as f64 * (slope + own);
                    text.push_str(&format!(
                        "{method},{size},1,{language},{group},q{topic},{value}\n"
                    ));
                }
            }
        }
    }
    Study::new(&table(text).unwrap(), &Groups::default()).unwrap()
}

fn claim(kind: Kind) -> Hypothesis {
    Hypothesis {
        id: format!("{kind:?}"),
        text: String::new(),
        kind,
        method: "a".to_owned(),
        than: matches!(kind, Kind::SmallerSlope | Kind::Level).then(|| "b".to_owned()),
        size: (kind == Kind::Level).then_some(At::End(End::Smallest)),
        than_size: (kind == Kind::Level).then_some(At::End(End::Smallest)),
        of: (kind == Kind::Equivalent).then_some(Quantity::Gap),
        margin: matches!(kind, Kind::Equivalent | Kind::Level).then_some(0.02),
    }
}

fn judged(study: &Study, family: &[Hypothesis]) -> Vec<Verdict> {
    verdicts(study, &Settings::new(400, 1).unwrap(), family)
}

const KINDS: [Kind; 4] = [
    Kind::Rises,
    Kind::Equivalent,
    Kind::SmallerSlope,
    Kind::Level,
];

#[test]
fn what_is_true_is_supported_with_its_effect() {
    // The gap of a grows by 0.1 - 0.09 a decade, which is within 0.02; b is steeper by 0.01.
    let found = judged(&study([0.09, 0.1], 0.02), &KINDS.map(claim));
    let effects = [0.09, 0.01, -0.01, 0.0];
    for (verdict, effect) in found.iter().zip(effects) {
        assert_eq!(verdict.decision, Decision::Supported, "{verdict:?}");
        assert!(
            (verdict.effect.unwrap() - effect).abs() < 1e-12,
            "{verdict:?}"
        );
        // No resample speaks against any: 1 / 401 each, times as many as are left by Holm.
        assert!(
            (verdict.p.unwrap() - 1.0 / 401.0).abs() < 1e-12,
            "{verdict:?}"
        );
        assert!(
            (verdict.p_corrected.unwrap() - 4.0 / 401.0).abs() < 1e-12,
            "{verdict:?}"
        );
    }
}

#[test]
fn what_is_false_is_refuted() {
    // Languages of a fall by 0.05, its gap grows by 0.15; b falls by 0.1 and is the flatter one.
    let found = judged(
        &study([-0.05, -0.1], 0.02),
        &[KINDS[0], KINDS[1], KINDS[2]].map(claim),
    );
    for verdict in &found {
        assert_eq!(verdict.decision, Decision::Refuted, "{verdict:?}");
    }
    let mut behind = claim(Kind::Level);
    behind.size = Some(At::End(End::Largest));
    let found = judged(&study([-0.05, -0.1], 0.02), &[behind]);
    // 0.3 - 2 * 0.05 against 0.3.
    assert!((found[0].effect.unwrap() + 0.1).abs() < 1e-12);
    assert_eq!(found[0].decision, Decision::Refuted);
}

#[test]
fn what_topics_disagree_on_is_undecided() {
    let found = judged(
        &study([0.01, 0.01], 0.4),
        &[claim(Kind::Rises), claim(Kind::SmallerSlope)],
    );
    for verdict in &found {
        assert_eq!(verdict.decision, Decision::Undecided, "{verdict:?}");
    }
}

#[test]
fn the_interval_is_that_of_the_analysis() {
    let study = study([0.02, 0.05], 0.1);
    let settings = Settings::new(300, 9).unwrap();
    let found = &verdicts(
        &study,
        &settings,
        &[claim(Kind::Equivalent), claim(Kind::SmallerSlope)],
    );
    let analysis = analyse(&study, &settings);
    assert_eq!(found[0].interval, analysis.methods["a"].slope.gap_interval);
    let slopes = analysis
        .contrasts
        .iter()
        .find(|it| it.size.is_none())
        .unwrap();
    let (ours, theirs) = (
        found[1].interval.unwrap(),
        slopes.low_difference_interval.unwrap(),
    );
    assert!(
        ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() < 1e-12),
        "{ours:?} {theirs:?}"
    );
}

#[test]
fn what_is_not_there_is_undecided_and_named() {
    let mut unknown = claim(Kind::Rises);
    unknown.method = "c".to_owned();
    let mut size = claim(Kind::Level);
    size.size = Some(At::Parameters(7.0));
    let found = judged(&study([0.1, 0.1], 0.1), &[unknown, size]);
    assert_eq!(found[0].note, "there is no method c, only a, b");
    assert_eq!(found[1].note, "a has no size 7, only 1, 10, 100");
    assert!(
        found
            .iter()
            .all(|it| it.decision == Decision::Undecided && it.p.is_none())
    );
}

#[test]
fn keys_of_other_kinds_and_bad_values_are_told() {
    assert!(faults(&KINDS.map(claim)).is_empty());
    let mut bare = claim(Kind::Level);
    (bare.than, bare.margin, bare.of) = (None, Some(-1.0), Some(Quantity::Low));
    let told = faults(&[bare.clone(), bare]).join("\n");
    for part in [
        "than is missing",
        "margin = -1",
        "of is not a key",
        "two hypotheses have the id \"Level\"",
    ] {
        assert!(told.contains(part), "{told}");
    }
}
