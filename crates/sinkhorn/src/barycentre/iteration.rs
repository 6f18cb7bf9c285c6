//! Iterative Bregman projections in the log domain, accelerated.
//!
//! One iteration takes the column potentials `g_k` of all measures. Each `f_k` is chosen so that the
//! rows of its plan carry `a_k`; the barycentre is the geometric mean of what the columns would
//! carry with `g_k = 0`, weighted by the shares; each `g_k` then makes its columns carry that. A
//! debiased barycentre is multiplied by `d`, and `d` moves halfway, in logarithms, to where
//! `d_i exp(-C_ij / epsilon) d_j` would have the barycentre as its sums.

use super::{BarycentreProblem, newton};
use crate::anderson::Anderson;
use crate::log_domain::soft_minimum;
use crate::sinkhorn::WARM_START_THRESHOLD;
use crate::{CostMatrix, Sinkhorn};

/// Plain iterations before acceleration: far from the solution the map is far from linear.
const PLAIN_ITERATIONS: usize = 5;

/// Growth of the marginal error over its best so far that shows that acceleration misleads.
const MISLED: f64 = 2.0;

/// First-order iterations between attempts at Newton steps.
const FIRST_ORDER_ITERATIONS: usize = 60;

/// Largest distance of an accelerated point from the plain one, in epsilons.
const LARGEST_LEAP: f64 = 3.0;

/// A barycentre's problem without what has no share or no mass.
pub(super) struct Iteration {
    pub couplings: Vec<Coupling>,
    /// Costs between the measures' points and the barycentre's, less the smallest that counts.
    costs: Vec<Centred>,
    /// Costs between the barycentre's own points if it is debiased.
    within: Option<Centred>,
    pub m: usize,
    pub mass: f64,
    /// Distance of the largest cost that counts from the smallest of its matrix.
    pub spread: f64,
}

/// A measure's rows with mass.
pub(super) struct Coupling {
    /// Position of the measure in the problem, and of its cost.
    measure: usize,
    cost: usize,
    rows: Vec<usize>,
    pub a: Vec<f64>,
    pub share: f64,
}

/// A cost less the smallest one in the rows that count; the other rows may be anything.
struct Centred {
    values: Vec<f64>,
    offset: f64,
    spread: f64,
}

impl Centred {
    fn new(cost: &CostMatrix, counts: impl Fn(usize) -> bool) -> Self {
        let kept = || {
            let rows = cost.rows().enumerate().filter(|(i, _)| counts(*i));
            rows.flat_map(|(_, row)| row.iter().copied())
        };
        let offset = kept().fold(f64::INFINITY, f64::min);
        let largest = kept().fold(f64::NEG_INFINITY, f64::max);
        Self {
            values: cost.values().iter().map(|cost| cost - offset).collect(),
            offset,
            spread: largest - offset,
        }
    }

    fn rows<'a>(&'a self, m: usize, places: &'a [usize]) -> impl Iterator<Item = &'a [f64]> {
        places.iter().map(move |i| &self.values[i * m..(i + 1) * m])
    }
}

/// Where the iterations stand: `g_k` of every measure, behind them `epsilon log d` if debiased.
#[derive(Clone)]
pub(super) struct Point {
    state: Vec<f64>,
    /// Where one plain iteration takes the state.
    image: Vec<f64>,
    log_weights: Vec<f64>,
    pub error: f64,
}

impl Iteration {
    pub(super) fn new(problem: &BarycentreProblem) -> Self {
        let kept = (0..problem.measures.len()).filter(|&measure| problem.lambda[measure] > 0.0);
        let coupling = |measure: usize| {
            let weights = &problem.measures[measure];
            let rows: Vec<usize> = (0..weights.len()).filter(|&i| weights[i] > 0.0).collect();
            Coupling {
                measure,
                cost: measure.min(problem.costs.len() - 1),
                a: rows.iter().map(|&i| weights[i]).collect(),
                rows,
                share: problem.lambda[measure],
            }
        };
        let couplings: Vec<Coupling> = kept.map(coupling).collect();
        let centred = |(index, cost): (usize, &CostMatrix)| {
            let users = couplings.iter().filter(|coupling| coupling.cost == index);
            let mut counts = vec![false; cost.n()];
            users
                .flat_map(|coupling| &coupling.rows)
                .for_each(|&i| counts[i] = true);
            Centred::new(cost, |i| counts[i])
        };
        let costs: Vec<Centred> = problem.costs.iter().enumerate().map(centred).collect();
        let within = problem.within.as_ref();
        let within = within.map(|cost| Centred::new(cost, |_| true));
        let spreads = couplings.iter().map(|coupling| &costs[coupling.cost]);
        let spreads = spreads.chain(&within).map(|cost| cost.spread);
        Self {
            m: problem.m(),
            mass: couplings[0].a.iter().sum(),
            spread: spreads.fold(0.0, f64::max),
            couplings,
            costs,
            within,
        }
    }

