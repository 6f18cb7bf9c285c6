//! The scores of studies, apart from their rankings and students: a small file that another machine,
//! or another study with variants in common, can continue from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use optical_evaluation::{BuiltIn, Scores};
use optical_experiment::{Inputs, WORDS};
use optical_retrieval::Measure;
use optical_store::{Store, write};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::topics::{TopicSets, Topics, Values, values};

/// The students of a variant whose scores are known, by their numbers from zero on.
pub type Students = BTreeMap<usize, StudentScores>;

/// A student's numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct StudentScores {
    /// The first measure of its rankings.
    pub scores: Scores,
    /// Other measures, by trec_eval's names.
    pub measures: BTreeMap<String, Scores>,
    /// What else is known of it, by name: numbers or words that a study asks about.
    pub covariates: BTreeMap<String, Value>,
    /// Cosine between tokens of a sentence at the last reading.
    pub within_sentence_cosine: Option<f64>,
    /// The data and the model; former versions did not write them down.
    pub inputs: Option<Inputs>,
}

/// Numbers of the systems that are not trained.
#[derive(Debug, Clone, PartialEq)]
pub struct UntrainedScores {
    /// The first measure, by system.
    pub scores: BTreeMap<String, Scores>,
    /// The data and the model; former versions did not write them down.
    pub inputs: Option<Inputs>,
    /// By which words some of them ranked: [`WORDS`] of its time.
    pub words: u32,
}

impl UntrainedScores {
    /// Returns what is left of them where words are others by now; `None` where that is all.
    pub fn without_words(&self) -> Option<Self> {
        let by_words =
            |name: &str| !BuiltIn::named(name).is_some_and(BuiltIn::is_untrained_encoder);
        let old = |name: &str| self.words != WORDS && by_words(name);
        if !self.scores.keys().any(|name| old(name)) {
            return None;
        }
        let mut left = self.clone();
        left.scores.retain(|name, _| !old(name));
        Some(left)
    }
}

/// What is known so far, by the fingerprint of the run file that it was made by, and by data and model.
///
/// The file has a JSON object per line: the `topics` of each language, in whose order the values of all
/// others are; what is `untrained`; and each `student`. Lines of several machines, studies and data sets
/// may stand in one file, and files can be joined end to end; the name of a student's variant is there
/// for people to read.
#[derive(Debug)]
pub struct Scoreboard {
    path: PathBuf,
    store: Store,
    measure: Measure,
    topics: TopicSets,
    untrained: Vec<(String, UntrainedScores)>,
    students: Vec<Student>,
}

#[derive(Debug)]
struct Student {
    variant: String,
    settings: String,
    /// Counted from zero.
    number: usize,
    scores: StudentScores,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Topics {
        measure: String,
        #[serde(default, skip_serializing_if = "is_first")]
        set: usize,
        topics: Topics,
    },
    Untrained {
        settings: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inputs: Option<Inputs>,
        #[serde(default = "first_words")]
        words: u32,
        #[serde(default, skip_serializing_if = "is_first")]
        set: usize,
        scores: BTreeMap<String, Values>,
    },
    Student {
        variant: String,
        /// Counted from one, in the order of the seeds.
        student: usize,
        settings: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inputs: Option<Inputs>,
        within_sentence_cosine: Option<f64>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        covariates: BTreeMap<String, Value>,
        #[serde(default, skip_serializing_if = "is_first")]
        set: usize,
        scores: Values,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        measures: BTreeMap<String, Values>,
    },
}

/// The words of lines that say nothing of them.
fn first_words() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_first(set: &usize) -> bool {
    *set == 0
}

/// Tells whether scores are of today's data and model, as far as both are known.
fn is_of(inputs: Option<&Inputs>, today: Option<&Inputs>) -> bool {
    match (inputs, today) {
        (Some(inputs), Some(today)) => today.changed_since(inputs).is_none(),
        _ => true,
    }
}

impl Scoreboard {
    /// Reads the file of scores of a measure, if it is there.
    ///
    /// # Errors
    /// If a line says something else, or is of another measure: names file and line.
    pub fn open(path: &Path, measure: Measure, store: &Store) -> anyhow::Result<Self> {
        let mut board = Self {
            path: path.to_owned(),
            store: store.clone(),
            measure,
            topics: TopicSets::default(),
            untrained: Vec::new(),
            students: Vec::new(),
        };
        let Some(text) = optical_files::text::read_if_there(path)? else {
            return Ok(board);
        };
        for (number, line) in (1..).zip(text.lines()) {
            let line = serde_json::from_str(line).map_err(anyhow::Error::from);
            let read = line.and_then(|line| board.read(line));
            read.with_context(|| format!("{}, line {number}", path.display()))?;
        }
        Ok(board)
    }

