//! Ctrl-C as a flag that long work looks at between two steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

use crate::say::say;

/// Whether somebody asked to stop.
#[derive(Debug, Clone)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for Ctrl-C and SIGTERM; a second one ends the program at once.
    pub fn listen() -> anyhow::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        let raised = flag.clone();
        ctrlc::set_handler(move || {
            if raised.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
            say("stopping after this step; press Ctrl-C again to stop at once");
        })
        .context("cannot listen for Ctrl-C")?;
        Ok(Self(flag))
    }

    /// Somebody who has asked to stop, or who never will.
    #[cfg(test)]
    pub fn of(raised: bool) -> Self {
        Self(Arc::new(AtomicBool::new(raised)))
    }

    /// Listens for nobody: Ctrl-C ends the program, as it does where nothing is to be kept.
    pub fn unheard() -> Self {
        Self(Arc::default())
    }

    /// Whether it was asked for.
    pub fn raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// From here on the first Ctrl-C ends the program at once: there is nothing left to keep.
    pub fn at_once(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// An error where it was asked for.
    pub fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            !self.raised(),
            "stopped; the same command resumes with what is done"
        );
        Ok(())
    }
}
