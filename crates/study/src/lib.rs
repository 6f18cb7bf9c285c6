//! Variants of a run file side by side, with several students each.
//!
//! A study file ([`StudyFile`]) names a run file and what each variant, or each cell of a grid, changes in
//! it. Each [`Cell`] is an experiment of its own; what is known of its students is in a [`Scoreboard`],
//! apart from rankings and weights, so that several machines can share a study, and several studies a
//! student. Pages and tables are made of it.

mod answer;
mod change;
mod check;
mod comparison;
mod covariates;
mod file;
mod grid;
mod scoreboard;
mod shard;
mod tables;
mod topics;
mod variant;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use optical_experiment::Site;
use optical_report::page::StudySummary;
use optical_report::plot::dots;
use optical_store::write;

use self::answer::answer;
use self::check::check_cells;
use self::comparison::summary;
pub use self::file::{Cell, StudyFile};
pub use self::scoreboard::{Scoreboard, StudentScores, Students, UntrainedScores};
pub use self::shard::Shard;
use self::tables::tables;
use self::variant::{Setting, Variants};

/// How a study is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file of scores, read and written; `scores.jsonl` in the study's folder if none is named.
    pub scores: Option<PathBuf>,
    /// Names of cells whose students are trained; all if it is empty.
    pub only: Vec<String>,
    /// The share of them that is trained here; all without it.
    pub shard: Option<Shard>,
    /// Whether nothing is trained or ranked: the page is written of the scores that are there.
    pub page: bool,
    /// Whether to find all that is wrong with the cells and nothing more.
    pub check_only: bool,
    /// For a check: the floating-point operations a second of the machine that times are said for; this
    /// one's without it.
    pub flops: Option<f64>,
}

/// What became of a study.
#[derive(Debug)]
pub enum Outcome {
    /// It was only to be checked, or a share of it was made that is no page yet: a line for people.
    Said(String),
    /// Its page is written.
    Written {
        /// What the page says.
        summary: Box<StudySummary>,
        /// The page.
        page: PathBuf,
    },
}

/// Trains what is missing of a study, and writes its page and its tables after each student.
///
/// # Errors
/// If the study or a cell is not sound, a stage fails, or somebody stops it: the same call resumes.
pub fn run(file: &Path, folder: &Path, site: &Site, options: &Options) -> anyhow::Result<Outcome> {
    let (study, cells) = StudyFile::load(file)?;
    let settings: Vec<Setting> = cells
        .iter()
        .map(|cell| Setting::new(cell.run.clone(), &folder.join(&cell.name), site))
        .collect::<anyhow::Result<_>>()?;
    let wanted = options.wanted(&cells, &settings)?;
    let kept = options.scores.clone();
    let kept = kept.unwrap_or_else(|| folder.join("scores.jsonl"));
    if options.page && !kept.is_file() && folder.join("study.csv").is_file() {
        // The tables alone are enough for the answer.
        let path = answer(&study.title, &study.hypotheses, folder, &[])?;
        return Ok(Outcome::Said(format!("answer: {}\n", path.display())));
    }
    let reference = study.reference(&cells);
    let measures = settings[reference].experiment.measures();
    for (cell, setting) in cells.iter().zip(&settings) {
        let theirs = setting.experiment.measures();
        ensure!(
            theirs[0] == measures[0],
            "{}: measures begins with {}, and those of the reference with {}: they cannot be compared",
            cell.label,
            theirs[0],
            measures[0]
        );
    }
    let board = Scoreboard::open(&kept, measures[0], &site.store)?;
    let mut running = Running {
        variants: Variants::new(site, study.keep_students, study.covariates),
        results: Vec::new(),
        study,
        cells,
        reference,
        settings,
        wanted,
        board,
        folder,
        site,
        options,
    };
    running.recall()?;
    let unfinished = running.unfinished();
    if let Some(checked) = check_cells(&unfinished, site, options.check_only, options.flops)? {
        return Ok(Outcome::Said(checked));
    }
    running.index_documents()?;
    let untrained = match running.has_page() {
        true => Some(running.untrained()?),
        false => None,
    };
    running.train(untrained.as_ref())?;
    running.write_tables(true)?;
    running.answer();
    running.leave_stages()?;
    match untrained {
        Some(untrained) => Ok(Outcome::Written {
            summary: Box::new(running.write(&untrained)?),
            page: folder.join("study.md"),
        }),
        None => Ok(Outcome::Said(running.share())),
    }
}

