//! The English stage of a student of its own: a projection into the teacher's states, and what English
//! text alone teaches. What comes of it is the zero-shot student.
//!
//! It is made once for all runs that share what it follows from, in the cache, and trained as any
//! student is: told, checkpointed, resumed.

use std::collections::HashSet;

use anyhow::{Context, ensure};
use optical_corpus::draw::{Sample, fingerprint};
use optical_corpus::error::CorpusError;
use optical_distill::projection::{ProjectionTurn, find_projection};
use optical_distill::{Beginning, Outcome, TokenizedPairs, TrainingData, TrainingText, distil};
use optical_encoder::{EncodeSettings, Head, Model};
use optical_store::{Key, Reader, Store, read_json, write_json};
use optical_tokenize::Role;
use serde::{Deserialize, Serialize};

use crate::metrics::{self, Metrics};
use crate::run_file::{EnglishSettings, StudentSettings, Weights};
use crate::watcher::Watcher;
use crate::{Experiment, ExperimentData, RunFolder, Space, targets};

/// What makes zero-shot students.
pub(crate) struct EnglishStage<'a> {
    experiment: &'a Experiment,
    space: &'a Space,
    settings: &'a StudentSettings,
    /// The model of the run file's `[student]`, with all of its layers.
    origin: Reader,
}

/// A zero-shot student.
#[derive(Debug, Clone)]
pub struct ZeroShot {
    /// As the next stage begins with it: its head is the projection alone.
    pub model: Model,
    /// As it is searched with: projection and head are one map.
    pub reader: Reader,
}

/// What a run folder notes of the stage that its student begins with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StageNote {
    /// Its name in the cache.
    pub stage: String,
    /// The turns that its projection was found in.
    pub projection: Vec<ProjectionTurn>,
}

/// Where the stages are in the cache.
const FOLDER: &str = "students";
const TURNS: &str = "projection.json";
const NOTE: &str = "english.json";

impl<'a> EnglishStage<'a> {
    /// Loads the model that students begin as; `None` where they begin as the teacher's copy.
    ///
    /// # Errors
    /// If it cannot be had, or does not have what is asked of it.
    pub(crate) fn open(
        experiment: &'a Experiment,
        space: &'a Space,
    ) -> anyhow::Result<Option<Self>> {
        let run = &experiment.run;
        let Some(settings) = &run.student else {
            return Ok(None);
        };
        let name = run.student_model();
        let origin = match name == run.model {
            true => space.teacher.clone(),
            false => experiment.site.store.reader(name, experiment.device())?,
        };
        let (config, length) = (&origin.model.config, run.retrieval.query_length);
        run.distill.check_model(config)?;
        if let Some(fault) = settings.layers.fault(config) {
            anyhow::bail!(fault);
        }
        let fits = origin.model.check_length(length);
        fits.with_context(|| format!("retrieval.query_length = {length}"))?;
        Ok(Some(Self {
            experiment,
            space,
            settings,
            origin,
        }))
    }

    /// Returns the zero-shot student of a repetition, counted from zero: read back where it is there,
    /// otherwise trained.
    ///
    /// # Errors
    /// If the training fails, or somebody stops it.
    pub(crate) fn student(
        &self,
        repetition: usize,
        data: &mut ExperimentData,
    ) -> anyhow::Result<ZeroShot> {
        let (folder, store) = (self.folder(repetition, data)?, &self.experiment.site.store);
        if !folder.has_student() {
            let _lock = store.lock(folder.path())?;
            if !folder.has_student() {
                let made = self.make(&folder, repetition, data);
                made.context("the English stage")?;
            }
        }
        let stage = folder.path().file_name().unwrap_or_default();
        let note = StageNote {
            stage: stage.to_string_lossy().into_owned(),
            projection: read_json(&folder.file(TURNS))?,
        };
        let of_run = self.experiment.folder.repetition(repetition)?;
        write_json(&of_run.file(NOTE), &note)?;
        ZeroShot::load(&folder, self.experiment, self.space)
    }

