//! The head: an affine map after the encoder that makes cosines speak about content.
//!
//! The token vectors of a contrastively trained encoder share one large mean, so that all cosines
//! are alike. The head takes the teacher's mean away and flattens the spectrum in part (partial
//! whitening): `y = normalise(W (x − mean))` with `W = diag((s₀ / s)^exponent) Vᵀ`, where `V` and `s`
//! are the eigenvectors and root eigenvalues of the covariance of the teacher's tokens. Exponent
//! zero is centring alone, one is full whitening (Su et al. 2021, arXiv 2103.15316).

use std::path::Path;

use burn::prelude::*;
use serde_json::json;

use crate::EncoderError;
use crate::parts::values;
use crate::read::read_json;
use crate::weights::{WeightsReader, write_atomically, write_weights};

/// `y = normalise(W (x − mean))`, without trained parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Width of the encoder's token vectors.
    pub input: usize,
    /// Width of the vectors after the head.
    pub output: usize,
    /// `[output, input]`, row-major, as in Hugging Face's linear layers.
    pub weight: Vec<f32>,
    /// `[output]`: `−W mean`.
    pub bias: Vec<f32>,
}

impl Head {
    /// Creates the map that leaves vectors as they are but for their length.
    pub fn identity(width: usize) -> Self {
        let mut weight = vec![0.0; width * width];
        weight.iter_mut().step_by(width + 1).for_each(|w| *w = 1.0);
        Self {
            input: width,
            output: width,
            weight,
            bias: vec![0.0; width],
        }
    }

    /// Keeps only the first `output` dimensions: of a whitening head, those of the largest
    /// variance.
    #[must_use]
    pub fn truncated(mut self, output: usize) -> Self {
        self.output = output.min(self.output);
        self.weight.truncate(self.output * self.input);
        self.bias.truncate(self.output);
        self
    }

