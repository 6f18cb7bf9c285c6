//! The jobs of a run file, each from its stages: a stage whose result is there is skipped.

use std::path::Path;

use anyhow::{Context, ensure};
use optical_distill::Event;
use optical_evaluation::{BuiltIn, Evaluations, join_students, student_name};
use optical_report::Table;
use optical_report::page::RunSummary;
use optical_store::Reader;

use crate::continuation::Predecessor;
use crate::english::ZeroShot;
use crate::metrics::read_events;
use crate::provenance::{Clock, facts, write_run_json};
use crate::{
    Experiment, ExperimentData, Findings, Inputs, Lexical, RunFile, Site, Space, Started, Students,
    bitext, check, head, page, pictures, summary,
};

/// A run's scores.
#[derive(Debug)]
pub struct Scored {
    /// By system and language.
    pub evaluations: Evaluations,
    /// The first measure of every system in every language.
    pub table: Table,
}

/// A run's scores, with what its report says of them.
#[derive(Debug)]
pub struct Report {
    /// What is in `report.md` and `results.json`.
    pub summary: RunSummary,
    /// The scores.
    pub scored: Scored,
}

/// Distils, indexes, evaluates and reports. With `from`, the
/// training begins from that run's last checkpoint.
///
/// # Errors
/// If a stage fails, or somebody stops it: the same call resumes.
pub fn train(started: Started, from: Option<&Path>) -> anyhow::Result<Report> {
    let mut clock = Clock::start();
    let Started {
        experiment,
        mut data,
    } = started;
    let Experiment { run, folder, .. } = &experiment;
    let host = experiment.host();

    data.tell(host)?;
    let teacher = experiment.teacher()?;
    let inputs = Inputs::of_students(run, &data).with_model(&teacher.key);
    let inputs = inputs.with_student(run, &experiment.site.store)?;
    let from = from.map(|from| Predecessor::find(from, &experiment, &inputs));
    let from = from.transpose()?.flatten();
    folder.create(run.text())?;
    // Noted first: in a folder where something was trained, notes that are missing are a former version's.
    inputs.note(folder, host)?;
    if let Some(from) = from {
        from.take_over(&experiment, &teacher)?;
    }
    bitext::write_json(folder, &data.report)?;
    let lexical = Lexical::prepare(&experiment, &mut data)?;
    clock.stage("fetch and prepare");

    let head = head(&experiment, &teacher, &mut data)?;
    let space = Space::open(&experiment, teacher, head, &mut data)?;
    let mut makes = Students::open(&experiment, &space, &lexical, &data)?;
    clock.stage("document index");

    let (mut zero_shots, mut students) = (Vec::new(), Vec::new());
    for repetition in 0..run.repetitions {
        let zero_shot = makes.zero_shot(repetition, &mut data)?;
        zero_shots.extend(zero_shot.map(|it| it.reader));
        students.push(makes.student(repetition, &mut data)?);
    }
    clock.stage("distillation");

    let kinds = [
        (BuiltIn::ZeroShot, zero_shots),
        (BuiltIn::Distilled, students.clone()),
    ];
    let evaluations = evaluate(&experiment, &data, &space, &lexical, &kinds)?;
    clock.stage("search");

    let events = read_events(folder)?;
    pictures::draw_training(&events, &folder.file("training"))?;
    if let Some(pair) = pictures::pair_to_draw(data.held_out(), &run.picture) {
        let sides = [pair.english.as_str(), pair.foreign.as_str()];
        let student = &students[0];
        let models = [
            (&space.teacher.model, &space.head),
            (&student.model, &student.head),
        ];
        let objectives = &run.distill.objectives;
        let device = experiment.device();
        let soft = pictures::align(models, sides, objectives, device)?;
        if let Some(soft) = soft {
            pictures::draw_alignment(&soft, &run.picture, &folder.file("alignment"))?;
        }
    }
    report(&experiment, &data, evaluations, &events, &clock)
}

/// Ranks and scores the systems that need no encoder.
///
/// # Errors
/// If a stage fails, or somebody stops it.
pub fn baselines(started: Started) -> anyhow::Result<Scored> {
    let Started {
        experiment,
        mut data,
    } = started;
    let Experiment { run, folder, .. } = &experiment;
    data.tell(experiment.host())?;
    folder.create(run.text())?;
    Inputs::of_students(run, &data).note(folder, experiment.host())?;
    let queries = experiment.asked(&data.collection.queries);
    let english = experiment.asked(&data.collection.english);
    let lexical = Lexical::prepare(&experiment, &mut data)?;
    let systems = lexical.systems(&queries, &english);
    let evaluations = experiment.evaluator();
    scored(
        &experiment,
        evaluations.evaluate(&data.collection, &systems)?,
    )
}

