//! Tensors as numbers.

use burn::prelude::*;

use crate::error::DistillError;

/// Reads the values of a tensor from its device.
pub(crate) fn scalars<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f64>, DistillError> {
    let values = tensor.into_data().try_to_vec::<f32>();
    let values = values.map_err(|error| DistillError::Device(format!("{error:?}")))?;
    Ok(values.into_iter().map(f64::from).collect())
}
