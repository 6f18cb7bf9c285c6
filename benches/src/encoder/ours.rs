//! Our encoder and the trainer's optimiser on burn's CPU backend.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::prelude::*;
use cpu_time::ProcessTime;
use optical_distill::objectives::plan::{PlanGradient, PlanSettings, Unit};
use optical_distill::objectives::{AlignmentSettings, Moment, Objectives, Side, Space};
use optical_distill::settings::{Decay, OptimiserSettings};
use optical_distill::{Learner, Optimiser};
use optical_encoder::{Encoder, EncoderConfig, WeightsReader};
use optical_tokenize::{TokenBatch, TokenSequence};

use super::case::{Case, Pass, TRANSPORT};
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
        Pass::Training | Pass::Distillation => Device::flex().autodiff(),
    };
    let encoder = load(folder, &device)?;
    let batch = batch(case, case.ids());
    let direction = case.direction();
    if case.pass == Pass::Forward {
        return Ok(Box::new(move || {
            let work = || timed(|| floats(encoder.states(&batch, &device)));
            let (seconds, states) = threads.install(work)?;
            let products = states.iter().zip(&direction);
            let value = products.map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            Ok(Found { seconds, value })
        }));
    }
    let loss: Loss = if case.pass == Pass::Distillation {
        let plain = Device::flex();
        distillation(
            load(folder, &plain)?,
            batch,
            self::batch(case, case.target_ids()),
        )
    } else {
        let shape = [case.texts, case.tokens, case.hidden];
        let wanted = Tensor::<3>::from_data(TensorData::new(direction, shape), &device);
        Box::new(move |encoder, device| {
            Ok((encoder.states(&batch, device) - wanted.clone())
                .square()
                .mean())
        })
    };
    let learner = Learner {
        encoder: encoder.train(),
        projection: None,
    };
    let mut optimiser = Optimiser::new(&settings(), &learner);
    let mut student = Some(learner);
    Ok(Box::new(move || {
        let (seconds, value) = threads.install(|| {
            timed(|| {
                let learner = student.take().context("a step before this failed")?;
                let loss = loss(&learner.encoder, &device)?;
                let value = floats(loss.clone())?[0];
                let gradients = GradientsParams::from_grads(loss.backward(), &learner);
                let (gradient, _) = optimiser.clipped(&learner, vec![(1.0, gradients)], 0)?;
                student = Some(optimiser.step(learner, gradient, 1.0));
                Ok(f64::from(value))
            })
        })?;
        Ok(Found { seconds, value })
    }))
}

/// The loss of an encoder on its device.
type Loss = Box<dyn Fn(&Encoder, &Device) -> anyhow::Result<Tensor<1>> + Send + Sync>;

/// Returns the trainer's transport loss between `teacher` reading `target` and an encoder reading `input`.
fn distillation(teacher: Encoder, input: TokenBatch, target: TokenBatch) -> Loss {
    let (epsilon, iterations) = TRANSPORT;
    let objectives = Objectives {
        alignment: Some(AlignmentSettings {
            space: Space::Encoder,
            plan: PlanSettings::Sinkhorn {
                epsilon,
                unit: Unit::Cost,
                start: epsilon,
                annealing: 0,
                iterations,
                gradient: PlanGradient::Detached,
            },
            ..AlignmentSettings::default()
        }),
        ..Objectives::default()
    };
    Box::new(move |encoder, device| {
        let side = |tokens, states: Tensor<3>| Side {
            tokens,
            image: states.clone(),
            states,
            attention: None,
        };
        let states = teacher.states(&target, &device.clone().without_autodiff());
        let target = side(&target, states);
        let input = side(&input, encoder.states(&input, device));
        let moment = Moment {
            step: 0,
            weights: None,
            passages: None,
        };
        Ok(objectives.loss(&target, &input, moment)?.value())
    })
}

fn load(folder: &Path, device: &Device) -> anyhow::Result<Encoder> {
    let config = EncoderConfig::load(&folder.join("config.json"))?;
    let mut weights = WeightsReader::in_folder(folder)?;
    let encoder = Encoder::load(&config, &mut weights, device)?;
    weights.finish(&[])?;
    Ok(encoder)
}

/// Texts without padding whose tokens all count.
fn batch(case: Case, ids: Vec<i64>) -> TokenBatch {
    let ids: Vec<u32> = ids.into_iter().map(|id| id as u32).collect();
    let texts = ids.chunks(case.tokens);
    let texts: Vec<_> = texts
        .map(|ids| TokenSequence::plain(ids.to_vec()))
        .collect();
    TokenBatch::pad(&texts, 0)
}

fn settings() -> OptimiserSettings {
    OptimiserSettings {
        learning_rate: 1e-5,
        vocabulary_learning_rate: 1e-5,
        projection_learning_rate: None,
        layer_decay: 1.0,
        warm_up: 0,
        decay: Decay::Constant,
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
