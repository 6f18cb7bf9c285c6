//! Transport between points, without a cost matrix.
//!
//! The cost of a problem with `n` and `m` points of `d` coordinates is computed a panel of rows at a
//! time, in every pass anew: memory is of the order of `(n + m) d + 24 m` numbers a thread. One pass
//! makes a full iteration, with one product of points and one exponential for each cell.

mod certificate;
mod clouds;
mod cost;
mod descent;
mod gradient;
mod iteration;
mod log_sweep;
mod marginals;
mod matrix;
mod newton;
mod operator;
mod plan;
mod solution;
mod solver;
mod stripes;
mod sweep;
#[cfg(test)]
mod tests;
mod tiles;

pub use cost::{Cosine, Cost, Dot, PointCost, SquaredEuclidean};
pub use solution::PointSolution;
