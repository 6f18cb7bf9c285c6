//! One student of one variant, from what earlier ones have left to its scores.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use burn::tensor::Device;
use optical_corpus::collection::Collection;
use optical_distill::Event;
use optical_encoder::{Head, Model};

use super::scoreboard::{StudentScores, fingerprint, rounded};
use crate::experiment::development::Development;
use crate::experiment::lexical::Lexical;
use crate::experiment::metrics::read_events;
use crate::experiment::passages::ScoredPassages;
use crate::experiment::ranking::kept_runs;
use crate::experiment::scores::{Scores, evaluate_runs, scores_of};
use crate::experiment::space::{Space, Teacher};
use crate::experiment::teaching::{Students, head};
use crate::experiment::{Experiment, ExperimentData, filtering};
use crate::interrupt::Interrupt;
use crate::run_file::RunFile;

/// A variant, ready to be run.
pub struct Setting {
    /// Its run file, folder and device.
    pub experiment: Experiment,
    /// The run file's text.
    pub text: String,
    /// The run file's fingerprint.
    pub fingerprint: String,
}

impl Setting {
    /// A run file and its text, to be run in a folder of its own.
    pub fn new(
        run: RunFile,
        text: String,
        folder: &Path,
        device: Device,
        interrupt: Interrupt,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            experiment: Experiment::new(run, &text, folder, device, interrupt)?,
            fingerprint: fingerprint(&text)?,
            text,
        })
    }
}

/// Documents, the teacher that reads them, and the heads behind which they are wanted.
struct Reading<'a> {
    experiment: &'a Experiment,
    teacher: Teacher,
    collection: Collection,
    heads: Vec<Head>,
}

impl Reading<'_> {
    /// Whether an experiment has the same documents, read by the same teacher in the same way.
    fn serves(&self, experiment: &Experiment) -> bool {
        let (ours, theirs) = (&self.experiment.run, &experiment.run);
        ours.model == theirs.model
            && ours.collection == theirs.collection
            && ours.retrieval.documents() == theirs.retrieval.documents()
    }
}

/// Runs variants one after the other; keeps the teacher they share.
pub struct Variants<'a> {
    devices: &'a [Device],
    offline: bool,
    keep_students: bool,
    /// With the name it has in the run file.
    teacher: Option<(String, Teacher)>,
}

impl<'a> Variants<'a> {
    /// Variants to be trained on the `devices`; students stay or go once they are ranked.
    pub fn new(devices: &'a [Device], offline: bool, keep_students: bool) -> Self {
        Self {
            devices,
            offline,
            keep_students,
            teacher: None,
        }
    }

    /// Reads the documents once for all variants that have the same but for the head behind the teacher.
    pub fn index_documents(&mut self, settings: &[(&str, &Setting)]) -> anyhow::Result<()> {
        let mut readings = Vec::new();
        for (name, setting) in settings {
            self.add_head(setting, &mut readings)
                .with_context(|| format!("variant {name}"))?;
        }
        for Reading {
            experiment,
            teacher,
            collection,
            heads,
        } in &readings
        {
            Space::prepare(experiment, teacher, heads, collection)?;
        }
        Ok(())
    }

