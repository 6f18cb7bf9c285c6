//! A variant of a study through the stages of an experiment; what variants share is made once.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use optical_corpus::collection::Collection;
use optical_distill::Event;
use optical_encoder::Head;
use optical_evaluation::{Queries, rounded, scores_of};
use optical_experiment::{
    Experiment, ExperimentData, Inputs, Lexical, RunFile, RunSettings, Site, Space, StageNote,
    Students, WORDS, head, read_events, write_bitext,
};
use optical_store::{Place, Reader, Store, key, read_json, write_json};

use crate::covariates::{Covariates, consistency, hubs, of_student, of_training, questions};
use crate::{StudentScores, UntrainedScores};

/// Beside a student, what is known of it once it is gone.
const FACTS: &str = "covariates.json";

/// A variant, ready to be run.
pub(crate) struct Setting {
    /// Its run file, folder and device.
    pub(crate) experiment: Experiment,
    /// The run file's fingerprint.
    pub(crate) fingerprint: String,
    /// The data and the model, where the scoreboard asks for them.
    pub(crate) today: Option<Inputs>,
}

impl Setting {
    /// Prepares a run file to be run in a folder of its own.
    pub(crate) fn new(run: RunFile, folder: &Path, site: &Site) -> anyhow::Result<Self> {
        Ok(Self {
            fingerprint: run.fingerprint()?,
            experiment: Experiment::new(run, folder, site)?,
            today: None,
        })
    }
}

/// Documents, the teacher that reads them, and the heads after which they are wanted.
struct Reading<'a> {
    experiment: &'a Experiment,
    teacher: Reader,
    collection: Collection,
    heads: Vec<Head>,
}

impl Reading<'_> {
    /// Tells whether an experiment has the same documents, read by the same teacher in the same way.
    fn serves(&self, experiment: &Experiment) -> bool {
        let (ours, theirs) = (&self.experiment.run, &experiment.run);
        ours.model == theirs.model
            && ours.collection == theirs.collection
            && ours.retrieval.documents() == theirs.retrieval.documents()
    }
}

/// What the students of all variants with the same sources share.
struct Prepared {
    /// What run files say of the sources.
    sources: String,
    data: ExperimentData,
    /// With what run files say of words.
    lexical: Option<(String, Lexical)>,
}

/// Runs variants one after the other; keeps what they share.
pub(crate) struct Variants<'a> {
    site: &'a Site,
    keep_students: bool,
    /// Whether students rank the English versions of queries.
    covariates: bool,
    /// With the name it has in the run file.
    teacher: Option<(String, Reader)>,
    prepared: Option<Prepared>,
    /// What has been read so far, by what run files say of it.
    inputs: BTreeMap<String, Inputs>,
}

impl<'a> Variants<'a> {
    /// Prepares to train variants; students stay or go once they are ranked.
    pub(crate) fn new(site: &'a Site, keep_students: bool, covariates: bool) -> Self {
        Self {
            site,
            keep_students,
            covariates,
            teacher: None,
            prepared: None,
            inputs: BTreeMap::new(),
        }
    }

