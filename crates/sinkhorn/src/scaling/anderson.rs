//! Anderson acceleration of the column factors, in vector registers.
//!
//! The method of Walker and Ni (2011, "Anderson acceleration for fixed-point iterations") on the
//! logarithms of `v`, by the normal equations: with five differences and a ridge they are as good as
//! an orthogonalisation, and cost a few dot products.

use super::aligned::Aligned;
use super::passes::dot;
use crate::cholesky::solve_positive;
use crate::real::Real;
use crate::simd::Arch;

/// Differences of past steps that are combined.
const MEMORY: usize = 5;

/// Plain iterations before acceleration: far from the solution the map is far from linear.
const PLAIN_ITERATIONS: usize = 4;

/// Growth of the error over its best so far that shows that acceleration misleads. Plain iterations
/// never increase the error.
const MISLED: f64 = 2.0;

/// Largest distance of an accelerated logarithm from the plain one: a factor of sixteen.
const LARGEST_LEAP: f64 = 4.0;

/// Ridge on the normal equations, in units of rounding and of their trace.
const RIDGE: f64 = 8.0;

/// The past of one iteration, kept as memory from one problem to the next.
#[derive(Debug, Default)]
pub(crate) struct Anderson<T> {
    width: usize,
    /// Iterations since the start or the last time it was misled.
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

impl<T: Real> Anderson<T> {
    #[inline(always)]
    pub(crate) fn start(&mut self, width: usize) {
        self.width = width;
        for (memory, length) in [
            (&mut self.residual, width),
            (&mut self.image, width),
            (&mut self.residual_differences, MEMORY * width),
            (&mut self.image_differences, MEMORY * width),
        ] {
            memory.reset(length, T::ZERO);
        }
        self.forget();
    }

    /// Forgets the past, for when it has misled or the factors have been absorbed.
    #[inline(always)]
    pub(crate) fn forget(&mut self) {
        (self.age, self.held, self.next) = (0, 0, 0);
        self.best = f64::INFINITY;
    }

    /// Replaces `v`, the image of `before` under an iteration, by a better point to continue from.
    ///
    /// `error` is the marginal error at `before`; lanes without mass hold zero in `masses`.
    #[inline(always)]
    pub(crate) fn extrapolate<A: Arch>(
        &mut self,
        error: f64,
        masses: &[T],
        before: &[T],
        v: &mut [T],
    ) {
        if error > MISLED * self.best {
            self.forget();
        }
        self.best = self.best.min(error);
        self.age += 1;
        let slot = self.next * self.width..(self.next + 1) * self.width;
        let residual_difference = &mut self.residual_differences.get_mut()[slot.clone()];
        let image_difference = &mut self.image_differences.get_mut()[slot];
        let (residual, image) = (self.residual.get_mut(), self.image.get_mut());
        for j in 0..self.width {
            let kept = masses[j] > T::ZERO;
            let new_image = if kept { v[j] } else { T::ONE }.log2::<A>();
            let old = if kept { before[j] } else { T::ONE }.log2::<A>();
            let new_residual = new_image - old;
            residual_difference[j] = new_residual - residual[j];
            image_difference[j] = new_image - image[j];
            (residual[j], image[j]) = (new_residual, new_image);
        }
        // The first differences are with nothing.
        if self.age == 1 {
            return;
        }
        let newest = self.next;
        self.held = (self.held + 1).min(MEMORY);
        self.next = (self.next + 1) % MEMORY;
        let differences = self.residual_differences.get();
        let row = |k: usize| &differences[k * self.width..(k + 1) * self.width];
        let mut right = [0.0; MEMORY];
        for (k, right) in right.iter_mut().enumerate().take(self.held) {
            let inner = dot::<T, A>(row(newest), row(k)).to_f64();
            self.gram[newest][k] = inner;
            self.gram[k][newest] = inner;
            *right = dot::<T, A>(row(k), self.residual.get()).to_f64();
        }
        if self.age <= PLAIN_ITERATIONS {
            return;
        }
        let held = self.held;
        let trace: f64 = (0..held).map(|k| self.gram[k][k]).sum();
        let mut equations = [0.0; MEMORY * MEMORY];
        for i in 0..held {
            equations[i * held..][..held].copy_from_slice(&self.gram[i][..held]);
            equations[i * held + i] += RIDGE * T::ROUNDING * trace;
        }
        let shares = &mut right[..held];
        if solve_positive(&mut equations[..held * held], shares).is_none() {
            self.forget();
            return;
        }
        let leap = T::from_f64(LARGEST_LEAP);
        let differences = self.image_differences.get();
        let image = self.image.get();
        for j in 0..self.width {
            let mut logarithm = image[j];
            for (k, &share) in shares.iter().enumerate() {
                let share = T::from_f64(-share);
                logarithm = differences[k * self.width + j].fma::<A>(share, logarithm);
            }
            let (low, high) = (image[j] - leap, image[j] + leap);
            let logarithm = if logarithm > low { logarithm } else { low };
            let logarithm = if logarithm < high { logarithm } else { high };
            let factor = logarithm.exp2::<A>();
            v[j] = if masses[j] > T::ZERO { factor } else { T::ZERO };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{BLOCK, Baseline};

    /// A map that is linear in the logarithms is solved once there are as many differences as
    /// dimensions, whatever its rate.
    #[test]
    fn a_linear_map_is_solved_in_as_many_steps_as_dimensions() {
        let matrix = [[0.99, 0.02, 0.0], [0.0, 0.97, 0.01], [0.03, 0.0, 0.5]];
        let shift = [0.1, -0.2, 0.05];
        let mut anderson = Anderson::<f64>::default();
        anderson.start(BLOCK);
        let mut masses = [0.0; BLOCK];
        masses[..3].fill(1.0);
        let mut point = masses;
        let mut error = f64::INFINITY;
        for _ in 0..PLAIN_ITERATIONS + 4 {
            let mut image = [0.0; BLOCK];
            for i in 0..3 {
                let inner: f64 = (0..3).map(|j| matrix[i][j] * f64::log2(point[j])).sum();
                image[i] = f64::exp2(inner + shift[i]);
            }
            error = (0..3).map(|i| f64::log2(image[i] / point[i]).abs()).sum();
            let before = point;
            point = image;
            anderson.extrapolate::<Baseline>(error, &masses, &before, &mut point);
        }
        assert!(error < 1e-8, "{error}");
        assert_eq!(point[3..], [0.0; BLOCK - 3]);
    }
}
