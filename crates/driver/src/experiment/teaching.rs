//! The head and the students: made once, read back ever after.

use std::collections::BTreeMap;

use burn::tensor::Device;
use optical_corpus::error::CorpusError;
use optical_distill::{
    Outcome, Passages, TokenizedPairs, TrainingData, TrainingText, distil, estimate_head,
};
use optical_encoder::{EncodeSettings, Head, Model};
use optical_retrieval::translation::CodeSwitch;
use optical_tokenize::Role;

use crate::experiment::development::Development;
use crate::experiment::metrics::{self, Metrics};
use crate::experiment::passages::ScoredPassages;
use crate::experiment::space::{Space, Teacher};
use crate::experiment::watcher::Watcher;
use crate::experiment::{Experiment, ExperimentData, inputs};
use crate::key::Key;
use crate::run_file::RunFile;

/// The head, estimated once and kept in the run folder.
pub fn head(
    experiment: &Experiment,
    teacher: &Teacher,
    data: &mut ExperimentData,
) -> anyhow::Result<Head> {
    let Experiment { run, folder, .. } = experiment;
    let Teacher { model, key } = teacher;
    // A late-interaction checkpoint brings its own.
    if let Some(head) = &model.head {
        return Ok(head.clone());
    }
    let settings = &run.distill.head;
    let mut key = Key::of("head").with(key).with(format!("{settings:?}"));
    key.add(inputs::documents(&data.collection.documents));
    for bitext in data.bitext_keys.values() {
        key.add(bitext);
    }
    let key = key.text();
    let mut keys = folder.keys()?;
    // A former version kept no keys.
    let is_same = keys.of(&folder.head()).is_none_or(|known| known == key);
    if is_same && let Some(head) = Head::load(&folder.head(), model.config.hidden_size)? {
        return Ok(head);
    }
    let texts = HeadTexts::draw(run, data)?;
    let [sentences, documents] = texts.groups(run);
    let texts = [
        (&sentences.0[..], sentences.1),
        (&documents.0[..], documents.1),
    ];
    let exponent = run.distill.head.exponent;
    let head = estimate_head(model, &texts, exponent, &experiment.device)?;
    head.save(&folder.head())?;
    keys.set(&folder.head(), key);
    keys.write()?;
    Ok(head)
}

/// What a head is estimated from: English sentences of the bitext, and documents.
pub struct HeadTexts {
    /// As many as the run file asks for, or as there are.
    pub sentences: Vec<String>,
    /// As many as the run file asks for, or as there are.
    pub documents: Vec<String>,
}

impl HeadTexts {
    /// Draws sentences by the run's seed, and takes documents from all over the collection.
    pub fn draw(run: &RunFile, data: &mut ExperimentData) -> Result<Self, CorpusError> {
        let settings = &run.distill.head;
        let documents = &data.collection.documents;
        let (of, count) = (documents.len(), settings.documents.min(documents.len()));
        let places = (0..count).map(|i| i * of / count.max(1));
        Ok(Self {
            documents: places.map(|place| documents[place].full_text()).collect(),
            sentences: data.english(settings.sentences, run.distill.training.seed)?,
        })
    }

    /// Both kinds of text, with how they are cut.
    pub fn groups(&self, run: &RunFile) -> [(Vec<&str>, EncodeSettings); 2] {
        let encode = |role, maximum_length| EncodeSettings {
            role,
            maximum_length,
            tokens_per_batch: run.retrieval.tokens_per_batch,
        };
        fn texts(texts: &[String]) -> Vec<&str> {
            texts.iter().map(String::as_str).collect()
        }
        [
            (
                texts(&self.sentences),
                encode(Role::Query, run.distill.maximum_length),
            ),
            (
                texts(&self.documents),
                encode(Role::Document, run.retrieval.document_length),
            ),
        ]
    }
}

/// What makes the students of an experiment.
pub struct Students<'a> {
    experiment: &'a Experiment,
    devices: &'a [Device],
    space: &'a Space,
    development: Option<&'a Development<'a>>,
    switches: &'a BTreeMap<String, CodeSwitch>,
    passages: Option<&'a ScoredPassages<'a>>,
    /// Made for the first student that has to be trained.
    pairs: Option<TokenizedPairs>,
}

impl<'a> Students<'a> {
    /// Students to be trained on the `devices`.
    pub fn new(
        experiment: &'a Experiment,
        devices: &'a [Device],
        space: &'a Space,
        development: Option<&'a Development<'a>>,
        switches: &'a BTreeMap<String, CodeSwitch>,
        passages: Option<&'a ScoredPassages<'a>>,
    ) -> Self {
        Self {
            experiment,
            devices,
            space,
            development,
            switches,
            passages,
            pairs: None,
        }
    }

    /// The student of a repetition, counted from zero: read back where it is there, otherwise trained;
    /// `None` after a stop.
    pub fn student(
        &mut self,
        repetition: usize,
        data: &mut ExperimentData,
    ) -> anyhow::Result<Option<Model>> {
        let run = &self.experiment.run;
        let teacher = &self.space.teacher.model;
        let folder = self.experiment.folder.repetition(repetition)?;
        if folder.student().join("model.safetensors").is_file() {
            let student = Model::load(&folder.student(), &self.experiment.device)?;
            return Ok(Some(student));
        }
        if self.pairs.is_none() {
            let texts = data.training_texts(run, self.switches)?.map(|text| {
                let mut text = text?;
                if let Some(passages) = self.passages {
                    text.passages = passages.of(&text.target);
                }
                Ok::<_, CorpusError>(text)
            });
            let (tokenizer, cache) = (&teacher.tokenizer, &self.experiment.cache);
            let length = run.distill.maximum_length;
            self.pairs = Some(TokenizedPairs::write(texts, tokenizer, length, cache)?);
        }
        let held_out: Vec<_> = data.held_out().map(TrainingText::bitext).collect();
        let training = TrainingData {
            pairs: self.pairs.as_ref().expect("made above"),
            held_out: &held_out,
            passages: self.passages.map(|passages| passages as &dyn Passages),
        };
        let mut settings = run.distill.clone();
        settings.training.seed += repetition as u64;
        let metrics = Metrics::new(&folder, metrics::DISTIL, settings.training.steps);
        let mut watcher = Watcher::new(metrics, &self.experiment.interrupt, self.development);
        let outcome = distil(
            &settings,
            teacher,
            &self.space.head,
            training,
            &folder.checkpoints(),
            self.devices,
            &mut watcher,
        );
        match watcher.result(outcome)? {
            Outcome::Interrupted(_) => Ok(None),
            Outcome::Finished(student) => {
                student.save_whole(&folder.student())?;
                Ok(Some(*student))
            }
        }
    }
}
