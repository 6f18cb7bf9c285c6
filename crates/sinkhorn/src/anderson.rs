//! Anderson acceleration of a fixed-point iteration, in vector registers.
//!
//! The method of Walker and Ni (2011, "Anderson acceleration for fixed-point iterations") by the
//! normal equations: with few differences and a ridge they are as good as an orthogonalisation, and
//! cost a few dot products.

use std::borrow::Cow;

use crate::cholesky::solve_positive;
use crate::real::Real;
use crate::scaling::aligned::Aligned;
use crate::scaling::dot;
use crate::simd::{Arch, BLOCK};

/// Growth of the error over its best so far that shows that acceleration misleads. Plain iterations
/// never increase the error, but for a debiased barycentre.
pub(crate) const MISLED: f64 = 2.0;

/// Ridge on the normal equations, in units of rounding and of their trace.
const RIDGE: f64 = 8.0;

/// The past of one iteration, of which `MEMORY` differences of steps are combined; kept as memory from
/// one problem to the next.
#[derive(Debug)]
pub(crate) struct Anderson<T, const MEMORY: usize> {
    width: usize,
    /// Steps since the start or the last time it was misled.
    age: usize,
    best: f64,
    /// Differences held, and where the next is written.
    held: usize,
    next: usize,
    residual: Aligned<T>,
    image: Aligned<T>,
    residual_differences: Aligned<T>,
    image_differences: Aligned<T>,
    gram: [[f64; MEMORY]; MEMORY],
}

/// What past differences contribute to the next point.
pub(crate) struct Shares<const MEMORY: usize>([f64; MEMORY]);

impl<T: Default, const MEMORY: usize> Default for Anderson<T, MEMORY> {
    fn default() -> Self {
        Self {
            width: 0,
            age: 0,
            best: f64::INFINITY,
            held: 0,
            next: 0,
            residual: Aligned::default(),
            image: Aligned::default(),
            residual_differences: Aligned::default(),
            image_differences: Aligned::default(),
            gram: [[0.0; MEMORY]; MEMORY],
        }
    }
}

impl<T: Real, const MEMORY: usize> Anderson<T, MEMORY> {
    /// Begins with points of at most `length` numbers.
    #[inline(always)]
    pub(crate) fn start(&mut self, length: usize) {
        self.width = length.next_multiple_of(BLOCK);
        for (memory, count) in [
            (&mut self.residual, 1),
            (&mut self.image, 1),
            (&mut self.residual_differences, MEMORY),
            (&mut self.image_differences, MEMORY),
        ] {
            memory.reset(count * self.width, T::ZERO);
        }
        self.forget();
    }

    /// Forgets the past, for when it has misled or the map is another.
    #[inline(always)]
    pub(crate) fn forget(&mut self) {
        (self.age, self.held, self.next) = (0, 0, 0);
        self.best = f64::INFINITY;
    }

