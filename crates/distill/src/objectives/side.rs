//! One side of a batch: its tokens, where they are, and how much each of them counts.

use std::collections::BTreeMap;

use burn::prelude::*;
use optical_encoder::{DeviceHead, Encoder, normalise};
use optical_tokenize::{TokenBatch, TokenSequence};
use serde::{Deserialize, Serialize};

use crate::learner::Projection;

/// Which tokens take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tokens {
    /// Those that the late interaction scores: of a ColBERT checkpoint all of a query's, of others
    /// those of the text itself.
    Kept,
    /// Those of the text itself, without the ones that a checkpoint skips.
    Content,
    /// Those of the text, special tokens and markers.
    Special,
    /// All of these, and the `[MASK]`s that a ColBERT checkpoint fills queries up with.
    Expansion,
}

/// Where vectors are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Space {
    /// After the head, where documents are searched.
    Head,
    /// The encoder's own states.
    Encoder,
}

/// How a text's mass is spread over its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Marginals {
    /// Evenly.
    Uniform,
    /// By how few training sentences a token's piece is in ([`PieceWeights`]).
    Idf,
    /// By the attention that tokens get in the last layer, each side's by its own encoder.
    Attention,
    /// By the length of the vector after the head before it is normalised: tokens near the mean of
    /// all tokens say little.
    Norm,
}

/// A batch as one encoder reads it.
#[derive(Debug)]
pub struct Side<'a> {
    /// Its tokens.
    pub tokens: &'a TokenBatch,
    /// States of the last layer, in the teacher's width: `[texts, width, hidden]`.
    pub states: Tensor<3>,
    /// Their image after the head, not normalised: `[texts, width, d]`.
    pub image: Tensor<3>,
    /// Attention each token gets, without gradients, if [`Objectives::needs_attention`]:
    /// `[texts, width]`.
    ///
    /// [`Objectives::needs_attention`]: super::Objectives::needs_attention
    pub attention: Option<Tensor<2>>,
}

impl<'a> Side<'a> {
    /// Reads a batch, with a head after the encoder, and in between the projection of a student of its own.
    pub fn read(
        encoder: &Encoder,
        projection: Option<&Projection>,
        head: &DeviceHead,
        tokens: &'a TokenBatch,
        with_attention: bool,
        device: &Device,
    ) -> Self {
        let (states, attention) = if with_attention {
            let (states, attention) = encoder.states_and_attention(tokens, device);
            (states, Some(attention.without_autodiff()))
        } else {
            (encoder.states(tokens, device), None)
        };
        let states = match projection {
            Some(projection) => projection.forward(states),
            None => states,
        };
        Self {
            attention,
            ..Self::of(tokens, states, head)
        }
    }

    /// Takes states that are known, with a head after them and no attention.
    pub fn of(tokens: &'a TokenBatch, states: Tensor<3>, head: &DeviceHead) -> Self {
        Self {
            tokens,
            image: head.image(states.clone()),
            states,
            attention: None,
        }
    }
}

impl Side<'_> {
    /// Returns vectors of all tokens: `[texts, width, d]`.
    pub fn vectors(&self, space: Space) -> Tensor<3> {
        match space {
            Space::Head => self.image.clone(),
            Space::Encoder => self.states.clone(),
        }
    }

    /// Returns unit vectors after the head: `[texts, width, d]`.
    pub fn unit(&self) -> Tensor<3> {
        normalise(self.image.clone())
    }

    /// Returns the tokens that take part, text by text.
    pub(crate) fn present(&self, tokens: Tokens) -> Vec<bool> {
        let batch = self.tokens;
        let takes_part = |place: usize| match tokens {
            Tokens::Kept => batch.kept[place],
            Tokens::Content => batch.kept[place] && batch.text[place],
            Tokens::Special => batch.mask[place] && !batch.expansion[place],
            Tokens::Expansion => batch.mask[place] || batch.expansion[place],
        };
        (0..batch.ids.len()).map(takes_part).collect()
    }

    /// Returns one where a token takes part and zero elsewhere, without gradients:
    /// `[texts, width]`.
    pub(crate) fn mask(&self, tokens: Tokens) -> Tensor<2> {
        let present = self.present(tokens).into_iter();
        self.constant(present.map(|present| f32::from(u8::from(present))))
    }

    /// Mass of each token, without gradients: `[texts, width]`, each row one in all.
    pub fn mass(
        &self,
        marginals: Marginals,
        tokens: Tokens,
        weights: Option<&PieceWeights>,
    ) -> Tensor<2> {
        let mask = self.mask(tokens);
        let mass = match (marginals, weights) {
            (Marginals::Norm, _) => {
                let [texts, width, _] = self.image.dims();
                let squares = self.image.clone().without_autodiff().square().sum_dim(2);
                mask * squares.sqrt().reshape([texts, width])
            }
            (Marginals::Idf, Some(weights)) => {
                let ids = self.tokens.ids.iter();
                mask * self.constant(ids.map(|&id| weights.of(id)))
            }
            (Marginals::Attention, _) => match &self.attention {
                Some(attention) => mask * attention.clone(),
                None => mask,
            },
            _ => mask,
        };
        mass.clone() / mass.sum_dim(1)
    }

    fn constant(&self, values: impl Iterator<Item = f32>) -> Tensor<2> {
        let shape = [self.tokens.rows, self.tokens.width];
        let device = self.states.device().without_autodiff();
        Tensor::from_data(TensorData::new(values.collect(), shape), &device)
    }
}

/// The weight of each piece of a vocabulary: `ln(1 + N / n)` for one that is in `n` of `N` texts
/// (the smoothed inverse document frequency of Robertson and Spärck Jones), positive even for a
/// piece of every text.
#[derive(Debug, Clone, PartialEq)]
pub struct PieceWeights {
    weights: BTreeMap<u32, f32>,
    unseen: f32,
}

impl PieceWeights {
    /// Creates the weights of the pieces of texts that were counted.
    pub fn new(counts: &PieceCounts) -> Self {
        let all = f64::from(counts.texts);
        let weight = |count: u32| (1.0 + all / f64::from(count)).ln() as f32;
        let pieces = counts.pieces.iter();
        Self {
            weights: pieces.map(|(&id, &count)| (id, weight(count))).collect(),
            unseen: weight(1),
        }
    }

    fn of(&self, id: u32) -> f32 {
        self.weights.get(&id).copied().unwrap_or(self.unseen)
    }
}

/// In how many texts each piece is.
#[derive(Debug, Clone, Default)]
pub struct PieceCounts {
    pieces: BTreeMap<u32, u32>,
    texts: u32,
}

impl PieceCounts {
    /// Counts the pieces of a text, each once.
    pub fn add(&mut self, text: &TokenSequence) {
        let mut ids = text.ids.clone();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            *self.pieces.entry(id).or_default() += 1;
        }
        self.texts += 1;
    }
}
