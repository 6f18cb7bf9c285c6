//! Training pairs as tokens in a temporary file: what is in memory does not grow with their text.
//!
//! Targets are tokenized by the teacher's tokenizer, inputs by the one that the student begins with:
//! the teacher's too, or one of its own. What the student trains is a part of that vocabulary that has
//! all pieces of the pairs, so its tokens are the same under other numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Error, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use optical_files::scratch;
use optical_tokenize::{Role, TokenSequence, Tokenizer};

use crate::error::DistillError;
use crate::objectives::{PieceCounts, PieceWeights};
use crate::pairs::{TrainingPair, TrainingText};

/// Texts that are tokenized together, on all processors.
const TEXTS_AT_ONCE: usize = 4096;

/// Marks a kept token in the file; no vocabulary has as many entries.
const KEPT: u32 = 1 << 31;
/// Marks a token of the text itself.
const TEXT: u32 = 1 << 30;
/// Numbers in front of a side's tokens.
const HEADER: usize = 2;

/// Training pairs in a file without a name, which goes when this goes.
///
/// In memory there are 20 bytes per pair: where its tokens are, how many each side has, and its
/// place in its group.
#[derive(Debug)]
pub struct TokenizedPairs {
    folder: PathBuf,
    /// Reading at a place moves the file's cursor, so one reads at a time.
    file: Mutex<File>,
    places: Vec<Place>,
    groups: BTreeMap<String, Vec<u32>>,
    used: BTreeSet<u32>,
    left_out: usize,
    without_tokens: usize,
    /// Passages that each pair is scored with.
    passages: usize,
}

/// Where a pair's tokens begin, and how many the target and the input have.
#[derive(Debug, Clone, Copy)]
struct Place {
    offset: u64,
    lengths: [u32; 2],
}

impl TokenizedPairs {
    /// Tokenizes texts as they come, by the teacher's tokenizer and the student's, and writes them to a
    /// temporary file in `folder`; those with a side of no kept token or beyond `maximum_length` are
    /// left out.
    ///
    /// # Errors
    /// If a text cannot be read or tokenized, or the file cannot be written.
    pub fn write<E>(
        texts: impl IntoIterator<Item = Result<TrainingText, E>>,
        [teacher, student]: [&Tokenizer; 2],
        maximum_length: usize,
        folder: &Path,
    ) -> Result<Self, DistillError>
    where
        DistillError: From<E>,
    {
        let mut writer = Writer::create(folder)?;
        let mut texts = texts.into_iter();
        // A sentence that both read is tokenized once by a tokenizer that both have.
        let is_shared = std::ptr::eq(teacher, student);
        let is_read_once = |text: &TrainingText| is_shared && text.input == text.target;
        loop {
            let some: Vec<TrainingText> = texts
                .by_ref()
                .take(TEXTS_AT_ONCE)
                .collect::<Result<_, _>>()?;
            if some.is_empty() {
                return writer.finish();
            }
            // One token more than allowed tells a text that is too long from one that just fits.
            let tokens = |tokenizer: &Tokenizer, sides: Vec<&str>| {
                tokenizer.encode_many(&sides, Role::Query, maximum_length + 1)
            };
            let targets = tokens(teacher, some.iter().map(|it| it.target.as_str()).collect())?;
            let inputs = some.iter().filter(|text| !is_read_once(text));
            let inputs = tokens(student, inputs.map(|it| it.input.as_str()).collect())?;
            let mut inputs = inputs.into_iter();
            for (text, target) in some.into_iter().zip(targets) {
                let pair = TrainingPair {
                    input: match is_read_once(&text) {
                        true => target.clone(),
                        false => inputs.next().unwrap_or_default(),
                    },
                    target,
                    group: text.group,
                    passages: text.passages,
                };
                if pair.is_usable(maximum_length) {
                    writer.push(&pair)?;
                } else {
                    writer.pairs.left_out += 1;
                    writer.pairs.without_tokens += usize::from(!pair.has_tokens());
                }
            }
        }
    }

