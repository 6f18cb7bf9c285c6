//! `optical study`: variants of a run file side by side, with several students each.

mod comparison;
mod file;
mod scoreboard;
mod variant;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use optical_report::page::StudySummary;
use optical_report::plot::dots;

use self::comparison::summary;
use self::file::StudyFile;
use self::scoreboard::{Scoreboard, Students, UntrainedScores};
use self::variant::{Setting, Variants};
use crate::cache;
use crate::device::TrainingDevices;
use crate::experiment::check::{Reach, check};
use crate::experiment::findings::Findings;
use crate::experiment::inputs::Inputs;
use crate::interrupt::Interrupt;
use crate::named::NamedFile;
use crate::run_file::RunFile;
use crate::say::{print, say};

/// Compare variants of a run file, with several students each; the same command resumes after a stop
///
/// The first students of all variants come first, then the second ones: after each, the page is
/// written anew with what there is.
#[derive(Debug, clap::Args)]
pub struct StudyArgs {
    #[command(flatten)]
    file: NamedFile,
    /// The study's folder [default: runs/NAME-OF-STUDY-FILE]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Scores so far, read and written: what another machine or study has left here is not computed
    /// again, if its run file says the same
    /// [default: scores.jsonl in the study's folder]
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,
    /// Train students of these variants only; the page has what is there of the others
    #[arg(long, value_name = "VARIANT", value_delimiter = ',')]
    only: Vec<String>,
    /// Train and rank nothing: write the page of the scores that are there
    #[arg(long, conflicts_with = "only")]
    page: bool,
    /// Download nothing: use the cache, or say what it lacks
    #[arg(long)]
    offline: bool,
    /// Train nothing and write nothing: find all that is wrong with the variants and their data
    #[arg(long, conflicts_with = "page")]
    check: bool,
    #[command(flatten)]
    devices: TrainingDevices,
}

/// Trains what is missing, and writes the page.
pub fn run(args: &StudyArgs) -> anyhow::Result<()> {
    let (study, runs) = StudyFile::load(args.file.path())?;
    let folder = args.file.folder(args.run.as_deref());
    let wanted = args.wanted(&study)?;
    let devices = args.devices.open()?;
    let interrupt = Interrupt::listen()?;
    let settings: Vec<Setting> = (study.variants.iter().zip(runs))
        .map(|(variant, (run, text))| {
            let folder = folder.join(&variant.name);
            Setting::new(run, text, &folder, devices[0].clone(), interrupt.clone())
        })
        .collect::<anyhow::Result<_>>()?;
    let kept = args.scores.clone();
    let mut board = Scoreboard::open(&kept.unwrap_or_else(|| folder.join("scores.jsonl")))?;
    let mut variants = Variants::new(&devices, args.offline, study.keep_students);
    for setting in settings.iter().filter(|_| !args.page) {
        if !board.has_inputs(&setting.fingerprint) {
            continue;
        }
        let today = variants.inputs(&setting.experiment)?;
        for line in board.forget_others(&setting.fingerprint, &today) {
            say(format_args!(
                "scores of other data or another model are not used: {line}"
            ));
        }
    }
    let is_unknown = |setting: &Setting| board.lacks_inputs(&setting.fingerprint);
    if settings.iter().any(is_unknown) {
        say(
            "some scores are of a former version, which did not write down of which data and model; they \
             are taken as they are",
        );
    }
    let mut results: Vec<Students> = (settings.iter())
        .map(|setting| board.students(&setting.fingerprint, study.students))
        .collect();
    if args.page {
        // No data are read for the page, but scores of different questions are not to be compared.
        let students = results.iter().flat_map(BTreeMap::values);
        let inputs = students.filter_map(|student| student.inputs.as_ref());
        let untrained = board.untrained(&settings[study.reference()].fingerprint);
        let inputs = inputs.chain(untrained.and_then(|it| it.inputs.as_ref()));
        let questions: BTreeSet<&str> = inputs.filter_map(Inputs::questions).collect();
        ensure!(
            questions.len() <= 1,
            "the scores are of different questions, documents or judgements, and cannot be compared; \
             without --page, those of other data are made anew"
        );
    }
    ensure!(
        wanted[study.reference()] || !results[study.reference()].is_empty(),
        "{} has no student yet, and the page compares the others with it",
        study.reference
    );
    let reference = &settings[study.reference()];
    let unfinished: Vec<(&str, &Setting)> = (study.variants.iter().zip(&settings).enumerate())
        .filter(|(place, _)| wanted[*place] && results[*place].len() < study.students)
        .map(|(_, (variant, setting))| (variant.name.as_str(), setting))
        .collect();
    args.check(&unfinished)?;
    if args.check {
        return Ok(());
    }
    variants.index_documents(&unfinished)?;
    let known = board.untrained(&reference.fingerprint);
    let untrained = match (known, known.and_then(UntrainedScores::without_words)) {
        (Some(found), None) => found.scores.clone(),
        (None, _) if args.page => bail!("there are no scores yet of what is not trained"),
        (Some(_), Some(left)) if args.page => {
            say(
                "what ranks by words is left out, since words were others when it was scored; \
                 without --page it is ranked anew",
            );
            left.scores
        }
        (_, left) => {
            let found = variants.untrained(reference, left)?;
            board.add_untrained(&reference.fingerprint, found.clone())?;
            found.scores
        }
    };
    let run = &reference.experiment.run;
    let all = study.students * settings.len();
    for student in 0..study.students {
        for (place, setting) in settings.iter().enumerate() {
            let name = &study.variants[place].name;
            if !wanted[place] || results[place].contains_key(&student) {
                continue;
            }
            if !results[study.reference()].is_empty() {
                write(&summary(&study, run, &untrained, &results)?, &folder)?;
            }
            let number = student * settings.len() + place + 1;
            say(format_args!(
                "{name}, student {} ({number} of {all})",
                student + 1
            ));
            let found = variants
                .student(setting, student)
                .with_context(|| format!("variant {name}"))?;
            board.add_student(name, student, &setting.fingerprint, found.clone())?;
            variants.leave(setting, student)?;
            results[place].insert(student, found);
        }
    }
    let page = summary(&study, run, &untrained, &results)?;
    write(&page, &folder)?;
    let (table, page) = (page.table()?.to_terminal(), folder.join("study.md"));
    print(format_args!("{table}\nstudy: {}\n", page.display()))
}

