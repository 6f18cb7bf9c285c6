//! Plans between the tokens of two sentences: of least transport cost, and simpler ones.

mod text;

use burn::prelude::*;
use optical_sinkhorn::burn::{solve, transport_loss};
use optical_sinkhorn::{Error, Gradient, Sinkhorn};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::text::Text;
use crate::error::DistillError;
use crate::scalars::scalars;
use crate::settings::{SettingsError, count, positive};

/// What pairs tokens with tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum PlanSettings {
    /// Entropic transport (Cuturi 2013).
    Sinkhorn {
        /// Entropic regularisation at the end of the annealing, in `unit`s.
        epsilon: f64,
        /// What `epsilon` and `start` are measured in.
        unit: Unit,
        /// Regularisation of the first step.
        start: f64,
        /// Steps over which it goes from `start` to `epsilon` by a constant factor; with none, it is
        /// `epsilon` throughout.
        annealing: u64,
        /// Iterations, the same for every batch.
        iterations: usize,
        /// Whether gradients go through the plan.
        gradient: PlanGradient,
    },
    /// Transport without regularisation by proximal points (Xie et al. 2020, IPOT).
    Ipot {
        /// Regularisation of a proximal step, in units of the cost.
        beta: f64,
        /// Most proximal steps.
        iterations: usize,
    },
    /// Transport without regularisation, exactly.
    Exact {},
    /// Entropic transport whose marginals may be missed at the price of `rho` times the divergence
    /// (Chizat et al. 2018): tokens without a counterpart are left alone.
    Unbalanced {
        /// Entropic regularisation, in units of the cost.
        epsilon: f64,
        /// Price of a missed marginal, in units of the cost.
        rho: f64,
        /// Most iterations.
        iterations: usize,
    },
    /// The pair of least cost, then the one of least cost among the tokens left, and so on until one
    /// side has none (Li et al. 2022, DR.DECR). All pairs weigh alike.
    Greedy {},
    /// The first token with the first, the second with the second, to the end of the shorter side.
    InOrder {},
    /// Each student token's mass over the teacher's by the softmax of `−C / temperature`: a plan that
    /// need not do justice to every teacher token.
    Softmax {
        /// What costs are divided by.
        temperature: f64,
    },
}

/// What a regularisation is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// The cost itself.
    Cost,
    /// The standard deviation of a batch's costs, so that a value keeps its meaning when the space
    /// or the cost changes.
    Spread,
}

/// Whether gradients go through an entropic plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanGradient {
    /// No: the plan is held while the student's tokens move along it. Exact for the regularised
    /// cost, by the envelope theorem.
    Detached,
    /// Yes, by the implicit function theorem.
    Implicit,
    /// Yes, through every iteration.
    Unrolled,
}

impl PlanSettings {
    /// Returns the mean of `⟨P, C⟩` over a batch, and the plans `P` without gradients.
    ///
    /// # Shapes
    /// - `cost` and plans: `[texts, n, m]`
    /// - `a`: `[texts, n]` and `b`: `[texts, m]`, each row of mass one, zero for padding
    ///
    /// # Errors
    /// If a solver refuses a problem, which happens with costs that are not numbers.
    pub fn loss(
        &self,
        cost: Tensor<3>,
        a: Tensor<2>,
        b: Tensor<2>,
        step: u64,
    ) -> Result<(Tensor<1>, Tensor<3>), DistillError> {
        let Self::Sinkhorn {
            unit,
            iterations,
            gradient,
            ..
        } = *self
        else {
            let plan = self.plan(&cost, &a, &b)?;
            return Ok((transport_loss(cost, plan.clone()), plan));
        };
        let spread = match unit {
            Unit::Cost => 1.0,
            Unit::Spread => spread(cost.clone().without_autodiff(), &a, &b)?,
        };
        let settings = Sinkhorn::new(self.epsilon(step) * spread)
            .map_err(|error| DistillError::Plan(error.to_string()))?
            .with_fixed_iterations(iterations);
        let solution = solve(cost.clone(), a.clone(), b.clone(), &settings);
        let plan = solution.plan(cost.clone(), a.clone(), b.clone());
        let gradient = match gradient {
            PlanGradient::Detached => return Ok((transport_loss(cost, plan.clone()), plan)),
            PlanGradient::Implicit => Gradient::Implicit,
            PlanGradient::Unrolled => Gradient::Unrolled,
        };
        Ok((solution.transport_cost(cost, a, b, gradient).mean(), plan))
    }

