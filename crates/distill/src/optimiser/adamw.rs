//! AdamW (Loshchilov & Hutter 2019) in one pass over a parameter.
//!
//! On the processor a step is bound by memory: burn's own, made of a dozen tensor operations, walks
//! through it a dozen times. There parameter and momentum are changed where they are; on any other
//! device burn's own does the same.

use burn::optim::{AdamWConfig, AdamWState, LearningRate, Optimizer};
use burn::prelude::*;

use crate::settings::OptimiserSettings;

/// The rule that moves one parameter.
#[derive(Clone)]
pub(super) struct AdamW {
    elsewhere: burn::optim::AdamW,
    /// Share of the rate asked for that it takes.
    share: f64,
    #[cfg(feature = "flex")]
    settings: OptimiserSettings,
}

impl AdamW {
    pub(super) fn new(settings: &OptimiserSettings, share: f64) -> Self {
        let elsewhere = AdamWConfig::new()
            .with_beta_1(settings.beta_1)
            .with_beta_2(settings.beta_2)
            .with_epsilon(settings.epsilon)
            .with_weight_decay(settings.weight_decay)
            .build();
        Self {
            elsewhere,
            share,
            #[cfg(feature = "flex")]
            settings: settings.clone(),
        }
    }
}

impl Optimizer for AdamW {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamWState<D>>,
    ) -> (Tensor<D>, Option<AdamWState<D>>) {
        let rate = self.share * rate;
        #[cfg(feature = "flex")]
        if super::in_place::can_be(&parameter) && super::in_place::can_be(&gradient) {
            let (moved, state) = in_one_pass(&self.settings, rate, parameter, gradient, state);
            return (moved, Some(state));
        }
        self.elsewhere.step(rate, parameter, gradient, state)
    }

    fn to_device<const D: usize>(state: AdamWState<D>, device: &Device) -> AdamWState<D> {
        <burn::optim::AdamW as Optimizer>::to_device(state, device)
    }
}

#[cfg(feature = "flex")]
fn in_one_pass<const D: usize>(
    settings: &OptimiserSettings,
    rate: LearningRate,
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    state: Option<AdamWState<D>>,
) -> (Tensor<D>, AdamWState<D>) {
    use burn::optim::AdaptiveMomentumState;
    use rayon::prelude::*;

    use super::in_place::{TASK, change_three};

    let momentum = state.map_or_else(
        || AdaptiveMomentumState::new(0, gradient.zeros_like(), gradient.zeros_like()),
        |state| state.momentum,
    );
    let time = momentum.time + 1;
    let [beta_1, beta_2] = [settings.beta_1, settings.beta_2];
    // Both means start at zero, and are divided by the share of the weights that they have so far.
    let missing = |beta: f32| 1.0 - f64::from(beta).powi(i32::try_from(time).unwrap_or(i32::MAX));
    let step = (rate / missing(beta_1)) as f32;
    let second = (1.0 / missing(beta_2)) as f32;
    let kept = (1.0 - rate * f64::from(settings.weight_decay)) as f32;
    let epsilon = settings.epsilon;
    let [parameter, moment_1, moment_2] = change_three(
        [parameter, momentum.moment_1, momentum.moment_2],
        gradient,
        |[parameter, first, squares], gradient| {
            let tasks = (
                parameter.par_chunks_mut(TASK),
                first.par_chunks_mut(TASK),
                squares.par_chunks_mut(TASK),
                gradient.par_chunks(TASK),
            );
            tasks
                .into_par_iter()
                .for_each(|(values, first, squares, gradient)| {
                    let means = first.iter_mut().zip(squares);
                    for ((value, (first, square)), &slope) in
                        values.iter_mut().zip(means).zip(gradient)
                    {
                        *first = beta_1 * *first + (1.0 - beta_1) * slope;
                        *square = beta_2 * *square + (1.0 - beta_2) * slope * slope;
                        let deviation = (*square * second).sqrt() + epsilon;
                        *value = kept * *value - step * *first / deviation;
                    }
                });
        },
    );
    let momentum = AdaptiveMomentumState::new(time, moment_1, moment_2);
    (parameter, AdamWState::new(momentum))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    fn settings() -> OptimiserSettings {
        OptimiserSettings {
            learning_rate: 1e-3,
            vocabulary_learning_rate: 1e-3,
            projection_learning_rate: None,
            layer_decay: 1.0,
            warm_up: 0,
            decay: crate::settings::Decay::Linear,
            weight_decay: 0.1,
            beta_1: 0.9,
            beta_2: 0.99,
            epsilon: 1e-6,
            clip_norm: 1.0,
        }
    }

    fn numbers(seed: u64, scale: f32) -> Tensor<2> {
        let values: Vec<f32> = (0..61 * 700_u64)
            .map(|place| {
                let bits = (place + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
                scale * (bits as f32 / (1 << 23) as f32 - 1.0)
            })
            .collect();
        Tensor::from_data(TensorData::new(values, [61, 700]), &Device::flex())
    }

    /// Several steps, the first without momentum, and gradients from large to next to nothing.
    #[test]
    fn one_pass_does_what_tensor_operations_do() {
        let fused = AdamW::new(&settings(), 1.0);
        let start = numbers(1, 0.1);
        let (mut here, mut there) = ((start.clone(), None), (start.clone(), None));
        for (step, scale) in [1.0, 1e-2, 1e-4, 1e-6, 0.0].into_iter().enumerate() {
            let gradient = numbers(100 + step as u64, scale);
            here = fused.step(1e-3, here.0, gradient.clone(), here.1);
            there = fused.elsewhere.step(1e-3, there.0, gradient, there.1);
            let distance = (here.0.clone() - there.0.clone()).abs().max();
            let distance: f32 = distance.into_scalar();
            assert!(distance < 2e-7, "step {step}: {distance}");
        }
        let moved: f32 = (here.0 - start.clone()).abs().max().into_scalar();
        assert!(moved > 1e-3, "{moved}");
        let times = [here.1, there.1].map(|state| state.map(|state| state.momentum.time));
        assert_eq!(times, [Some(5), Some(5)]);
        // What others still hold is not changed.
        let same: f32 = (start - numbers(1, 0.1)).abs().max().into_scalar();
        assert!(same == 0.0);
    }
}
