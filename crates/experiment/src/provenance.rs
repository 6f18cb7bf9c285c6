//! How a run was made: the facts of its report, and `run.json` for programs.

use std::time::Instant;

use optical_distill::Event;
use optical_report::page::Fact;
use optical_store::write_json;

use crate::{Experiment, RunFolder, continuation};

/// Times of a sitting, stage by stage.
#[derive(Debug)]
pub struct Clock {
    began: Instant,
    lap: Instant,
    stages: Vec<(&'static str, f64)>,
}

impl Clock {
    /// Starts now.
    pub fn start() -> Self {
        let now = Instant::now();
        Self {
            began: now,
            lap: now,
            stages: Vec::new(),
        }
    }

    /// Ends a stage.
    pub fn stage(&mut self, name: &'static str) {
        self.stages.push((name, self.lap.elapsed().as_secs_f64()));
        self.lap = Instant::now();
    }
}

/// Returns what the report says of how the run was made.
pub fn facts(experiment: &Experiment, events: &[Event], clock: &Clock) -> Vec<Fact> {
    let run = &experiment.run;
    let seconds = |event: &Event| match event {
        Event::Step { seconds, .. } => *seconds,
        _ => 0.0,
    };
    let trained: f64 = events.iter().map(seconds).sum();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut facts = vec![
        Fact::new("command", &experiment.site.command),
        Fact::new("version", env!("CARGO_PKG_VERSION")),
        Fact::new("model", &run.model),
        Fact::new("seed", run.distill.training.seed),
        Fact::new(
            "device",
            format!("{}, {threads} threads", experiment.site.backend),
        ),
        Fact::new("steps", run.distill.training.steps),
        Fact::new(
            "time in training steps, all sittings",
            format!("{trained:.0} s"),
        ),
        Fact::new(
            "last sitting",
            format!("{:.0} s", clock.began.elapsed().as_secs_f64()),
        ),
    ];
    facts.extend(continuation::fact(&experiment.folder));
    facts.extend(clock.stages.iter().map(|(name, seconds)| {
        Fact::new(format!("last sitting, {name}"), format!("{seconds:.0} s"))
    }));
    facts
}

/// Writes the facts as a JSON object.
pub fn write_run_json(folder: &RunFolder, facts: &[Fact]) -> anyhow::Result<()> {
    let json: serde_json::Map<_, _> = facts
        .iter()
        .map(|fact| (fact.name.clone(), fact.value.clone().into()))
        .collect();
    write_json(&folder.file("run.json"), &json)
}
