//! The index of a file of `torch.save`: a pickle that describes the tensors, and their values.
//!
//! Since torch 1.6 (2020) it is a zip archive with the pickle and an entry for each storage.
//! Before, it was five pickles one after the other (a magic number, a version, the system, the
//! tensors, and the storages' keys), and after them the storages, each after its count.
//!
//! `pytorch-reader`, of burn's repository, was tried in place of this and of the pickles (version
//! 0.23.0-pre.1). It calls nothing, never panicked, and refuses truncated files, but it is lenient
//! where this is strict: functions it does not know and entries that are not tensors are left out
//! without a word, a view that repeats values asks for more memory than its file has bytes (2.4 GB of
//! less than a kilobyte), and storages that are missing, too short or of another count show only when
//! they are read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use super::archive::{self, Span};
use super::pickle::{Heap, Object, Storage, Tensor};
use super::stored::{Located, Unreadable};

/// What a file of before 2020 begins with.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const VERSION: i64 = 1001;

pub(super) fn index(file: &mut File, length: u64) -> Result<Vec<(String, Located)>, Unreadable> {
    let mut start = Vec::new();
    file.take(4).read_to_end(&mut start)?;
    file.rewind()?;
    if start == b"PK\x03\x04" {
        archive(file, length)
    } else {
        consecutive(file, length)
    }
}

/// Indexes a zip archive whose entries are below one folder.
fn archive(file: &mut File, length: u64) -> Result<Vec<(String, Located)>, Unreadable> {
    let entries = archive::entries(file, length)?;
    let pickle = entries
        .keys()
        .find_map(|name| name.strip_suffix("/data.pkl"));
    let folder = pickle.ok_or("it has no entry data.pkl")?;
    if let Some(&order) = entries.get(&format!("{folder}/byteorder")) {
        let mut text = String::new();
        section(file, order)?.take(16).read_to_string(&mut text)?;
        if text.trim() != "little" {
            return Err(format!("its numbers are {text:?}-endian, expected \"little\"").into());
        }
    }
    let pickle = entries[&format!("{folder}/data.pkl")];
    let heap = Heap::read(&mut section(file, pickle)?)?;
    let place = |storage: &Storage| {
        let name = format!("{folder}/data/{}", storage.key);
        let entry = entries.get(&name).copied();
        let span = entry.ok_or_else(|| format!("it has no entry {name}"))?;
        match bytes_of(storage) {
            Some(bytes) if bytes <= span.length => Ok(span.start),
            _ => Err(Unreadable::from(format!(
                "its entry {name} has {} bytes, too few for {} numbers",
                span.length, storage.count
            ))),
        }
    };
    located(heap.tensors()?, place)
}

fn section(file: &mut File, span: Span) -> Result<impl Read, Unreadable> {
    file.seek(SeekFrom::Start(span.start))?;
    Ok(BufReader::new(file.take(span.length)))
}

/// Pickles and storages one after the other.
fn consecutive(file: &mut File, length: u64) -> Result<Vec<(String, Located)>, Unreadable> {
    let mut source = BufReader::new(file);
    if !matches!(Heap::read(&mut source), Ok(magic) if *magic.result() == Object::Long(MAGIC.to_vec()))
    {
        return Err("it was not written by torch.save".into());
    }
    match Heap::read(&mut source)?.result() {
        Object::Int(VERSION) => {}
        other => return Err(format!("its version is {other:?}, expected {VERSION}").into()),
    }
    let system = Heap::read(&mut source)?;
    if let Object::Dict(entries) = system.result()
        && entries.iter().any(|&(key, value)| {
            *system.get(key) == Object::Text("little_endian".into())
                && *system.get(value) == Object::Bool(false)
        })
    {
        return Err("its numbers are big-endian, expected little-endian".into());
    }
    let tensors = Heap::read(&mut source)?.tensors()?;
    let keys = Heap::read(&mut source)?;
    let Object::List(order) = keys.result() else {
        return Err("it does not list its storages".into());
    };
    let storages: BTreeMap<&str, &Storage> = tensors
        .iter()
        .map(|(_, tensor)| (tensor.storage.key.as_str(), &tensor.storage))
        .collect();
    let mut starts = BTreeMap::new();
    let mut position = source.stream_position()?;
    for &key in order {
        let Object::Text(key) = keys.get(key) else {
            return Err("it lists a storage that has no key".into());
        };
        let storage = storages.get(key.as_str());
        let storage = storage.ok_or_else(|| format!("no tensor has the storage {key}"))?;
        source.seek(SeekFrom::Start(position))?;
        let mut count = [0; 8];
        source.read_exact(&mut count)?;
        let count = u64::from_le_bytes(count);
        let start = position + 8;
        let end = bytes_of(storage).and_then(|bytes| start.checked_add(bytes));
        position = match end {
            Some(end) if end <= length && count == storage.count as u64 => end,
            _ => {
                let claimed = storage.count;
                return Err(format!(
                    "its storage {key} has {count} numbers at byte {start} of {length}, expected {claimed}"
                )
                .into());
            }
        };
        starts.insert(key.clone(), start);
    }
    if position != length {
        return Err(format!("its values end at byte {position}, the file at {length}").into());
    }
    let place = |storage: &Storage| {
        let start = starts.get(&storage.key).copied();
        start.ok_or_else(|| {
            Unreadable::from(format!("it does not list the storage {}", storage.key))
        })
    };
    located(tensors.clone(), place)
}

