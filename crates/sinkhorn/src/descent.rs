//! Single problems at one epsilon, in the log domain.
//!
//! With `f` eliminated by its exact update, the dual is a concave function of `g` with gradient
//! `t - c`, `c` being the column sums of the plan and `t` those that `g` calls for, and Hessian
//! `-(diag(c + s_b t) - P^T diag(1/r) P / (1 + s_a)) / epsilon`, `r` being the row sums that `f`
//! calls for and `s = epsilon / rho` of either side. Where the marginals are held, `t = b`, `r = a`
//! and `s = 0` (Brauer, Clason, Lorenz and Wirth 2017, "A Sinkhorn-Newton method for entropic optimal
//! transport").

use crate::engine::{self, Direction, Engine, FIRST_ORDER_ITERATIONS, LARGEST, ROUNDING};
use crate::log_domain::{Iterate, Support};
use crate::watch::Watch;

/// Iterates until the marginal error is at most `threshold`. Returns the last point and the full
/// iterations used, at most `budget` but at least one.
pub(crate) fn descend(
    support: &Support,
    epsilon: f64,
    threshold: f64,
    budget: usize,
    g: Vec<f64>,
    watch: &mut Watch<'_>,
) -> (Iterate, usize) {
    let current = support.evaluate(epsilon, g);
    watch.see(epsilon, current.error);
    let mut descent = Descent {
        support,
        epsilon,
        threshold,
        left: budget - 1,
        current,
        watch,
    };
    engine::descend(&mut descent);
    (descent.current, budget - descent.left)
}

struct Descent<'d, 'w> {
    support: &'d Support,
    epsilon: f64,
    threshold: f64,
    left: usize,
    current: Iterate,
    watch: &'d mut Watch<'w>,
}

impl Descent<'_, '_> {
    fn evaluate(&mut self, g: Vec<f64>) -> Iterate {
        let found = self.support.evaluate(self.epsilon, g);
        self.watch.see(self.epsilon, found.error);
        self.left -= 1;
        found
    }
}

impl Engine for Descent<'_, '_> {
    type Point = Iterate;
    type Place = Iterate;

    fn error(&self) -> f64 {
        self.current.error
    }

    fn left(&self) -> usize {
        self.left
    }

    fn is_done(&self) -> bool {
        let Self {
            support, epsilon, ..
        } = *self;
        self.watch.is_stopped() || support.is_solved(epsilon, &self.current, self.threshold)
    }

    fn patience(&self) -> usize {
        if self.support.b.len() <= LARGEST {
            FIRST_ORDER_ITERATIONS
        } else {
            usize::MAX
        }
    }

    fn step(&self) -> (&[f64], &[f64], f64) {
        (&self.current.g, &self.current.image, self.epsilon)
    }

    fn go(&mut self, g: Vec<f64>) {
        self.current = self.evaluate(g);
    }

    fn point(&self) -> Iterate {
        self.current.clone()
    }

    fn return_to(&mut self, point: &Iterate) {
        self.current = point.clone();
    }

    fn place(&self) -> Iterate {
        self.current.clone()
    }

    fn height(place: &Iterate) -> (f64, f64) {
        (place.dual, place.error)
    }

    fn direction(&mut self, point: &Iterate) -> Option<Direction> {
        let (support, epsilon) = (self.support, self.epsilon);
        let m = support.b.len();
        let plan = support.plan(epsilon, &point.f, &point.g);
        let mut columns = vec![0.0; m];
        let mut hessian = vec![0.0; m * m];
        let (rows, targets) = (&support.relaxed_rows, &support.relaxed_columns);
        let curvature = 1.0 + rows.stiffness(epsilon);
        let stiffness = targets.stiffness(epsilon);
        let sums = rows.targets(&support.a, &point.f);
        let targets = targets.targets(&support.b, &point.g);
        for (row, sum) in plan.chunks_exact(m).zip(sums) {
            for (j, mass) in row.iter().enumerate() {
                columns[j] += mass;
                let share = mass / (sum * curvature);
                if share > 0.0 {
                    for (entry, other) in hessian[j * m..].iter_mut().zip(&row[..=j]) {
                        *entry -= share * other;
                    }
                }
            }
        }
        let gradient: Vec<f64> = targets.iter().zip(&columns).map(|(t, c)| t - c).collect();
        let diagonal = |j: usize, ridge: f64| {
            let (column, target) = (columns[j], targets[j]);
            column + stiffness * target + ridge * f64::max(column, target)
        };
        Direction::solve(&hessian, diagonal, &gradient, epsilon, support.spread)
    }

    fn noise(&self, dual: f64) -> f64 {
        ROUNDING * self.support.spread.max(dual.abs())
    }

    fn along(&mut self, from: &Iterate, length: f64, direction: &Direction) -> Iterate {
        let steps = from.g.iter().zip(&direction.values);
        self.evaluate(steps.map(|(g, value)| g + length * value).collect())
    }

    fn settle(&mut self, place: &Iterate) {
        self.current = place.clone();
    }
}
