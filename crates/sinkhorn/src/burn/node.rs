//! The place of a transport cost in an autodiff graph: a node that keeps potentials, not a plan.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
#[cfg(any(feature = "flex", feature = "cube"))]
use burn::backend::autodiff::checkpoint::strategy::{BalancedCheckpointing, NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{
    Autodiff, Backend, DispatchDevice, DispatchKindConversion, DispatchTensor,
    GradientCheckpointingStrategy,
};
use burn::prelude::*;

use super::gradient::Saved;

/// Returns the value of each problem, with the derivative by `cost` that `saved` names.
///
/// `cost` is the tensor `saved` was made from, before autodiff was taken off it.
pub(super) fn value(cost: Tensor<3>, saved: Saved) -> Tensor<1> {
    let value = saved.value();
    let device = cost.device();
    let DispatchDevice::Autodiff(device) = device.as_dispatch() else {
        return value;
    };
    let balanced = matches!(
        device.gradient_checkpointing_strategy(),
        GradientCheckpointingStrategy::Balanced
    );
    match (&**device, balanced) {
        #[cfg(feature = "flex")]
        (DispatchDevice::Flex(_), false) => {
            attach::<burn::backend::Flex, NoCheckpointing>(cost, value, saved)
        }
        #[cfg(feature = "flex")]
        (DispatchDevice::Flex(_), true) => {
            attach::<burn::backend::Flex, BalancedCheckpointing>(cost, value, saved)
        }
        #[cfg(feature = "cube")]
        (DispatchDevice::Cube(_), false) => {
            attach::<burn::backend::Cube, NoCheckpointing>(cost, value, saved)
        }
        #[cfg(feature = "cube")]
        (DispatchDevice::Cube(_), true) => {
            attach::<burn::backend::Cube, BalancedCheckpointing>(cost, value, saved)
        }
        _ => surrogate(cost, value, saved),
    }
}

/// A derivative recomputed when the backward pass comes by.
#[derive(Debug)]
struct Recomputed;

impl<B: Backend> Backward<B, 1> for Recomputed
where
    DispatchTensor: DispatchKindConversion<B>,
{
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let above = Tensor::<1>::from_primitive::<B>(grads.consume::<B>(&ops.node));
        let [cost] = ops.parents;
        if let Some(cost) = cost {
            let [batch] = above.dims();
            let slope = ops.state.slope() * above.reshape([batch, 1, 1]);
            let slope = slope
                .try_into_primitive::<B>()
                .expect("ops stay on the backend of their inputs");
            grads.register::<B>(cost.id, slope);
        }
    }
}

#[cfg_attr(not(any(feature = "flex", feature = "cube")), expect(dead_code))]
fn attach<B: Backend, C: CheckpointStrategy>(
    cost: Tensor<3>,
    value: Tensor<1>,
    saved: Saved,
) -> Tensor<1>
where
    DispatchTensor: DispatchKindConversion<B> + DispatchKindConversion<Autodiff<B, C>>,
{
    let wrong = "the device names the backend";
    let cost = cost.try_into_primitive::<Autodiff<B, C>>().expect(wrong);
    let value = value.try_into_primitive::<B>().expect(wrong);
    let prepared = Backward::<B, 1>::prepare::<C>(Recomputed, [cost.node()]).compute_bound();
    let output = match prepared.stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(saved, value),
        OpsKind::UnTracked(prepared) => prepared.finish(value),
    };
    Tensor::from_primitive::<Autodiff<B, C>>(output)
}

/// Returns the same out of library ops, for backends this crate has no node on: the derivative is computed
/// at once and kept.
fn surrogate(cost: Tensor<3>, value: Tensor<1>, saved: Saved) -> Tensor<1> {
    let slope = saved.slope();
    let empty = slope.clone().equal_elem(0.0);
    let [batch, _, _] = slope.dims();
    let linear = (cost.mask_fill(empty, 0.0) * slope)
        .sum_dim(2)
        .sum_dim(1)
        .reshape([batch]);
    // Zero in value, and all of the derivative.
    value + (linear.clone() - linear.detach())
}

#[cfg(test)]
pub(super) fn surrogate_for_tests(cost: Tensor<3>, saved: Saved) -> Tensor<1> {
    surrogate(cost, saved.value(), saved)
}
