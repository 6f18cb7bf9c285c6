//! Weights on disk: read strictly, one tensor at a time, and written atomically.
//!
//! A reader hands out each tensor once, cast to `f32` and checked against the shape that the
//! configuration implies; what is left over at the end is an error, since a tensor that nobody
//! used means a model that is not the one on disk, unless it is the head of another task. Files are indexed when they are opened and read
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

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub(crate) use self::folder::files;
use self::stored::Stored;
pub(crate) use self::write::write_atomically;
pub use self::write::{NamedTensor, write_weights};
use crate::EncoderError;

/// Tensors of one checkpoint that nobody has taken yet.
#[derive(Debug)]
pub struct WeightsReader {
    path: PathBuf,
    tensors: BTreeMap<String, Stored>,
    /// What stood before the encoder's names.
    prefix: String,
    /// Tensors that were asked for and are not there, with their shapes.
    missing: Vec<(String, Vec<usize>)>,
}

/// Most names that a message lists.
const LISTED: usize = 8;

/// Most values that stand for a tensor that is missing, until all of those are known.
const STAND_IN: usize = 1 << 28;

/// Beginnings of the names of heads for other tasks, in checkpoints of any family.
const HEADS: [&str; 7] = [
    "pooler.",
    "classifier.",
    "qa_outputs.",
    "score.",
    "cls.",
    "lm_head.",
    "predictions.",
];

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
            prefix: String::new(),
            missing: Vec::new(),
        }
    }

    /// Tensors that are in memory already.
    pub(crate) fn of(tensors: Vec<NamedTensor>) -> Self {
        let named = |(name, shape, values)| (name, Stored::in_memory(shape, values));
        let tensors = tensors.into_iter().map(named).collect();
        Self::new(PathBuf::from("memory"), tensors)
    }

    /// Removes what stands before the tensor `landmark`, such as `bert.` or `module.`, from all names
    /// that begin so, as they do in checkpoints of whole or wrapped models.
    ///
    /// # Errors
    /// If there are several tensors of that name, each after another prefix.
    pub(crate) fn strip_prefix_of(&mut self, landmark: &str) -> Result<(), EncoderError> {
        if self.tensors.contains_key(landmark) {
            return Ok(());
        }
        let names = self.tensors.keys();
        let prefixes = names.filter_map(|name| name.strip_suffix(landmark));
        let prefixes: Vec<&str> = prefixes.filter(|prefix| prefix.ends_with('.')).collect();
        let prefix = match prefixes[..] {
            // Whoever takes the tensor hears that it is missing.
            [] => return Ok(()),
            [prefix] => prefix.to_owned(),
            _ => {
                return Err(EncoderError::SeveralEncoders {
                    path: self.path.clone(),
                    prefixes: prefixes.join(", "),
                });
            }
        };
        let long = self.tensors.keys().filter(|name| name.starts_with(&prefix));
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
        self.prefix = prefix;
        Ok(())
    }

    /// Returns the shape of the tensor `name`, if there is one.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(Stored::shape)
    }

    /// Numbers in the tensors of some names that nobody has taken.
    pub(crate) fn numbers(&self, is_counted: impl Fn(&str) -> bool) -> usize {
        let counted = self.tensors.iter().filter(|(name, _)| is_counted(name));
        let shapes = counted.map(|(_, tensor)| tensor.shape());
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
                left: String::new(),
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

    /// Hands out the tensor `name`, or zeros in place of one that is missing: [`Self::check_missing`]
    /// then names all of them at once.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(crate) fn take_or_note(
        &mut self,
        name: &str,
        shape: &[usize],
    ) -> Result<Vec<f32>, EncoderError> {
        let count = shape
            .iter()
            .try_fold(1_usize, |all, &size| all.checked_mul(size));
        match count.filter(|&count| count <= STAND_IN) {
            Some(count) if !self.tensors.contains_key(name) => {
                self.missing.push((name.to_owned(), shape.to_vec()));
                Ok(vec![0.0; count])
            }
            _ => self.take(name, shape),
        }
    }

    /// Checks that no tensor was missing.
    ///
    /// # Errors
    /// Lists those that were, with the shapes expected.
    pub(crate) fn check_missing(&self) -> Result<(), EncoderError> {
        if self.missing.is_empty() {
            return Ok(());
        }
        let missing = self.missing.iter();
        let missing = missing.map(|(name, shape)| format!("{name} {shape:?}"));
        Err(EncoderError::Missing {
            path: self.path.clone(),
            name: listed(missing.collect()),
            left: listed(self.tensors.keys().cloned().collect()),
        })
    }

    /// Returns the beginnings of the names that are left: of heads for other tasks, which are `heads` and
    /// what all families may have.
    ///
    /// Tables of integers called `position_ids`, which only repeat 0, 1, 2, …, are not counted.
    ///
    /// # Errors
    /// If other tensors are left: a model that is not the one on disk would not use them.
    pub fn finish(self, heads: &[&str]) -> Result<Vec<String>, EncoderError> {
        // Heads stand beside the encoder, before or after any part of what stood before its names.
        let ends = self.prefix.match_indices('.').map(|(dot, _)| dot + 1);
        let before: Vec<&str> = ends.map(|end| &self.prefix[..end]).collect();
        let head = |name: &str| {
            let bare = before
                .iter()
                .rev()
                .find_map(|start| name.strip_prefix(start));
            let bare = bare.unwrap_or(name);
            let mut known = heads.iter().chain(&HEADS);
            known.find(|head| bare.starts_with(*head)).copied()
        };
        let (mut left_out, mut left) = (BTreeSet::new(), Vec::new());
        for name in self.tensors.into_keys() {
            if let Some(head) = head(&name) {
                left_out.insert(head.trim_end_matches('.').to_owned());
            } else if !name.ends_with("position_ids") {
                left.push(name);
            }
        }
        if left.is_empty() {
            return Ok(left_out.into_iter().collect());
        }
        Err(EncoderError::Unused {
            path: self.path,
            names: listed(left),
        })
    }
}

/// Lists the first of some names, and says how many follow.
fn listed(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(LISTED);
    names.truncate(LISTED);
    let names = names.join(", ");
    match more {
        0 => names,
        _ => format!("{names} and {more} more"),
    }
}