    fn read(&mut self, line: Line) -> anyhow::Result<()> {
        match line {
            Line::Topics {
                measure,
                set,
                topics,
            } => {
                let expected = self.measure.to_string();
                ensure!(
                    measure == expected,
                    "measure = {measure:?}, expected {expected:?}"
                );
                self.topics.state(set, topics)
            }
            Line::Untrained {
                settings,
                inputs,
                words,
                set,
                scores,
            } => {
                let scores = self.all_named(set, scores)?;
                let untrained = UntrainedScores {
                    scores,
                    inputs,
                    words,
                };
                self.put_untrained(settings, untrained);
                Ok(())
            }
            Line::Student {
                variant,
                student,
                settings,
                inputs,
                within_sentence_cosine,
                covariates,
                set,
                scores,
                measures,
            } => {
                let number = student.checked_sub(1);
                let number = number.context("student = 0, expected at least 1")?;
                let scores = StudentScores {
                    scores: self.topics.named(set, scores)?,
                    measures: self.all_named(set, measures)?,
                    covariates,
                    within_sentence_cosine,
                    inputs,
                };
                self.put_student(Student {
                    variant,
                    settings,
                    number,
                    scores,
                });
                Ok(())
            }
        }
    }

    fn all_named(
        &self,
        set: usize,
        values: BTreeMap<String, Values>,
    ) -> anyhow::Result<BTreeMap<String, Scores>> {
        let values = values.into_iter();
        values
            .map(|(name, values)| Ok((name, self.topics.named(set, values)?)))
            .collect()
    }

    /// Adds them in place of those of the same settings, data and model.
    fn put_untrained(&mut self, settings: String, untrained: UntrainedScores) {
        let today = untrained.inputs.as_ref();
        self.untrained
            .retain(|(of, known)| *of != settings || !is_of(known.inputs.as_ref(), today));
        self.untrained.push((settings, untrained));
    }

    fn put_student(&mut self, student: Student) {
        let today = student.scores.inputs.as_ref();
        self.students.retain(|known| {
            (&known.settings, known.number) != (&student.settings, student.number)
                || !is_of(known.scores.inputs.as_ref(), today)
        });
        self.students.push(student);
    }

