//! Ctrl-C as a flag that long work looks at between two steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

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
            eprintln!("stopping behind this step; once more to stop at once");
        })
        .context("cannot listen for Ctrl-C")?;
        Ok(Self(flag))
    }

    /// Listens for nobody: Ctrl-C ends the program, as it does where nothing is to be kept.
    pub fn unheard() -> Self {
        Self(Arc::default())
    }

    /// Whether it was asked for.
    pub fn raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// An error where it was asked for.
    pub fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            !self.raised(),
            "stopped; the same command goes on from here"
        );
        Ok(())
    }
}
