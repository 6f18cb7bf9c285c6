//! One student of one variant, from what earlier ones have left to its scores.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use burn::tensor::Device;
use optical_corpus::collection::Collection;
use optical_distill::Event;
use optical_encoder::{Head, Model};

use super::scoreboard::{StudentScores, UntrainedScores, fingerprint, rounded};
use crate::experiment::development::Development;
use crate::experiment::inputs::Inputs;
use crate::experiment::lexical::{Lexical, WORDS};
use crate::experiment::metrics::read_events;
use crate::experiment::passages::ScoredPassages;
use crate::experiment::ranking::kept_runs;
use crate::experiment::scores::{evaluate_runs, evaluate_systems, scores_of};
use crate::experiment::space::{Space, Teacher};
use crate::experiment::teaching::{Students, head};
use crate::experiment::{Experiment, ExperimentData, filtering};
use crate::interrupt::Interrupt;
use crate::run_file::RunFile;
use crate::{key, model_source};

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
    /// What has been read so far, by what run files say of it.
    inputs: BTreeMap<String, Inputs>,
}

impl<'a> Variants<'a> {
    /// Variants to be trained on the `devices`; students stay or go once they are ranked.
    pub fn new(devices: &'a [Device], offline: bool, keep_students: bool) -> Self {
        Self {
            devices,
            offline,
            keep_students,
            teacher: None,
            inputs: BTreeMap::new(),
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
        let head = head(experiment, &teacher, &mut data)?;
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

    /// The data and the model that a variant's scores follow from.
    pub fn inputs(&mut self, experiment: &Experiment) -> anyhow::Result<Inputs> {
        let Experiment { run, cache, .. } = experiment;
        let key = sources(run)?;
        if let Some(known) = self.inputs.get(&key) {
            return Ok(known.clone());
        }
        let data = ExperimentData::load(run, cache, self.offline)?;
        self.add_inputs(key, experiment, &data)
    }

    fn add_inputs(
        &mut self,
        key: String,
        experiment: &Experiment,
        data: &ExperimentData,
    ) -> anyhow::Result<Inputs> {
        let Experiment { run, cache, .. } = experiment;
        let mut inputs = Inputs::of_students(run, data).with_questions(run, data);
        // What ranks by words needs none.
        if let Ok(folder) = model_source::folder(&run.model, cache, self.offline) {
            inputs = inputs.with_model(&key::of_model(&folder)?);
        }
        self.inputs.insert(key, inputs.clone());
        Ok(inputs)
    }

    /// The systems that are not trained, as a variant has them; those that rank by words alone where
    /// the others are `known`.
    pub fn untrained(
        &mut self,
        setting: &Setting,
        known: Option<UntrainedScores>,
    ) -> anyhow::Result<UntrainedScores> {
        let Setting {
            experiment, text, ..
        } = setting;
        let mut data = self.begin(experiment, text)?;
        data.say()?;
        let lexical = Lexical::prepare(experiment, &mut data)?;
        let today = self.inputs(experiment)?;
        let (mut scores, inputs, found) = match known {
            None => {
                let space = self.space(experiment, &mut data)?;
                let found = space.evaluate_untrained(experiment, &data.collection, &lexical)?;
                (BTreeMap::new(), Some(today), found)
            }
            Some(known) => {
                let queries = experiment.asked(&data.collection.queries);
                let english = experiment.asked(&data.collection.english);
                let systems = lexical.systems(&queries, &english);
                let found = evaluate_systems(experiment, &data.collection, &systems)?;
                (known.scores, known.inputs, found)
            }
        };
        for (name, found) in found {
            scores.insert(name, rounded(scores_of(&found)?));
        }
        Ok(UntrainedScores {
            scores,
            inputs,
            words: WORDS,
        })
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
            inputs: Some(self.inputs(experiment)?),
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
        let development = Development::prepare(experiment, &space, data.development.as_ref())?;
        let mut students = Students::new(
            experiment,
            self.devices,
            &space,
            development.as_ref(),
            &switches,
            passages.as_ref(),
        );
        let trained = students.student(student, data)?;
        let trained = trained.context("stopped; the same command resumes from the checkpoint")?;
        Ok((space, trained))
    }

    /// Reads a variant's data, and begins its folder.
    fn begin(&mut self, experiment: &Experiment, text: &str) -> anyhow::Result<ExperimentData> {
        experiment.interrupt.check()?;
        let data = ExperimentData::load(&experiment.run, &experiment.cache, self.offline)?;
        experiment.folder.create(text)?;
        let inputs = self.add_inputs(sources(&experiment.run)?, experiment, &data)?;
        inputs.note(&experiment.folder)?;
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
        let head = head(experiment, &teacher, data)?;
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

/// What a run file says of where its data and its model are.
fn sources(run: &RunFile) -> anyhow::Result<String> {
    let RunFile {
        model,
        languages,
        bitext,
        bitext_filter,
        collection,
        development,
        ..
    } = run;
    let training = &run.distill.training;
    Ok(serde_json::to_string(&(
        (model, languages, bitext, bitext_filter),
        (collection, development, training.seed),
    ))?)
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