/// Scores a finished run on the questions of its `[final_test]`, in a folder of its own below the
/// run's.
///
/// # Errors
/// If the run has no such table or no finished student, a stage fails, or somebody stops it.
pub fn final_test(finished: &Experiment, site: &Site) -> anyhow::Result<Report> {
    let mut clock = Clock::start();
    let Experiment { run, folder, .. } = finished;
    let experiment = Experiment::new(tested(finished)?, &folder.final_test(), site)?;
    let mut data = ExperimentData::load(&experiment.run, &site.store)?;
    data.tell(experiment.host())?;
    experiment.folder.create(run.text())?;
    let lexical = Lexical::prepare(&experiment, &mut data)?;
    let teacher = experiment.teacher()?;
    Inputs::default().with_model(&teacher.key).check(folder)?;
    let head = finished.kept_head(&teacher)?;
    let space = Space::open(&experiment, teacher, head, &mut data)?;
    clock.stage("document index");

    let students: Vec<Reader> = (0..run.repetitions)
        .map(|repetition| {
            let student = finished.student(repetition)?;
            student.with_context(|| unfinished(finished, repetition))
        })
        .collect::<anyhow::Result<_>>()?;
    let mut kinds = vec![(BuiltIn::Distilled, students)];
    if run.student.is_some() {
        let kept =
            (0..run.repetitions).map(|repetition| ZeroShot::kept(finished, repetition, &space));
        let readers = kept.map(|kept| Ok(kept?.reader));
        kinds.push((BuiltIn::ZeroShot, readers.collect::<anyhow::Result<_>>()?));
    }
    let evaluations = evaluate(&experiment, &data, &space, &lexical, &kinds)?;
    clock.stage("search");
    let events = read_events(folder)?;
    report(&experiment, &data, evaluations, &events, &clock)
}

/// Refuses a run that has no `[final_test]`, or neither a report of it nor all students.
///
/// # Errors
/// If it is such a run.
pub fn check_tested(finished: &Experiment) -> anyhow::Result<()> {
    tested(finished)?;
    if finished.folder.final_test().join("report.md").is_file() {
        return Ok(());
    }
    for repetition in 0..finished.run.repetitions {
        let folder = finished.folder.existing_repetition(repetition);
        ensure!(folder.has_student(), "{}", unfinished(finished, repetition));
    }
    Ok(())
}

/// Finds all that is wrong with the questions of a run's `[final_test]`.
pub fn check_final_test(finished: &Experiment, site: &Site, findings: &mut Findings) {
    if let Some(run) = findings.take(tested(finished)) {
        check(&run, site, false, true, findings);
    }
}

fn tested(finished: &Experiment) -> anyhow::Result<RunFile> {
    let file = finished.folder.run_file();
    let tested = finished.run.final_test();
    tested.with_context(|| format!("{} has no [final_test] table", file.display()))
}

fn unfinished(experiment: &Experiment, repetition: usize) -> String {
    let student = experiment.folder.existing_repetition(repetition).student();
    format!(
        "{} is not there: the run has not been finished",
        student.display()
    )
}

/// Ranks by all systems, and measures.
fn evaluate(
    experiment: &Experiment,
    data: &ExperimentData,
    space: &Space,
    lexical: &Lexical,
    kinds: &[(BuiltIn, Vec<Reader>)],
) -> anyhow::Result<Evaluations> {
    let collection = &data.collection;
    let mut evaluations = space.evaluate_untrained(experiment, collection, lexical)?;
    for (kind, students) in kinds.iter().filter(|(_, students)| !students.is_empty()) {
        for (repetition, student) in students.iter().enumerate() {
            let name = student_name(*kind, repetition, students.len());
            evaluations.extend(space.evaluate(experiment, collection, &name, student)?);
        }
        join_students(&mut evaluations, *kind, students.len())?;
    }
    Ok(evaluations)
}

/// Writes the report of what was found, and the facts beside it.
fn report(
    experiment: &Experiment,
    data: &ExperimentData,
    evaluations: Evaluations,
    events: &[Event],
    clock: &Clock,
) -> anyhow::Result<Report> {
    let facts = facts(experiment, events, clock);
    write_run_json(&experiment.folder, &facts)?;
    Ok(Report {
        summary: page::write(experiment, data, &evaluations, events, facts)?,
        scored: scored(experiment, evaluations)?,
    })
}

fn scored(experiment: &Experiment, evaluations: Evaluations) -> anyhow::Result<Scored> {
    Ok(Scored {
        table: summary::table(experiment, &evaluations)?,
        evaluations,
    })
}
