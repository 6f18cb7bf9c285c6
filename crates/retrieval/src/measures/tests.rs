//! The worked example is from `trec_eval` 10.0 built from source (commit f425365).
#![allow(clippy::unwrap_used)]

use super::*;
use crate::ranking::Hit;

fn qrels(judgements: &[(&str, &str, i32)]) -> Qrels {
    let own =
        |&(topic, document, grade): &(&str, &str, i32)| (topic.into(), document.into(), grade);
    Qrels::from_judgements(judgements.iter().map(own)).unwrap()
}

fn run(rankings: &[(&str, &[(&str, f32)])]) -> Run {
    let mut run = Run::new("test");
    for (topic, hits) in rankings {
        let hit = |&(id, score): &(&str, f32)| Hit {
            id: id.into(),
            score,
        };
        run.insert(topic, hits.iter().map(hit)).unwrap();
    }
    run
}

fn example() -> (Qrels, Run) {
    let qrels = qrels(&[
        ("q1", "d1", 3),
        ("q1", "d2", 1),
        ("q1", "d3", 0),
        ("q1", "d4", 2),
        ("q1", "d9", 1),
        ("q2", "d1", 0),
        ("q2", "d5", 1),
        ("q3", "d7", 1),
    ]);
    let q1: &[_] = &[
        ("d3", 2.0),
        ("d1", 1.9),
        ("d2", 1.9),
        ("d8", 1.5),
        ("d4", 1.0),
    ];
    (
        qrels,
        run(&[("q1", q1), ("q2", &[("d6", 3.0), ("d5", 2.0)])]),
    )
}

fn value(evaluation: &Evaluation, topic: &str, measure: &str) -> Option<f64> {
    let measure = measure.parse().unwrap();
    match topic {
        "all" => evaluation.aggregate(measure),
        _ => evaluation.value(topic, measure),
    }
}

fn check(options: &Options, topic: &str, expected: &[(&str, f64)]) {
    let (qrels, run) = example();
    let measures: Vec<_> = expected
        .iter()
        .map(|(name, _)| name.parse().unwrap())
        .collect();
    let evaluation = evaluate(&qrels, &run, &measures, options);
    for &(name, expected) in expected {
        let value = value(&evaluation, topic, name).unwrap();
        assert!(
            (value - expected).abs() < 5e-5,
            "{topic} {name}: {value}, expected {expected}"
        );
    }
}

#[test]
fn the_worked_example_has_its_values() {
    let options = Options::default();
    check(
        &options,
        "q1",
        &[
            ("map", 0.4417),
            ("recip_rank", 0.5),
            ("P_3", 0.6667),
            ("P_5", 0.6),
            ("P_10", 0.3),
            ("recall_3", 0.5),
            ("recall_100", 0.75),
            ("ndcg_cut_3", 0.4475),
            ("ndcg_cut_5", 0.5594),
            ("ndcg_cut_10", 0.5594),
            ("judged_5", 0.8),
            ("judged_10", 0.8),
        ],
    );
    check(
        &options,
        "q2",
        &[
            ("map", 0.5),
            ("recip_rank", 0.5),
            ("P_3", 0.3333),
            ("recall_3", 1.0),
            ("ndcg_cut_3", 0.6309),
            ("judged_5", 0.5),
            ("num_q", 1.0),
        ],
    );
    check(
        &options,
        "all",
        &[
            ("map", 0.47085),
            ("num_q", 2.0),
            ("num_ret", 7.0),
            ("num_rel", 5.0),
        ],
    );
}

#[test]
fn complete_topics_counts_missing_rankings_as_empty() {
    let options = Options {
        complete_topics: true,
        ..Options::default()
    };
    check(
        &options,
        "all",
        &[
            ("map", 0.3139),
            ("recip_rank", 0.3333),
            ("P_10", 0.1333),
            ("recall_100", 0.5833),
            ("ndcg_cut_10", 0.3968),
            ("num_q", 3.0),
            ("num_rel", 6.0),
            ("num_ret", 7.0),
            // exp of the mean of ln(53/120), ln(1/2) and ln(1e-5), where 53/120 = (1/2 + 2/3 + 3/5) / 4.
            ("gm_map", (0.441_666_666_7_f64 * 0.5 * 1e-5).cbrt()),
        ],
    );
    check(
        &options,
        "q3",
        &[
            ("map", 0.0),
            ("11pt_avg", 0.0),
            ("judged_5", 0.0),
            ("num_rel", 1.0),
        ],
    );
}

