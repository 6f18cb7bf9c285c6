//! Attention of all heads in one op, which takes each head's part of a row from where it is.
//!
//! The forward pass leaves the attention weights behind (Vaswani et al. 2017, equation 1); the
//! backward pass is five products per head. Keys at a text's end that are hidden from all its
//! queries cost nothing.

mod head;
#[cfg(test)]
mod tests;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use pulp::Arch;
use rayon::prelude::*;

use self::head::{Forward, Heads, Reverse};
use super::{contiguous, shaped_like, values};

pub(in crate::ops) fn attention(
    inputs: [Tensor<2>; 3],
    bias: Tensor<4>,
    heads: usize,
    scale: f32,
) -> Tensor<2> {
    let [query, key, value] = inputs.map(Tensor::into_dispatch);
    let bias = bias.into_dispatch();
    Tensor::from_dispatch(Dispatch::many_headed_attention(
        query, key, value, bias, heads, scale,
    ))
}

#[backend_extension(Flex, Autodiff)]
trait ManyHeadedAttention: Backend {
    fn many_headed_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        heads: usize,
        scale: f32,
    ) -> FloatTensor<Self>;
}

impl ManyHeadedAttention for Flex {
    fn many_headed_attention(
        query: FlexTensor,
        key: FlexTensor,
        value: FlexTensor,
        bias: FlexTensor,
        heads: usize,
        scale: f32,
    ) -> FlexTensor {
        Kept::new([query, key, value], bias, heads, scale).forward(false)
    }
}

impl<C: CheckpointStrategy> ManyHeadedAttention for Autodiff<Flex, C> {
    fn many_headed_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        heads: usize,
        scale: f32,
    ) -> FloatTensor<Self> {
        let nodes = [query.node(), key.node(), value.node()];
        let inputs = [query, key, value].map(FloatTensor::<Self>::into_primitive);
        let mut kept = Kept::new(inputs, bias.into_primitive(), heads, scale);
        match Derivative.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let output = kept.forward(true);
                prepared.finish(kept, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(kept.forward(false)),
        }
    }
}

/// What the forward pass is given, and what it leaves behind.
#[derive(Debug, Clone)]
struct Kept {
    /// Queries, keys and values, `[texts * tokens, heads * width]`.
    inputs: [FlexTensor; 3],
    /// `[texts, 1, tokens or 1, tokens]`.
    bias: FlexTensor,
    heads: usize,
    scale: f32,
    /// Of each text, `[heads, tokens, keys]`.
    weights: Vec<Vec<f32>>,
}

impl Kept {
    #[track_caller]
    fn new(inputs: [FlexTensor; 3], bias: FlexTensor, heads: usize, scale: f32) -> Self {
        let inputs = inputs.map(contiguous);
        let bias = contiguous(bias);
        let (rows, shape) = (inputs[0].layout().shape(), bias.layout().shape());
        assert!(
            inputs.iter().all(|input| input.layout().shape() == rows)
                && shape[..] == [shape[0], 1, shape[2], shape[3]]
                && (shape[2] == 1 || shape[2] == shape[3])
                && rows[0] == shape[0] * shape[3]
                && rows[1].is_multiple_of(heads),
            "{heads} heads of {rows:?} do not fit a bias of {shape:?}"
        );
        Self {
            inputs,
            bias,
            heads,
            scale,
            weights: Vec::new(),
        }
    }

    /// Returns values in a text's part of an input.
    fn part(&self) -> usize {
        let shape = self.inputs[0].layout().shape();
        self.bias.layout().shape()[3] * shape[1]
    }

    /// Returns the heads of each text.
    fn texts(&self) -> impl IndexedParallelIterator<Item = Heads<'_>> {
        let (part, shape) = (self.part().max(1), self.bias.layout().shape());
        let [queries, keys, values_] = self.inputs.each_ref().map(values);
        let bias = values(&self.bias);
        let row = (shape[2] * shape[3]).max(1);
        let each = (queries.par_chunks(part), keys.par_chunks(part));
        let each = (
            each.0,
            each.1,
            values_.par_chunks(part),
            bias.par_chunks(row),
        );
        each.into_par_iter()
            .map(move |(query, key, value, bias)| Heads {
                query,
                key,
                value,
                bias,
                tokens: shape[3],
                heads: self.heads,
                scale: self.scale,
            })
    }

    fn forward(&mut self, keep: bool) -> FlexTensor {
        let mut output = vec![0.0; values(&self.inputs[0]).len()];
        let arch = Arch::new();
        let parts = output.par_chunks_mut(self.part().max(1));
        let weights = self
            .texts()
            .zip(parts)
            .map(|(heads, output)| {
                arch.dispatch(Forward {
                    heads,
                    output,
                    keep,
                })
            })
            .collect();
        self.weights = weights;
        shaped_like(output, &self.inputs[0])
    }
}

#[derive(Debug)]
struct Derivative;

impl Backward<Flex, 3> for Derivative {
    type State = Kept;

    fn backward(self, ops: Ops<Kept, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(grads.consume::<Flex>(&ops.node));
        let kept = ops.state;
        let part = kept.part().max(1);
        let mut slopes = [(); 3].map(|()| vec![0.0; values(&gradient).len()]);
        let [query, key, value] = slopes.each_mut().map(|slope| slope.par_chunks_mut(part));
        let arch = Arch::new();
        let parts = (values(&gradient).par_chunks(part), query, key, value);
        kept.texts().zip(&kept.weights).zip(parts).for_each(
            |((heads, weights), (gradient, query, key, value))| {
                arch.dispatch(Reverse {
                    heads,
                    weights,
                    gradient,
                    slopes: [query, key, value],
                });
            },
        );
        for (parent, slope) in ops.parents.into_iter().zip(slopes) {
            if let Some(parent) = parent {
                grads.register::<Flex>(parent.id, shaped_like(slope, &gradient));
            }
        }
    }
}
