//! Entropic barycentres on given points.
//!
//! The barycentre of measures `a_k` with shares `lambda_k` is the histogram `b` that minimises
//! `sum_k lambda_k OT_k(a_k, b)`, where `OT_k(a_k, b)` is the least `<P, C_k> + epsilon sum_ij P_ij
//! (log(P_ij / a_i) - 1)` over plans with row sums `a_k` and column sums `b` (Benamou, Carlier,
//! Cuturi, Nenna and Peyré 2015, "Iterative Bregman projections for regularized transportation
//! problems", section 3.2). The entropy blurs: with squared distances as cost, the barycentre of one
//! Gaussian is that Gaussian with `epsilon / 2` added to its variance. The debiased barycentre
//! minimises `sum_k lambda_k S(a_k, b)` for the Sinkhorn divergence `S` and does not blur (Janati,
//! Cuturi and Gramfort 2020, "Debiased Sinkhorn barycenters", algorithm 1).

mod iteration;
mod newton;

use crate::error::Side;
use crate::problem::{check_finite_costs, checked_count, checked_mass};
use crate::{CostMatrix, Error, Sinkhorn, Status, divergence};

use iteration::Iteration;

/// Relative difference in mass that still counts as equal: rounding of printed weights, not more.
const MASS_TOLERANCE: f64 = 1e-9;

/// Measures to average, and what it costs to move each to the points of the barycentre.
///
/// A share of zero takes a measure out, and a weight of zero a row, with whatever costs stand there.
#[derive(Debug, Clone, PartialEq)]
pub struct BarycentreProblem {
    /// One for each measure, or one for all.
    costs: Vec<CostMatrix>,
    measures: Vec<Vec<f64>>,
    /// Shares of the measures; their sum is one.
    lambda: Vec<f64>,
    /// Costs between the barycentre's points, if it is to be debiased.
    within: Option<CostMatrix>,
}

impl BarycentreProblem {
    /// Joins measures (the weights of `n_k` points each) with their shares `lambda`, which need not
    /// sum to one, and with an `n_k x m` cost each, from the measure's points to the `m` points that
    /// the barycentre may use.
    ///
    /// # Errors
    /// [`Error::VectorLength`] if there are not as many costs or shares as measures,
    /// [`Error::Share`] if a share is negative or not finite, [`Error::NotPositive`] if all are zero;
    /// [`Error::InMeasure`] around what is wrong with a measure; [`Error::MeasureMass`] if two
    /// differ in mass.
    pub fn new(costs: Vec<CostMatrix>, measures: &[&[f64]], lambda: &[f64]) -> Result<Self, Error> {
        if costs.len() != measures.len() {
            return Err(Error::VectorLength {
                name: "costs",
                expected: measures.len(),
                found: costs.len(),
            });
        }
        Self::checked(costs, measures, lambda)
    }

    /// Works as [`new`](Self::new), for measures on the same points: one cost serves all.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn shared(cost: CostMatrix, measures: &[&[f64]], lambda: &[f64]) -> Result<Self, Error> {
        Self::checked(vec![cost], measures, lambda)
    }

    /// Returns the same measures, for a barycentre that entropy does not blur: `within` is the symmetric
    /// `m x m` cost between its points.
    ///
    /// # Errors
    /// As those of [`DivergenceProblem::new`](crate::DivergenceProblem::new), for columns.
    pub fn debiased(self, within: CostMatrix) -> Result<Self, Error> {
        let weights = vec![1.0; self.m()];
        let problem = divergence::within(Side::Columns, &within, &weights)?;
        Ok(Self {
            within: Some(problem.cost().clone()),
            ..self
        })
    }

    /// Number of points that the barycentre may use.
    fn m(&self) -> usize {
        self.costs[0].m()
    }

    fn checked(costs: Vec<CostMatrix>, measures: &[&[f64]], lambda: &[f64]) -> Result<Self, Error> {
        if lambda.len() != measures.len() {
            return Err(Error::VectorLength {
                name: "lambda",
                expected: measures.len(),
                found: lambda.len(),
            });
        }
        let bad = |share: &f64| !share.is_finite() || *share < 0.0;
        if let Some(index) = lambda.iter().position(bad) {
            let value = lambda[index];
            return Err(Error::Share { index, value });
        }
        let sum = lambda.iter().fold(0.0, |sum, share| sum + share);
        if sum <= 0.0 || sum.is_infinite() {
            return Err(Error::NotPositive {
                setting: "sum of lambda",
                value: sum,
            });
        }
        let problem = Self {
            costs,
            measures: measures.iter().map(|weights| weights.to_vec()).collect(),
            lambda: lambda.iter().map(|share| share / sum).collect(),
            within: None,
        };
        let mut first = None;
        for measure in 0..problem.measures.len() {
            let found = problem.checked_mass(measure);
            let found = found.map_err(|error| Error::InMeasure {
                measure,
                error: Box::new(error),
            })?;
            let Some(found) = found else { continue };
            let expected = *first.get_or_insert(found);
            if (found - expected).abs() > MASS_TOLERANCE * expected.max(found) {
                return Err(Error::MeasureMass {
                    measure,
                    expected,
                    found,
                });
            }
        }
        Ok(problem)
    }

    /// Returns the mass of a measure that has a share, once it is found to be in order.
    fn checked_mass(&self, measure: usize) -> Result<Option<f64>, Error> {
        let (cost, weights) = (self.cost(measure), &self.measures[measure]);
        checked_count(Side::Rows, weights, cost.n())?;
        let (expected, found) = (self.m(), cost.m());
        if expected != found {
            return Err(Error::VectorLength {
                name: "a row of the cost",
                expected,
                found,
            });
        }
        if self.lambda[measure] == 0.0 {
            return Ok(None);
        }
        let mass = checked_mass(Side::Rows, weights)?;
        check_finite_costs(cost.values(), weights, &vec![1.0; expected])?;
        Ok(Some(mass))
    }

    fn cost(&self, measure: usize) -> &CostMatrix {
        &self.costs[measure.min(self.costs.len() - 1)]
    }
}

