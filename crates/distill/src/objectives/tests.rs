//! Objectives on sentences small enough to work out by hand.

use optical_tokenize::{TokenBatch, TokenSequence};

use super::plan::{PlanGradient, PlanSettings, Unit};
use super::*;
use crate::passages::Passages;
use crate::scalars::scalars;

const COSTS: [[f32; 3]; 2] = [[0.1, 0.8, 0.6], [0.7, 0.2, 0.9]];

/// Plan and loss of [`COSTS`], scaled, between uniform masses, in a batch with a padded column.
fn planned(settings: &PlanSettings, scale: f32) -> (f64, Vec<f64>) {
    let device = Device::flex();
    let padded = COSTS.map(|row| [row[0] * scale, row[1] * scale, row[2] * scale, f32::NAN]);
    let cost = Tensor::from_floats([padded], &device);
    let a = Tensor::from_floats([[0.5, 0.5]], &device);
    let third = 1.0 / 3.0;
    let b = Tensor::from_floats([[third, third, third, 0.0]], &device);
    let (loss, plan) = settings.loss(cost, a, b, 0).unwrap();
    (scalars(loss).unwrap()[0], scalars(plan).unwrap())
}

fn sinkhorn(epsilon: f64, unit: Unit, gradient: PlanGradient) -> PlanSettings {
    PlanSettings::Sinkhorn {
        epsilon,
        unit,
        start: epsilon,
        annealing: 0,
        iterations: 200,
        gradient,
    }
}

fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let close = |(a, b): (&f64, &f64)| (a - b).abs() < 2e-5;
    assert!(
        found.iter().zip(expected).all(close),
        "{found:?} {expected:?}"
    );
}

/// Values of Python Optimal Transport for this problem.
#[test]
fn transport_plans_are_those_of_the_problem() {
    let third = 1.0 / 3.0;
    let exact = [third, 0.0, 0.5 - third, 0.0, 0.0, third, 0.5 - third, 0.0];
    let ipot = PlanSettings::Ipot {
        beta: 0.5,
        iterations: 400,
    };
    for settings in [PlanSettings::Exact {}, ipot] {
        let (loss, plan) = planned(&settings, 1.0);
        assert_close(&plan, &exact);
        assert_close(&[loss], &[0.35]);
    }
    let entropic = [
        0.319796, 0.000048, 0.180156, 0.0, 0.013537, 0.333285, 0.153178, 0.0,
    ];
    for gradient in [
        PlanGradient::Detached,
        PlanGradient::Implicit,
        PlanGradient::Unrolled,
    ] {
        let (loss, plan) = planned(&sinkhorn(0.1, Unit::Cost, gradient), 1.0);
        assert_close(&plan, &entropic);
        assert_close(&[loss], &[0.354105]);
    }
    // What need not be moved is left where that costs less than moving it.
    let unbalanced = PlanSettings::Unbalanced {
        epsilon: 0.01,
        rho: 0.1,
        iterations: 10_000,
    };
    let (_, plan) = planned(&unbalanced, 1.0);
    assert!(plan[2] < 0.01 && plan[6] < 0.001, "{plan:?}");
    assert!(plan[0] > 0.2 && plan[5] > 0.1, "{plan:?}");
}

#[test]
fn simpler_plans_pair_as_they_say() {
    let (_, plan) = planned(&PlanSettings::Greedy {}, 1.0);
    assert_close(&plan, &[0.5, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0]);
    let (loss, plan) = planned(&PlanSettings::InOrder {}, -1.0);
    assert_close(&plan, &[0.5, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0]);
    assert_close(&[loss], &[-0.15]);
    // Of the negated costs, .9 is the least, and .8 the least of what it leaves.
    let (_, plan) = planned(&PlanSettings::Greedy {}, -1.0);
    assert_close(&plan, &[0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0]);
    let (_, plan) = planned(&PlanSettings::Softmax { temperature: 0.1 }, 1.0);
    let share = |mine: f64, other: f64| 1.0 / (1.0 + ((mine - other) / 0.1).exp()) / 3.0;
    let expected = [
        share(0.1, 0.7),
        share(0.8, 0.2),
        share(0.6, 0.9),
        0.0,
        share(0.7, 0.1),
        share(0.2, 0.8),
        share(0.9, 0.6),
        0.0,
    ];
    assert_close(&plan, &expected);
}

#[test]
fn a_regularisation_in_spreads_follows_the_scale_of_the_costs() {
    let settings = sinkhorn(0.3, Unit::Spread, PlanGradient::Detached);
    let (one, ten) = (planned(&settings, 1.0), planned(&settings, 10.0));
    assert_close(&one.1, &ten.1);
    let absolute = sinkhorn(0.3, Unit::Cost, PlanGradient::Detached);
    assert!((planned(&absolute, 1.0).1[1] - planned(&absolute, 10.0).1[1]).abs() > 0.01);
}

