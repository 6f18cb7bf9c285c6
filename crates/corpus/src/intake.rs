//! The way of a pair from a reader into bitext: cleaned, judged, compared with those before, counted.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use crate::bitext::error::BitextError;
use crate::bitext::records::SentencePair;
use crate::draw::{Fingerprint, fingerprint};
use crate::error::{CorpusError, LineProblem};
use crate::filter::{Filter, Rules};
use crate::formats::collapse;
use crate::report::{BadLine, BitextReport, DropReason, Example, Tally};

/// Bad lines of a file that are listed; the others are counted.
const BAD_LINES_LISTED: usize = 10;

/// Where pairs that stay go.
type Keep<'a> = dyn FnMut(Fingerprint, SentencePair) -> Result<(), CorpusError> + 'a;

/// Takes pairs from readers.
pub(crate) struct Intake<'a> {
    /// How often pairs of the source that is read are seen: [`SentencePair::repeat`].
    pub(crate) repeat: u32,
    filter: &'a Filter,
    examples: usize,
    keep: &'a mut Keep<'a>,
    tallies: BTreeMap<String, Tally>,
    /// Fingerprints of the pairs kept: all that the memory holds of them.
    seen: HashMap<String, HashSet<Fingerprint>>,
}

impl<'a> Intake<'a> {
    /// `examples` pairs of every language and reason are drawn for the report.
    pub(crate) fn new(filter: &'a Filter, examples: usize, keep: &'a mut Keep<'a>) -> Self {
        Self {
            repeat: 1,
            filter,
            examples,
            keep,
            tallies: BTreeMap::new(),
            seen: HashMap::new(),
        }
    }

    /// Begins with a file's pairs of a language.
    pub(crate) fn file<'b>(
        &'b mut self,
        path: &'b Path,
        language: &'b str,
    ) -> Result<FileIntake<'b>, CorpusError> {
        let settings = &self.filter.settings;
        Ok(FileIntake {
            path,
            language,
            repeat: self.repeat,
            rules: self.filter.of(language)?,
            drawn: (self.examples, settings.seed),
            maximum_bad_share: settings.maximum_bad_share,
            tally: self.tallies.entry(language.to_owned()).or_default(),
            seen: self.seen.entry(language.to_owned()).or_default(),
            keep: &mut *self.keep,
            line: 0,
            taken: 0,
            bad: 0,
            first_bad: Vec::new(),
        })
    }

    /// Returns the report, and for each language with too many pairs the last fingerprint that stays.
    pub(crate) fn finish(self) -> (BitextReport, HashMap<String, Fingerprint>) {
        let most = self.filter.settings.pairs_per_language;
        let mut tallies = self.tallies;
        let mut last = HashMap::new();
        for (language, seen) in self.seen {
            let Some(surplus) = seen.len().checked_sub(most).filter(|_| 0 < most) else {
                continue;
            };
            let mut seen: Vec<_> = seen.into_iter().collect();
            last.insert(language.clone(), *seen.select_nth_unstable(most - 1).1);
            let counts = &mut tallies.entry(language).or_default().counts;
            counts.kept -= surplus;
            if 0 < surplus {
                counts.dropped.insert(DropReason::Surplus, surplus);
            }
        }
        let tallies = tallies.into_iter();
        let languages = tallies
            .map(|(language, tally)| (language, tally.finish()))
            .collect();
        (BitextReport { languages }, last)
    }
}

/// Takes the pairs of one language from one file, line by line.
pub(crate) struct FileIntake<'a> {
    path: &'a Path,
    language: &'a str,
    repeat: u32,
    rules: Rules<'a>,
    drawn: (usize, u64),
    maximum_bad_share: f64,
    tally: &'a mut Tally,
    seen: &'a mut HashSet<Fingerprint>,
    keep: &'a mut dyn FnMut(Fingerprint, SentencePair) -> Result<(), CorpusError>,
    /// The line of the pair that was given last, and the pairs and bad lines so far.
    line: usize,
    taken: usize,
    bad: usize,
    first_bad: Vec<BadLine>,
}

impl FileIntake<'_> {
    /// Says on which line the next pair is, where a pair may have several.
    pub(crate) fn go_to(&mut self, line: usize) {
        self.line = line - 1;
    }

    /// Counts a line that says nothing.
    pub(crate) fn skip(&mut self) {
        self.line += 1;
    }

    /// Counts a line that is not a pair.
    pub(crate) fn bad(&mut self, problem: LineProblem) {
        self.line += 1;
        self.taken += 1;
        self.bad += 1;
        if self.first_bad.len() < BAD_LINES_LISTED {
            self.first_bad.push(BadLine {
                file: self.path.display().to_string(),
                line: self.line,
                problem: problem.to_string(),
            });
        }
    }

    /// Takes a pair; white space in it does not matter.
    pub(crate) fn pair(&mut self, english: &str, foreign: &str) -> Result<(), CorpusError> {
        let (english, foreign) = (collapse(english), collapse(foreign));
        let verdict = self.rules.judge(&english, &foreign);
        if let Some(length) = verdict.length {
            self.tally.lengths.add(length);
        }
        if let Some(reason) = verdict.dropped {
            self.drop(reason, &english, &foreign);
            return Ok(());
        }
        let fingerprint = fingerprint(self.drawn.1, "pairs", &[self.language, &english, &foreign]);
        if !self.seen.insert(fingerprint) {
            self.drop(DropReason::Duplicate, &english, &foreign);
            return Ok(());
        }
        self.line += 1;
        self.taken += 1;
        self.tally.counts.read += 1;
        self.tally.counts.kept += 1;
        let language = self.language.to_owned();
        let pair = SentencePair {
            english,
            foreign,
            language,
            repeat: self.repeat,
        };
        (self.keep)(fingerprint, pair)
    }

    /// Counts a pair that is left out.
    pub(crate) fn drop(&mut self, reason: DropReason, english: &str, foreign: &str) {
        self.line += 1;
        self.taken += 1;
        self.tally.counts.read += 1;
        let example = || Example {
            file: self.path.display().to_string(),
            line: self.line,
            english: english.to_owned(),
            foreign: foreign.to_owned(),
        };
        self.tally.drop(
            reason,
            self.drawn,
            example,
            &[self.language, english, foreign],
        );
    }

    /// Ends the file.
    pub(crate) fn end(self) -> Result<(), BitextError> {
        if self.maximum_bad_share * (self.taken as f64) < self.bad as f64 {
            return Err(BitextError::BadLines {
                path: self.path.to_owned(),
                lines: self.taken,
                bad: self.bad,
                allowed: self.maximum_bad_share,
                first: self.first_bad,
            });
        }
        self.tally.counts.bad_lines += self.bad;
        self.tally.counts.first_bad_lines.extend(self.first_bad);
        Ok(())
    }
}
