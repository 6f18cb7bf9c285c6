#![allow(clippy::unwrap_used)]

use burn::tensor::Device;
use proptest::prelude::*;

use super::super::testing::*;
use super::*;
use crate::ops::library;
use crate::parts::HIDDEN_SCORE;

const SCALE: f32 = 0.25;

/// Texts, heads, tokens and a head's width.
type Shape = [usize; 4];

fn reference(
    inputs: &[Vec<f64>; 3],
    bias: &[f64],
    [texts, heads, tokens, width]: Shape,
) -> Vec<f64> {
    let [query, key, value] = inputs;
    let hidden = heads * width;
    let rows = bias.len() / texts / tokens;
    let mut output = vec![0.0; texts * tokens * hidden];
    for place in 0..texts * tokens * heads {
        let (row, head) = (place / heads, place % heads);
        let (text, token) = (row / tokens, row % tokens);
        let of = |values: &[f64], row: usize, i: usize| values[row * hidden + head * width + i];
        let bias = &bias[(text * rows + token % rows) * tokens..][..tokens];
        let powers: Vec<f64> = (0..tokens)
            .map(|other| {
                let products =
                    (0..width).map(|i| of(query, row, i) * of(key, text * tokens + other, i));
                (f64::from(SCALE) * products.sum::<f64>() + bias[other]).exp()
            })
            .collect();
        let sum: f64 = powers.iter().sum();
        for i in 0..width {
            let gathered =
                (0..tokens).map(|other| powers[other] / sum * of(value, text * tokens + other, i));
            output[row * hidden + head * width + i] = gathered.sum();
        }
    }
    output
}

/// Queries, keys and values, and a bias of each query or of all that hides some keys, but never the
/// first: of every second text the last ones, as padding.
fn inputs(
    seed: u64,
    [texts, heads, tokens, width]: Shape,
    each: bool,
) -> ([Vec<f64>; 3], Vec<f64>) {
    let rows = texts * if each { tokens } else { 1 };
    let bias = (0..rows * tokens).map(|place| {
        let (text, key) = (place / tokens / (rows / texts), place % tokens);
        let padding = text % 2 == 1 && key >= tokens.div_ceil(2);
        let hidden = key != 0 && (padding || (place as u64 + seed).is_multiple_of(5));
        if hidden { f64::from(HIDDEN_SCORE) } else { 0.0 }
    });
    let count = texts * tokens * heads * width;
    (
        [0, 1, 2].map(|input| numbers(seed + input, count, 2.0)),
        bias.collect(),
    )
}

type Op = fn([Tensor<2>; 3], Tensor<4>, usize, f32) -> Tensor<2>;

/// The output and the three gradients.
fn run(
    op: Op,
    inputs: &[Vec<f64>; 3],
    bias: &[f64],
    [texts, heads, tokens, width]: Shape,
    direction: &[f64],
    layouts: [Layout; 3],
) -> [Vec<f32>; 4] {
    let shape = [texts * tokens, heads * width];
    let leaves = [0, 1, 2].map(|input| Leaf::new(&inputs[input], shape, layouts[input]));
    let [query, key, value] = leaves.each_ref().map(Leaf::view);
    let bias_shape = [texts, 1, bias.len() / texts / tokens, tokens];
    let bias = tensor(bias, bias_shape, &query.device());
    let output = op([query, key, value], bias, heads, SCALE);
    let gradients = backward(output.clone(), direction, layouts[0]);
    let [query, key, value] = leaves.each_ref().map(|leaf| leaf.gradient(&gradients));
    [floats(output), query, key, value]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn matches_double_precision_differences_and_library(
        texts in 1..4_usize, heads in 1..3_usize, tokens in 1..12_usize, width in 1..5_usize,
        each: bool, seed in 0..u64::MAX / 2, layouts in [layouts(), layouts(), layouts()],
    ) {
        let shape = [texts, heads, tokens, width];
        let (inputs, bias) = inputs(seed, shape, each);
        let direction = numbers(seed + 3, inputs[0].len(), 1.0);
        let found = run(attention, &inputs, &bias, shape, &direction, layouts);
        assert_close(&found[0], &reference(&inputs, &bias, shape), 2e-6);
        let loss = |inputs: &[Vec<f64>; 3]| product(&reference(inputs, &bias, shape), &direction);
        for (input, found) in found[1..].iter().enumerate() {
            assert_close(found, &differences(&inputs, input, loss), 1e-5);
        }
        let expected = run(library::attention, &inputs, &bias, shape, &direction, layouts);
        for (found, expected) in found.iter().zip(expected) {
            assert_same(found, &expected, 1e-5);
        }
    }
}

/// The sizes of real models, for which differences would take too long.
#[test]
fn wide_heads_and_long_texts_are_those_of_library_ops() {
    for shape in [[3, 2, 33, 32], [2, 1, 70, 64]] {
        let (inputs, bias) = inputs(7, shape, false);
        let direction = numbers(8, inputs[0].len(), 1.0);
        let run = |op| run(op, &inputs, &bias, shape, &direction, [Layout::Plain; 3]);
        let tracked = run(attention);
        for (found, expected) in tracked.iter().zip(run(library::attention)) {
            assert_same(found, &expected, 1e-5);
        }
        // Nothing is kept without gradients, which changes no number.
        let [texts, heads, tokens, width] = shape;
        let device = Device::flex();
        let plain = |values: &[f64]| tensor(values, [texts * tokens, heads * width], &device);
        let [query, key, value] = inputs.each_ref().map(|values| plain(values));
        let bias = tensor(&bias, [texts, 1, 1, tokens], &device);
        assert_eq!(
            floats(attention([query, key, value], bias, heads, SCALE)),
            tracked[0]
        );
    }
}

#[test]
fn a_text_of_nothing_but_padding_gives_numbers() {
    let shape = [2, 2, 5, 4];
    let (inputs, _) = inputs(9, shape, false);
    let bias = vec![f64::from(HIDDEN_SCORE); 10];
    let direction = numbers(10, inputs[0].len(), 1.0);
    let layouts = [Layout::Plain; 3];
    for values in run(attention, &inputs, &bias, shape, &direction, layouts) {
        assert!(values.iter().all(|value| value.is_finite()));
    }
}