    /// The data and the model of all lines of some settings.
    fn inputs<'a>(&'a self, settings: &'a str) -> impl Iterator<Item = Option<&'a Inputs>> + 'a {
        let students = self
            .students
            .iter()
            .filter(move |it| it.settings == settings);
        let untrained = self.untrained.iter().filter(move |(of, _)| of == settings);
        let untrained = untrained.map(|(_, it)| it.inputs.as_ref());
        untrained.chain(students.map(|it| it.scores.inputs.as_ref()))
    }

    /// Returns the questions that lines of some settings are of, each by a hash.
    pub fn questions<'a>(&'a self, settings: &'a str) -> BTreeSet<&'a str> {
        let inputs = self.inputs(settings).flatten();
        inputs.filter_map(Inputs::questions).collect()
    }

    /// Tells whether some line of these settings says by what data and model it came to be.
    pub fn has_inputs(&self, settings: &str) -> bool {
        self.inputs(settings).any(|inputs| inputs.is_some())
    }

    /// Tells whether some line of these settings does not say so.
    pub fn lacks_inputs(&self, settings: &str) -> bool {
        self.inputs(settings).any(|inputs| inputs.is_none())
    }

    /// Names the lines of these settings that are of other data or another model than `today`'s, and
    /// what has changed: they stay in the file, for when it is theirs again.
    pub fn others(&self, settings: &str, today: &Inputs) -> Vec<String> {
        let changed = |inputs: &Option<Inputs>| today.changed_since(inputs.as_ref()?);
        let untrained = self.untrained.iter().filter(|(of, _)| of == settings);
        let untrained = untrained
            .filter_map(|(_, it)| Some(format!("what is not trained: {}", changed(&it.inputs)?)));
        let students = self.students.iter().filter(|it| it.settings == settings);
        let students = students.filter_map(|it| {
            let changed = changed(&it.scores.inputs)?;
            Some(format!(
                "{}, student {}: {changed}",
                it.variant,
                it.number + 1
            ))
        });
        untrained.chain(students).collect()
    }

    /// Returns the systems that are not trained, as run by settings of this fingerprint on today's
    /// data; on any, where these are not known.
    pub fn untrained(&self, settings: &str, today: Option<&Inputs>) -> Option<&UntrainedScores> {
        let mut found = self.untrained.iter().rev();
        let found = found.find(|(of, it)| of == settings && is_of(it.inputs.as_ref(), today));
        found.map(|(_, it)| it)
    }

    /// Returns of the first `count` students that settings of this fingerprint train those that are
    /// there, on today's data; on any, where these are not known.
    pub fn students(&self, settings: &str, count: usize, today: Option<&Inputs>) -> Students {
        let theirs = self.students.iter().filter(|it| it.settings == settings);
        let theirs = theirs.filter(|it| it.number < count);
        let theirs = theirs.filter(|it| is_of(it.scores.inputs.as_ref(), today));
        theirs.map(|it| (it.number, it.scores.clone())).collect()
    }

    /// Adds the systems that are not trained, and writes the file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add_untrained(
        &mut self,
        settings: &str,
        untrained: UntrainedScores,
    ) -> anyhow::Result<()> {
        self.update(|board| board.put_untrained(settings.to_owned(), untrained))
    }

    /// Adds a student, counted from zero, and writes the file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add_student(
        &mut self,
        variant: &str,
        number: usize,
        settings: &str,
        scores: StudentScores,
    ) -> anyhow::Result<()> {
        self.update(|board| {
            board.put_student(Student {
                variant: variant.to_owned(),
                settings: settings.to_owned(),
                number,
                scores,
            });
        })
    }

    /// Reads the file as it is by now, and calls `use_it` before another process may change it.
    ///
    /// # Errors
    /// If the file cannot be read, or `use_it` returns an error.
    pub fn use_now(
        &mut self,
        use_it: impl FnOnce(&Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let _lock = self.store.lock(&self.path)?;
        *self = Self::open(&self.path, self.measure, &self.store)?;
        use_it(self)
    }

    /// Changes the file as it is by now: another process may have added to it.
    fn update(&mut self, change: impl FnOnce(&mut Self)) -> anyhow::Result<()> {
        let _lock = self.store.lock(&self.path)?;
        let mut board = Self::open(&self.path, self.measure, &self.store)?;
        change(&mut board);
        board.write()?;
        *self = board;
        Ok(())
    }

    fn write(&mut self) -> anyhow::Result<()> {
        let mut lines = Vec::new();
        for (settings, it) in &self.untrained {
            let all: Vec<&Scores> = it.scores.values().collect();
            lines.push(Line::Untrained {
                settings: settings.clone(),
                inputs: it.inputs.clone(),
                words: it.words,
                set: self.topics.of(&all),
                scores: all_values(&it.scores),
            });
        }
        self.students
            .sort_by(|a, b| (&a.variant, a.number).cmp(&(&b.variant, b.number)));
        for it in &self.students {
            let found = &it.scores;
            let all: Vec<&Scores> = found.measures.values().chain([&found.scores]).collect();
            lines.push(Line::Student {
                variant: it.variant.clone(),
                student: it.number + 1,
                settings: it.settings.clone(),
                inputs: found.inputs.clone(),
                within_sentence_cosine: found.within_sentence_cosine,
                covariates: found.covariates.clone(),
                set: self.topics.of(&all),
                scores: values(&found.scores),
                measures: all_values(&found.measures),
            });
        }
        let measure = self.measure.to_string();
        let topics = self.topics.iter().map(|(set, topics)| Line::Topics {
            measure: measure.clone(),
            set,
            topics: topics.clone(),
        });
        let mut text = String::new();
        for line in topics.chain(lines) {
            text += &serde_json::to_string(&line)?;
            text += "\n";
        }
        write(&self.path, text.as_bytes())
    }
}

fn all_values(scores: &BTreeMap<String, Scores>) -> BTreeMap<String, Values> {
    let scores = scores.iter();
    scores
        .map(|(name, scores)| (name.clone(), values(scores)))
        .collect()
}

#[cfg(test)]
mod tests;
