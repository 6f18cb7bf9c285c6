//! Weights on disk: read strictly, one tensor at a time, and written atomically.
//!
//! A reader hands out each tensor once, cast to `f32` and checked against the shape that the
//! configuration implies; what is left over at the end is an error, since a tensor that nobody
//! used means a model that is not the one on disk. Files are indexed when they are opened and read
//! when a tensor is taken, so that a damaged file never asks for more memory than it has bytes, and
//! a large one is never in memory as a whole.

mod archive;
mod folder;
mod pickle;
mod safetensors;
mod stored;
#[cfg(test)]
mod tests;
mod torch;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::stored::Stored;
pub use self::write::{NamedTensor, write_atomically, write_weights};
use crate::EncoderError;

/// Tensors of one checkpoint that nobody has taken yet.
#[derive(Debug)]
pub struct WeightsReader {
    path: PathBuf,
    tensors: BTreeMap<String, Stored>,
}

impl WeightsReader {
    /// Indexes a safetensors file or, under any other extension, a file of `torch.save`.
    ///
    /// # Errors
    /// If the file is missing or corrupt, or refers to anything but tensors.
    pub fn open(path: &Path) -> Result<Self, EncoderError> {
        let tensors = stored::index(path)?;
        Ok(Self::new(path.to_owned(), tensors))
    }

    /// Indexes the weights of a Hugging Face folder: `model.safetensors`, else its shards by
    /// `model.safetensors.index.json`, else `pytorch_model.bin`, else its shards.
    ///
    /// # Errors
    /// If there is none of them, a shard's name leaves the folder, two shards hold the same tensor,
    /// or as [`Self::open`].
    pub fn in_folder(folder: &Path) -> Result<Self, EncoderError> {
        let (path, tensors) = folder::index(folder)?;
        Ok(Self::new(path, tensors))
    }

    fn new(path: PathBuf, tensors: BTreeMap<String, Stored>) -> Self {
        // TensorFlow's names for the parameters of a norm, which some checkpoints still have.
        let modern = |name: String| match name.strip_suffix(".gamma") {
            Some(norm) => format!("{norm}.weight"),
            None => match name.strip_suffix(".beta") {
                Some(norm) => format!("{norm}.bias"),
                None => name,
            },
        };
        let tensors = tensors.into_iter();
        Self {
            path,
            tensors: tensors
                .map(|(name, tensor)| (modern(name), tensor))
                .collect(),
        }
    }

    /// Tensors that are in memory already.
    pub(crate) fn of(tensors: Vec<NamedTensor>) -> Self {
        let named = |(name, shape, values)| (name, Stored::in_memory(shape, values));
        Self {
            path: PathBuf::from("memory"),
            tensors: tensors.into_iter().map(named).collect(),
        }
    }

    /// Removes `prefix` from the names that have it, as checkpoints of whole models do.
    pub fn strip_prefix(&mut self, prefix: &str) {
        let long = self.tensors.keys().filter(|name| name.starts_with(prefix));
        let long: Vec<String> = long.cloned().collect();
        for name in long {
            let bare = &name[prefix.len()..];
            // Under both names, one of the two stays to be refused as unused.
            if !self.tensors.contains_key(bare)
                && let Some(tensor) = self.tensors.remove(&name)
            {
                self.tensors.insert(bare.to_owned(), tensor);
            }
        }
    }

    /// The shape of the tensor `name`, if there is one.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(Stored::shape)
    }

    /// Numbers in all tensors that nobody has taken.
    pub(crate) fn numbers(&self) -> usize {
        let shapes = self.tensors.values().map(Stored::shape);
        shapes.map(|shape| shape.iter().product::<usize>()).sum()
    }

    /// Hands out the tensor `name`.
    ///
    /// # Errors
    /// If it is missing, has another shape, is not f32, f16 or bf16, holds NaN or an infinity, or
    /// cannot be read.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, EncoderError> {
        let stored = self
            .tensors
            .remove(name)
            .ok_or_else(|| EncoderError::Missing {
                path: self.path.clone(),
                name: name.to_owned(),
            })?;
        if stored.shape() != shape {
            return Err(EncoderError::Shape {
                path: self.path.clone(),
                name: name.to_owned(),
                found: stored.shape().to_vec(),
                expected: shape.to_vec(),
            });
        }
        let (path, values) = stored.read(name)?;
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(EncoderError::NotFinite {
                path: path.unwrap_or(self.path.clone()),
                name: name.to_owned(),
                index,
                value: values[index],
            }),
            None => Ok(values),
        }
    }

    /// Checks that nothing is left but tensors whose name starts with one of `ignorable`, and the
    /// tables of integers called `position_ids`, which only repeat 0, 1, 2, ….
    ///
    /// # Errors
    /// If other tensors are left.
    pub fn finish(self, ignorable: &[&str]) -> Result<(), EncoderError> {
        let ignored = |name: &String| {
            ignorable.iter().any(|prefix| name.starts_with(prefix))
                || name.ends_with("position_ids")
        };
        let left: Vec<_> = self
            .tensors
            .into_keys()
            .filter(|name| !ignored(name))
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