    /// Adds a variant's head to the reading of its documents.
    fn add_head<'s>(
        &mut self,
        setting: &'s Setting,
        readings: &mut Vec<Reading<'s>>,
    ) -> anyhow::Result<()> {
        let Setting {
            experiment, text, ..
        } = setting;
        let mut data = self.begin(experiment, text)?;
        let teacher = self.teacher(experiment)?;
        let head = head(experiment, &teacher.model, &mut data)?;
        match readings.iter_mut().find(|it| it.serves(experiment)) {
            Some(reading) => reading.heads.push(head),
            None => readings.push(Reading {
                experiment,
                teacher,
                collection: data.collection,
                heads: vec![head],
            }),
        }
        Ok(())
    }

    /// The systems that are not trained, as a variant has them.
    pub fn untrained(&mut self, setting: &Setting) -> anyhow::Result<BTreeMap<String, Scores>> {
        let Setting {
            experiment, text, ..
        } = setting;
        let mut data = self.begin(experiment, text)?;
        data.say()?;
        let lexical = Lexical::prepare(experiment, &mut data)?;
        let space = self.space(experiment, &mut data)?;
        let found = space.evaluate_untrained(experiment, &data.collection, &lexical)?;
        let systems = found.into_iter();
        systems
            .map(|(name, found)| Ok((name, rounded(scores_of(&found)?))))
            .collect()
    }

    /// Trains, ranks and measures a student, counted from zero; goes on from what is there.
    pub fn student(&mut self, setting: &Setting, student: usize) -> anyhow::Result<StudentScores> {
        let Setting {
            experiment, text, ..
        } = setting;
        let mut data = self.begin(experiment, text)?;
        let folder = experiment.folder.repetition(student)?;
        let name = format!("student-{}", student + 1);
        let queries = experiment.asked(&data.collection.queries);
        let evaluations = match kept_runs(experiment, &name, &queries)? {
            Some(runs) => evaluate_runs(experiment, &data.collection, &queries, runs)?,
            None => {
                let (space, model) = self.train(experiment, &mut data, student)?;
                let collection = &data.collection;
                let folder = folder.student();
                let found = space.evaluate(experiment, collection, &name, &model, &folder)?;
                found.into_values().next().unwrap_or_default()
            }
        };
        let events = read_events(&folder)?;
        let mut readings = events.iter().rev().filter_map(|event| match event {
            Event::Instruments { reading, .. } => Some(reading.within_sentence_cosine),
            _ => None,
        });
        Ok(StudentScores {
            scores: rounded(scores_of(&evaluations)?),
            within_sentence_cosine: readings.next(),
        })
    }

    /// Removes a student and its checkpoints once its scores are kept, unless students stay.
    pub fn leave(&self, setting: &Setting, student: usize) -> anyhow::Result<()> {
        if !self.keep_students {
            let folder = setting.experiment.folder.repetition(student)?;
            remove(&folder.student())?;
            remove(&folder.checkpoints())?;
        }
        Ok(())
    }

    /// Trains a student, or reads it back, with the space it lies in.
    fn train(
        &mut self,
        experiment: &Experiment,
        data: &mut ExperimentData,
        student: usize,
    ) -> anyhow::Result<(Space, Model)> {
        let lexical = Lexical::prepare(experiment, data)?;
        let space = self.space(experiment, data)?;
        let switches = lexical.code_switches(&experiment.run)?;
        let passages = ScoredPassages::new(experiment, lexical.words(), &space, &data.collection);
        let development = Development::prepare(experiment, &space)?;
        let mut students = Students::new(
            experiment,
            self.devices,
            &space,
            development.as_ref(),
            &switches,
            passages.as_ref(),
        );
        let trained = students.student(student, data)?;
        let trained = trained.context("stopped; the same command goes on from the checkpoint")?;
        Ok((space, trained))
    }

    /// Reads a variant's data, and begins its folder.
    fn begin(&self, experiment: &Experiment, text: &str) -> anyhow::Result<ExperimentData> {
        experiment.interrupt.check()?;
        let data = ExperimentData::load(&experiment.run, &experiment.cache, self.offline)?;
        experiment.folder.create(text)?;
        filtering::write_json(&experiment.folder, &data.report)?;
        Ok(data)
    }

    /// A variant's teacher, head and documents.
    fn space(
        &mut self,
        experiment: &Experiment,
        data: &mut ExperimentData,
    ) -> anyhow::Result<Space> {
        let teacher = self.teacher(experiment)?;
        let head = head(experiment, &teacher.model, data)?;
        Space::open(experiment, teacher, head, &data.collection)
    }

    /// A variant's teacher, loaded unless the last one had the same.
    fn teacher(&mut self, experiment: &Experiment) -> anyhow::Result<Teacher> {
        let name = &experiment.run.model;
        let kept = self.teacher.take().filter(|(kept, _)| kept == name);
        let (_, teacher) = match kept {
            Some(kept) => self.teacher.insert(kept),
            None => {
                let teacher = Teacher::load(experiment, self.offline)?;
                self.teacher.insert((name.clone(), teacher))
            }
        };
        Ok(teacher.clone())
    }
}

/// Removes a folder, if it is there.
fn remove(folder: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| folder.display().to_string())
        }
        _ => Ok(()),
    }
}
