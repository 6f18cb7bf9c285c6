//! Dropout (Srivastava et al. 2014): a share of values becomes zero, the rest grow to make up for it.
//!
//! What is dropped follows from a seed and from the order of the operations alone: not from the
//! device, nor from what other threads drop meanwhile. So a run is the same wherever it is resumed.

use std::cell::Cell;

use burn::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How large a share is dropped where; nothing by default.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Dropout {
    /// Of the embeddings.
    pub(crate) embeddings: f64,
    /// Of the attention weights.
    pub(crate) attention_weights: f64,
    /// Of what attention adds to the states.
    pub(crate) attention_output: f64,
    /// Of what the feed-forward layer adds to the states.
    pub(crate) feed_forward: f64,
}

impl Dropout {
    /// Drops a share of the attention weights, and one of everything else.
    pub(crate) fn new(hidden: f64, attention_weights: f64) -> Self {
        Self {
            embeddings: hidden,
            attention_weights,
            attention_output: hidden,
            feed_forward: hidden,
        }
    }
}

/// The masks of a pass through the layers, one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Masks {
    seed: u64,
    drawn: Cell<u64>,
}

impl Masks {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            drawn: Cell::new(0),
        }
    }

    /// Returns what the values of a tensor are multiplied with: zero for `share` of them.
    fn next(&self, count: usize, share: f64) -> Vec<f32> {
        let mut stream = ChaCha8Rng::seed_from_u64(self.seed);
        stream.set_stream(self.drawn.replace(self.drawn.get() + 1));
        let kept = (1.0 / (1.0 - share)) as f32;
        let bound = (share * 2f64.powi(32)) as u32;
        (0..count)
            .map(|_| if stream.next_u32() < bound { 0.0 } else { kept })
            .collect()
    }
}

/// Returns `x` with a share of its values dropped, on an autodiff device; elsewhere as it is.
pub(crate) fn dropped<const D: usize>(x: Tensor<D>, share: f64, masks: &Masks) -> Tensor<D> {
    let device = x.device();
    if share == 0.0 || !device.is_autodiff() {
        return x;
    }
    let shape = x.shape();
    let mask = TensorData::new(masks.next(shape.num_elements(), share), shape);
    x * Tensor::from_data(mask, &device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::values;

    #[test]
    fn the_mean_stays_and_gradients_are_those_of_what_was_kept() {
        let device = Device::flex().autodiff();
        let x = Tensor::<1>::ones([20_000], &device).require_grad();
        let output = dropped(x.clone(), 0.25, &Masks::new(5));
        let gradient = x.grad(&output.clone().sum().backward()).unwrap();
        let output = values(output).unwrap();
        let zeros = output.iter().filter(|&&value| value == 0.0).count();
        assert!((4_800..5_200).contains(&zeros), "{zeros} of 20000 dropped");
        assert!(
            output
                .iter()
                .all(|&value| value == 0.0 || (value - 4.0 / 3.0).abs() < 1e-6)
        );
        assert_eq!(values(gradient).unwrap(), output);
    }

    #[test]
    fn masks_follow_from_the_seed_and_the_order_of_operations() {
        let pass = |seed| {
            let masks = Masks::new(seed);
            [(); 2].map(|()| masks.next(1000, 0.5))
        };
        let [first, second] = pass(1);
        assert_eq!(pass(1), [first.clone(), second.clone()]);
        for other in [&second, &pass(2)[0]] {
            let same = first.iter().zip(other).filter(|(a, b)| a == b).count();
            assert!((400..600).contains(&same), "{same} of 1000 the same");
        }
    }

    #[test]
    fn nothing_is_dropped_without_a_share_or_without_gradients() {
        let masks = Masks::new(0);
        let plain = Tensor::<1>::ones([100], &Device::flex());
        assert_eq!(values(dropped(plain, 0.5, &masks)).unwrap(), [1.0; 100]);
        let tracked = Tensor::<1>::ones([100], &Device::flex().autodiff());
        assert_eq!(values(dropped(tracked, 0.0, &masks)).unwrap(), [1.0; 100]);
    }
}
