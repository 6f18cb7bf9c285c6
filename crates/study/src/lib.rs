//! Variants of a run file side by side, with several students each.
//!
//! A study file ([`StudyFile`]) names a run file and what each variant changes in it. Each variant is
//! an experiment of its own; what is known of its students is in a [`Scoreboard`], apart from rankings
//! and weights, so that several machines can share a study, and several studies a student.

mod comparison;
mod file;
mod scoreboard;
mod topics;
mod variant;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use optical_experiment::{Findings, Site, check};
use optical_report::page::StudySummary;
use optical_report::plot::dots;

use self::comparison::summary;
pub use self::file::{StudyFile, Variant};
pub use self::scoreboard::{Scoreboard, StudentScores, Students, UntrainedScores};
use self::variant::{Setting, Variants};

/// How a study is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file of scores, read and written; `scores.jsonl` in the study's folder if none is named.
    pub scores: Option<PathBuf>,
    /// Names of variants whose students are trained; all if it is empty.
    pub only: Vec<String>,
    /// Whether nothing is trained or ranked: the page is written of the scores that are there.
    pub page: bool,
    /// Whether to find all that is wrong with the variants and nothing more.
    pub check_only: bool,
}

/// What became of a study.
#[derive(Debug)]
pub enum Outcome {
    /// It was only to be checked: a line for people.
    Checked(String),
    /// Its page is written.
    Written {
        /// What the page says.
        summary: Box<StudySummary>,
        /// The page.
        page: PathBuf,
    },
}

/// Trains what is missing of a study, and writes its page after each student.
///
/// # Errors
/// If the study or a variant is not sound, a stage fails, or somebody stops it: the same call resumes.
pub fn run(file: &Path, folder: &Path, site: &Site, options: &Options) -> anyhow::Result<Outcome> {
    let (study, runs) = StudyFile::load(file)?;
    let wanted = options.wanted(&study)?;
    let settings: Vec<Setting> = (study.variants.iter().zip(runs))
        .map(|(variant, run)| Setting::new(run, &folder.join(&variant.name), site))
        .collect::<anyhow::Result<_>>()?;
    let kept = options.scores.clone();
    let kept = kept.unwrap_or_else(|| folder.join("scores.jsonl"));
    let measures = settings[study.reference()].experiment.measures();
    for (variant, setting) in study.variants.iter().zip(&settings) {
        let theirs = setting.experiment.measures();
        ensure!(
            theirs[0] == measures[0],
            "variant {}: measures begins with {}, and those of the reference with {}: they cannot be compared",
            variant.name,
            theirs[0],
            measures[0]
        );
    }
    let board = Scoreboard::open(&kept, measures[0], &site.store)?;
    let mut running = Running {
        variants: Variants::new(site, study.keep_students),
        results: Vec::new(),
        study,
        settings,
        wanted,
        board,
        folder,
        site,
        options,
    };
    running.recall()?;
    if let Some(checked) = running.check()? {
        return Ok(Outcome::Checked(checked));
    }
    let untrained = running.untrained()?;
    running.train(&untrained)?;
    let page = running.write(&untrained)?;
    Ok(Outcome::Written {
        summary: Box::new(page),
        page: folder.join("study.md"),
    })
}

impl Options {
    /// Tells of each variant whether its missing students are trained.
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

/// A study that is being run.
struct Running<'a> {
    study: StudyFile,
    settings: Vec<Setting>,
    wanted: Vec<bool>,
    board: Scoreboard,
    variants: Variants<'a>,
    /// By variant, the students whose scores are known.
    results: Vec<Students>,
    folder: &'a Path,
    site: &'a Site,
    options: &'a Options,
}

