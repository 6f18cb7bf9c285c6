//! Event files that TensorBoard draws curves from.
//!
//! A file is a series of records in TensorFlow's framing: length (u64), checksum of the length,
//! content, checksum of the content, all little-endian. The checksum is CRC-32C (Castagnoli), rotated
//! by 15 bits and with a constant added, so that checksums of data with checksums in it do not cancel
//! (tensorflow/core/lib/io/record_writer.h, lib/hash/crc32c.h). The content is a protocol buffer
//! `Event` (tensorflow/core/util/event.proto), of which only scalars are written here: a dozen fields,
//! encoded by hand below instead of by generated code.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::ReportError;

/// An event file that grows.
///
/// Readers notice a record that is not whole by its checksum and wait for the rest, so the file can
/// be read while it is written.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Begins an event file anew in `folder`, which is made if it is not there.
    ///
    /// `name` stands at the end of the file's name, after what TensorBoard knows event files by. A
    /// file of the same name is replaced. `wall_time` is in seconds since 1970.
    ///
    /// # Errors
    /// [`ReportError::Write`] if the folder or the file cannot be written.
    pub fn create(folder: &Path, name: &str, wall_time: f64) -> Result<Self, ReportError> {
        let path = folder.join(format!("events.out.tfevents.{name}"));
        let failed = |source| ReportError::Write {
            path: path.clone(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        // Not truncated but replaced: whoever reads the old file keeps it whole.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => {}
        }
        let mut file = File::create_new(&path).map_err(failed)?;
        file.write_all(&record(&version(wall_time)))
            .map_err(failed)?;
        Ok(Self { path, file })
    }

    /// Appends the values of some curves, by name, at a step.
    ///
    /// # Errors
    /// [`ReportError::Write`] if the file cannot be written.
    pub fn append<'a>(
        &mut self,
        wall_time: f64,
        step: u64,
        scalars: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> Result<(), ReportError> {
        // One record in one write: another process sees all of it or a part that it can tell.
        let record = record(&scalar_event(wall_time, step, scalars));
        let written = self.file.write_all(&record);
        written.map_err(|source| ReportError::Write {
            path: self.path.clone(),
            source,
        })
    }
}

/// Frames the content of a record.
fn record(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    [
        &length[..],
        &masked_checksum(&length).to_le_bytes(),
        content,
        &masked_checksum(content).to_le_bytes(),
    ]
    .concat()
}

fn masked_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

/// Returns `Event { wall_time = 1, file_version = 3 }`, the first of every file.
fn version(wall_time: f64) -> Vec<u8> {
    let mut event = Message::default();
    event.double(1, wall_time);
    event.bytes(3, b"brain.Event:2");
    event.0
}

/// Returns
/// `Event { wall_time = 1, step = 2, summary = 5 { value = 1 { tag = 1, simple_value = 2 } } }`.
fn scalar_event<'a>(
    wall_time: f64,
    step: u64,
    scalars: impl IntoIterator<Item = (&'a str, f64)>,
) -> Vec<u8> {
    let mut summary = Message::default();
    for (tag, scalar) in scalars {
        let mut value = Message::default();
        value.bytes(1, tag.as_bytes());
        value.float(2, scalar as f32);
        summary.bytes(1, &value.0);
    }
    let mut event = Message::default();
    event.double(1, wall_time);
    event.integer(2, step);
    event.bytes(5, &summary.0);
    event.0
}

/// A protocol buffer's bytes: for each field its number and wire type, then its value.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn integer(&mut self, field: u64, value: u64) {
        self.variable(field << 3);
        self.variable(value);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.variable(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.variable(field << 3 | 2);
        self.variable(value.len() as u64);
        self.0.extend(value);
    }

    fn float(&mut self, field: u64, value: f32) {
        self.variable(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
    }

    /// Writes seven bits per byte, the lowest first; the highest bit says that more follow.
    fn variable(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Bytes that TensorBoard 2.21's own `RecordWriter` and `Event` wrote of the same events.
    #[test]
    fn files_are_byte_for_byte_those_of_tensorboard() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = EventFile::create(&folder.path().join("new"), "optical", 1.5).unwrap();
        file.append(2.25, 300, [("loss", 0.5), ("mates/swa", 0.25)])
            .unwrap();
        let path = folder.path().join("new/events.out.tfevents.optical");
        let bytes: String = (std::fs::read(path).unwrap().iter())
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(bytes, EXPECTED);
    }

    const EXPECTED: &str = "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c2d000000\
        000000003c418afb09000000000000024010ac022a1f0a0b0a046c6f7373150000003f0a100a096d61746573\
        2f737761150000803e7504d46e";

    #[test]
    fn a_file_begun_anew_replaces_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.out.tfevents.optical");
        let mut old = EventFile::create(folder.path(), "optical", 1.0).unwrap();
        old.append(1.0, 1, [("loss", 1.0)]).unwrap();
        let long = std::fs::metadata(&path).unwrap().len();
        let new = EventFile::create(folder.path(), "optical", 1.0).unwrap();
        old.append(1.0, 2, [("loss", 1.0)]).unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() < long);
        assert!(format!("{new:?}").contains("optical"));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = EventFile::create(&file.join("below"), "x", 0.0).unwrap_err();
        assert!(error.to_string().ends_with("cannot be written"), "{error}");
    }
}