impl StudyArgs {
    /// Finds all that is wrong with the variants before the first of them is trained.
    fn check(&self, settings: &[(&str, &Setting)]) -> anyhow::Result<()> {
        let mut findings = Findings::default();
        let (cache, reach) = (cache::folder()?, Reach::of(self.check, self.offline));
        let mut known: Vec<RunFile> = Vec::new();
        for (name, setting) in settings {
            findings.within(&format!("variant {name}"));
            let run = &setting.experiment.run;
            // What is read for one variant is read for those that only train otherwise.
            let mut reads = run.clone();
            reads.title.clear();
            reads.distill.objectives = Default::default();
            reads.distill.training.optimiser = settings[0]
                .1
                .experiment
                .run
                .distill
                .training
                .optimiser
                .clone();
            if !known.contains(&reads) {
                check(run, &cache, reach, true, &mut findings);
                known.push(reads);
            }
        }
        let sound = findings.is_sound();
        findings.told()?;
        if self.check && sound {
            print(format_args!("{} variants can be trained\n", settings.len()))?;
        }
        Ok(())
    }

    /// Of each variant, whether its missing students are trained.
    fn wanted(&self, study: &StudyFile) -> anyhow::Result<Vec<bool>> {
        let names = || study.variants.iter().map(|variant| &variant.name);
        for asked in &self.only {
            ensure!(
                names().any(|name| name == asked),
                "--only {asked}: expected one of {}",
                names().map(String::as_str).collect::<Vec<_>>().join(", ")
            );
        }
        let all = self.only.is_empty() && !self.page;
        Ok(names()
            .map(|name| all || self.only.contains(name))
            .collect())
    }
}

/// The page, its numbers and its plot.
fn write(page: &StudySummary, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    page.write_markdown(&folder.join("study.md"))?;
    page.write_json(&folder.join("study.json"))?;
    dots(&page.dots())?.save(&folder.join("study"))?;
    Ok(())
}
