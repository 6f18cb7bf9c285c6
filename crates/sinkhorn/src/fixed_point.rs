//! Sinkhorn iterations at one epsilon, accelerated, with plain iterations as the safeguard.

use crate::anderson::Anderson;
use crate::log_domain::{Iterate, Support};
use crate::watch::Watch;

/// Plain iterations before acceleration: far from the solution the map is far from linear.
const PLAIN_ITERATIONS: usize = 5;

/// Growth of the marginal error over its best so far that shows that acceleration misleads. Plain
/// iterations never increase the error.
const MISLED: f64 = 2.0;

/// Largest distance of an accelerated point from the plain one, in epsilons.
const LARGEST_LEAP: f64 = 3.0;

/// Iterates until the marginal error is at most `threshold` or `budget` iterations are spent.
/// Returns the best point seen and the iterations used.
pub(crate) fn descend(
    support: &Support,
    epsilon: f64,
    threshold: f64,
    budget: usize,
    start: Iterate,
    watch: &mut Watch<'_>,
) -> (Iterate, usize) {
    let mut anderson = Anderson::default();
    let mut best = start.clone();
    let mut current = start;
    for used in 0..budget {
        if watch.is_stopped() || support.is_solved(epsilon, &current, threshold) {
            return (current, used);
        }
        let next = if current.error > MISLED * best.error {
            anderson.clear();
            best.image.clone()
        } else if used < PLAIN_ITERATIONS {
            current.image.clone()
        } else {
            let mut point = anderson.extrapolate(&current.g, &current.image);
            let leap = LARGEST_LEAP * epsilon;
            for (value, image) in point.iter_mut().zip(&current.image) {
                *value = value.max(image - leap).min(image + leap);
            }
            point
        };
        current = support.evaluate(epsilon, next);
        watch.see(epsilon, current.error);
        if current.error < best.error {
            best = current.clone();
        }
    }
    (best, budget)
}