#[test]
fn annealing_goes_from_start_to_end_by_a_constant_factor() {
    let settings = PlanSettings::Sinkhorn {
        epsilon: 0.01,
        unit: Unit::Cost,
        start: 1.0,
        annealing: 2,
        iterations: 1,
        gradient: PlanGradient::Detached,
    };
    let at = |step| settings.epsilon(step);
    assert_close(&[at(0), at(1), at(2), at(9)], &[1.0, 0.1, 0.01, 0.01]);
}

/// Two texts padded to `width`; token 0 is a special one.
fn batch(texts: [&[u32]; 2], width: usize) -> TokenBatch {
    let sequence = |ids: &[u32]| {
        let text: Vec<bool> = ids.iter().map(|&id| id != 0).collect();
        TokenSequence {
            kept: text.clone(),
            text,
            ..TokenSequence::plain(ids.to_vec())
        }
    };
    let [one, other] = texts.map(sequence);
    // A third text makes the batch as wide as it is to be, and goes.
    let wide = TokenSequence::plain(vec![9; width]);
    let mut batch = TokenBatch::pad(&[one, other, wide], 9);
    batch.rows = 2;
    for flags in [
        &mut batch.mask,
        &mut batch.kept,
        &mut batch.text,
        &mut batch.expansion,
    ] {
        flags.truncate(2 * width);
    }
    batch.ids.truncate(2 * width);
    batch
}

/// A side whose tokens are at angles that follow from their ids; padding is anywhere.
fn side(tokens: &TokenBatch, turn: f32) -> Side<'_> {
    let vectors: Vec<f32> = tokens
        .ids
        .iter()
        .flat_map(|&id| {
            let angle = id as f32 + turn;
            [2.0 * angle.cos(), 2.0 * angle.sin()]
        })
        .collect();
    let vectors = TensorData::new(vectors, [tokens.rows, tokens.width, 2]);
    let states = Tensor::from_data(vectors, &Device::flex());
    Side {
        tokens,
        image: states.clone(),
        states,
        attention: None,
    }
}

fn every_objective() -> Vec<Objectives> {
    let aligned = |settings| Objectives {
        alignment: Some(settings),
        ..Objectives::default()
    };
    let transport = AlignmentSettings::default();
    let sentence = |pool| Objectives {
        sentence: Some(SentenceSettings { weight: 1.0, pool }),
        ..Objectives::default()
    };
    vec![
        aligned(transport.clone()),
        aligned(AlignmentSettings {
            cost: alignment::Cost::SquaredEuclidean,
            tokens: Tokens::Special,
            marginals: Marginals::Norm,
            plan: PlanSettings::Greedy {},
            ..transport.clone()
        }),
        aligned(AlignmentSettings {
            space: Space::Encoder,
            marginals: Marginals::Idf,
            plan: PlanSettings::Softmax { temperature: 0.05 },
            ..transport
        }),
        sentence(sentence::Pool::Mean),
        sentence(sentence::Pool::Cls),
        Objectives {
            contrast: Some(ContrastSettings {
                weight: 1.0,
                temperature: 0.5,
            }),
            ..Objectives::default()
        },
        Objectives {
            scores: Some(ScoreSettings {
                weight: 1.0,
                temperature: 0.5,
            }),
            ..Objectives::default()
        },
        Objectives {
            passages: Some(PassageSettings {
                weight: 1.0,
                temperature: 0.5,
            }),
            ..Objectives::default()
        },
    ]
}

/// Passages whose tokens are at angles; passage `n` has `n` of them.
struct Angles;

impl Passages for Angles {
    fn vectors(&self, passage: u32) -> Vec<f32> {
        let angles = (0..passage).map(|token| (passage + 2 * token) as f32);
        angles
            .flat_map(|angle| [angle.cos(), angle.sin()])
            .collect()
    }
}

/// Two passages for each of two texts.
fn passages() -> PassageBatch {
    let numbers = [vec![1, 3], vec![2, 1]];
    PassageBatch::read(&numbers, &Angles, 2, &Device::flex())
}

#[test]
fn passages_are_scored_by_their_best_tokens() {
    let tokens = batch([&[0, 1, 2], &[0, 4]], 4);
    let side = side(&tokens, 0.0);
    let found = passages().scores(side.unit(), side.mask(Tokens::Kept));
    let score = |query: &[f64], passage: &[f64]| {
        let best = query.iter().map(|angle| {
            let cosines = passage.iter().map(|other| (angle - other).cos());
            cosines.fold(f64::NEG_INFINITY, f64::max)
        });
        best.sum::<f64>() / query.len() as f64
    };
    let expected = [
        score(&[1.0, 2.0], &[1.0]),
        score(&[1.0, 2.0], &[3.0, 5.0, 7.0]),
        score(&[4.0], &[2.0, 4.0]),
        score(&[4.0], &[1.0]),
    ];
    assert_close(&scalars(found).unwrap(), &expected);
}

