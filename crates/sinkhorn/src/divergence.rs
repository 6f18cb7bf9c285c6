//! The debiased Sinkhorn divergence between two measures.
//!
//! `S(a, b) = OT(a, b) - OT(a, a) / 2 - OT(b, b) / 2 + epsilon (m_a - m_b)^2 / 2`, where `OT` is the
//! regularised cost and `m` the total mass (Feydy, Séjourné, Vialard, Amari, Trouvé and Peyré 2019,
//! "Interpolating between optimal transport and MMD using Sinkhorn divergences"; Séjourné, Feydy,
//! Vialard, Trouvé and Peyré 2019, "Sinkhorn divergences for unbalanced optimal transport"). Where
//! `exp(-C / epsilon)` is a positive kernel, as for distances of points and their squares, it is
//! positive, convex in either measure, and zero only between equal ones. It tends to the least
//! transport cost as epsilon falls, and to half the squared kernel distance with kernel `-C` as
//! epsilon grows.

use crate::{CostMatrix, Error, Problem, Side, Sinkhorn, Solution, Status, symmetric};

/// Differences between a cost and its mirror image, as a share of the largest cost, that may be
/// rounding in single precision.
const SYMMETRY_TOLERANCE: f64 = 1e-5;

/// Two measures with the costs between them and within each.
#[derive(Debug, Clone, PartialEq)]
pub struct DivergenceProblem {
    between: Problem,
    rows: Problem,
    columns: Problem,
}

impl DivergenceProblem {
    /// Joins the problem between two measures with the `n x n` cost between the points of its rows
    /// and the `m x m` cost between those of its columns.
    ///
    /// These two have to be symmetric where there is mass. Differences up to 1e-5 of the largest
    /// cost count as rounding: both values are replaced by their mean.
    ///
    /// # Errors
    /// [`Error::SelfCostShape`] if a matrix has the wrong shape; [`Error::Asymmetric`] if one is not
    /// symmetric; [`Error::Cost`] if a cost between the measures, at positive weights, is not finite:
    /// there is no divergence of forbidden cells; [`Error::InSelfCost`] around it if one within is not.
    pub fn new(between: Problem, rows: CostMatrix, columns: CostMatrix) -> Result<Self, Error> {
        between.check_finite()?;
        Ok(Self {
            rows: within(Side::Rows, &rows, between.a())?,
            columns: within(Side::Columns, &columns, between.b())?,
            between,
        })
    }

    getters! {
        /// Returns the problem between the two measures.
        ref between: Problem;
        /// Returns the problem of the row measure with itself.
        ref rows: Problem;
        /// Returns the problem of the column measure with itself.
        ref columns: Problem;
    }
}

/// Returns the problem of a measure with itself.
pub(crate) fn within(side: Side, cost: &CostMatrix, weights: &[f64]) -> Result<Problem, Error> {
    let (expected, found) = (weights.len(), (cost.n(), cost.m()));
    if found != (expected, expected) {
        return Err(Error::SelfCostShape {
            side,
            expected,
            found,
        });
    }
    let given = Problem::unbalanced(cost.clone(), weights, weights);
    let given = given.and_then(|given| given.check_finite().map(|()| given));
    let given = given.map_err(|error| Error::InSelfCost {
        side,
        error: Box::new(error),
    })?;
    let kept: Vec<usize> = (0..expected).filter(|&i| weights[i] > 0.0).collect();
    let mut values = cost.values().to_vec();
    let sizes = kept
        .iter()
        .flat_map(|&i| kept.iter().map(move |&j| (i, j)))
        .map(|(i, j)| values[i * expected + j].abs());
    let tolerance = SYMMETRY_TOLERANCE * sizes.fold(0.0, f64::max);
    let mut is_exact = true;
    for (position, &i) in kept.iter().enumerate() {
        for &j in &kept[..position] {
            let (value, mirrored) = (values[i * expected + j], values[j * expected + i]);
            if value == mirrored {
                continue;
            }
            if (value - mirrored).abs() > tolerance {
                return Err(Error::Asymmetric {
                    side,
                    i,
                    j,
                    value,
                    mirrored,
                });
            }
            let mean = value / 2.0 + mirrored / 2.0;
            (values[i * expected + j], values[j * expected + i]) = (mean, mean);
            is_exact = false;
        }
    }
    if is_exact {
        return Ok(given);
    }
    Problem::unbalanced(
        CostMatrix::new(&values, expected, expected)?,
        weights,
        weights,
    )
}

/// A Sinkhorn divergence with the three solutions that it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Divergence {
    value: f64,
    parts: [f64; 3],
    between: Solution,
    rows: Solution,
    columns: Solution,
    f: Vec<f64>,
    g: Vec<f64>,
    /// `epsilon (m_a - m_b)`.
    excess: f64,
}

impl Divergence {
    getters! {
        /// Returns the divergence, in units of the cost times mass. Rounding and what the solves leave open may
        /// make that of equal measures a little less than zero.
        value: f64;
        /// Returns the regularised costs, by their duals, between the measures, of the rows with themselves and
        /// of the columns with themselves.
        parts: [f64; 3];
        /// Returns the solution between the measures.
        ref between: Solution;
        /// Returns the solution of the rows with themselves.
        ref rows: Solution;
        /// Returns the solution of the columns with themselves.
        ref columns: Solution;
        /// Debiased row potentials, the `f` between the measures less that of the rows with themselves.
        /// If both marginals have to be met and mass is one, `<f, a> + <g, b>` is the divergence.
        ref f: [f64];
        /// Debiased column potentials; see [`f`](Self::f).
        ref g: [f64];
    }