impl Running<'_> {
    /// Takes from the scoreboard what is of today's data and model.
    fn recall(&mut self) -> anyhow::Result<()> {
        let host = &self.site.store.host;
        let mut unreadable = Vec::new();
        for (place, setting) in self.settings.iter_mut().enumerate() {
            let several = self.board.questions(&setting.fingerprint).len() > 1;
            // The page reads no data where it needs none, and neither it nor a check brings what the
            // cache lacks.
            if !self.board.has_inputs(&setting.fingerprint) || self.options.page && !several {
                continue;
            }
            let at_hand = self.options.page || self.options.check_only;
            let today = match at_hand {
                true => self.variants.inputs_at_hand(&setting.experiment).ok(),
                false => Some(self.variants.inputs(&setting.experiment)?),
            };
            match &today {
                Some(today) if !self.options.page => {
                    for line in self.board.others(&setting.fingerprint, today) {
                        host.say(format_args!(
                            "scores of other data or another model are not used: {line}"
                        ));
                    }
                }
                Some(_) => {}
                None => unreadable.push(place),
            }
            setting.today = today;
        }
        let is_unknown = |setting: &Setting| self.board.lacks_inputs(&setting.fingerprint);
        if self.settings.iter().any(is_unknown) {
            host.say(
                "some scores are of a former version, which did not write down of which data and model; they \
                 are taken as they are",
            );
        }
        let results = self.settings.iter().map(|setting| {
            let today = setting.today.as_ref();
            let count = self.study.students;
            self.board.students(&setting.fingerprint, count, today)
        });
        self.results = results.collect();
        if self.options.page {
            // Scores of different questions are not to be compared.
            let asked = self
                .settings
                .iter()
                .flat_map(|setting| match &setting.today {
                    Some(today) => today.questions().into_iter().collect(),
                    None => self.board.questions(&setting.fingerprint),
                });
            let questions: BTreeSet<&str> = asked.collect();
            ensure!(
                questions.len() <= 1,
                "the scores are of different questions, documents or judgements, and cannot be compared; \
                 without --page, those of other data are made anew"
            );
        }
        // What is wrong with data that cannot be read is found where a variant is checked.
        for place in unreadable.into_iter().filter(|_| self.options.check_only) {
            self.results[place].clear();
        }
        let reference = self.study.reference();
        ensure!(
            self.wanted[reference] || !self.results[reference].is_empty(),
            "{} has no student yet, and the page compares the others with it",
            self.study.reference
        );
        Ok(())
    }

    fn reference(&self) -> &Setting {
        &self.settings[self.study.reference()]
    }

    /// The variants that lack students and are wanted, with their names.
    fn unfinished(&self) -> Vec<(&str, &Setting)> {
        let variants = self.study.variants.iter().zip(&self.settings).enumerate();
        variants
            .filter(|(at, _)| self.wanted[*at] && self.results[*at].len() < self.study.students)
            .map(|(_, (variant, setting))| (variant.name.as_str(), setting))
            .collect()
    }

    /// Finds all that is wrong with the variants before the first of them is trained; a line for people
    /// where that is all that was asked for.
    fn check(&self) -> anyhow::Result<Option<String>> {
        let unfinished = self.unfinished();
        let checked = self.options.check_only;
        let mut findings = Findings::default();
        let mut known = Vec::new();
        for (name, setting) in &unfinished {
            findings.within(&format!("variant {name}"));
            let run = &setting.experiment.run;
            // What is read for one variant is read for those that only train otherwise.
            let mut reads = (**run).clone();
            reads.title.clear();
            reads.distill.objectives = Default::default();
            let first = &unfinished[0].1.experiment.run;
            reads.distill.training.optimiser = first.distill.training.optimiser.clone();
            if !known.contains(&reads) {
                check(run, self.site, checked, true, &mut findings);
                known.push(reads);
            }
        }
        findings.told(&self.site.store.host)?;
        Ok(checked.then(|| format!("{} variants can be trained\n", unfinished.len())))
    }

    /// The scores of what is not trained, as the reference has them.
    fn untrained(&mut self) -> anyhow::Result<UntrainedScores> {
        let unfinished: Vec<(String, usize)> = (self.unfinished().into_iter())
            .map(|(name, setting)| {
                let of = |it: &Setting| std::ptr::eq(it, setting);
                let place = self.settings.iter().position(of);
                (name.to_owned(), place.unwrap_or_default())
            })
            .collect();
        let named = unfinished
            .iter()
            .map(|(name, place)| (name.as_str(), &self.settings[*place]));
        self.variants.index_documents(&named.collect::<Vec<_>>())?;
        let reference = &self.settings[self.study.reference()];
        let (fingerprint, today) = (&reference.fingerprint, reference.today.as_ref());
        let known = self.board.untrained(fingerprint, today);
        match (known, known.and_then(UntrainedScores::without_words)) {
            (Some(found), None) => Ok(found.clone()),
            (None, _) if self.options.page => {
                bail!("there are no scores yet of what is not trained")
            }
            (Some(_), Some(left)) if self.options.page => {
                self.site.store.host.say(
                    "what ranks by words is left out, since words were others when it was scored; \
                     without --page it is ranked anew",
                );
                Ok(left)
            }
            (_, left) => {
                let found = self.variants.untrained(reference, left)?;
                self.board.add_untrained(fingerprint, found.clone())?;
                Ok(found)
            }
        }
    }

    /// Trains the first students of all variants, then the second ones, and so on.
    fn train(&mut self, untrained: &UntrainedScores) -> anyhow::Result<()> {
        let all = self.study.students * self.settings.len();
        for student in 0..self.study.students {
            for place in 0..self.settings.len() {
                let name = self.study.variants[place].name.clone();
                if !self.wanted[place] || self.results[place].contains_key(&student) {
                    continue;
                }
                if !self.results[self.study.reference()].is_empty() {
                    self.write(untrained)?;
                }
                let number = student * self.settings.len() + place + 1;
                self.site.store.host.say(format_args!(
                    "{name}, student {} ({number} of {all})",
                    student + 1
                ));
                let setting = &self.settings[place];
                let found = self.variants.student(setting, student);
                let found = found.with_context(|| format!("variant {name}"))?;
                let fingerprint = &setting.fingerprint;
                self.board
                    .add_student(&name, student, fingerprint, found.clone())?;
                self.variants.leave(setting, student)?;
                self.results[place].insert(student, found);
            }
        }
        Ok(())
    }

    /// Writes the page of what is known so far, its numbers and its plot.
    fn write(&self, untrained: &UntrainedScores) -> anyhow::Result<StudySummary> {
        let experiment = &self.reference().experiment;
        let page = summary(&self.study, experiment, &untrained.scores, &self.results)?;
        let folder = self.folder;
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        page.write_markdown(&folder.join("study.md"))?;
        page.write_json(&folder.join("study.json"))?;
        dots(&page.dots())?.save(&folder.join("study"))?;
        Ok(page)
    }
}
