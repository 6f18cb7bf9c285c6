//! Which encoding a text is in, by its mark or its first letter, and UTF-16 as UTF-8.

use std::io::{self, Read};

/// An encoding that is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf16Little,
    Utf16Big,
    Utf32,
}

impl Encoding {
    pub(super) fn is_utf16(self) -> bool {
        self != Self::Utf32
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Utf16Little => "UTF-16LE",
            Self::Utf16Big => "UTF-16BE",
            Self::Utf32 => "UTF-32",
        }
    }
}

/// Returns the encoding, none for UTF-8, and how long the mark is.
pub(super) fn of(start: &[u8]) -> (Option<Encoding>, usize) {
    match start {
        [0xef, 0xbb, 0xbf, ..] => (None, 3),
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => (Some(Encoding::Utf32), 4),
        [0xff, 0xfe, ..] => (Some(Encoding::Utf16Little), 2),
        [0xfe, 0xff, ..] => (Some(Encoding::Utf16Big), 2),
        // Without a mark: two ASCII characters, each with a zero byte.
        [1..=0x7f, 0, 1..=0x7f, 0, ..] => (Some(Encoding::Utf16Little), 0),
        [0, 1..=0x7f, 0, 1..=0x7f, ..] => (Some(Encoding::Utf16Big), 0),
        _ => (None, 0),
    }
}

/// UTF-16 as UTF-8.
pub(super) struct Utf16<R> {
    reader: R,
    encoding: Encoding,
    /// Bytes that are not a whole character yet.
    left: Vec<u8>,
    text: Vec<u8>,
    /// How much of the text has been given.
    given: usize,
}

impl<R: Read> Utf16<R> {
    pub(super) fn new(reader: R, encoding: Encoding) -> Self {
        Self {
            reader,
            encoding,
            left: Vec::new(),
            text: Vec::new(),
            given: 0,
        }
    }

    /// Decodes what comes next; nothing at the end.
    fn fill(&mut self) -> io::Result<()> {
        (self.given, self.text) = (0, Vec::new());
        while self.text.is_empty() {
            let known = self.left.len();
            self.left.resize(known + 8192, 0);
            let read = self.reader.read(&mut self.left[known..]);
            self.left.truncate(known + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                return match self.left.is_empty() {
                    true => Ok(()),
                    false => Err(half()),
                };
            }
            let unit = |pair: &[u8]| match self.encoding {
                Encoding::Utf16Big => u16::from_be_bytes([pair[0], pair[1]]),
                _ => u16::from_le_bytes([pair[0], pair[1]]),
            };
            let mut units: Vec<u16> = self.left.chunks_exact(2).map(unit).collect();
            // The first half of a character waits for the second.
            let waits = units
                .last()
                .is_some_and(|unit| (0xd800..0xdc00).contains(unit));
            units.truncate(units.len() - usize::from(waits));
            self.left.drain(..2 * units.len());
            let text: Result<String, _> = char::decode_utf16(units).collect();
            self.text = text.map_err(|_| half())?.into_bytes();
        }
        Ok(())
    }
}

fn half() -> io::Error {
    let message = "UTF-16 with half a character";
    io::Error::new(io::ErrorKind::InvalidData, message)
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.given == self.text.len() {
            self.fill()?;
        }
        let count = (&self.text[self.given..]).read(bytes)?;
        self.given += count;
        Ok(count)
    }
}
