//! Token alignment: the student's tokens of a translation go where the teacher's tokens are that a
//! plan pairs them with.
//!
//! OPTICAL (Huang, Yu and Allan, WSDM 2023, arXiv 2301.12566) takes the transport plan: with
//! `C_ij = 1 − cos` between the teacher's tokens of the English sentence and the student's of its
//! translation, and the plan `P` that moves one sentence's mass onto the other's at least cost, the
//! loss is `⟨P, C⟩`. Other plans on the same costs are what it is compared with ([`PlanSettings`]).

use burn::prelude::*;
use optical_encoder::normalise;
use optical_sinkhorn::burn::effective_partners;
use serde::{Deserialize, Serialize};

use super::Moment;
use super::plan::{PlanGradient, PlanSettings, Unit};
use super::side::{Marginals, Side, Space, Tokens};
use crate::error::DistillError;
use crate::settings::SettingsError;

/// The loss `⟨P, C⟩` along a plan between tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlignmentSettings {
    /// Factor of this term.
    pub weight: f64,
    /// Which tokens have a cost.
    pub tokens: Tokens,
    /// Where the cost is measured.
    pub space: Space,
    /// How.
    pub cost: Cost,
    /// How a sentence's mass is spread over its tokens.
    pub marginals: Marginals,
    /// What pairs tokens with tokens.
    pub plan: PlanSettings,
}

impl Default for AlignmentSettings {
    /// Returns OPTICAL's as the quickstart has them: what a picture shows of a run that aligns no
    /// tokens.
    fn default() -> Self {
        Self {
            weight: 1.0,
            tokens: Tokens::Kept,
            space: Space::Head,
            cost: Cost::Cosine,
            marginals: Marginals::Uniform,
            plan: PlanSettings::Sinkhorn {
                epsilon: 0.02,
                unit: Unit::Cost,
                start: 0.02,
                annealing: 0,
                iterations: 50,
                gradient: PlanGradient::Detached,
            },
        }
    }
}

/// What a pair of tokens costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cost {
    /// `1 − cos`, from 0 to 2.
    Cosine,
    /// `‖x − y‖²` of vectors as they are, not normalised.
    SquaredEuclidean,
}

/// A loss, with the plan it was taken along.
#[derive(Debug)]
pub struct Aligned {
    /// Mean over the batch of `⟨P, C⟩`, differentiable in the student's tokens: `[1]`.
    pub loss: Tensor<1>,
    /// The plan, without gradients: `[texts, n, m]`.
    pub plan: Tensor<3>,
    /// How many student tokens a teacher token is spread over: `exp` of the entropy of its row of the
    /// plan, in the mean over tokens `[1]`.
    pub partners: Tensor<1>,
}

impl AlignmentSettings {
    /// Aligns the two sides of a batch.
    ///
    /// # Errors
    /// If a solver refuses a problem, which happens with costs that are not numbers.
    pub fn align(
        &self,
        target: &Side<'_>,
        input: &Side<'_>,
        moment: Moment<'_>,
    ) -> Result<Aligned, DistillError> {
        let sides = [target, input];
        let weights = |side: usize| moment.weights.map(|both| &both[side]);
        let mass = |side: usize| sides[side].mass(self.marginals, self.tokens, weights(side));
        let (a, b) = (mass(0), mass(1));
        let [x, y] = sides.map(|side| side.vectors(self.space));
        let cost = self.cost.between(x, y);
        let (loss, plan) = self.plan.loss(cost, a.clone(), b, moment.step)?;
        Ok(Aligned {
            loss,
            partners: effective_partners(plan.clone(), a),
            plan,
        })
    }

    pub(super) fn faults(&self, table: &str) -> Vec<SettingsError> {
        self.plan.faults(&format!("{table}.plan"))
    }
}

impl Cost {
    /// Returns the cost of every pair: `[texts, n, m]` of `[texts, n, d]` and `[texts, m, d]`.
    fn between(self, x: Tensor<3>, y: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Cosine => normalise(x)
                .matmul(normalise(y).swap_dims(1, 2))
                .neg()
                .add_scalar(1.0),
            Self::SquaredEuclidean => {
                let squares = |z: &Tensor<3>| z.clone().square().sum_dim(2);
                let lengths = squares(&x) + squares(&y).swap_dims(1, 2);
                lengths - x.matmul(y.swap_dims(1, 2)).mul_scalar(2.0)
            }
        }
    }
}