    /// Returns this map and then `next`, as one.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        let row = |weights: &[f32], column: usize| -> f64 {
            let inner = weights
                .iter()
                .zip(self.weight[column..].iter().step_by(self.input));
            inner.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let rows = next.weight.chunks_exact(next.input);
        let bias = rows.clone().zip(&next.bias).map(|(weights, bias)| {
            let inner = weights.iter().zip(&self.bias);
            let sum: f64 = inner.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            (sum + f64::from(*bias)) as f32
        });
        let weight =
            rows.flat_map(|weights| (0..self.input).map(move |column| row(weights, column) as f32));
        Self {
            input: self.input,
            output: next.output,
            weight: weight.collect(),
            bias: bias.collect(),
        }
    }

    /// Returns the map that moves vectors by `by`, `[input]`, before it maps them.
    #[must_use]
    pub fn shifted(&self, by: &[f64]) -> Self {
        let moved = self.weight.chunks_exact(self.input).map(|row| -> f64 {
            let products = row.iter().zip(by);
            products.map(|(weight, by)| f64::from(*weight) * by).sum()
        });
        let bias = moved.zip(&self.bias);
        Self {
            bias: bias
                .map(|(moved, bias)| (f64::from(*bias) + moved) as f32)
                .collect(),
            ..self.clone()
        }
    }

    /// Takes the map of Stanford's ColBERT, which is among the encoder's tensors.
    pub(crate) fn take(weights: &mut WeightsReader, hidden: usize) -> Result<Self, EncoderError> {
        let name = "linear.weight";
        let output = match weights.shape(name) {
            Some(&[output, _]) if (1..=1 << 16).contains(&output) => output,
            // Taking it says what is wrong with it.
            _ => 1,
        };
        Ok(Self {
            input: hidden,
            output,
            weight: weights.take(name, &[output, hidden])?,
            bias: vec![0.0; output],
        })
    }

    /// Reads a dense layer of sentence-transformers, with PyLate's residual connection if it has one;
    /// `None` where there is no such folder.
    ///
    /// # Errors
    /// If a file is malformed, or its shapes do not follow from a `hidden`-wide encoder.
    pub fn load(folder: &Path, hidden: usize) -> Result<Option<Self>, EncoderError> {
        let path = folder.join("config.json");
        let Some(config) = read_json(&path)? else {
            return Ok(None);
        };
        let refuse = |reason: String| EncoderError::Config {
            path: path.clone(),
            reason,
        };
        let size = |key: &str| {
            let value = config[key]
                .as_u64()
                .and_then(|value| usize::try_from(value).ok());
            value.ok_or_else(|| refuse(format!("{key} is missing or not a size")))
        };
        let (input, output) = (size("in_features")?, size("out_features")?);
        if input != hidden || output == 0 || 1 << 16 < output {
            return Err(refuse(format!(
                "in_features = {input}, out_features = {output}, expected {hidden} and 1 to 65536"
            )));
        }
        let activation = config["activation_function"].as_str().unwrap_or("Identity");
        if activation.rsplit('.').next() != Some("Identity") {
            return Err(refuse(format!(
                "activation_function = {activation:?}, expected the identity"
            )));
        }
        let mut weights = WeightsReader::in_folder(folder)?;
        let mut weight = weights.take("linear.weight", &[output, input])?;
        if config["use_residual"] == json!(true) {
            let beside = if input == output {
                Self::identity(input).weight
            } else {
                weights.take("residual.weight", &[output, input])?
            };
            let sums = weight.iter_mut().zip(beside);
            sums.for_each(|(weight, beside)| *weight += beside);
        }
        let bias = if config["bias"] == json!(true) {
            weights.take("linear.bias", &[output])?
        } else {
            vec![0.0; output]
        };
        weights.finish(&[])?;
        Ok(Some(Self {
            input,
            output,
            weight,
            bias,
        }))
    }

    /// Writes the head as a dense layer of sentence-transformers.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), EncoderError> {
        let config = json!({"in_features": self.input, "out_features": self.output, "bias": true,
        "activation_function": "torch.nn.modules.linear.Identity", "use_residual": false});
        write_atomically(
            &folder.join("config.json"),
            format!("{config:#}\n").as_bytes(),
        )?;
        write_weights(
            &folder.join("model.safetensors"),
            &[
                (
                    "linear.weight".into(),
                    vec![self.output, self.input],
                    self.weight.clone(),
                ),
                ("linear.bias".into(), vec![self.output], self.bias.clone()),
            ],
        )
    }

    /// Returns the head on a device.
    pub fn on(&self, device: &Device) -> DeviceHead {
        let weight = TensorData::new(self.weight.clone(), [self.output, self.input]);
        DeviceHead {
            weight: Tensor::<2>::from_data(weight, device).transpose(),
            bias: Tensor::from_data(TensorData::new(self.bias.clone(), [self.output]), device),
        }
    }
}

/// A [`Head`] whose numbers are on a device.
#[derive(Debug, Clone)]
pub struct DeviceHead {
    weight: Tensor<2>,
    bias: Tensor<1>,
}

impl DeviceHead {
    /// Returns unit vectors after the head.
    ///
    /// # Shapes
    /// - `states`: `[batch, tokens, input]`
    /// - output: `[batch, tokens, output]`, each vector of length one
    pub fn forward(&self, states: Tensor<3>) -> Tensor<3> {
        normalise(self.image(states))
    }

    /// Returns vectors after the head before they are normalised, in the shapes of
    /// [`Self::forward`].
    pub fn image(&self, states: Tensor<3>) -> Tensor<3> {
        self.through(states, self.weight.clone())
    }

    /// Returns the image as [`Self::image`] does, by another `weight`, `[output, input]`, with the
    /// head's offset.
    pub fn image_by(&self, states: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
        self.through(states, weight.transpose())
    }

    /// Returns the image by a `weight` that is turned, `[input, output]`.
    fn through(&self, states: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
        let [batch, tokens, input] = states.dims();
        let [_, output] = weight.dims();
        let flat = states.reshape([batch * tokens, input]).matmul(weight);
        (flat + self.bias.clone().unsqueeze()).reshape([batch, tokens, output])
    }
}

