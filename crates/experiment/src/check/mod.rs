//! Everything that can be known of a run from its files and settings, before its first tensor: what is
//! wrong with them, all at once, and what the run will take.

pub mod disk;
pub mod estimate;
pub mod lengths;
pub mod pairs;
mod translation;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::Context;
use optical_corpus::bitext::DataRoots;
use optical_corpus::collection::{CollectionSource, Document};
use optical_corpus::formats::english_text::EnglishText;
use optical_distill::settings::TeacherReads;
use optical_encoder::Outline;
use optical_store::Place;

use self::estimate::{Need, Shape, Sizes, Texts};
use crate::collections::{CollectionReader, collection};
use crate::data::manifests;
use crate::site::roots;
use crate::{Experiment, ExperimentData, Findings, RunFile, Site};

/// What is to be done with a run file.
#[derive(Debug)]
pub struct Start<'a> {
    /// The run file; its values are checked here.
    pub run: RunFile,
    /// The run folder.
    pub folder: PathBuf,
    /// Where to run.
    pub site: &'a Site,
    /// Whether to find all that is wrong and nothing more: nothing is fetched or written.
    pub check_only: bool,
    /// Whether there is an encoder in it.
    pub encodes: bool,
}

/// A run whose files and settings are sound.
#[derive(Debug)]
pub struct Started {
    /// The run.
    pub experiment: Experiment,
    /// What it reads.
    pub data: ExperimentData,
}

/// What became of opening something that takes long.
#[derive(Debug)]
pub enum Opened<T> {
    /// It can begin.
    Ready(Box<T>),
    /// It was only to be checked: what was found, in lines for people.
    Checked(String),
}

impl Start<'_> {
    /// Finds all that is wrong with a run, beside what the caller has found, and opens it.
    ///
    /// # Errors
    /// If something keeps the run from being made: all of it, with file and line.
    pub fn open(self, mut findings: Findings) -> anyhow::Result<Opened<Started>> {
        let Self {
            run,
            folder,
            site,
            check_only,
            encodes,
        } = self;
        let (cache, host) = (&site.store.cache, &site.store.host);
        if let Some(file) = run.path() {
            findings.within_file(file, run.text());
        }
        let device = site.device();
        let precision = run.distill.training.precision;
        if encodes && !precision.is_supported(device) {
            findings.fault(format!(
                "distill.training.precision: the device has no {precision:?} numbers"
            ));
        }
        let checked = check(&run, site, check_only, encodes, &mut findings);
        let experiment = match run.measured() {
            Ok(_) => findings.take(Experiment::new(run.clone(), &folder, site)),
            // Told with the other values.
            Err(_) => None,
        };
        if let (Some(experiment), true) = (&experiment, !check_only) {
            findings.take(experiment.folder.lock());
        }
        disk::writable(&folder, &mut findings);
        let need = findings.is_sound().then(|| {
            // Only who asks what a run takes waits for the machine to be measured.
            checked.need(&run, |hidden| match check_only {
                true => estimate::speed(device, hidden),
                false => 1.0,
            })
        });
        let need = need.and_then(|need| findings.take(need)).flatten();
        if let Some(need) = &need {
            // A folder that is there may have its students already.
            let certain = if folder.exists() { 0 } else { need.student };
            disk::free(&folder, need.run_folder, certain, &mut findings);
            disk::free(cache, need.cache, 0, &mut findings);
        }
        findings.told(host)?;
        if check_only {
            let lines = checked.away.iter().map(|line| format!("{line}\n"));
            let need = need.map_or_else(
                || "what the run takes can be said once all of this is in the cache\n".to_owned(),
                |need| need.table(&folder, cache),
            );
            return Ok(Opened::Checked(lines.collect::<String>() + &need));
        }
        Ok(Opened::Ready(Box::new(Started {
            experiment: experiment.context("the run folder is not open")?,
            data: checked.data.context("the data are not whole")?,
        })))
    }
}

/// What a check has read.
#[derive(Debug, Default)]
pub struct Checked {
    /// The data, where all of them are there.
    pub data: Option<ExperimentData>,
    /// The model, where it is there.
    pub outline: Option<Outline>,
    /// What students begin as: the model, or one of their own.
    pub student: Option<Outline>,
    /// What will be fetched.
    pub away: Vec<String>,
    sample: pairs::PairSample,
}