    /// Iterates as the settings say. Returns the last point and the iterations used.
    pub(super) fn run(&self, settings: &Sinkhorn) -> (Point, usize) {
        let (epsilon, budget) = (settings.epsilon(), settings.max_iterations());
        let blocks = self.couplings.len() + usize::from(self.within.is_some());
        let mut state = vec![0.0; blocks * self.m];
        if !settings.accelerated() {
            for _ in 1..budget {
                state = self.evaluate(epsilon, state).image;
            }
            return (self.evaluate(epsilon, state), budget);
        }
        let mut left = budget;
        for stage in settings.stages(self.spread) {
            if left == 1 {
                break;
            }
            let threshold = (WARM_START_THRESHOLD * self.mass).max(settings.threshold());
            let (point, used) = self.descend(stage, threshold, left / 2, state);
            (state, left) = (point.image, left - used);
        }
        let (point, used) = self.descend(epsilon, settings.threshold(), left, state);
        (point, budget - left + used)
    }

    /// Alternates first-order and Newton phases at one epsilon. Returns the last point and the full
    /// iterations used, at most `budget` but at least one.
    fn descend(
        &self,
        epsilon: f64,
        threshold: f64,
        budget: usize,
        state: Vec<f64>,
    ) -> (Point, usize) {
        let rows: usize = self.couplings.iter().map(|coupling| coupling.a.len()).sum();
        // What debiasing adds is not a dual of a convex problem.
        let has_newton = rows <= newton::LARGEST && self.within.is_none();
        let mut point = self.evaluate(epsilon, state);
        let mut used = 1;
        while used < budget && point.error > threshold {
            let share = if has_newton {
                FIRST_ORDER_ITERATIONS.min(budget - used)
            } else {
                budget - used
            };
            let (next, spent) = self.accelerate(epsilon, threshold, share, point);
            (point, used) = (next, used + spent);
            if has_newton {
                let (next, spent) = newton::descend(self, epsilon, threshold, budget - used, point);
                (point, used) = (next, used + spent);
            }
        }
        (point, used)
    }

    /// Iterates until the error is at most `threshold` or `budget` iterations are spent. Returns the
    /// best point seen and the iterations used.
    fn accelerate(
        &self,
        epsilon: f64,
        threshold: f64,
        budget: usize,
        start: Point,
    ) -> (Point, usize) {
        let mut anderson = Anderson::default();
        let mut best = start.clone();
        let mut current = start;
        let (mut plain_until, mut plain) = (PLAIN_ITERATIONS, PLAIN_ITERATIONS);
        for used in 0..budget {
            if current.error <= threshold {
                return (current, used);
            }
            let next = if current.error > MISLED * best.error {
                // Longer each time: for a debiased barycentre not even plain iterations lower the
                // error each time, and the same attempt would fail in the same way.
                anderson.clear();
                plain_until = used + plain;
                plain *= 2;
                best.image.clone()
            } else if used < plain_until {
                current.image.clone()
            } else {
                let scales = self.scales(&current);
                let mut state =
                    anderson.extrapolate_in(Some(&scales), &current.state, &current.image);
                let leap = LARGEST_LEAP * epsilon;
                for (value, image) in state.iter_mut().zip(&current.image) {
                    *value = value.max(image - leap).min(image + leap);
                }
                state
            };
            current = self.evaluate(epsilon, next);
            if current.error < best.error {
                best = current.clone();
            }
        }
        (best, budget)
    }

    /// Square roots of the mass that each potential moves: those of points where the barycentre has
    /// none would otherwise drown the others, and are the last to settle.
    fn scales(&self, point: &Point) -> Vec<f64> {
        let shares = self.couplings.iter().map(|coupling| coupling.share);
        let shares = shares.chain(self.within.is_some().then_some(1.0));
        let scales = shares.flat_map(|share| {
            let weights = point.log_weights.iter();
            weights.map(move |weight| (share * weight.exp()).sqrt())
        });
        scales.collect()
    }

