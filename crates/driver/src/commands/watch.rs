//! `optical watch`: the course of a run, in a terminal, in lines, or in TensorBoard.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use console::{Term, truncate_str};
use optical_experiment::RunFolder;
use optical_report::course::{Curves, History, Panel, Reading, Tail, line};

use crate::named::NamedRun;
use crate::say::{print, say};

const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// Without a terminal, a line about the steps now and then.
const BETWEEN_LINES: Duration = Duration::from_secs(20);

/// Show the course of a run
///
/// Reads the run's metrics.jsonl, which `optical train` writes, and follows it until the run is
/// finished; a run that is finished is shown as it ended. Every number of every event is shown, with
/// its course so far. Without a terminal, events are printed as lines.
#[derive(Debug, clap::Args)]
pub struct WatchArgs {
    #[command(flatten)]
    run: NamedRun,
    /// Show the state so far, and end
    #[arg(long)]
    once: bool,
    /// Write the curves to an event file in this folder, for TensorBoard
    #[arg(long, value_name = "FOLDER")]
    tensorboard: Option<PathBuf>,
}

/// Watches until the run is finished.
///
/// # Errors
/// If the folder is not a run folder, its events cannot be read, or the event file cannot be written.
pub fn run(args: &WatchArgs) -> anyhow::Result<()> {
    let folder = RunFolder::existing(args.run.path())?;
    let mut watch = Watch {
        name: args.run.path().display().to_string(),
        steps: steps(&folder),
        tail: Tail::new(&folder.metrics()),
        folder,
        history: History::default(),
        tensorboard: args.tensorboard.clone(),
        curves: None,
    };
    let term = Term::stdout();
    let mut drawn = 0;
    let mut printed = Instant::now();
    watch.look()?;
    if let Some(folder) = &args.tensorboard {
        say(format_args!(
            "to see the curves: tensorboard --logdir {}",
            folder.display()
        ));
    }
    let mut finished = watch.finished();
    if !term.is_term() {
        print(watch.panel(finished).lines().join("\n") + "\n")?;
    }
    while !finished && !args.once {
        if term.is_term() {
            drawn = draw(&term, drawn, &watch.panel(false).lines())?;
        }
        std::thread::sleep(BETWEEN_LOOKS);
        // Looked at before the events, so that the last of them are not missed.
        finished = watch.finished();
        let readings = watch.look()?;
        if !term.is_term() {
            let told = readings.iter().filter(|reading| reading.event != "step");
            for reading in told.filter(|reading| !reading.values.is_empty()) {
                print(line(reading) + "\n")?;
            }
            let step = readings.iter().rfind(|reading| reading.event == "step");
            if let Some(step) = step.filter(|_| BETWEEN_LINES <= printed.elapsed()) {
                printed = Instant::now();
                let headline = watch.panel(finished).headline();
                print(format_args!("{headline}\n{}\n", line(step)))?;
            }
            if finished {
                print(watch.panel(true).lines().join("\n") + "\n")?;
            }
        }
    }
    if term.is_term() {
        draw(&term, drawn, &watch.panel(finished).lines())?;
    }
    Ok(())
}

struct Watch {
    name: String,
    folder: RunFolder,
    steps: Option<u64>,
    tail: Tail,
    history: History,
    tensorboard: Option<PathBuf>,
    curves: Option<Curves>,
}

impl Watch {
    /// Takes in what is new, and returns it.
    fn look(&mut self) -> anyhow::Result<Vec<Reading>> {
        let path = self.folder.metrics();
        let news = self.tail.news();
        let news = news.with_context(|| path.display().to_string())?;
        let readings: Vec<Reading> = (news.lines.iter())
            .filter_map(|line| Reading::parse(line))
            .collect();
        if news.anew {
            self.history = History::default();
            self.curves = None;
        }
        for reading in &readings {
            self.history.hear(reading);
        }
        if let (Some(folder), false) = (&self.tensorboard, readings.is_empty()) {
            match &mut self.curves {
                Some(curves) => readings
                    .iter()
                    .try_for_each(|reading| curves.append(reading))?,
                None => {
                    let written = SystemTime::now() - self.silence();
                    let end = written.duration_since(SystemTime::UNIX_EPOCH);
                    let end = end.unwrap_or_default().as_secs_f64();
                    self.curves = Some(Curves::create(folder, &readings, end)?);
                }
            }
        }
        Ok(readings)
    }

    /// How long nothing was written.
    fn silence(&self) -> Duration {
        let written = self.folder.metrics().metadata();
        let written = written.and_then(|metadata| metadata.modified());
        let age = written.map(|written| written.elapsed().unwrap_or_default());
        age.unwrap_or_default()
    }

    /// Whether there is a student, which is written after the last step.
    fn finished(&self) -> bool {
        self.folder.has_student()
    }

    fn panel(&self, finished: bool) -> Panel<'_> {
        Panel {
            name: &self.name,
            history: &self.history,
            steps: self.steps,
            finished,
            silence: self.silence(),
        }
    }
}

/// The steps that the run file asks for; whatever else it says does not matter here.
fn steps(folder: &RunFolder) -> Option<u64> {
    let text = std::fs::read_to_string(folder.run_file()).ok()?;
    let run: toml::Table = text.parse().ok()?;
    let training = run.get("distill").or(run.get("teach"))?.get("training")?;
    let steps = training.get("steps")?.as_integer()?;
    steps.try_into().ok()
}

/// Draws lines in the place of the last ones, of which there were `drawn`; returns how many there are.
fn draw(term: &Term, drawn: usize, lines: &[String]) -> std::io::Result<usize> {
    let (height, width) = term.size();
    let shown = lines.len().min(usize::from(height).saturating_sub(1));
    term.clear_last_lines(drawn)?;
    for line in &lines[..shown] {
        // A line that is broken in two could not be cleared.
        term.write_line(&truncate_str(line, usize::from(width), "…"))?;
    }
    Ok(shown)
}