/// Finds all that is wrong with a run.
pub fn check(
    run: &RunFile,
    site: &Site,
    check_only: bool,
    encodes: bool,
    findings: &mut Findings,
) -> Checked {
    let cache = &site.store.cache;
    for fault in run.faults() {
        findings.fault(fault);
    }
    let training = &run.distill.training;
    let warm_up = training.optimiser.warm_up;
    if 0 < training.steps && training.steps <= warm_up {
        findings.warn(format!(
            "distill.training.optimiser.warm_up = {warm_up}: of {} steps, none has the whole rate",
            training.steps
        ));
    }
    translation::files(run, &site.programs, findings);
    let mut checked = Checked::default();
    if encodes {
        let mut read = |model| outline(model, site, check_only, findings, &mut checked.away);
        checked.outline = read(&run.model);
        checked.student = match run.student_model() {
            own if own != run.model => read(own),
            _ => checked.outline.clone(),
        };
    }
    let models = [&checked.outline, &checked.student];
    let looked_at = lengths::of_run(run, models.map(Option::as_ref), findings);
    findings.take(looked_at.map_err(anyhow::Error::from));
    retention(run, site, findings);
    if let Some(student) = &run.student {
        english_text(&student.english.texts, findings);
    }
    if !fetched(run, site, check_only, findings, &mut checked.away) {
        return checked;
    }
    let roots = roots(cache);
    let reader = checked.outline.as_ref().map(|outline| CollectionReader {
        outline,
        retrieval: &run.retrieval,
    });
    let temporary = match check_only {
        true => site.temporary.clone(),
        false => cache.to_owned(),
    };
    let mut data = ExperimentData::read(run, &roots, &temporary, reader, findings);
    if let Some(source) = &run.final_test {
        final_test(run, source, &roots, reader, findings);
    }
    if let (Some(teacher), Some(student), Some(data)) =
        (&checked.outline, &checked.student, &mut data)
    {
        let sample = pairs::pairs(run, [teacher, student], data, findings).context("[[bitext]]");
        checked.sample = findings.take(sample).unwrap_or_default();
    }
    checked.data = data;
    checked
}

/// Finds languages that are to be held where a teacher puts them that says it does not read them.
fn retention(run: &RunFile, site: &Site, findings: &mut Findings) {
    if run.teacher_languages.is_some() {
        return;
    }
    // A model that cannot be had is told where it is read.
    let Ok(Some(read)) = site.store.languages(&run.model) else {
        return;
    };
    for language in run.distill.retention.keys() {
        if !read.contains(language) {
            findings.fault(format!(
                "distill.retention.{language}: {} reads {} alone, so its states of it are nothing to hold",
                run.model,
                read.join(", ")
            ));
        }
    }
}

/// Finds files of English text that cannot be read.
fn english_text(texts: &[EnglishText], findings: &mut Findings) {
    for text in texts {
        let first = text.each(|_| ControlFlow::Break(()));
        findings.take(first.context("student.english.texts"));
    }
}

/// Checks the questions of the final test, which may be there later than the run.
fn final_test(
    run: &RunFile,
    source: &CollectionSource,
    roots: &DataRoots,
    reader: Option<CollectionReader<'_>>,
    findings: &mut Findings,
) {
    let languages: Vec<String> = run.classes().into_iter().map(|it| it.0).collect();
    let mut found = Findings::default();
    collection(
        "[final_test]",
        source,
        roots,
        &languages,
        reader,
        &mut found,
    );
    findings.only_warn_of(found);
}

/// Reads what is known of the run's model, if it is there or can be fetched.
pub fn outline(
    model: &str,
    site: &Site,
    check_only: bool,
    findings: &mut Findings,
    away: &mut Vec<String>,
) -> Option<Outline> {
    let place = findings.take(site.store.place(model))?;
    let folder = match place {
        Place::Here(folder) => folder,
        Place::Away(bytes) if check_only => {
            away.push(match bytes {
                Some(0) => format!("model {model} will be converted"),
                Some(bytes) => format!("model {model} will be fetched: {}", megabytes(bytes)),
                None => format!("model {model} will be fetched"),
            });
            return None;
        }
        Place::Away(_) if !site.store.offline && !findings.is_sound() => return None,
        Place::Away(_) => findings.take(site.store.model(model))?,
    };
    findings.take(Outline::read(&folder).with_context(|| format!("model {model}")))
}

