//! The scores of studies, apart from their rankings and students: a small file that another machine,
//! or another study with variants in common, can go on from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::cache;
use crate::experiment::folder::says;
use crate::experiment::inputs::Inputs;
use crate::experiment::lexical::WORDS;
use crate::experiment::scores::{MEASURES, Scores};
use crate::experiment::space::DENSE;
use crate::write::write;

/// Those of a variant that are there, by their numbers from zero on.
pub type Students = BTreeMap<usize, StudentScores>;

/// A student's numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct StudentScores {
    /// Of its rankings.
    pub scores: Scores,
    /// Cosine between tokens of a sentence at the last reading.
    pub within_sentence_cosine: Option<f64>,
    /// The data and the model; former versions did not write them down.
    pub inputs: Option<Inputs>,
}

/// Numbers of the systems that are not trained.
#[derive(Debug, Clone, PartialEq)]
pub struct UntrainedScores {
    /// By system.
    pub scores: BTreeMap<String, Scores>,
    /// The data and the model; former versions did not write them down.
    pub inputs: Option<Inputs>,
    /// By which words some of them ranked: [`WORDS`] of its time.
    pub words: u32,
}

impl UntrainedScores {
    /// What is left of them where words are others by now; `None` where that is all.
    pub fn without_words(&self) -> Option<Self> {
        let old = |name: &str| self.words != WORDS && !DENSE.contains(&name);
        if !self.scores.keys().any(|name| old(name)) {
            return None;
        }
        let mut left = self.clone();
        left.scores.retain(|name, _| !old(name));
        Some(left)
    }
}

/// What is known so far, by the fingerprint of the run file that it was made by.
///
/// The file has a JSON object a line: the `topics` of each language, in whose order the values of all
/// others are; what is `untrained`; and each `student`. Lines of several machines and studies may stand
/// in one file; the name of a student's variant is there for people to read.
#[derive(Debug)]
pub struct Scoreboard {
    path: PathBuf,
    topics: BTreeMap<String, Vec<String>>,
    untrained: BTreeMap<String, UntrainedScores>,
    students: BTreeMap<(String, usize), (String, StudentScores)>,
}

/// Language → values in the order of the topics.
type Values = BTreeMap<String, Vec<f64>>;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Topics {
        measure: String,
        topics: BTreeMap<String, Vec<String>>,
    },
    Untrained {
        settings: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inputs: Option<Inputs>,
        #[serde(default = "first")]
        words: u32,
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
        scores: Values,
    },
}

/// The words of lines that say nothing of them.
fn first() -> u32 {
    1
}

/// What tells run files apart that give other numbers.
pub fn fingerprint(run_file: &str) -> anyhow::Result<String> {
    let settings = toml::to_string(&says(run_file)?)?;
    let digest = Sha256::digest(settings.as_bytes());
    Ok(digest[..16].iter().map(|it| format!("{it:02x}")).collect())
}

/// Scores to a multiple of a millionth: what is computed and what is read back are the same.
pub fn rounded(mut scores: Scores) -> Scores {
    for value in scores.values_mut().flat_map(BTreeMap::values_mut) {
        *value = (*value * 1e6).round() / 1e6;
    }
    scores
}

