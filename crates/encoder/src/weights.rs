//! Safetensors files, read strictly and written atomically.
//!
//! A reader hands out each tensor once, cast to `f32` and checked against the shape that the
//! configuration implies; what is left over at the end is an error, since a tensor that nobody
//! used means a model that is not the one on disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::EncoderError;

/// Tensors of one file that nobody has taken yet.
#[derive(Debug)]
pub struct WeightsReader {
    path: PathBuf,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl WeightsReader {
    /// Reads every tensor of a safetensors file as `f32`.
    ///
    /// # Errors
    /// If the file is missing, corrupt, or holds a tensor that is not f32, f16 or bf16, or NaN.
    pub fn open(path: &Path) -> Result<Self, EncoderError> {
        let bytes = std::fs::read(path).map_err(|error| EncoderError::read(path, error))?;
        let corrupt = |reason: String| EncoderError::Weights {
            path: path.to_owned(),
            reason,
        };
        let file = SafeTensors::deserialize(&bytes).map_err(|error| corrupt(error.to_string()))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            // Some checkpoints carry a table of integers that only repeats 0, 1, 2, …
            if name.ends_with("position_ids") {
                continue;
            }
            let values = to_f32(&view).ok_or_else(|| {
                corrupt(format!(
                    "tensor {name} is {:?}, expected f32, f16 or bf16",
                    view.dtype()
                ))
            })?;
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                return Err(EncoderError::NotFinite {
                    path: path.to_owned(),
                    name: name.to_owned(),
                    index,
                    value: values[index],
                });
            }
            tensors.insert(name.to_owned(), (view.shape().to_vec(), values));
        }
        Ok(Self {
            path: path.to_owned(),
            tensors,
        })
    }

    /// Tensors that are in memory already.
    pub(crate) fn of(tensors: Vec<NamedTensor>) -> Self {
        let named = |(name, shape, values)| (name, (shape, values));
        Self {
            path: PathBuf::from("memory"),
            tensors: tensors.into_iter().map(named).collect(),
        }
    }

    /// Removes `prefix` from the names that have it, as checkpoints of whole models do.
    pub fn strip_prefix(&mut self, prefix: &str) {
        let tensors = std::mem::take(&mut self.tensors);
        self.tensors = tensors
            .into_iter()
            .map(|(name, tensor)| {
                let bare = name.strip_prefix(prefix).map(str::to_owned);
                (bare.unwrap_or(name), tensor)
            })
            .collect();
    }

    /// Hands out the tensor `name`.
    ///
    /// # Errors
    /// If it is missing or has another shape.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, EncoderError> {
        let (found, values) = self
            .tensors
            .remove(name)
            .ok_or_else(|| EncoderError::Missing {
                path: self.path.clone(),
                name: name.to_owned(),
            })?;
        if found != shape {
            return Err(EncoderError::Shape {
                path: self.path.clone(),
                name: name.to_owned(),
                found,
                expected: shape.to_vec(),
            });
        }
        Ok(values)
    }

    /// Checks that nothing is left but tensors whose name starts with one of `ignorable`.
    ///
    /// # Errors
    /// If other tensors are left.
    pub fn finish(self, ignorable: &[&str]) -> Result<(), EncoderError> {
        let left: Vec<_> = self
            .tensors
            .into_keys()
            .filter(|name| !ignorable.iter().any(|prefix| name.starts_with(prefix)))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        Err(EncoderError::Unused {
            path: self.path,
            names: left.join(", "),
        })
    }
}

fn to_f32(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let data = view.data();
    let two = |widen: fn(u16) -> f32| {
        data.as_chunks::<2>()
            .0
            .iter()
            .map(|bytes| widen(u16::from_le_bytes(*bytes)))
            .collect()
    };
    match view.dtype() {
        Dtype::F32 => Some(
            data.as_chunks::<4>()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect(),
        ),
        Dtype::F16 => Some(two(|bits| half::f16::from_bits(bits).to_f32())),
        Dtype::BF16 => Some(two(|bits| half::bf16::from_bits(bits).to_f32())),
        _ => None,
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn file(tensors: &[NamedTensor]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        write_weights(&path, tensors).unwrap();
        (folder, path)
    }

    fn named(name: &str, values: &[f32]) -> NamedTensor {
        (name.to_owned(), vec![values.len()], values.to_vec())
    }

    #[test]
    fn what_is_written_is_read() {
        let (_folder, path) = file(&[named("bert.a", &[1.0, -2.5]), named("pooler.w", &[3.0])]);
        let mut reader = WeightsReader::open(&path).unwrap();
        reader.strip_prefix("bert.");
        assert_eq!(reader.take("a", &[2]).unwrap(), [1.0, -2.5]);
        reader.finish(&["pooler."]).unwrap();
    }

    #[test]
    fn missing_unused_misshapen_and_nan_tensors_are_named() {
        let (_folder, path) = file(&[named("a", &[1.0]), named("extra", &[2.0])]);
        let mut reader = WeightsReader::open(&path).unwrap();
        let missing = reader.take("b", &[1]).unwrap_err().to_string();
        assert!(missing.ends_with("has no tensor b"), "{missing}");
        let shape = reader.take("a", &[1, 1]).unwrap_err().to_string();
        assert!(
            shape.contains("tensor a has shape [1], expected [1, 1]"),
            "{shape}"
        );
        let unused = reader.finish(&[]).unwrap_err().to_string();
        assert!(unused.ends_with("does not use: extra"), "{unused}");
        let (_folder, path) = file(&[named("a", &[1.0, f32::NAN])]);
        let nan = WeightsReader::open(&path).unwrap_err().to_string();
        assert!(nan.contains("tensor a holds NaN at position 1"), "{nan}");
    }

    #[test]
    fn a_truncated_file_is_an_error() {
        let (_folder, path) = file(&[named("a", &[1.0; 64])]);
        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 4, 9, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert!(
                WeightsReader::open(&path).is_err(),
                "{length} bytes were accepted"
            );
        }
    }
}