/// Tells whether all data sets of a run are in the cache, where they are fetched to if need be.
fn fetched(
    run: &RunFile,
    site: &Site,
    check_only: bool,
    findings: &mut Findings,
    away: &mut Vec<String>,
) -> bool {
    let manifests: BTreeSet<&Path> = manifests(run).into_iter().collect();
    let fetches = !check_only && (site.store.offline || findings.is_sound());
    if fetches {
        let fetched = site.store.data_sets(manifests.into_iter());
        return findings.take(fetched).is_some();
    }
    let mut whole = true;
    for manifest in manifests {
        match findings.take(site.store.lacking(manifest)) {
            Some(None) => {}
            Some(Some((name, bytes))) => {
                whole = false;
                away.push(format!(
                    "{name} will be fetched: {} unpacked",
                    megabytes(bytes)
                ));
            }
            None => whole = false,
        }
    }
    whole
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

impl Checked {
    /// Returns what a run takes that reads what was checked; `None` where not all of it is there. `speed`
    /// says how many operations a second products of a width take.
    ///
    /// # Errors
    /// If a text cannot be tokenized.
    pub fn need(
        &self,
        run: &RunFile,
        speed: impl FnOnce(usize) -> f64,
    ) -> anyhow::Result<Option<Need>> {
        let threads = rayon::current_num_threads();
        let need = |shape: Shape| Need::of(&shape, speed(shape.teacher.hidden), threads);
        Ok(self.shape(run)?.map(need))
    }

    /// The sizes that decide what the run takes, where all of it is there.
    fn shape(&self, run: &RunFile) -> anyhow::Result<Option<Shape>> {
        let (Some(data), Some(outline), Some(student)) = (&self.data, &self.outline, &self.student)
        else {
            return Ok(None);
        };
        let collection = &data.collection;
        let documents = collection.documents.iter().map(Document::full_text);
        let documents: Vec<String> = documents.collect();
        let asked = run.classes().into_iter().map(|(language, _)| language);
        let asked = asked.filter_map(|language| collection.queries.get(&language));
        let queries: Vec<String> = asked.flatten().map(|query| query.text.clone()).collect();
        let training = &run.distill.training;
        let kept = data.report.languages.iter();
        let kept = kept.filter(|(language, _)| run.distill.bitext.contains_key(*language));
        let has = student.config.num_hidden_layers;
        let (layers, english) = match &run.student {
            Some(own) => {
                let training = &own.english.training;
                let pairs = training.steps * training.batch_size as u64;
                (own.layers.of(has).len(), pairs)
            }
            None => (run.distill.layers.unwrap_or(has), 0),
        };
        Ok(Some(Shape {
            teacher: Sizes::of(outline, outline.config.num_hidden_layers),
            student: Sizes::of(student, layers),
            english,
            once: run.distill.teacher_reads == Some(TeacherReads::Once),
            pieces: self.sample.pieces.len(),
            sampled: self.sample.pairs.max(1),
            pair_tokens: self.sample.tokens,
            pair_bytes: self.sample.bytes,
            pairs: kept.map(|(_, counts)| counts.kept).sum(),
            held_out: data.held_out().count(),
            readings: training.steps / training.instruments.every.max(1) + 1,
            steps: training.steps,
            batch: training.batch_size,
            parts: training.parts,
            stops: training.stopping.is_some(),
            repetitions: run.repetitions,
            queries: Texts::of(outline, &queries, run.retrieval.queries())?,
            documents: Texts::of(outline, &documents, run.retrieval.documents())?,
            development: data.development.as_ref().map_or((0, 0), |it| {
                let low = run.languages.low.iter();
                let queries = low.filter_map(|language| it.queries.get(language));
                (queries.map(Vec::len).sum(), it.documents.len())
            }),
            systems: run.translation.as_ref().map_or(0, |it| it.systems.len()),
            depth: run.retrieval.depth,
        }))
    }
}