    /// Reads the documents once for all variants that have the same but for the head after the teacher.
    pub(crate) fn index_documents(&mut self, settings: &[(&str, &Setting)]) -> anyhow::Result<()> {
        let mut readings = Vec::new();
        for (name, setting) in settings {
            self.add_head(setting, &mut readings)
                .with_context(|| (*name).to_owned())?;
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
        let experiment = &setting.experiment;
        let mut prepared = self.begin(experiment)?;
        let teacher = self.teacher(experiment)?;
        let head = head(experiment, &teacher, &mut prepared.data)?;
        match readings.iter_mut().find(|it| it.serves(experiment)) {
            Some(reading) => reading.heads.push(head),
            None => readings.push(Reading {
                experiment,
                teacher,
                collection: prepared.data.collection.clone(),
                heads: vec![head],
            }),
        }
        self.prepared = Some(prepared);
        Ok(())
    }

    /// Returns the data and the model that a variant's scores follow from, as far as they are in the
    /// cache: nothing is fetched, converted or written there.
    pub(crate) fn inputs_at_hand(&self, experiment: &Experiment) -> anyhow::Result<Inputs> {
        let run = &experiment.run;
        let store = Store {
            offline: true,
            ..self.site.store.clone()
        };
        let data = ExperimentData::load_below(run, &store, &self.site.temporary)?;
        let inputs = Inputs::of_students(run, &data).with_questions(run, &data);
        let inputs = inputs.with_student(run, &store)?;
        match store.place(&run.model)? {
            Place::Here(folder) => Ok(inputs.with_model(&key::of_model(&folder)?)),
            Place::Away(_) => Ok(inputs),
        }
    }

    /// Returns the data and the model that a variant's scores follow from.
    pub(crate) fn inputs(&mut self, experiment: &Experiment) -> anyhow::Result<Inputs> {
        let sources = sources(&experiment.run)?;
        if let Some(known) = self.inputs.get(&sources) {
            return Ok(known.clone());
        }
        let prepared = self.read(experiment)?;
        let inputs = self.add_inputs(sources, experiment, &prepared.data);
        self.prepared = Some(prepared);
        inputs
    }

    fn add_inputs(
        &mut self,
        sources: String,
        experiment: &Experiment,
        data: &ExperimentData,
    ) -> anyhow::Result<Inputs> {
        let run = &experiment.run;
        let mut inputs = Inputs::of_students(run, data).with_questions(run, data);
        inputs = inputs.with_student(run, &self.site.store)?;
        let loaded = self.teacher.as_ref().filter(|(name, _)| *name == run.model);
        if let Some((_, teacher)) = loaded {
            // What students are made of, whatever is in the folder by now.
            inputs = inputs.with_model(&teacher.key);
        } else if let Ok(folder) = self.site.store.model(&run.model) {
            inputs = inputs.with_model(&key::of_model(&folder)?);
        }
        self.inputs.insert(sources, inputs.clone());
        Ok(inputs)
    }

    /// Ranks and measures the systems that are not trained, as a variant has them; those that rank by
    /// words alone where the others are `known`.
    pub(crate) fn untrained(
        &mut self,
        setting: &Setting,
        known: Option<UntrainedScores>,
    ) -> anyhow::Result<UntrainedScores> {
        let experiment = &setting.experiment;
        let mut prepared = self.begin(experiment)?;
        prepared.data.tell(experiment.host())?;
        prepared.prepare_words(experiment)?;
        let today = self.inputs(experiment)?;
        let (mut scores, inputs, found) = match known {
            None => {
                let space = self.space(experiment, &mut prepared.data)?;
                let collection = &prepared.data.collection;
                let found = space.evaluate_untrained(experiment, collection, prepared.words()?)?;
                (BTreeMap::new(), Some(today), found)
            }
            Some(known) => {
                let collection = &prepared.data.collection;
                let queries = experiment.asked(&collection.queries);
                let english = experiment.asked(&collection.english);
                let systems = prepared.words()?.systems(&queries, &english);
                let found = experiment.evaluator().evaluate(collection, &systems)?;
                (known.scores, known.inputs, found)
            }
        };
        let first = experiment.first_measure();
        for (name, found) in found {
            scores.insert(name, rounded(scores_of(&found, first)));
        }
        self.prepared = Some(prepared);
        Ok(UntrainedScores {
            scores,
            inputs,
            words: WORDS,
        })
    }

    /// Trains, ranks and measures a student, counted from zero; resumes from what is there.
    pub(crate) fn student(
        &mut self,
        setting: &Setting,
        student: usize,
    ) -> anyhow::Result<StudentScores> {
        let experiment = &setting.experiment;
        let mut prepared = self.begin(experiment)?;
        let folder = experiment.folder.repetition(student)?;
        let name = format!("student-{}", student + 1);
        let english_name = format!("{name}-english");
        let queries = experiment.asked(&prepared.data.collection.queries);
        let english = match self.covariates {
            true => experiment.asked(&prepared.data.collection.english),
            false => Queries::new(),
        };
        let evaluator = experiment.evaluator();
        let facts = folder.file(FACTS);
        let is_ranked = evaluator.kept(&name, &queries)?.is_some();
        let is_whole = facts.is_file() && evaluator.kept(&english_name, &english)?.is_some();
        // Rankings of a student that is gone are worth more than what else could be known of it.
        if !is_ranked || !is_whole && folder.has_student() {
            self.train(experiment, &mut prepared, student, [&name, &english_name])?;
        }
        let rankings = evaluator.kept(&name, &queries)?.unwrap_or_default();
        let mut covariates: Covariates = read_json(&facts)?;
        if let Some(english) = evaluator.kept(&english_name, &english)?
            && !english.is_empty()
        {
            covariates.extend(consistency(&queries, &rankings, &english)?);
        }
        covariates.insert("hub10".to_owned(), hubs(&queries, &rankings));
        let collection = &prepared.data.collection;
        covariates.insert("questions".to_owned(), questions(experiment, collection));
        let evaluations = evaluator.measured(collection, &queries, rankings)?;
        self.prepared = Some(prepared);
        let events = read_events(&folder)?;
        let mut readings = events.iter().rev().filter_map(|event| match event {
            Event::Instruments { reading, .. } => Some(reading.within_sentence_cosine),
            _ => None,
        });
        let (first, others) = (experiment.first_measure(), &experiment.measures()[1..]);
        let others = others.iter().filter(|measure| measure.is_per_topic());
        let others = others.map(|measure| {
            let scores = rounded(scores_of(&evaluations, *measure));
            (measure.to_string(), scores)
        });
        let mut all = of_training(&experiment.run, &events);
        if let Some(turn) = StageNote::of(&folder)?.projection.last() {
            all.insert("projection_r2".to_owned(), turn.r_squared.into());
        }
        all.extend(covariates);
        Ok(StudentScores {
            scores: rounded(scores_of(&evaluations, first)),
            measures: others.collect(),
            covariates: all,
            within_sentence_cosine: readings.next(),
            inputs: Some(self.inputs(experiment)?),
        })
    }

    /// Removes a student and its checkpoints once its scores are kept, unless students stay.
    pub(crate) fn leave(&self, setting: &Setting, student: usize) -> anyhow::Result<()> {
        if !self.keep_students {
            let folder = setting.experiment.folder.repetition(student)?;
            remove(&folder.student())?;
            remove(&folder.checkpoints())?;
        }
        Ok(())
    }

    /// Removes what a cell's students began with from the cache once the study is done, unless students
    /// stay.
    pub(crate) fn leave_stages(&self, setting: &Setting, students: usize) -> anyhow::Result<()> {
        for student in (0..students).filter(|_| !self.keep_students) {
            let folder = setting.experiment.folder.existing_repetition(student);
            StageNote::of(&folder)?.remove(&self.site.store)?;
        }
        Ok(())
    }

    /// Trains a student, or reads it back, writes down what is known of it, and ranks by it: the queries
    /// as the first of two systems, and as the second their English versions, where a study asks for them.
    fn train(
        &mut self,
        experiment: &Experiment,
        prepared: &mut Prepared,
        student: usize,
        [name, english_name]: [&str; 2],
    ) -> anyhow::Result<()> {
        prepared.prepare_words(experiment)?;
        let space = self.space(experiment, &mut prepared.data)?;
        let Prepared { data, lexical, .. } = prepared;
        let (_, lexical) = lexical.as_ref().context("words are prepared above")?;
        let mut students = Students::open(experiment, &space, lexical, data)?;
        let trained = students.student(student, data)?;
        let facts = of_student(experiment, &data.collection, &trained)?;
        let folder = experiment.folder.repetition(student)?;
        write_json(&folder.file(FACTS), &facts)?;
        if self.covariates {
            let english = Collection {
                queries: data.collection.english.clone(),
                ..data.collection.clone()
            };
            space.evaluate(experiment, &english, english_name, &trained)?;
        }
        space.evaluate(experiment, &data.collection, name, &trained)?;
        Ok(())
    }

    /// Reads a variant's data, unless the last variant had the same.
    fn read(&mut self, experiment: &Experiment) -> anyhow::Result<Prepared> {
        let sources = sources(&experiment.run)?;
        let kept = self.prepared.take().filter(|it| it.sources == sources);
        match kept {
            Some(kept) => Ok(kept),
            None => Ok(Prepared {
                data: ExperimentData::load(&experiment.run, &self.site.store)?,
                lexical: None,
                sources,
            }),
        }
    }

    /// Reads a variant's data, and begins its folder.
    fn begin(&mut self, experiment: &Experiment) -> anyhow::Result<Prepared> {
        experiment.host().check()?;
        let prepared = self.read(experiment)?;
        let Experiment { run, folder, .. } = experiment;
        folder.create(run.text())?;
        let inputs = self.add_inputs(prepared.sources.clone(), experiment, &prepared.data)?;
        inputs.note(folder, experiment.host())?;
        write_bitext(folder, &prepared.data.report)?;
        Ok(prepared)
    }

    /// Opens a variant's teacher, head and documents.
    fn space(
        &mut self,
        experiment: &Experiment,
        data: &mut ExperimentData,
    ) -> anyhow::Result<Space> {
        let teacher = self.teacher(experiment)?;
        let head = head(experiment, &teacher, data)?;
        Space::open(experiment, teacher, head, data)
    }

    /// Returns a variant's teacher, loaded unless the last one had the same.
    fn teacher(&mut self, experiment: &Experiment) -> anyhow::Result<Reader> {
        let name = &experiment.run.model;
        let kept = self.teacher.take().filter(|(kept, _)| kept == name);
        let (_, teacher) = match kept {
            Some(kept) => self.teacher.insert(kept),
            None => self.teacher.insert((name.clone(), experiment.teacher()?)),
        };
        Ok(teacher.clone())
    }
}

impl Prepared {
    /// Prepares what ranks by words, unless the last variant had the same.
    fn prepare_words(&mut self, experiment: &Experiment) -> anyhow::Result<()> {
        let run = &experiment.run;
        let retrieval = &run.retrieval;
        let words = (&run.translation, retrieval.bm25_k1, retrieval.bm25_b);
        let words = serde_json::to_string(&words)?;
        if self.lexical.as_ref().is_none_or(|(of, _)| *of != words) {
            let lexical = Lexical::prepare(experiment, &mut self.data)?;
            self.lexical = Some((words, lexical));
        }
        Ok(())
    }

    fn words(&self) -> anyhow::Result<&Lexical> {
        let words = self.lexical.as_ref().map(|(_, lexical)| lexical);
        words.context("words are prepared first")
    }
}

/// Returns what a run file says of where its data and its model are.
fn sources(run: &RunSettings) -> anyhow::Result<String> {
    let RunSettings {
        model,
        languages,
        bitext,
        bitext_filter,
        collection,
        development,
        student,
        ..
    } = run;
    let own = student.as_ref().map(|it| (&it.model, &it.english.texts));
    let training = &run.distill.training;
    Ok(serde_json::to_string(&(
        (model, languages, bitext, bitext_filter),
        (collection, development, own),
        // Which pairs are held out.
        (training.seed, training.instruments.held_out),
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