fn loss(objectives: &Objectives, width: usize, turn: f32) -> f64 {
    let texts: [&[u32]; 2] = [&[0, 1, 2, 3], &[0, 4, 5]];
    let (target, input) = (batch(texts, width), batch(texts, width));
    let weights = [(); 2].map(|()| weights(&texts));
    let moment = Moment {
        step: 0,
        weights: Some(&weights),
        passages: Some(&passages()),
    };
    let found = objectives.loss(&side(&target, 0.0), &side(&input, turn), moment);
    scalars(found.unwrap().value()).unwrap()[0]
}

#[test]
fn padding_adds_nothing_and_what_lies_apart_costs_more() {
    for objectives in every_objective() {
        let found = loss(&objectives, 4, 0.2);
        let padded = loss(&objectives, 7, 0.2);
        assert!(
            (found - padded).abs() < 1e-5,
            "{objectives:?}: {found} {padded}"
        );
        if objectives.contrast.is_none() {
            let together = loss(&objectives, 4, 0.0);
            assert!(together < found, "{objectives:?}: {together} {found}");
            // Entropic plans spread a little, so that the same sentences still cost something.
            assert!(
                (-1e-6..0.02).contains(&together),
                "{objectives:?}: {together}"
            );
        }
    }
}

#[test]
fn a_sentence_is_not_told_from_its_own_other_occurrence() {
    let texts: [&[u32]; 2] = [&[0, 1, 2], &[0, 1, 2]];
    let tokens = batch(texts, 3);
    let contrast = ContrastSettings {
        weight: 1.0,
        temperature: 0.1,
    };
    let (target, input) = (side(&tokens, 0.0), side(&tokens, 0.1));
    let found = scalars(contrast.loss(&target, &input)).unwrap()[0];
    assert!(found.abs() < 1e-6, "{found}");
}

fn weights(texts: &[&[u32]]) -> PieceWeights {
    let mut counts = PieceCounts::default();
    for ids in texts {
        counts.add(&TokenSequence::plain(ids.to_vec()));
    }
    PieceWeights::new(&counts)
}

#[test]
fn rare_pieces_weigh_more() {
    let weights = weights(&[&[1, 2], &[1, 3, 3], &[1, 2]]);
    let tokens = batch([&[1, 2, 3], &[1]], 3);
    let mass = side(&tokens, 0.0).mass(Marginals::Idf, Tokens::Content, Some(&weights));
    let [one, two, three] = [2.0_f64, 2.5, 4.0].map(f64::ln);
    let sum = one + two + three;
    let expected = [one / sum, two / sum, three / sum, 1.0, 0.0, 0.0];
    assert_close(&scalars(mass).unwrap(), &expected);
}

#[test]
fn the_masks_of_an_expanded_query_take_part_where_they_are_asked_to() {
    let sequence = TokenSequence {
        ids: vec![0, 1, 7, 7],
        kept: vec![true, true, true, true],
        text: vec![false, true, false, false],
        expansion: 2,
        unattended: 2,
    };
    let tokens = TokenBatch::pad(&[sequence, TokenSequence::plain(vec![1])], 9);
    let side = side(&tokens, 0.0);
    for (kind, first) in [
        (Tokens::Kept, [1.0, 1.0, 1.0, 1.0]),
        (Tokens::Content, [0.0, 1.0, 0.0, 0.0]),
        (Tokens::Special, [1.0, 1.0, 0.0, 0.0]),
        (Tokens::Expansion, [1.0, 1.0, 1.0, 1.0]),
    ] {
        let mask = scalars(side.mask(kind)).unwrap();
        assert_eq!(mask[..4], first, "{kind:?}");
        assert_eq!(mask[4..], [1.0, 0.0, 0.0, 0.0], "{kind:?}");
    }
}

#[test]
fn attention_is_shared_among_the_tokens_that_take_part() {
    let tokens = batch([&[0, 1, 2], &[0, 1]], 3);
    let attention = [[0.5, 0.1, 0.4], [0.75, 0.25, 0.0]];
    let seen = Side {
        attention: Some(Tensor::from_floats(attention, &Device::flex())),
        ..side(&tokens, 0.0)
    };
    let mass = |tokens| scalars(seen.mass(Marginals::Attention, tokens, None)).unwrap();
    assert_close(&mass(Tokens::Content), &[0.0, 0.2, 0.8, 0.0, 1.0, 0.0]);
    assert_close(&mass(Tokens::Special), &[0.5, 0.1, 0.4, 0.75, 0.25, 0.0]);
}

#[test]
fn settings_out_of_their_domain_are_named() {
    let error = |objectives: Objectives| objectives.faults("distill.objectives")[0].to_string();
    assert_eq!(
        error(Objectives::default()),
        "distill.objectives = {}, expected alignment, sentence, contrast, scores or passages"
    );
    let alignment = AlignmentSettings {
        plan: sinkhorn(0.0, Unit::Cost, PlanGradient::Detached),
        ..AlignmentSettings::default()
    };
    let objectives = Objectives {
        alignment: Some(alignment),
        ..Objectives::default()
    };
    assert_eq!(
        error(objectives),
        "distill.objectives.alignment.plan.epsilon = 0, expected more than 0"
    );
}
