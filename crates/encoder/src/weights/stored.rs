//! Where a tensor is in a file, and its values as `f32`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{safetensors, torch};
use crate::EncoderError;
use crate::read::placeholder;

/// Bytes that tell a file from what is in its place.
const BEGINNING: u64 = 256;

/// A tensor that has not been read yet.
#[derive(Debug)]
pub(super) struct Stored {
    shape: Vec<usize>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Memory(Vec<f32>),
    File {
        path: Arc<Path>,
        /// Of the first value.
        start: u64,
        number: Number,
        /// Values from one entry of a dimension to the next; `None` in row-major order.
        strides: Option<Vec<usize>>,
    },
}

/// How numbers are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    F32,
    F16,
    Bf16,
    /// Of a kind that weights are not, and this many bytes each.
    Other {
        name: &'static str,
        bytes: usize,
    },
}

impl Number {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Other { bytes, .. } => bytes,
        }
    }
}

/// Returns the tensors of one file by their names.
pub(super) fn index(path: &Path) -> Result<BTreeMap<String, Stored>, EncoderError> {
    let mut file = File::open(path).map_err(|error| EncoderError::read(path, error))?;
    let corrupt = |reason: Unreadable| match reason {
        Unreadable::Io(error) => EncoderError::read(path, error),
        Unreadable::Corrupt(reason) => EncoderError::Weights {
            path: path.to_owned(),
            reason,
        },
    };
    let mut beginning = Vec::new();
    let begun = (&mut file).take(BEGINNING).read_to_end(&mut beginning);
    begun
        .and_then(|_| file.rewind())
        .map_err(|error| EncoderError::read(path, error))?;
    if let Some(reason) = placeholder(&beginning) {
        return Err(EncoderError::Placeholder {
            path: path.to_owned(),
            reason,
        });
    }
    let is_safetensors = path.extension().is_some_and(|end| end == "safetensors");
    let index = if is_safetensors {
        safetensors::index
    } else {
        torch::index
    };
    let tensors = file
        .metadata()
        .map_err(Unreadable::Io)
        .and_then(|metadata| index(&mut file, metadata.len()))
        .map_err(corrupt)?;
    let path: Arc<Path> = Arc::from(path);
    let stored = |(name, tensor): (String, Located)| {
        let place = Place::File {
            path: path.clone(),
            start: tensor.start,
            number: tensor.number,
            strides: tensor.strides,
        };
        let shape = tensor.shape;
        (name, Stored { shape, place })
    };
    Ok(tensors.into_iter().map(stored).collect())
}

/// A tensor in a file that whoever opened it knows; all its values are within the file.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) shape: Vec<usize>,
    pub(super) start: u64,
    pub(super) number: Number,
    pub(super) strides: Option<Vec<usize>>,
}

/// Why a file has no index.
#[derive(Debug)]
pub(super) enum Unreadable {
    Io(std::io::Error),
    Corrupt(String),
}

impl From<String> for Unreadable {
    fn from(reason: String) -> Self {
        Self::Corrupt(reason)
    }
}

impl From<&str> for Unreadable {
    fn from(reason: &str) -> Self {
        Self::Corrupt(reason.to_owned())
    }
}

impl From<std::io::Error> for Unreadable {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            Self::Corrupt("it ends too early; fetch it again".to_owned())
        } else {
            Self::Io(error)
        }
    }
}

impl Stored {
    pub(super) fn in_memory(shape: Vec<usize>, values: Vec<f32>) -> Self {
        Self {
            shape,
            place: Place::Memory(values),
        }
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Returns the values in row-major order, and the file that they were in.
    pub(super) fn read(self, name: &str) -> Result<(Option<PathBuf>, Vec<f32>), EncoderError> {
        let (path, start, number, strides) = match self.place {
            Place::Memory(values) => return Ok((None, values)),
            Place::File {
                path,
                start,
                number,
                strides,
            } => (path, start, number, strides),
        };
        if let Number::Other { name: number, .. } = number {
            return Err(EncoderError::Weights {
                path: path.to_path_buf(),
                reason: format!("tensor {name} is {number}, expected f32, f16 or bf16"),
            });
        }
        let count = extent(&self.shape, strides.as_deref());
        let mut bytes = vec![0; count * number.bytes()];
        File::open(&path)
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(start))?;
                file.read_exact(&mut bytes)
            })
            .map_err(|error| EncoderError::read(&path, error))?;
        let values = widen(&bytes, number);
        let values = match strides {
            Some(strides) => gather(&values, &self.shape, &strides),
            None => values,
        };
        Ok((Some(path.to_path_buf()), values))
    }
}

/// Counts the values from the first of a tensor to its last.
fn extent(shape: &[usize], strides: Option<&[usize]>) -> usize {
    if shape.contains(&0) {
        return 0;
    }
    match strides {
        None => shape.iter().product(),
        Some(strides) => {
            let steps = shape.iter().zip(strides);
            1 + steps
                .map(|(size, stride)| (size - 1) * stride)
                .sum::<usize>()
        }
    }
}

fn widen(bytes: &[u8], number: Number) -> Vec<f32> {
    let pairs = |widen: fn(u16) -> f32| {
        let pairs = bytes.as_chunks::<2>().0.iter();
        pairs.map(|pair| widen(u16::from_le_bytes(*pair))).collect()
    };
    match number {
        Number::F16 => pairs(|bits| half::f16::from_bits(bits).to_f32()),
        Number::Bf16 => pairs(|bits| half::bf16::from_bits(bits).to_f32()),
        Number::F32 | Number::Other { .. } => {
            let fours = bytes.as_chunks::<4>().0.iter();
            fours.map(|four| f32::from_le_bytes(*four)).collect()
        }
    }
}

/// Returns the values at `strides` in row-major order.
fn gather(values: &[f32], shape: &[usize], strides: &[usize]) -> Vec<f32> {
    let mut places = vec![0];
    for (&size, &stride) in shape.iter().zip(strides) {
        let step = |place: &usize| {
            let place = *place;
            (0..size).map(move |index| place + index * stride)
        };
        places = places.iter().flat_map(step).collect();
    }
    places.into_iter().map(|place| values[place]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_put_values_in_order() {
        let values = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(
            gather(&values, &[3, 2], &[1, 3]),
            [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]
        );
        assert_eq!(gather(&values, &[2], &[4]), [0.0, 4.0]);
        assert_eq!(extent(&[3, 2], Some(&[1, 3])), 6);
        assert_eq!(extent(&[2], Some(&[4])), 5);
        assert_eq!((extent(&[2, 0], Some(&[7, 7])), extent(&[], None)), (0, 1));
    }
}