    /// Takes pairs that are tokens already.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn of(
        pairs: impl IntoIterator<Item = TrainingPair>,
        folder: &Path,
    ) -> Result<Self, DistillError> {
        let mut writer = Writer::create(folder)?;
        for pair in pairs {
            writer.push(&pair)?;
        }
        writer.finish()
    }

    /// Returns the number of pairs.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Says whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns the number of texts left out, because a side is empty or too long.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Returns those of them with a side of no token; the others are too long.
    pub fn without_tokens(&self) -> usize {
        self.without_tokens
    }

    /// Returns entries of the vocabulary that the student begins with that inputs consist of.
    pub fn used(&self) -> &BTreeSet<u32> {
        &self.used
    }

    /// Returns the groups by name, with the indices of their pairs.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &[u32])> {
        let groups = self.groups.iter();
        groups.map(|(name, members)| (name.as_str(), members.as_slice()))
    }

    /// Returns tokens of a pair's longer side.
    pub(crate) fn length(&self, index: u32) -> u32 {
        let [target, input] = self.places[index as usize].lengths;
        target.max(input)
    }

    /// Returns the target of a pair in the teacher's vocabulary, and the input in the one that the student
    /// begins with.
    ///
    /// # Errors
    /// If the file cannot be read.
    ///
    /// # Panics
    /// If there is no such pair.
    pub fn read(&self, index: u32) -> Result<[TokenSequence; 2], DistillError> {
        let Place { offset, lengths } = self.places[index as usize];
        let [target, input] = lengths.map(|length| HEADER + length as usize);
        let words = self.words(offset, target + input)?;
        let (target, input) = words.split_at(target);
        Ok([target, input].map(sequence))
    }

    /// Returns the passages that a pair is scored with.
    ///
    /// # Errors
    /// If the file cannot be read.
    ///
    /// # Panics
    /// If there is no such pair.
    pub fn passages(&self, index: u32) -> Result<Vec<u32>, DistillError> {
        if self.passages == 0 {
            return Ok(Vec::new());
        }
        let Place { offset, lengths } = self.places[index as usize];
        let sides = lengths.map(|length| HEADER as u64 + u64::from(length));
        self.words(offset + 4 * (sides[0] + sides[1]), self.passages)
    }

    /// Reads a number of words of the file.
    fn words(&self, offset: u64, count: usize) -> Result<Vec<u32>, DistillError> {
        let mut bytes = vec![0; 4 * count];
        let mut read = || -> std::io::Result<()> {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(offset))?;
            file.read_exact(&mut bytes)
        };
        read().map_err(|source| failed(&self.folder, source))?;
        let words = bytes.as_chunks::<4>().0.iter();
        Ok(words.map(|word| u32::from_le_bytes(*word)).collect())
    }

    /// Returns the numbers in a pruned vocabulary of the pieces that inputs consist of, which are numbered
    /// as in the whole one.
    ///
    /// # Errors
    /// If the pruned vocabulary lacks one.
    pub fn renumbering(
        &self,
        whole: &Tokenizer,
        pruned: &Tokenizer,
    ) -> Result<Renumbering, DistillError> {
        Renumbering::new(&self.used, whole, pruned)
    }
}

impl TokenizedPairs {
    /// Weights of the teacher's pieces of the targets, and of the student's of the inputs.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn piece_weights(
        &self,
        renumbering: &Renumbering,
    ) -> Result<[PieceWeights; 2], DistillError> {
        let mut counts = [PieceCounts::default(), PieceCounts::default()];
        for index in 0..self.places.len() as u32 {
            let [target, mut input] = self.read(index)?;
            renumbering.apply(&mut input);
            counts[0].add(&target);
            counts[1].add(&input);
        }
        Ok(counts.each_ref().map(PieceWeights::new))
    }
}

/// The number in a pruned vocabulary of each entry of the whole one, as far as it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renumbering(Vec<u32>);

impl Renumbering {
    /// Creates it for the entries `used` of the whole vocabulary.
    ///
    /// # Errors
    /// If the pruned vocabulary lacks one.
    pub(crate) fn new(
        used: &BTreeSet<u32>,
        whole: &Tokenizer,
        pruned: &Tokenizer,
    ) -> Result<Self, DistillError> {
        let mut numbers = vec![0; used.last().map_or(0, |&last| last as usize + 1)];
        for &id in used {
            let piece = whole.piece(id).unwrap_or_default();
            let number = pruned.id(&piece);
            numbers[id as usize] = number.ok_or(DistillError::MissingPiece { piece })?;
        }
        Ok(Self(numbers))
    }

    /// Renumbers tokens of the whole vocabulary.
    ///
    /// # Panics
    /// If one of them is not used by the pairs.
    pub fn apply(&self, tokens: &mut TokenSequence) {
        for id in &mut tokens.ids {
            *id = self.0[*id as usize];
        }
    }
}

