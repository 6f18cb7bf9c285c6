//! Dropout (Srivastava et al. 2014): a share of values becomes zero, the rest grow to make up for it.

use burn::prelude::*;
use burn::tensor::Distribution;

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

/// `x` with a share of its values dropped, on an autodiff device; elsewhere as it is.
pub(crate) fn dropped<const D: usize>(x: Tensor<D>, share: f64) -> Tensor<D> {
    if share == 0.0 || !x.device().is_autodiff() {
        return x;
    }
    let kept = x.random_like(Distribution::Bernoulli(1.0 - share));
    x * kept.mul_scalar(1.0 / (1.0 - share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::values;

    #[test]
    fn the_mean_stays_and_gradients_are_those_of_what_was_kept() {
        let device = Device::flex().autodiff();
        device.seed(5);
        let x = Tensor::<1>::ones([20_000], &device).require_grad();
        let output = dropped(x.clone(), 0.25);
        let gradient = x.grad(&output.clone().sum().backward()).unwrap();
        let output = values(output).unwrap();
        let zeros = output.iter().filter(|&&value| value == 0.0).count();
        assert!((4_700..5_300).contains(&zeros), "{zeros} of 20000 dropped");
        assert!(
            output
                .iter()
                .all(|&value| value == 0.0 || (value - 4.0 / 3.0).abs() < 1e-6)
        );
        assert_eq!(values(gradient).unwrap(), output);
    }

    #[test]
    fn nothing_is_dropped_without_a_share_or_without_gradients() {
        let plain = Tensor::<1>::ones([100], &Device::flex());
        assert_eq!(values(dropped(plain, 0.5)).unwrap(), [1.0; 100]);
        let tracked = Tensor::<1>::ones([100], &Device::flex().autodiff());
        assert_eq!(values(dropped(tracked, 0.0)).unwrap(), [1.0; 100]);
    }
}
