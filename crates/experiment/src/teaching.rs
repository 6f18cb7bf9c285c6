//! The head and the students: made once, read back ever after.

use std::collections::BTreeMap;

use optical_corpus::error::CorpusError;
use optical_distill::{
    Outcome, Passages, TokenizedPairs, TrainingData, TrainingText, distil, estimate_head,
};
use optical_encoder::{EncodeSettings, Head};
use optical_retrieval::translation::CodeSwitch;
use optical_store::{Key, Reader};
use optical_tokenize::Role;

use crate::metrics::{self, Metrics};
use crate::watcher::Watcher;
use crate::{
    Development, Experiment, ExperimentData, RunFile, ScoredPassages, Space, continuation, inputs,
};

/// Returns the head, estimated once and kept in the run folder.
///
/// # Errors
/// If the texts are too few, or the device fails.
pub fn head(
    experiment: &Experiment,
    teacher: &Reader,
    data: &mut ExperimentData,
) -> anyhow::Result<Head> {
    let Experiment { run, folder, .. } = experiment;
    let Reader { model, key, .. } = teacher;
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
    let head = estimate_head(model, &texts, exponent, experiment.device())?;
    head.save(&folder.head())?;
    keys.set(&folder.head(), key);
    keys.write()?;
    Ok(head)
}

/// What a head is estimated from: English sentences of the bitext, and documents.
pub struct HeadTexts {
    /// The number that the run file asks for, or all there are.
    pub sentences: Vec<String>,
    /// The number that the run file asks for, or all there are.
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
    space: &'a Space,
    development: Option<&'a Development<'a>>,
    switches: &'a BTreeMap<String, CodeSwitch>,
    passages: Option<&'a ScoredPassages<'a>>,
    /// Made for the first student that has to be trained.
    pairs: Option<TokenizedPairs>,
}

impl<'a> Students<'a> {
    /// Prepares to train students.
    pub fn new(
        experiment: &'a Experiment,
        space: &'a Space,
        development: Option<&'a Development<'a>>,
        switches: &'a BTreeMap<String, CodeSwitch>,
        passages: Option<&'a ScoredPassages<'a>>,
    ) -> Self {
        Self {
            experiment,
            space,
            development,
            switches,
            passages,
            pairs: None,
        }
    }

    /// Returns the student of a repetition, counted from zero: read back where it is there, otherwise
    /// trained.
    ///
    /// # Errors
    /// If the training fails, or somebody stops it.
    pub fn student(
        &mut self,
        repetition: usize,
        data: &mut ExperimentData,
    ) -> anyhow::Result<Reader> {
        let trained = self.train(repetition, data);
        trained.map_err(|error| continuation::advise(error, &self.experiment.folder, repetition))
    }

    fn train(&mut self, repetition: usize, data: &mut ExperimentData) -> anyhow::Result<Reader> {
        let run = &self.experiment.run;
        let teacher = &self.space.teacher.model;
        let folder = self.experiment.folder.repetition(repetition)?;
        if let Some(student) = self.experiment.student(repetition)? {
            return Ok(student);
        }
        if self.pairs.is_none() {
            let texts = data.training_texts(run, self.switches)?.map(|text| {
                let mut text = text?;
                if let Some(passages) = self.passages {
                    text.passages = passages.of(&text.target);
                }
                Ok::<_, CorpusError>(text)
            });
            let (tokenizer, cache) = (&teacher.tokenizer, &self.experiment.site.store.cache);
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
        let host = self.experiment.host();
        let metrics = Metrics::new(&folder, host, metrics::DISTIL, settings.training.steps);
        let mut watcher = Watcher::new(metrics, host, self.development);
        let outcome = distil(
            &settings,
            teacher,
            &self.space.head,
            training,
            &folder.checkpoints(),
            &self.experiment.site.devices,
            &mut watcher,
        );
        match watcher.result(outcome)? {
            Outcome::Interrupted(_) => {
                anyhow::bail!("stopped; the same command resumes from the checkpoint")
            }
            Outcome::Finished(student) => {
                student.save_whole(&folder.student())?;
                Reader::of(*student, &folder.student())
            }
        }
    }
}
