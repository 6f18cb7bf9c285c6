//! Where the entries of a zip archive lie, for archives of uncompressed entries as torch writes them.
//!
//! After PKWARE's APPNOTE 6.3.10: sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.14 to
//! 4.3.16 (its end, in 32 and 64 bits), 4.5.3 (sizes in 64 bits).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use super::stored::Unreadable;

/// The bytes of an entry, all of them within the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) length: u64,
}

/// Longest central directory that is read: that of some hundred thousand entries.
const MAXIMUM_DIRECTORY: u64 = 16 << 20;
const END: usize = 22;
const LONGEST_COMMENT: usize = 0xFFFF;
/// In place of a size that needs 64 bits.
const SEE_EXTRA: u64 = 0xFFFF_FFFF;

/// The entries by their names.
pub(super) fn entries(file: &mut File, length: u64) -> Result<BTreeMap<String, Span>, Unreadable> {
    let (directory, count) = directory(file, length)?;
    if MAXIMUM_DIRECTORY < directory.length {
        return Err(format!("its central directory has {} bytes", directory.length).into());
    }
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(directory.start))?;
    file.take(directory.length).read_to_end(&mut bytes)?;
    let mut rest = Fields(&bytes);
    let mut entries = BTreeMap::new();
    for _ in 0..count {
        let (name, span) = entry(&mut rest, file, length)?;
        if entries.insert(name.clone(), span).is_some() {
            return Err(format!("it has two entries {name:?}").into());
        }
    }
    Ok(entries)
}

/// Where the central directory lies, and how many entries it has.
fn directory(file: &mut File, length: u64) -> Result<(Span, u64), Unreadable> {
    let tail = length.min((END + LONGEST_COMMENT) as u64);
    let bytes = read(
        file,
        Span {
            start: length - tail,
            length: tail,
        },
    )?;
    let at = (0..=bytes.len().saturating_sub(END))
        .rev()
        .find(|&at| bytes[at..].starts_with(b"PK\x05\x06"))
        .ok_or("it is no zip archive: it has no central directory")?;
    let mut end = Fields(&bytes[at..]);
    end.skip(10)?;
    let (count, size, start) = (end.u16()?, end.u32()?, end.u32()?);
    let (mut count, mut span) = (
        count,
        Span {
            start,
            length: size,
        },
    );
    if count == 0xFFFF || size == SEE_EXTRA || start == SEE_EXTRA {
        let locator = (length - tail + at as u64).checked_sub(20);
        let start = locator.ok_or("its central directory lies outside the file")?;
        let bytes = read(file, within(start, 20, length)?)?;
        let mut locator = Fields(&bytes);
        if locator.u32()? != 0x0706_4B50 {
            return Err("its central directory lies nowhere".into());
        }
        locator.skip(4)?;
        let bytes = read(file, within(locator.u64()?, 56, length)?)?;
        let mut end = Fields(&bytes);
        if end.u32()? != 0x0606_4B50 {
            return Err("its central directory lies nowhere".into());
        }
        end.skip(28)?;
        (count, span.length, span.start) = (end.u64()?, end.u64()?, end.u64()?);
    }
    Ok((within(span.start, span.length, length)?, count))
}

/// The next entry of the central directory.
fn entry(
    rest: &mut Fields<'_>,
    file: &mut File,
    length: u64,
) -> Result<(String, Span), Unreadable> {
    if rest.u32()? != 0x0201_4B50 {
        return Err("its central directory is damaged".into());
    }
    rest.skip(4)?;
    let (flags, method) = (rest.u16()?, rest.u16()?);
    rest.skip(8)?;
    let (mut packed, mut size) = (rest.u32()?, rest.u32()?);
    let (name, extra, comment) = (rest.u16()?, rest.u16()?, rest.u16()?);
    rest.skip(8)?;
    let mut header = rest.u32()?;
    let name = String::from_utf8_lossy(rest.take(name)?).into_owned();
    let mut extra = Fields(rest.take(extra)?);
    rest.skip(comment)?;
    while !extra.0.is_empty() {
        let (kind, size_of_field) = (extra.u16()?, extra.u16()?);
        let mut field = Fields(extra.take(size_of_field)?);
        if kind == 1 {
            for value in [&mut size, &mut packed, &mut header] {
                if *value == SEE_EXTRA {
                    *value = field.u64()?;
                }
            }
        }
    }
    if method != 0 || packed != size || flags & 1 != 0 {
        return Err(format!("its entry {name:?} is compressed or encrypted").into());
    }
    let local = read(file, within(header, 30, length)?)?;
    let mut local = Fields(&local);
    if local.u32()? != 0x0403_4B50 {
        return Err(format!("its entry {name:?} lies nowhere").into());
    }
    local.skip(22)?;
    let start = header + 30 + local.u16()? + local.u16()?;
    Ok((name, within(start, size, length)?))
}

fn within(start: u64, length: u64, end: u64) -> Result<Span, Unreadable> {
    match start.checked_add(length) {
        Some(last) if last <= end => Ok(Span { start, length }),
        _ => Err(format!("{length} bytes at {start} lie outside its {end}").into()),
    }
}

fn read(file: &mut File, span: Span) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(span.start))?;
    file.take(span.length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Little-endian numbers, one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], Unreadable> {
        let count = usize::try_from(count)
            .ok()
            .filter(|&count| count <= self.0.len());
        let (taken, rest) = self
            .0
            .split_at(count.ok_or("its central directory ends too early")?);
        self.0 = rest;
        Ok(taken)
    }

    fn skip(&mut self, count: u64) -> Result<(), Unreadable> {
        self.take(count).map(drop)
    }

    fn number(&mut self, count: u64) -> Result<u64, Unreadable> {
        let bytes = self.take(count)?.iter().rev();
        Ok(bytes.fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn u16(&mut self) -> Result<u64, Unreadable> {
        self.number(2)
    }

    fn u32(&mut self) -> Result<u64, Unreadable> {
        self.number(4)
    }

    fn u64(&mut self) -> Result<u64, Unreadable> {
        self.number(8)
    }
}