/// Of q1, d1 (grade 3) and d4 (grade 2) count: ranks 3 and 5.
#[test]
fn the_relevance_level_leaves_ndcg_alone() {
    let options = Options {
        relevance_level: 2,
        ..Options::default()
    };
    check(
        &options,
        "q1",
        &[
            ("map", (1.0 / 3.0 + 2.0 / 5.0) / 2.0),
            ("num_rel", 2.0),
            ("recip_rank", 1.0 / 3.0),
            // d3 and d2 are judged, not relevant and ahead of both, the most that is counted.
            ("bpref", 0.0),
            ("ndcg_cut_10", 0.5594),
        ],
    );
}

#[test]
fn unjudged_documents_leave_after_the_ranking_was_cut() {
    let judged = Options {
        judged_only: true,
        ..Options::default()
    };
    check(
        &judged,
        "q1",
        &[("num_ret", 4.0), ("map", (0.5 + 2.0 / 3.0 + 0.75) / 4.0)],
    );
    let both = Options {
        max_docs: Some(4),
        ..judged
    };
    check(
        &both,
        "q1",
        &[("num_ret", 3.0), ("set_P", 2.0 / 3.0), ("set_F", 4.0 / 7.0)],
    );
}

#[test]
fn what_is_undefined_has_no_value() {
    let qrels = qrels(&[("q1", "d1", 1)]);
    let run = run(&[("q1", &[("d2", 1.0)])]);
    let options = Options {
        judged_only: true,
        ..Options::default()
    };
    let measures = Measure::parse("all_trec").unwrap();
    let evaluation = evaluate(&qrels, &run, &measures, &options);
    for topic in ["q1", "all"] {
        assert_eq!(value(&evaluation, topic, "11pt_avg"), None);
        assert_eq!(value(&evaluation, topic, "iprec_at_recall_0.00"), None);
        assert_eq!(value(&evaluation, topic, "iprec_at_recall_0.10"), Some(0.0));
        assert_eq!(value(&evaluation, topic, "map"), Some(0.0));
    }
    let none = evaluate(&qrels, &Run::new("empty"), &measures, &Options::default());
    assert_eq!(none.topics().len(), 0);
    assert_eq!(value(&none, "all", "map"), None);
    assert_eq!(value(&none, "all", "num_ret"), Some(0.0));
}

/// d2 was in the pool but not judged: neither relevant nor an error that bpref would count.
#[test]
fn negative_grades_are_no_judgements() {
    let qrels = qrels(&[("q1", "d1", 1), ("q1", "d2", -1), ("q1", "d3", 0)]);
    let run = run(&[("q1", &[("d2", 3.0), ("d1", 2.0), ("d3", 1.0)])]);
    let measures: Vec<_> = ["bpref", "judged_2", "map"]
        .map(|name| name.parse().unwrap())
        .into();
    let evaluation = evaluate(&qrels, &run, &measures, &Options::default());
    let values: Vec<_> = evaluation
        .topics()
        .flat_map(|(_, values)| values)
        .copied()
        .collect();
    // In trec_eval's order: map, bpref, judged.
    assert_eq!(values, [Some(0.5), Some(1.0), Some(0.5)]);
}

#[test]
fn several_runs_are_averaged_topic_by_topic() {
    let qrels = qrels(&[("q1", "d1", 1), ("q2", "d2", 1)]);
    let first = run(&[("q1", &[("d1", 1.0)]), ("q2", &[("d1", 1.0)])]);
    let second = run(&[("q1", &[("d2", 2.0), ("d1", 1.0)]), ("q2", &[("d2", 1.0)])]);
    let map = "map".parse().unwrap();
    let [first, second] =
        [first, second].map(|run| evaluate(&qrels, &run, &[map], &Options::default()));
    let mean = Evaluation::mean(&[first.clone(), second]).unwrap();
    assert_eq!(value(&mean, "q1", "map"), Some(0.75));
    assert_eq!(value(&mean, "q2", "map"), Some(0.5));
    assert_eq!(value(&mean, "all", "map"), Some(0.625));
    assert_eq!(
        Evaluation::mean(std::slice::from_ref(&first)),
        Some(first.clone())
    );
    let others = evaluate(&qrels, &Run::new("empty"), &[], &Options::default());
    assert_eq!(Evaluation::mean(&[first, others]), None);
    assert_eq!(Evaluation::mean(&[]), None);
}
