//! What the encoder families are built of.
//!
//! States are `[texts * tokens, hidden]` between the parts, so that a linear map is one matrix
//! product per layer rather than one per text.

mod attention;
mod dropout;
mod embeddings;
mod feed_forward;
mod linear;
mod norm;
mod parameters;
mod post_norm;
mod relative;
mod rotary;

use std::rc::Rc;

use burn::prelude::*;

pub(crate) use self::attention::{Attention, Watched, attend, inverse_root, split_heads};
pub(crate) use self::dropout::{Dropout, Masks, dropped};
pub(crate) use self::embeddings::{EmbeddingNames, PositionedEmbeddings};
pub(crate) use self::feed_forward::FeedForward;
pub use self::linear::Precision;
pub(crate) use self::linear::{added, bias_of, image, product};
pub(crate) use self::norm::Norm;
pub(crate) use self::parameters::{Names, Source, values};
pub(crate) use self::post_norm::{PostNormEncoder, PostNormLayer, PostNormNames};
pub(crate) use self::relative::by_key;
pub(crate) use self::rotary::Rotation;

/// Added to the attention scores of padding; finite, so that a row of padding gives no NaN.
pub(crate) const HIDDEN_SCORE: f32 = -1e9;

/// The sizes that parts are built by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Width of a token vector.
    pub(crate) hidden: usize,
    pub(crate) layers: usize,
    /// Attention heads per layer.
    pub(crate) heads: usize,
    /// Width of the feed-forward layer.
    pub(crate) intermediate: usize,
    pub(crate) positions: usize,
    /// The position of a text's first token.
    pub(crate) first_position: usize,
}

/// How a pass goes through the layers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mode {
    /// What is dropped on an autodiff device.
    pub(crate) dropout: Dropout,
    /// What it is chosen by.
    pub(crate) seed: u64,
    /// In which numbers products with weights are computed.
    pub(crate) precision: Precision,
}

/// A padded batch of texts on its way through the layers.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    /// Number of texts.
    pub(crate) texts: usize,
    /// Tokens of each, padding included.
    pub(crate) tokens: usize,
    /// `[texts, 1, 1, tokens]`: zero for keys that are attended to, [`HIDDEN_SCORE`] for others.
    pub(crate) bias: Tensor<4>,
    /// What is dropped on an autodiff device.
    pub(crate) dropout: Dropout,
    /// Which of it.
    pub(crate) masks: Masks,
    /// In which numbers products with weights are computed.
    pub(crate) precision: Precision,
    /// Where attention is written down, if anybody asks.
    pub(crate) watched: Option<Rc<Watched>>,
}

impl Batch {
    /// Creates a batch with `mask` `[texts, tokens]` true where there is a token to attend to.
    pub(crate) fn new(mask: Tensor<2, Bool>, mode: Mode) -> Self {
        let [texts, tokens] = mask.dims();
        let hidden = mask.bool_not().unsqueeze_dims::<4>(&[1, 1]);
        Self {
            texts,
            tokens,
            bias: hidden.float().mul_scalar(HIDDEN_SCORE),
            dropout: mode.dropout,
            masks: Masks::new(mode.seed),
            precision: mode.precision,
            watched: None,
        }
    }
}