fn bytes_of(storage: &Storage) -> Option<u64> {
    let count = u64::try_from(storage.count).ok()?;
    count.checked_mul(storage.number.bytes() as u64)
}

/// Returns the tensors where they are, given where their storages begin; none reaches beyond its
/// storage.
fn located(
    tensors: Vec<(String, Tensor)>,
    place: impl Fn(&Storage) -> Result<u64, Unreadable>,
) -> Result<Vec<(String, Located)>, Unreadable> {
    let mut names = std::collections::BTreeSet::new();
    tensors
        .into_iter()
        .map(|(name, tensor)| {
            if !names.insert(name.clone()) {
                return Err(format!("it has two tensors {name}").into());
            }
            let (storage, strides) = (&tensor.storage, tensor.strides);
            if beyond(&tensor.shape, &strides, tensor.offset, storage.count) {
                return Err(format!(
                    "tensor {name} of shape {:?} reaches beyond its storage of {} numbers",
                    tensor.shape, storage.count
                )
                .into());
            }
            let start = place(storage)? + (tensor.offset * storage.number.bytes()) as u64;
            let in_order = strides == row_major(&tensor.shape);
            let located = Located {
                start,
                number: storage.number,
                strides: (!in_order).then_some(strides),
                shape: tensor.shape,
            };
            Ok((name, located))
        })
        .collect()
}

/// Says whether a view leaves its storage, or has more values than it, as repeated ones have.
fn beyond(shape: &[usize], strides: &[usize], offset: usize, count: usize) -> bool {
    let values = shape
        .iter()
        .try_fold(1_usize, |values, &size| values.checked_mul(size));
    if values == Some(0) {
        return count < offset;
    }
    let last = shape
        .iter()
        .zip(strides)
        .try_fold(offset, |last, (&size, &stride)| {
            last.checked_add((size - 1).checked_mul(stride)?)
        });
    values.is_none_or(|values| count < values) || last.is_none_or(|last| count <= last)
}

/// Returns the strides of a tensor that is in order; a dimension of one entry may have any.
fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut stride = 1_usize;
    let mut strides: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&size| {
            let own = stride;
            stride = stride.saturating_mul(size.max(1));
            own
        })
        .collect();
    strides.reverse();
    strides
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::{Path, PathBuf};

    use super::*;
    use crate::weights::WeightsReader;

    /// Written by torch: an archive, and a file in the format of before 2020.
    const FIXTURES: [&str; 2] = ["deberta-v2", "minilm"];

    fn fixture(name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        folder.join(name).join("pytorch_model.bin")
    }

    /// Reads everything, if the file has an index; only that it ends is of interest.
    fn exhaust(bytes: &[u8]) -> Option<usize> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pytorch_model.bin");
        std::fs::write(&path, bytes).unwrap();
        let tensors = super::super::stored::index(&path).ok()?;
        let count = tensors.len();
        for (name, tensor) in tensors {
            drop(tensor.read(&name));
        }
        Some(count)
    }

    #[test]
    fn both_formats_are_read() {
        for name in FIXTURES {
            let mut reader = WeightsReader::open(&fixture(name)).unwrap();
            let words = "embeddings.word_embeddings.weight";
            let shape = reader.shape(words).unwrap().to_vec();
            let values = reader.take(words, &shape).unwrap();
            assert_eq!(values.len(), shape.iter().product::<usize>());
            assert!(values.iter().any(|&value| value != 0.0));
        }
    }

    #[test]
    fn truncated_files_are_errors() {
        for name in FIXTURES {
            let bytes = std::fs::read(fixture(name)).unwrap();
            for length in (0..bytes.len()).step_by(1997).chain([bytes.len() - 1]) {
                assert_eq!(exhaust(&bytes[..length]), None, "{length} bytes of {name}");
            }
        }
    }

    /// A changed byte ends in an answer, wherever the file says what it holds.
    #[test]
    fn damaged_files_are_read_or_refused() {
        for name in FIXTURES {
            let bytes = std::fs::read(fixture(name)).unwrap();
            let count = bytes.len();
            let places = (0..6000)
                .step_by(29)
                .chain((count - 2000..count).step_by(11));
            for (round, place) in places.enumerate() {
                let mut bytes = bytes.clone();
                bytes[place] ^= [0xFF, 0x80, 0x01][round % 3];
                exhaust(&bytes);
            }
        }
    }

    #[test]
    fn views_are_gathered_and_kept_within_their_storage() {
        let view = |offset, shape: &[usize], strides: &[usize]| beyond(shape, strides, offset, 12);
        assert!(!view(0, &[3, 4], &[4, 1]));
        assert!(!view(0, &[4, 3], &[1, 4]));
        assert!(!view(12, &[0, 5], &[5, 1]));
        assert!(view(1, &[3, 4], &[4, 1]));
        assert!(view(0, &[3, 5], &[4, 1]));
        assert!(view(0, &[13], &[0]), "repeated values");
        assert!(view(0, &[usize::MAX, 2], &[1, 1]));
        assert!(view(0, &[2, 2], &[usize::MAX, 1]));
        assert!(view(13, &[0], &[1]));
        assert_eq!(row_major(&[2, 3, 4]), [12, 4, 1]);
        assert_eq!(row_major(&[0, usize::MAX, 2])[2], 1);
    }
}