    /// Returns the regularisation of a step, counted from zero, in its unit.
    pub(super) fn epsilon(&self, step: u64) -> f64 {
        match *self {
            Self::Sinkhorn {
                epsilon,
                start,
                annealing,
                ..
            } if step < annealing => start * (epsilon / start).powf(step as f64 / annealing as f64),
            Self::Sinkhorn { epsilon, .. } | Self::Unbalanced { epsilon, .. } => epsilon,
            _ => 0.0,
        }
    }

    /// Plans that are made text by text in this process' memory: `[texts, n, m]`.
    fn plan(
        &self,
        cost: &Tensor<3>,
        a: &Tensor<2>,
        b: &Tensor<2>,
    ) -> Result<Tensor<3>, DistillError> {
        let shape @ [_, n, m] = cost.dims();
        let device = a.device();
        let costs = scalars(cost.clone().without_autodiff())?;
        let (a, b) = (scalars(a.clone())?, scalars(b.clone())?);
        let texts = costs
            .par_chunks(n * m)
            .zip(a.par_chunks(n))
            .zip(b.par_chunks(m));
        let plans: Vec<Vec<f32>> = texts
            .map(|((costs, a), b)| {
                let text = Text::new(costs, a, b)?;
                Ok(text.padded(&text.plan(self)?, n, m))
            })
            .collect::<Result<_, Error>>()
            .map_err(|error| DistillError::Plan(error.to_string()))?;
        Ok(Tensor::from_data(
            TensorData::new(plans.concat(), shape),
            &device,
        ))
    }

    pub(super) fn faults(&self, table: &str) -> Vec<SettingsError> {
        let key = |name: &str| format!("{table}.{name}");
        let (numbers, iterations) = match *self {
            Self::Sinkhorn {
                epsilon,
                start,
                iterations,
                ..
            } => (vec![("epsilon", epsilon), ("start", start)], iterations),
            Self::Ipot { beta, iterations } => (vec![("beta", beta)], iterations),
            Self::Unbalanced {
                epsilon,
                rho,
                iterations,
            } => (vec![("epsilon", epsilon), ("rho", rho)], iterations),
            Self::Softmax { temperature } => (vec![("temperature", temperature)], 1),
            Self::Exact {} | Self::Greedy {} | Self::InOrder {} => (Vec::new(), 1),
        };
        let numbers = numbers.into_iter();
        let faults = numbers.map(|(name, value)| positive(&key(name), value));
        let faults = faults.chain([count(&key("iterations"), iterations as u64)]);
        faults.filter_map(Result::err).collect()
    }
}

/// Returns the standard deviation of the costs between tokens that have mass.
fn spread(cost: Tensor<3>, a: &Tensor<2>, b: &Tensor<2>) -> Result<f64, DistillError> {
    let present = |mass: &Tensor<2>| mass.clone().greater_elem(0.0).float();
    let pairs = present(a).unsqueeze_dim::<3>(2) * present(b).unsqueeze_dim::<3>(1);
    // Padding may hold anything.
    let cost = cost.mask_fill(pairs.clone().equal_elem(0.0), 0.0);
    let count = scalars(pairs.clone().sum())?[0].max(1.0);
    let mean = scalars(cost.clone().sum())?[0] / count;
    let squares = (cost.sub_scalar(mean).square() * pairs).sum();
    Ok((scalars(squares)?[0] / count).sqrt().max(f64::EPSILON))
}
