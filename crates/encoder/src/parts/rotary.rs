//! Rotary positions: queries and keys are turned by angles that grow with their position.
//!
//! Su et al. 2021 (arXiv 2104.09864), in the layout of the Hugging Face library: dimension `i` turns
//! with dimension `i + width / 2`.

use burn::prelude::*;

/// Cosines and sines of the angles of `tokens` positions.
#[derive(Debug, Clone)]
pub(crate) struct Rotation {
    /// Both `[1, 1, tokens, width]`.
    cosine: Tensor<4>,
    sine: Tensor<4>,
}

impl Rotation {
    /// Angles `position * theta^(-2 i / width)` of heads of width `width`.
    pub(crate) fn new(tokens: usize, width: usize, theta: f64, device: &Device) -> Self {
        let half = width / 2;
        // Powers and angles are rounded to single precision, as the original does, so that far
        // positions get the same angles.
        let frequency = |index: usize| {
            let exponent = (2 * index) as f32 / width as f32;
            1.0 / theta.powf(f64::from(exponent)) as f32
        };
        let angle = |place: usize| {
            let (token, index) = (place / width, place % width % half);
            f64::from(token as f32 * frequency(index))
        };
        let table = |function: fn(f64) -> f64| {
            let values: Vec<f32> = (0..tokens * width)
                .map(|place| function(angle(place)) as f32)
                .collect();
            Tensor::from_data(TensorData::new(values, [1, 1, tokens, width]), device)
        };
        Self {
            cosine: table(f64::cos),
            sine: table(f64::sin),
        }
    }

    /// Returns `x` `[texts, heads, tokens, width]`, each token turned by its position's angles.
    pub(crate) fn turn(&self, x: Tensor<4>) -> Tensor<4> {
        let half = x.dims()[3] / 2;
        let [first, second] =
            [0, 1].map(|part| x.clone().slice_dim(3, part * half..(part + 1) * half));
        let quarter = Tensor::cat(vec![second.neg(), first], 3);
        x * self.cosine.clone() + quarter * self.sine.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::values;

    /// The product of a turned query and a turned key depends on their distance only.
    #[test]
    fn products_depend_on_distances() {
        let device = Device::flex();
        let (tokens, width) = (40, 8);
        let rotation = Rotation::new(tokens, width, 100.0, &device);
        let row = |numbers: [f32; 8]| {
            let row = Tensor::<1>::from_floats(numbers, &device).reshape([1, 1, 1, width]);
            rotation.turn(row.expand([1, 1, tokens, width]))
        };
        let query = row([0.3, -1.0, 0.8, 0.1, 0.9, 0.2, -0.4, 0.5]);
        let key = row([-0.7, 0.6, 0.1, 0.4, 0.2, -0.3, 1.1, 0.8]);
        let products = values(query.matmul(key.swap_dims(2, 3))).unwrap();
        for query in 1..tokens {
            for key in 1..tokens {
                let before = products[(query - 1) * tokens + key - 1];
                assert!((products[query * tokens + key] - before).abs() < 1e-5);
            }
        }
        assert!(
            (products[1] - products[tokens]).abs() > 0.1,
            "directions are alike"
        );
    }
}
