//! The terminal as whoever hears of a stage: bars or lines, and Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use optical_store::{Host, Notice};

use crate::fetching::Fetching;
use crate::progress::Progress;
use crate::say::say;

/// What is shown at the moment.
#[derive(Default)]
struct Shown {
    progress: Option<Progress>,
    fetching: Option<Fetching>,
}

impl Shown {
    fn hear(&mut self, notice: &Notice<'_>) {
        match notice {
            Notice::Line(line) => match &self.progress {
                Some(progress) => progress.say(line),
                None => say(line),
            },
            Notice::Progress {
                name,
                position,
                total,
                message,
            } => match &mut self.progress {
                Some(progress) if progress.name() == *name => progress.at(*position, message),
                _ => self.progress = Some(Progress::new(name, *position, *total)),
            },
            Notice::Fetch {
                data_set,
                asked,
                event,
            } => {
                let begin = || Fetching::new(data_set, *asked);
                self.fetching.get_or_insert_with(begin).show(event);
            }
            Notice::Ended(_) => *self = Self::default(),
            _ => {}
        }
    }
}

/// The terminal, for work that Ctrl-C ends at once, since there is nothing to keep.
pub fn unheard() -> Host {
    host(Arc::default())
}

/// The terminal, for work that keeps what is done: the first Ctrl-C or SIGTERM asks it to stop, a
/// second one ends the program.
pub fn listening() -> anyhow::Result<Host> {
    listen().map(host)
}

/// As [`listening`], with what makes the first Ctrl-C end the program, once it is true.
pub fn listen() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let raised = stop.clone();
    ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        say("stopping after this step; press Ctrl-C again to stop at once");
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(stop)
}

/// The terminal, with a flag that is true when work should stop.
pub fn host(stop: Arc<AtomicBool>) -> Host {
    let shown: Mutex<Shown> = Mutex::default();
    Host::new(stop, move |notice| {
        let shown = shown.lock();
        shown.unwrap_or_else(PoisonError::into_inner).hear(&notice);
    })
}
