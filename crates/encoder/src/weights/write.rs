//! Weights to disk: whole files or none.

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};

use crate::EncoderError;

/// One tensor to write: name, shape and values in row-major order.
pub type NamedTensor = (String, Vec<usize>, Vec<f32>);

/// Writes tensors as an f32 safetensors file, beside `path` first, then by rename.
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

/// Writes a file beside `path` first, then renames it, so that readers see all of it or none.
///
/// # Errors
/// If the folder cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), EncoderError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut file, bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| EncoderError::write(path, error))
}