/// Brings each vector of the last dimension to length one.
pub fn normalise(vectors: Tensor<3>) -> Tensor<3> {
    let squares = vectors.clone().square().sum_dim(2);
    vectors / squares.add_scalar(1e-12).sqrt()
}

/// Mean and covariance of token vectors, accumulated batch by batch on the device.
#[derive(Debug)]
pub struct HeadEstimate {
    count: usize,
    sum: Tensor<1>,
    products: Tensor<2>,
}

impl HeadEstimate {
    /// Creates an empty estimate for vectors of width `width`.
    pub fn new(width: usize, device: &Device) -> Self {
        Self {
            count: 0,
            sum: Tensor::zeros([width], device),
            products: Tensor::zeros([width, width], device),
        }
    }

    /// Adds token vectors `[tokens, width]`.
    pub fn add(&mut self, vectors: Tensor<2>) {
        self.count += vectors.dims()[0];
        self.sum = self.sum.clone() + vectors.clone().sum_dim(0).squeeze_dim(0);
        self.products = self.products.clone() + vectors.clone().transpose().matmul(vectors);
    }

    /// Returns the number of vectors seen.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns the partially whitening head of what was seen.
    ///
    /// # Errors
    /// If fewer vectors were seen than they have dimensions, or the device fails.
    pub fn finish(self, exponent: f64) -> Result<Head, EncoderError> {
        let sum = values(self.sum)?;
        let width = sum.len();
        if self.count < width {
            return Err(EncoderError::TooFewTokens {
                tokens: self.count,
                dimensions: width,
            });
        }
        let count = self.count as f64;
        let mean: Vec<f64> = sum.iter().map(|&value| f64::from(value) / count).collect();
        let products = values(self.products)?;
        let covariance = nalgebra::DMatrix::from_fn(width, width, |row, column| {
            f64::from(products[row * width + column]) / count - mean[row] * mean[column]
        });
        let eigen = covariance.symmetric_eigen();
        let deviations = eigen.eigenvalues.map(|value| value.max(0.0).sqrt());
        let largest = deviations.max();
        let mut weight = Vec::with_capacity(width * width);
        let mut bias = Vec::with_capacity(width);
        for (vector, &deviation) in eigen.eigenvectors.column_iter().zip(&deviations) {
            // A direction without spread carries rounding noise only: it is not blown up.
            let stretch = if deviation < 1e-6 * largest {
                0.0
            } else {
                (largest / deviation).powf(exponent)
            };
            weight.extend(vector.iter().map(|value| (value * stretch) as f32));
            let offset: f64 = vector.iter().zip(&mean).map(|(v, m)| v * m).sum();
            bias.push((-offset * stretch) as f32);
        }
        Ok(Head {
            input: width,
            output: width,
            weight,
            bias,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    /// Correlated vectors around a large mean, as an encoder's tokens are.
    fn cloud(device: &Device) -> Tensor<2> {
        device.seed(7);
        let noise = Tensor::<2>::random([4000, 3], Distribution::Normal(0.0, 1.0), device);
        let mix =
            Tensor::<2>::from_floats([[3.0, 0.0, 0.5], [0.0, 1.0, 0.0], [0.2, 0.0, 0.3]], device);
        noise.matmul(mix) + Tensor::<1>::from_floats([10.0, -5.0, 2.0], device).unsqueeze()
    }

    fn head(exponent: f64, device: &Device) -> Head {
        let mut estimate = HeadEstimate::new(3, device);
        for part in cloud(device).chunk(4, 0) {
            estimate.add(part);
        }
        estimate.finish(exponent).unwrap()
    }

    /// Root eigenvalues of what the affine part of a head makes of the cloud.
    fn deviations(head: &Head, device: &Device) -> Vec<f64> {
        let device_head = head.on(device);
        let mapped = cloud(device).matmul(device_head.weight) + device_head.bias.unsqueeze();
        let rows = values(mapped).unwrap();
        let matrix =
            nalgebra::DMatrix::from_row_iterator(4000, 3, rows.iter().map(|&v| f64::from(v)));
        let mean = matrix.row_mean();
        assert!(mean.amax() < 1e-3, "the mean is left: {mean}");
        let mut spread: Vec<f64> = matrix
            .singular_values()
            .iter()
            .map(|s| s / 4000_f64.sqrt())
            .collect();
        spread.sort_by(f64::total_cmp);
        spread
    }

    #[test]
    fn exponent_one_whitens_and_zero_only_centres() {
        let device = Device::flex();
        let plain = deviations(&head(0.0, &device), &device);
        let white = deviations(&head(1.0, &device), &device);
        let partial = deviations(&head(0.3, &device), &device);
        assert!((white[0] / white[2] - 1.0).abs() < 1e-3, "{white:?}");
        let expected = (plain[0] / plain[2]).powf(0.7);
        assert!(
            (partial[0] / partial[2] / expected - 1.0).abs() < 1e-3,
            "{partial:?}"
        );
    }

    #[test]
    fn two_maps_are_one_after_the_other() {
        let map = |input, output, seed: usize| Head {
            input,
            output,
            weight: (0..input * output)
                .map(|place| ((place * 7 + seed) % 11) as f32 - 5.0)
                .collect(),
            bias: (0..output).map(|place| (place + seed) as f32).collect(),
        };
        let apply = |head: &Head, x: &[f32]| -> Vec<f32> {
            let rows = head.weight.chunks(head.input).zip(&head.bias);
            rows.map(|(row, bias)| row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>() + bias)
                .collect()
        };
        let (first, second) = (map(3, 4, 1), map(4, 2, 5));
        let x = [1.0, -2.0, 3.0];
        let expected = apply(&second, &apply(&first, &x));
        assert_eq!(apply(&first.then(&second), &x), expected);
        // A shift comes before the map.
        let shifted = first.shifted(&[0.5, 0.0, -1.0]);
        assert_eq!(apply(&shifted, &x), apply(&first, &[1.5, -2.0, 2.0]));
    }

    #[test]
    fn a_dense_layer_with_a_residual_is_one_map() {
        let folder = tempfile::tempdir().unwrap();
        let write = |config: serde_json::Value, residual: Option<Vec<f32>>| {
            std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
            let mut tensors = vec![("linear.weight".into(), vec![2, 2], vec![1.0, 2.0, 3.0, 4.0])];
            tensors.extend(residual.map(|own| ("residual.weight".into(), vec![2, 2], own)));
            write_weights(&folder.path().join("model.safetensors"), &tensors).unwrap();
            Head::load(folder.path(), 2)
        };
        let config = json!({"in_features": 2, "out_features": 2, "bias": false, "use_residual": true,
            "activation_function": "torch.nn.modules.linear.Identity"});
        let head = write(config.clone(), None).unwrap().unwrap();
        assert_eq!(head.weight, [2.0, 2.0, 3.0, 5.0]);
        let unused = write(config.clone(), Some(vec![1.0; 4]))
            .unwrap_err()
            .to_string();
        assert!(unused.contains("residual.weight"), "{unused}");
        let mut tanh = config;
        tanh["activation_function"] = "torch.nn.modules.activation.Tanh".into();
        let error = write(tanh, None).unwrap_err().to_string();
        assert!(error.contains("expected the identity"), "{error}");
    }

    #[test]
    fn vectors_after_the_head_have_length_one() {
        let device = Device::flex();
        let mapped = head(0.3, &device)
            .on(&device)
            .forward(cloud(&device).unsqueeze());
        let lengths = values(mapped.square().sum_dim(2)).unwrap();
        assert!(lengths.iter().all(|length| (length - 1.0).abs() < 1e-5));
    }

    #[test]
    fn too_few_tokens_are_an_error() {
        let device = Device::flex();
        let estimate = HeadEstimate::new(3, &device);
        assert!(matches!(
            estimate.finish(0.3),
            Err(EncoderError::TooFewTokens {
                tokens: 0,
                dimensions: 3
            })
        ));
    }
}
