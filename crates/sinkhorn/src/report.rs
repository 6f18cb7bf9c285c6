//! How a solve ended, in numbers.

use crate::Status;

/// How a problem ended, with the costs of its plan.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Report {
    /// How the solve ended.
    pub status: Status,
    /// Full iterations done.
    pub iterations: usize,
    /// L1 distance of the plan's sums from the weights; the row sums of entropic plans are `a` up to
    /// rounding.
    pub marginal_error: f64,
    /// An upper bound on how far the dual cost is from the least regularised cost, up to rounding;
    /// not computed after a fixed number of iterations, and absent where costs are infinite, or far
    /// beyond those in use, and the plan does not get the right marginals without them.
    pub duality_gap: Option<f64>,
    /// Expected cost `<P, C>` of the plan.
    pub transport_cost: f64,
    /// The primal objective `<P, C> + epsilon KL(P | a b^T)`; of exact methods `<P, C>`.
    pub regularised_cost: f64,
    /// The dual objective, a lower bound of the least regularised cost.
    pub dual_cost: f64,
}

impl Report {
    /// Describes a plan whose cost is proven to be within a gap of the least.
    pub(crate) fn unregularised(
        status: Status,
        iterations: usize,
        marginal_error: f64,
        cost: f64,
        gap: f64,
    ) -> Self {
        Self {
            status,
            iterations,
            marginal_error,
            duality_gap: Some(gap),
            transport_cost: cost,
            regularised_cost: cost,
            dual_cost: cost - gap,
        }
    }

    /// Whether the marginal error is at most the threshold.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.status == Status::Converged
    }
}
