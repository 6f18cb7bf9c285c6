//! Where the entries of a zip archive are, for archives of uncompressed entries as torch writes
//! them.

use std::collections::BTreeMap;
use std::fs::File;

use zip::{CompressionMethod, ZipArchive};

use super::stored::Unreadable;

/// The bytes of an entry, all of them within the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) length: u64,
}

/// Returns the entries by their names.
pub(super) fn entries(file: &mut File, length: u64) -> Result<BTreeMap<String, Span>, Unreadable> {
    let refused = |error: zip::result::ZipError| format!("it is not a whole zip archive: {error}");
    let mut archive = ZipArchive::new(file).map_err(refused)?;
    let mut entries = BTreeMap::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(refused)?;
        let name = entry.name().map_err(refused)?.into_owned();
        if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
            return Err(format!("its entry {name:?} is compressed or encrypted").into());
        }
        let start = entry.data_start();
        let start = start.ok_or_else(|| format!("its entry {name:?} has no position"))?;
        let size = entry.size();
        if start.checked_add(size).is_none_or(|end| length < end) {
            return Err(format!("{size} bytes at {start} are outside its {length}").into());
        }
        let span = Span {
            start,
            length: size,
        };
        entries.insert(name, span);
    }
    Ok(entries)
}
