//! Which packing or other kind of file it is, by the first bytes.

use std::io::{self, Read};

/// A packing that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zstandard,
}

impl Packing {
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // A frame, or one to be skipped, with which parallel packers begin.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                Some(Self::Zstandard)
            }
            _ => None,
        }
    }

    pub(super) fn unpack(self, reader: Box<dyn Read + Send>) -> io::Result<Unpacked> {
        let reader: Box<dyn Read + Send> = match self {
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(reader)),
            Self::Zstandard => Box::new(zstd::Decoder::new(reader)?),
        };
        Ok(Unpacked {
            packing: self,
            reader,
        })
    }
}

/// What was packed; its errors say so.
pub(super) struct Unpacked {
    packing: Packing,
    reader: Box<dyn Read + Send>,
}

/// Packed data that cannot be unpacked.
#[derive(Debug, thiserror::Error)]
#[error("its {packing:?} data are damaged or end too early")]
struct Damaged {
    packing: Packing,
    source: io::Error,
}

impl Read for Unpacked {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.reader.read(bytes).map_err(|source| {
            if source.kind() == io::ErrorKind::Interrupted || source.raw_os_error().is_some() {
                return source;
            }
            let packing = self.packing;
            io::Error::new(source.kind(), Damaged { packing, source })
        })
    }
}

/// Says what else the first bytes may be of, and what to do with it.
pub(super) fn other(start: &[u8]) -> Option<(&'static str, &'static str)> {
    const UNPACK: &str = "unpack it first";
    const KINDS: [(&[u8], &str, &str); 11] = [
        (b"PK\x03\x04", "a zip archive", UNPACK),
        (b"PK\x05\x06", "an empty zip archive", UNPACK),
        (
            b"\xfd7zXZ\0",
            "packed with xz",
            "unpack it first, with unxz",
        ),
        (b"LZIP", "packed with lzip", "unpack it first, with lzip -d"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
        (b"Rar!\x1a\x07", "a rar archive", UNPACK),
        (
            b"\x04\x22\x4d\x18",
            "packed with lz4",
            "unpack it first, with lz4 -d",
        ),
        (
            b"\x1f\x9d",
            "packed with compress",
            "unpack it first, with uncompress",
        ),
        (b"PAR1", "a Parquet file", "export it as JSON lines first"),
        (
            b"SQLite format 3\0",
            "an SQLite database",
            "export it first",
        ),
        (
            b"\x93NUMPY",
            "an array of NumPy",
            "give the text it was made of",
        ),
    ];
    // Letters alone would also begin a text.
    let bzip2 = matches!(start, [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..]
        if rest.starts_with(b"1AY&SY") || rest.starts_with(b"\x17rE8P\x90"));
    if bzip2 {
        return Some(("packed with bzip2", "unpack it first, with bunzip2"));
    }
    if start.get(257..262) == Some(b"ustar") {
        return Some(("a tar archive", "unpack it first, with tar -x"));
    }
    let kind = KINDS.iter().find(|(magic, ..)| start.starts_with(magic));
    kind.map(|(_, kind, advice)| (*kind, *advice))
}