/// The file while it is written.
struct Writer {
    file: BufWriter<File>,
    end: u64,
    pairs: TokenizedPairs,
    /// Whether an entry is used, by its id: quicker than a set.
    used: Vec<bool>,
}

impl Writer {
    fn create(folder: &Path) -> Result<Self, DistillError> {
        let create = || -> std::io::Result<(File, File)> {
            let file = scratch::file(folder)?;
            Ok((file.try_clone()?, file))
        };
        let (written, read) = create().map_err(|source| failed(folder, source))?;
        Ok(Self {
            file: BufWriter::new(written),
            end: 0,
            pairs: TokenizedPairs {
                folder: folder.to_owned(),
                file: Mutex::new(read),
                places: Vec::new(),
                groups: BTreeMap::new(),
                used: BTreeSet::new(),
                left_out: 0,
                without_tokens: 0,
                passages: 0,
            },
            used: Vec::new(),
        })
    }

    /// Appends a pair, in numbers of 4 bytes: of each side how many tokens are unattended, how many are
    /// masks, and the tokens; then the passages.
    fn push(&mut self, pair: &TrainingPair) -> Result<(), DistillError> {
        let pairs = &mut self.pairs;
        let failed = |source| failed(&pairs.folder, source);
        let sides = [&pair.target, &pair.input];
        for side in sides {
            let flag = |is: bool, flag: u32| if is { flag } else { 0 };
            let tokens = side.ids.iter().zip(side.kept.iter().zip(&side.text));
            let tokens =
                tokens.map(|(&id, (&kept, &text))| id | flag(kept, KEPT) | flag(text, TEXT));
            let header = [side.unattended as u32, side.expansion as u32];
            let words = header.into_iter().chain(tokens);
            let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
            self.file.write_all(&bytes).map_err(failed)?;
        }
        if pairs.places.is_empty() {
            pairs.passages = pair.passages.len();
        }
        if pair.passages.len() != pairs.passages {
            return Err(DistillError::PassageCount {
                found: pair.passages.len(),
                expected: pairs.passages,
            });
        }
        let bytes: Vec<u8> = pair
            .passages
            .iter()
            .flat_map(|it| it.to_le_bytes())
            .collect();
        self.file.write_all(&bytes).map_err(failed)?;
        let index = u32::try_from(pairs.places.len());
        let too_many = |_| failed(Error::new(ErrorKind::FileTooLarge, "more than 2³² pairs"));
        let index = index.map_err(too_many)?;
        let lengths = sides.map(|side| side.ids.len() as u32);
        pairs.places.push(Place {
            offset: self.end,
            lengths,
        });
        let words = 2 * HEADER as u64 + u64::from(lengths[0]) + u64::from(lengths[1]);
        self.end += 4 * (words + pairs.passages as u64);
        match pairs.groups.get_mut(&pair.group) {
            Some(members) => members.push(index),
            None => drop(pairs.groups.insert(pair.group.clone(), vec![index])),
        }
        for &id in &pair.input.ids {
            let id = id as usize;
            if self.used.len() <= id {
                self.used.resize(id + 1, false);
            }
            self.used[id] = true;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<TokenizedPairs, DistillError> {
        let flushed = self.file.flush();
        flushed.map_err(|source| failed(&self.pairs.folder, source))?;
        let mut pairs = self.pairs;
        pairs.places.shrink_to_fit();
        pairs.groups.values_mut().for_each(Vec::shrink_to_fit);
        let used = (0..).zip(self.used);
        pairs.used = used.filter_map(|(id, used)| used.then_some(id)).collect();
        Ok(pairs)
    }
}

/// Returns the tokens that were written as these numbers.
fn sequence(words: &[u32]) -> TokenSequence {
    let (header, words) = words.split_at(HEADER);
    let flags = |flag: u32| words.iter().map(|word| word & flag != 0).collect();
    TokenSequence {
        ids: words.iter().map(|word| word & !(KEPT | TEXT)).collect(),
        kept: flags(KEPT),
        text: flags(TEXT),
        unattended: header[0] as usize,
        expansion: header[1] as usize,
    }
}

fn failed(folder: &Path, source: Error) -> DistillError {
    DistillError::TokenFile {
        folder: folder.to_owned(),
        source,
    }
}
