//! Attention of the heads of one text, forward and back.

use pulp::{Simd, WithSimd};

use super::super::panels::{Matrix, Panels};
use super::super::softmax;
use crate::parts::HIDDEN_SCORE;

/// What the heads of one text are given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heads<'a> {
    /// `[tokens, heads * width]`, as the next two.
    pub(super) query: &'a [f32],
    pub(super) key: &'a [f32],
    pub(super) value: &'a [f32],
    /// `[tokens or 1, tokens]`.
    pub(super) bias: &'a [f32],
    pub(super) tokens: usize,
    pub(super) heads: usize,
    pub(super) scale: f32,
}

impl<'a> Heads<'a> {
    /// Keys up to the last that some query may see; all of them if there is none.
    fn keys(&self) -> usize {
        let seen = |row: &[f32]| row.iter().rposition(|&bias| bias > 0.5 * HIDDEN_SCORE);
        let last = self
            .bias
            .chunks_exact(self.tokens.max(1))
            .filter_map(seen)
            .max();
        last.map_or(self.tokens, |last| last + 1)
    }

    /// Returns the bias of the first `keys` keys for a query.
    fn bias(&self, query: usize, keys: usize) -> &'a [f32] {
        let row = query % (self.bias.len() / self.tokens);
        &self.bias[row * self.tokens..][..keys]
    }

    /// Returns values in a row of all heads.
    fn stride(&self) -> usize {
        self.query.len() / self.tokens.max(1)
    }

    /// Returns the width of a head.
    fn width(&self) -> usize {
        self.stride() / self.heads
    }

    /// Returns the first `rows` rows of one head's part.
    fn of(&self, values: &'a [f32], head: usize, rows: usize) -> Matrix<'a> {
        let width = self.width();
        Matrix::new(&values[head * width..], [rows, width], self.stride())
    }
}

/// Writes what the tokens gather, and returns the weights if they are to be kept.
pub(super) struct Forward<'a> {
    pub(super) heads: Heads<'a>,
    pub(super) output: &'a mut [f32],
    pub(super) keep: bool,
}

impl WithSimd for Forward<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Self {
            heads,
            output,
            keep,
        } = self;
        let (tokens, keys) = (heads.tokens, heads.keys());
        let size = tokens * keys;
        let mut weights = vec![0.0; if keep { heads.heads * size } else { size }];
        let mut panels = Panels::default();
        for head in 0..heads.heads {
            let weights = &mut weights[if keep { head * size } else { 0 }..][..size];
            let query = heads.of(heads.query, head, tokens);
            let key = heads.of(heads.key, head, keys);
            panels.multiply(simd, query, key.turned(), weights, keys);
            for (query, scores) in weights.chunks_exact_mut(keys).enumerate() {
                softmax::weights(simd, scores, heads.bias(query, keys), heads.scale);
            }
            panels.multiply(
                simd,
                Matrix::new(weights, [tokens, keys], keys),
                heads.of(heads.value, head, keys),
                &mut output[head * heads.width()..],
                heads.stride(),
            );
        }
        if keep { weights } else { Vec::new() }
    }
}

/// Writes the gradients of queries, keys and values.
pub(super) struct Reverse<'a> {
    pub(super) heads: Heads<'a>,
    /// Those of the forward pass.
    pub(super) weights: &'a [f32],
    /// That of the output.
    pub(super) gradient: &'a [f32],
    /// Zeros, since hidden keys are passed over.
    pub(super) slopes: [&'a mut [f32]; 3],
}

impl WithSimd for Reverse<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            heads,
            weights,
            gradient,
            slopes,
        } = self;
        let [query_slope, key_slope, value_slope] = slopes;
        let (tokens, stride) = (heads.tokens, heads.stride());
        let keys = weights.len() / (heads.heads * tokens).max(1);
        let mut scores = vec![0.0; tokens * keys];
        let mut panels = Panels::default();
        for (head, weights) in weights.chunks_exact((tokens * keys).max(1)).enumerate() {
            let from = head * heads.width();
            let gathered = Matrix::new(weights, [tokens, keys], keys);
            let gradient = heads.of(gradient, head, tokens);
            let value = heads.of(heads.value, head, keys);
            panels.multiply(
                simd,
                gathered.turned(),
                gradient,
                &mut value_slope[from..],
                stride,
            );
            panels.multiply(simd, gradient, value.turned(), &mut scores, keys);
            let rows = scores
                .chunks_exact_mut(keys)
                .zip(weights.chunks_exact(keys));
            for (scores, weights) in rows {
                softmax::slopes(simd, scores, weights, heads.scale);
            }
            let scores = Matrix::new(&scores, [tokens, keys], keys);
            let key = heads.of(heads.key, head, keys);
            panels.multiply(simd, scores, key, &mut query_slope[from..], stride);
            let query = heads.of(heads.query, head, tokens);
            panels.multiply(simd, scores.turned(), query, &mut key_slope[from..], stride);
        }
    }
}
