//! Vectors of texts in a file that [`VectorFile`](crate::VectorFile) wrote, read a text at a time.
//!
//! The file is read at places rather than mapped: pages that were read once stay with the system either
//! way, and no memory has to be trusted to a file that others could cut short.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use safetensors::Dtype;
use safetensors::tensor::Metadata;

use crate::EncoderError;

/// The longest header that is read.
const LONGEST_HEADER: u64 = 1 << 20;

/// A file of vectors, in memory with 8 bytes per text.
#[derive(Debug)]
pub struct Vectors {
    path: PathBuf,
    /// Reading at a place moves the file's cursor, so one reads at a time.
    file: Mutex<File>,
    width: usize,
    /// Where the vectors begin in the file.
    begin: u64,
    /// Vectors before each text, and all of them.
    before: Vec<u64>,
}

impl Vectors {
    /// Opens a finished file.
    ///
    /// # Errors
    /// If it cannot be read, or is not such a file.
    pub fn open(path: &Path) -> Result<Self, EncoderError> {
        let refuse = |reason: &str| EncoderError::Config {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        let read = |error| EncoderError::read(path, error);
        let mut file = File::open(path).map_err(read)?;
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(read)?;
        let size = u64::from_le_bytes(size);
        if LONGEST_HEADER < size {
            return Err(refuse("not a file of vectors: its header is too long"));
        }
        let mut header = vec![0; size as usize];
        file.read_exact(&mut header).map_err(read)?;
        let metadata: Metadata = serde_json::from_slice(&header)
            .map_err(|error| refuse(&format!("not a file of vectors: {error}")))?;
        let tensor = |name: &str, dtype: Dtype, dimensions: usize| {
            let found = metadata.info(name);
            found
                .filter(|info| info.dtype == dtype && info.shape.len() == dimensions)
                .ok_or_else(|| refuse(&format!("not a file of vectors: no {name} as expected")))
        };
        let vectors = tensor("vectors", Dtype::F32, 2)?;
        let lengths = tensor("lengths", Dtype::I32, 1)?;
        let start = 8 + size;
        let mut bytes = vec![0; 4 * lengths.shape[0]];
        file.seek(SeekFrom::Start(start + lengths.data_offsets.0 as u64))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(read)?;
        let mut before = vec![0];
        let mut sum = 0;
        for length in bytes.as_chunks::<4>().0 {
            sum += u64::from(u32::from_le_bytes(*length));
            before.push(sum);
        }
        let end = start + vectors.data_offsets.1 as u64;
        let there = file.metadata().map_err(read)?.len();
        if sum != vectors.shape[0] as u64 || there < end {
            return Err(refuse("it lacks vectors that its header promises"));
        }
        Ok(Self {
            path: path.to_owned(),
            width: vectors.shape[1],
            begin: start + vectors.data_offsets.0 as u64,
            file: Mutex::new(file),
            before,
        })
    }

    /// Returns the number of texts.
    #[must_use]
    pub fn texts(&self) -> usize {
        self.before.len() - 1
    }

    /// Returns the width of a vector.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Reads the vectors of a text, one after the other.
    ///
    /// # Errors
    /// If the file cannot be read.
    ///
    /// # Panics
    /// If there is no such text.
    pub fn read(&self, text: usize) -> Result<Vec<f32>, EncoderError> {
        let [from, to] = [text, text + 1].map(|text| self.before[text] * self.width as u64);
        let mut bytes = vec![0; 4 * (to - from) as usize];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.begin + 4 * from))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|error| EncoderError::read(&self.path, error))?;
        let values = bytes.as_chunks::<4>().0.iter();
        Ok(values.map(|value| f32::from_le_bytes(*value)).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;
    use crate::VectorFile;

    fn written(folder: &Path) -> PathBuf {
        let path = folder.join("out.safetensors");
        let mut file = VectorFile::open(&path, 2, BTreeMap::new()).unwrap();
        for vectors in [&[1.0, 2.0, 3.0, 4.0][..], &[], &[5.0, 6.0]] {
            file.push("x", vectors).unwrap();
        }
        file.finish().unwrap();
        path
    }

    #[test]
    fn texts_are_read_in_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let vectors = Vectors::open(&written(folder.path())).unwrap();
        assert_eq!((vectors.texts(), vectors.width()), (3, 2));
        assert_eq!(vectors.read(2).unwrap(), [5.0, 6.0]);
        assert!(vectors.read(1).unwrap().is_empty());
        assert_eq!(vectors.read(0).unwrap(), [1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn what_was_cut_short_or_is_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 7, 100, 4096 + 8, whole.len() - 20] {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(Vectors::open(&path).is_err(), "{length}");
        }
        std::fs::write(&path, [0xff; 64]).unwrap();
        let error = Vectors::open(&path).unwrap_err().to_string();
        assert!(error.contains("header is too long"), "{error}");
    }
}
