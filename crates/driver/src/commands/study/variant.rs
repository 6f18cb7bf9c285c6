//! One student of one variant, from what earlier ones have left to its evaluation.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use burn::tensor::Device;
use optical_distill::Event;
use optical_encoder::{Head, Model};
use optical_retrieval::Evaluation;

use crate::experiment::development::Development;
use crate::experiment::index::{document_indexes, own_index};
use crate::experiment::lexical::Lexical;
use crate::experiment::metrics::read_events;
use crate::experiment::passages::ScoredPassages;
use crate::experiment::ranking::{Asked, System};
use crate::experiment::scores::{Evaluations, evaluate_systems};
use crate::experiment::teaching::{Students, head};
use crate::experiment::{Experiment, ExperimentData, filtering};
use crate::model_source;

/// A variant, ready to be run.
pub struct Setting {
    /// Its run file, folder and device.
    pub experiment: Experiment,
    /// The run file's text.
    pub text: String,
}

/// What is known of a variant.
#[derive(Debug, Clone, Default)]
pub struct Results {
    /// Its students, in the order of their seeds.
    pub students: Vec<StudentResult>,
}

/// A student's numbers.
#[derive(Debug, Clone)]
pub struct StudentResult {
    /// By language.
    pub evaluations: BTreeMap<String, Evaluation>,
    /// Cosine between tokens of a sentence at the last reading.
    pub within_sentence_cosine: Option<f64>,
}

/// Runs variants one after the other; keeps the teacher they share.
pub struct Variants<'a> {
    devices: &'a [Device],
    offline: bool,
    teacher: Option<Teacher>,
}

struct Teacher {
    name: String,
    folder: PathBuf,
    model: Model,
}

impl<'a> Variants<'a> {
    /// Variants to be trained on the `devices`.
    pub fn new(devices: &'a [Device], offline: bool) -> Self {
        Self {
            devices,
            offline,
            teacher: None,
        }
    }

    /// The systems that are not trained, as a variant has them.
    pub fn frozen(&mut self, setting: &Setting) -> anyhow::Result<Evaluations> {
        let Setting { experiment, text } = setting;
        let mut data = self.begin(experiment, text)?;
        data.say()?;
        let teacher = self.teacher(experiment)?;
        let lexical = Lexical::prepare(experiment, &mut data)?;
        let queries = experiment.asked(&data.collection.queries);
        let english = experiment.asked(&data.collection.english);
        let mut systems = lexical.systems(&queries, &english);
        let head = head(experiment, &teacher.model, &mut data)?;
        let raw = Head::identity(teacher.model.config.hidden_size);
        let heads = [&head, &raw];
        let documents = &data.collection.documents;
        let indexes = document_indexes(
            experiment,
            &teacher.model,
            &teacher.folder,
            &heads,
            documents,
        )?;
        for (name, head, index, queries) in [
            ("zero-shot-raw", &raw, &indexes[1], &queries),
            ("zero-shot", &head, &indexes[0], &queries),
            ("english", &head, &indexes[0], &english),
        ] {
            let model = &teacher.model;
            systems.push(Asked {
                name,
                system: System::LateInteraction { model, head, index },
                queries,
            });
        }
        evaluate_systems(experiment, &data.collection, &systems)
    }

    /// Trains, ranks and measures a student, counted from zero; what is there is read back.
    pub fn student(&mut self, setting: &Setting, student: usize) -> anyhow::Result<StudentResult> {
        let Setting { experiment, text } = setting;
        let mut data = self.begin(experiment, text)?;
        let queries = experiment.asked(&data.collection.queries);
        let name = format!("student-{}", student + 1);
        let ranked = |language| experiment.folder.run(&name, language).is_file();
        let evaluations = if queries.keys().all(|language| ranked(language)) {
            // Nothing is asked of the model, so it need not be there.
            let system = System::Ranked;
            let asked = [Asked {
                name: &name,
                system,
                queries: &queries,
            }];
            evaluate_systems(experiment, &data.collection, &asked)?
        } else {
            let devices = self.devices;
            let teacher = self.teacher(experiment)?;
            let (model, folder) = (&teacher.model, &teacher.folder);
            let head = head(experiment, model, &mut data)?;
            let lexical = Lexical::prepare(experiment, &mut data)?;
            let switches = lexical.code_switches(&experiment.run)?;
            let development = Development::prepare(experiment, model, folder, &head)?;
            let documents = &data.collection.documents;
            let indexes = document_indexes(experiment, model, folder, &[&head], documents)?;
            let judge = development.as_ref();
            let seed = experiment.run.distill.training.seed;
            let passages = experiment.run.passages.map(|choice| {
                ScoredPassages::new(choice, seed, lexical.words(), &indexes[0], documents)
            });
            let passages = passages.as_ref();
            let mut students = Students::new(
                experiment, devices, model, &head, judge, &switches, passages,
            );
            let trained = students.student(student, &mut data)?;
            let trained =
                trained.context("stopped; the same command goes on from the checkpoint")?;
            let student_folder = experiment.folder.repetition(student)?.student();
            let documents = &data.collection.documents;
            let own = own_index(experiment, &trained, &student_folder, documents)?;
            let asked = [Asked {
                name: &name,
                system: System::LateInteraction {
                    model: &trained,
                    head: &head,
                    index: own.as_ref().unwrap_or(&indexes[0]),
                },
                queries: &queries,
            }];
            evaluate_systems(experiment, &data.collection, &asked)?
        };
        let events = read_events(&experiment.folder.repetition(student)?)?;
        let mut readings = events.iter().rev().filter_map(|event| match event {
            Event::Instruments { reading, .. } => Some(reading.within_sentence_cosine),
            _ => None,
        });
        Ok(StudentResult {
            evaluations: evaluations.into_values().next().unwrap_or_default(),
            within_sentence_cosine: readings.next(),
        })
    }

    /// Reads a variant's data, and begins its folder.
    fn begin(&self, experiment: &Experiment, text: &str) -> anyhow::Result<ExperimentData> {
        experiment.interrupt.check()?;
        let data = ExperimentData::load(&experiment.run, &experiment.cache, self.offline)?;
        experiment.folder.create(text)?;
        filtering::write_json(&experiment.folder, &data.report)?;
        Ok(data)
    }

    /// The teacher of a variant, loaded unless the last one had the same.
    fn teacher(&mut self, experiment: &Experiment) -> anyhow::Result<&Teacher> {
        let name = &experiment.run.model;
        let kept = self.teacher.take().filter(|teacher| teacher.name == *name);
        let teacher = match kept {
            Some(teacher) => teacher,
            None => {
                let folder = model_source::folder(name, &experiment.cache, self.offline)?;
                let model = Model::load(&folder, &experiment.device)
                    .with_context(|| format!("model {name}"))?;
                Teacher {
                    name: name.clone(),
                    folder,
                    model,
                }
            }
        };
        Ok(self.teacher.insert(teacher))
    }
}
