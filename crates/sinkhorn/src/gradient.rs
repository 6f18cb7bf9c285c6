//! Derivatives of a solved problem's costs, each under the name of what it holds fixed.

mod implicit;
mod unrolled;

use crate::log_domain::Support;
use crate::real::Lanes;
use crate::relaxation::Relaxation;
use crate::{Error, Problem, Solution};

/// Which value a transport cost is, and what of it is differentiated with respect to the cost.
///
/// The weights are constants in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Gradient {
    /// The regularised cost `<P, C> + epsilon KL(P | a b^T)`, with the price of missed marginals
    /// where they may be missed, by its dual. Its derivative is `P`, since at the optimum no other
    /// change matters (envelope theorem).
    Envelope,
    /// The expected cost `<P, C>` along a plan held fixed: the derivative is called `P` too, though
    /// `P` would move if the cost did.
    Detached,
    /// The expected cost `<P, C>` with the plan moving as the cost does, by the implicit function
    /// theorem at the optimum: exact where the iterations have converged.
    Implicit,
    /// The expected cost `<P, C>` of the iterations done, differentiated through every one of
    /// them: exact however few they are. It keeps all of them in memory.
    Unrolled,
}

impl Solution {
    /// Returns the derivative with respect to the cost of the value that `gradient` names: `n * m` numbers,
    /// row by row, zero where a weight is zero.
    ///
    /// [`Gradient::Implicit`] factorises one matrix of the smaller side's size.
    /// [`Gradient::Unrolled`] needs a solve [with a fixed number of
    /// iterations](crate::Sinkhorn::with_fixed_iterations), and repeats it; potentials that it was
    /// told to start from are constants.
    ///
    /// ```
    /// use optical_sinkhorn::{CostMatrix, Gradient, Problem, Sinkhorn};
    ///
    /// let cost = CostMatrix::new(&[0.1, 0.8, 0.6, 0.7, 0.2, 0.9], 2, 3)?;
    /// let problem = Problem::new(cost, &[0.5, 0.5], &[0.25, 0.5, 0.25])?;
    /// let solution = Sinkhorn::new(0.1)?.solve(&problem)?;
    /// let slope = solution.gradient(Gradient::Implicit)?;
    ///
    /// let raised = CostMatrix::new(&[0.1 + 1e-6, 0.8, 0.6, 0.7, 0.2, 0.9], 2, 3)?;
    /// let raised = Problem::new(raised, &[0.5, 0.5], &[0.25, 0.5, 0.25])?;
    /// let rise = Sinkhorn::new(0.1)?.solve(&raised)?.transport_cost() - solution.transport_cost();
    /// assert!((slope[0] - rise / 1e-6).abs() < 1e-4);
    /// # Ok::<(), optical_sinkhorn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotUnrolled`] if an unrolled derivative is asked of accelerated iterations;
    /// [`Error::Singular`] if an implicit one drowns in rounding.
    pub fn gradient(&self, gradient: Gradient) -> Result<Vec<f64>, Error> {
        let problem = &self.problem;
        let support = || {
            let support = Support::of(problem).relaxed(self.rho);
            support.without_forbidden(problem, f64::ROUNDING)
        };
        match gradient {
            Gradient::Envelope | Gradient::Detached => Ok(self.plan()),
            Gradient::Implicit => {
                let support = support()?;
                let kept = |places: &[usize], all: &[f64]| -> Vec<f64> {
                    places.iter().map(|&place| all[place]).collect()
                };
                let f = kept(&support.rows, &self.centred_f);
                let g = kept(&support.columns, &self.centred_g);
                let slope = implicit::slope(&support, self.epsilon, &f, &g)?;
                Ok(spread(problem, &support, &slope))
            }
            Gradient::Unrolled => {
                let support = support()?;
                let start = self.start.as_ref().ok_or(Error::NotUnrolled)?;
                let slope = unrolled::slope(&support, self.epsilon, self.iterations(), start);
                Ok(spread(problem, &support, &slope))
            }
        }
    }

    /// Returns the derivatives of the regularised cost with respect to the row weights (length `n`) and the
    /// column weights (length `m`), by the envelope theorem: exact where the iterations have
    /// converged.
    ///
    /// With the total masses `A` of the rows and `B` of the columns they are
    /// `f_i - epsilon (1 - B)` and `g_j - epsilon (1 - A)`, that is the potentials where mass is one.
    /// Where both marginals have to be met, only changes of the weights that keep the two masses
    /// equal have a meaning; a constant that moves between the two lists changes none of them. Where
    /// the row sums may be missed it is `rho (1 - s) - epsilon (s - B)` with `s = exp(-f_i / rho)`,
    /// and likewise for columns. At a weight of zero it is the derivative from the right, if all
    /// costs there are finite, and without meaning if one is not.
    #[must_use]
    pub fn weight_gradients(&self) -> (Vec<f64>, Vec<f64>) {
        let problem = &self.problem;
        let mass = |weights: &[f64]| weights.iter().sum::<f64>();
        let [rows, columns] = Relaxation::sides(self.rho, 0.0);
        let slopes = |side: Relaxation, potentials: &[f64], opposite: f64| {
            let slope = |potential: &f64| {
                side.dual(&[1.0], &[*potential])
                    - self.epsilon * (side.log_share(*potential).exp() - opposite)
            };
            potentials.iter().map(slope).collect()
        };
        (
            slopes(rows, self.f(), mass(problem.b())),
            slopes(columns, self.g(), mass(problem.a())),
        )
    }
}

/// Writes the cells of a support to their places in the whole problem; zero elsewhere.
fn spread(problem: &Problem, support: &Support, cells: &[f64]) -> Vec<f64> {
    let m = problem.cost().m();
    let mut all = vec![0.0; problem.cost().n() * m];
    for (&i, row) in support.rows.iter().zip(cells.chunks_exact(support.b.len())) {
        for (&j, cell) in support.columns.iter().zip(row) {
            all[i * m + j] = *cell;
        }
    }
    all
}

#[cfg(test)]
mod tests;
