//! Derivatives of the regularised cost in the points.
//!
//! At the optimum the potentials do not contribute to first order (Danskin; Feydy et al. 2019,
//! "Interpolating between optimal transport and MMD using Sinkhorn divergences", section 3.2), so the
//! gradient is that of the cost, weighted by the plan: `sum_j P_ij dC_ij / dx_i`.

use super::clouds::{Clouds, Metric};
use super::operator::Operator;
use super::plan::{Plan, Precision};
use super::solution::{PointSolution, scatter};
use crate::error::Side;
use crate::{PointCost, Real};

/// Points with mass were looked at before the problem was solved, and are borrowed since.
const CHECKED: &str = "points with mass were checked";

impl<T: Real, C: PointCost<T> + ?Sized> PointSolution<'_, T, C> {
    /// Returns the gradient of the least regularised cost in the points of one side, `x` for
    /// [`Side::Rows`] and `y` for [`Side::Columns`], with weights and the other side held: a vector
    /// of the dimension for each point, one behind the other; zero for points without mass.
    ///
    /// It is exact at convergence, by the envelope theorem, and takes a pass over the plan.
    #[must_use]
    pub fn gradient(&self, side: Side) -> Vec<T> {
        let clouds = self.cost.points();
        match (&self.plan, side) {
            (plan, Side::Rows) => of_rows(&clouds, plan),
            (Precision::Own(plan), Side::Columns) => {
                let clouds = clouds.exchanged();
                of_rows(&clouds, &Precision::Own(self.exchanged(&clouds, plan)))
            }
            (Precision::Double(plan), Side::Columns) => {
                let clouds = clouds.exchanged();
                let plan = Precision::<T>::Double(self.exchanged(&clouds, plan));
                of_rows(&clouds, &plan)
            }
        }
    }

    /// Returns the plan with rows and columns exchanged.
    fn exchanged<U: Real>(&self, clouds: &Clouds<'_, T>, plan: &Plan<'_, U>) -> Plan<'static, U> {
        let marginals = plan.operator.marginals.exchanged();
        let gather = |places: &[usize], all: &[f64]| -> Vec<f64> {
            places.iter().map(|&place| all[place]).collect()
        };
        let f = gather(&marginals.rows, self.g());
        let g = gather(&marginals.columns, self.f());
        let instructions = plan.operator.instructions;
        let operator = Operator::of_points(clouds, marginals, instructions).expect(CHECKED);
        Plan::of_potentials(operator, plan.factors.scale.to_f64(), &f, &g)
    }
}

/// Returns the gradient in the points of the rows.
fn of_rows<T: Real>(clouds: &Clouds<'_, T>, plan: &Precision<'_, T>) -> Vec<T> {
    let (d, marginals) = (clouds.dimension(), plan.marginals());
    let origin = clouds.origin(&marginals.columns).expect(CHECKED);
    let write = |side: Side, index: usize, point: &mut [f64]| {
        clouds.write(side, index, &origin, point).expect(CHECKED)
    };
    let (mut moved, sums) = plan.multiply(d, |&j| {
        let mut point = vec![0.0; d];
        write(Side::Columns, j, &mut point);
        point.into_iter()
    });
    let mut point = vec![0.0; d];
    let rows = moved.chunks_exact_mut(d).zip(sums).zip(&marginals.rows);
    for ((gradient, sum), &i) in rows {
        let norm = write(Side::Rows, i, &mut point);
        let along: f64 = point.iter().zip(&*gradient).map(|(x, y)| x * y).sum();
        for (gradient, x) in gradient.iter_mut().zip(&point) {
            *gradient = match clouds.metric() {
                Metric::Cosine => (along * x - *gradient) / norm,
                Metric::SquaredEuclidean => 2.0 * (sum * x - *gradient),
                Metric::Dot => -*gradient,
            };
        }
    }
    scatter(clouds.n(), &marginals.rows, &moved, d)
}
