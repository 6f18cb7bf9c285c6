//! Costs that are computed when they are needed.

use std::ops::Range;

use super::clouds::{Clouds, Metric};
use crate::{CostMatrix, Error, Real};

/// The cost of moving one unit of mass from each of `n` rows to each of `m` columns, a few rows at a
/// time.
///
/// [`Cosine`], [`SquaredEuclidean`] and [`Dot`] are costs of points, which
/// [`Sinkhorn::solve_points`](crate::Sinkhorn::solve_points) computes by matrix products of its own.
/// Any other cost is asked for its rows in every iteration:
///
/// ```
/// use std::ops::Range;
/// use optical_sinkhorn::{Cost, Sinkhorn};
///
/// /// Distances on a circle of circumference one.
/// struct Circle(Vec<f64>, Vec<f64>);
///
/// impl Cost<f64> for Circle {
///     fn n(&self) -> usize {
///         self.0.len()
///     }
///     fn m(&self) -> usize {
///         self.1.len()
///     }
///     fn panel(&self, rows: Range<usize>, costs: &mut [f64]) {
///         for (row, x) in costs.chunks_exact_mut(self.m()).zip(&self.0[rows]) {
///             for (cost, y) in row.iter_mut().zip(&self.1) {
///                 let apart = (x - y).abs();
///                 *cost = apart.min(1.0 - apart);
///             }
///         }
///     }
/// }
///
/// let cost = Circle(vec![0.0, 0.3, 0.6], vec![0.1, 0.9]);
/// let (a, b) = ([0.25, 0.25, 0.5], [0.5, 0.5]);
/// let solution = Sinkhorn::new(0.1)?.solve_points(&cost, &a, &b)?;
/// assert!(solution.report().converged());
/// # Ok::<(), optical_sinkhorn::Error>(())
/// ```
pub trait Cost<T: Real>: Sync {
    /// Number of rows.
    fn n(&self) -> usize;

    /// Number of columns.
    fn m(&self) -> usize;

    /// Writes the costs of some rows to all columns, row by row: `rows.len() * m` values, the same
    /// each time. Those of rows and columns without mass may be anything; all others are finite, and
    /// the duality gap means little where some are very far beyond those in use, as fillers are.
    fn panel(&self, rows: Range<usize>, costs: &mut [T]);

    /// Returns the points whose cost this is.
    #[doc(hidden)]
    fn clouds(&self) -> Option<Clouds<'_, T>> {
        None
    }
}

/// A cost of points, which has a gradient in them: [`Cosine`], [`SquaredEuclidean`] or [`Dot`].
pub trait PointCost<T: Real>: Cost<T> {
    /// Returns the points whose cost this is.
    #[doc(hidden)]
    fn points(&self) -> Clouds<'_, T>;
}

macro_rules! point_cost {
    ($name:ident, $metric:expr, $(#[$doc:meta])+) => {
        $(#[$doc])+
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $name<'a, T>(Clouds<'a, T>);

        impl<'a, T: Real> $name<'a, T> {
            /// Takes `n` points `x` and `m` points `y`, each of `dimension` coordinates, one behind
            /// the other. Points are looked at when a problem is solved, and only those with mass.
            ///
            /// # Errors
            /// [`Error::NotPositive`] if the dimension is zero, [`Error::PointLength`] if a side's
            /// coordinates are not a multiple of it, [`Error::EmptyCost`] if a side has no point.
            pub fn new(x: &'a [T], y: &'a [T], dimension: usize) -> Result<Self, Error> {
                Clouds::new(x, y, dimension, $metric).map(Self)
            }
        }

        impl<T: Real> Cost<T> for $name<'_, T> {
            fn n(&self) -> usize {
                self.0.n()
            }

            fn m(&self) -> usize {
                self.0.m()
            }

            fn panel(&self, rows: Range<usize>, costs: &mut [T]) {
                self.0.panel(rows, costs);
            }

            fn clouds(&self) -> Option<Clouds<'_, T>> {
                Some(self.0)
            }
        }

        impl<T: Real> PointCost<T> for $name<'_, T> {
            fn points(&self) -> Clouds<'_, T> {
                self.0
            }
        }
    };
}

point_cost! { Cosine, Metric::Cosine,
    /// The cosine distance `1 - x.y / (|x| |y|)`, between zero and two.
}

point_cost! { SquaredEuclidean, Metric::SquaredEuclidean,
    /// The squared Euclidean distance `|x - y|^2`.
    ///
    /// It is computed as `|x|^2 + |y|^2 - 2 x.y`, from points with the mean of their side taken off:
    /// how far the two sides are apart costs no digits, only how far each is spread.
}

point_cost! { Dot, Metric::Dot,
    /// The negative inner product `-x.y`: what is alike is cheap.
    ///
    /// Every cost matrix of low rank, `C = -X Y^T`, is one of these.
}

impl Cost<f64> for CostMatrix {
    fn n(&self) -> usize {
        self.n()
    }

    fn m(&self) -> usize {
        self.m()
    }

    fn panel(&self, rows: Range<usize>, costs: &mut [f64]) {
        let m = self.m();
        costs.copy_from_slice(&self.values()[rows.start * m..rows.end * m]);
    }
}