impl Scoreboard {
    /// Reads the file, if it is there.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let mut board = Self {
            path: path.to_owned(),
            topics: BTreeMap::new(),
            untrained: BTreeMap::new(),
            students: BTreeMap::new(),
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
            Line::Topics { measure, topics } => {
                ensure!(
                    measure == MEASURES[0],
                    "measure = {measure:?}, expected {:?}",
                    MEASURES[0]
                );
                self.agree(topics)?;
            }
            Line::Untrained {
                settings,
                inputs,
                words,
                scores,
            } => {
                let scores = scores.into_iter();
                let scores =
                    scores.map(|(system, values)| anyhow::Ok((system, self.named(values)?)));
                let untrained = UntrainedScores {
                    scores: scores.collect::<Result<_, _>>()?,
                    inputs,
                    words,
                };
                self.untrained.insert(settings, untrained);
            }
            Line::Student {
                variant,
                student,
                settings,
                inputs,
                within_sentence_cosine,
                scores,
            } => {
                let student = student
                    .checked_sub(1)
                    .context("student = 0, expected at least 1")?;
                let scores = StudentScores {
                    scores: self.named(scores)?,
                    within_sentence_cosine,
                    inputs,
                };
                self.students.insert((settings, student), (variant, scores));
            }
        }
        Ok(())
    }

    /// Keeps the topics, or compares them with those that are known.
    fn agree(&mut self, topics: BTreeMap<String, Vec<String>>) -> anyhow::Result<()> {
        for (language, topics) in topics {
            let known = self
                .topics
                .entry(language.clone())
                .or_insert_with(|| topics.clone());
            ensure!(
                *known == topics,
                "{language}: other topics than before, so that systems cannot be compared"
            );
        }
        Ok(())
    }

    fn named(&self, values: Values) -> anyhow::Result<Scores> {
        let languages = values.into_iter().map(|(language, values)| {
            let topics = self.topics.get(&language);
            let topics = topics.with_context(|| format!("expected topics of {language} first"))?;
            ensure!(
                topics.len() == values.len(),
                "{} values of {language}, expected {}",
                values.len(),
                topics.len()
            );
            Ok((language, topics.iter().cloned().zip(values).collect()))
        });
        languages.collect()
    }

    /// The systems that are not trained, as run by settings of this fingerprint.
    pub fn untrained(&self, settings: &str) -> Option<&UntrainedScores> {
        self.untrained.get(settings)
    }

    /// Whether it is known by what data and model some line of these settings came to be.
    pub fn has_inputs(&self, settings: &str) -> bool {
        let students = self.students.iter().filter(|((of, _), _)| of == settings);
        let mut inputs = students.map(|(_, (_, scores))| &scores.inputs);
        let untrained = self.untrained.get(settings);
        untrained.is_some_and(|it| it.inputs.is_some()) || inputs.any(Option::is_some)
    }

    /// Whether some line of these settings does not say by what data and model it came to be.
    pub fn lacks_inputs(&self, settings: &str) -> bool {
        let students = self.students.iter().filter(|((of, _), _)| of == settings);
        let mut inputs = students.map(|(_, (_, scores))| &scores.inputs);
        let untrained = self.untrained.get(settings);
        untrained.is_some_and(|it| it.inputs.is_none()) || inputs.any(Option::is_none)
    }

    /// Takes out what came of other data or another model than `today`'s; says of each line what it is
    /// and what has changed. In the file it stays until something takes its place.
    pub fn forget_others(&mut self, settings: &str, today: &Inputs) -> Vec<String> {
        let mut told = Vec::new();
        let changed = |inputs: &Option<Inputs>| today.changed_since(inputs.as_ref()?);
        if let Some(changed) = self
            .untrained
            .get(settings)
            .and_then(|it| changed(&it.inputs))
        {
            self.untrained.remove(settings);
            told.push(format!("what is not trained: {changed}"));
        }
        self.students.retain(|(of, student), (variant, scores)| {
            let changed = changed(&scores.inputs).filter(|_| of == settings);
            let keep = changed.is_none();
            let line = |changed| format!("{variant}, student {}: {changed}", student + 1);
            told.extend(changed.map(line));
            keep
        });
        told
    }

    /// Of the first `count` students that settings of this fingerprint train, those that are there.
    pub fn students(&self, settings: &str, count: usize) -> Students {
        let students = self.students.iter();
        let found = students.filter(|((of, student), _)| of == settings && *student < count);
        found
            .map(|((_, student), (_, scores))| (*student, scores.clone()))
            .collect()
    }

    /// Adds the systems that are not trained, and writes the file.
    pub fn add_untrained(
        &mut self,
        settings: &str,
        untrained: UntrainedScores,
    ) -> anyhow::Result<()> {
        self.update(|board| {
            for scores in untrained.scores.values() {
                board.agree(topics(scores))?;
            }
            board.untrained.insert(settings.to_owned(), untrained);
            Ok(())
        })
    }

    /// Adds a student, counted from zero, and writes the file.
    pub fn add_student(
        &mut self,
        variant: &str,
        student: usize,
        settings: &str,
        scores: StudentScores,
    ) -> anyhow::Result<()> {
        self.update(|board| {
            board.agree(topics(&scores.scores))?;
            let key = (settings.to_owned(), student);
            board.students.insert(key, (variant.to_owned(), scores));
            Ok(())
        })
    }

    /// Changes the file as it is by now: another process may have added to it.
    fn update(
        &mut self,
        change: impl FnOnce(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let _lock = cache::lock(&self.path)?;
        let mut board = Self::open(&self.path)?;
        change(&mut board)?;
        board.write()?;
        *self = board;
        Ok(())
    }

    fn write(&self) -> anyhow::Result<()> {
        let topics = Line::Topics {
            measure: MEASURES[0].to_owned(),
            topics: self.topics.clone(),
        };
        let untrained = self.untrained.iter().map(|(settings, untrained)| {
            let scores = untrained.scores.iter();
            Line::Untrained {
                settings: settings.clone(),
                inputs: untrained.inputs.clone(),
                words: untrained.words,
                scores: scores
                    .map(|(name, scores)| (name.clone(), values(scores)))
                    .collect(),
            }
        });
        let mut students: Vec<_> = self.students.iter().collect();
        students.sort_by_key(|((_, student), (variant, _))| (variant, student));
        let students = students.into_iter();
        let students = students.map(|((settings, student), (variant, found))| Line::Student {
            variant: variant.clone(),
            student: student + 1,
            settings: settings.clone(),
            inputs: found.inputs.clone(),
            within_sentence_cosine: found.within_sentence_cosine,
            scores: values(&found.scores),
        });
        let mut text = String::new();
        for line in std::iter::once(topics).chain(untrained).chain(students) {
            text += &serde_json::to_string(&line)?;
            text += "\n";
        }
        write(&self.path, text.as_bytes())
    }
}

fn topics(scores: &Scores) -> BTreeMap<String, Vec<String>> {
    let languages = scores.iter();
    languages
        .map(|(language, values)| (language.clone(), values.keys().cloned().collect()))
        .collect()
}

fn values(scores: &Scores) -> Values {
    let languages = scores.iter();
    languages
        .map(|(language, values)| (language.clone(), values.values().copied().collect()))
        .collect()
}
