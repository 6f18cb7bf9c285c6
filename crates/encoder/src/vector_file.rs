//! Vectors of any number of texts, written to one safetensors file as they come.
//!
//! Nothing is kept in memory, and a writer that was stopped resumes from where it last
//! [`commit`](VectorFile::commit)ted: until the end the file is in a folder beside its place, with
//! room left for the header at its start. The finished file holds
//!
//! - `vectors`: `f32`, `[vectors, width]`
//! - `lengths`: `i32`, `[texts]`, how many vectors each text has
//! - `ids`: `u8`, the ids of the texts in UTF-8, a line feed after each
//!
//! and the caller's metadata.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use optical_files::lock::Lock;
use optical_files::whole;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::EncoderError;
use crate::weights::write_atomically;

/// Bytes kept free for the header, its length included.
const HEADER: u64 = 4096;

/// A safetensors file of vectors that is being written.
#[derive(Debug)]
pub struct VectorFile {
    output: PathBuf,
    folder: PathBuf,
    width: usize,
    vectors: BufWriter<File>,
    lengths: BufWriter<File>,
    ids: BufWriter<File>,
    state: State,
    /// Nobody else writes here.
    _lock: Lock,
}

/// What is in the folder, up to the last commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    metadata: BTreeMap<String, String>,
    width: usize,
    texts: u64,
    vectors: u64,
    id_bytes: u64,
    /// Where the caller was in its input.
    cursor: Value,
}

impl State {
    /// Returns what it was begun with that `other` has otherwise.
    fn difference(&self, other: &Self) -> Option<String> {
        if self.width != other.width {
            return Some(format!("width {}, not {}", self.width, other.width));
        }
        let names = self.metadata.keys().chain(other.metadata.keys());
        let value =
            |state: &Self, name| state.metadata.get(name).map_or("none", |it| it).to_owned();
        let mut values = names.map(|name| (name, value(self, name), value(other, name)));
        let (name, ours, theirs) = values.find(|(_, ours, theirs)| ours != theirs)?;
        Some(format!("{name} {ours}, not {theirs}"))
    }
}

impl VectorFile {
    /// Begins `output`, or resumes what is left of it, for vectors of `width` numbers.
    ///
    /// Metadata say what the vectors are; they are kept in the file.
    ///
    /// # Errors
    /// If the folder `output` with `.partial` after its name cannot be read or written, or was
    /// begun with another width or other metadata.
    pub fn open(
        output: &Path,
        width: usize,
        metadata: BTreeMap<String, String>,
    ) -> Result<Self, EncoderError> {
        if output.exists() && !output.is_file() {
            let reason = "it is a folder or a device, expected a file or nothing";
            return Err(EncoderError::write(output, std::io::Error::other(reason)));
        }
        let mut name = output.as_os_str().to_owned();
        name.push(".partial");
        let folder = PathBuf::from(name);
        std::fs::create_dir_all(&folder).map_err(|error| EncoderError::write(&folder, error))?;
        let lock = Lock::acquire(&folder.join(".lock"));
        let lock = lock.map_err(|refused| EncoderError::write(&folder, refused.into()))?;
        let fresh = State {
            metadata,
            width,
            texts: 0,
            vectors: 0,
            id_bytes: 0,
            cursor: Value::Null,
        };
        let state = read_state(&folder)?.unwrap_or_else(|| fresh.clone());
        if let Some(difference) = state.difference(&fresh) {
            return Err(EncoderError::Config {
                path: folder,
                reason: format!("was begun with {difference}; delete the folder to begin anew"),
            });
        }
        let open = |name: &str, bytes: u64| -> Result<BufWriter<File>, EncoderError> {
            let path = folder.join(name);
            let open = || {
                let options = OpenOptions::new()
                    .create(true)
                    .truncate(false)
                    .write(true)
                    .open(&path);
                let mut file = options?;
                if file.metadata()?.len() < bytes && state.texts > 0 {
                    return Err(std::io::Error::other(format!(
                        "shorter than the {bytes} bytes that were committed"
                    )));
                }
                // What comes after the last commit was never promised.
                file.set_len(bytes)?;
                file.seek(SeekFrom::Start(bytes))?;
                Ok(BufWriter::with_capacity(1 << 18, file))
            };
            open().map_err(|error| EncoderError::write(&path, error))
        };
        Ok(Self {
            vectors: open("vectors", HEADER + state.vectors * width as u64 * 4)?,
            lengths: open("lengths", state.texts * 4)?,
            ids: open("ids", state.id_bytes)?,
            output: output.to_owned(),
            folder,
            width,
            state,
            _lock: lock,
        })
    }

    /// Returns what the caller gave to the last commit; null at the beginning.
    #[must_use]
    pub fn cursor(&self) -> &Value {
        &self.state.cursor
    }

    /// Texts written so far.
    #[must_use]
    pub fn texts(&self) -> u64 {
        self.state.texts
    }

