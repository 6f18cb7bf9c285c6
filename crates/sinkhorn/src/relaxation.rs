//! What a marginal costs when it is missed.
//!
//! A relaxed marginal adds `rho KL(p | a)` to the objective, `p` being the sums of the plan (Chizat,
//! Peyré, Schmitzer and Vialard 2018, "Scaling algorithms for unbalanced optimal transport
//! problems"). Its potentials state the sums they call for, `a exp(-f / rho)`, and its update is the
//! balanced one drawn towards zero.

/// How firmly one side's sums are held to its weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Relaxation {
    /// Cost of a divergence of one; infinite where the weights must be met.
    rho: f64,
    /// This side's part of the problem's offset, which its potentials here do not include.
    offset: f64,
}

impl Relaxation {
    /// Sums that must be the weights.
    pub(crate) const HELD: Self = Self {
        rho: f64::INFINITY,
        offset: 0.0,
    };

    /// Both sides of a problem whose costs have `offset` taken off. It is split so that potentials
    /// of no transport at all are small.
    pub(crate) fn sides([rows, columns]: [f64; 2], offset: f64) -> [Self; 2] {
        let share = if rows.is_infinite() {
            1.0
        } else {
            rows / (rows + columns)
        };
        let side = |rho, share| Self {
            rho,
            offset: share * offset,
        };
        [side(rows, share), side(columns, 1.0 - share)]
    }

    pub(crate) fn is_held(self) -> bool {
        self.rho.is_infinite()
    }

    pub(crate) fn rho(self) -> f64 {
        self.rho
    }

    pub(crate) fn offset(self) -> f64 {
        self.offset
    }

    /// `epsilon / rho`: what the penalty adds to the curvature that the sums have, relative to it.
    pub(crate) fn stiffness(self, epsilon: f64) -> f64 {
        epsilon / self.rho
    }

    /// Returns the update of a potential, given the soft minimum of costs less potentials opposite.
    pub(crate) fn update(self, epsilon: f64, soft_minimum: f64) -> f64 {
        let share = self.stiffness(epsilon) / (1.0 + self.stiffness(epsilon));
        soft_minimum - share * (soft_minimum + self.offset)
    }

    /// `log(sum / weight)` of the sum that a potential calls for.
    pub(crate) fn log_share(self, potential: f64) -> f64 {
        -(potential + self.offset) / self.rho
    }

    /// Returns the sums that potentials call for.
    pub(crate) fn targets(self, weights: &[f64], potentials: &[f64]) -> Vec<f64> {
        if self.is_held() {
            return weights.to_vec();
        }
        let sides = weights.iter().zip(potentials);
        sides
            .map(|(weight, potential)| weight * self.log_share(*potential).exp())
            .collect()
    }

    /// `log sum_i weight_i exp(-potential_i / rho)`: the mass that potentials call for.
    pub(crate) fn log_mass(self, weights: &[f64], potentials: &[f64]) -> f64 {
        if self.is_held() {
            return weights.iter().sum::<f64>().ln();
        }
        let shares = || {
            potentials
                .iter()
                .map(|potential| self.log_share(*potential))
        };
        let largest = shares().fold(f64::NEG_INFINITY, f64::max);
        let terms = weights.iter().zip(shares());
        let sum: f64 = terms
            .map(|(weight, share)| weight * (share - largest).exp())
            .sum();
        largest + sum.ln()
    }

    /// This side's part of the dual objective: `<weights, potentials>` if the weights are held, else
    /// `-rho sum_i weight_i (exp(-potential_i / rho) - 1)`.
    pub(crate) fn dual(self, weights: &[f64], potentials: &[f64]) -> f64 {
        let sides = weights.iter().zip(potentials);
        if self.is_held() {
            return sides.map(|(weight, potential)| weight * potential).sum();
        }
        -self.rho * self.excess(weights, potentials)
    }

    /// Returns the mass that potentials call for less that of the weights. Without weight a potential may be
    /// anything, even one that calls for an infinite share.
    pub(crate) fn excess(self, weights: &[f64], potentials: &[f64]) -> f64 {
        let sides = weights.iter().zip(potentials);
        sides
            .filter(|(weight, _)| **weight > 0.0)
            .map(|(weight, potential)| weight * self.log_share(*potential).exp_m1())
            .sum()
    }

    /// `rho KL(sums | weights)`; zero if the weights are held.
    pub(crate) fn penalty(self, sums: &[f64], weights: &[f64]) -> f64 {
        if self.is_held() {
            return 0.0;
        }
        let sides = sums.iter().zip(weights);
        self.rho
            * sides
                .map(|(sum, weight)| divergence(*sum, *weight))
                .sum::<f64>()
    }
}

/// `p log(p / q) - p + q`, one term of a Kullback-Leibler divergence.
pub(crate) fn divergence(p: f64, q: f64) -> f64 {
    if p > 0.0 { p * (p / q).ln() - p + q } else { q }
}

/// What moves from the column potentials to the row potentials to make the dual largest; the plan
/// does not change (Séjourné, Vialard and Peyré 2022, "Faster unbalanced optimal transport:
/// translation invariant Sinkhorn and 1-D Frank-Wolfe"). At least one side is relaxed.
pub(crate) fn translation(rows: (Relaxation, f64), columns: (Relaxation, f64)) -> f64 {
    let (rows, log_rows) = rows;
    let (columns, log_columns) = columns;
    (log_rows - log_columns) / (1.0 / rows.rho + 1.0 / columns.rho)
}