    /// Where a stage is, by all that it follows from.
    fn folder(&self, repetition: usize, data: &mut ExperimentData) -> anyhow::Result<RunFolder> {
        let run = &self.experiment.run;
        let (space, english) = (self.space, &self.settings.english);
        let mut key = Key::of("English stage")
            .with(&space.teacher.key)
            .with(&self.origin.key);
        for value in space.head.weight.iter().chain(&space.head.bias) {
            key.add(value.to_le_bytes());
        }
        let stage = english.stage(&run.distill, repetition);
        let layers = &self.settings.layers;
        key.add(serde_json::to_string(&(
            layers,
            self.settings.weights,
            stage,
        ))?);
        key.add(serde_json::to_string(&english.projection)?);
        key.add(run.retrieval.tokens_per_batch.to_le_bytes());
        for text in texts(english, data)? {
            key.add(text?);
        }
        for pair in data.held_out() {
            key.add(&pair.english);
            key.add(&pair.foreign);
        }
        let cache = &self.experiment.site.store.cache;
        Ok(RunFolder::at(cache.join(FOLDER).join(key.text())))
    }

    fn make(
        &self,
        folder: &RunFolder,
        repetition: usize,
        data: &mut ExperimentData,
    ) -> anyhow::Result<()> {
        let Experiment { run, site, .. } = self.experiment;
        let english = &self.settings.english;
        std::fs::create_dir_all(folder.path())
            .with_context(|| format!("{} cannot be written", folder.path().display()))?;
        let mut begin = self.begin(repetition)?;
        let projection = match Head::load(&folder.head(), begin.config.hidden_size)? {
            Some(projection) => projection,
            None => self.project(&begin, folder, data)?,
        };
        begin.head = Some(projection);
        let settings = english.stage(&run.distill, repetition);
        let teacher = &self.space.teacher.model;
        let retained = texts(english, data)?.map(|text| Ok::<_, CorpusError>(of_text(&text?)));
        let tokenizers = [&teacher.tokenizer, &begin.tokenizer];
        let length = settings.maximum_length;
        let pairs = TokenizedPairs::write(retained, tokenizers, length, &site.store.cache)?;
        let held_out: Vec<_> = data.held_out().map(TrainingText::bitext).collect();
        let targets = match settings.training.steps {
            0 => None,
            _ => targets::read_once(self.experiment, &self.space.teacher, &pairs)?,
        };
        let training = TrainingData {
            pairs: &pairs,
            held_out: &held_out,
            passages: None,
            targets: targets.as_ref(),
        };
        let host = self.experiment.host();
        let steps = settings.training.steps;
        let metrics = Metrics::new(folder, host, metrics::ENGLISH, steps);
        let mut watcher = Watcher::new(metrics, host, None);
        let outcome = distil(
            &settings,
            (teacher, Beginning::Own(&begin)),
            &self.space.head,
            training,
            &folder.checkpoints(),
            site.devices(),
            &mut watcher,
        );
        match watcher.result(outcome)? {
            Outcome::Interrupted(_) => {
                anyhow::bail!("stopped; the same command resumes from the checkpoint")
            }
            Outcome::Finished(student) => student.save_whole(&folder.student())?,
        }
        let checkpoints = folder.checkpoints();
        match std::fs::remove_dir_all(&checkpoints) {
            // A stage without steps has none.
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{} cannot be removed", checkpoints.display()))
            }
            _ => Ok(()),
        }
    }

    /// What the student of a repetition begins as, without a projection.
    fn begin(&self, repetition: usize) -> anyhow::Result<Model> {
        let mut model = self.origin.model.clone();
        model.head = None;
        let layers = self.settings.layers.of(model.config.num_hidden_layers);
        let model = model.choose_layers(&layers)?;
        Ok(match self.settings.weights {
            Weights::Pretrained => model,
            Weights::Random => {
                let seed = self.settings.english.training.seed + repetition as u64;
                model.with_random_weights(seed)?
            }
        })
    }

    /// Finds the projection, tells its turns and keeps it.
    fn project(
        &self,
        begin: &Model,
        folder: &RunFolder,
        data: &mut ExperimentData,
    ) -> anyhow::Result<Head> {
        let Experiment { run, site, .. } = self.experiment;
        let english = &self.settings.english;
        let host = self.experiment.host();
        let seed = run.distill.training.seed;
        let mut sample = Sample::new(english.projection.sentences, seed, "sentences of the head");
        for text in texts(english, data)? {
            let text = text?;
            sample.offer(&[&text], || text.clone());
        }
        let sentences = sample.into_drawn();
        let sentences: Vec<&str> = sentences.iter().map(String::as_str).collect();
        let encode = EncodeSettings {
            role: Role::Query,
            maximum_length: english.maximum_length,
            tokens_per_batch: run.retrieval.tokens_per_batch,
        };
        let mut turns = Vec::new();
        let found = find_projection(
            &english.projection,
            [&self.space.teacher.model, begin],
            &self.space.head,
            (&sentences, encode),
            site.device(),
            |turn| {
                let ProjectionTurn {
                    turn: number,
                    cost,
                    r_squared,
                } = turn;
                host.say(format_args!(
                    "projection, turn {number}: cost {cost:.4}, R² {r_squared:.3}"
                ));
                turns.push(turn);
                host.check()
            },
        );
        let projection = found?;
        write_json(&folder.file(TURNS), &turns)?;
        projection.save(&folder.head())?;
        Ok(projection)
    }
}

