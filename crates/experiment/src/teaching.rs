//! The head and the students: made once, read back ever after.

use std::collections::BTreeMap;

use optical_corpus::error::CorpusError;
use optical_distill::{
    Beginning, Outcome, Passages, TargetStates, TokenizedPairs, TrainingData, TrainingText, distil,
    estimate_head,
};
use optical_encoder::{EncodeSettings, Head};
use optical_retrieval::translation::CodeSwitch;
use optical_store::{Key, Reader};
use optical_tokenize::Role;

use crate::development::Development;
use crate::english::{EnglishStage, ZeroShot};
use crate::metrics::{self, Metrics};
use crate::passages::ScoredPassages;
use crate::watcher::Watcher;
use crate::{Experiment, ExperimentData, Lexical, RunFile, Space, continuation, inputs, targets};

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
    // Of documents alone, it is one for all that have the teacher, whatever their bitext.
    if 0 < settings.sentences {
        for bitext in data.bitext_keys.values() {
            key.add(bitext);
        }
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
    development: Option<Development<'a>>,
    switches: BTreeMap<String, CodeSwitch>,
    passages: Option<ScoredPassages<'a>>,
    /// What students of their own begin with.
    english: Option<EnglishStage<'a>>,
    /// The one made last, with its repetition.
    zero_shot: Option<(usize, ZeroShot)>,
    /// Made for the first student that has to be trained.
    pairs: Option<TokenizedPairs>,
    /// What the teacher makes of their targets, where it reads them once.
    targets: Option<TargetStates>,
}

impl<'a> Students<'a> {
    /// Prepares to train students in a space: with development queries, code-switched sentences and
    /// scored passages, as far as the run file asks for them.
    ///
    /// # Errors
    /// If one of these cannot be prepared.
    pub fn open(
        experiment: &'a Experiment,
        space: &'a Space,
        lexical: &'a Lexical,
        data: &ExperimentData,
    ) -> anyhow::Result<Self> {
        let development = data.development.as_ref();
        Ok(Self {
            experiment,
            space,
            development: Development::prepare(experiment, space, development)?,
            switches: lexical.code_switches(&experiment.run)?,
            passages: ScoredPassages::new(experiment, lexical.words(), space, &data.collection),
            english: EnglishStage::open(experiment, space)?,
            zero_shot: None,
            pairs: None,
            targets: None,
        })
    }

    /// Returns the zero-shot student of a repetition, counted from zero, which its student begins with;
    /// `None` where students begin as the teacher's copy.
    ///
    /// # Errors
    /// If its training fails, or somebody stops it.
    pub fn zero_shot(
        &mut self,
        repetition: usize,
        data: &mut ExperimentData,
    ) -> anyhow::Result<Option<ZeroShot>> {
        let Some(stage) = &self.english else {
            return Ok(None);
        };
        let kept = self.zero_shot.take().filter(|(of, _)| *of == repetition);
        let (_, found) = match kept {
            Some(kept) => kept,
            None => (repetition, stage.student(repetition, data)?),
        };
        self.zero_shot = Some((repetition, found.clone()));
        Ok(Some(found))
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
        let zero_shot = self.zero_shot(repetition, data)?;
        let begins = zero_shot.as_ref().map_or(teacher, |it| &it.model);
        if self.pairs.is_none() {
            let texts = data.training_texts(run, &self.switches)?.map(|text| {
                let mut text = text?;
                if let Some(passages) = &self.passages {
                    text.passages = passages.of(&text.target);
                }
                Ok::<_, CorpusError>(text)
            });
            let tokenizers = [&teacher.tokenizer, &begins.tokenizer];
            let (length, cache) = (
                run.distill.maximum_length,
                &self.experiment.site.store.cache,
            );
            self.pairs = Some(TokenizedPairs::write(texts, tokenizers, length, cache)?);
        }
        let held_out: Vec<_> = data.held_out().map(TrainingText::bitext).collect();
        let pairs = self.pairs.as_ref().expect("made above");
        if self.targets.is_none() && 0 < run.distill.training.steps {
            self.targets = targets::read_once(self.experiment, &self.space.teacher, pairs)?;
        }
        let training = TrainingData {
            pairs,
            targets: self.targets.as_ref(),
            held_out: &held_out,
            passages: self.passages.as_ref().map(|it| it as &dyn Passages),
        };
        let mut settings = run.distill.clone();
        settings.training.seed += repetition as u64;
        let host = self.experiment.host();
        let metrics = Metrics::new(&folder, host, metrics::DISTIL, settings.training.steps);
        let mut watcher = Watcher::new(metrics, host, self.development.as_ref());
        let outcome = distil(
            &settings,
            (
                teacher,
                match &zero_shot {
                    Some(zero_shot) => Beginning::Own(&zero_shot.model),
                    None => Beginning::Copy,
                },
            ),
            &self.space.head,
            training,
            &folder.checkpoints(),
            self.experiment.site.devices(),
            &mut watcher,
        );
        match watcher.result(outcome)? {
            Outcome::Interrupted(_) => {
                anyhow::bail!("stopped; the same command resumes from the checkpoint")
            }
            Outcome::Finished(student) => {
                let student = match zero_shot {
                    Some(_) => student.with_head_after(&self.space.head),
                    None => *student,
                };
                student.save_whole(&folder.student())?;
                Reader::of(student, &folder.student())
            }
        }
    }
}
