//! Verse ids such as `JHN.3.16`, with the book codes of the Unified Standard Format Markers.

use std::fmt;

const BOOKS: [&str; 66] = [
    "GEN", "EXO", "LEV", "NUM", "DEU", "JOS", "JDG", "RUT", "1SA", "2SA", "1KI", "2KI", "1CH",
    "2CH", "EZR", "NEH", "EST", "JOB", "PSA", "PRO", "ECC", "SNG", "ISA", "JER", "LAM", "EZK",
    "DAN", "HOS", "JOL", "AMO", "OBA", "JON", "MIC", "NAM", "HAB", "ZEP", "HAG", "ZEC", "MAL",
    "MAT", "MRK", "LUK", "JHN", "ACT", "ROM", "1CO", "2CO", "GAL", "EPH", "PHP", "COL", "1TH",
    "2TH", "1TI", "2TI", "TIT", "PHM", "HEB", "JAS", "1PE", "2PE", "1JN", "2JN", "3JN", "JUD",
    "REV",
];

/// A verse; the order is that of the canon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Verse {
    book: usize,
    chapter: i64,
    verse: i64,
}

impl Verse {
    /// Creates a verse by its numbers, all counted from one; none if there is no such book.
    pub(super) fn new(book: i64, chapter: i64, verse: i64) -> Option<Self> {
        let book = usize::try_from(book).ok()?.checked_sub(1)?;
        (book < BOOKS.len()).then_some(Self {
            book,
            chapter,
            verse,
        })
    }
}

impl fmt::Display for Verse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}.{}.{}",
            BOOKS[self.book], self.chapter, self.verse
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Verse;

    #[test]
    fn ids_are_readable_and_books_are_bounded() {
        assert_eq!(Verse::new(43, 3, 16).unwrap().to_string(), "JHN.3.16");
        assert_eq!(Verse::new(1, 1, 1).unwrap().to_string(), "GEN.1.1");
        assert_eq!(Verse::new(66, 22, 21).unwrap().to_string(), "REV.22.21");
        assert!(Verse::new(0, 1, 1).is_none() && Verse::new(67, 1, 1).is_none());
        assert!(
            Verse::new(1, 2, 1) < Verse::new(1, 10, 1)
                && Verse::new(1, 10, 1) < Verse::new(2, 1, 1)
        );
    }
}