/// A barycentre, with the plans that tie it to the measures.
#[derive(Debug, Clone, PartialEq)]
pub struct Barycentre {
    problem: BarycentreProblem,
    epsilon: f64,
    weights: Vec<f64>,
    /// Those of measure `k`, none if it has no share: `P_ij = a_i exp((f_i + g_j - C_ij) / epsilon)`.
    potentials: Vec<Option<(Vec<f64>, Vec<f64>)>>,
    iterations: usize,
    marginal_error: f64,
    status: Status,
}

impl Barycentre {
    /// Returns the barycentre's weights at its `m` points, of the same mass as the measures.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Potentials `f` and `g` of measure `index`, in units of the cost, with
    /// `P_ij = a_i exp((f_i + g_j - C_ij) / epsilon)`: the regularisation knows no weights of the
    /// columns. `f` is zero at rows without mass. Nothing if the measure has no share.
    ///
    /// # Panics
    /// If there is no such measure.
    #[must_use]
    pub fn potentials(&self, index: usize) -> Option<(&[f64], &[f64])> {
        let potentials = self.potentials[index].as_ref();
        potentials.map(|(f, g)| (&f[..], &g[..]))
    }

    /// Returns the plan from measure `index` to the barycentre: `n_k * m` masses, row by row. Its row sums
    /// are the measure's weights up to rounding, its column sums the barycentre's within the
    /// marginal error over the measure's share. Nothing if the measure has no share.
    ///
    /// # Panics
    /// If there is no such measure.
    #[must_use]
    pub fn plan(&self, index: usize) -> Option<Vec<f64>> {
        let problem = &self.problem;
        let (f, g) = self.potentials(index)?;
        let rows = problem.cost(index).rows();
        let rows = rows.zip(f).zip(&problem.measures[index]);
        let cells = rows.flat_map(|((costs, f), a)| {
            costs.iter().zip(g).map(move |(cost, g)| {
                if *a > 0.0 {
                    a * ((f + g - cost) / self.epsilon).exp()
                } else {
                    0.0
                }
            })
        });
        Some(cells.collect())
    }

    getters! {
        /// Full iterations done, those of the warm start at larger epsilons included.
        iterations: usize;
        /// L1 distances of the plans' column sums from the barycentre's weights, averaged over the
        /// measures by their shares; for a debiased one, with that of its plan to itself added.
        marginal_error: f64;
        /// How the iterations ended.
        status: Status;
    }

    /// Whether the marginal error is at most the threshold.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.status == Status::Converged
    }
}

impl Sinkhorn {
    /// Returns the entropic barycentre of measures, by iterative Bregman projections in the log domain.
    ///
    /// Iterations are accelerated, and small epsilons approached through larger ones, as in
    /// [`solve`](Self::solve); a fixed number of them is plain.
    ///
    /// ```
    /// use optical_sinkhorn::{BarycentreProblem, CostMatrix, Sinkhorn};
    ///
    /// let points = [0.0_f64, 0.25, 0.5, 0.75, 1.0];
    /// let cost = CostMatrix::squared_euclidean(&points, &points, 1)?;
    /// let (left, right) = ([1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0]);
    /// let problem = BarycentreProblem::shared(cost, &[&left, &right], &[0.5, 0.5])?;
    /// let barycentre = Sinkhorn::new(0.01)?.barycentre(&problem)?;
    /// assert!(barycentre.converged() && barycentre.weights()[2] > 0.99);
    /// # Ok::<(), optical_sinkhorn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Relaxed`] if marginals may be missed; [`Error::OutOfRange`] if the result is not
    /// finite. Running out of iterations is not an error: the [`status`](Barycentre::status) says so.
    pub fn barycentre(&self, problem: &BarycentreProblem) -> Result<Barycentre, Error> {
        if !self.is_balanced() {
            let [rows, columns] = self.rho();
            return Err(Error::Relaxed { rows, columns });
        }
        let iteration = Iteration::new(problem);
        self.check_range(iteration.spread)?;
        let (point, iterations) = iteration.run(self);

        let mut potentials = vec![None; problem.measures.len()];
        for (measure, kept, g) in iteration.potentials(self.epsilon(), &point) {
            let mut f = vec![0.0; problem.measures[measure].len()];
            kept.iter().for_each(|(i, potential)| f[*i] = *potential);
            potentials[measure] = Some((f, g));
        }
        let weights = Iteration::weights(&point);
        let marginal_error = point.error;
        if !marginal_error.is_finite() || weights.iter().any(|weight| !weight.is_finite()) {
            return Err(Error::OutOfRange {
                epsilon: self.epsilon(),
                spread: iteration.spread,
            });
        }
        Ok(Barycentre {
            problem: problem.clone(),
            epsilon: self.epsilon(),
            weights,
            potentials,
            iterations,
            marginal_error,
            status: if marginal_error <= self.threshold() {
                Status::Converged
            } else {
                Status::MaxIterations
            },
        })
    }
}

#[cfg(test)]
mod tests;
