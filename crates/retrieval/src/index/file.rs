//! An exact index as one file.
//!
//! All numbers are little-endian:
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `OPTICAL\0` |
//! | 4 | format, 1 |
//! | 4 | dimensions |
//! | 8 | number of documents |
//! | 8 | number of tokens in all documents |
//! | 8 | bytes of the table of documents |
//! | | table: per document its tokens (4), the bytes of its id (4), its id in UTF-8 |
//! | | vectors in half precision, `[token][dimension]` |
//! | 32 | SHA-256 of all that precedes it |

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use half::f16;
use optical_files::whole;
use sha2::{Digest, Sha256};

use super::{FileFault, IndexError};

const MAGIC: [u8; 8] = *b"OPTICAL\0";
const FORMAT: u32 = 1;
const HEADER_BYTES: u64 = 40;
const CHECKSUM_BYTES: u64 = 32;
/// Values converted at a time.
const CHUNK: usize = 1 << 16;

/// What an index file holds.
pub(super) struct Content {
    pub(super) dims: usize,
    /// Id and number of tokens of each document.
    pub(super) documents: Vec<(String, usize)>,
    pub(super) values: Vec<f16>,
}

/// Writes an index file.
pub(super) fn save(
    path: &Path,
    dims: usize,
    documents: &[(&str, usize)],
    values: &[f16],
) -> Result<(), IndexError> {
    let table: usize = documents.iter().map(|(id, _)| 8 + id.len()).sum();
    let write = |writer: &mut dyn Write| {
        let mut writer = Hashing {
            inner: writer,
            hash: Sha256::new(),
        };
        writer.write_all(&MAGIC)?;
        writer.write_all(&FORMAT.to_le_bytes())?;
        writer.write_all(&narrow(dims)?.to_le_bytes())?;
        for number in [documents.len(), values.len() / dims, table] {
            writer.write_all(&(number as u64).to_le_bytes())?;
        }
        for (id, tokens) in documents {
            writer.write_all(&narrow(*tokens)?.to_le_bytes())?;
            writer.write_all(&narrow(id.len())?.to_le_bytes())?;
            writer.write_all(id.as_bytes())?;
        }
        for values in values.chunks(CHUNK) {
            let bytes: Vec<u8> = values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            writer.write_all(&bytes)?;
        }
        let checksum = writer.hash.finalize();
        writer.inner.write_all(&checksum)
    };
    whole::write_with(path, |writer| write(writer)).map_err(|source| IndexError::Write {
        path: path.to_owned(),
        source,
    })
}

fn narrow(number: usize) -> io::Result<u32> {
    let too_large = |_| io::Error::new(io::ErrorKind::InvalidInput, "a size exceeds 32 bits");
    u32::try_from(number).map_err(too_large)
}

/// Reads an index file; nothing is allocated before the lengths have been checked.
pub(super) fn load(path: &Path) -> Result<Content, IndexError> {
    read(path).map_err(|error| match error {
        Failure::Read(source) => IndexError::Read {
            path: path.to_owned(),
            source,
        },
        Failure::File(fault) => IndexError::File {
            path: path.to_owned(),
            fault,
        },
    })
}

enum Failure {
    Read(io::Error),
    File(FileFault),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl From<FileFault> for Failure {
    fn from(fault: FileFault) -> Self {
        Self::File(fault)
    }
}

fn read(path: &Path) -> Result<Content, Failure> {
    let file = File::open(path)?;
    let found = file.metadata()?.len();
    if found < HEADER_BYTES + CHECKSUM_BYTES {
        return Err(FileFault::Foreign.into());
    }
    let mut reader = Hashing {
        inner: BufReader::with_capacity(1 << 20, file),
        hash: Sha256::new(),
    };
    if reader.array::<8>()? != MAGIC {
        return Err(FileFault::Foreign.into());
    }
    let format = u32::from_le_bytes(reader.array()?);
    if format != FORMAT {
        return Err(FileFault::Format {
            found: format,
            known: FORMAT,
        }
        .into());
    }
    let dims = u64::from(u32::from_le_bytes(reader.array()?));
    let documents = u64::from_le_bytes(reader.array()?);
    let tokens = u64::from_le_bytes(reader.array()?);
    let table = u64::from_le_bytes(reader.array()?);
    let stated = (tokens.saturating_mul(dims).saturating_mul(2))
        .saturating_add(table)
        .saturating_add(HEADER_BYTES + CHECKSUM_BYTES);
    if found != stated {
        return Err(FileFault::Length { found, stated }.into());
    }
    if dims == 0 {
        return Err(FileFault::Content("vectors have no dimensions").into());
    }
    let mut bytes = vec![0; size(table)?];
    reader.fill(&mut bytes)?;
    let parsed = parse_table(&bytes, documents, tokens);
    let mut values = Vec::with_capacity(size(tokens * dims)?);
    let mut buffer = vec![0; 2 * CHUNK];
    while values.len() < values.capacity().min(size(tokens * dims)?) {
        let count = CHUNK.min(size(tokens * dims)? - values.len());
        reader.fill(&mut buffer[..2 * count])?;
        let pairs = buffer[..2 * count].as_chunks::<2>().0;
        values.extend(pairs.iter().map(|&pair| f16::from_le_bytes(pair)));
    }
    let checksum = reader.hash.clone().finalize();
    if reader.array::<32>()? != <[u8; 32]>::from(checksum) {
        return Err(FileFault::Checksum.into());
    }
    // A checksum that holds says that the file is as written, not that what was written is sound.
    if values.iter().any(|value| !value.is_finite()) {
        return Err(FileFault::Content("a value is not finite").into());
    }
    Ok(Content {
        dims: size(dims)?,
        documents: parsed?,
        values,
    })
}

fn size(number: u64) -> Result<usize, FileFault> {
    usize::try_from(number).map_err(|_| FileFault::Content("it exceeds this machine's memory"))
}

fn parse_table(
    mut bytes: &[u8],
    documents: u64,
    tokens: u64,
) -> Result<Vec<(String, usize)>, FileFault> {
    let short = FileFault::Content("the table of documents ends early");
    let mut table = Vec::new();
    let mut sum = 0;
    while let Some((head, rest)) = bytes.split_first_chunk::<8>() {
        let [t0, t1, t2, t3, l0, l1, l2, l3] = *head;
        let count = u32::from_le_bytes([t0, t1, t2, t3]);
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let (id, later) = rest.split_at_checked(length).ok_or(short.clone())?;
        let id = std::str::from_utf8(id).map_err(|_| FileFault::Content("an id is not UTF-8"))?;
        if count == 0 {
            return Err(FileFault::Content("a document has no tokens"));
        }
        sum += u64::from(count);
        table.push((id.to_owned(), count as usize));
        bytes = later;
    }
    if !bytes.is_empty() {
        return Err(short);
    }
    if (table.len() as u64, sum) != (documents, tokens) {
        return Err(FileFault::Content("header and table count differently"));
    }
    Ok(table)
}

/// Passes bytes on and hashes them on the way.
struct Hashing<T> {
    inner: T,
    hash: Sha256,
}

impl Hashing<&mut dyn Write> {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.inner.write_all(bytes)
    }
}

impl<R: Read> Hashing<R> {
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.inner.read_exact(bytes)?;
        self.hash.update(bytes);
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }
}
