//! Optimal transport: plans, potentials and costs, entropic and exact, each with a certificate.
//!
//! A problem moves the mass `a` of its rows to the mass `b` of its columns at the least cost,
//! `min <P, C> + epsilon KL(P | a b^T)` over plans `P >= 0` with row sums `a` and column sums `b`.
//! Every solution has the form `P_ij = a_i b_j exp((f_i + g_j - C_ij) / epsilon)`.
//!
//! The core works on slices and depends on nothing. [`Sinkhorn`] solves single problems in `f64`,
//! a [`Batch`] of them in `f32` or `f64` with the processor's vector instructions, and problems of
//! points whose [`Cost`] is never kept; marginals may be missed at a price
//! ([`Sinkhorn::with_rho`]). [`ExactSolution`], [`Assignment`], [`PartialSolution`] and
//! [`ProximalPoint`] do without regularisation; [`Sinkhorn::divergence`] and
//! [`Sinkhorn::barycentre`] compare and average measures. With the feature `burn`, module `burn` has
//! batched, masked solves on tensors of any device.
//!
//! ```
//! use optical_sinkhorn::{CostMatrix, Problem, Sinkhorn};
//!
//! let cost = CostMatrix::new(&[0.1, 0.8, 0.6, 0.7, 0.2, 0.9], 2, 3)?;
//! let problem = Problem::new(cost, &[0.5, 0.5], &[0.25, 0.5, 0.25])?;
//! let solution = Sinkhorn::new(0.1)?.solve(&problem)?;
//!
//! assert!(solution.converged());
//! let plan = solution.plan();
//! assert!((plan[0] + plan[1] + plan[2] - 0.5).abs() < 1e-9);
//! let duality_gap = solution.regularised_cost() - solution.dual_cost();
//! assert!(duality_gap.abs() < 1e-9);
//! # Ok::<(), optical_sinkhorn::Error>(())
//! ```

#[macro_use]
mod getters;

mod anderson;
mod apply;
mod assignment;
mod barycentre;
mod batch;
#[cfg(feature = "burn")]
pub mod burn;
mod cholesky;
mod cost;
mod divergence;
mod error;
mod exact;
mod feasible;
mod fixed_point;
mod forbidden;
mod gradient;
mod log_domain;
mod newton;
mod partial;
mod points;
mod problem;
mod proximal;
mod real;
#[cfg(test)]
mod reference;
mod relaxation;
mod report;
mod scaling;
mod simd;
mod sinkhorn;
mod solution;
mod solver;
mod symmetric;
#[cfg(test)]
mod testing;
mod watch;

pub use assignment::Assignment;
pub use barycentre::{Barycentre, BarycentreProblem};
pub use batch::{Batch, BatchSolution};
pub use cost::CostMatrix;
pub use divergence::{Divergence, DivergenceProblem};
pub use error::{Error, Side};
pub use exact::ExactSolution;
pub use gradient::Gradient;
pub use partial::PartialSolution;
pub use points::{Cosine, Cost, Dot, PointCost, PointSolution, SquaredEuclidean};
pub use problem::Problem;
pub use proximal::ProximalPoint;
pub use real::Real;
pub use report::Report;
pub use simd::Instructions;
pub use sinkhorn::Sinkhorn;
pub use solution::{Solution, Status};
pub use watch::Progress;

/// The examples of the README, which are run as tests.
#[cfg(all(doctest, feature = "flex"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
