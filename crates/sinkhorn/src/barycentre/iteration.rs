//! Iterative Bregman projections in the log domain, accelerated.
//!
//! One iteration takes the column potentials `g_k` of all measures. Each `f_k` is chosen so that the
//! rows of its plan carry `a_k`; the barycentre is the geometric mean of what the columns would
//! carry with `g_k = 0`, weighted by the shares; each `g_k` then makes its columns carry that. A
//! debiased barycentre is multiplied by `d`, and `d` moves halfway, in logarithms, to where
//! `d_i exp(-C_ij / epsilon) d_j` would have the barycentre as its sums.

use super::BarycentreProblem;
use super::newton::Dual;
use crate::engine::{self, Direction, Engine, FIRST_ORDER_ITERATIONS, LARGEST, ROUNDING};
use crate::log_domain::soft_minimum;
use crate::{CostMatrix, Sinkhorn};

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
        let used = settings.approach(self.spread, self.mass, 0, |epsilon, threshold, budget| {
            let (point, used) =
                self.descend(epsilon, threshold, budget, std::mem::take(&mut state));
            state = point.image;
            used
        });
        let (point, more) = self.descend(epsilon, settings.threshold(), budget - used, state);
        (point, used + more)
    }

    /// Iterates until the error is at most `threshold`. Returns the last point and the full
    /// iterations used, at most `budget` but at least one.
    fn descend(
        &self,
        epsilon: f64,
        threshold: f64,
        budget: usize,
        state: Vec<f64>,
    ) -> (Point, usize) {
        let mut descent = Descent {
            iteration: self,
            epsilon,
            threshold,
            left: budget - 1,
            point: self.evaluate(epsilon, state),
        };
        engine::descend(&mut descent);
        (descent.point, budget - descent.left)
    }

    /// One full iteration.
    fn evaluate(&self, epsilon: f64, state: Vec<f64>) -> Point {
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
    fn rows_of(&self, epsilon: f64, point: &Point) -> Vec<f64> {
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

/// Iterations at one epsilon.
struct Descent<'i> {
    iteration: &'i Iteration,
    epsilon: f64,
    threshold: f64,
    left: usize,
    point: Point,
}

impl Engine for Descent<'_> {
    type Point = Point;
    type Place = Dual;

    /// For a debiased barycentre not even plain iterations lower the error each time.
    const PAUSE: usize = 5;

    fn error(&self) -> f64 {
        self.point.error
    }

    fn left(&self) -> usize {
        self.left
    }

    /// What debiasing adds takes longer to come near its solution.
    fn plain(&self) -> usize {
        if self.iteration.within.is_some() {
            8
        } else {
            3
        }
    }

    fn is_done(&self) -> bool {
        self.point.error <= self.threshold
    }

    fn patience(&self) -> usize {
        let rows = self.iteration.couplings.iter();
        let rows: usize = rows.map(|coupling| coupling.a.len()).sum();
        // What debiasing adds is not a dual of a convex problem.
        if rows <= LARGEST && self.iteration.within.is_none() {
            FIRST_ORDER_ITERATIONS
        } else {
            usize::MAX
        }
    }

    fn step(&self) -> (&[f64], &[f64], f64) {
        (&self.point.state, &self.point.image, self.epsilon)
    }

    /// The mass that each potential moves: those of points where the barycentre has none would
    /// otherwise drown the others, and are the last to settle.
    fn weights(&self) -> Option<Vec<f64>> {
        let shares = self.iteration.couplings.iter();
        let shares = shares.map(|coupling| coupling.share);
        let shares = shares.chain(self.iteration.within.is_some().then_some(1.0));
        let masses = shares.flat_map(|share| {
            let weights = self.point.log_weights.iter();
            weights.map(move |weight| share * weight.exp())
        });
        Some(masses.collect())
    }

    fn go(&mut self, state: Vec<f64>) {
        self.point = self.iteration.evaluate(self.epsilon, state);
        self.left -= 1;
    }

    fn point(&self) -> Point {
        self.point.clone()
    }

    fn return_to(&mut self, point: &Point) {
        self.point = point.clone();
    }

    fn place(&self) -> Dual {
        let f = self.iteration.rows_of(self.epsilon, &self.point);
        Dual::at(self.iteration, self.epsilon, f)
    }

    fn height(place: &Dual) -> (f64, f64) {
        (place.value, place.error)
    }

    fn direction(&mut self, place: &Dual) -> Option<Direction> {
        place.direction(self.iteration, self.epsilon)
    }

    fn noise(&self, dual: f64) -> f64 {
        ROUNDING * (self.iteration.spread * self.iteration.mass).max(dual.abs())
    }

    fn along(&mut self, from: &Dual, length: f64, direction: &Direction) -> Dual {
        self.left -= 1;
        let steps = from.f.iter().zip(&direction.values);
        let f = steps.map(|(f, value)| f + length * value).collect();
        Dual::at(self.iteration, self.epsilon, f)
    }

    fn settle(&mut self, place: &Dual) {
        self.point = self.iteration.evaluate(self.epsilon, place.columns.clone());
    }
}