    /// Adds a text with its vectors, one after the other.
    ///
    /// # Errors
    /// If the disk refuses them.
    ///
    /// # Panics
    /// If the numbers are not whole vectors, or the id has a line feed, each a bug in the caller.
    pub fn push(&mut self, id: &str, vectors: &[f32]) -> Result<(), EncoderError> {
        assert!(vectors.len().is_multiple_of(self.width), "whole vectors");
        assert!(!id.contains('\n'), "ids are lines");
        let count = vectors.len() / self.width;
        let mut write = || -> std::io::Result<()> {
            for value in vectors {
                self.vectors.write_all(&value.to_le_bytes())?;
            }
            let count = i32::try_from(count).map_err(std::io::Error::other)?;
            self.lengths.write_all(&count.to_le_bytes())?;
            self.ids.write_all(id.as_bytes())?;
            self.ids.write_all(b"\n")
        };
        write().map_err(|error| EncoderError::write(&self.folder, error))?;
        self.state.texts += 1;
        self.state.vectors += count as u64;
        self.state.id_bytes += id.len() as u64 + 1;
        Ok(())
    }

    /// Makes all that was pushed outlast this program, with where the caller is in its input.
    ///
    /// # Errors
    /// If the disk refuses it.
    pub fn commit(&mut self, cursor: Value) -> Result<(), EncoderError> {
        for file in [&mut self.vectors, &mut self.lengths, &mut self.ids] {
            let flushed = file.flush().and_then(|()| file.get_ref().sync_data());
            flushed.map_err(|error| EncoderError::write(&self.folder, error))?;
        }
        self.state.cursor = cursor;
        let state = serde_json::to_vec_pretty(&self.state).unwrap_or_default();
        write_atomically(&self.folder.join("state.json"), &state)
    }