impl ZeroShot {
    /// Loads the zero-shot student that a finished student of a repetition began with.
    ///
    /// # Errors
    /// If it is no longer in the cache, or damaged.
    pub(crate) fn kept(
        experiment: &Experiment,
        repetition: usize,
        space: &Space,
    ) -> anyhow::Result<Self> {
        let of_run = experiment.folder.existing_repetition(repetition);
        let StageNote { stage, .. } = StageNote::of(&of_run)?;
        let folder = RunFolder::at(experiment.site.store.cache.join(FOLDER).join(stage));
        ensure!(
            folder.has_student(),
            "{} is not there: the zero-shot student has left the cache; training the run again makes it \
             anew, and leaves its other students as they are",
            folder.student().display()
        );
        Self::load(&folder, experiment, space)
    }

    fn load(folder: &RunFolder, experiment: &Experiment, space: &Space) -> anyhow::Result<Self> {
        let model = Model::load(&folder.student(), experiment.device())?;
        let exported = model.clone().with_head_after(&space.head);
        Ok(Self {
            reader: Reader::of(exported, &folder.student())?,
            model,
        })
    }
}

impl StageNote {
    /// Reads what a run folder notes; nothing where its student began as the teacher's copy.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn of(folder: &RunFolder) -> anyhow::Result<Self> {
        read_json(&folder.file(NOTE))
    }

    /// Removes the stage from the cache, if it is in it; a run that needs it makes it again.
    ///
    /// # Errors
    /// If it cannot be removed, or somebody stops the wait for another process that makes it.
    pub fn remove(&self, store: &Store) -> anyhow::Result<()> {
        let folder = store.cache.join(FOLDER).join(&self.stage);
        if self.stage.is_empty() || !folder.is_dir() {
            return Ok(());
        }
        let _lock = store.lock(&folder)?;
        let removed = std::fs::remove_dir_all(&folder);
        removed.with_context(|| format!("{} cannot be removed", folder.display()))
    }
}

fn of_text(text: &str) -> TrainingText {
    TrainingText::retention(text, "eng")
}

/// English text to learn from: the English sides of the pairs that are trained on, and the texts of files;
/// no two alike, in the order in which they are read.
fn texts<'a>(
    settings: &'a EnglishSettings,
    data: &'a mut ExperimentData,
) -> anyhow::Result<impl Iterator<Item = Result<String, CorpusError>> + 'a> {
    let passages = settings.passages()?.into_iter().map(Ok);
    let mut seen = HashSet::new();
    let is_new = move |text: &Result<String, CorpusError>| match text {
        Ok(text) => seen.insert(fingerprint(0, "English text", &[text])),
        Err(_) => true,
    };
    let pairs = data.all_training_pairs()?;
    let english = pairs.map(|pair| pair.map(|pair| pair.english));
    Ok(english.chain(passages).filter(is_new))
}
