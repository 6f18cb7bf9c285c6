//! OPTICAL's objective: the transport cost between a sentence's tokens and its translation's.
//!
//! Huang, Yu and Allan, WSDM 2023 (arXiv 2301.12566): with the teacher's tokens of the English
//! sentence and the student's of the translation, `C_ij = 1 − cos`, and the plan `P` that moves one
//! sentence's mass onto the other's at least cost, the loss is `⟨P, C⟩`. The plan is a soft alignment:
//! it is held fixed while the student moves its tokens along it.

use burn::prelude::*;
use optical_sinkhorn::burn::{BatchSettings, effective_partners, plan, transport_loss};
use optical_tokenize::TokenBatch;

use crate::settings::TransportSettings;

/// A loss, with the plan it was taken along.
#[derive(Debug)]
pub struct Transport {
    /// Mean over the batch of `⟨P, C⟩`, differentiable in the student's tokens: `[1]`.
    pub loss: Tensor<1>,
    /// The plan: `[batch, n, m]`.
    pub plan: Tensor<3>,
    /// Mass of each target token: `[batch, n]`.
    pub target_mass: Tensor<2>,
}

impl Transport {
    /// How many student tokens a teacher token is spread over: exp of its plan row's entropy.
    pub fn effective_partners(&self) -> Tensor<1> {
        effective_partners(self.plan.clone(), self.target_mass.clone())
    }
}

/// The transport loss between unit token vectors, uniform over the kept tokens of each side.
///
/// # Shapes
/// - `target`: `[batch, n, d]`, the teacher's, not tracked
/// - `input`: `[batch, m, d]`, the student's
pub fn transport(
    target: Tensor<3>,
    target_mass: Tensor<2>,
    input: Tensor<3>,
    input_mass: Tensor<2>,
    settings: &TransportSettings,
) -> Transport {
    let target = if input.is_autodiff() {
        target.autodiff()
    } else {
        target
    };
    let cost = target.matmul(input.swap_dims(1, 2)).neg().add_scalar(1.0);
    let batch = BatchSettings {
        epsilon: settings.epsilon,
        iterations: settings.iterations,
        threshold: None,
    };
    let plan = plan(cost.clone(), target_mass.clone(), input_mass, &batch);
    Transport {
        loss: transport_loss(cost, plan.clone()),
        plan,
        target_mass,
    }
}

/// Uniform mass over the kept tokens of each text: `[rows, width]`, each row of mass one.
pub fn uniform_mass(batch: &TokenBatch, device: &Device) -> Tensor<2> {
    let mut mass = vec![0.0_f32; batch.rows * batch.width];
    for row in 0..batch.rows {
        let kept = batch.kept_tokens(row);
        for &token in &kept {
            mass[token] = 1.0 / kept.len() as f32;
        }
    }
    Tensor::from_data(TensorData::new(mass, [batch.rows, batch.width]), device)
}