    /// Gives every text so far with its vectors, in the order in which they were pushed.
    ///
    /// # Errors
    /// If they cannot be read back, or `receive` returns an error.
    pub fn each<E: From<EncoderError>>(
        &mut self,
        mut receive: impl FnMut(&str, &[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let refused = |error| EncoderError::read(&self.folder, error);
        for file in [&mut self.vectors, &mut self.lengths, &mut self.ids] {
            file.flush().map_err(refused)?;
        }
        let open = |name: &str| File::open(self.folder.join(name)).map(BufReader::new);
        let mut vectors = open("vectors").map_err(refused)?;
        vectors.seek(SeekFrom::Start(HEADER)).map_err(refused)?;
        let mut lengths = open("lengths").map_err(refused)?;
        let mut ids = open("ids").map_err(refused)?;
        for _ in 0..self.state.texts {
            let (mut length, mut id) = ([0; 4], String::new());
            lengths.read_exact(&mut length).map_err(refused)?;
            let mut bytes = vec![0; u32::from_le_bytes(length) as usize * self.width * 4];
            vectors.read_exact(&mut bytes).map_err(refused)?;
            ids.read_line(&mut id).map_err(refused)?;
            let values = bytes.as_chunks::<4>().0.iter();
            let values: Vec<f32> = values.map(|value| f32::from_le_bytes(*value)).collect();
            receive(id.trim_end_matches('\n'), &values)?;
        }
        Ok(())
    }

    /// Removes the folder: the file is not to be made.
    ///
    /// # Errors
    /// If the disk refuses it.
    pub fn discard(self) -> Result<(), EncoderError> {
        let removed = std::fs::remove_dir_all(&self.folder);
        removed.map_err(|error| EncoderError::write(&self.folder, error))
    }

    /// Puts the whole file in its place, and removes the folder beside it.
    ///
    /// # Errors
    /// If the disk refuses it, or the metadata are too long for the header.
    pub fn finish(mut self) -> Result<(), EncoderError> {
        let cursor = self.state.cursor.clone();
        self.commit(cursor)?;
        let header = self.header()?;
        let join = || -> std::io::Result<()> {
            let mut file = self.vectors.get_ref();
            for name in ["lengths", "ids"] {
                std::io::copy(&mut File::open(self.folder.join(name))?, &mut file)?;
            }
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&header)?;
            file.sync_all()?;
            whole::put(&self.folder.join("vectors"), &self.output)?;
            std::fs::remove_dir_all(&self.folder)
        };
        join().map_err(|error| EncoderError::write(&self.output, error))
    }

    /// Returns the header with its length before it, padded with spaces as the format allows.
    fn header(&self) -> Result<Vec<u8>, EncoderError> {
        let State {
            texts,
            vectors,
            id_bytes,
            ..
        } = self.state;
        let mut end = 0;
        let mut tensors = Map::new();
        tensors.insert("__metadata__".into(), json!(self.state.metadata));
        for (name, dtype, shape, bytes) in [
            (
                "vectors",
                "F32",
                vec![vectors, self.width as u64],
                vectors * self.width as u64 * 4,
            ),
            ("lengths", "I32", vec![texts], texts * 4),
            ("ids", "U8", vec![id_bytes], id_bytes),
        ] {
            let offsets = [end, end + bytes];
            tensors.insert(
                name.into(),
                json!({"dtype": dtype, "shape": shape, "data_offsets": offsets}),
            );
            end += bytes;
        }
        let mut text = Value::Object(tensors).to_string().into_bytes();
        let room = HEADER as usize - size_of::<u64>();
        if text.len() > room {
            return Err(EncoderError::Config {
                path: self.output.clone(),
                reason: format!(
                    "metadata need {} bytes, expected at most {room}",
                    text.len()
                ),
            });
        }
        text.resize(room, b' ');
        let mut header = (room as u64).to_le_bytes().to_vec();
        header.append(&mut text);
        Ok(header)
    }
}

/// Returns the last commit in a folder; nothing if there was none.
fn read_state(folder: &Path) -> Result<Option<State>, EncoderError> {
    let path = folder.join("state.json");
    match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(EncoderError::read(&path, error)),
        Ok(bytes) => {
            serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| EncoderError::Config {
                    path,
                    reason: format!("{error}; delete the folder to begin anew"),
                })
        }
    }
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;

    fn metadata() -> BTreeMap<String, String> {
        BTreeMap::from([("pool".to_owned(), "tokens".to_owned())])
    }

    fn begin(folder: &Path) -> VectorFile {
        VectorFile::open(&folder.join("out.safetensors"), 2, metadata()).unwrap()
    }

    /// What was pushed after the last commit is pushed again, and stands in the file once.
    #[test]
    fn a_stopped_writer_goes_on_from_its_last_commit() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = begin(folder.path());
        assert_eq!(file.cursor(), &Value::Null);
        file.push("a", &[1.0, 2.0, 3.0, 4.0]).unwrap();
        file.push("ü", &[]).unwrap();
        file.commit(json!(17)).unwrap();
        file.push("lost", &[9.0, 9.0]).unwrap();
        drop(file);

        let mut file = begin(folder.path());
        assert_eq!((file.cursor(), file.texts()), (&json!(17), 2));
        file.push("c", &[5.0, 6.0]).unwrap();
        let mut texts = Vec::new();
        let read = file.each(|id, vectors| {
            texts.push((id.to_owned(), vectors.to_vec()));
            Ok::<_, EncoderError>(())
        });
        read.unwrap();
        let expected = [
            ("a", vec![1.0, 2.0, 3.0, 4.0]),
            ("ü", vec![]),
            ("c", vec![5.0, 6.0]),
        ];
        assert_eq!(
            texts,
            expected.map(|(id, vectors)| (id.to_owned(), vectors))
        );
        file.finish().unwrap();

        let bytes = std::fs::read(folder.path().join("out.safetensors")).unwrap();
        let read = SafeTensors::deserialize(&bytes).unwrap();
        let vectors = read.tensor("vectors").unwrap();
        assert_eq!(vectors.shape(), [3, 2]);
        let numbers: Vec<f32> = vectors
            .data()
            .chunks(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
            .collect();
        assert_eq!(numbers, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let lengths = read.tensor("lengths").unwrap();
        assert_eq!(lengths.data(), [2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(read.tensor("ids").unwrap().data(), "a\nü\nc\n".as_bytes());
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        assert_eq!(header.metadata().as_ref().unwrap()["pool"], "tokens");
        assert!(!folder.path().join("out.safetensors.partial").exists());
    }

    #[test]
    fn what_was_begun_otherwise_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        begin(folder.path()).commit(json!(1)).unwrap();
        let output = folder.path().join("out.safetensors");
        let error = VectorFile::open(&output, 3, metadata())
            .unwrap_err()
            .to_string();
        assert!(error.contains("begun with width 2, not 3"), "{error}");
        let other = BTreeMap::from([("pool".to_owned(), "mean".to_owned())]);
        let error = VectorFile::open(&output, 2, other).unwrap_err().to_string();
        assert!(
            error.contains("begun with pool tokens, not mean"),
            "{error}"
        );
        let held = begin(folder.path());
        let error = VectorFile::open(&output, 2, metadata()).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("in use by process"), "{source}");
        drop(held);
        std::fs::write(
            folder.path().join("out.safetensors.partial/state.json"),
            "{",
        )
        .unwrap();
        let error = VectorFile::open(&output, 2, metadata())
            .unwrap_err()
            .to_string();
        assert!(error.contains("delete the folder"), "{error}");
    }

    #[test]
    fn files_that_lost_what_was_committed_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = begin(folder.path());
        file.push("a", &[1.0, 2.0]).unwrap();
        file.commit(json!(1)).unwrap();
        drop(file);
        std::fs::write(folder.path().join("out.safetensors.partial/vectors"), "").unwrap();
        let output = folder.path().join("out.safetensors");
        let error = VectorFile::open(&output, 2, metadata()).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("shorter than the 4104 bytes"), "{source}");
    }

    #[test]
    fn no_text_is_a_file_too() {
        let folder = tempfile::tempdir().unwrap();
        begin(folder.path()).finish().unwrap();
        let bytes = std::fs::read(folder.path().join("out.safetensors")).unwrap();
        let read = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(read.tensor("vectors").unwrap().shape(), [0, 2]);
    }
}