impl Options {
    /// Tells of each cell whether its missing students are trained.
    fn wanted(&self, cells: &[Cell], settings: &[Setting]) -> anyhow::Result<Vec<bool>> {
        let names = || cells.iter().map(|cell| &cell.name);
        for asked in &self.only {
            ensure!(
                names().any(|name| name == asked),
                "--only {asked}: expected one of {}",
                names().map(String::as_str).collect::<Vec<_>>().join(", ")
            );
        }
        let all = self.only.is_empty() && !self.page;
        // Cells that are the same are in the same share.
        let mut distinct: Vec<&str> = Vec::new();
        let wanted = cells.iter().zip(settings).map(|(cell, setting)| {
            let fingerprint = setting.fingerprint.as_str();
            let known = distinct.iter().position(|known| *known == fingerprint);
            let place = known.unwrap_or(distinct.len());
            if known.is_none() {
                distinct.push(fingerprint);
            }
            let is_here = self.shard.is_none_or(|shard| shard.has(place));
            is_here && (all || self.only.contains(&cell.name))
        });
        Ok(wanted.collect())
    }
}

/// A study that is being run.
struct Running<'a> {
    study: StudyFile,
    cells: Vec<Cell>,
    /// The place of the cell that the others are compared with.
    reference: usize,
    settings: Vec<Setting>,
    wanted: Vec<bool>,
    board: Scoreboard,
    variants: Variants<'a>,
    /// By cell, the students whose scores are known.
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
        let results = self
            .cells
            .iter()
            .zip(&self.settings)
            .map(|(cell, setting)| {
                let today = setting.today.as_ref();
                self.board
                    .students(&setting.fingerprint, cell.students, today)
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
        ensure!(
            self.options.shard.is_some() || self.has_page(),
            "{} has no student yet, and the page compares the others with it",
            self.cells[self.reference].name
        );
        Ok(())
    }

    /// Whether there is what the others are compared with. In a share, what is not trained is ranked where
    /// the reference is, and by nobody else.
    fn has_page(&self) -> bool {
        let Setting {
            fingerprint, today, ..
        } = &self.settings[self.reference];
        let is_ranked = || self.board.untrained(fingerprint, today.as_ref()).is_some();
        let is_known = !self.results[self.reference].is_empty();
        self.wanted[self.reference] || is_known && (self.options.shard.is_none() || is_ranked())
    }

    /// The cells that lack students and are wanted; of those that are the same, the first.
    fn unfinished(&self) -> Vec<(&Cell, &Setting)> {
        let mut known = BTreeSet::new();
        let cells = self.cells.iter().zip(&self.settings).enumerate();
        cells
            .filter(|(at, (cell, _))| self.wanted[*at] && self.results[*at].len() < cell.students)
            .map(|(_, cell)| cell)
            .filter(|(_, setting)| known.insert(&setting.fingerprint))
            .collect()
    }

    /// Reads the documents of the cells that are to be trained, once for all heads.
    fn index_documents(&mut self) -> anyhow::Result<()> {
        let of = |it: &Setting| {
            self.settings
                .iter()
                .position(|setting| std::ptr::eq(setting, it))
        };
        let unfinished: Vec<usize> = (self.unfinished().into_iter())
            .filter_map(|(_, setting)| of(setting))
            .collect();
        let named = unfinished
            .iter()
            .map(|place| (self.cells[*place].label.as_str(), &self.settings[*place]));
        self.variants.index_documents(&named.collect::<Vec<_>>())
    }

    /// The scores of what is not trained, as the reference has them.
    fn untrained(&mut self) -> anyhow::Result<UntrainedScores> {
        let reference = &self.settings[self.reference];
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

    /// Trains the first students of all cells, then the second ones, and so on.
    fn train(&mut self, untrained: Option<&UntrainedScores>) -> anyhow::Result<()> {
        let all: usize = self.cells.iter().map(|cell| cell.students).sum();
        let most = self.cells.iter().map(|cell| cell.students).max();
        for student in 0..most.unwrap_or_default() {
            for place in 0..self.settings.len() {
                let is_known = self.results[place].contains_key(&student);
                if !self.wanted[place] || self.cells[place].students <= student || is_known {
                    continue;
                }
                self.write_tables(false)?;
                if let Some(untrained) = untrained
                    && !self.results[self.reference].is_empty()
                {
                    self.write(untrained)?;
                }
                let Cell { name, label, .. } = &self.cells[place];
                let number = 1 + self.results.iter().map(Students::len).sum::<usize>();
                self.site.store.host.say(format_args!(
                    "{name}, student {} ({number} of {all})",
                    student + 1
                ));
                let setting = &self.settings[place];
                let found = self.variants.student(setting, student);
                let found = found.with_context(|| label.clone())?;
                let fingerprint = &setting.fingerprint;
                self.board
                    .add_student(name, student, fingerprint, found.clone())?;
                self.variants.leave(setting, student)?;
                // Cells that are the same are computed once.
                let same = self.settings.iter().zip(&self.cells).zip(&mut self.results);
                for ((other, cell), results) in same {
                    if other.fingerprint == *fingerprint && student < cell.students {
                        results.insert(student, found.clone());
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes the English stages of a study that is done, of which nobody makes another share.
    fn leave_stages(&self) -> anyhow::Result<()> {
        let mut cells = self.cells.iter().zip(&self.results);
        let is_done = cells.all(|(cell, found)| found.len() == cell.students);
        if !is_done || self.options.page || self.options.shard.is_some() {
            return Ok(());
        }
        for (cell, setting) in self.cells.iter().zip(&self.settings) {
            self.variants.leave_stages(setting, cell.students)?;
        }
        Ok(())
    }

    /// Writes the tables of what is known by now, of other processes too.
    fn write_tables(&mut self, at_end: bool) -> anyhow::Result<()> {
        let (cells, settings, folder) = (&self.cells, &self.settings, self.folder);
        let first = settings[self.reference]
            .experiment
            .first_measure()
            .to_string();
        let host = &self.site.store.host;
        let written = |board: &Scoreboard| {
            let known: Vec<_> = (cells.iter().zip(settings))
                .map(
                    |(
                        cell,
                        Setting {
                            fingerprint, today, ..
                        },
                    )| {
                        let students = board.students(fingerprint, cell.students, today.as_ref());
                        (cell, fingerprint.as_str(), students)
                    },
                )
                .collect();
            let made = tables(&first, &known)?;
            for (name, text) in made.files {
                write(&folder.join(name), &text)?;
            }
            for student in made.left_out.iter().filter(|_| at_end) {
                host.say(format_args!("not in the tables: {student}"));
            }
            Ok(())
        };
        match self.options.page {
            // A page leaves the file of scores, and its folder, as they are.
            true => written(&self.board),
            false => self.board.use_now(written),
        }
    }

    /// Draws the answer of a study with grids, or says why there is none: a study that is not complete may
    /// have nothing to compare yet.
    fn answer(&self) {
        if self.study.grids.is_empty() {
            return;
        }
        let cells = self.cells.iter().zip(&self.results);
        let lacking = cells.filter(|(cell, found)| found.len() < cell.students);
        let missing: Vec<String> = lacking
            .map(|(cell, found)| {
                let (name, known, all) = (&cell.name, found.len(), cell.students);
                format!("{name}: {known} of {all} students are known here")
            })
            .collect();
        let StudyFile {
            title, hypotheses, ..
        } = &self.study;
        let host = &self.site.store.host;
        match answer(title, hypotheses, self.folder, &missing) {
            Ok(path) => host.say(format_args!("answer: {}", path.display())),
            Err(error) => host.say(format_args!(
                "the page of the answer is not written yet: {error:#}"
            )),
        }
    }

    /// Says how much of a share is made.
    fn share(&self) -> String {
        let shard = self
            .options
            .shard
            .map(|shard| format!("share {shard}: "))
            .unwrap_or_default();
        let known: usize = self.results.iter().map(Students::len).sum();
        let all: usize = self.cells.iter().map(|cell| cell.students).sum();
        let reference = &self.cells[self.reference].name;
        format!(
            "{shard}{known} of {all} students are known here; the page is written where {reference} is\n"
        )
    }

    /// Writes the page of what is known so far, its numbers and its plot.
    fn write(&self, untrained: &UntrainedScores) -> anyhow::Result<StudySummary> {
        let experiment = &self.settings[self.reference].experiment;
        let (cells, scores) = (&self.cells, &untrained.scores);
        let page = summary(&self.study, cells, experiment, scores, &self.results)?;
        let folder = self.folder;
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        page.write_markdown(&folder.join("study.md"))?;
        page.write_json(&folder.join("study.json"))?;
        dots(&page.dots())?.save(&folder.join("study"))?;
        Ok(page)
    }
}
