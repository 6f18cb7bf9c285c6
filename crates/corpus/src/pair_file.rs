//! Sentence pairs in a temporary file, written and read in one order.

use std::fs::File;
use std::io::{BufReader, BufWriter, Error, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::bitext::error::BitextError;
use crate::bitext::records::SentencePair;
use crate::draw::Fingerprint;

/// Bytes that go to and from the disk at once.
const BUFFER: usize = 1 << 16;

/// A file without a name, which the system takes away when it is closed.
///
/// A pair is its fingerprint (16 bytes), the number of its language, its repeats and the lengths of
/// its sides (4 bytes each), and both sides.
#[derive(Debug)]
pub(crate) struct PairFile {
    folder: PathBuf,
    file: BufWriter<File>,
    languages: Vec<String>,
    pairs: usize,
}

impl PairFile {
    /// Creates the file, and the folder if there is none.
    pub(crate) fn create(folder: &Path) -> Result<Self, BitextError> {
        let file = optical_files::scratch::file(folder).map_err(|source| failed(folder, source))?;
        Ok(Self {
            folder: folder.to_owned(),
            file: BufWriter::with_capacity(BUFFER, file),
            languages: Vec::new(),
            pairs: 0,
        })
    }

    /// Appends a pair.
    pub(crate) fn push(
        &mut self,
        fingerprint: Fingerprint,
        pair: &SentencePair,
    ) -> Result<(), BitextError> {
        let known = self.languages.iter().position(|l| *l == pair.language);
        let language = known.unwrap_or_else(|| {
            self.languages.push(pair.language.clone());
            self.languages.len() - 1
        });
        let sides = [pair.english.as_bytes(), pair.foreign.as_bytes()];
        let mut head = [0; HEAD];
        head[..16].copy_from_slice(&fingerprint.to_le_bytes());
        let lengths = sides.map(|side| side.len() as u32);
        let numbers = [language as u32, pair.repeat, lengths[0], lengths[1]];
        for (place, number) in head[16..].chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        self.pairs += 1;
        [&head, sides[0], sides[1]]
            .into_iter()
            .try_for_each(|bytes| self.file.write_all(bytes))
            .map_err(|source| failed(&self.folder, source))
    }

    /// Reads all pairs from the first.
    pub(crate) fn read(&mut self) -> Result<Pairs<'_>, BitextError> {
        let rewound = self.file.seek(SeekFrom::Start(0));
        rewound.map_err(|source| failed(&self.folder, source))?;
        Ok(Pairs {
            folder: &self.folder,
            reader: BufReader::with_capacity(BUFFER, self.file.get_ref()),
            languages: &self.languages,
            left: self.pairs,
        })
    }
}

/// Bytes before the sides of a pair.
const HEAD: usize = 16 + 4 * 4;

fn failed(folder: &Path, source: Error) -> BitextError {
    BitextError::Temporary {
        folder: folder.to_owned(),
        source,
    }
}

/// The pairs of a file, as they are asked for.
pub(crate) struct Pairs<'a> {
    folder: &'a Path,
    reader: BufReader<&'a File>,
    languages: &'a [String],
    left: usize,
}

impl Pairs<'_> {
    fn pair(&mut self) -> std::io::Result<(Fingerprint, SentencePair)> {
        let mut fingerprint = [0; 16];
        self.reader.read_exact(&mut fingerprint)?;
        let mut numbers = [0_u32; 4];
        for number in &mut numbers {
            let mut bytes = [0; 4];
            self.reader.read_exact(&mut bytes)?;
            *number = u32::from_le_bytes(bytes);
        }
        let [language, repeat, sides @ ..] = numbers;
        let [mut english, mut foreign] = sides.map(|length| vec![0; length as usize]);
        self.reader.read_exact(&mut english)?;
        self.reader.read_exact(&mut foreign)?;
        let text = |bytes| String::from_utf8(bytes).map_err(|_| changed());
        let pair = SentencePair {
            english: text(english)?,
            foreign: text(foreign)?,
            language: self
                .languages
                .get(language as usize)
                .ok_or_else(changed)?
                .clone(),
            repeat,
        };
        Ok((Fingerprint::from_le_bytes(fingerprint), pair))
    }
}

/// Nobody else can write to a file without a name.
fn changed() -> Error {
    Error::new(ErrorKind::InvalidData, "it is not what was written")
}

impl Iterator for Pairs<'_> {
    type Item = Result<(Fingerprint, SentencePair), BitextError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let pair = self.pair().map_err(|source| failed(self.folder, source));
        if pair.is_err() {
            self.left = 0;
        }
        Some(pair)
    }
}