    /// One full iteration.
    pub(super) fn evaluate(&self, epsilon: f64, state: Vec<f64>) -> Point {
        let m = self.m;
        let shift = self.within.as_ref().map(|_| &state[state.len() - m..]);
        // In units of the cost: epsilon times the logarithm of the weights.
        let mut mean = shift.map_or_else(|| vec![0.0; m], <[f64]>::to_vec);
        let mut image = Vec::with_capacity(state.len());
        for (coupling, g) in self.couplings.iter().zip(state.chunks_exact(m)) {
            let f = self.row_update(coupling, epsilon, g);
            let potentials = self.column_update(coupling, epsilon, &f);
            for (mean, potential) in mean.iter_mut().zip(&potentials) {
                *mean -= coupling.share * potential;
            }
            image.extend(potentials);
        }
        let excess = -soft_minimum(&vec![0.0; m], &mean, epsilon) - epsilon * self.mass.ln();
        mean.iter_mut().for_each(|mean| *mean -= excess);

        let mut error = 0.0;
        let blocks = image.chunks_exact_mut(m).zip(state.chunks_exact(m));
        for (coupling, (image, g)) in self.couplings.iter().zip(blocks) {
            for ((image, g), mean) in image.iter_mut().zip(g).zip(&mean) {
                let (sum, weight) = (((g - *image) / epsilon).exp(), (mean / epsilon).exp());
                error += coupling.share * (sum - weight).abs();
                *image += mean;
            }
        }
        if let (Some(within), Some(shift)) = (&self.within, shift) {
            let rows = within.values.chunks_exact(m);
            for ((costs, shift), mean) in rows.zip(shift).zip(&mean) {
                let update = soft_minimum(costs, &state[state.len() - m..], epsilon);
                let (sum, weight) = (((shift - update) / epsilon).exp(), (mean / epsilon).exp());
                error += (sum - weight).abs();
                image.push((shift + mean + update) / 2.0);
            }
        }
        Point {
            state,
            image,
            log_weights: mean.iter().map(|mean| mean / epsilon).collect(),
            error: if error.is_nan() { f64::INFINITY } else { error },
        }
    }

    /// Returns the row potentials that make rows carry their mass.
    fn row_update(&self, coupling: &Coupling, epsilon: f64, g: &[f64]) -> Vec<f64> {
        let update = |costs| soft_minimum(costs, g, epsilon);
        self.rows(coupling).map(update).collect()
    }

    /// Returns the column potentials that would make every column carry a mass of one.
    pub(super) fn column_update(&self, coupling: &Coupling, epsilon: f64, f: &[f64]) -> Vec<f64> {
        let biases = coupling.a.iter().zip(f).map(|(a, f)| epsilon * a.ln() + f);
        let biases: Vec<f64> = biases.collect();
        let rows = || self.rows(coupling).zip(&biases);
        let mut largest = vec![f64::NEG_INFINITY; self.m];
        for (costs, bias) in rows() {
            for (largest, cost) in largest.iter_mut().zip(costs) {
                *largest = largest.max(bias - cost);
            }
        }
        let mut sums = vec![0.0; self.m];
        for (costs, bias) in rows() {
            for ((sum, largest), cost) in sums.iter_mut().zip(&largest).zip(costs) {
                *sum += ((bias - cost - largest) / epsilon).exp();
            }
        }
        let columns = largest.iter().zip(&sums);
        columns
            .map(|(largest, sum)| -largest - epsilon * sum.ln())
            .collect()
    }

    /// A measure's costs in the rows with mass.
    pub(super) fn rows<'a>(&'a self, coupling: &'a Coupling) -> impl Iterator<Item = &'a [f64]> {
        self.costs[coupling.cost].rows(self.m, &coupling.rows)
    }

    /// Returns the row potentials of all measures that are best for those of the columns.
    pub(super) fn rows_of(&self, epsilon: f64, point: &Point) -> Vec<f64> {
        let sides = self.couplings.iter().zip(point.state.chunks_exact(self.m));
        let f = sides.flat_map(|(coupling, g)| self.row_update(coupling, epsilon, g));
        f.collect()
    }

    /// Returns the barycentre's weights.
    pub(super) fn weights(point: &Point) -> Vec<f64> {
        point
            .log_weights
            .iter()
            .map(|weight| weight.exp())
            .collect()
    }

    /// Returns the potentials of each measure that has a share, with its position, for the costs as they were
    /// given: `f` on the rows with mass, with their positions, and `g`.
    pub(super) fn potentials<'a>(
        &'a self,
        epsilon: f64,
        point: &'a Point,
    ) -> impl Iterator<Item = (usize, Vec<(usize, f64)>, Vec<f64>)> + 'a {
        let sides = self.couplings.iter().zip(point.state.chunks_exact(self.m));
        sides.map(move |(coupling, g)| {
            let offset = self.costs[coupling.cost].offset;
            let f = self.row_update(coupling, epsilon, g).into_iter();
            let f = f.map(|f| f + offset);
            let places = coupling.rows.iter().copied();
            (coupling.measure, places.zip(f).collect(), g.to_vec())
        })
    }
}
