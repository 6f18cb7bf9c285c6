//! Anderson acceleration of a fixed-point iteration (Walker and Ni 2011, "Anderson acceleration
//! for fixed-point iterations", the unconstrained form of section 2).

/// Number of past steps combined. More helps little and conditions the least squares worse.
const MEMORY: usize = 8;

/// A past difference whose residual is this close to the span of newer ones adds only rounding.
const INDEPENDENCE: f64 = 1e-10;

/// Combines the latest images of a map so that the combination of their residuals is smallest.
#[derive(Default)]
pub(crate) struct Anderson {
    latest: Option<Step>,
    /// Differences of successive residuals and images, newest last.
    differences: Vec<Step>,
}

struct Step {
    residual: Vec<f64>,
    image: Vec<f64>,
}

impl Anderson {
    /// Forgets the past, for when it has misled.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns the next point to try, given the latest `point` and its `image` under the map; the image
    /// itself while there is no past to combine.
    pub(crate) fn extrapolate(&mut self, point: &[f64], image: &[f64]) -> Vec<f64> {
        self.extrapolate_in(None, point, image)
    }

    /// Works as [`extrapolate`](Self::extrapolate), residuals being compared after multiplication by
    /// `scales`, where some entries matter less than others.
    pub(crate) fn extrapolate_in(
        &mut self,
        scales: Option<&[f64]>,
        point: &[f64],
        image: &[f64],
    ) -> Vec<f64> {
        let step = Step {
            residual: difference(image, point),
            image: image.to_vec(),
        };
        if let Some(last) = &self.latest {
            if self.differences.len() == MEMORY {
                self.differences.remove(0);
            }
            self.differences.push(Step {
                residual: difference(&step.residual, &last.residual),
                image: difference(&step.image, &last.image),
            });
        }
        let next = self.combine(scales, &step);
        self.latest = Some(step);
        next
    }

    /// Projects the residual off the span of past residual differences by modified Gram-Schmidt,
    /// newest first, and applies the same coefficients to the images.
    fn combine(&self, scales: Option<&[f64]>, step: &Step) -> Vec<f64> {
        let scaled = |residual: &[f64]| match scales {
            Some(scales) => product(residual, scales),
            None => residual.to_vec(),
        };
        let mut basis: Vec<Step> = Vec::with_capacity(self.differences.len());
        let mut residual = scaled(&step.residual);
        let mut image = step.image.clone();
        for past in self.differences.iter().rev() {
            let mut candidate = Step {
                residual: scaled(&past.residual),
                image: past.image.clone(),
            };
            let length = dot(&candidate.residual, &candidate.residual);
            for direction in &basis {
                let share = dot(&candidate.residual, &direction.residual);
                subtract(&mut candidate.residual, share, &direction.residual);
                subtract(&mut candidate.image, share, &direction.image);
            }
            let rest = dot(&candidate.residual, &candidate.residual);
            if rest <= INDEPENDENCE * INDEPENDENCE * length || rest == 0.0 {
                continue;
            }
            let scale = 1.0 / rest.sqrt();
            candidate
                .residual
                .iter_mut()
                .for_each(|value| *value *= scale);
            candidate.image.iter_mut().for_each(|value| *value *= scale);
            let share = dot(&residual, &candidate.residual);
            subtract(&mut residual, share, &candidate.residual);
            subtract(&mut image, share, &candidate.image);
            basis.push(candidate);
        }
        image
    }
}

fn difference(left: &[f64], right: &[f64]) -> Vec<f64> {
    left.iter()
        .zip(right)
        .map(|(left, right)| left - right)
        .collect()
}

fn product(left: &[f64], right: &[f64]) -> Vec<f64> {
    left.iter()
        .zip(right)
        .map(|(left, right)| left * right)
        .collect()
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter()
        .zip(right)
        .map(|(left, right)| left * right)
        .sum()
}

fn subtract(from: &mut [f64], factor: f64, direction: &[f64]) {
    for (value, direction) in from.iter_mut().zip(direction) {
        *value -= factor * direction;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_close;

    /// On an affine map of dimension `d` the method solves the linear system exactly once it holds
    /// `d` differences, whatever the map's rate of convergence.
    #[test]
    fn an_affine_map_takes_as_many_steps_as_dimensions() {
        let matrix = [[0.99, 0.02, 0.0], [0.0, 0.97, 0.01], [0.03, 0.0, 0.5]];
        let shift = [1.0, -2.0, 0.5];
        let map = |point: &[f64]| -> Vec<f64> {
            let rows = matrix.iter().zip(shift);
            rows.map(|(row, shift)| dot(row, point) + shift).collect()
        };
        let mut anderson = Anderson::default();
        let mut point = vec![0.0; 3];
        for _ in 0..5 {
            let image = map(&point);
            point = anderson.extrapolate(&point, &image);
        }
        let size = point
            .iter()
            .fold(0.0_f64, |size, value| size.max(value.abs()));
        assert_close(&map(&point), &point, 1e-9 * size);
    }
}
