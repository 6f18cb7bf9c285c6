//! Whoever runs a stage: hears what happens, and may ask it to stop.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use optical_corpus::fetch::FetchEvent;

/// What a stage tells while it works.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// A sentence for people.
    Line(&'a str),
    /// Some of a known number of things are done.
    Progress {
        /// What is being done.
        name: &'a str,
        /// The number of things that are done; the first notice has those of earlier sittings.
        position: u64,
        /// The number of all.
        total: u64,
        /// A word on how they go, perhaps empty.
        message: &'a str,
    },
    /// A data set is being fetched.
    Fetch {
        /// Its name.
        data_set: &'a str,
        /// Whether somebody asked for this very data set, and wants to know that it is there.
        asked: bool,
        /// What happens.
        event: &'a FetchEvent,
    },
    /// There will be no more progress of what has this name.
    Ended(&'a str),
}

/// Whoever runs a stage.
#[derive(Clone)]
pub struct Host {
    hear: Arc<dyn Fn(Notice<'_>) + Send + Sync>,
    stop: Arc<AtomicBool>,
}

impl Debug for Host {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let stop = self.is_stopping();
        f.debug_struct("Host").field("stop", &stop).finish()
    }
}

impl Host {
    /// Makes a host that hears notices, and wants long work to stop once `stop` is true.
    pub fn new(stop: Arc<AtomicBool>, hear: impl Fn(Notice<'_>) + Send + Sync + 'static) -> Self {
        let hear = Arc::new(hear);
        Self { hear, stop }
    }

    /// Makes a host that hears nothing and never stops anything.
    pub fn deaf() -> Self {
        Self::new(Arc::default(), |_| ())
    }

    /// Tells what happens.
    pub fn hear(&self, notice: Notice<'_>) {
        (self.hear)(notice);
    }

    /// Tells a sentence.
    pub fn say(&self, line: impl fmt::Display) {
        self.hear(Notice::Line(&line.to_string()));
    }

    /// Begins to tell of progress, at `first` of `total` things.
    pub fn progress(&self, name: &str, first: u64, total: u64) -> Progress {
        let progress = Progress {
            host: self.clone(),
            name: name.to_owned(),
            total,
        };
        progress.at(first, "");
        progress
    }

    /// Tells whether long work should stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Fails where long work should stop.
    ///
    /// # Errors
    /// If somebody asked for it.
    pub fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            !self.is_stopping(),
            "stopped; the same command resumes with what is done"
        );
        Ok(())
    }
}

/// Progress through a known number of things; it ends when it is dropped.
#[derive(Debug)]
pub struct Progress {
    host: Host,
    name: String,
    total: u64,
}

impl Progress {
    /// Tells that `position` things are done, with a word on how they go.
    pub fn at(&self, position: u64, message: &str) {
        self.host.hear(Notice::Progress {
            name: &self.name,
            position,
            total: self.total,
            message,
        });
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.host.hear(Notice::Ended(&self.name));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn progress_begins_moves_and_ends() {
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let stop: Arc<AtomicBool> = Arc::default();
        let kept = heard.clone();
        let host = Host::new(stop.clone(), move |notice| {
            let mut heard = kept.lock().unwrap_or_else(|it| it.into_inner());
            heard.push(match notice {
                Notice::Line(line) => line.to_owned(),
                Notice::Progress {
                    name,
                    position,
                    total,
                    message,
                } => format!("{name} {position}/{total} {message}"),
                Notice::Ended(name) => format!("{name} ended"),
                Notice::Fetch { data_set, .. } => data_set.to_owned(),
            });
        });
        let progress = host.progress("encode", 1, 3);
        progress.at(2, "texts");
        host.say(format_args!("{} words", 2));
        drop(progress);
        let heard = heard.lock().unwrap_or_else(|it| it.into_inner());
        let expected = ["encode 1/3 ", "encode 2/3 texts", "2 words", "encode ended"];
        assert_eq!(*heard, expected);
        assert!(host.check().is_ok());
        stop.store(true, Ordering::SeqCst);
        assert!(host.check().is_err() && host.clone().is_stopping());
    }
}
