//! Weights to disk: whole files or none.

use std::path::Path;

use optical_files::whole;
use safetensors::tensor::{Dtype, TensorView};

use crate::EncoderError;

/// One tensor to write: name, shape and values in row-major order.
pub type NamedTensor = (String, Vec<usize>, Vec<f32>);

/// Writes tensors as an f32 safetensors file, whole or not at all.
///
/// # Errors
/// If the folder cannot be written.
pub fn write_weights(path: &Path, tensors: &[NamedTensor]) -> Result<(), EncoderError> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| {
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect()
        })
        .collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| {
            TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name.as_str(), view))
        })
        .collect::<Result<Vec<_>, _>>()
        .and_then(|views| {
            // Readers of the Python libraries expect to be told which framework wrote the file.
            let metadata = [("format".to_owned(), "pt".to_owned())].into();
            safetensors::serialize(views, Some(metadata))
        })
        .map_err(|error| EncoderError::Weights {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
    write_atomically(path, &views)
}

/// Writes a file whole or not at all, in a folder that is made if need be.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), EncoderError> {
    whole::write_in_folder(path, bytes).map_err(|error| EncoderError::write(path, error))
}
