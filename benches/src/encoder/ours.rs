//! Our encoder and the trainer's optimiser on burn's CPU backend.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::prelude::*;
use cpu_time::ProcessTime;
use optical_distill::Optimiser;
use optical_distill::settings::OptimiserSettings;
use optical_encoder::{Encoder, EncoderConfig, WeightsReader};

use super::case::{Case, Pass};
use super::{Found, Run};
use crate::solver::Seconds;

/// Makes ready to run a case on the checkpoint in `folder`.
///
/// # Errors
/// If the checkpoint cannot be read.
pub fn prepare(case: Case, folder: &Path) -> anyhow::Result<Run<'static>> {
    let threads = rayon::ThreadPoolBuilder::new()
        .num_threads(case.threads)
        .build()?;
    let device = match case.pass {
        Pass::Forward => Device::flex(),
        Pass::Training => Device::flex().autodiff(),
    };
    let config = EncoderConfig::load(&folder.join("config.json"))?;
    let mut weights = WeightsReader::in_folder(folder)?;
    let encoder = Encoder::load(&config, &mut weights, &device)?;
    weights.finish(&[])?;
    let shape = [case.texts, case.tokens];
    let ids = Tensor::from_data(TensorData::new(case.ids(), shape), &device);
    let mask = Tensor::from_data(
        TensorData::new(vec![true; shape[0] * shape[1]], shape),
        &device,
    );
    let direction = case.direction();
    let batch = Batch { ids, mask };
    Ok(match case.pass {
        Pass::Forward => Box::new(move || {
            let (seconds, states) = threads.install(|| timed(|| floats(batch.states(&encoder))))?;
            let products = states.iter().zip(&direction);
            let value = products.map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            Ok(Found { seconds, value })
        }),
        Pass::Training => {
            let mut optimiser = Optimiser::new(&settings(), &encoder);
            let mut student = Some(encoder.train());
            let shape = [case.texts, case.tokens, case.hidden];
            let wanted = Tensor::from_data(TensorData::new(direction, shape), &device);
            Box::new(move || {
                let (seconds, value) = threads.install(|| {
                    timed(|| {
                        let encoder = student.take().context("a step before this failed")?;
                        let loss = (batch.states(&encoder) - wanted.clone()).square().mean();
                        let value = floats(loss.clone())?[0];
                        let gradients = GradientsParams::from_grads(loss.backward(), &encoder);
                        let (moved, _) = optimiser.step(encoder, vec![(1.0, gradients)], 1.0, 0)?;
                        student = Some(moved);
                        Ok(f64::from(value))
                    })
                })?;
                Ok(Found { seconds, value })
            })
        }
    })
}

struct Batch {
    ids: Tensor<2, Int>,
    mask: Tensor<2, Bool>,
}

impl Batch {
    fn states(&self, encoder: &Encoder) -> Tensor<3> {
        encoder.forward(self.ids.clone(), self.mask.clone())
    }
}

fn settings() -> OptimiserSettings {
    OptimiserSettings {
        learning_rate: 1e-5,
        vocabulary_learning_rate: 1e-5,
        layer_decay: 1.0,
        warm_up: 0,
        weight_decay: 0.01,
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-8,
        clip_norm: 1.0,
    }
}

fn floats<const D: usize>(tensor: Tensor<D>) -> anyhow::Result<Vec<f32>> {
    let values = tensor.try_into_data()?.try_to_vec();
    values.map_err(|error| anyhow::anyhow!("{error:?}"))
}

fn timed<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(Seconds, T)> {
    let (processor, wall) = (ProcessTime::now(), Instant::now());
    let made = work()?;
    let seconds = Seconds {
        processor: processor.elapsed().as_secs_f64(),
        wall: wall.elapsed().as_secs_f64(),
    };
    Ok((seconds, made))
}