    /// Learns a step from a point with this error, of which `entry` gives the residual and the image
    /// of a place, zeros in padding; returns how to combine it with those before, after `plain`
    /// steps since the start or the last time it was misled. `weights` say how much each place matters
    /// now, if not all do alike: residuals of all ages are compared by them.
    #[inline(always)]
    pub(crate) fn learn<A: Arch>(
        &mut self,
        error: f64,
        plain: usize,
        weights: Option<&[T]>,
        entry: impl Fn(usize) -> [T; 2],
    ) -> Option<Shares<MEMORY>> {
        if error > MISLED * self.best {
            self.forget();
        }
        self.best = self.best.min(error);
        self.age += 1;
        let (width, newest) = (self.width, self.next);
        let slot = newest * width..(newest + 1) * width;
        let residual_difference = &mut self.residual_differences.get_mut()[slot.clone()];
        let image_difference = &mut self.image_differences.get_mut()[slot];
        let residual = &mut self.residual.get_mut()[..width];
        let image = &mut self.image.get_mut()[..width];
        for j in 0..width {
            let [new_residual, new_image] = entry(j);
            residual_difference[j] = new_residual - residual[j];
            image_difference[j] = new_image - image[j];
            (residual[j], image[j]) = (new_residual, new_image);
        }
        // The first differences are with nothing.
        if self.age == 1 {
            return None;
        }
        self.held = (self.held + 1).min(MEMORY);
        self.next = (newest + 1) % MEMORY;
        let held = self.held;
        let differences = self.residual_differences.get();
        let row = |k: usize| &differences[k * width..(k + 1) * width];
        let mut right = [0.0; MEMORY];
        for (i, right) in right.iter_mut().enumerate().take(held) {
            let own = match weights {
                Some(weights) => {
                    let own = row(i).iter().zip(weights).map(|(x, w)| *x * *w);
                    let padding = std::iter::repeat(T::ZERO);
                    own.chain(padding).take(width).collect()
                }
                None => Cow::Borrowed(row(i)),
            };
            *right = dot::<T, A>(&own, self.residual.get()).to_f64();
            // Other weights change the products of all differences.
            if weights.is_some() || i == newest {
                for k in 0..held {
                    let inner = dot::<T, A>(&own, row(k)).to_f64();
                    self.gram[i][k] = inner;
                    self.gram[k][i] = inner;
                }
            }
        }
        if self.age <= plain {
            return None;
        }
        let trace: f64 = (0..held).map(|k| self.gram[k][k]).sum();
        let mut equations = [[0.0; MEMORY]; MEMORY];
        let equations = equations.as_flattened_mut();
        for i in 0..held {
            equations[i * held..][..held].copy_from_slice(&self.gram[i][..held]);
            equations[i * held + i] += RIDGE * T::ROUNDING * trace;
        }
        if solve_positive(&mut equations[..held * held], &mut right[..held]).is_none() {
            self.forget();
            return None;
        }
        Some(Shares(right))
    }

    /// Returns a place of the next point, at most `leap` from the image.
    #[inline(always)]
    pub(crate) fn at<A: Arch>(&self, shares: &Shares<MEMORY>, leap: T, j: usize) -> T {
        let differences = self.image_differences.get();
        let image = self.image.get()[j];
        let mut value = image;
        for (k, &share) in shares.0.iter().enumerate().take(self.held) {
            let share = T::from_f64(-share);
            value = differences[k * self.width + j].fma::<A>(share, value);
        }
        let (low, high) = (image - leap, image + leap);
        let value = if value > low { value } else { low };
        if value < high { value } else { high }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Baseline;

    /// Iterates an affine map, its places weighed as said in each step; returns the last point and the
    /// distance from its image.
    fn solve(steps: usize, weights: impl Fn(usize) -> Option<[f64; 3]>) -> ([f64; BLOCK], f64) {
        let matrix = [[0.99, 0.02, 0.0], [0.0, 0.97, 0.01], [0.03, 0.0, 0.5]];
        let shift = [1.0, -2.0, 0.5];
        let mut anderson = Anderson::<f64, 5>::default();
        anderson.start(3);
        let mut point = [0.0; BLOCK];
        let mut error = f64::INFINITY;
        for step in 0..steps {
            let mut image = [0.0; BLOCK];
            for i in 0..3 {
                let inner: f64 = (0..3).map(|j| matrix[i][j] * point[j]).sum();
                image[i] = inner + shift[i];
            }
            error = (0..3).map(|i| (image[i] - point[i]).abs()).sum();
            let weights = weights(step);
            let weights = weights.as_ref().map(|weights| &weights[..]);
            let entry = |j: usize| [image[j] - point[j], image[j]];
            let shares = anderson.learn::<Baseline>(error, 4, weights, entry);
            for j in 0..BLOCK {
                point[j] = match &shares {
                    Some(shares) => anderson.at::<Baseline>(shares, 1e3, j),
                    None => image[j],
                };
            }
        }
        (point, error)
    }

    /// An affine map is solved once there are as many differences as dimensions, whatever its rate.
    #[test]
    fn an_affine_map_takes_as_many_steps_as_dimensions() {
        let (point, error) = solve(8, |_| None);
        assert!(error < 1e-7, "{error}");
        assert_eq!(point[3..], [0.0; BLOCK - 3]);
    }

    /// What a place weighs says where the combination is best, not what it is a combination of.
    #[test]
    fn weights_may_change_from_step_to_step() {
        let weights =
            |step: usize| [1.0, 0.1, 10.0].map(|weight: f64| weight.powi(step as i32 % 3));
        let (point, error) = solve(8, |step| Some(weights(step)));
        assert!(error < 1e-6, "{error}");
        assert_eq!(point[3..], [0.0; BLOCK - 3]);
    }
}