    /// Full iterations of all three solves together.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.solutions().map(Solution::iterations).iter().sum()
    }

    /// Returns the largest marginal error of the three.
    #[must_use]
    pub fn marginal_error(&self) -> f64 {
        let errors = self.solutions().map(Solution::marginal_error);
        errors.into_iter().fold(0.0, f64::max)
    }

    /// [`Status::Converged`] if all three solves converged.
    #[must_use]
    pub fn status(&self) -> Status {
        if self.converged() {
            Status::Converged
        } else {
            Status::MaxIterations
        }
    }

    /// Whether all three solves converged.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.solutions().into_iter().all(Solution::converged)
    }

    /// Returns the derivatives of the divergence with respect to the cost between the measures (`n * m`
    /// numbers), within the rows (`n * n`) and within the columns (`m * m`), by the envelope theorem:
    /// the plan between, and less half the plan within.
    #[must_use]
    pub fn cost_gradients(&self) -> [Vec<f64>; 3] {
        let less_half = |plan: Vec<f64>| plan.iter().map(|mass| -0.5 * mass).collect();
        [
            self.between.plan(),
            less_half(self.rows.plan()),
            less_half(self.columns.plan()),
        ]
    }

    /// Returns the derivatives of the divergence with respect to the row weights and the column weights, as
    /// [`Solution::weight_gradients`]: the debiased potentials if both marginals have to be met.
    #[must_use]
    pub fn weight_gradients(&self) -> (Vec<f64>, Vec<f64>) {
        let less_half = |between: Vec<f64>, (of_f, of_g): (Vec<f64>, Vec<f64>), excess: f64| {
            let within = of_f.iter().zip(&of_g);
            let sides = between.iter().zip(within);
            sides
                .map(|(between, (f, g))| between - 0.5 * (f + g) + excess)
                .collect()
        };
        let (of_a, of_b) = self.between.weight_gradients();
        (
            less_half(of_a, self.rows.weight_gradients(), self.excess),
            less_half(of_b, self.columns.weight_gradients(), -self.excess),
        )
    }

    fn solutions(&self) -> [&Solution; 3] {
        [&self.between, &self.rows, &self.columns]
    }
}

impl Sinkhorn {
    /// Returns the Sinkhorn divergence between two measures, from three solves at the same epsilon.
    ///
    /// Those of a measure with itself have one potential, and take few iterations. With a fixed
    /// number of iterations each solve makes that many.
    ///
    /// ```
    /// use optical_sinkhorn::{CostMatrix, DivergenceProblem, Problem, Sinkhorn};
    ///
    /// let (x, y) = ([0.0_f64, 0.3, 1.0], [0.1_f64, 0.9]);
    /// let squares = |from: &[f64], to: &[f64]| CostMatrix::squared_euclidean(from, to, 1);
    /// let between = Problem::new(squares(&x, &y)?, &[0.2, 0.3, 0.5], &[0.5, 0.5])?;
    /// let problem = DivergenceProblem::new(between, squares(&x, &x)?, squares(&y, &y)?)?;
    /// let divergence = Sinkhorn::new(0.05)?.divergence(&problem)?;
    /// assert!(divergence.converged() && divergence.value() > 0.0);
    /// let [of_cost, _, _] = divergence.cost_gradients();
    /// assert_eq!(of_cost.len(), 6);
    /// # Ok::<(), optical_sinkhorn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::UnequalRho`] if the two marginals are not relaxed alike; otherwise as
    /// [`solve`](Self::solve).
    pub fn divergence(&self, problem: &DivergenceProblem) -> Result<Divergence, Error> {
        let [rows, columns] = self.rho();
        if rows != columns {
            return Err(Error::UnequalRho { rows, columns });
        }
        let between = self.solve(problem.between())?;
        let rows = symmetric::solve(self, problem.rows())?;
        let columns = symmetric::solve(self, problem.columns())?;
        let parts = [between.dual_cost(), rows.dual_cost(), columns.dual_cost()];
        let mass = |weights: &[f64]| weights.iter().sum::<f64>();
        let difference = mass(problem.between.a()) - mass(problem.between.b());
        let excess = self.epsilon() * difference;
        Ok(Divergence {
            value: parts[0] - (parts[1] + parts[2]) / 2.0 + excess * difference / 2.0,
            parts,
            f: debiased(between.f(), &rows),
            g: debiased(between.g(), &columns),
            between,
            rows,
            columns,
            excess,
        })
    }
}

/// Potentials less the one that serves both sides of a symmetric problem.
fn debiased(potentials: &[f64], within: &Solution) -> Vec<f64> {
    let sides = within.f().iter().zip(within.g());
    let both = potentials.iter().zip(sides);
    both.map(|(potential, (f, g))| potential - (f + g) / 2.0)
        .collect()
}

#[cfg(test)]
mod tests;
